"""What an interval is over, in words: other people, or other photos of the same kind; or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from mien.results.scores import Over, Scores
from mien.telling.words.numerals import interval, plural

__all__ = ["cannot_tell", "counted", "four_times", "over", "over_each", "span"]

NOUNS = {
    "people": ("person", "people"),
    "groups": ("group", "groups"),
    "series": ("series", "series"),
    "pictures": ("picture", "pictures"),
}
"""What groups are called, one and several."""


def counted(groups: Over) -> str:
    """``30 people``."""
    return plural(groups.number, *NOUNS[groups.kind])


def over(groups: Over | None) -> str:
    """``, over 30 people``; nothing of results that do not say it."""
    return "" if groups is None else f", over {counted(groups)}"


def cannot_tell(groups: Over | None) -> str | None:
    """``cannot tell: only 4 people``, where they are too few for an interval."""
    return None if groups is None or groups.enough else f"cannot tell: only {counted(groups)}"


def span(ends: Sequence[float] | None, groups: Over | None, kind: str = "score", digits: int = 2) -> str:
    """``0.61 to 0.72, over 30 people``, or why there is no interval."""
    return cannot_tell(groups) or interval(ends, kind, digits) + over(groups)


def over_each(sides: Sequence[tuple[str, Over | None]]) -> str | None:
    """What the intervals of several sets are over, in a line; None where no set says it."""
    told = [
        f"{name} {counted(groups)}" + ("" if groups.enough else ", too few to tell") for name, groups in sides if groups
    ]
    return f"95 % intervals are over: {'; '.join(told)}" if told else None


def four_times(scores: Scores) -> tuple[str, str]:
    """What a set has of what is independent, and four times as much, which halves an interval."""
    groups = scores.over
    if groups is None or groups.kind in ("pictures", "series"):
        return plural(scores.images, "photo"), plural(4 * scores.images, "photo")
    return counted(groups), plural(4 * groups.number, *NOUNS[groups.kind])
