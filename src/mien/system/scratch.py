"""Folders to work in that nobody keeps: private, gone with the command, and gone at the next start after a kill.

Decoded photos are not even put there: ``data/pixels.py`` keeps them in files without a name.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

from mien.system.leftovers import Lock, locked_anew, undone_if_stopped

__all__ = ["remove_dead", "work_folder"]

NAME = re.compile(r"mien-\d+-[0-9a-f]{16}")
LOCK = "in-use.lock"


@contextmanager
def work_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder for this user alone, removed at the end of the block.

    Args:
        parent: where; None for the system's temporary folder.

    Raises:
        OSError: if it cannot be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_dead(parent)
    folder = parent / f"mien-{os.getpid()}-{os.urandom(8).hex()}"
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    with undone_if_stopped(remove):
        try:
            folder.mkdir(mode=0o700)
            with _locked(folder):
                yield folder
        finally:
            remove()


def remove_dead(parent: Path | None = None) -> None:
    """Remove the work folders whose process is gone: of this user, named and locked as such, and never through a link.

    Args:
        parent: where to look; None for the system's temporary folder.
    """
    with suppress(OSError):
        parent = parent or Path(tempfile.gettempdir())
        for entry in os.scandir(parent):
            if NAME.fullmatch(entry.name) and _is_own_folder(entry):
                with suppress(OSError), Lock(Path(entry.path) / LOCK):  # cannot be had while its process lives
                    shutil.rmtree(entry.path, ignore_errors=True)


def _locked(folder: Path) -> AbstractContextManager[object]:
    """Hold the folder's lock, which is locked before it has the name by which others know it."""
    lock = locked_anew(folder / f"{LOCK}.new")
    (folder / f"{LOCK}.new").rename(folder / LOCK)
    return lock


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
