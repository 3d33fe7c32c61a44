"""Intervals, and other results that may be missing, where they must be there."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["present"]

T = TypeVar("T")


def present(result: T | None) -> T:
    """The interval or other result, where there is one."""
    assert result is not None
    return result
