"""Where a command writes that was not told where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.system.addresses import is_address, last_part
from mien.system.paths import user_path

__all__ = ["folder_for"]


def folder_for(data: Sequence[str], start: str) -> Path:
    """The folder for photos: ``start`` and the name of the first source, in the current folder.

    Raises:
        ConfigError: if the source can have no such folder.
    """
    path, _, part = data[0].partition("::")
    if is_address(path):
        name = last_part(path)
        stem = name.partition(".")[0] or name
        return Path("-".join([start, stem, *part.replace("/", "-").split()]))
    where = user_path(path, "photos")
    name = where.resolve().name if where.is_dir() else where.stem
    return Path("-".join([start, name, *part.replace("/", "-").split()]))
