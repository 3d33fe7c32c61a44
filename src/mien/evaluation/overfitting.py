"""Whether a run over- or underfits, told by its scores and its learning curve."""

from __future__ import annotations

from collections.abc import Sequence

from mien.results.scores import Scores
from mien.results.study import Epoch, Fit
from mien.settings.run import NetworkRun, RunConfig

__all__ = ["fit_verdict", "stopped_early"]

GAP = 0.15
"""Train macro-F1 above validation macro-F1 by more than this counts as overfitting."""
LOW = 0.60
"""Train macro-F1 under this counts as underfitting: not even the photos at hand are told apart."""
RISING = 0.01
"""Mean gain of validation macro-F1 an epoch over the last third that counts as still rising."""


def fit_verdict(train: Scores, val: Scores, history: Sequence[Epoch], *, stopped_early: bool) -> Fit:
    """Judge a run.

    Args:
        train: scores of the training photos as predicted by the final model, without augmentation or dropout.
        val: scores of the validation photos.
        history: the epochs; empty for a head on frozen features, which has none.
        stopped_early: whether early stopping ended the training, and not its budget.

    Raises:
        ValueError: if one of the splits is empty.
    """
    if train.macro_f1 is None or val.macro_f1 is None:
        raise ValueError("a run without training or validation photos cannot be judged")
    gap = train.macro_f1 - val.macro_f1
    over, under = gap > GAP, train.macro_f1 < LOW
    rising = not stopped_early and _still_rising([epoch.val_macro_f1 for epoch in history])
    return Fit(
        verdict="both" if over and under else "overfits" if over else "underfits" if under else "balanced",
        gap=gap,
        train_macro_f1=train.macro_f1,
        val_macro_f1=val.macro_f1,
        most_gap=GAP,
        least_train=LOW,
        stopped_early=stopped_early if history else None,
        still_rising=rising if history else None,
    )


def _still_rising(scores: Sequence[float]) -> bool:
    """Whether the least-squares slope over the last third (at least three epochs) is above ``RISING``."""
    last = scores[-max(3, len(scores) // 3) :]
    if len(last) < 3:
        return False
    centre = (len(last) - 1) / 2
    mean = sum(last) / len(last)
    spread = sum((i - centre) ** 2 for i in range(len(last)))
    return sum((i - centre) * (s - mean) for i, s in enumerate(last)) / spread > RISING


def stopped_early(config: RunConfig, history: Sequence[Epoch]) -> bool:
    """Whether a network's training ended because validation no longer rose, before its budget was spent."""
    if not isinstance(config, NetworkRun) or config.train.stop_patience is None or not history:
        return False
    scores = [epoch.val_accuracy if config.train.monitor == "accuracy" else epoch.val_macro_f1 for epoch in history]
    return len(scores) - 1 - scores.index(max(scores)) >= config.train.stop_patience
