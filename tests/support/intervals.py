"""Intervals that must be there."""

from __future__ import annotations

from mien.metrics import Interval

__all__ = ["present"]


def present(interval: Interval | None) -> Interval:
    """The interval, where there is one."""
    assert interval is not None
    return interval
