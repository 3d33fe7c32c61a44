"""Tests that are looked at together, so that one of them is not believed because there were many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["LEVEL", "holm"]

LEVEL = 0.05
"""Chance, at most, that any verdict of a family is better or worse where nothing differs."""


def holm(p: Sequence[float]) -> list[float]:
    """P values that may be held against one level whatever their number (Holm 1979), in the given order."""
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate([min(1.0, (len(p) - i) * p[k]) for i, k in enumerate(order)])
    back = np.empty(len(p))
    back[order] = adjusted
    return [float(value) for value in back]
