"""Does a recogniser do worse on some of the photos than on the rest? Pure functions of arrays.

Photos are compared with others of the same class, so that a part with more of the easy classes does not look better.
The difference is Mantel and Haenszel's (1959; Greenland and Robins 1985): of each class the share of right answers in
the part less that in the rest, weighted by what both have of it, so that a class which only one side has weighs
nothing. What is independent are groups, such as people: they may lie wholly on one side, as ages do, or on both, as
cameras do. ``bench/slices.py`` simulates this and other scores, and docs/SLICES.md has its table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics import LEAST_GROUPS, Interval
from mien.quantiles import t_quantile, two_sided

__all__ = ["PartDifference", "judged", "part_difference"]

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PartDifference:
    """How a part differs from the rest.

    Attributes:
        value: share of right answers in the part less that in the rest, class by class, in [-1, 1].
        interval: 95 %, for this difference alone.
        p: two-sided, of no difference; not corrected for others.
    """

    value: float
    interval: Interval
    p: float


def part_difference(y_true: Ints, right: Bools, in_part: Bools, groups: Ints) -> PartDifference | None:
    """How much more of a part's photos are answered rightly than of the rest's, compared within classes.

    Args:
        y_true: (N,) classes.
        right: (N,) whether each answer is right.
        in_part: (N,) whether each photo is of the part.
        groups: (N,) what each photo belongs to that is independent of others, as for ``metrics.score``.

    Returns:
        None where fewer than ``LEAST_GROUPS`` groups on either side have photos of a class that both sides have.
    """
    shared = np.intersect1d(y_true[in_part], y_true[~in_part])
    used = np.isin(y_true, shared)
    y_true, right, in_part, groups = y_true[used], right[used], in_part[used], groups[used]
    names, group = np.unique(groups, return_inverse=True)
    sizes = np.stack([np.bincount(group[side], minlength=len(names)) for side in (in_part, ~in_part)], axis=1)
    if min(np.count_nonzero(sizes, axis=0), default=0) < LEAST_GROUPS:
        return None
    part, rest, weight = (np.zeros(len(names) + 1) for _ in range(3))
    for label in shared:  # the first row is of all groups, the others are without one each
        of_class = y_true == label
        (n, hits), (n_rest, hits_rest) = (
            _without_each(group[of_class & side], right[of_class & side], len(names)) for side in (in_part, ~in_part)
        )
        both = np.maximum(n + n_rest, 1)
        part += hits * n_rest / both
        rest += hits_rest * n / both
        weight += n * n_rest / both
    if weight.min() <= 0:  # one group alone has what both sides share
        return None
    return judged(part / weight, rest / weight, sizes)


def judged(part: Floats, rest: Floats, sizes: Ints) -> PartDifference:
    """The difference of two scores in [0, 1] with what the groups say of it, by leaving out one at a time, and t.

    As for scores themselves, errors are those of log-odds: on the plain scale a few people who are nearly always
    recognised seem to hardly differ, and differences are called where there are none. The interval is that of the
    difference of log-odds about their middle, so that it leaves out 0 just where ``p`` is below 0.05.

    Args:
        part: (1 + G,) the part's score, then without each group.
        rest: (1 + G,) likewise of the rest.
        sizes: (G, 2) photos of each group in the part and in the rest.
    """
    ends = [side[0] for side in (part, rest)]
    if not all(0 < end < 1 for end in ends):
        return _at_the_end(part, rest, sizes)
    difference = _log_odds(part) - _log_odds(rest)
    variance, df = _spread(difference[1:], sizes)
    value, middle = float(difference[0]), float(_log_odds(part)[0] + _log_odds(rest)[0]) / 2
    if variance == 0:
        return PartDifference(float(ends[0] - ends[1]), Interval(-1.0, 1.0), 1.0)
    error = math.sqrt(variance)
    half = t_quantile(df, 0.975) * error
    low, high = (_apart(middle, end) for end in (value - half, value + half))
    return PartDifference(float(ends[0] - ends[1]), Interval(low, high), two_sided(abs(value) / error, df))


def _at_the_end(part: Floats, rest: Floats, sizes: Ints) -> PartDifference:
    """A difference where one side is all right or all wrong, and has no log-odds.

    Such a side does not vary, and is no more certain for that: there a group counts as one photo (Agresti and Caffo
    2000).
    """
    centre, variance, fewest = 0.0, _spread((part - rest)[1:], sizes)[0], math.inf
    for sign, side, n in ((1, part, _even(sizes[:, 0])), (-1, rest, _even(sizes[:, 1]))):
        score = float(side[0])
        if score in (0.0, 1.0):
            score = (score * n + 1) / (n + 2)
            variance += score * (1 - score) / (n + 2)
        centre, fewest = centre + sign * score, min(fewest, n)
    value, df = float(part[0] - rest[0]), max(1.0, fewest - 1)
    error = math.sqrt(variance)
    half = t_quantile(df, 0.975) * error
    low, high = max(-1.0, min(value, centre - half)), min(1.0, max(value, centre + half))
    return PartDifference(value, Interval(low, high), two_sided(abs(centre) / error, df))


def _spread(without: Floats, sizes: Ints) -> tuple[float, float]:
    """The variance of a statistic, from its values (G,) without each group in turn, and degrees of freedom.

    These are Welch and Satterthwaite's, of groups in the part, in the rest and in both, each as few as its largest
    groups make it (Kish 1965); or fewer, where few groups move the statistic.
    """
    squares = (len(without) - 1) / len(without) * (without - without.mean()) ** 2
    variance, fourth = float(squares.sum()), float((squares**2).sum())
    if fourth == 0:
        return 0.0, 1.0
    where = (sizes > 0) @ np.array([1, 2])  # 1 in the part, 2 in the rest, 3 in both
    parts = [(float(squares[where == k].sum()), _even(sizes[where == k].sum(1))) for k in np.unique(where)]
    spread = sum(part**2 / max(1.0, n - 1) for part, n in parts)
    return variance, max(1.0, min(variance**2 / spread, 3 * variance**2 / fourth))


def _log_odds(side: Floats) -> Floats:
    """Of a score and of it without each group; without one that holds all that is wrong, half the way is gone."""
    within = np.clip(side, side[0] / 2, (1 + side[0]) / 2)
    return np.asarray(np.log(within / (1 - within)))


def _apart(middle: float, difference: float) -> float:
    """The difference of two shares whose log-odds lie that far apart about a middle."""
    first, second = middle + difference / 2, middle - difference / 2
    return (math.tanh(first / 2) - math.tanh(second / 2)) / 2


def _without_each(group: Ints, right: Bools, n_groups: int) -> tuple[Floats, Floats]:
    """Photos, and those that are right: (1 + G,) of all groups, then without each."""
    n, hits = np.bincount(group, minlength=n_groups), np.bincount(group, right, n_groups)
    return np.concatenate([[n.sum()], n.sum() - n]).astype(float), np.concatenate([[hits.sum()], hits.sum() - hits])


def _even(sizes: Ints) -> float:
    """As many groups of one size as these are worth (Kish 1965)."""
    return float(sizes.sum()) ** 2 / float((sizes.astype(float) ** 2).sum())
