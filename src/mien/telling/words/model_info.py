"""What a model file says of itself, for the page's tab and for ``mien predict --model-info``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mien.telling.words.notice import plain_notice

__all__ = ["Described", "Sure", "Weights", "described", "licences", "measured_sentence", "promise_sentence"]


class Weights(Protocol):
    """Pretrained weights that a model is made of."""

    @property
    def name(self) -> str:
        """Of the backbone."""

    @property
    def licence(self) -> str:
        """As their makers name it."""


class Described(Protocol):
    """What is read of a model file's contract."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in order."""

    @property
    def collections(self) -> tuple[str, ...]:
        """What it was trained on."""

    @property
    def backbones(self) -> Sequence[Weights]:
        """What it is made of."""

    @property
    def unproven(self) -> tuple[str, ...]:
        """Classes that were never measured on people from elsewhere."""

    @property
    def measured(self) -> dict[str, Any] | None:  # type: ignore[explicit-any]  # as the file has it
        """How good it was found to be."""

    @property
    def card(self) -> dict[str, str] | None:
        """Heading → text, of a model that a study tested."""


class Sure(Protocol):
    """From which probability on answers are sure."""

    @property
    def max_error(self) -> float:
        """The share of them that may be wrong."""

    @property
    def probability(self) -> float:
        """From there on."""

    @property
    def answered(self) -> float:
        """The share of photos that reach it."""


def described(model: Described, threshold: Sure | None) -> dict[str, str]:
    """Heading → text: the card of a study where the file has one, else what the contract says."""
    if model.card:
        return {heading[:1].upper() + heading[1:]: text for heading, text in model.card.items()}
    unproven = (
        f" Classes never measured on people from elsewhere: {', '.join(model.unproven)}." if model.unproven else ""
    )
    return {
        "Classes": ", ".join(model.labels),
        "Trained on": ", ".join(model.collections) or "Not stated.",
        "Scores": measured_sentence(model) + unproven,
        "Calibration": f"An answer is called unsure {_small(promise_sentence(threshold))}",
        "Licence": licences(model),
        "Notice": plain_notice(),
    }


def _small(sentence: str) -> str:
    """To go on with after other words."""
    return sentence[:1].lower() + sentence[1:]


def licences(model: Described) -> str:
    """Of the weights that it is made of."""
    return "; ".join(f"{each.name}: {each.licence}" for each in model.backbones) or "Not stated."


def measured_sentence(model: Described) -> str:
    """What is stored of how good it is, with its interval and what that is over."""
    measured = model.measured
    if not measured:
        return "Nothing is stored in this model file; see the report of its study."
    ends = measured["interval"]
    groups = measured.get("over")  # of model files from before, not said
    over = f", over {groups['number']:,} {groups['kind']}" if groups else ""
    told = f" (95 % interval {ends[0]:.2f} to {ends[1]:.2f}{over})" if ends else ""
    return (
        f"Macro-F1 {measured['macro_f1']:.2f}{told} on {measured['images']:,} "
        f"photos, {measured['how']}. That is the mean of one score for each class; 1 is perfect, and guessing gives "
        f"about {1 / len(model.labels):.2f}. Expect lower scores on other photos."
    )


def promise_sentence(threshold: Sure | None) -> str:
    """When an answer is called unsure, and what was promised of the others."""
    always = "Where no face is found, or where the face is too small or too blurred"
    if threshold is None:
        return f"{always}. How often its other answers are right was not promised."
    return (
        f"{always}, and below a probability of {100 * threshold.probability:.0f} %. On the photos the model was "
        f"measured on, {100 * threshold.answered:.0f} % of answers reach that probability, and at most "
        f"{100 * threshold.max_error:g} % of "
        "these answers should be wrong on photos like them."
    )
