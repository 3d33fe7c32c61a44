"""How far raters agree: Cohen's, Fleiss' and Krippendorff's measures, and one rater against the majority of the others.

Votes are counts (N, K): how many raters chose each of K classes for each of N photos. Photos with fewer than two votes
say nothing of agreement and are left out. Intervals are 95 %, by a jackknife over groups of photos that are
independent of each other, as in ``mien.metrics``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics import Interval, Verdict, mean_difference

__all__ = [
    "Estimate",
    "Ratings",
    "cohen",
    "fleiss",
    "krippendorff",
    "one_against_others",
    "rater_apart",
    "share_difference",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measure with its interval.

    Attributes:
        value: 1 is perfect agreement and 0 that of chance; None where it is not defined, as for a single class.
        interval: None for too few groups.
        verdict: whether the interval lies above 0, below, or holds it.
        n: photos that count.
        groups: how many groups these are in.
    """

    value: float | None
    interval: Interval | None
    verdict: Verdict
    n: int
    groups: int


@dataclass(frozen=True)
class Ratings:
    """Single votes, each against the majority of the other raters of the photo.

    Votes of a photo whose others have no single most frequent class are left out.

    Attributes:
        photo: (R,) place of the photo.
        said: (R,) the class of the vote.
        truth: (R,) the class that most of the others chose.
    """

    photo: Ints
    said: Ints
    truth: Ints


def fleiss(counts: Ints, groups: Ints | None = None) -> Estimate:
    """Fleiss' kappa (Fleiss 1971).

    The share of agreeing pairs of raters is averaged over photos, and chance is that of all votes pooled, which for
    the same number of raters a photo is Fleiss' own; photos with more raters weigh more in chance alone.

    Args:
        counts: (N, K) votes.
        groups: (N,) what each photo belongs to that is independent of others; each by itself without.
    """
    counts, groups = _rated(counts, groups)
    n = counts.sum(1)
    agreeing = (counts * (counts - 1)).sum(1) / np.maximum(n * (n - 1), 1)
    parts = np.column_stack([agreeing, np.ones(len(n)), counts])

    def kappa(sums: Floats) -> Floats:
        shares = sums[:, 2:] / np.maximum(sums[:, 2:].sum(1, keepdims=True), 1e-12)
        chance = (shares**2).sum(1)
        return _beyond(sums[:, 0] / np.maximum(sums[:, 1], 1e-12), chance)

    return _estimate(parts, groups, kappa)


def krippendorff(counts: Ints, groups: Ints | None = None) -> Estimate:
    """Krippendorff's alpha for nominal data (Krippendorff 2011), with any number of raters a photo.

    Args:
        counts: (N, K) votes.
        groups: (N,) as for ``fleiss``.
    """
    counts, groups = _rated(counts, groups)
    n = counts.sum(1)
    differing = (n * n - (counts * counts).sum(1)) / np.maximum(n - 1, 1)
    parts = np.column_stack([differing, counts])

    def alpha(sums: Floats) -> Floats:
        totals = sums[:, 1:]
        whole = totals.sum(1)
        expected = (whole**2 - (totals**2).sum(1)) / np.maximum(whole - 1, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1 - sums[:, 0] / np.where(expected > 0, expected, np.nan))

    return _estimate(parts, groups, alpha)


def cohen(first: Ints, second: Ints, n_classes: int, groups: Ints | None = None) -> Estimate:
    """Cohen's kappa (Cohen 1960) of two raters.

    Args:
        first: (N,) classes; photos where either is negative, for a rater who did not say, are left out.
        second: (N,) likewise.
        groups: (N,) as for ``fleiss``.
    """
    both = (first >= 0) & (second >= 0)
    groups = (np.arange(len(first)) if groups is None else groups)[both]
    cells = np.eye(n_classes**2)[first[both] * n_classes + second[both]]

    def kappa(sums: Floats) -> Floats:
        table = sums.reshape(-1, n_classes, n_classes)
        whole = np.maximum(table.sum((1, 2)), 1e-12)
        chance = (table.sum(1) * table.sum(2)).sum(1) / whole**2
        return _beyond(np.trace(table, axis1=1, axis2=2) / whole, chance)

    return _estimate(cells, groups, kappa)


