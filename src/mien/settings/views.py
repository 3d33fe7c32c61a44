"""What a network looks at, as callers name it: ``face``, or ``face-112``."""

from __future__ import annotations

from typing import Literal

from mien.errors import ConfigError

__all__ = ["ViewName", "named_view", "view_side"]

ViewName = Literal["face", "photo", "scene"]
VIEWS: tuple[ViewName, ...] = ("face", "photo", "scene")
LEAST_SIDE, MOST_SIDE = 8, 4096


def named_view(view: str, size: int | None) -> tuple[ViewName, int | None]:
    """Name and side of a view, as in ``face`` or ``face-112``; None where no size was given.

    Raises:
        ConfigError: if there is no such view, or no such size.
    """
    name, _, side = str(getattr(view, "key", view)).partition("-")  # as of ``Recognizer.contract.views`` too
    found = next((each for each in VIEWS if each == name), None)
    if found is None or (side and not (side.isascii() and side.isdecimal())):
        raise ConfigError(f"view={view!r}: choose from {', '.join(VIEWS)}, also with a size, as in face-112")
    if size is not None and (isinstance(size, bool) or not hasattr(size, "__index__")):
        raise ConfigError(f"size={size!r}: give a whole number of pixels")
    if side and size is not None and int(side) != size:
        raise ConfigError(f"view={view!r}, size={size}: two sizes; give one")
    given = int(side) if side else size
    return found, None if given is None else view_side(int(given))


def view_side(size: int) -> int:
    """A size that a view can have, px.

    Raises:
        ConfigError: if it is none.
    """
    if not LEAST_SIDE <= size <= MOST_SIDE:
        raise ConfigError(f"size={size}: pictures have {LEAST_SIDE} to {MOST_SIDE} pixels a side")
    return size
