"""How photos from elsewhere differ from a model's own: in their properties, their labels, and in what is confused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from math import hypot
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.metrics import Interval, wilson
from mien.results.scores import Scores
from mien.results.target import ConfusionChange, Counted, Drift, LabelShare, PropertyDrift, Spread

__all__ = ["confusion_changes", "measure_drift"]

BINS = 24
OUTSIDE = 0.005
"""Share of all values at each end that the outer bins take in, so that a few huge photos do not stretch the rest."""
MOST_CHANGES = 3

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class _Property:
    """What is compared; ``is_ratio`` where twice as much is the same step everywhere, as with sizes."""

    name: str
    value: pl.Expr
    is_ratio: bool = False


_FACE = pl.col("face_kind") != "none"
PROPERTIES = (
    _Property("longer_side", pl.max_horizontal("width", "height"), is_ratio=True),
    _Property("face_side", pl.when(_FACE).then("face_side"), is_ratio=True),
    _Property("face_share", pl.when(_FACE).then(pl.col("face_side") / pl.min_horizontal("width", "height"))),
    _Property("brightness", pl.col("brightness")),
    _Property("contrast", pl.col("contrast")),
    _Property("sharpness", pl.col("sharpness"), is_ratio=True),
    _Property("saturation", pl.col("saturation")),
    _Property("jpeg_quality", pl.col("jpeg_quality")),
)


def measure_drift(own: pl.DataFrame, target: pl.DataFrame, names: Mapping[str, str]) -> Drift:
    """Compare the properties and the labels of two sets.

    Args:
        own: usable rows of the photos that the model was made with.
        target: usable rows of the target.
        names: class of the target → class of the model; the labels of others are not compared.
    """
    found = [_compared(each, own, target) for each in PROPERTIES]
    shared = list(dict.fromkeys(names.values()))
    theirs = target["label"].replace_strict(dict(names), default=None, return_dtype=pl.String)
    ours, there = _shares(own["label"], shared), _shares(theirs, shared)
    return Drift(
        properties=tuple(sorted((each for each in found if each), key=lambda each: each.overlap)),
        labels={label: LabelShare(own=ours[label], target=there[label]) for label in shared},
    )


def _compared(kind: _Property, own: pl.DataFrame, target: pl.DataFrame) -> PropertyDrift | None:
    """None where a set has no photo with the property, or all have the same."""
    sides = {"own": _values(own, kind), "target": _values(target, kind)}
    if not all(map(len, sides.values())):
        return None
    # Each set counts the same, however large.
    ends = [np.quantile(values, (OUTSIDE, 1 - OUTSIDE)) for values in sides.values()]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if low == high:
        return None
    edges = np.geomspace(low, high, BINS + 1) if kind.is_ratio else np.linspace(low, high, BINS + 1)
    return PropertyDrift(
        property=kind.name,
        overlap=1 - _distance(*sides.values()),
        edges=tuple(edges.tolist()),
        own=_spread(sides["own"], edges),
        target=_spread(sides["target"], edges),
    )


def _spread(values: FloatArray, edges: FloatArray) -> Spread:
    return Spread(photos=len(values), median=float(np.median(values)), shares=tuple(_in_bins(values, edges).tolist()))


def _values(rows: pl.DataFrame, kind: _Property) -> FloatArray:
    values = rows.select(kind.value.cast(pl.Float64)).to_series().drop_nulls().to_numpy()
    return values[values > 0] if kind.is_ratio else values


def _distance(first: FloatArray, second: FloatArray) -> float:
    """The largest difference between the shares of both that lie below a value (Kolmogorov and Smirnov)."""
    values = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(each), values, side="right") / len(each) for each in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def _in_bins(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return np.asarray(counts / len(values))


def _shares(labels: pl.Series, shared: list[str]) -> dict[str, float]:
    counts = {label: int((labels == label).sum()) for label in shared}
    return {label: n / max(1, sum(counts.values())) for label, n in counts.items()}


def confusion_changes(test: Scores, target: Scores) -> tuple[ConfusionChange, ...]:
    """What is taken for what far more, or far less, often than on the test photos; the greatest changes first.

    Args:
        test: scores of the test photos.
        target: scores of the target over the shared classes, with the model's classes.

    Returns:
        At most ``MOST_CHANGES``, with intervals by Newcombe (1998, method 10) that hold for all pairs together
        (Bonferroni).
    """
    labels = [label for label in target.labels if target.support[label] and test.support.get(label)]
    pairs = [(true, other) for true, other in permutations(target.labels, 2) if true in labels]
    z = NormalDist().inv_cdf(1 - 0.025 / max(1, len(pairs)))
    changes = [_change(true, other, (test, target), z) for true, other in pairs]
    return tuple(sorted(changes, key=lambda change: -abs(change.change))[:MOST_CHANGES])


def _change(true: str, predicted: str, scores: tuple[Scores, Scores], z: float) -> ConfusionChange:
    counts = [each.row(true)[each.labels.index(predicted)] for each in scores]
    totals = [each.support[true] for each in scores]
    before, after = (n / of for n, of in zip(counts, totals, strict=True))
    first, second = (wilson(n, of, z) or Interval(0, 1) for n, of in zip(counts, totals, strict=True))
    change = after - before
    interval = Interval(
        change - hypot(after - second.low, first.high - before), change + hypot(second.high - after, before - first.low)
    )
    return ConfusionChange(
        true=true,
        predicted=predicted,
        test=Counted(count=counts[0], of=totals[0]),
        target=Counted(count=counts[1], of=totals[1]),
        change=change,
        interval=interval,
        is_clear=not interval.low <= 0 <= interval.high,
    )
