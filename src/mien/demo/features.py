"""Brows, eyes, nose and mouth, each placed by the action units (AU) that move it.

In every function ``au`` maps each unit to its intensity, 0 to 1. A number beside a unit is how far the unit
at full intensity moves that point, in units of half the head's height.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .expressions import Units
from .pen import DARK, ROSE, WHITE, Pen, Point, mirrored, mix
from .people import Hand, Person

ALONG = [i / 10 for i in range(-10, 11)]
"""Places along an eye or a mouth, from one corner (-1) to the other (1)."""

Height = Callable[[float], float]


def draw_features(pen: Pen, person: Person, hand: Hand, au: Units) -> None:
    """Draw all that the expression moves, except the line of the chin."""
    if not hand.ink:
        _blush(pen, person, au)
    _creases(pen, person, au)
    _nose(pen, person, au)
    _mouth(pen, person, hand, au)
    for side in (-1, 1):
        _eye(pen, person, hand, au, side)
    _brows(pen, person, au)


def _sided(side: int, *points: Point) -> list[Point]:
    """Give points of the right half of the face (``side`` 1), or their mirror images on the left (-1)."""
    return [(side * x, y) for x, y in points]


def _crease(pen: Pen, person: Person, points: list[Point], depth: float, width: float = 0.022) -> None:
    """Draw a wrinkle; ``depth``, 0 to 1, is how far it darkens the skin, and the faintest are left out."""
    if depth > 0.15:
        pen.stroke(points, (0.0, width, 0.004), mix(person.skin, person.line, 0.25 + 0.75 * depth))


def _blush(pen: Pen, person: Person, au: Units) -> None:
    """Draw the cheeks, which AU6 raises and reddens."""
    colour = mix(person.skin, ROSE, 0.10 + 0.12 * au[6] + 0.08 * au[12])
    for side in (-1, 1):
        pen.oval(side * 0.43, 0.36 - 0.05 * au[6], 0.16, 0.10, colour)


def _creases(pen: Pen, person: Person, au: Units) -> None:
    """Draw lines of forehead (AU1, 2) and frown (AU4), crow's feet (AU6), folds by the nose (AU9, 10, 12)."""
    reach = 0.16 + 0.26 * au[2]
    for row in range(3):
        y = -0.50 - 0.07 * row
        line = [(-reach, y), (0.0, y - 0.03 * au[1]), (reach, y)]
        _crease(pen, person, line, 0.7 * max(au[1], au[2]) - 0.1, 0.016)
    fold = min(1.0, 0.8 * au[9] + 0.8 * au[10] + 0.55 * au[12] + 0.25 * au[6])
    out = 0.34 + 0.07 * au[12] + 0.05 * au[20]
    for side in (-1, 1):
        frown = _sided(side, (0.06, -0.22), (0.045, -0.3), (0.06, -0.38))
        _crease(pen, person, frown, au[4] * (1 - au[1] / 2))
        _crease(pen, person, _sided(side, (0.17, 0.24 - 0.04 * au[9]), (0.28, 0.36), (out, 0.54)), fold)
        for k in (-1, 0, 1):
            foot = _sided(side, (0.57, -0.04 + 0.03 * k), (0.62, -0.042 + 0.05 * k), (0.67, -0.045 + 0.075 * k))
            _crease(pen, person, foot, 0.9 * au[6] - 0.1, 0.015)


def _brows(pen: Pen, person: Person, au: Units) -> None:
    """Draw the brows: raised inside (AU1) and outside (AU2), lowered and drawn together (AU4)."""
    pull = au[4] * max(0.0, 1 - 1.2 * au[1])  # with AU1 the inner end rises although the brows draw together
    rest = -0.335 - person.brow_shift
    inner = rest - 0.012 - 0.17 * au[1] + 0.175 * pull + 0.04 * au[9] + person.brow_tilt
    middle = rest - 0.04 - 0.05 * au[1] - 0.115 * au[2] + 0.09 * pull + 0.03 * au[9]
    outer = rest + 0.045 + 0.04 * au[1] * (1 - au[2]) - 0.13 * au[2] + 0.01 * pull - person.brow_tilt
    near = 0.165 - 0.06 * au[4]
    arch = [(near, inner), (near + 0.13, (inner + middle) / 2 - 0.012), (0.40, middle), (0.56, outer)]
    weight = 0.075 * person.brow_weight
    for side in (-1, 1):
        pen.stroke(_sided(side, *arch), (weight * 0.9, weight, weight * 0.25), person.brow)


