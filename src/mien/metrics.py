"""Pure scores of arrays, with intervals. Classes without a single true image have no score (None), never 0.

Intervals are over groups that are independent of one another: people where they are known, else pictures with their
copies. A bootstrap over few groups, as of 4 people, gives intervals that are far too short. A delete-one-group
jackknife (Tukey 1958; for clusters, Cameron, Gelbach and Miller 2008) with t holds from ``LEAST_GROUPS`` on;
``bench/few_people.py`` simulates both, and docs/EVALUATE.md has its table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.quantiles import t_quantile, z_quantile

__all__ = [
    "LEAST_GROUPS",
    "ClassScore",
    "Difference",
    "Interval",
    "Scores",
    "Verdict",
    "balance_difference",
    "confusion_matrix",
    "expected_calibration_error",
    "macro_f1",
    "mean_difference",
    "paired_difference",
    "score",
    "share_interval",
    "wilson",
]

Verdict = Literal["better", "worse", "cannot tell"]

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.floating]

LEAST_GROUPS = 6
"""Groups from which on an interval is given. In simulations (``bench/few_people.py``) intervals hold from here on, and
six that all point the same way are the fewest that the sign test tells from chance (2/2⁶ = 0.03)."""
Z95 = z_quantile(0.975)
MOST_COUNTS = 4_000_000
"""Numbers that are held at a time; bounds the memory."""


class Interval(NamedTuple):
    """A 95 % interval; both ends in [0, 1] for a score, in [-1, 1] for a difference. In JSON a list of two."""

    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class in [0, 1], with the 95 % interval of recall; None where the class has no true image.

    ``groups`` is how many groups its images are in.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    recall_interval: Interval | None = None
    groups: int = 0


@dataclass(frozen=True)
class Scores:
    """All scores of one set of predictions.

    Attributes:
        labels: the K classes, in the model's order.
        macro_f1: mean F1 over the classes with support, in [0, 1]; None for an empty set.
        accuracy: share of correct answers, in [0, 1]; None for an empty set.
        per_class: one entry a class, in order.
        confusion: counts (K, K), rows true, columns predicted.
        macro_f1_interval: 95 %, by a jackknife over groups; None for fewer than ``LEAST_GROUPS``.
        accuracy_interval: likewise.
        chance: macro-F1 of answering by the class shares at random, its expectation approximated by 1/K'.
        majority: accuracy of always answering the most frequent class.
        n: images scored.
        groups: how many groups they are in, which intervals are over.
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
    groups: int


@dataclass(frozen=True)
class Difference:
    """Macro-F1 of one model less that of another on the same images, with its interval and verdict.

    ``verdict`` is ``"better"``, ``"worse"`` or ``"cannot tell"``; the last, without an interval, for fewer ``groups``
    than ``LEAST_GROUPS``.
    """

    value: float
    interval: Interval | None
    verdict: Verdict
    groups: int


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


def wilson(successes: float, n: float, z: float = Z95) -> Interval | None:
    """Wilson's 95 % score interval of a proportion of independent trials (Wilson 1927); None for n = 0."""
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
) -> Scores:
    """Score predictions against the truth.

    Args:
        y_true: (N,) class indices.
        y_pred: (N,) class indices.
        labels: the K class names, in order.
        groups: (N,) what each image belongs to that is independent of others: a person where people are known, else a
            picture with its copies. Intervals speak of other such groups. Without it each image is its own group.
    """
    k, n = len(labels), len(y_true)
    y_true, y_pred = y_true.astype(np.int64), y_pred.astype(np.int64)
    confusion = confusion_matrix(y_true, y_pred, k)
    if n == 0:
        per_class = tuple(ClassScore(label, None, None, None, 0) for label in labels)
        return Scores(tuple(labels), None, None, per_class, confusion, None, None, None, None, 0, 0)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    parts = _parts(y_true * k + y_pred, groups)
    support = confusion.sum(1)
    return Scores(
        tuple(labels),
        float(macro_f1(confusion)),
        float(np.trace(confusion) / n),
        tuple(_class_score(label, confusion, i, y_true, y_pred, groups) for i, label in enumerate(labels)),
        confusion,
        _score_interval(parts, lambda cells: macro_f1(cells.reshape(-1, k, k)), k * k),
        _accuracy_interval(parts, y_true == y_pred, k),
        _chance_macro_f1(support),
        float(support.max() / n),
        n,
        parts.groups,
    )


def paired_difference(
    y_true: IntArray,
    first: IntArray,
    second: IntArray,
    n_classes: int,
    *,
    groups: IntArray | None = None,
    family: int = 1,
) -> Difference:
    """Macro-F1 of ``first`` less that of ``second`` on the same images, by a paired jackknife over groups.

    The interval speaks of other groups (people, or photos of the same kind), not of other training seeds.

    Args:
        groups: (N,) as for ``score``.
        family: how many such differences are looked at; their intervals hold together (Bonferroni).
    """
    k = n_classes

    def difference(counts: FloatArray) -> FloatArray:
        cells = counts.reshape(-1, k, k, k)
        return np.asarray(macro_f1(cells.sum(3)) - macro_f1(cells.sum(2)))

    return _difference(_pairs(y_true, first, second, k, groups), difference, k**3, family)


