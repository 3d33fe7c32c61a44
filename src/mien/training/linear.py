"""A linear layer behind frozen features, and what these are divided by before it is fitted."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Head", "floored"]

CONSTANT = 1e-6
"""A feature that deviates no more is constant, but for rounding."""
LEAST_SPREAD = 0.1
"""Least standard deviation that a feature is divided by, as a share of the median of those that move. One that is
silent on nearly all training photos would otherwise shout on the first new photo that wakes it: a third of the last
layer of the expression backbone speaks on fewer than one in twenty."""

FloatArray = NDArray[np.float32]
Head: TypeAlias = tuple[FloatArray, FloatArray]
"""Weight (K, D) and bias (K,) of a linear layer."""


def floored(spread: FloatArray) -> FloatArray:
    """What features are divided by: their standard deviations (D,), none less than a share of those that move."""
    moving = spread[spread > CONSTANT]
    least = LEAST_SPREAD * float(np.median(moving)) if len(moving) else 1.0
    return np.maximum(spread, np.float32(least))
