"""Drawings made by this repository's own code: photos rendered by hand-written filters, and pages of text and shapes.

A filter takes a photo as floats (h, w, 3), 0 to 255, with its longer side a few hundred pixels, and the random
generator that sets how strongly it is applied.
"""

from __future__ import annotations

import io
import math
import string
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy.ndimage import gaussian_filter, uniform_filter

__all__ = ["FILTERS", "page", "rendered", "worn"]

Floats = NDArray[np.float64]
Filter = Callable[[Floats, np.random.Generator], Floats]

SIDES = (192, 420)
"""Least and most longer side at which photos are rendered, in pixels."""


def picture(values: Floats) -> Image.Image:
    """An RGB picture of greys (h, w) or colours (h, w, 3)."""
    return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")


def noise(rng: np.random.Generator, shape: tuple[int, ...], grain: tuple[float, float]) -> Floats:
    """Smoothed noise (h, w) with standard deviation 1: the grain of paper, chalk and bristles."""
    field: Floats = gaussian_filter(rng.normal(size=shape[:2]), grain)
    return field / float(field.std())


def dabs(a: Floats, radius: int) -> Floats:
    """Each pixel as the mean of the calmest of four windows around it (Kuwahara et al. 1976)."""
    best, least, grey = a, np.full(a.shape[:2], np.inf), a.mean(2)
    for origin in ((s, t) for s in (-(radius // 2), radius // 2) for t in (-(radius // 2), radius // 2)):
        mean = uniform_filter(a, (radius + 1, radius + 1, 1), origin=(*origin, 0))
        square = uniform_filter(grey**2, radius + 1, origin=origin)
        spread = square - uniform_filter(grey, radius + 1, origin=origin) ** 2
        best, least = np.where((spread < least)[..., None], mean, best), np.minimum(spread, least)
    return best.clip(0, 255)


def outlines(a: Floats, rng: np.random.Generator) -> Floats:
    """Ink (h, w), 0 to 1, along edges: a soft threshold on a difference of Gaussians (Winnemöller 2011)."""
    width, grey = rng.uniform(0.6, 1.6), a.mean(2)
    change = gaussian_filter(grey, width) - gaussian_filter(grey, 1.6 * width)
    ink: Floats = (1 + np.tanh(-rng.uniform(0.6, 2) * (change + rng.uniform(1, 3)))) / 2
    return ink


def few_colours(a: Floats, n: int) -> Floats:
    """Areas of n colours without shading."""
    smooth = picture(a).filter(ImageFilter.MedianFilter(7))
    flat = smooth.quantize(n, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    return np.asarray(flat.filter(ImageFilter.ModeFilter(5)), np.float64)


def on_paper(ink: Floats, rng: np.random.Generator) -> Floats:
    """Ink (h, w), 0 to 1, of some dark colour on paper of some light colour."""
    paper, pen = rng.uniform(205, 256) - rng.uniform(0, 20, 3) * (rng.random() < 0.5), rng.uniform(0, 60)
    return paper + (pen - paper) * ink[..., None]


def cartoon(a: Floats, rng: np.random.Generator) -> Floats:
    """Areas of one colour and dark outlines."""
    return few_colours(a, int(rng.integers(6, 20))) * (1 - outlines(a, rng)[..., None])


def flat(a: Floats, rng: np.random.Generator) -> Floats:
    """Areas of one colour, as in vector art."""
    return few_colours(a, int(rng.integers(3, 12)))


def ink_line(a: Floats, rng: np.random.Generator) -> Floats:
    """Outlines alone."""
    return on_paper(outlines(a, rng), rng)


def pencil(a: Floats, rng: np.random.Generator) -> Floats:
    """The photo divided by its own blur, in grains."""
    grey = a.mean(2)
    light = np.minimum(1, grey / (gaussian_filter(grey, rng.uniform(3, 10)) + 1))
    light *= 1 - rng.uniform(0, 0.6) * (1 - grey / 255)
    return on_paper((1 - light) * (1 + 0.35 * noise(rng, a.shape, (0.6, 1.5))).clip(0, 2), rng)


def charcoal(a: Floats, rng: np.random.Generator) -> Floats:
    """Dabs of grey in strong contrast, grainy."""
    grey = dabs(a, int(rng.integers(2, 5))).mean(2)
    tone = 128 + rng.uniform(1, 1.8) * (grey - grey.mean()) + rng.uniform(-60, 30)
    grain = rng.uniform(6, 28) * noise(rng, a.shape, (1.4, 0.6))
    return on_paper(1 - ((tone + grain) / 255).clip(0, 1), rng)


def hatching(a: Floats, rng: np.random.Generator) -> Floats:
    """Outlines, and parallel lines the denser the darker."""
    y, x = np.indices(a.shape[:2]) + 1.5 * noise(rng, a.shape, (9, 9))
    grey, first, ink = gaussian_filter(a.mean(2), 1) / 255, rng.uniform(0, math.pi), outlines(a, rng)
    for i, darkness in enumerate((0.75, 0.5, 0.25)):
        wave = np.sin((x * math.cos(first + i) + y * math.sin(first + i)) * math.tau / rng.uniform(4, 7))
        ink = np.maximum(ink, (wave > 0.3 + grey / darkness - 0.5) * (grey < darkness))
    return on_paper(gaussian_filter(ink, 0.5), rng)


def oil(a: Floats, rng: np.random.Generator) -> Floats:
    """Dabs of colour with the relief of bristles."""
    thick = dabs(a, int(rng.integers(3, 9)))
    relief = gaussian_filter(noise(rng, a.shape, (0.7, 3)) * 14 + thick.mean(2), 0.6)
    slope: Floats = relief - np.roll(relief, (1, 1), (0, 1))
    return thick + rng.uniform(0.2, 0.6) * slope[..., None]


def watercolour(a: Floats, rng: np.random.Generator) -> Floats:
    """Pale washes with dark rims on rough paper."""
    smooth = np.asarray(picture(a).filter(ImageFilter.MedianFilter(5)), np.float64)
    wash = dabs(smooth, int(rng.integers(3, 7))) / 255
    rim = np.hypot(*np.gradient(gaussian_filter(wash.mean(2), 1)))[..., None]
    uneven = 1 + 0.1 * noise(rng, a.shape, (12, 12)) + 0.05 * noise(rng, a.shape, (0.8, 0.8))
    painted: Floats = (wash ** rng.uniform(0.5, 0.9) * (1 - rim).clip(0, 1)) ** uneven[..., None]
    return 255 * painted


def strokes(a: Floats, rng: np.random.Generator) -> Floats:
    """Brush strokes along the edges, broad ones first, finer ones where they differ from the photo (Hertzmann 1998)."""
    canvas = picture(gaussian_filter(a, (12, 12, 0)))
    pen, (height, width) = ImageDraw.Draw(canvas), a.shape[:2]
    kept = rng.uniform(6, 24)
    for brush in (18, 9, 4):
        smooth = gaussian_filter(a, (brush / 3, brush / 3, 0))
        down, right = np.gradient(gaussian_filter(a.mean(2), brush / 2))
        missing = np.abs(np.asarray(canvas, np.float64) - smooth).mean(2)
        for _ in range(int(1.5 * height * width / brush**2)):
            y, x = int(rng.integers(height)), int(rng.integers(width))
            if missing[y, x] < (0 if brush == 18 else kept):
                continue
            angle = math.atan2(down[y, x], right[y, x]) + math.pi / 2 + rng.normal(0, 0.2)
            dx, dy = (brush * rng.uniform(0.8, 2.5) * f(angle) for f in (math.cos, math.sin))
            colour = tuple((smooth[y, x] + rng.normal(0, 6)).clip(0, 255).astype(int))
            pen.line((x - dx, y - dy, x + dx, y + dy), colour, brush)
    return np.asarray(canvas, np.float64)


FILTERS: dict[str, Filter] = {
    "cartoon": cartoon,
    "flat": flat,
    "ink line": ink_line,
    "pencil": pencil,
    "charcoal": charcoal,
    "hatching": hatching,
    "oil": oil,
    "watercolour": watercolour,
    "strokes": strokes,
}


def rendered(photo: Image.Image, style: str, rng: np.random.Generator) -> Image.Image:
    """A photo in a style of ``FILTERS``; one smaller than the filters need is enlarged for them and reduced again."""
    least, most = SIDES
    scale = min(1, most / max(photo.size)) * max(1, least / max(photo.size))
    size = (max(8, round(photo.width * scale)), max(8, round(photo.height * scale)))
    drawn = picture(FILTERS[style](np.asarray(photo.resize(size, Image.Resampling.BICUBIC), np.float64), rng))
    return drawn.resize(photo.size, Image.Resampling.BILINEAR) if scale > 1 else drawn


def page(rng: np.random.Generator) -> Image.Image:
    """Lines of text, or a sign or icons of plain shapes, on plain ground."""
    width, height = (int(side) for side in rng.integers(150, 420, 2))
    colours = [tuple(int(c) for c in colour) for colour in rng.integers(0, 256, (6, 3))]
    sheet = Image.new("RGB", (width, height), "white" if rng.random() < 0.5 else colours[0])
    pen = ImageDraw.Draw(sheet)
    for colour in colours[1 : rng.integers(1, 6)]:
        corners = [tuple(p) for p in (rng.random((rng.integers(3, 7), 2)) * (width, height)).tolist()]
        left, top = (rng.random(2) * (width, height) * 0.7).tolist()
        box = (left, top, left + rng.uniform(20, width), top + rng.uniform(20, height))
        outline = "black" if rng.random() < 0.5 else None
        shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        shape(box, fill=colour, outline=outline, width=4)
        if rng.random() < 0.4:
            pen.polygon(corners, fill=colour, outline=outline)
    size = float(rng.uniform(9, 60))
    letters = rng.choice(list(string.ascii_letters + " " * 12), (max(1, int(height / size / 1.3)), 40))
    text = "\n".join("".join(line) for line in letters[: rng.integers(0, len(letters) + 1)])
    ink = "black" if rng.random() < 0.6 else colours[5]
    pen.text((width * 0.05, height * 0.05), text, ink, ImageFont.load_default(size))
    return sheet


def worn(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A poorer copy: grey, coarse, small, blurred, grainy or of stronger contrast, mostly as a JPEG; or only that."""
    how, values = rng.integers(8), np.asarray(image, np.float64)
    if how in (1, 2):
        image = image.convert("L")
    if how in (2, 3):
        image = picture((np.asarray(image, np.float64) - 128) * rng.uniform(1.1, 1.8) + 128 + rng.uniform(-50, 20))
    if how == 4:
        image = image.resize((max(8, image.width // 2), max(8, image.height // 2)), Image.Resampling.BILINEAR)
        image = image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
    if how == 5:
        image = image.resize((48, 48) if rng.random() < 0.5 else (110, 110), Image.Resampling.BILINEAR)
    if how == 6:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))
    if how == 7:
        image = picture(values + rng.normal(0, rng.uniform(4, 16), values.shape))
    if rng.random() < 0.8:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(50, 96)))
        image = Image.open(buffer)
    return image.convert("RGB")
