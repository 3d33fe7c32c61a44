"""One process in a folder at a time: the second is told, and a process that is gone holds nothing.

The lock is the system's, on a file in the folder, so it ends with its process however that ended. Network folders pass
such locks on (NFS from version 4 on, and SMB where the server allows it); where they do not, that is said.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import OutputError
from mien.system.files import not_written, open_regular
from mien.system.leftovers import IN_USE, is_free, made_by, undone_if_stopped

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["in_use"]

LOCKED = (errno.EACCES, errno.EAGAIN)
LONGEST = 200
"""Bytes that are read of who holds a lock."""


@contextmanager
def in_use(folder: Path, tell: Callable[[str], None], *, resume: bool) -> Iterator[None]:
    """Hold a folder for the block; it is made, and taken away again where it stays empty.

    A folder that is neither new nor resumed is left alone: whoever opens it refuses it.

    Args:
        tell: is told where the folder's file system has no locks.

    Raises:
        OutputError: if another process holds it, or if it cannot be written.
    """
    if not is_free(folder) and not (resume and folder.is_dir()):
        yield
        return
    made = made_by(folder)
    path = folder / IN_USE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(path, tell)
    except OSError as error:
        _remove_empty(made)
        raise not_written(folder, error) from error

    def leave() -> None:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        _remove_empty(made)

    try:
        with undone_if_stopped(leave):
            yield
    finally:
        leave()
        os.close(lock)


def _locked(path: Path, tell: Callable[[str], None]) -> int:
    """The open file, locked; whoever held it before may have removed it meanwhile."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _lock(file, path, tell)
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                os.truncate(file, 0)
                os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int, path: Path, tell: Callable[[str], None]) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in LOCKED:
            tell(f"{path.parent}: this file system has no locks; see that nothing else writes there")
            return
        raise OutputError(
            f"{path.parent}: in use by {_holder(path)}; wait until it has ended, or give another --out"
        ) from error


def _holder(path: Path) -> str:
    with suppress(OSError), open_regular(path, follow_links=False) as file:
        said = file.read(LONGEST).decode("utf-8", "replace").strip()
        if said.isprintable() and said:
            return said
    return "another process"


def _remove_empty(made: list[Path]) -> None:
    for folder in made:
        with suppress(OSError):
            folder.rmdir()
