"""How much too high a score is when copies, or photos of one shoot, are on both sides of a split.

The same probe is scored out of fold under several divisions: photo by photo (naive), copies together (grouped), people
together where they are known, and series together. The difference is the leak premium. Its interval is a jackknife over
the coarsest groups (people, or series), paired, of scores that are averaged over repeated divisions: it speaks of other
people, or of other photos of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien.data.grouping.folds import kfold
from mien.data.grouping.independence import Independent
from mien.metrics import Interval, macro_f1, mean_difference
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
    units: Independent | None = None,
    *,
    seed: int,
) -> Leakage:
    """Score a probe under every division.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1.
        groups: method → (N,) what stays together; ``naive`` among them.
        units: what is independent; no group of a method reaches beyond one. The last groups, as series, where None.

    Raises:
        SplitError: if a class has fewer groups than folds.
    """
    n_classes = int(y.max()) + 1
    units = units or Independent(list(groups.values())[-1], "series")
    unit = np.unique(units.of, return_inverse=True)[1]
    whole, without = {}, {}
    for method, group in groups.items():
        repeats = [
            _confusions(features, y, kfold(y.astype(str), group, FOLDS, seed + repeat), unit)
            for repeat in range(REPEATS)
        ]
        whole[method] = float(np.mean([_macro_f1(c.sum(0), n_classes) for c in repeats]))
        without[method] = np.mean([_macro_f1(c.sum(0) - c, n_classes) for c in repeats], axis=0)
    sizes = np.bincount(unit).astype(float)
    premiums = {}
    for method in groups:
        if method != "naive":
            value = whole["naive"] - whole[method]
            found = mean_difference(without["naive"] - without[method], sizes, value)
            premiums[method] = _premium(value, found.interval)
    return Leakage(macro_f1=whole, premium=premiums, folds=FOLDS, repeats=REPEATS, over=units.over)


def _premium(value: float, interval: Interval | None) -> Premium:
    if interval is None or interval.low <= 0 <= interval.high:
        return Premium(value=value, interval=interval, verdict="cannot tell")
    return Premium(value=value, interval=interval, verdict="naive flatters" if value > 0 else "naive scores lower")


def _macro_f1(counts: IntArray, n_classes: int) -> NDArray[np.float64]:
    return np.asarray(macro_f1(counts.reshape(*counts.shape[:-1], n_classes, n_classes)), np.float64)


def _confusions(features: NDArray[np.float32], y: IntArray, folds: IntArray, units: IntArray) -> IntArray:
    """Confusion counts of each unit, (U, K²)."""
    n_classes = int(y.max()) + 1
    predicted = out_of_fold(features, y, folds).argmax(1)
    counts = np.zeros((units.max() + 1, n_classes**2), np.int64)
    np.add.at(counts, (units, y * n_classes + predicted), 1)
    return counts
