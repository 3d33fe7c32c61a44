"""Whether a run over- or underfits, told by its scores and its learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["fit_verdict"]

GAP = 0.15
"""Train macro-F1 above validation macro-F1 by more than this counts as overfitting."""
LOW = 0.60
"""Train macro-F1 under this counts as underfitting: not even the photos at hand are told apart."""
RISING = 0.01
"""Mean gain of validation macro-F1 an epoch over the last third that counts as still rising."""


def fit_verdict(
    train: Mapping[str, Any], val: Mapping[str, Any], history: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Judge a run.

    Args:
        train: scores of the training photos as predicted by the final model, without augmentation or dropout.
        val: scores of the validation photos.
        history: the epochs; empty for a head on frozen features, which has none.

    Returns:
        ``verdict`` (``overfits``, ``underfits``, ``both`` or ``balanced``), ``gap``, the two scores, whether
        validation was ``still_rising`` at the end (null without history) and a sentence.
    """
    gap = train["macro_f1"] - val["macro_f1"]
    over, under = gap > GAP, train["macro_f1"] < LOW
    verdict = "both" if over and under else "overfits" if over else "underfits" if under else "balanced"
    rising = _still_rising([row["val_macro_f1"] for row in history])
    return {
        "verdict": verdict,
        "gap": gap,
        "train_macro_f1": train["macro_f1"],
        "val_macro_f1": val["macro_f1"],
        "still_rising": rising,
        "sentence": _sentence(verdict, train["macro_f1"], val["macro_f1"], rising, is_frozen=not history),
    }


def _still_rising(scores: Sequence[float]) -> bool | None:
    """Whether the least-squares slope over the last third (at least three epochs) is above ``RISING``."""
    if not scores:
        return None
    last = scores[-max(3, len(scores) // 3) :]
    if len(last) < 3:
        return False
    centre = (len(last) - 1) / 2
    mean = sum(last) / len(last)
    spread = sum((i - centre) ** 2 for i in range(len(last)))
    return sum((i - centre) * (s - mean) for i, s in enumerate(last)) / spread > RISING


def _sentence(verdict: str, train: float, val: float, rising: bool | None, *, is_frozen: bool) -> str:
    scores = f"macro-F1 {train:.2f} on its training photos against {val:.2f} on validation"
    remedy = "" if is_frozen else ", augmentation, or a stronger penalty"
    larger = "A larger backbone" if is_frozen else "A larger network, pretrained features, or longer training"
    told = {
        "overfits": f"Overfits: {scores}. More or more varied photos{remedy} may help.",
        "underfits": f"Underfits: {scores}. {larger} may help.",
        "both": f"Learns its photos poorly and generalises worse: {scores}. {larger} may help.",
        "balanced": f"Balanced: {scores}.",
    }[verdict]
    if rising:
        told += " Validation was still rising when training ended: a larger budget may help."
    return told
