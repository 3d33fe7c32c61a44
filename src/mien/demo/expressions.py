"""What each drawn expression does to a face, in facial action units.

An action unit (AU) is one visible movement of the face in the Facial Action Coding System (P. Ekman and
W. V. Friesen, 1978), such as AU12, the lip corner puller. The drawing code knows no expressions: it reads
only the intensities that this module hands it, so every label is drawn by the same hand.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

Units = Mapping[int, float]

UNIT_NAMES: dict[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    43: "eyes closed",
    64: "eyes down",
}
"""The units that can be drawn, with their FACS names."""

ACTION_UNITS: dict[str, dict[int, float]] = {
    "anger": {4: 1.0, 5: 0.6, 7: 0.5, 23: 0.8},
    "disgust": {9: 1.0, 10: 0.9},
    "fear": {1: 0.9, 2: 0.7, 4: 0.5, 5: 1.0, 20: 0.9, 25: 0.7},
    "happy": {6: 0.8, 12: 1.0},
    "neutral": {},
    "pain": {4: 0.9, 6: 0.7, 7: 0.8, 9: 0.5, 10: 0.6, 43: 0.95},
    "sad": {1: 1.0, 4: 0.5, 15: 1.0},
    "surprise": {1: 0.9, 2: 1.0, 5: 0.8, 25: 0.6, 26: 1.0},
}
"""Label to the units it always shows, each with its intensity at full strength, 0 to 1.

Pain follows K. M. Prkachin and P. E. Solomon (Pain 139, 2008): AU4, AU6 or AU7, AU9 or AU10, and AU43. The
others follow the prototypes of EMFACS as tabled by P. Lucey et al. for CK+ (CVPR workshops, 2010): anger
4+5+7+23, disgust 9 or 10, fear 1+2+4+5+20+25, happy 6+12, sadness 1+4+15, surprise 1+2+5+26.
"""

SOMETIMES: dict[str, dict[int, float]] = {
    "anger": {17: 0.5, 24: 0.7, 25: 0.6},
    "disgust": {4: 0.4, 15: 0.5, 16: 0.6, 17: 0.5, 25: 0.5},
    "fear": {26: 0.6},
    "happy": {25: 0.8, 26: 0.35},
    "neutral": {25: 0.15},
    "pain": {20: 0.6, 25: 0.8, 26: 0.5},
    "sad": {17: 0.7, 64: 0.8},
    "surprise": {},
}
"""Label to the units that each come along in about half of its pictures (the variants of the same tables)."""

LEAK = 0.18
"""The most that a unit foreign to the label may stir, so that no face is a pure specimen."""


def unit_amounts(label: str, strength: tuple[float, float], rng: random.Random) -> dict[int, float]:
    """Draw the action units of one picture.

    Args:
        label: A key of ``ACTION_UNITS``.
        strength: The least and most strength of the expression; 1 is the table's own intensity.
        rng: The picture's own generator; it is advanced.

    Returns:
        Every unit of ``UNIT_NAMES`` with its intensity, 0 (at rest) to 1 (as far as it goes).
    """
    wanted = dict(ACTION_UNITS[label])
    for unit, amount in SOMETIMES[label].items():
        if rng.random() < 0.5:
            wanted[unit] = amount
    drawn = rng.uniform(*strength)
    amounts = {}
    for unit in UNIT_NAMES:
        meant = wanted.get(unit, 0.0) * drawn * rng.uniform(0.7, 1.15)
        amounts[unit] = min(1.0, meant + LEAK * rng.random() ** 3)
    return amounts
