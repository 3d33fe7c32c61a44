"""How much a score flatters when copies, or photos of one shoot, stand on both sides of a split.

The same probe is scored out of fold under several divisions: photo by photo (naive), copies together (grouped), series
together, and the user's groups, such as people, together. The difference is the leak premium. Its interval is a
bootstrap over what is coarsest of these, paired, of scores that are averaged over repeated divisions: it speaks of
other photos of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien.data.grouping.folds import kfold
from mien.metrics import RESAMPLES, Interval, macro_f1
from mien.results.audit import Leakage, Premium
from mien.training.head import out_of_fold

__all__ = ["leak_premium"]

FOLDS = 5
REPEATS = 3

IntArray = NDArray[np.int64]


def leak_premium(
    features: NDArray[np.float32],
    y: IntArray,
    groups: Mapping[str, IntArray],
    *,
    units: IntArray | None = None,
    seed: int,
) -> Leakage:
    """Score a probe under every division.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1.
        groups: method → (N,) what stays together; ``naive`` among them.
        units: (N,) what the bootstrap draws; the last of ``groups`` where None.

    Raises:
        SplitError: if a class has fewer groups than folds.
    """
    n_classes = int(y.max()) + 1
    units = np.unique(list(groups.values())[-1] if units is None else units, return_inverse=True)[1]
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
        method: _premium(scores["naive"] - scores[method], _interval(resampled["naive"] - resampled[method]))
        for method in groups
        if method != "naive"
    }
    return Leakage(macro_f1=scores, premium=premiums, folds=FOLDS, repeats=REPEATS, resamples=RESAMPLES)


def _premium(value: float, interval: Interval) -> Premium:
    if interval.low > 0:
        return Premium(value=value, interval=interval, verdict="naive flatters")
    return Premium(value=value, interval=interval, verdict="naive scores lower" if interval.high < 0 else "cannot tell")


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
