"""How photos from elsewhere differ from a model's own: in their properties, their labels, and in what is confused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from math import hypot
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.metrics import Interval, wilson

__all__ = ["confusion_changes", "drift_json"]

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


def drift_json(own: pl.DataFrame, target: pl.DataFrame, names: Mapping[str, str]) -> dict[str, Any]:
    """Compare the properties and the labels of two sets.

    Args:
        own: usable rows of the photos that the model was made with.
        target: usable rows of the target.
        names: class of the target → class of the model; the labels of others are not compared.

    Returns:
        ``properties``, those that differ most first: ``property``, ``overlap`` (1 less the Kolmogorov-Smirnov
        distance: 0 where one cut tells the sets apart, 1 where they are alike), ``edges`` of the bins, and of ``own``
        and ``target`` the ``photos`` that have the property, their ``median``, and the ``shares`` in the bins.
        ``labels``: for each shared class its share of the photos of shared classes, ``own`` and ``target``.
    """
    found = [_compared(each, own, target) for each in PROPERTIES]
    shared = list(dict.fromkeys(names.values()))
    theirs = target["label"].replace_strict(dict(names), default=None, return_dtype=pl.String)
    shares = {"own": _shares(own["label"], shared), "target": _shares(theirs, shared)}
    return {
        "properties": sorted((each for each in found if each), key=lambda each: each["overlap"]),
        "labels": {label: {side: found[label] for side, found in shares.items()} for label in shared},
    }


def _compared(kind: _Property, own: pl.DataFrame, target: pl.DataFrame) -> dict[str, Any] | None:
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
    shares = {side: _in_bins(values, edges) for side, values in sides.items()}
    return {
        "property": kind.name,
        "overlap": 1 - _distance(*sides.values()),
        "edges": edges.tolist(),
    } | {
        side: {"photos": len(values), "median": float(np.median(values)), "shares": shares[side].tolist()}
        for side, values in sides.items()
    }


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


def confusion_changes(test: Mapping[str, Any], target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is taken for what far more, or far less, often than on the test photos; the greatest changes first.

    Args:
        test: scores of the test photos.
        target: scores of the target over the shared classes, with the model's classes.

    Returns:
        ``true`` and ``predicted`` class, how often ``test`` and ``target`` have it (``count`` of ``of``), the
        ``change`` of that share, and its ``interval`` by Newcombe (1998, method 10), which holds for all pairs
        together (Bonferroni).
    """
    labels = [label for label in target["labels"] if target["support"][label] and test["support"].get(label)]
    pairs = [(true, other) for true, other in permutations(target["labels"], 2) if true in labels]
    z = NormalDist().inv_cdf(1 - 0.025 / max(1, len(pairs)))
    changes = [_change(true, other, (test, target), z) for true, other in pairs]
    return sorted(changes, key=lambda change: -abs(change["change"]))[:MOST_CHANGES]


def _change(true: str, predicted: str, scores: tuple[Mapping[str, Any], Mapping[str, Any]], z: float) -> dict[str, Any]:
    counts = [each["confusion"][each["labels"].index(true)][each["labels"].index(predicted)] for each in scores]
    totals = [each["support"][true] for each in scores]
    before, after = (n / of for n, of in zip(counts, totals, strict=True))
    first, second = (wilson(n, of, z) or Interval(0, 1) for n, of in zip(counts, totals, strict=True))
    change = after - before
    return {
        "true": true,
        "predicted": predicted,
        "test": {"count": counts[0], "of": totals[0]},
        "target": {"count": counts[1], "of": totals[1]},
        "change": change,
        "interval": [
            change - hypot(after - second.low, first.high - before),
            change + hypot(second.high - after, before - first.low),
        ],
    }
