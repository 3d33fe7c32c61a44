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
        groups: (N,) near-duplicate groups.
    """

    features: NDArray[np.float32]
    y: IntArray
    groups: NDArray[np.integer]


def judged(heads: Sequence[Head], before: Head, side: Side, answers: IntArray) -> dict[str, Any]:
    """Scores of the heads of several draws, and the change from the head before.

    Args:
        answers: the classes that may be answered.

    Returns:
        ``macro_f1`` and ``accuracy``: means over the draws; ``lowest`` and ``highest`` macro-F1 of a draw; ``change``
        of macro-F1, its ``interval`` and ``verdict``: of the draw in the middle, paired photo by photo.
    """
    k = len(before[1])
    said = [_answers(head, side, answers) for head in heads]
    scores = [float(macro_f1(confusion_matrix(side.y, each, k))) for each in said]
    middle = int(np.argsort(scores, kind="stable")[(len(scores) - 1) // 2])
    change = paired_difference(side.y, said[middle], _answers(before, side, answers), k, groups=side.groups)
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