def _lids(person: Person, au: Units, side: int) -> tuple[Height, Height]:
    """Give the heights of the upper and the lower lid along the eye, from -1 to 1.

    AU5 lifts the upper lid; AU7 narrows both; AU6 and AU9 push the lower lid up; AU43 and AU64 let the upper
    one fall.
    """
    lift = 0.6 * au[5] - 0.4 * au[7] - 0.25 * au[9] - 0.15 * au[6] - 0.15 * au[4] - 0.3 * au[64]
    up = person.eye * 0.115 * max(0.1, 1 + lift)
    low = person.eye * 0.075 * (1 + 0.25 * au[5] - 0.55 * au[7] - 0.95 * au[6] - 0.45 * au[9])
    shut = person.eye * 0.05 * (1 - max(au[6], au[7]))  # a lid that closes softly hangs, one squeezed shut is straight
    closed = min(1.0, au[43] * 1.15)
    tilt = person.lid_tilt + 0.045 * au[1] * (1 - au[2]) + 0.02 * au[15] - 0.02 * au[4] * (1 - au[1])

    def lower(u: float) -> float:
        return -0.05 + tilt * u * side + (low + (shut - low) * closed) * (1 - u * u)

    def upper(u: float) -> float:
        opened = -0.05 + tilt * u * side - up * (1 - math.pow(abs(u), 2.3))
        return min(opened + (lower(u) - opened) * closed, lower(u))

    return upper, lower


def _eye(pen: Pen, person: Person, hand: Hand, au: Units, side: int) -> None:
    """Draw one eye with its lids; ``side`` is -1 for the one on the viewer's left."""
    upper, lower = _lids(person, au, side)
    middle, half = side * 0.345 * person.eye_gap, 0.175 * person.eye
    top = [(middle + half * u, upper(u)) for u in ALONG]
    bottom = [(middle + half * u, lower(u)) for u in ALONG]
    if lower(0) - upper(0) > 0.02:
        pen.fill([*top, *reversed(bottom)], (250, 247, 243))
        x, y = middle + person.gaze[0], -0.065 + person.gaze[1] + 0.05 * au[64]
        iris = DARK if hand.ink else person.iris
        discs = (
            (x, y, 0.088 * person.eye, iris),
            (x, y, 0.045 * person.eye, DARK),
            (x + 0.03, y - 0.03, 0.02, WHITE),
        )
        for dx, dy, radius, colour in discs:
            disc = [
                (dx + radius * math.cos(math.tau * i / 32), dy + radius * math.sin(math.tau * i / 32))
                for i in range(32)
            ]
            pen.fill(_between_lids(disc, upper, lower, middle, half), colour)
    pen.stroke(bottom[2:-2], (0.0, 0.014, 0.0), mix(person.skin, person.line, 0.8))
    pen.stroke(top, (0.016, 0.036, 0.016), mix(person.line, DARK, 0.75))
    bag = [(middle + half * u * 0.85, lower(u) + 0.045) for u in (-0.9, 0.0, 0.9)]
    _crease(pen, person, bag, 0.7 * max(au[6], au[7], au[9]), 0.014)
    fold = [(middle + half * u, upper(u) - 0.04 - 0.02 * au[5]) for u in (-0.8, -0.3, 0.3, 0.8)]
    _crease(pen, person, fold, 0.45 * (1 - au[4]) + 0.2 * au[5], 0.014)


def _between_lids(points: list[Point], upper: Height, lower: Height, middle: float, half: float) -> list[Point]:
    """Push points that a lid covers onto its edge; the eye reaches ``half`` to each side of ``middle``."""
    seen = []
    for x, y in points:
        u = min(1.0, max(-1.0, (x - middle) / half))
        seen.append((x, min(max(y, upper(u)), lower(u))))
    return seen


def _nose(pen: Pen, person: Person, au: Units) -> None:
    """Draw the nose: AU9 pulls the wings up and folds the bridge, AU10 and AU12 widen it."""
    tip = 0.27 * person.nose - 0.05 * au[9] - 0.01 * au[10]
    wing = 0.115 + 0.025 * au[9] + 0.015 * au[10] + 0.02 * au[12]
    ball = mirrored([(0.05, tip - 0.13), (wing, tip), (0.05, tip + 0.055)])
    bridge = mirrored([(0.045, -0.12), (0.07, tip - 0.02), (0.0, tip + 0.035)])
    pen.blob(ball, mix(person.skin, person.line, 0.22))
    pen.blob(bridge, mix(person.skin, WHITE, 0.10))
    lift = 0.03 * au[9] + 0.012 * au[10]
    side_line = [
        (wing - 0.01, tip - 0.06 - lift),
        (wing + 0.012, tip - lift / 2),
        (wing - 0.035, tip + 0.035),
    ]
    nostril = [(0.03, tip + 0.045), (0.055, tip + 0.03), (0.085, tip + 0.035)]
    for side in (-1, 1):
        pen.stroke(_sided(side, *side_line), (0.0, 0.022, 0.008), mix(person.skin, person.line, 0.85))
        pen.stroke(_sided(side, *nostril), (0.006, 0.028, 0.006), person.line)
        for y in (-0.12, -0.05, 0.02):
            wrinkle = _sided(side, (0.015, y), (0.06, y - 0.02), (0.12, y - 0.055))
            _crease(pen, person, wrinkle, 1.1 * au[9] - 0.1, 0.018)


