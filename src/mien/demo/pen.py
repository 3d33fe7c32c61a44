"""Lines, curves and colours: the little drawing kit under the drawn faces.

Coordinates of a face: x to the viewer's right, y down, the origin between the eyes and the nose, one unit
half the height of the head; so the crown is at y = -1, the chin at y = 1. Colours are (red, green, blue),
each 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)
DARK: Colour = (34, 22, 26)
ROSE: Colour = (196, 60, 72)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Blend two colours; ``share`` 0 gives ``one``, 1 gives ``other``."""
    share = min(1.0, max(0.0, share))
    return (
        round(one[0] + (other[0] - one[0]) * share),
        round(one[1] + (other[1] - one[1]) * share),
        round(one[2] + (other[2] - one[2]) * share),
    )


def mirrored(right: Sequence[Point]) -> list[Point]:
    """Close a contour given by its right half, top to bottom. A point on the middle line is not doubled."""
    return [*right, *((-x, y) for x, y in reversed(right) if x)]


def smooth(points: Sequence[Point], closed: bool, steps: int = 5) -> list[Point]:
    """Run a Catmull-Rom curve through points, ``steps`` samples from each to the next."""
    around = [points[-1], *points, points[0], points[1]] if closed else [points[0], *points, points[-1]]
    curve = []
    for i in range(len(around) - 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = around[i : i + 4]
        for step in range(steps):
            t = step / steps
            p, q, r, s = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
            curve.append(((p * ax + q * bx + r * cx + s * dx) / 2, (p * ay + q * by + r * cy + s * dy) / 2))
    return curve if closed else [*curve, points[-1]]


class Pen:
    """Draws on a canvas in the coordinates of one face.

    Only polygons with whole-number corners are drawn, so that no rounding is left to Pillow.
    """

    def __init__(self, canvas: Image.Image, centre: Point, unit: float, roll: float, turn: float, line: float) -> None:
        """Aim the pen.

        Args:
            canvas: The picture drawn on, mode RGB.
            centre: Where the face's origin lies, in canvas pixels.
            unit: Canvas pixels to one unit of the face.
            roll: Tilt of the head in radians, clockwise.
            turn: Turn of the head in radians; moves what is drawn with ``deep`` sideways.
            line: Factor on line widths.
        """
        self._draw = ImageDraw.Draw(canvas)
        self._centre, self._unit, self._line = centre, unit, line
        self._cos, self._sin = math.cos(roll), math.sin(roll)
        self._turn_cos, self._turn_sin = math.cos(turn), math.sin(turn)
        self.deep = False

    def _place(self, point: Point) -> tuple[int, int]:
        x, y = point
        if self.deep:  # features sit on a rounded front, so a turn shifts the middle more than the sides
            x = x * self._turn_cos + 0.5 * math.sqrt(max(0.0, 1 - x * x)) * self._turn_sin
        return (
            round(self._centre[0] + self._unit * (x * self._cos - y * self._sin)),
            round(self._centre[1] + self._unit * (x * self._sin + y * self._cos)),
        )

    def fill(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._place(point) for point in points], fill=colour)

    def blob(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill the smooth closed curve through the points."""
        self.fill(smooth(points, closed=True), colour)

    def oval(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        """Fill an ellipse with the given half axes."""
        turns = [math.tau * i / 28 for i in range(28)]
        self.fill([(x + across * math.cos(t), y + down * math.sin(t)) for t in turns], colour)

    def stroke(self, points: Sequence[Point], widths: tuple[float, float, float], colour: Colour) -> None:
        """Draw a smooth line whose width runs from first over middle to last."""
        curve = smooth(points, closed=False)
        left, right = [], []
        for i, (x, y) in enumerate(curve):
            (ax, ay), (bx, by) = curve[max(i - 1, 0)], curve[min(i + 1, len(curve) - 1)]
            length = math.hypot(bx - ax, by - ay) or 1.0
            t = 2 * i / (len(curve) - 1)
            first, last, part = (widths[0], widths[1], t) if t < 1 else (widths[1], widths[2], t - 1)
            half = self._line * (first + (last - first) * part) / 2
            nx, ny = -(by - ay) / length * half, (bx - ax) / length * half
            left.append((x + nx, y + ny))
            right.append((x - nx, y - ny))
        self.fill([*left, *reversed(right)], colour)
        for (x, y), width in ((curve[0], widths[0]), (curve[-1], widths[2])):
            if width > 0.012:
                self.oval(x, y, self._line * width / 2, self._line * width / 2, colour)
