"""``mien app`` in a process of its own, in which every file opened for writing and every connection is noted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.processes import listen_to_signals

WATCH = """
import os, sys
notes = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(event, args):
    if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        return
    if event in {"open", "os.mkdir", "os.rename", "os.symlink", "os.link", "tempfile.mkstemp", "tempfile.mkdtemp",
                 "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "subprocess.Popen"}:
        what = args[1] if event == "socket.connect" else args[0]
        if what != os.devnull:
            os.write(notes, f"{event}\\t{what!r}\\n".encode())
sys.addaudithook(note)
"""
"""Runs before anything of mien: Python itself reports what is opened, also files that are gone again at once."""
HERE = {"0" * 8, "0100007F", "0" * 32, "0" * 24 + "01000000", "0" * 16 + "FFFF00000100007F"}
"""No address, 127.0.0.1, and the same in IPv6, as Linux writes them on machines with the low byte first."""
COMMAND = "from mien.cli import main\nmain()"
LESS_PATIENCE = """
from mien.app import serve
from mien.app.limits import Limits
serve.Limits = lambda: Limits(seconds=1.5)
"""
"""Bodies must arrive within seconds, so that a test need not wait longer."""


@dataclass(frozen=True)
class Watched:
    """A running server.

    Attributes:
        home: its working, home and temporary folder, empty at the start.
        url: with a slash at its end.
    """

    process: subprocess.Popen[bytes]
    home: Path
    notes: Path
    url: str
    port: int

    def seen(self, *events: str) -> list[str]:
        """Lines ``event, what`` of what was opened since the start."""
        lines = self.notes.read_text("utf-8").splitlines()
        return [line for line in lines if line.partition("\t")[0] in events or not events]

    def peers(self) -> list[str]:
        """Far ends of the process's connections that are not this machine, as the kernel has them now (Linux)."""
        process = Path(f"/proc/{self.process.pid}")
        inodes, found = set(), []
        for link in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed by now
                inodes.add(str(link.readlink()))
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for line in (process / "net" / table).read_text("ascii").splitlines()[1:]:
                cells = line.split()
                address = cells[2].partition(":")[0]
                if f"socket:[{cells[9]}]" in inodes and address not in HERE:
                    found.append(address)
        return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def watched(folder: Path, *argv: str, before: str = "") -> Iterator[Watched]:
    """Run ``mien app`` until the block ends, then stop it as by Ctrl+C; it must end well.

    Args:
        folder: for its notes, and its home in it.
        before: code that runs first.
    """
    home, port = folder / "home", free_port()
    home.mkdir()
    code = WATCH + before + COMMAND
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MIEN_"))}
    environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    for name in ("HOME", "TMPDIR"):
        environment[name] = str(home)
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", code, str(folder / "notes"), "app", "--port", str(port), *argv],
        cwd=home,
        env=environment,
        stderr=(folder / "stderr").open("wb"),
        preexec_fn=listen_to_signals,
    )
    server = Watched(process, home, folder / "notes", f"http://127.0.0.1:{port}/", port)
    try:
        _wait(server)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        ended = process.wait(40)
    assert ended in (0, 130, -signal.SIGINT), ended


def _wait(server: Watched) -> None:
    for _ in range(480):
        assert server.process.poll() is None, (server.notes.parent / "stderr").read_text("utf-8")
        try:
            urllib.request.urlopen(server.url + "readyz", timeout=1)
            return
        except OSError:
            time.sleep(0.25)
    raise AssertionError("the server did not start")