@dataclass(frozen=True)
class _Lips:
    """Where the mouth lies.

    Attributes:
        half: Half the width.
        corner: Height of the corners.
        upper, top, bottom, lower: Heights in the middle of the upper lip's edge, of the opening from top to
            bottom, and of the lower lip's edge.
        square: 2 for a mouth that is a bow, more for one with a straight middle.
    """

    half: float
    corner: float
    upper: float
    top: float
    bottom: float
    lower: float
    square: float

    def height(self, middle: float, u: float) -> float:
        """Give the height at ``u``, -1 to 1, of the curve between the corners that passes ``middle`` at 0."""
        return self.corner + (middle - self.corner) * (1 - math.pow(abs(u), self.square))

    def line(self, middle: float, share: float = 1.0) -> list[Point]:
        """Give that curve, or the middle ``share`` of it."""
        return [(self.half * u * share, self.height(middle, u * share)) for u in ALONG]


def _lips(person: Person, au: Units) -> _Lips:
    """Place the lips.

    Corners: AU12, 15, 20. Opening: AU25 and 26, against AU24. Edges: AU10, 16, 17. Thinness: AU23, 24.
    """
    width = 0.25 + 0.11 * au[12] + 0.10 * au[20] - 0.035 * au[23] - 0.03 * au[17] - 0.05 * au[26]
    corner = 0.55 - person.mouth_curve - 0.15 * au[12] + 0.13 * au[15] + 0.04 * au[20] + 0.04 * au[26]
    parted = au[25] * (0.12 + 0.04 * au[12] + 0.05 * au[10]) + 0.27 * au[26]
    opening = parted * (1 - 0.8 * au[24])
    middle = 0.555 + person.mouth_curve + 0.02 * au[12] - 0.02 * au[15] - 0.055 * au[17]
    top = middle - 0.3 * opening - 0.055 * au[10] - 0.03 * au[9]
    bottom = max(top, middle + 0.7 * opening - 0.025 * au[10] + 0.05 * au[16] * au[25])
    full = person.lips * (1 - 0.55 * au[23]) * (1 - 0.75 * au[24]) * (1 - 0.25 * au[12])
    return _Lips(
        half=person.mouth * width,
        corner=corner,
        upper=top - 0.055 * full,
        top=top,
        bottom=bottom,
        lower=bottom + 0.07 * full,
        square=2.0 + 1.6 * au[20] + 1.2 * au[10] + 0.8 * au[16],
    )


def _mouth(pen: Pen, person: Person, hand: Hand, au: Units) -> None:
    """Draw the mouth, the dents of a raised chin (AU17), and folds under drawn-down corners (AU15)."""
    lips = _lips(person, au)
    top, bottom = lips.line(lips.top), lips.line(lips.bottom)
    pen.fill([*lips.line(lips.upper), *reversed(top)], mix(person.lip, DARK, 0.12))
    pen.fill([*bottom, *reversed(lips.line(lips.lower))], person.lip)
    if lips.bottom - lips.top > 0.025:
        _mouth_inside(pen, lips, au)
    edge = mix(person.lip, DARK, 0.6)
    pen.stroke(top, (0.02, 0.02, 0.02), edge)
    if hand.ink:
        pen.stroke(bottom, (0.012, 0.02, 0.012), edge)
    under = [(-0.12, lips.lower + 0.05), (0.0, lips.lower + 0.065), (0.12, lips.lower + 0.05)]
    pen.stroke(under, (0.0, 0.018, 0.0), mix(person.skin, person.line, 0.35))
    x, y = lips.half, lips.corner
    for side in (-1, 1):
        _crease(pen, person, _sided(side, (0.10, 0.86), (0.13, 0.79), (0.08, 0.73)), 0.9 * au[17] - 0.1)
        _crease(pen, person, _sided(side, (x + 0.02, y), (x + 0.05, y + 0.06), (x + 0.05, y + 0.12)), au[15])


def _mouth_inside(pen: Pen, lips: _Lips, au: Units) -> None:
    """Draw the open mouth with its teeth, all of them where they are clenched, and else the tongue."""
    gap = lips.bottom - lips.top
    pen.fill([*lips.line(lips.top), *reversed(lips.line(lips.bottom))], (74, 22, 30))
    clenched = max(au[23], au[16]) > 0.3 or au[43] > 0.5
    shown = gap * (0.92 if clenched else 0.5 if au[12] > 0.4 else 0.3)
    inside, floor = lips.line(lips.top, 0.94), lips.line(lips.bottom, 0.94)
    teeth = [(x, min(y + shown * (1 - u**4), low)) for u, (x, y), (_, low) in zip(ALONG, inside, floor, strict=True)]
    pen.fill([*inside, *reversed(teeth)], (248, 244, 236))
    if gap > 0.12 and not clenched:
        floor = lips.line(lips.bottom, 0.6)
        tongue = [
            (x, min(y, lips.bottom - 0.02 - 0.35 * gap * (1 - u * u))) for u, (x, y) in zip(ALONG, floor, strict=True)
        ]
        pen.fill([*tongue, *reversed(floor)], (206, 92, 96))
