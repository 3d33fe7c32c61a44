"""Is one procedure better than another, judged from paired runs whose photos overlap? Pure functions of arrays.

A pair is two runs that learnt from the same photos with the same seed and answered the same outer fold. Pairs are not
independent: folds of different repeats test the same photos, and every two runs share most of what they learnt from.
The usual paired t-test takes them for independent and finds differences that are not there (one comparison in three
with 24 pairs); the corrected resampled t-test (Nadeau and Bengio 2003) allows for any cause of dependence at once and
hardly ever finds one. Here the two causes are kept apart, as in two-way clustered errors (Cameron, Gelbach and Miller
2011): what differs from run to run shrinks with more pairs, what differs from photo to photo only with more photos.
``bench/significance.py`` simulates all of these, and docs/COMPARE.md has its table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from mien.family import LEVEL
from mien.metrics import LEAST_GROUPS, Interval, Verdict, confusion_matrix

__all__ = [
    "Estimate",
    "Needed",
    "Pair",
    "estimate",
    "f1_influence",
    "fewest_pairs",
    "needed",
    "paired",
    "verdict",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEARNT_FROM = 1.5
"""What a photo's variance counts for: once as one recognised, and half again as one learnt from.

No design of folds over one pool shows the second part by itself. Simulated learners ask for 1 to 2; with 1.5, 95 %
intervals held in 94.5 to 97 % of the comparisons, with 1.75 in up to 98 %."""

POWER = 0.8
MOST_PAIRS = 1000
"""More are not asked for: photos, or another question, would be the better advice."""


@dataclass(frozen=True)
class Pair:
    """Two runs on one outer fold.

    Attributes:
        difference: macro-F1, or one class's F1, of the first less that of the second.
        photos: (N,) group of each tested photo: a person where people are known, else a picture with its copies.
        influence: (N,) what each photo adds to the difference, together 0.
        ratio: tested photos for each photo learnt from.
    """

    difference: float
    photos: Ints
    influence: Floats
    ratio: float


@dataclass(frozen=True)
class Estimate:
    """The mean difference of pairs, and how sure it is.

    Attributes:
        difference: mean over the pairs.
        interval: 95 % for this difference alone; None for fewer groups than ``LEAST_GROUPS``.
        standard_error: of the mean.
        df: degrees of freedom (Welch and Satterthwaite).
        p: two-sided, of no difference; not corrected for other comparisons.
        pairs: their number.
        groups: tested groups.
        run_variance: part of the squared standard error that shrinks with more pairs.
        photo_variance: the part that shrinks with more photos only.
        repeats: times that a picture was tested on average.
    """

    difference: float
    interval: Interval | None
    standard_error: float
    df: float
    p: float
    pairs: int
    groups: int
    run_variance: float
    photo_variance: float
    repeats: float


@dataclass(frozen=True)
class Needed:
    """What would tell a difference as large as the one seen, four times in five; None where nothing sensible does."""

    pairs: int | None
    photos: int | None


def f1_influence(y_true: Ints, y_pred: Ints, n_classes: int, of: int | None = None) -> tuple[float, Floats]:
    """Macro-F1 and the first-order change of it that each photo (N,) stands for.

    F1 of a class is 2·hits/(support + answers); its derivative by the weight of a photo is taken at weight 1.

    Args:
        of: a class whose F1 is taken instead of the mean of all.
    """
    confusion = confusion_matrix(y_true, y_pred, n_classes)
    support, answers = confusion.sum(1), confusion.sum(0)
    total = np.maximum(support + answers, 1)
    counts = support > 0 if of is None else np.arange(n_classes) == of
    f1, weight = 2 * np.diag(confusion) / total, counts / max(1, int(counts.sum()))
    share, loss = weight / total, weight * f1 / total
    hits = np.where(y_true == y_pred, 2 * share[y_true], 0.0)
    return float((weight * f1).sum()), np.asarray(hits - loss[y_true] - loss[y_pred], np.float64)


def paired(
    y_true: Ints, first: Ints, second: Ints, n_classes: int, photos: Ints, n_trained: int, of: int | None = None
) -> Pair:
    """The pair of two runs' answers (N,) on the same photos, which learnt from ``n_trained`` others.

    Args:
        of: a class whose F1 is compared instead of the mean of all.
    """
    a, of_a = f1_influence(y_true, first, n_classes, of)
    b, of_b = f1_influence(y_true, second, n_classes, of)
    return Pair(a - b, photos, of_a - of_b, len(y_true) / n_trained)


def estimate(pairs: Sequence[Pair]) -> Estimate:
    """Mean difference of two or more pairs, with an interval and test that hold although the pairs overlap.

    The squared standard error is ``s²/n · (1 + n_test/n_train)``, of differences from run to run, and
    ``LEARNT_FROM`` times what the photos' influences, summed over runs, vary more than influences that were new in
    each run would. The first factor is Nadeau and Bengio's correlation, for one run.
    """
    n = len(pairs)
    differences = np.array([pair.difference for pair in pairs])
    ratio = float(np.mean([pair.ratio for pair in pairs]))
    run_variance = float(differences.var(ddof=1)) / n * (1 + ratio)
    groups, total, alone, effective = _by_photo(pairs)
    photo_variance = LEARNT_FROM * max(0.0, total - alone)
    variance = run_variance + photo_variance
    mean, error = float(differences.mean()), math.sqrt(variance)
    df = _freedom(run_variance, n - 1, photo_variance, max(1.0, effective - 1))
    half = float(stdtrit(df, 1 - LEVEL / 2)) * error
    p = float(2 * stdtr(df, -abs(mean) / error)) if error > 0 else float(mean == 0)
    tested = sum(len(np.unique(pair.photos)) for pair in pairs) / max(1, groups)
    interval = Interval(mean - half, mean + half) if groups >= LEAST_GROUPS else None
    return Estimate(mean, interval, error, df, p, n, groups, run_variance, photo_variance, tested)


def fewest_pairs(comparisons: int) -> int:
    """The fewest pairs that could tell without trusting the normal distribution.

    Pairs that all point the same way have p = 2/2ⁿ by the sign test, which Holm's first step holds against the
    level over the number of comparisons: 6 for one, 7 for two or three, 8 for six.
    """
    return math.ceil(1 + math.log2(comparisons / LEVEL))


def verdict(found: Estimate, corrected_p: float, comparisons: int) -> Verdict:
    """``better``, ``worse`` or ``cannot tell``; the last always where pairs or groups are too few."""
    if found.interval is None or found.pairs < fewest_pairs(comparisons) or corrected_p > LEVEL:
        return "cannot tell"
    return "better" if found.difference > 0 else "worse"


def needed(found: Estimate, comparisons: int) -> Needed:
    """Pairs that would tell a difference of the size seen; or photos, where no number of pairs would."""
    if found.difference == 0:
        return Needed(None, None)
    level = LEVEL / comparisons
    for n in range(max(found.pairs + 1, fewest_pairs(comparisons)), MOST_PAIRS + 1):
        run, photo = _expected(found, n)
        df = _freedom(run, n - 1, photo, max(1, found.groups - 1))
        quantiles = float(stdtrit(df, 1 - level / 2) + stdtrit(df, POWER))
        if abs(found.difference) >= quantiles * math.sqrt(run + photo):
            return Needed(n, None)
    run, photo = _expected(found, MOST_PAIRS)
    quantiles = float(stdtrit(1e6, 1 - level / 2) + stdtrit(1e6, POWER))
    photos = math.ceil(found.groups * photo / max(1e-12, (found.difference / quantiles) ** 2 - run))
    return Needed(None, photos if found.groups < photos <= 100 * found.groups else None)


def _by_photo(pairs: Sequence[Pair]) -> tuple[int, float, float, float]:
    """What the photos' influences on the mean come to.

    Returns:
        The number of groups; the sum of squares of their influences; the same with each run by itself; and how many
        groups of equal influence would vary as much as these do, which is few where one class's F1 rests on few.
    """
    names, group = np.unique(np.concatenate([pair.photos for pair in pairs]), return_inverse=True)
    total, alone, start = np.zeros(len(names)), 0.0, 0
    for pair in pairs:
        of_run = np.bincount(group[start : start + len(pair.photos)], pair.influence / len(pairs), len(names))
        total, alone, start = total + of_run, alone + float((of_run**2).sum()), start + len(pair.photos)
    squares, fourth = float((total**2).sum()), float((total**4).sum())
    return len(names), squares, alone, squares**2 / fourth if fourth > 0 else 0.0


def _freedom(first: float, df_first: float, second: float, df_second: float) -> float:
    """Welch and Satterthwaite's degrees of freedom of a sum of two variances."""
    spread = first**2 / df_first + second**2 / df_second
    return (first + second) ** 2 / spread if spread > 0 else float(df_first)


def _expected(found: Estimate, n: int) -> tuple[float, float]:
    """Both variances with n pairs; pictures tested once leave the second unknown, and it is taken for none."""
    repeats = found.repeats * n / found.pairs
    seen = 1 - 1 / found.repeats if found.repeats > 1 else 0.0
    photo = found.photo_variance * (1 - 1 / max(1.0, repeats)) / seen if seen > 0 else 0.0
    return found.run_variance * found.pairs / n, photo
