"""Which run is best on validation, and whether the photos suffice to tell it from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mien.evaluation.predictions import probabilities
from mien.metrics import Difference, paired_difference

__all__ = ["comparisons_json", "select"]


def select(val_macro_f1: Mapping[str, float]) -> str:
    """The run with the highest validation macro-F1; of equals, the first."""
    return max(val_macro_f1, key=lambda name: val_macro_f1[name])


def comparisons_json(
    val: Mapping[str, pl.DataFrame], labels: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Compare pairs of runs on the same validation photos.

    Args:
        val: run → its predictions of the validation split, in the same order.
        pairs: first and second run; a positive difference speaks for the first.
    """
    return [_as_json(first, second, _difference(val[first], val[second], labels)) for first, second in pairs]


def _difference(first: pl.DataFrame, second: pl.DataFrame, labels: Sequence[str]) -> Difference:
    place = {label: i for i, label in enumerate(labels)}
    return paired_difference(
        np.array([place[name] for name in first["label"]]),
        probabilities(first, labels).argmax(1),
        probabilities(second, labels).argmax(1),
        len(labels),
        groups=first["split_group"].to_numpy(),
    )


def _as_json(first: str, second: str, difference: Difference) -> dict[str, Any]:
    return {
        "first": first,
        "second": second,
        "split": "val",
        "macro_f1_difference": difference.value,
        "interval": [difference.interval.low, difference.interval.high],
        "verdict": difference.verdict,
    }
