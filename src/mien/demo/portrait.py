"""A whole picture: background, shoulders, head and hair, the features on it, then light and grain."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from mien.errors import ConfigError, LabelError

from .expressions import ACTION_UNITS, Units, unit_amounts
from .features import draw_features
from .pen import DARK, WHITE, Colour, Pen, Point, mirrored, mix
from .people import HANDS, Hand, Person, draw_person, known_person

WALLS: tuple[Colour, ...] = (
    (206, 220, 228), (236, 222, 200), (210, 226, 208), (228, 208, 212), (178, 196, 206), (240, 234, 224),
    (120, 138, 150), (198, 190, 216), (92, 104, 112), (244, 208, 160),
)  # fmt: skip


def draw_face(label: str, seed: int, *, style: str = "colour", person: int | None = None) -> Image.Image:
    """Draw one face.

    Args:
        label: An expression, one of ``ACTION_UNITS``.
        seed: Any whole number; the same label, seed, style and person always give the same pixels.
        style: "colour" (RGB, 160 to 240 px wide and high) or "grey" (L, 48 x 48 px, in another hand).
        person: Who is drawn, by number; the same person has the same skin, hair, face and glasses in every picture.
            None draws someone new for each seed.

    Returns:
        The picture.

    Raises:
        LabelError: The label is unknown.
        ConfigError: The style is unknown.
    """
    if label not in ACTION_UNITS:
        raise LabelError(f"label must be one of {', '.join(ACTION_UNITS)}, got {label!r}")
    if style not in HANDS:
        raise ConfigError(f"style must be one of {', '.join(HANDS)}, got {style!r}")
    rng = random.Random(f"{style}/{label}/{seed}")  # a text seed is hashed, the same on every machine
    hand = HANDS[style]
    looks = draw_person(rng, hand)  # also where a known person takes its place, so that the rest stays as it was
    if person is not None:
        looks = replace(known_person(style, person), gaze=looks.gaze)
    au = unit_amounts(label, hand.strength, rng)
    height = rng.randint(*hand.sides)
    width = min(hand.sides[1], max(hand.sides[0], round(height * rng.uniform(0.85, 1.08))))
    canvas = _background(rng, (width * hand.over, height * hand.over))
    _head(_aimed(canvas, rng, hand), looks, hand, au)
    picture = _lit(canvas.reduce(hand.over), rng, hand)
    return picture.convert("L") if hand.ink else picture


def _aimed(canvas: Image.Image, rng: random.Random, hand: Hand) -> Pen:
    """Place the head in the picture by lot."""
    width, height = canvas.size
    unit = height * rng.uniform(*hand.head)
    slack = 0.02 if hand.ink else 0.07
    centre = (width * (0.5 + rng.uniform(-slack, slack)), height * (0.52 + rng.uniform(-slack, slack) / 2))
    return Pen(canvas, centre, unit, roll=rng.uniform(-0.22, 0.22), turn=rng.uniform(-0.24, 0.24), line=hand.line)


def _head(pen: Pen, person: Person, hand: Hand, au: Units) -> None:
    """Draw shoulders, head, features and hair, from back to front."""
    chin = 1.0 + 0.11 * au[26] + 0.02 * au[25] - 0.02 * au[17]
    face = _contour(person, chin)
    _hair_behind(pen, person)
    _shoulders(pen, person)
    for side in (-1, 1):
        pen.oval(side * 0.75 * person.width, 0.02, 0.11, 0.17, mix(person.skin, person.line, 0.16))
    if hand.ink:
        pen.blob([(x * 1.035, y * 1.025) for x, y in face], person.line)
    pen.blob(face, mix(person.skin, person.line, 0.13))
    pen.blob([(0.955 * x - 0.025, 0.985 * y - 0.012) for x, y in face], person.skin)
    _beard(pen, person, face)
    pen.deep = True
    if person.freckles:
        _freckles(pen, person)
    draw_features(pen, person, hand, au)
    if person.glasses:
        _glasses(pen, person)
    pen.deep = False
    _hair_before(pen, person)


def _contour(person: Person, chin: float) -> list[Point]:
    """Give the outline of the head, its lowest point at ``chin``."""
    wide, jaw = person.width, person.jaw * person.width
    right = [
        (0.0, -1.0),
        (0.42 * wide, -0.92),
        (0.68 * wide, -0.58),
        (0.745 * wide, -0.1),
        (0.71 * jaw, 0.32),
    ]
    low = [(0.56 * jaw, 0.68 * chin), (0.32 * jaw, 0.92 * chin), (0.0, chin)]
    return mirrored([*right, *low])


def _shoulders(pen: Pen, person: Person) -> None:
    """Draw neck, its shadow, and clothes."""
    cloth = mirrored([(0.0, 1.52), (0.34, 1.28), (0.8, 1.5), (1.3, 1.72), (1.5, 3.2), (0.0, 3.2)])
    neck = mirrored([(0.0, 0.6), (0.36, 0.6), (0.35, 1.25), (0.48, 1.5), (0.0, 1.75)])
    pen.fill(neck, mix(person.skin, person.line, 0.20))
    pen.fill(cloth, person.clothes)
    collar = mirrored([(0.0, 1.52), (0.34, 1.28), (0.43, 1.33), (0.0, 1.66)])
    pen.fill(collar, mix(person.clothes, DARK, 0.25))


def _beard(pen: Pen, person: Person, face: list[Point]) -> None:
    """Draw a beard inside the outline ``face``, thin or dense as the person's ``beard`` (0 to 1)."""
    if person.beard == 0:
        return
    jaw = [point for point in face[:8] if point[1] > -0.2]
    wide = person.width
    inner = [(0.0, 0.385), (0.20, 0.40), (0.40, 0.56), (0.58 * wide, 0.40), (0.64 * wide, 0.02)]
    pen.blob(mirrored([*inner, *jaw]), mix(person.skin, person.hair, person.beard))


