"""The language of ``--layout``: ``GROUP/LABEL/*`` says which part of a path is what.

Parts between ``/`` are folders, the last is the file's name. ``LABEL``, ``GROUP`` and ``SPLIT`` stand for what is read,
``NUMBER`` for digits, ``*`` for anything; ``LABEL(2)`` and ``*(2)`` are two characters long. All else stands for
itself, in any case.
A ``*`` at the end takes whatever follows, deeper folders too. Within a name, nothing but the last ``*`` takes the
characters that follow it in the pattern: in ``*_LABEL_*`` the label is what stands between the first two ``_``. A
pattern without ``/`` is one of names, whatever folders the files are in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mien.errors import ConfigError

__all__ = ["Pattern", "Place", "compile_pattern"]

_TOKEN = re.compile(
    r"(?P<word>LABEL|GROUP|PERSON|SPLIT|NUMBER)(?:\((?P<width>\d{1,3})\))?|(?P<star>\*+)(?:\((?P<any>\d{1,3})\))?|(?P<text>.)"
)
_ROLES = {"LABEL": "label", "GROUP": "group", "PERSON": "group", "SPLIT": "split"}
JOINED = "/"
"""Between the parts of what a pattern names twice."""


class Place(NamedTuple):
    """What a pattern says of one path; None where it does not name it."""

    label: str | None
    group: str | None
    split: str | None


@dataclass(frozen=True)
class Pattern:
    """A layout that was understood.

    Attributes:
        text: as it was written.
        roles: which of label, group and split it names.
    """

    text: str
    roles: frozenset[str]
    expression: re.Pattern[str]
    names: tuple[tuple[str, str], ...]

    def match(self, path: str) -> Place | None:
        """What a path says; None where it is not laid out like this."""
        found = self.expression.fullmatch(path.rpartition("/")[2] if self.is_of_names else path)
        if found is None:
            return None
        values: dict[str, str] = {}
        for (_, role), value in zip(self.names, found.groups(), strict=True):
            values[role] = f"{values[role]}{JOINED}{value}" if role in values else value
        return Place(values.get("label"), values.get("group"), values.get("split"))

    @property
    def is_of_names(self) -> bool:
        """Whether it speaks of the names of files alone."""
        return "/" not in self.text


def compile_pattern(text: str, option: str = "--layout") -> Pattern:
    """Understand a layout.

    Raises:
        ConfigError: if it names nothing, or is empty between two slashes.
    """
    clean = text.strip().strip("/")
    if not clean or "//" in clean:
        raise ConfigError(f"{option} {text!r}: expected something like 'GROUP/LABEL/*' or '*_LABEL_*'")
    names: list[tuple[str, str]] = []
    segments = clean.split("/")
    parts = [_segment(segment, names, is_last=i == len(segments) - 1) for i, segment in enumerate(segments)]
    if not names:
        raise ConfigError(f"{option} {text!r}: names neither LABEL nor GROUP nor SPLIT, as in 'GROUP/LABEL/*'")
    expression = re.compile("/".join(parts), re.IGNORECASE | re.DOTALL)
    return Pattern(clean, frozenset(role for _, role in names), expression, tuple(names))


def _segment(segment: str, names: list[tuple[str, str]], *, is_last: bool) -> str:
    tokens = list(_TOKEN.finditer(segment))
    if is_last and segment == "*":
        return ".+"
    return "".join(
        _part(token, tokens[i + 1 :], names, ends=is_last and i == len(tokens) - 1) for i, token in enumerate(tokens)
    )


def _part(token: re.Match[str], rest: list[re.Match[str]], names: list[tuple[str, str]], *, ends: bool) -> str:
    """One token as a regular expression; what it names is added to ``names``."""
    if token["text"]:
        return re.escape(token["text"])
    stop = _stop(rest)
    if token["any"]:
        return f"[^/]{{{token['any']}}}"
    if token["star"]:
        return ".*" if ends else f"[^/{stop}]*"
    word, width = token["word"], token["width"]
    if word == "NUMBER":
        return rf"\d{{{width}}}" if width else r"\d+"
    name = f"g{len(names)}"
    names.append((name, _ROLES[word]))
    if width:
        return f"(?P<{name}>[^/]{{{width}}})"
    # A label that runs into a number or the end of a name is letters alone: anger12.png, happy(3).png
    runs_on = bool(rest) and rest[0]["word"] == "NUMBER"
    return f"(?P<{name}>[^/\\d{stop}]+)" if runs_on else f"(?P<{name}>[^/{stop}]+)"


def _stop(rest: Iterable[re.Match[str]]) -> str:
    """The character that ends a part of a name: the literal one that follows in the pattern, for a set of them."""
    following = next(iter(rest), None)
    return re.escape(following["text"]) if following is not None and following["text"] else ""
