"""What the page of ``mien review`` calls what the audit found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mien.telling.words.numerals import count, plural, score

__all__ = ["FINDINGS", "decided_sentence", "found_sentence", "suggestion_sentence"]

FINDINGS = {
    "two_labels": "Under two labels",
    "doubtful_label": "Doubtful label",
    "copy": "Copy",
    "blank": "Blank photo",
    "no_face": "No face found",
    "tiny_face": "Tiny face",
    "cut_face": "Face cut off by the frame",
    "blurred_face": "Blurred face",
    "several_faces": "Several faces",
    "drawn": "Drawn",
    "perhaps_drawn": "Perhaps drawn",
}
"""Finding → what a reader calls it, the worst first."""


def found_sentence(findings: Iterable[Sequence[str]]) -> str:
    """How many photos need a look, and for what; a photo may have several findings."""
    every = list(findings)
    counts = Counter(name for names in every for name in names)
    told = [f"{name.lower()} {count(counts[key])}" for key, name in FINDINGS.items() if counts[key]]
    return f"{plural(len(every), 'photo')} to look at: {', '.join(told)}"


def decided_sentence(decided: int, of: int) -> str:
    """How far a review has come."""
    return f"{count(decided)} of {plural(of, 'photo')} decided"


def suggestion_sentence(suggested: str, label: str, quality: float) -> str:
    """What the probe says of a label."""
    if suggested == label:
        return f"The probe agrees with “{label}”, to which it gives a probability of {score(quality)}."
    return (
        f"The probe would say “{suggested}”, and gives “{label}” a probability of {score(quality)}. It is often wrong: "
        "decide by looking."
    )
