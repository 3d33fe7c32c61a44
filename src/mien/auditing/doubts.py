"""Labels to look at again: those that a probe, trained on the other photos, would not have given.

Probabilities are out of fold, with copies of a photo, and photos of a person, in the same fold; cleanlab turns them
into a ranking (confident learning, Northcutt et al. 2021). The probe is itself often wrong, so a doubt is a reason to
look, no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.grouping.folds import kfold
from mien.extras import without_warnings
from mien.training.head import out_of_fold

__all__ = ["FOLDS", "Doubts", "doubt_labels"]

FOLDS = 5

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Doubts:
    """What a probe says of each of N labels.

    Attributes:
        is_doubtful: (N,) whether the label is probably wrong by cleanlab's count of confident disagreements.
        quality: (N,) probability that the probe gives to the label it has, in [0, 1].
        suggested: (N,) the class the probe finds likeliest.
        accuracy: share of labels the probe agrees with, in [0, 1].
        folds: how many there were.
    """

    is_doubtful: NDArray[np.bool_]
    quality: FloatArray
    suggested: IntArray
    accuracy: float
    folds: int


def doubt_labels(features: FloatArray, y: IntArray, groups: IntArray, *, seed: int, folds: int = FOLDS) -> Doubts:
    """Judge every label by the photos of the other folds.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1, every class in at least ``folds`` groups.
        groups: (N,) what must not straddle folds.

    Raises:
        SplitError: if a class has fewer groups than folds.
    """
    with without_warnings():
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

    probs = out_of_fold(features, y, kfold(y.astype(str), groups, folds, seed))
    suspects = find_label_issues(y, probs, filter_by="both", n_jobs=1)
    quality = get_label_quality_scores(y, probs, method="self_confidence")
    suggested = probs.argmax(1)
    return Doubts(
        np.asarray(suspects, bool), quality.astype(np.float32), suggested, float((suggested == y).mean()), folds
    )
