"""Who is drawn and in which hand: all that does not change with the expression."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from .pen import WHITE, Colour, Point, mix

# Skins run from light to dark. The commonest hair styles stand in their list twice.
SKINS: tuple[Colour, ...] = (
    (250, 218, 196), (243, 200, 170), (232, 184, 148), (214, 160, 120),
    (190, 134, 96), (160, 106, 74), (126, 82, 58), (98, 64, 48),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (36, 28, 28), (58, 40, 34), (92, 60, 40), (134, 88, 52),
    (188, 140, 80), (160, 76, 44), (150, 148, 150), (46, 40, 52),
)  # fmt: skip
IRISES: tuple[Colour, ...] = ((84, 56, 38), (60, 42, 34), (74, 104, 74), (70, 108, 150), (120, 92, 50))
GREY_HAIR: Colour = (176, 174, 176)
CLOTHES: tuple[Colour, ...] = (
    (66, 98, 140), (176, 72, 66), (84, 130, 104), (222, 190, 110),
    (96, 80, 128), (232, 228, 218), (58, 62, 72), (206, 128, 110),
)  # fmt: skip
HAIR_STYLES = ("short", "parted", "bob", "long", "curly", "bun", "bald", "short", "parted", "long")
AGE_GROUPS = ("18-34", "35-59", "60+")


@dataclass(frozen=True)
class Hand:
    """How a part of the set is drawn.

    Attributes:
        sides: The least and most picture width and height, in pixels.
        over: Supersampling: the canvas is this many times larger, then averaged down.
        head: The least and most half-height of the head, as a share of the picture's height.
        strength: The least and most strength of an expression, 1 being that of its table.
        line: Factor on the width of every line.
        ink: True draws dark outlines on pale paper, False flat colours.
        grain: The most noise added to a pixel, in grey levels.
    """

    sides: tuple[int, int]
    over: int
    head: tuple[float, float]
    strength: tuple[float, float]
    line: float
    ink: bool
    grain: int


HANDS: dict[str, Hand] = {
    "colour": Hand(sides=(160, 240), over=3, head=(0.31, 0.40), strength=(0.3, 1.0), line=1.0, ink=False, grain=6),
    "grey": Hand(sides=(48, 48), over=5, head=(0.42, 0.50), strength=(0.6, 1.0), line=1.4, ink=True, grain=5),
}


@dataclass(frozen=True)
class Person:
    """Whoever is drawn: what does not change with the expression. Factors are near 1, shifts near 0."""

    skin: Colour
    hair: Colour
    iris: Colour
    clothes: Colour
    hair_style: str
    width: float
    jaw: float
    eye: float
    eye_gap: float
    lid_tilt: float
    brow_weight: float
    brow_shift: float
    brow_tilt: float
    nose: float
    mouth: float
    mouth_curve: float
    lips: float
    beard: float
    glasses: bool
    freckles: bool
    gaze: Point

    @property
    def line(self) -> Colour:
        """The colour of wrinkles and contours on this skin."""
        return mix(self.skin, (80, 30, 24) if sum(self.skin) > 330 else (24, 10, 10), 0.62)

    @property
    def brow(self) -> Colour:
        """The colour of the brows: the hair's, darkened where it would be lost on the skin."""
        return mix(self.hair, (40, 26, 24), 0.45)

    @property
    def lip(self) -> Colour:
        """The colour of the lips."""
        return mix(self.skin, (176, 40, 56), 0.42)


def draw_person(rng: random.Random, hand: Hand) -> Person:
    """Draw a person's looks by lot; the expression has no part in it."""
    tone = rng.randrange(len(SKINS))
    style = rng.choice(HAIR_STYLES)
    hair = rng.choice(HAIRS[:3] if tone > 4 else HAIRS)
    bearded = style in ("short", "parted", "bald") and rng.random() < 0.3
    skin = mix(SKINS[tone], SKINS[max(0, tone - 1)], rng.random())
    return Person(
        skin=mix(skin, WHITE, 0.4) if hand.ink else skin,
        hair=hair,
        iris=rng.choice(IRISES[:2] if tone > 4 else IRISES),
        clothes=rng.choice(CLOTHES),
        hair_style=style,
        width=rng.uniform(0.92, 1.08),
        jaw=rng.uniform(0.9, 1.1),
        eye=rng.uniform(0.98, 1.24) * (1.15 if hand.ink else 1.0),
        eye_gap=rng.uniform(1.0, 1.08),
        lid_tilt=rng.uniform(-0.012, 0.022),
        brow_weight=rng.uniform(0.7, 1.35),
        brow_shift=rng.uniform(-0.025, 0.03),
        brow_tilt=rng.uniform(-0.016, 0.016),
        nose=rng.uniform(0.88, 1.15),
        mouth=rng.uniform(1.0, 1.22),
        mouth_curve=rng.uniform(-0.025, 0.025),
        lips=rng.uniform(0.8, 1.5),
        beard=rng.uniform(0.3, 0.5 if hand.ink else 0.8) if bearded else 0.0,
        glasses=rng.random() < 0.17,
        freckles=tone < 3 and rng.random() < 0.2,
        gaze=(rng.uniform(-0.03, 0.03), rng.uniform(-0.012, 0.012)),
    )


def known_person(style: str, number: int) -> Person:
    """Give one of the people of a hand, who look the same in every picture; those of 60 and more have grey hair."""
    person = draw_person(random.Random(f"{style}/person/{number}"), HANDS[style])
    return replace(person, hair=mix(person.hair, GREY_HAIR, 0.8)) if age_group(style, number) == "60+" else person


def age_group(style: str, number: int) -> str:
    """Give the age group of one of the people of a hand."""
    return random.Random(f"{style}/age/{number}").choice(AGE_GROUPS)
