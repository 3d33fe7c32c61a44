"""A folder that one command fills and that is there with everything in it, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mien.errors import OutputError
from mien.system.files import not_written
from mien.system.leftovers import Lock, is_free, locked_anew, made_by, take_back, undone_if_stopped

__all__ = ["UNFINISHED", "new_folder"]

UNFINISHED = ".unfinished"
"""Lies in the folder, locked, until everything is written."""


@contextmanager
def new_folder(folder: Path, written: Sequence[str]) -> Iterator[None]:
    """Make the folder, and take it away again where nothing came of it.

    An empty one is used, and so is what a run left that was killed.

    Args:
        written: names of the files that the command may write before the last, half written ones included.

    Raises:
        OutputError: if it exists and is not empty, or cannot be written.
    """
    unfinished, made = folder / UNFINISHED, made_by(folder)
    if not is_free(folder) and not _was_killed(folder, written):
        raise OutputError(f"{folder}: exists already; give another --out")
    undo = partial(take_back, folder, made)
    with undone_if_stopped(undo):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            take_back(folder, ())
            lock = locked_anew(unfinished)
        except OSError as error:
            raise not_written(folder, error) from error
        try:
            with lock:
                yield
            unfinished.unlink()
        except BaseException:
            undo()
            raise


def _was_killed(folder: Path, written: Sequence[str]) -> bool:
    """Whether a folder holds what a run left that came to no end: no process works in it, and nothing else is there."""
    if not (folder / UNFINISHED).is_file() or not is_free(folder, (UNFINISHED, *written)):
        return False
    try:
        Lock(folder / UNFINISHED).release()
    except OSError:
        return False
    return True
