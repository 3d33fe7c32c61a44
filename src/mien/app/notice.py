"""What everyone must read before a camera starts; the model cards say the same."""

from __future__ import annotations

__all__ = ["NOTICE"]

NOTICE = (
    "These networks name the expression *shown*, never the emotion felt: people show what they do not feel, and feel "
    "what they do not show.",
    "EU law forbids inferring emotions of people at work and in education, except for medical or safety reasons (AI "
    "Act, Article 5(1)(f)).",
    "Elsewhere emotion recognition is high-risk (Annex III, 1(c)), and since 2 August 2026 the people exposed to it "
    "must be informed (Article 50(3)).",
    "To speak of the expression shown does not exempt a use from this law. Pain is a physical state, not an emotion.",
    "Faces of others need their consent. This is not legal advice.",
)
"""Sentences, in Markdown."""
