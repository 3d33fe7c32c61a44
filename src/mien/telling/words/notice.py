"""What everyone must read before use, and what a recogniser is for and not for: the one source of these words.

The page, the service, model cards, model files and docs/LAW.md all say them from here.
"""

from __future__ import annotations

__all__ = ["BARRED", "INTENDED", "NOTICE", "plain_notice"]

NOTICE = (
    "These networks name the expression *shown*, never the emotion felt: people show what they do not feel, and feel "
    "what they do not show.",
    "EU law forbids inferring emotions of people at work and in education, except for medical or safety reasons (AI "
    "Act, Article 5(1)(f)).",
    "Elsewhere emotion recognition is high-risk (Annex III, 1(c)), and since 2 August 2026 the people exposed to it "
    "must be informed (Article 50(3)).",
    "Speaking only of the expression shown does not exempt a use from this law. Pain is a physical state, not an "
    "emotion.",
    "Other people must consent to the use of their faces. This is not legal advice.",
)
"""Sentences, in Markdown."""

INTENDED = (
    "Research on expressions shown in photos like those it was tested on.",
    "Sorting and labelling such photos in advance, with a person checking every answer that matters.",
    "Comparing recognisers on the same photos.",
)

BARRED = (
    "Inferring emotions of people at work or in education, which EU law forbids except for medical or safety reasons.",
    "Decisions about a person, such as hiring, marking, credit, insurance, policing or access.",
    "Diagnosis of an illness, of pain or of a state of mind, and detection of lies.",
    "Monitoring people who were not informed or did not consent.",
)


def plain_notice() -> str:
    """The notice as one paragraph without marks."""
    return " ".join(NOTICE).replace("*", "")