def _freckles(pen: Pen, person: Person) -> None:
    """Draw freckles over cheeks and nose."""
    for i in range(22):  # a fixed irregular lattice; lots would not look better
        x, y = -0.5 + i / 21, 0.22 + 0.09 * math.sin(7.3 * i)
        pen.oval(x, y, 0.013, 0.012, mix(person.skin, person.line, 0.35))


def _hair_behind(pen: Pen, person: Person) -> None:
    """Draw the hair that hangs or stands behind the head."""
    dark = mix(person.hair, DARK, 0.25)
    style, wide = person.hair_style, person.width
    if style in ("bob", "long"):
        end = 0.85 if style == "bob" else 1.75
        crown = [(0.0, -1.16), (0.6 * wide, -1.02), (0.9 * wide, -0.4)]
        pen.blob(mirrored([*crown, (0.96 * wide, 0.4), (0.9, end), (0.4, end)]), dark)
    if style == "bun":
        pen.oval(0.0, -1.22, 0.3, 0.26, dark)
    if style == "curly":
        for i in range(15):
            turn = math.pi * (1.18 - 1.36 * i / 14)
            pen.oval(0.82 * wide * math.cos(turn), -0.3 - 0.78 * math.sin(turn), 0.25, 0.25, dark)


def _hair_before(pen: Pen, person: Person) -> None:
    """Draw the hair on the head, down to the hairline."""
    if person.hair_style == "bald":
        return
    wide = person.width
    side = -0.02 if person.hair_style in ("bob", "long") else -0.2
    crown = [(0.0, -1.15), (0.56 * wide, -1.0), (0.8 * wide, -0.5), (0.77 * wide, side)]
    hairlines = {
        "parted": [(0.66 * wide, -0.42), (0.3, -0.62), (-0.3, -0.86), (-0.5, -0.62), (-0.68 * wide, -0.4)],
        "bob": [(0.66 * wide, -0.44), (0.4, -0.58), (0.0, -0.62), (-0.4, -0.58), (-0.66 * wide, -0.44)],
        "long": [(0.66 * wide, -0.36), (0.36, -0.66), (0.0, -0.88), (-0.36, -0.66), (-0.66 * wide, -0.36)],
    }
    plain = [(0.68 * wide, -0.45), (0.52, -0.66), (0.0, -0.74), (-0.52, -0.66), (-0.68 * wide, -0.45)]
    hairline = hairlines.get(person.hair_style, plain)
    pen.blob([*crown, *hairline, *((-x, y) for x, y in reversed(crown[1:]))], person.hair)
    shine = mix(person.hair, WHITE, 0.16)
    pen.stroke([(-0.5 * wide, -0.82), (-0.25, -0.99), (0.1, -1.03)], (0.0, 0.05, 0.0), shine)
    if person.hair_style == "curly":
        for i in range(9):
            turn = math.pi * (0.95 - 0.9 * i / 8)
            x, y = 0.66 * wide * math.cos(turn), -0.52 - 0.42 * math.sin(turn)
            pen.oval(x, y, 0.19, 0.17, mix(person.hair, WHITE, 0.03 * (i % 3)))


