"""``mien predict --model-info``: what a model file says of itself, in lines of a terminal."""

from __future__ import annotations

import textwrap

from mien.system.streams import escaped
from mien.telling.words.model_info import Described, Sure, described

__all__ = ["model_info"]

WIDTH = 80


def model_info(name: str, model: Described, threshold: Sure | None) -> str:
    """The model's name, and a paragraph under each heading."""
    parts = [escaped(name)]
    for heading, text in described(model, threshold).items():
        filled = textwrap.fill(escaped(text), WIDTH, initial_indent="  ", subsequent_indent="  ")
        parts += ["", escaped(heading), filled]
    return "\n".join(parts)
