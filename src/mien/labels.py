"""The one owner of label names: which spellings mean the same expression, and how two sets of classes match.

A model keeps the class names of the data it was trained on, in a stored order. Two sets are matched by
name first and by synonym second, never by position.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mien.errors import LabelError

__all__ = ["SYNONYMS", "LabelMap", "canonical", "match_labels"]

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
class LabelMap:
    """How the classes of a target set answer to those of a model.

    Attributes:
        matched: target class → model class.
        kinds: target class → ``"exact"``, ``"synonym"``, or ``"merged"`` where several target classes
            answer to one model class.
        extra: target classes the model does not know, in the target's order.
        missing: model classes without a counterpart in the target, in the model's order.
    """

    matched: dict[str, str]
    kinds: dict[str, str]
    extra: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def shared(self) -> tuple[str, ...]:
        """The model classes that occur in the target, each once, in order of first appearance."""
        return tuple(dict.fromkeys(self.matched.values()))


def match_labels(model_labels: Sequence[str], target_labels: Iterable[str]) -> LabelMap:
    """Match a target's classes to a model's, by name first and by synonym second.

    Raises:
        LabelError: if they share no class at all, or a synonym fits several classes of the model.
    """
    target_labels = list(target_labels)
    matched: dict[str, str] = {}
    for name in target_labels:
        answers = [name] if name in model_labels else [m for m in model_labels if canonical(m) == canonical(name)]
        if len(answers) > 1:
            raise LabelError(
                f"the target's class {name!r} could be any of the model's {', '.join(answers)}; "
                "rename the target's folder to the one that is meant"
            )
        if answers:
            matched[name] = answers[0]
    if not matched:
        raise LabelError(
            f"no class is shared: the model knows {', '.join(model_labels)}; the target has "
            f"{', '.join(target_labels)}. Rename the target's class folders to the model's classes."
        )
    answers = list(matched.values())
    kinds = {
        name: "merged" if answers.count(label) > 1 else "exact" if name == label else "synonym"
        for name, label in matched.items()
    }
    extra = tuple(name for name in target_labels if name not in matched)
    missing = tuple(label for label in model_labels if label not in answers)
    return LabelMap(matched, kinds, extra, missing)
