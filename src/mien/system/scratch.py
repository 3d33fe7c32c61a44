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
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from mien.system.leftovers import IN_USE, Lock, locked_anew, undone_if_stopped

__all__ = ["MEMORY", "remove_dead", "work_folder"]

NAME = re.compile(r"mien-\d+-[0-9a-f]{16}")
LOCK = IN_USE
MEMORY = Path("/dev/shm")
"""Where files lie in memory, on systems that have such a place."""
VARIABLES, USUAL = ("TMPDIR", "TEMP", "TMP"), ("/tmp", "/var/tmp")
"""What says where temporary folders lie, and where they lie if nothing does."""


@contextmanager
def work_folder(parent: Path | None = None, *, memory: Path | None = None) -> Iterator[Path]:
    """A new folder for this user alone, removed at the end of the block.

    Args:
        parent: where; None for the system's temporary folder.
        memory: where it is to be if it can, as for what is not to reach a disk.

    Raises:
        OSError: if it cannot be made.
    """
    with ExitStack() as stack:
        yield _first_made(stack, parent, memory)


def remove_dead(*places: Path) -> None:
    """Remove the work folders whose process is gone: of this user, named and locked as such, and never through a link.

    Args:
        places: where to look; without any, wherever a command makes them.
    """
    for place in places or _places():
        with suppress(OSError):
            for entry in os.scandir(place):
                if NAME.fullmatch(entry.name) and _is_own_folder(entry):
                    # It cannot be had while its process lives.
                    with suppress(OSError), Lock(Path(entry.path) / LOCK, read_only=True):
                        shutil.rmtree(entry.path, ignore_errors=True)


def _places() -> list[Path]:
    """Where work folders may lie; Python finds its temporary folder by writing to it, which a service must not."""
    named = [Path(os.environ[name]) for name in VARIABLES if os.environ.get(name)]
    return list(dict.fromkeys([MEMORY, *named, *map(Path, USUAL)]))


def _first_made(stack: ExitStack, parent: Path | None, memory: Path | None) -> Path:
    """A folder in memory if that is wanted and can be, else where it was asked for; the stack takes it back."""
    if memory is not None:
        with suppress(OSError):
            return stack.enter_context(_made_in(memory))
    return stack.enter_context(_made_in(parent or Path(tempfile.gettempdir())))


@contextmanager
def _made_in(parent: Path) -> Iterator[Path]:
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


def _locked(folder: Path) -> AbstractContextManager[object]:
    """Hold the folder's lock, which is locked before it has the name by which others know it."""
    lock = locked_anew(folder / f"{LOCK}.new")
    (folder / f"{LOCK}.new").rename(folder / LOCK)
    return lock


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