def balance_difference(
    y_true: IntArray,
    first: IntArray,
    second: IntArray,
    shares: FloatArray,
    *,
    groups: IntArray | None = None,
) -> Difference:
    """Macro-F1 of ``first``, were the classes as frequent as ``shares`` says, less that of ``second`` as they are.

    Args:
        shares: (K,) of each class; those that have images but no share here do not count in the first.
        groups: (N,) as for ``score``.
    """
    k = len(shares)

    def difference(counts: FloatArray) -> FloatArray:
        cells = counts.reshape(-1, k, k, k)
        return np.asarray(macro_f1(_balanced(cells.sum(3), shares)) - macro_f1(cells.sum(2)))

    return _difference(_pairs(y_true, first, second, k, groups), difference, k**3, 1)


def mean_difference(values: FloatArray, sizes: FloatArray, value: float, *, family: int = 1) -> Difference:
    """A difference of any statistic that was computed without each group in turn, with its interval and verdict.

    Args:
        values: (G,) the difference without each group.
        sizes: (G,) images of each group.
        value: the difference with all of them.
        family: how many such differences are looked at; their intervals hold together (Bonferroni).
    """
    parts = _Parts(np.zeros(0, np.int64), np.zeros((0, 0)), np.ones(len(values)), sizes)
    return _judged(value, values, parts, family)


def share_interval(hits: NDArray[np.bool_], groups: IntArray | None = None, level: float = 0.05) -> Interval | None:
    """The interval of a share of images, over groups; None for fewer than ``LEAST_GROUPS`` of several images.

    Wilson's for as many images as would vary as much if each were independent, made fewer by what t with few degrees
    of freedom adds (Korn and Graubard 1998, who use Clopper and Pearson's). Images that are all independent have
    Wilson's itself, however few. Where all groups are right, or all wrong, a group counts as one image.

    Args:
        hits: (N,) whether each image counts.
        groups: (N,) as for ``score``.
        level: what lies outside, on both sides together.
    """
    n = len(hits)
    group = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(group).astype(float)
    z = z_quantile(1 - level / 2)
    if len(sizes) == n:
        return wilson(int(hits.sum()), n, z)
    if len(sizes) < LEAST_GROUPS:
        return None
    share = float(np.mean(hits))
    if share in (0.0, 1.0):
        return wilson(share * len(sizes), len(sizes), z)
    without = (hits.sum() - np.bincount(group, hits, len(sizes))) / (n - sizes)
    error, df = _jackknife(without, np.ones(len(sizes)), sizes)
    independent = min(float(n), share * (1 - share) / error**2 if error > 0 else np.inf)
    fewer = independent * (z / t_quantile(df, 1 - level / 2)) ** 2
    return wilson(share * fewer, fewer, z)


@dataclass(frozen=True)
class _Parts:
    """Outcomes counted by group; groups that hold the same are one row.

    Attributes:
        used: (U,) the outcomes that occur.
        counts: (M, U) how often each occurs in a group.
        times: (M,) how many groups are alike.
        sizes: (M,) images of one such group.
    """

    used: IntArray
    counts: FloatArray
    times: FloatArray
    sizes: FloatArray

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.times.sum())


