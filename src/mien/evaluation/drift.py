"""How photos from elsewhere differ from a model's own: in their properties, their labels, and in what is confused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import hypot

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.evaluation.predictions import probabilities
from mien.metrics import Interval, share_interval
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


@dataclass(frozen=True)
class _Answers:
    """What is known of N photos: their classes, what was answered, and what they depend on."""

    truth: NDArray[np.str_]
    answer: NDArray[np.str_]
    groups: NDArray[np.int64]


def confusion_changes(
    test: pl.DataFrame, target: pl.DataFrame, labels: Sequence[str], names: Mapping[str, str]
) -> tuple[ConfusionChange, ...]:
    """What is taken for what far more, or far less, often than on the test photos; the greatest changes first.

    Args:
        test: predictions of the test photos.
        target: predictions of the target.
        labels: the model's classes.
        names: class of the target → class of the model; its other photos are left out.

    Returns:
        At most ``MOST_CHANGES``, with intervals by Newcombe (1998, method 10) of shares over groups, which hold for all
        pairs together (Bonferroni).
    """
    shared = target.filter(pl.col("label").is_in(list(names)))
    sides = (_answers(test, labels, {}), _answers(shared, labels, names))
    there = [label for label in labels if all((side.truth == label).any() for side in sides)]
    pairs = [(true, other) for true, other in permutations(labels, 2) if true in there]
    changes = [_change(true, other, sides, 0.05 / len(pairs)) for true, other in pairs]
    return tuple(sorted(changes, key=lambda change: -abs(change.change))[:MOST_CHANGES])


def _answers(predictions: pl.DataFrame, labels: Sequence[str], names: Mapping[str, str]) -> _Answers:
    truth = np.array([names.get(label, label) for label in predictions["label"]], np.str_)
    answer = np.array(labels, np.str_)[probabilities(predictions, labels).argmax(1)]
    return _Answers(truth, answer, predictions["split_group"].to_numpy())


def _change(true: str, predicted: str, sides: tuple[_Answers, _Answers], level: float) -> ConfusionChange:
    of_class = [side.truth == true for side in sides]
    hits = [side.answer[chosen] == predicted for side, chosen in zip(sides, of_class, strict=True)]
    groups = [side.groups[chosen] for side, chosen in zip(sides, of_class, strict=True)]
    before, after = (float(each.mean()) for each in hits)
    first, second = (share_interval(*each, level) for each in zip(hits, groups, strict=True))
    interval = _newcombe((before, after), first, second) if first and second else None
    counted = [Counted(count=int(each.sum()), of=len(each)) for each in hits]
    return ConfusionChange(
        true=true,
        predicted=predicted,
        test=counted[0],
        target=counted[1],
        change=after - before,
        interval=interval,
        is_clear=interval is not None and not interval.low <= 0 <= interval.high,
    )


def _newcombe(shares: tuple[float, float], first: Interval, second: Interval) -> Interval:
    """The interval of the second share less the first, from the intervals of both."""
    before, after = shares
    change = after - before
    return Interval(
        change - hypot(after - second.low, first.high - before), change + hypot(second.high - after, before - first.low)
    )