def one_against_others(counts: Ints) -> Ratings:
    """Each vote against the majority of the other raters of its photo.

    Args:
        counts: (N, K) votes.
    """
    photos, said, truth = list[Ints](), list[Ints](), list[Ints]()
    for k in range(counts.shape[1]):
        has = np.flatnonzero(counts[:, k] > 0)
        others = counts[has].copy()
        others[:, k] -= 1
        most = others.max(1, initial=0)
        single = ((others == most[:, None]).sum(1) == 1) & (most > 0)
        times = counts[has, k][single]
        photos.append(np.repeat(has[single], times))
        said.append(np.full(int(times.sum()), k))
        truth.append(np.repeat(others[single].argmax(1), times))
    return Ratings(np.concatenate(photos), np.concatenate(said), np.concatenate(truth))


def share_difference(first: Floats, second: Floats, groups: Ints, family: int = 1) -> Estimate:
    """The share of ``first`` that is true less that of ``second``, which are of the same things or of different ones.

    Args:
        first: (N,) 1 or 0; NaN where it says nothing, as for the other shares.
        second: (N,) likewise.
        groups: (N,) as for ``fleiss``.
        family: how many such differences are looked at; their intervals hold together (Bonferroni).
    """
    parts = np.column_stack([np.nan_to_num(first), ~np.isnan(first), np.nan_to_num(second), ~np.isnan(second)])
    return _estimate(parts, groups, _of_shares, family)


def rater_apart(said: Ints, rater: int, groups: Ints, family: int = 1) -> Estimate:
    """How often a rater agrees with the others, pair by pair, less how often these agree with each other.

    Args:
        said: (N, R) class that each rater chose; negative where a rater did not say.
        rater: which of the R.
        groups: (N,) as for ``fleiss``.
        family: as for ``share_difference``.

    Returns:
        An estimate without a value where no two others rated one of the rater's photos.
    """
    kept = said[:, rater] >= 0
    said, groups = said[kept], groups[kept]
    rated = (said >= 0).sum(1)
    alike = [((said == said[:, [r]]) & (said[:, [r]] >= 0)).sum(1) - (said[:, r] >= 0) for r in range(said.shape[1])]
    own, every = alike[rater], np.sum(alike, axis=0) / 2
    parts = np.column_stack([own, rated - 1, every - own, (rated - 1) * (rated - 2) / 2])
    return _estimate(parts, groups, _of_shares, family)


def _of_shares(sums: Floats) -> Floats:
    """One share less another, from the sums that each is the quotient of."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3])


def _rated(counts: Ints, groups: Ints | None) -> tuple[Ints, Ints]:
    """The photos with two votes or more, and their groups."""
    kept = counts.sum(1) >= 2
    groups = np.arange(len(counts)) if groups is None else np.asarray(groups)
    return counts[kept].astype(np.int64), groups[kept]


def _beyond(observed: Floats, chance: Floats) -> Floats:
    """Agreement beyond chance; NaN where chance alone agrees always."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((observed - chance) / np.where(chance < 1, 1 - chance, np.nan))


def _estimate(parts: Floats, groups: Ints, statistic: Callable[[Floats], Floats], family: int = 1) -> Estimate:
    """A statistic of sums over photos, and its jackknife over groups.

    Args:
        parts: (N, D) what each photo adds to the sums.
        statistic: sums (M, D) → (M,) values.
    """
    if not len(parts):
        return Estimate(None, None, "cannot tell", 0, 0)
    names, group = np.unique(groups, return_inverse=True)
    sums = np.column_stack([np.bincount(group, column, len(names)) for column in parts.T])
    total = sums.sum(0)
    value = float(statistic(total[None])[0])
    if np.isnan(value):
        return Estimate(None, None, "cannot tell", len(parts), len(names))
    without = statistic(total - sums)
    if np.isnan(without).any():  # one group holds all but one class
        return Estimate(value, None, "cannot tell", len(parts), len(names))
    found = mean_difference(without, np.bincount(group).astype(float), value, family=family)
    return Estimate(value, found.interval, found.verdict, len(parts), len(names))
