"""A folder for what the page is sent, which goes with the process that made it, however that ends."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: what a killed process left there stays
    fcntl = None  # type: ignore[assignment]

__all__ = ["HeldFolder", "open_folder"]

NAME = re.compile(r"mien-\d+_[0-9a-f]{16}")
"""Of the folders: the process's number, for people, and chance."""
MEMORY = Path("/dev/shm")
"""Where files lie in memory, on systems that have such a place."""


class HeldFolder:
    """A folder that no other process removes as long as this one lives."""

    def __init__(self, path: Path, lock: int | None) -> None:
        """Take over a folder.

        Args:
            lock: the open and locked folder; None where folders cannot be locked.
        """
        self.path, self._lock = path, lock

    def close(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_folder(memory: Path = MEMORY) -> HeldFolder:
    """A new folder, once those that killed processes left beside it are gone.

    Args:
        memory: where it is to be; if that cannot be, it is in the temporary folder, on disk.

    Raises:
        OSError: if neither takes it.
    """
    with suppress(OSError):
        if memory.is_dir():
            return _in(memory)
    return _in(Path(tempfile.gettempdir()))  # asked only now, for Python tries to write where this may be


def _in(place: Path) -> HeldFolder:
    _remove_left(place)
    return _make(place)


def _make(place: Path) -> HeldFolder:
    while True:
        path = place / f"mien-{os.getpid()}_{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        try:
            lock = _locked(path)
        except BlockingIOError:  # another start took the new folder for one that was left, and removes it: a new one
            continue
        except OSError as error:
            if error.errno == errno.ENOENT:  # it has removed it already
                continue
            path.rmdir()
            raise
        return HeldFolder(path, lock)


def _locked(path: Path) -> int | None:
    """The open folder, locked for as long as it is open: the system gives the lock back when a process dies.

    Raises:
        OSError: if another process has locked it, or it is gone or no folder.
    """
    if fcntl is None:
        return None
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.lstat().st_ino != os.fstat(opened).st_ino:
            raise FileNotFoundError(errno.ENOENT, "replaced in between", str(path))
    except OSError:
        os.close(opened)
        raise
    return opened


def _remove_left(place: Path) -> None:
    """Remove this user's folders whose process is dead, which their lock tells; what cannot be removed stays."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in list(os.scandir(place)):
            if not NAME.fullmatch(entry.name):
                continue
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                    HeldFolder(Path(entry.path), _locked(Path(entry.path))).close()
