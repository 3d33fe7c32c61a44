"""Pure scores of arrays, with intervals. Classes without a single true image have no score (None), never 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ClassScore",
    "Difference",
    "Interval",
    "Scores",
    "Verdict",
    "balance_difference",
    "confusion_matrix",
    "expected_calibration_error",
    "macro_f1",
    "paired_difference",
    "score",
    "wilson",
]

Verdict = Literal["better", "worse", "cannot tell"]

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.floating]

RESAMPLES = 2000
"""Bootstrap resamples behind each interval."""


class Interval(NamedTuple):
    """A 95 % interval; both ends in [0, 1] for a score, in [-1, 1] for a difference. In JSON a list of two."""

    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class in [0, 1]; None where the class has no true image."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class Scores:
    """All scores of one set of predictions.

    Attributes:
        labels: the K classes, in the model's order.
        macro_f1: mean F1 over the classes with support, in [0, 1]; None for an empty set.
        accuracy: share of correct answers, in [0, 1]; None for an empty set.
        per_class: one entry a class, in order.
        confusion: counts (K, K), rows true, columns predicted.
        macro_f1_interval: 95 % bootstrap over duplicate groups.
        accuracy_interval: 95 % bootstrap over duplicate groups.
        chance: macro-F1 of answering by the class shares at random, its expectation approximated by 1/K'.
        majority: accuracy of always answering the most frequent class.
        n: images scored.
    """

    labels: tuple[str, ...]
    macro_f1: float | None
    accuracy: float | None
    per_class: tuple[ClassScore, ...]
    confusion: IntArray
    macro_f1_interval: Interval | None
    accuracy_interval: Interval | None
    chance: float | None
    majority: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """Macro-F1 of one model less that of another on the same images, with its interval and verdict.

    ``verdict`` is ``"better"``, ``"worse"`` or ``"cannot tell"``.
    """

    value: float
    interval: Interval
    verdict: Verdict


def confusion_matrix(y_true: IntArray, y_pred: IntArray, n_classes: int) -> IntArray:
    """Counts (K, K): rows are the true classes, columns the predicted ones."""
    y_true, y_pred = y_true.astype(np.int64), y_pred.astype(np.int64)  # a uint8 would overflow silently
    return np.bincount(y_true * n_classes + y_pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def macro_f1(confusion: NDArray[np.generic]) -> FloatArray:
    """Mean F1 over the classes that have true images.

    Args:
        confusion: (..., K, K) counts or weights.

    Returns:
        (...) values in [0, 1]; NaN where no class has a true image.
    """
    counts = confusion.astype(float)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support, answers = counts.sum(-1), counts.sum(-2)
    f1 = 2 * hits / np.maximum(support + answers, 1e-12)
    present = support > 0
    with np.errstate(invalid="ignore"):
        return np.asarray((f1 * present).sum(-1) / present.sum(-1))


def wilson(successes: int, n: int, z: float = 1.959964) -> Interval | None:
    """Wilson's 95 % score interval of a proportion (Wilson 1927); None for n = 0."""
    if n == 0:
        return None
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def score(
    y_true: IntArray,
    y_pred: IntArray,
    labels: Sequence[str],
    *,
    groups: IntArray | None = None,
    rng: np.random.Generator | None = None,
) -> Scores:
    """Score predictions against the truth.

    Args:
        y_true: (N,) class indices.
        y_pred: (N,) class indices.
        labels: the K class names, in order.
        groups: (N,) near-duplicate group of each image. Copies of a picture are not independent, so the
            bootstrap draws whole groups; without it each image is its own group.
        rng: source of the resamples; seed 0 where none is given.
    """
    k, n = len(labels), len(y_true)
    y_true, y_pred = y_true.astype(np.int64), y_pred.astype(np.int64)
    confusion = confusion_matrix(y_true, y_pred, k)
    per_class = tuple(_class_score(label, confusion, i) for i, label in enumerate(labels))
    if n == 0:
        return Scores(tuple(labels), None, None, per_class, confusion, None, None, None, None, 0)
    resampled = _resample(y_true * k + y_pred, k * k, groups, rng).reshape(-1, k, k)
    f1s = macro_f1(resampled)
    accuracies = np.trace(resampled, axis1=1, axis2=2) / resampled.sum((1, 2))
    support = confusion.sum(1)
    return Scores(
        tuple(labels),
        float(macro_f1(confusion)),
        float(np.trace(confusion) / n),
        per_class,
        confusion,
        _honest(_percentiles(f1s), confusion, groups),
        _honest(_percentiles(accuracies), confusion, groups),
        _chance_macro_f1(support),
        float(support.max() / n),
        n,
    )


