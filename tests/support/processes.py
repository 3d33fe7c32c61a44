"""The command, or a script, in a process of its own; and how it ends when it gets a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mien.training.history import read_history
from support.outcomes import Outcome

SECONDS = 30
MOST_SECONDS = 240
PAUSE = """
import os, sys, time
def pause(*words, **named):
    os.write(1, b"here\\n")
    while True:
        time.sleep(0.01)
"""
"""What a script has, to be sure of where a signal finds it."""
TRAIN = """
import types
sys.modules["mien.jobs.study"] = types.SimpleNamespace(run_training=work)
from mien.cli import main
main()
"""
"""The command with other work, which imports nothing that takes time."""


def listen_to_signals() -> None:
    """Of a new process, which inherits deafness to them from tests run in the background, or under nohup."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def command(*argv: object) -> list[str]:
    """The command as a user would start it, whatever the PATH."""
    script = Path(sys.executable).with_name("mien")
    start = [str(script)] if script.exists() else [sys.executable, "-c", "from mien.cli import main; main()"]
    return [*start, *map(str, argv)]


def start(cwd: Path, *argv: object) -> subprocess.Popen[str]:
    """Start the command in a process group of its own that listens to Ctrl-C."""
    return subprocess.Popen(
        command(*argv),
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "200"},
        start_new_session=True,
        preexec_fn=listen_to_signals,
    )


def run(cwd: Path, *argv: object, seconds: float = 300) -> Outcome:
    """Run the command in a process of its own, for at most so many seconds."""
    process = start(cwd, *argv)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Outcome(process.returncode, out, err)


def begin(code: str, *argv: object, ignored: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    """A script in a process group of its own, started without some signals."""

    def listen() -> None:
        listen_to_signals()
        for each in ignored:
            signal.signal(each, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-c", PAUSE + code, *map(str, argv)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=listen,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def signalled(process: subprocess.Popen[str], *signs: int, group: bool = False) -> Outcome:
    """How it ends when it gets signals as soon as it says that it is where it should be."""
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("here"), said + process.communicate()[1]
    for sign in signs:
        (os.killpg if group else os.kill)(process.pid, sign)
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Outcome(process.returncode, out, err)


def wait_for_epochs(process: subprocess.Popen[str], history: Path, epochs: int) -> None:
    """Until so many epochs are written; the training must still be going on then."""
    deadline = time.monotonic() + MOST_SECONDS
    while len(read_history(history)) < epochs:
        assert process.poll() is None, f"ended before: {process.communicate()}"
        assert time.monotonic() < deadline, "no epoch was written"
        time.sleep(0.005)


def stop(process: subprocess.Popen[str], sign: signal.Signals) -> Outcome:
    os.killpg(process.pid, sign)
    out, err = process.communicate(timeout=MOST_SECONDS)
    return Outcome(process.returncode, out, err)


def are_gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
