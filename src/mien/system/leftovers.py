"""What must not be left behind, whatever ends the command: files half written, new folders, processes, work folders.

An exception unwinds, so ``with`` and ``finally`` take back what was begun. A signal ends the process on the spot
(``ending.py``); what was begun is therefore also noted here, and taken back by ``undo_all``. A kill lets nobody take
back anything; what it leaves is locked by no living process, which tells it from what is in use.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from mien.errors import DiskError, MienError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "IN_USE",
    "SIGNALS",
    "Lock",
    "is_free",
    "locked_anew",
    "made_by",
    "remove_partials",
    "system_error",
    "take_back",
    "undo_all",
    "undone_if_stopped",
    "unwritten",
    "why_unwritten",
    "written_whole",
]

SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Those that ask a command to end; Windows lacks the last."""

IN_USE = "in-use.lock"
"""The file by which a process holds the folder that it works in (``in_use.py``)."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)
"""What a system says where a file has no room: of the disk, of a quota, of a limit on the size of files."""
OS_ERROR = re.compile(r"\(os error (\d+)\)")
PROBED = 2**20
"""Bytes that are tried to be written, to learn what the system has against it."""

_noted: list[Callable[[], object]] = []


@contextmanager
def undone_if_stopped(undo: Callable[[], object]) -> Iterator[None]:
    """Have something undone where a signal ends the process inside the block.

    Args:
        undo: runs between any two steps of the program, so it may wait for no lock of a thread.
    """
    note = lambda: undo()  # noqa: E731 - one of its own, for the same may be noted twice
    _noted.append(note)
    try:
        yield
    finally:
        with suppress(ValueError):  # undone by now
            _noted.remove(note)


def undo_all() -> None:
    """Undo what is noted, the latest first."""
    while _noted:
        with suppress(Exception):  # what cannot be undone must not keep the rest
            _noted.pop()()


@contextmanager
def written_whole(path: Path, *, by_several: bool = False) -> Iterator[Path]:
    """A file beside its place, which takes its name at the end of the block, and is gone where that is not reached.

    Args:
        by_several: whether other processes, of whatever machine, or threads of this one may write the same one at the
            same time.
    """
    writer = f".{_machine()}-{os.getpid()}-{threading.get_native_id()}" if by_several else ""
    partial = path.with_name(f"{path.name}{writer}.partial")

    def remove() -> None:
        with suppress(OSError):
            partial.unlink(missing_ok=True)

    with undone_if_stopped(remove):
        try:
            yield partial
            os.replace(partial, path)
        except Exception as error:
            kept = why_unwritten(error, partial)
            size = _size(partial)
            remove()
            if kept is None:
                raise
            raise unwritten(path, kept, max(size, _size(path))) from error
        except BaseException:
            remove()
            raise


def _machine() -> str:
    """The name of this machine, of which several may write into a folder that they share; empty on Windows."""
    return os.uname().nodename if hasattr(os, "uname") else ""


def why_unwritten(error: Exception, path: Path) -> OSError | None:
    """What the system has against writing a file; None where the error is of another kind.

    Libraries that write files do not all raise the system's error, so what it says is asked of it once more.
    """
    if isinstance(error, MienError):
        return None
    if found := system_error(error):
        return found
    try:
        with open(path, "ab") as file:  # noqa: PTH123 - to write, and at the end
            file.write(bytes(PROBED))
            file.flush()
    except OSError as found:
        return found
    return None


def system_error(error: Exception) -> OSError | None:
    """The system's error that an exception is or tells of, as those of libraries written in Rust do; else None."""
    if isinstance(error, OSError):
        return error
    if told := OS_ERROR.search(str(error)):
        number = int(told[1])
        return OSError(number, os.strerror(number))
    return next((OSError(each, os.strerror(each)) for each in FULL if os.strerror(each) in str(error)), None)


def unwritten(path: Path, error: OSError, size: int = 0) -> DiskError:
    """What is said of a file that could not be written.

    Args:
        size: bytes that it needs at least, as far as is known.
    """
    why = error.strerror or str(error)
    if error.errno not in FULL:
        gone = "its folder is gone, removed or renamed since the command began"
        return DiskError(f"{path}: cannot be written ({why if path.parent.is_dir() else gone})", error.errno)
    line = f"{path}: cannot be written ({why})"
    with suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        least = size if error.errno == errno.EFBIG else max(size, free)  # under a limit on files there may be room
        line += f": it needs more than {_room(least)}, and {_room(free)} are free"
    return DiskError(f"{line}; make room, then run the command again", error.errno)


def _room(size: int) -> str:
    return f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{size / 2**10:.1f} kB"


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def remove_partials(folder: Path) -> None:
    """Remove what a kill left half written below a folder that no other process works in."""
    for path in folder.rglob("*.partial"):
        path.unlink(missing_ok=True)


def is_free(folder: Path, leftovers: Sequence[str] = ()) -> bool:
    """Whether a folder can be made or used: it is not there, or holds nothing but its lock and files of these names."""
    if not folder.exists():
        return not folder.is_symlink()
    known = (*leftovers, IN_USE)
    return folder.is_dir() and all(path.name in known and path.is_file() for path in folder.iterdir())


def made_by(folder: Path) -> list[Path]:
    """The folders that making a folder would make, itself first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def take_back(folder: Path, made: Sequence[Path]) -> None:
    """Remove the folders that were made, or empty the one that was there before."""
    if made:
        shutil.rmtree(made[-1], ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name == IN_USE:  # its holder removes it
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def locked_anew(path: Path) -> AbstractContextManager[object]:
    """Make a file and lock it; where the system has no such locks, it is made all the same.

    Raises:
        OSError: if it cannot be made.
    """
    if fcntl is None:
        path.touch(exist_ok=False)
        return nullcontext()
    return Lock(path, make=True)


class Lock:
    """A lock on a file, which the system opens as soon as the process is gone, however it ended.

    It is tied to the open file, not to a number that another process may get later. Windows has no such locks; what a
    kill leaves there stays.
    """

    def __init__(self, path: Path, *, make: bool = False, read_only: bool = False) -> None:
        """Lock a regular file of this user's, and no other.

        Args:
            make: make it, which must not be there yet.
            read_only: open it without the right to write, which some network file systems do not lock.

        Raises:
            OSError: if it is locked already, or cannot be.
        """
        if fcntl is None:
            raise OSError(f"{path}: this system has no locks of this kind")
        flags = (os.O_RDONLY if read_only else os.O_RDWR) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        self._file = os.open(path, flags | (os.O_CREAT | os.O_EXCL if make else 0), 0o600)
        try:
            found = os.fstat(self._file)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError(f"{path}: is no file of this user's")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let it go; the file stays."""
        os.close(self._file)
