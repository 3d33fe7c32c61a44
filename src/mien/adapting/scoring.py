"""What a head is worth on one side, and how that differs from the head before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.metrics import confusion_matrix, macro_f1, paired_difference
from mien.training.head import Head

__all__ = ["Side", "judged"]

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
    groups: NDArray[np.integer]

    def part(self, chosen: NDArray[np.bool_]) -> Side:
        """Some of the photos."""
        return Side(self.features[chosen], self.y[chosen], self.groups[chosen])


def judged(heads: Sequence[Head], before: Head, side: Side, answers: IntArray, family: int = 1) -> dict[str, Any]:
    """Scores of the heads of several draws, and the change from the head before.

    Args:
        answers: the classes that may be answered.
        family: how many changes are looked at; their intervals hold together.

    Returns:
        ``macro_f1`` and ``accuracy``: means over the draws; ``lowest`` and ``highest`` macro-F1 of a draw; ``change``
        of macro-F1, its ``interval`` and ``verdict``: of the answers of all draws together, paired photo by photo. The
        interval speaks of other photos; how much draws differ is told by the lowest and the highest.
    """
    k, draws = len(before[1]), len(heads)
    said = [_answers(head, side, answers) for head in heads]
    scores = [float(macro_f1(confusion_matrix(side.y, each, k))) for each in said]
    y, groups = np.tile(side.y, draws), np.tile(side.groups, draws)
    unchanged = np.tile(_answers(before, side, answers), draws)
    change = paired_difference(y, np.concatenate(said), unchanged, k, groups=groups, family=family)
    return {
        "macro_f1": float(np.mean(scores)),
        "accuracy": float(np.mean([(each == side.y).mean() for each in said])),
        "lowest": min(scores),
        "highest": max(scores),
        "change": change.value,
        "interval": [change.interval.low, change.interval.high],
        "verdict": change.verdict,
    }


def _answers(head: Head, side: Side, answers: IntArray) -> IntArray:
    weight, bias = head
    logits = side.features @ weight[answers].T + bias[answers]
    return np.asarray(answers[logits.argmax(1)], np.int64)
