"""The one owner of label names: which spellings mean the same expression, and how two sets of classes match.

A model keeps the class names of the data it was trained on, in a stored order. Two sets are matched by
name first and by synonym second, never by position.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabelError

__all__ = [
    "NOTHING_CHOSEN",
    "SYNONYMS",
    "LabelChoices",
    "LabelMap",
    "canonical",
    "class_indices",
    "match_labels",
    "usual_choices",
]

SYNONYMS: dict[str, tuple[str, ...]] = {
    "anger": ("angry", "mad", "an", "rage"),
    "contempt": ("contemptuous", "scorn"),
    "disgust": ("disgusted", "di"),
    "fear": ("fearful", "afraid", "scared", "fe"),
    "happy": ("happiness", "joy", "joyful", "ha", "smile", "smiling"),
    "neutral": ("ne", "calm", "none", "no expression"),
    "pain": ("painful", "in pain", "hurt"),
    "sad": ("sadness", "sa", "unhappy", "sorrow"),
    "surprise": ("surprised", "su", "astonished", "astonishment"),
}
"""Expression → other names for it that published collections use (FER2013, CK+, JAFFE, AffectNet, RAF-DB)."""

_CANONICAL = {other: name for name, others in SYNONYMS.items() for other in (name, *others)}


def canonical(name: str) -> str:
    """The expression a class name stands for; an unknown name stands for itself, in lower case.

    A leading number as in ``3_happy`` and differences of case, ``_``, ``-`` and spaces do not count.
    """
    plain = re.sub(r"[\s_\-]+", " ", unicodedata.normalize("NFC", name)).strip().lower()
    plain = re.sub(r"^\d+[ .]*(?=[a-z])", "", plain)
    return _CANONICAL.get(plain, plain)


@dataclass(frozen=True)
class LabelChoices:
    """What a person decided of a target's classes; those that are not named are matched by name and synonym.

    Attributes:
        classes: target class → the model's class that it answers to.
        drop: target classes whose photos take no part in any score.
        unknown: target classes that the model does not know, whatever they are called.
        file: where it was read, for messages.
    """

    classes: dict[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    file: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Every target class of which something was decided."""
        return (*self.classes, *self.drop, *self.unknown)


@dataclass(frozen=True)
class LabelMap:
    """How the classes of a target set answer to those of a model.

    Attributes:
        model: the model's classes, in its order.
        matched: target class → model class.
        extra: target classes the model does not know, in the target's order.
        dropped: target classes that a person left out, in the target's order.
    """

    model: tuple[str, ...]
    matched: dict[str, str]
    extra: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """Target class → ``"exact"``, ``"synonym"``, ``"given"`` by a person alone, or ``"merged"`` where several
        target classes answer to one model class.
        """
        return {name: _kind(name, self.matched) for name in self.matched}

    @property
    def shared(self) -> tuple[str, ...]:
        """The model classes that occur in the target, each once, in order of first appearance."""
        return tuple(dict.fromkeys(self.matched.values()))

    @property
    def missing(self) -> tuple[str, ...]:
        """Model classes without a counterpart in the target, in the model's order."""
        return tuple(label for label in self.model if label not in self.shared)

    def among(self, present: Iterable[str]) -> LabelMap:
        """The same of some of the target's classes, such as those that have a photo which can be read.

        Raises:
            LabelError: if none of them is shared.
        """
        names = set(present)
        matched = {name: label for name, label in self.matched.items() if name in names}
        if not matched:
            raise _none_shared(self.model, sorted(names))
        extra, dropped = (tuple(name for name in each if name in names) for each in (self.extra, self.dropped))
        return LabelMap(self.model, matched, extra, dropped)


NOTHING_CHOSEN = LabelChoices()
MAP_THEM = "map its classes in a file (--class-map)"


def match_labels(
    model_labels: Sequence[str], target_labels: Iterable[str], choices: LabelChoices = NOTHING_CHOSEN
) -> LabelMap:
    """Match a target's classes to a model's: as a person chose, else by name, else by synonym.

    Args:
        choices: may name classes that this target does not have, for one file may serve several targets.

    Raises:
        LabelError: if they share no class at all, a synonym fits several classes of the model, or a choice names a
            class that the model does not know.
    """
    target_labels = list(target_labels)
    _check_known(model_labels, choices)
    matched: dict[str, str] = {}
    for name in target_labels:
        answers = _answers(name, model_labels, choices)
        if len(answers) > 1:
            raise LabelError(
                f"the target's class {name!r} could be any of the model's {', '.join(answers)}; "
                f"rename the target's folder to the one that is meant, or {MAP_THEM}"
            )
        if answers:
            matched[name] = answers[0]
    if not matched:
        raise _none_shared(model_labels, target_labels)
    dropped = tuple(name for name in target_labels if name in choices.drop)
    extra = tuple(name for name in target_labels if name not in matched and name not in dropped)
    return LabelMap(tuple(model_labels), matched, extra, dropped)


def usual_choices(model_labels: Sequence[str], target_labels: Iterable[str]) -> LabelChoices:
    """What holds without any choice, as choices to edit; what fits no class of the model, or several, is unknown."""
    found = {name: _answers(name, model_labels, NOTHING_CHOSEN) for name in target_labels}
    classes = {name: answers[0] for name, answers in found.items() if len(answers) == 1}
    return LabelChoices(classes, unknown=tuple(name for name in found if name not in classes))


def class_indices(
    names: Iterable[str], labels: Sequence[str], matched: Mapping[str, str] | None = None
) -> NDArray[np.int64]:
    """Places (N,) of classes in an order of labels.

    Args:
        names: N classes.
        matched: what stands for a class in ``labels``; equal names where it says nothing.
    """
    place, other = {label: i for i, label in enumerate(labels)}, matched or {}
    return np.fromiter((place[other.get(name, name)] for name in names), np.int64)


def _none_shared(model_labels: Sequence[str], target_labels: Sequence[str]) -> LabelError:
    return LabelError(
        f"no class is shared: the model knows {', '.join(model_labels)}; the target has "
        f"{', '.join(target_labels)}. Rename the target's class folders to the model's classes, or {MAP_THEM}."
    )


def _answers(name: str, model_labels: Sequence[str], choices: LabelChoices) -> list[str]:
    """The model's classes that a target's class may answer to."""
    if name in choices.classes:
        return [choices.classes[name]]
    if name in choices.named:
        return []
    return [name] if name in model_labels else [m for m in model_labels if canonical(m) == canonical(name)]


def _kind(name: str, matched: dict[str, str]) -> str:
    label = matched[name]
    if list(matched.values()).count(label) > 1:
        return "merged"
    if name == label:
        return "exact"
    return "synonym" if canonical(name) == canonical(label) else "given"


def _check_known(model_labels: Sequence[str], choices: LabelChoices) -> None:
    for name, label in choices.classes.items():
        if label not in model_labels:
            raise LabelError(
                f"{choices.file}: {name} = {label!r}, but the model knows {', '.join(model_labels)}; give one of "
                "these, or name the class under drop or unknown"
            )
