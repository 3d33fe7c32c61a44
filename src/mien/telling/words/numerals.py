"""How numbers look in the report: one way each, and a dash where there is no number."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["NONE", "count", "interval", "listed", "number_word", "percent", "plural", "score", "signed"]

NONE = "—"
"""Shown where there is no number; never 0."""

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def score(value: float | None, digits: int = 2) -> str:
    """A score in [0, 1]."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A share in [0, 1] as per cent, with a space that does not break."""
    return NONE if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def count(value: float | None) -> str:
    """A whole number with thousands set apart."""
    return NONE if value is None else f"{round(value):,}"


def signed(value: float | None, digits: int = 2) -> str:
    """A difference, with a true minus sign."""
    if value is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    sign = "±" if float(text) == 0 else "+" if value > 0 else "\N{MINUS SIGN}"
    return sign + text


def interval(ends: Sequence[float] | None, kind: str = "score", digits: int = 2) -> str:
    """Both ends of an interval, as ``score``, ``percent`` or ``signed`` numbers."""
    if ends is None:
        return NONE
    if kind == "percent":
        return f"{100 * ends[0]:.0f} to {percent(ends[1])}"
    return " to ".join((signed if kind == "signed" else score)(end, digits) for end in ends)


def plural(n: int, noun: str, nouns: str | None = None) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{count(n)} {noun if n == 1 else nouns or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """``happy, pain and sad``."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def number_word(n: int) -> str:
    """``six`` for 6; digits above twelve."""
    return _WORDS[n] if n < len(_WORDS) else count(n)
