"""Signals: a command that is told to end does so at once, says so in one line, and leaves nothing half-written.

A signal ends the process on the spot. An exception raised there instead would have to find its way through whatever
code runs: Lightning turns SIGTERM into exit 0 and Ctrl-C into exit 1, and what is raised inside a finaliser or a
callback is printed and lost. Every stage survives a kill, so nothing needs to unwind; what must not stay is noted in
``leftovers.py``.

This module stands outside ``cli``, and imports nothing that takes time, for signals are listened to before the package
of commands is imported.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import FrameType, ModuleType
from typing import Any

from mien.system.leftovers import SIGNALS, undo_all
from mien.system.streams import escaped

__all__ = ["ended_by_signals", "interrupted", "keep_ctrl_c_from_polars", "one_line", "signals_left_to_python"]

RESUMABLE = ("study", "train", "compare")
"""Commands that go on with --resume."""
WAKES, SECONDS_BETWEEN_WAKES = 3, 0.1
SHOW_CURSOR = b"\x1b[?25h\n"
"""A progress bar hides the cursor, and leaves it at the bar's end."""


@contextmanager
def ended_by_signals(*, for_good: bool = False) -> Iterator[None]:
    """Have a signal end the process with one line, its exit code, and nothing half-written left behind.

    Signals that the process was started without, as nohup does, stay ignored.

    Args:
        for_good: whether nothing but the end of the process follows. A signal then ends it sooner, with the code it
            would have had; otherwise signals do again what they did before.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    stop, before = partial(_stop, os.getpid()), _handled()
    if for_good:  # the first to be registered is the last to run
        atexit.register(_turn_deaf, list(before))
    for each in before:
        signal.signal(each, stop)
    code = 1
    try:
        with _main_thread_woken():
            yield
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, (lambda *_: os._exit(code)) if for_good else handler)


def _turn_deaf(signals: list[signal.Signals]) -> None:
    """Ignore signals from here on: the interpreter is about to give them back to the system, which would end the
    process with another exit code although all is done. What it ignores stays ignored.
    """
    for each in signals:
        signal.signal(each, signal.SIG_IGN)


def keep_ctrl_c_from_polars() -> None:
    """Have Ctrl-C do after an import of Polars, whoever imports it and in whatever thread, what it did before.

    Polars takes Ctrl-C over as it is imported. Its handler keeps Ctrl-C from a main thread that waits, and while a
    query runs it is the query alone that hears of it, or nobody (https://github.com/pola-rs/polars/issues/21739).
    Importing Polars here and now would do as well, but costs as much as answering for a photo, which needs no tables.
    """
    if "polars" not in sys.modules and not any(isinstance(finder, _PolarsFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PolarsFinder())


class _PolarsFinder:
    """Finds Polars as Python would, and keeps the handler of Ctrl-C over its execution; steps aside for the rest."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "polars":
            return None
        sys.meta_path.remove(self)
        found = find_spec(name)
        if found is not None and found.loader is not None:
            execute = found.loader.exec_module

            def execute_and_mend(module: ModuleType) -> None:
                with _handler_kept(signal.SIGINT):
                    execute(module)

            found.loader.exec_module = execute_and_mend  # type: ignore[method-assign]  # of this one import
        return found


@contextmanager
def _handler_kept(number: int) -> Iterator[None]:
    """Set a signal's handler again at the end: the system's own, which unlike Python's can be had in every thread."""
    from ctypes import c_int, c_void_p, pythonapi  # here, for it takes time

    get, put = pythonapi.PyOS_getsig, pythonapi.PyOS_setsig
    get.argtypes, get.restype = [c_int], c_void_p
    put.argtypes, put.restype = [c_int, c_void_p], c_void_p
    before = get(number)
    try:
        yield
    finally:
        put(number, before)


@contextmanager
def signals_left_to_python() -> Iterator[None]:
    """Have signals do what they do in any Python program, for what ends by itself as it should."""
    before, wakes = _handled(), signal.set_wakeup_fd(-1)
    for each in before:
        signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakes)
        for each, handler in before.items():
            signal.signal(each, handler)


def interrupted(number: int) -> str:
    """What is said of a command that a signal ended."""
    name = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    can_resume = sys.argv[1:2] and sys.argv[1] in RESUMABLE
    return f"interrupted{name}" + ("; give the same command with --resume to go on" if can_resume else "")


def one_line(message: str) -> str:
    """A message as the line that is written of it, with its end."""
    return "mien: " + escaped(" ".join(message.split())) + "\n"


def _handled() -> dict[signal.Signals, Any]:
    """The signals that are not ignored, with what handles them."""
    handlers = {each: signal.getsignal(each) for each in SIGNALS}
    return {each: handler for each, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}


def _stop(listener: int, number: int, frame: FrameType | None) -> None:
    """End the process now. It may stand anywhere, so nothing here waits for a lock that it could hold."""
    for each in SIGNALS:  # a second one changes nothing
        signal.signal(each, signal.SIG_IGN)
    if os.getpid() == listener:  # a fork of the process owns nothing, and says nothing
        undo_all()
        start = SHOW_CURSOR if os.isatty(2) else b""
        with suppress(OSError):
            os.write(2, start + one_line(interrupted(number)).encode())
    os._exit(128 + number)


@contextmanager
def _main_thread_woken() -> Iterator[None]:
    """Have the main thread hear the signals that the system hands to another one.

    Only the main thread runs handlers of Python, and nothing wakes it then where it waits for a lock, as for the next
    result of a process, which may take minutes.
    """
    if not hasattr(signal, "pthread_kill"):  # Windows
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_pass_on, args=(heard, threading.get_ident()), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)  # ends the thread


def _pass_on(heard: int, main_thread: int) -> None:
    """Hand signals on to the main thread; more than once, for it may have been about to wait when the first came."""
    with open(heard, "rb", buffering=0) as numbers:
        while got := numbers.read(64):  # what is handed on is heard again, and stands among these
            for number in set(got) & set(SIGNALS):
                for _ in range(WAKES):
                    time.sleep(SECONDS_BETWEEN_WAKES)
                    signal.pthread_kill(main_thread, number)
