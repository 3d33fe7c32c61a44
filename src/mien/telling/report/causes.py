"""Why the score on photos from elsewhere differs, in sentences and as rows of a chart."""

from __future__ import annotations

from mien.results.target import Causes, Effect, JpegQuality
from mien.telling.report.tables import Dot, change_dots
from mien.telling.words.numerals import count, percent, plural, score, signed

__all__ = ["TITLES", "TOGETHER", "cause_dots", "cause_sentences", "largest_cause"]

TITLES = {
    "crop": "cropped to the face",
    "resolution": "at the same resolution",
    "grey": "in grey",
    "light": "with the same brightness and contrast",
    "compression": "compressed as strongly",
    "class_balance": "with the same class frequencies",
}
"""Property → what was done to the test photos."""
TOGETHER = "all of these together"


def cause_sentences(causes: Causes | None) -> list[str]:
    """What was measured, the greatest cause, and what is left."""
    if causes is None:
        return ["Why the score differs was not measured: that takes more test photos of the shared classes."]
    fall = causes.reached - causes.macro_f1
    return [
        f"{plural(causes.images, 'test photo')} of the shared classes (macro-F1 {score(causes.macro_f1)}) were made "
        "like those from elsewhere in one property at a time and scored again.",
        largest_cause(causes),
        f"All properties together change the score by {signed(causes.together.change)}, of {signed(fall)} in total; "
        f"{signed(causes.unexplained)} remains unexplained. Effects overlap, so they do not add up.",
        _compressed(causes.jpeg),
    ]


def _compressed(jpeg: JpegQuality) -> str:
    """How strongly the files were compressed, and what is not known of it."""
    if not jpeg.share:
        return (
            "How strongly the photos from elsewhere were compressed is unknown: none of the files is a JPEG, and other "
            "formats hide earlier compression."
        )
    share = "All" if jpeg.share == 1 else percent(jpeg.share)
    told = f"{share} of their files are JPEGs with a median quality of {count(jpeg.target)}"
    own = "" if jpeg.test is None else f"; that of the test photos is {count(jpeg.test)}"
    return f"{told}{own}. Lower means more strongly compressed."


def largest_cause(causes: Causes) -> str:
    """Which single property of the pictures lowers the score most."""
    worst = min(causes.moved, key=lambda move: move.change)
    if not worst.lowers:
        return "No single property of the pictures lowers the score significantly."
    made = TITLES[worst.property]
    lower = score(-worst.change)
    return f"{made[:1].upper()}{made[1:]}, the test photos score {lower} lower, the largest fall from one cause."


def cause_dots(causes: Causes) -> tuple[list[Dot], float]:
    """A row for each property and one for all, and the value at the chart's right end."""
    rows: list[tuple[str, Effect]] = [(TITLES[move.property], move) for move in causes.moved]
    rows.append((TOGETHER, causes.together))
    named = [(title, f"to {score(row.macro_f1)}", row.change, row.interval) for title, row in rows]
    return change_dots(named)