def _glasses(pen: Pen, person: Person) -> None:
    """Draw round glasses: rims only, so that the eyes stay in sight."""
    rim, even = mix(person.clothes, DARK, 0.7), (0.024, 0.024, 0.024)
    turns = [math.tau * i / 16 for i in range(17)]
    for side in (-1, 1):
        middle = side * 0.345 * person.eye_gap
        ring = [(middle + 0.235 * math.cos(turn), -0.03 + 0.205 * math.sin(turn)) for turn in turns]
        pen.stroke(ring, even, rim)
        pen.stroke([(side * 0.56, -0.06), (side * 0.66, -0.08), (side * 0.78, -0.1)], even, rim)
    pen.stroke([(-0.11, -0.06), (0.0, -0.1), (0.11, -0.06)], even, rim)


def _background(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Draw a plain wall or a scene out of focus, and give the canvas."""
    wall = rng.choice(WALLS)
    small = Image.new("RGB", (96, 96), wall)
    scene = rng.choice((None, None, _hills, _lights, _room, _stripes))
    if scene is not None:
        scene(ImageDraw.Draw(small), rng, wall)
        small = small.filter(ImageFilter.BoxBlur(rng.choice((1, 2, 3))))
    return small.resize(size, Image.Resampling.BILINEAR)


def _hills(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour) -> None:
    """Draw a sky and rows of hills."""
    draw.rectangle((0, 0, 95, 95), fill=mix((150, 200, 236), wall, 0.4))
    for row in range(3):
        level = 48 + 14 * row + rng.randint(-5, 5)
        ridge = [(x, level + rng.randint(-7, 7)) for x in range(-12, 120, 12)]
        green = mix((132, 172, 120), (52, 96, 72), row / 2)
        draw.polygon([*ridge, (120, 100), (-12, 100)], fill=green)


def _lights(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour) -> None:
    """Draw an evening street: dark, with round lights."""
    draw.rectangle((0, 0, 95, 95), fill=mix(wall, (30, 34, 60), 0.75))
    for _ in range(18):
        x, y, radius = rng.randint(0, 95), rng.randint(0, 80), rng.randint(3, 9)
        colour = mix(rng.choice(((250, 190, 90), (240, 110, 90), (120, 190, 240))), wall, rng.random() * 0.6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _room(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour) -> None:
    """Draw a wall with pictures and a shelf."""
    for _ in range(rng.randint(2, 4)):
        x, y = rng.randint(-10, 85), rng.randint(-8, 60)
        wide, high = rng.randint(14, 34), rng.randint(14, 30)
        draw.rectangle((x, y, x + wide, y + high), fill=mix(wall, DARK, 0.45))
        draw.rectangle((x + 2, y + 2, x + wide - 2, y + high - 2), fill=mix(wall, WHITE, rng.random()))
    draw.rectangle((0, 78, 95, 95), fill=mix(wall, (110, 80, 60), 0.6))


def _stripes(draw: ImageDraw.ImageDraw, rng: random.Random, wall: Colour) -> None:
    """Draw wallpaper."""
    step = rng.randint(8, 20)
    for x in range(0, 96, step):
        draw.rectangle((x, 0, x + step // 2, 95), fill=mix(wall, WHITE, 0.35))


def _lit(picture: Image.Image, rng: random.Random, hand: Hand) -> Image.Image:
    """Light the picture from one side, tint it, soften it a little, and add grain."""
    size = picture.size
    corners = bytes(rng.randint(185, 255) for _ in range(4))
    light = Image.frombytes("L", (2, 2), corners).resize(size, Image.Resampling.BILINEAR)
    picture = ImageChops.multiply(picture, Image.merge("RGB", (light, light, light)))
    gain, lift = rng.uniform(0.95, 1.16), rng.uniform(-8, 12)
    tables = []
    for _ in range(3):
        tint = gain * rng.uniform(0.94, 1.06)
        tables += [min(255, max(0, round(value * tint + lift))) for value in range(256)]
    picture = picture.point(tables)
    if rng.random() < (0.2 if hand.ink else 0.45):
        picture = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.4) if not hand.ink else 0.3))
    return _grained(picture, rng, rng.randint(1, hand.grain))


def _grained(picture: Image.Image, rng: random.Random, most: int) -> Image.Image:
    """Add even noise of at most ``most`` grey levels up or down, the same in all channels."""
    width, height = picture.size
    noise = Image.frombytes("L", (width, height), rng.randbytes(width * height))
    noise = noise.point([value * (2 * most + 1) // 256 for value in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", (noise, noise, noise)), 1, -most)
