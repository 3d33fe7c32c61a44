"""Mean and standard deviation of light, sharpness and face size over the photos that a model learnt from.

By these a service tells how far the photos that it is sent lie from them. Nothing here shows a photo. Whoever reads a
model file reads this, without Polars and msgspec.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PROPERTIES", "Spread", "scaled", "spreads_from_plain", "spreads_of"]

PROPERTIES = ("brightness", "sharpness", "face_side")
"""Columns of the manifest."""
RATIOS = ("sharpness", "face_side")
"""Of which twice as much is the same step everywhere; their logarithm to base 2 is taken."""


@dataclass(frozen=True)
class Spread:
    """How a property is spread over photos.

    Attributes:
        mean: of the property, or of its logarithm to base 2 where it is one of ``RATIOS``.
        deviation: standard deviation of the same.
        photos: that have the property.
    """

    mean: float
    deviation: float
    photos: int

    def standardised(self, mean: float) -> float:
        """The difference of another mean to this one in standard deviations; NaN where all photos were alike."""
        return (mean - self.mean) / self.deviation if self.deviation > 0 else math.nan


FIELDS = ("mean", "deviation", "photos")


def scaled(name: str, value: float | None) -> float | None:
    """A property on the scale of its mean; None where the photo has none."""
    if value is None or not math.isfinite(value):
        return None
    if name not in RATIOS:
        return value
    return math.log2(value) if value > 0 else None


def spreads_of(columns: Mapping[str, NDArray[Any]]) -> dict[str, Spread]:
    """The spreads of photos, without properties that none has.

    Args:
        columns: each of ``PROPERTIES`` → its values, NaN where a photo has none.
    """
    found = dict[str, Spread]()
    for name in PROPERTIES:
        values = [each for value in columns[name] if (each := scaled(name, float(value))) is not None]
        if values:
            found[name] = Spread(round(float(np.mean(values)), 6), round(float(np.std(values)), 6), len(values))
    return found


def spreads_from_plain(plain: Any) -> dict[str, Spread] | None:
    """Spreads as JSON has them; properties that are not known here are left out.

    Raises:
        ValueError: if it holds none.
    """
    if plain is None:
        return None
    try:
        known = {name: values for name, values in plain.items() if name in PROPERTIES}
        found = {name: Spread(*(values[key] for key in FIELDS)) for name, values in known.items()}
        make_sense = all(math.isfinite(each.mean) and 0 <= each.deviation < math.inf for each in found.values())
    except (AttributeError, KeyError, TypeError):
        make_sense = False
    if not make_sense:
        raise ValueError("the spreads of its photos make no sense")
    return found
