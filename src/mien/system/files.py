"""Files: only regular ones of a bounded size are read, nothing is waited for, and none is left half-written.

A path may lead to a pipe that nobody writes to, to a device without an end, to a socket, or by a link to any of them.
So the kind is asked before opening (some devices act when they are opened), the opening itself does not wait, and the
kind is asked again of what was opened, since a path can lead elsewhere by then.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path

from mien.errors import OutputError
from mien.system.leftovers import written_whole

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_SETTINGS_BYTES",
    "SUMS",
    "IrregularFileError",
    "file_sha256",
    "irregular",
    "not_written",
    "open_regular",
    "read_checked",
    "read_file",
    "read_text",
    "regular",
    "why",
    "write_text",
    "written_whole",
]

MAX_FILE_BYTES = 256 * 2**20
"""Of a photo, and of whatever else is read whole where nothing else is said."""
MAX_SETTINGS_BYTES = 4 * 2**20
"""Of a file of settings or decisions, which people write or at least read."""
SUMS = "SHA256SUMS"
"""Name of the file of checksums beside what comes with mien."""
FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):  # no system has all of them
    FLAGS |= getattr(os, _name, 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class IrregularFileError(OSError):
    """A path leads to something that is no regular file; the message says to what."""


def open_regular(path: str | Path, *, follow_links: bool = True) -> io.BufferedReader:
    """Open a regular file for reading.

    Args:
        follow_links: whether the path itself may be a link; the folders it lies in may.

    Raises:
        IrregularFileError: if it is none.
        OSError: if it cannot be opened.
    """
    _check_kind(Path(path).stat(follow_symlinks=follow_links))
    descriptor = os.open(path, FLAGS if follow_links else FLAGS | NO_LINKS)
    try:
        _check_kind(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def regular(path: Path, most: int | None = None) -> Path:
    """The path itself, for a library that opens files by their names, once it leads to a regular file.

    Args:
        most: bytes that the file may have; None for a library that reads a piece at a time.

    Raises:
        OSError: as ``open_regular`` does, or if the file is larger.
    """
    with open_regular(path) as file:
        _check_size(file, most)
    return path


def irregular(path: Path) -> str | None:
    """What a path leads to where that is no regular file, as in ``a pipe, not a file``; else None."""
    try:
        _check_kind(path.stat())
    except IrregularFileError as error:
        return str(error)
    except (OSError, ValueError):
        return None
    return None


def read_file(path: str | Path, most: int = MAX_FILE_BYTES, *, follow_links: bool = True) -> bytes:
    """The bytes of a regular file.

    Args:
        most: bytes that it may have; a larger one is not read at all.
        follow_links: as in ``open_regular``.

    Raises:
        OSError: if there is none, if it is larger, or if more comes out of it than its size says.
    """
    with open_regular(path, follow_links=follow_links) as file:
        size = _check_size(file, most)
        content: bytes | None = file.read(size + 1)
    if content is None or len(content) > size:  # files that a system makes up as they are read, as those below /proc
        raise OSError("gives more than its size says")
    return content


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a regular file in hexadecimal digits; the file is not held in memory.

    Raises:
        OSError: if there is none.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: str | Path, most: int = MAX_SETTINGS_BYTES, encoding: str = "utf-8") -> str:
    """The text of a regular file, its lines ending as Python has them.

    Raises:
        OSError: as ``read_file`` does.
        UnicodeDecodeError: if it is no such text.
    """
    return read_file(path, most).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def read_checked(path: Path) -> bytes:
    """The bytes of a file that comes with mien, whose checksum stands in ``SHA256SUMS`` beside it.

    Raises:
        OSError: if it cannot be read, or is not as it was when mien was made.
    """
    content = read_file(path)
    line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"  # as the command sha256sum writes and checks it
    if line.encode() not in read_file(path.with_name(SUMS)):
        raise OSError("damaged: its checksum differs")
    return content


def why(error: OSError) -> str:
    """What went wrong, in the system's words or in those of this module."""
    return error.strerror or str(error)


def not_written(place: Path, error: OSError, mend: str = "give another --out") -> OutputError:
    """What is said of a place that could not be written; the error itself where it says that already.

    Args:
        mend: what to do about it.
    """
    if isinstance(error, OutputError):
        return error
    return OutputError(f"{place}: cannot be written ({why(error)}); {mend}")


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8 with its line endings as they are, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def _check_kind(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in KINDS if is_kind(status.st_mode)), "something else")
        raise IrregularFileError(f"{kind}, not a file")


def _check_size(file: io.BufferedReader, most: int | None) -> int:
    size = os.fstat(file.fileno()).st_size
    if most is not None and size > most:
        raise OSError(f"larger than {most >> 20} MB")
    return size
