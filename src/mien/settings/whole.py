"""Whole numbers on the command line: the parser's own way would take 2.5 for 2."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cyclopts import Parameter, Token

from mien.errors import ConfigError

__all__ = ["WHOLE", "whole_number"]


def whole_number(word: str, option: str) -> int:
    """The number that a word says.

    Raises:
        ConfigError: if it is no whole number.
    """
    if not re.fullmatch(r"[+-]?[0-9]+", word.strip()):
        raise ConfigError(f"{option} {word}: must be a whole number")
    return int(word)


def _converted(_: object, tokens: Sequence[Token]) -> int:
    return whole_number(tokens[0].value, tokens[0].keyword or "")


WHOLE = Parameter(converter=_converted)
"""Beside the type of every option that is a whole number."""