def _parts(cell: IntArray, groups: IntArray | None) -> _Parts:
    """Count outcomes by group: those of one image together, since most sets have thousands of them."""
    used, cell = np.unique(cell, return_inverse=True)
    group = np.arange(len(cell)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(group)
    alone = sizes[group] == 1
    kinds = np.bincount(cell[alone], minlength=len(used))
    several = np.unique(group[~alone], return_inverse=True)[1]
    counts = np.zeros((int(several.max(initial=-1)) + 1, len(used)))
    np.add.at(counts, (several, cell[~alone]), 1)
    rows = np.concatenate([np.eye(len(used))[kinds > 0], counts])
    return _Parts(used, rows, np.concatenate([kinds[kinds > 0], np.ones(len(counts))]), rows.sum(1))


def _pairs(y_true: IntArray, first: IntArray, second: IntArray, k: int, groups: IntArray | None) -> _Parts:
    y_true, first, second = (y.astype(np.int64) for y in (y_true, first, second))
    return _parts((y_true * k + first) * k + second, groups)


Statistic = Callable[[FloatArray], FloatArray]
"""Counts (M, C) of all outcomes → (M,) values."""


def _whole_and_without(parts: _Parts, statistic: Statistic, n_cells: int) -> tuple[float, FloatArray]:
    """A statistic of all groups, and (M,) without one of each kind of group."""
    total = parts.times @ parts.counts

    def of(rows: FloatArray) -> FloatArray:
        cells = np.zeros((len(rows), n_cells))
        cells[:, parts.used] = rows
        return statistic(cells)

    step = max(1, MOST_COUNTS // n_cells)
    starts = range(0, len(parts.counts), step)
    without = [of(total - parts.counts[start : start + step]) for start in starts]
    return float(of(total[None])[0]), np.concatenate(without)


def _jackknife(without: FloatArray, times: FloatArray, sizes: FloatArray) -> tuple[float, float]:
    """Standard error of a statistic, from its values without each group in turn, and degrees of freedom.

    Freedom is what the number of groups leaves, or fewer: where some groups hold most images (Kish 1965), or where few
    groups move the statistic. Of G normal contributions that sum of squares over that of fourth powers is G/3.

    Args:
        without: (M,) values.
        times: (M,) how many groups each stands for.
        sizes: (M,) images of one such group.
    """
    groups = float(times.sum())
    apart = without - (times @ without) / groups
    squares, fourth = float(times @ apart**2), float(times @ apart**4)
    even = float(times @ sizes) ** 2 / float(times @ sizes**2)
    moved = 3 * squares**2 / fourth if fourth > 0 else groups
    return math.sqrt((groups - 1) / groups * squares), max(1.0, min(groups - 1, even - 1, moved))


def _score_interval(parts: _Parts, statistic: Statistic, n_cells: int) -> Interval | None:
    """95 % by a delete-one-group jackknife of the log-odds, and t; None for too few groups.

    On the scale of log-odds an interval stays within 0 and 1 and leans as scores do; without it, it holds too rarely
    where people differ and most answers are right (bench/few_people.py). Scores of 0 and 1, and those that no group
    moves, have Wilson's over groups, for no number of groups makes certain.
    """
    if parts.groups < LEAST_GROUPS:
        return None
    value, without = _whole_and_without(parts, statistic, n_cells)
    error, df = 0.0, 1.0
    if 0 < value < 1:  # one group may hold all that is wrong: without it half the way is gone, not all
        within = np.clip(without, value / 2, (1 + value) / 2)
        error, df = _jackknife(np.log(within / (1 - within)), parts.times, parts.sizes)
    if error == 0:
        return wilson(value * parts.groups, parts.groups)
    odds, factor = value / (1 - value), math.exp(min(700.0, t_quantile(df, 0.975) * error))
    return Interval(odds / factor / (1 + odds / factor), 1 / (1 + 1 / (odds * factor)))


def _accuracy_interval(parts: _Parts, right: NDArray[np.bool_], k: int) -> Interval | None:
    """95 % of accuracy; of images that are all independent Wilson's, which needs no estimate of how groups differ."""
    if parts.groups == len(right) >= LEAST_GROUPS:
        return share_interval(right)
    return _score_interval(parts, lambda cells: _accuracy(cells.reshape(-1, k, k)), k * k)


def _difference(parts: _Parts, statistic: Statistic, n_cells: int, family: int) -> Difference:
    value, without = _whole_and_without(parts, statistic, n_cells)
    return _judged(value, without, parts, family)


def _judged(value: float, without: FloatArray, parts: _Parts, family: int) -> Difference:
    """A difference with what the groups say of it: nothing, where they are too few for so many differences.

    Groups that all point the same way have p = 2/2ⁿ by the sign test.
    """
    groups = parts.groups
    if groups < LEAST_GROUPS:
        return Difference(value, None, "cannot tell", groups)
    error, df = _jackknife(without, parts.times, parts.sizes)
    half = t_quantile(df, 1 - 0.025 / family) * error
    low, high = max(-1.0, value - half), min(1.0, value + half)
    bound = wilson(groups, groups)
    if error == 0 and bound is not None:  # as many groups that are alike make nothing certain
        low, high = min(value, value * bound.low), max(value, value * bound.low)
    tells = groups >= math.ceil(1 + math.log2(family / 0.05))
    verdict: Verdict = "better" if low > 0 and tells else "worse" if high < 0 and tells else "cannot tell"
    return Difference(value, Interval(low, high), verdict, groups)


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


def _accuracy(confusion: FloatArray) -> FloatArray:
    return np.asarray(np.trace(confusion, axis1=1, axis2=2) / np.maximum(confusion.sum((1, 2)), 1e-12))


def _class_score(
    label: str, confusion: IntArray, i: int, y_true: IntArray, y_pred: IntArray, groups: IntArray
) -> ClassScore:
    support, answers, hits = int(confusion[i].sum()), int(confusion[:, i].sum()), int(confusion[i, i])
    if support == 0:
        return ClassScore(label, None, None, None, 0)
    precision = hits / answers if answers else 0.0
    f1 = 2 * hits / (support + answers)
    of_class = y_true == i
    recall_interval = share_interval(y_pred[of_class] == i, groups[of_class])
    return ClassScore(label, precision, hits / support, f1, support, recall_interval, len(np.unique(groups[of_class])))


def _chance_macro_f1(support: IntArray) -> float:
    # A guess drawn with the class shares p is right with probability p, so precision = recall = F1 = p.
    shares = support[support > 0] / support.sum()
    return float(shares.mean())
