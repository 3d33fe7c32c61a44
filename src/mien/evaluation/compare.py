"""Which run is best on validation, and whether the photos suffice to tell it from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mien.evaluation.predictions import over, probabilities
from mien.labels import class_indices
from mien.metrics import Difference, paired_difference
from mien.results.scores import Over, RunComparison

__all__ = ["compare_runs", "select"]


def select(val_macro_f1: Mapping[str, float]) -> str:
    """The run with the highest validation macro-F1; of equals, the first."""
    return max(val_macro_f1, key=lambda name: val_macro_f1[name])


def compare_runs(
    val: Mapping[str, pl.DataFrame], labels: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> tuple[RunComparison, ...]:
    """Compare pairs of runs on the same validation photos.

    Args:
        val: run → its predictions of the validation split, in the same order.
        pairs: first and second run; a positive difference speaks for the first.
    """
    return tuple(
        _compared(first, second, _difference(val[first], val[second], labels), over(val[first]))
        for first, second in pairs
    )


def _difference(first: pl.DataFrame, second: pl.DataFrame, labels: Sequence[str]) -> Difference:
    return paired_difference(
        class_indices(first["label"], labels),
        probabilities(first, labels).argmax(1),
        probabilities(second, labels).argmax(1),
        len(labels),
        groups=first["split_group"].to_numpy(),
    )


def _compared(first: str, second: str, difference: Difference, groups: Over) -> RunComparison:
    return RunComparison(
        first=first,
        second=second,
        split="val",
        macro_f1_difference=difference.value,
        interval=difference.interval,
        verdict=difference.verdict,
        over=groups,
    )
