"""What a study keeps, with size and hash beside it, so that its owner knows a damaged file from its own.

Beside the files of a folder lies ``SHA256SUMS``, as the command ``sha256sum`` writes and checks it, with the size of
each file in a comment. A new sum is written before its file takes its name and the old one is removed afterwards, so a
kill in between leaves a file that fits one of the two.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mien.errors import OutputError
from mien.system.files import SUMS, open_regular, read_text, write_text, written_whole

__all__ = ["check_kept", "damage", "forget", "keep", "kept_whole"]

LINE = re.compile(r"# (\d+) bytes\n([0-9a-f]{64})  (.+)\n")
RESTORE = "restore it from a copy, or begin again with another --out"


class _Sum(NamedTuple):
    """Size and hash of a file."""

    size: int
    sha256: str


@contextmanager
def kept_whole(path: Path, *, by_several: bool = False) -> Iterator[Path]:
    """As ``written_whole``, and with its sum beside it.

    Args:
        by_several: as for ``written_whole``, also where they write another file there.
    """
    with written_whole(path, by_several=by_several) as partial:
        yield partial
        found, sums = _sum(partial), _sums(path.parent)
        _write_sums(sums | {path.name: [*sums.get(path.name, []), found]}, path.parent)
    _write_sums(_sums(path.parent) | {path.name: [found]}, path.parent)


def keep(path: Path) -> None:
    """Write the sum of a file that stands already."""
    _write_sums(_sums(path.parent) | {path.name: [_sum(path)]}, path.parent)


def forget(path: Path) -> None:
    """Remove the sum of a file that is to be written anew by what knows of no sums."""
    sums = _sums(path.parent)
    if sums.pop(path.name, None):
        _write_sums(sums, path.parent)


def damage(path: Path) -> str | None:
    """What is wrong with a file that was kept; None where it is as it was written, or where no sum of it is known."""
    known = _sums(path.parent).get(path.name)
    if not known:
        return None
    try:
        size = path.stat().st_size
        if size not in {each.size for each in known}:
            return f"{size:,} bytes long instead of {known[-1].size:,}"
        return None if _sum(path) in known else "other bytes than were written"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or str(error)


def check_kept(path: Path, mend: str = RESTORE) -> Path:
    """The path itself, once the file is known to be as it was written.

    Args:
        mend: what to do where it is not.

    Raises:
        OutputError: if it is damaged or gone.
    """
    if why := damage(path):
        raise OutputError(f"{path}: damaged since it was written ({why}); {mend}")
    return path


def _sum(path: Path) -> _Sum:
    with open_regular(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return _Sum(file.tell(), sha256)


def _sums(folder: Path) -> dict[str, list[_Sum]]:
    """The sums that are known of the files of a folder; none where the list cannot be read."""
    try:
        text = read_text(folder / SUMS)
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, list[_Sum]] = {}
    for size, sha256, name in LINE.findall(text):
        found.setdefault(name, []).append(_Sum(int(size), sha256))
    return found


def _write_sums(sums: dict[str, list[_Sum]], folder: Path) -> None:
    lines = (f"# {size} bytes\n{sha256}  {name}\n" for name, known in sorted(sums.items()) for size, sha256 in known)
    write_text("".join(lines), folder / SUMS)
