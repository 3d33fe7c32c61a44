"""What everyone must read before a camera starts; the model cards say the same."""

from __future__ import annotations

__all__ = ["NOTICE"]

NOTICE = (
    "These networks name the expression *shown*, never the emotion felt: people show what they do not feel, and feel "
    "what they do not show.",
    "EU law bars inferring emotions of people at work and in education (AI Act, Article 5(1)(f); medical and safety "
    "uses excepted).",
    "Faces of others need their consent.",
)
"""Sentences, in Markdown."""
