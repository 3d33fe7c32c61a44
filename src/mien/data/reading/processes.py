"""Work in processes of their own, for what waits in threads for Python's lock more than it works."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait

from mien.errors import WorkFailedError
from mien.system.leftovers import SIGNALS, undone_if_stopped

__all__ = ["NoProcessesError", "processes"]

SECONDS_TO_END = 5
SECONDS_BETWEEN_LOOKS = 0.2


class NoProcessesError(WorkFailedError):
    """This system starts no processes now; the work can be done without."""


@contextmanager
def processes(count: int, advice: str) -> Iterator[Executor]:
    """Processes that share the cores, and that end with the context.

    loky's, since Python's own would run the script of a caller again that has no guard of its main part.

    Args:
        advice: what to do where one of them is ended from outside.

    Raises:
        WorkFailedError: where that happens.
        NoProcessesError: where none can be started, as without shared memory or free file handles.
    """
    from loky import ProcessPoolExecutor  # here, for nothing else needs it
    from loky.process_executor import TerminatedWorkerError

    # A worker that is gone is replaced; nobody needs to be told.
    warnings.filterwarnings("ignore", r"A worker (stopped|was restarted) while some jobs", UserWarning)
    share = str(max(1, (os.cpu_count() or 1) // count))
    cores = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", share), "OMP_WAIT_POLICY": "PASSIVE"}
    # Where psutil is installed, as by Jupyter, loky would replace each worker that loads PyTorch, for having grown.
    grown = {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"}
    try:
        _start_trackers()
        pool = ProcessPoolExecutor(count, env=cores | grown, initializer=_end_with, initargs=(os.getpid(),))
    except OSError as error:
        raise NoProcessesError(f"no processes can be started here ({error.strerror})") from error
    try:
        with undone_if_stopped(_kill_children):
            try:
                with _blocked(SIGNALS):  # deaf to the signals that end a command, which ends them itself
                    pool.submit(os.getpid)  # starts them all
            except OSError as error:
                raise NoProcessesError(f"no processes can be started here ({error.strerror})") from error
            yield pool
            pool.shutdown()
    except TerminatedWorkerError as error:
        raise WorkFailedError(f"a process was ended from outside; is memory short? {advice}") from error
    finally:
        pool.shutdown(kill_workers=True)  # what was under way when something failed is not waited for


def _start_trackers() -> None:
    """Start the processes that clear up when all others are gone, for them to do so without a warning.

    They would be started with the first pool. By then signals may be blocked, which some versions of Python undo here.
    """
    from loky.backend import resource_tracker as of_loky

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker:UserWarning"]))
    try:
        with _blocked(set(SIGNALS) - {signal.SIGINT, signal.SIGTERM}):  # those two they ignore by themselves
            resource_tracker.ensure_running()
            of_loky.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextmanager
def _blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Signals wait until the end of the block; processes and threads that are started in it never hear them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill_children() -> None:
    """End the processes at once and wait until they are gone, without a lock that someone may hold."""
    children = [(child.pid, child.sentinel) for child in multiprocessing.active_children() if child.pid]
    for pid, _ in children:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    for pid, sentinel in children:
        with suppress(OSError, ValueError):
            if wait([sentinel], SECONDS_TO_END):
                os.waitpid(pid, 0)


def _end_with(parent: int) -> None:
    """Let this process end with the one that started it, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
