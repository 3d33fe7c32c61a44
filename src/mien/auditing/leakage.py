"""How much a score flatters when copies, or photos of one shoot, stand on both sides of a split.

The same probe is scored out of fold under three divisions: photo by photo (naive), copies together (grouped), and
series together. The difference is the leak premium. Its interval is a bootstrap over series, paired, of scores that
are averaged over repeated divisions: it speaks of other photos of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.folds import kfold
from mien.metrics import RESAMPLES, Interval, macro_f1
from mien.training.head import out_of_fold

__all__ = ["FOLDS", "REPEATS", "Leakage", "Premium", "leak_premium"]

FOLDS = 5
REPEATS = 3

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Premium:
    """Macro-F1 under the naive division less that under a stricter one; positive where the naive one flatters."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Leakage:
    """Scores of the same probe on the same photos, divided in different ways.

    Attributes:
        macro_f1: method → mean over repeats, in [0, 1].
        premium: stricter method → what the naive division adds.
    """

    macro_f1: dict[str, float]
    premium: dict[str, Premium]


def leak_premium(features: NDArray[np.float32], y: IntArray, groups: Mapping[str, IntArray], *, seed: int) -> Leakage:
    """Score a probe under every division.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1.
        groups: method → (N,) what stays together; ``naive`` among them, and the coarsest last.

    Raises:
        SplitError: if a class has fewer groups than folds.
    """
    n_classes = int(y.max()) + 1
    units = np.unique(list(groups.values())[-1], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(units.max() + 1, np.full(units.max() + 1, 1 / (units.max() + 1)), RESAMPLES)
    scores, resampled = {}, {}
    for method, group in groups.items():
        repeats = [
            _confusions(features, y, kfold(y.astype(str), group, FOLDS, seed + repeat), units)
            for repeat in range(REPEATS)
        ]
        scores[method] = float(np.mean([macro_f1(c.sum(0).reshape(n_classes, n_classes)) for c in repeats]))
        resampled[method] = np.mean(
            [macro_f1((weights @ c).reshape(RESAMPLES, n_classes, n_classes)) for c in repeats], axis=0
        )
    premiums = {
        method: Premium(scores["naive"] - scores[method], _interval(resampled["naive"] - resampled[method]))
        for method in groups
        if method != "naive"
    }
    return Leakage(scores, premiums)


def _confusions(features: NDArray[np.float32], y: IntArray, folds: IntArray, units: IntArray) -> IntArray:
    """Confusion counts of each unit, (U, K²)."""
    n_classes = int(y.max()) + 1
    predicted = out_of_fold(features, y, folds).argmax(1)
    counts = np.zeros((units.max() + 1, n_classes**2), np.int64)
    np.add.at(counts, (units, y * n_classes + predicted), 1)
    return counts


def _interval(differences: NDArray[np.float64]) -> Interval:
    low, high = np.nanquantile(differences, [0.025, 0.975])
    return Interval(float(low), float(high))
