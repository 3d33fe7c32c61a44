"""Why the score on photos from elsewhere differs, in sentences and as rows of a chart."""

from __future__ import annotations

from collections.abc import Sequence

from mien.results.target import Causes, Effect, JpegQuality, Move
from mien.telling.report.tables import Dot, change_dots
from mien.telling.words.numerals import count, percent, plural, score, signed

__all__ = ["TITLES", "TOGETHER", "cause_dots", "cause_sentences"]

TITLES = {
    "crop": "cropped to the face",
    "resolution": "as coarse",
    "grey": "grey",
    "light": "as bright and as rich in contrast",
    "compression": "compressed likewise",
    "class_balance": "classes as frequent as there",
}
"""Property → what was done to the test photos."""
TOGETHER = "all of these at once"


def cause_sentences(causes: Causes | None) -> list[str]:
    """What was measured, the greatest cause, and what is left."""
    if causes is None:
        return ["Why it scores otherwise was not measured: that takes enough test photos of the classes it shows."]
    fall = causes.reached - causes.macro_f1
    return [
        f"{plural(causes.images, 'test photo')} of the shared classes, on which the model reaches a macro-F1 of "
        f"{score(causes.macro_f1)}, were made like those from elsewhere in one property at a time and scored again.",
        _largest(causes.moved),
        f"All at once they change it by {signed(causes.together.change)}, of {signed(fall)} in all; "
        f"{signed(causes.unexplained)} stays unexplained: other people, other ways to show or to label an "
        "expression, or what was not measured. Effects overlap, so they do not add up.",
        _compressed(causes.jpeg),
    ]


def _compressed(jpeg: JpegQuality) -> str:
    """How strongly the files were compressed, and what is not known of it."""
    if not jpeg.share:
        return (
            "How strongly the photos from elsewhere were compressed is not known: none of their files is a JPEG, and "
            "an earlier compression leaves no trace in other formats."
        )
    share = "All" if jpeg.share == 1 else percent(jpeg.share)
    told = f"{share} of their files are JPEGs, of a median quality of {count(jpeg.target)}"
    return f"{told}; that of the test photos is {count(jpeg.test)}. The lower, the more strongly compressed."


def _largest(moved: Sequence[Move]) -> str:
    worst = min(moved, key=lambda move: move.change)
    if not worst.lowers:
        return "None of them alone lowers the score by more than these photos can tell from chance."
    made = TITLES[worst.property]
    how = f"With {made}" if worst.property == "class_balance" else f"Made {made}"
    return f"{how}, they score {score(-worst.change)} lower, the largest fall from one cause."


def cause_dots(causes: Causes) -> tuple[list[Dot], float]:
    """A row for each property and one for all, and the value at the chart's right end."""
    rows: list[tuple[str, Effect]] = [(TITLES[move.property], move) for move in causes.moved]
    rows.append((TOGETHER, causes.together))
    named = [(title, f"then {score(row.macro_f1)}", row.change, row.interval) for title, row in rows]
    return change_dots(named)
