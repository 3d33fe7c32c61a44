"""What answers are worth on one side, and how that differs from those before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics import confusion_matrix, macro_f1, paired_difference
from mien.results.adaptation import SideScores

__all__ = ["Side", "judged", "likeliest"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """Photos of the source or of the target.

    Attributes:
        features: (N, D).
        y: (N,) class indices.
        groups: (N,) what belongs together.
    """

    features: NDArray[np.float32]
    y: IntArray
    groups: IntArray

    def part(self, chosen: NDArray[np.bool_]) -> Side:
        """Some of the photos."""
        return Side(self.features[chosen], self.y[chosen], self.groups[chosen])


def judged(said: Sequence[IntArray], before: IntArray, side: Side, n_classes: int, family: int = 1) -> SideScores:
    """Scores of the answers of several draws, and the change from the model before.

    Args:
        said: of each draw, classes (N,).
        before: classes (N,) that the model as it is answers.
        family: how many changes are looked at; their intervals hold together.

    Returns:
        Means over the draws, and the change of the answers of all draws together, paired photo by photo. Its interval
        speaks of other photos; how much draws differ is told by the lowest and the highest.
    """
    draws = len(said)
    scores = [float(macro_f1(confusion_matrix(side.y, each, n_classes))) for each in said]
    y, groups, unchanged = (np.tile(each, draws) for each in (side.y, side.groups, before))
    change = paired_difference(y, np.concatenate(said), unchanged, n_classes, groups=groups, family=family)
    return SideScores(
        macro_f1=float(np.mean(scores)),
        accuracy=float(np.mean([(each == side.y).mean() for each in said])),
        lowest=min(scores),
        highest=max(scores),
        change=change.value,
        interval=change.interval,
        verdict=change.verdict,
    )


def likeliest(logits: NDArray[np.float32] | NDArray[np.float64], classes: IntArray) -> IntArray:
    """The likeliest (N,) of the classes that may be answered, by logits (N, K)."""
    return np.asarray(classes[logits[:, classes].argmax(1)], np.int64)