def paired_difference(
    y_true: IntArray,
    first: IntArray,
    second: IntArray,
    n_classes: int,
    *,
    groups: IntArray | None = None,
    rng: np.random.Generator | None = None,
    family: int = 1,
) -> Difference:
    """Macro-F1 of ``first`` less that of ``second`` on the same images, by a paired bootstrap over groups.

    The interval speaks of other photos of the same kind, not of other training seeds.

    Args:
        family: how many such differences are looked at; their intervals hold together (Bonferroni).
    """
    k = n_classes
    y_true, first, second = (y.astype(np.int64) for y in (y_true, first, second))
    cell = (y_true * k + first) * k + second
    counts = _resample(cell, k**3, groups, rng).reshape(-1, k, k, k)
    differences = macro_f1(counts.sum(3)) - macro_f1(counts.sum(2))
    value = float(macro_f1(confusion_matrix(y_true, first, k)) - macro_f1(confusion_matrix(y_true, second, k)))
    return _judged(value, differences, groups, family)


def balance_difference(
    y_true: IntArray,
    first: IntArray,
    second: IntArray,
    shares: FloatArray,
    *,
    groups: IntArray | None = None,
    rng: np.random.Generator | None = None,
) -> Difference:
    """Macro-F1 of ``first``, were the classes as frequent as ``shares`` says, less that of ``second`` as they are.

    Args:
        shares: (K,) of each class; those that have images but no share here do not count in the first.
    """
    k = len(shares)
    y_true, first, second = (y.astype(np.int64) for y in (y_true, first, second))
    cell = (y_true * k + first) * k + second
    counts = _resample(cell, k**3, groups, rng).reshape(-1, k, k, k)
    differences = macro_f1(_balanced(counts.sum(3), shares)) - macro_f1(counts.sum(2))
    whole = _balanced(confusion_matrix(y_true, first, k).astype(float), shares)
    value = float(macro_f1(whole) - macro_f1(confusion_matrix(y_true, second, k)))
    return _judged(value, differences, groups)


def _judged(value: float, resampled: FloatArray, groups: IntArray | None, family: int = 1) -> Difference:
    interval = _percentiles(resampled, family)
    verdict: Verdict = "better" if interval.low > 0 else "worse" if interval.high < 0 else "cannot tell"
    if groups is not None and len(np.unique(groups)) < 2:  # copies of one picture say nothing of others
        verdict = "cannot tell"
    return Difference(value, interval, verdict)


def _balanced(confusion: FloatArray, shares: FloatArray) -> FloatArray:
    """Counts (..., K, K) weighted so that each row has its share of all."""
    return np.asarray(confusion / np.maximum(confusion.sum(-1, keepdims=True), 1e-12) * shares[:, None])


def expected_calibration_error(probs: FloatArray, y_true: IntArray, n_bins: int = 15) -> float | None:
    """Mean gap between confidence and accuracy over equal-width bins, in [0, 1] (Naeini et al. 2015).

    Args:
        probs: (N, K) probabilities.
        y_true: (N,) class indices.
    """
    if len(y_true) == 0:
        return None
    confidence, correct = probs.max(1), probs.argmax(1) == y_true
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    weight = np.bincount(bins, minlength=n_bins)
    gap = np.bincount(bins, correct, n_bins) - np.bincount(bins, confidence, n_bins)
    return float(np.abs(gap).sum() / max(weight.sum(), 1))


def _class_score(label: str, confusion: IntArray, i: int) -> ClassScore:
    support, answers, hits = int(confusion[i].sum()), int(confusion[:, i].sum()), int(confusion[i, i])
    if support == 0:
        return ClassScore(label, None, None, None, 0)
    precision = hits / answers if answers else 0.0
    return ClassScore(label, precision, hits / support, 2 * hits / (support + answers), support)


def _chance_macro_f1(support: IntArray) -> float:
    # A guess drawn with the class shares p is right with probability p, so precision = recall = F1 = p.
    shares = support[support > 0] / support.sum()
    return float(shares.mean())


def _resample(cell: IntArray, n_cells: int, groups: IntArray | None, rng: np.random.Generator | None) -> FloatArray:
    """Bootstrap counts (RESAMPLES, n_cells) of categorical outcomes, drawing whole groups."""
    rng = rng or np.random.default_rng(0)
    used, cell = np.unique(cell, return_inverse=True)
    group = np.arange(len(cell)) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    counts = np.zeros((RESAMPLES, n_cells))
    for row in counts:
        drawn = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
        row[used] = np.bincount(cell, drawn[group], len(used))
    return counts


def _honest(interval: Interval, confusion: IntArray, groups: IntArray | None) -> Interval:
    """The interval, but never certainty: where every answer is right or every one wrong, Wilson's over groups."""
    right, n = int(np.trace(confusion)), int(confusion.sum())
    if 0 < right < n:
        return interval
    n_groups = n if groups is None else len(np.unique(groups))
    bound = wilson(n_groups if right else 0, n_groups)
    return interval if bound is None else Interval(min(interval.low, bound.low), max(interval.high, bound.high))


def _percentiles(values: FloatArray, family: int = 1) -> Interval:
    low, high = np.nanpercentile(values, [2.5 / family, 100 - 2.5 / family])
    return Interval(float(low), float(high))
