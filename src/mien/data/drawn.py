"""Tell a flat drawing from a photograph: cartoon, clip art, icon, line art, a page of text.

Two statistics of a picture's greys at 128 px, touched neither by colour nor much by JPEG and resizing:

* *spikes*: how far the histogram of greys is from its own running mean. A drawing is filled with a few greys; a photo
  has all those between, too.
* *texture*: small steps between neighbouring pixels against large ones, as a log ratio. Skin, cloth and blur are made
  of small steps; flat colour has none, and ink only large ones.

White and black are left out of both, because cut-out photos stand on white and night shots on black.

A logistic model joins the two. ``pretraining/fit_drawn.py`` fits it to 929 photos rendered as cartoons, in few colours
or as ink lines and to 285 pages of text and shapes, against 1,012 stock photos, 2,024 poorer copies of them (grey,
contrasted, coarse, small, blurred, grainy, as JPEG) and 1,499 crops of FER2013. It is scaled so that, of held-out
photos and their poorer copies, 2 in 1,000 reach 0.5 and 1 in 100 reaches 0.1. With the faces looked at as well, none of
the 1,012 it was fitted to reaches 0.5 and one reaches 0.1.

Told from held-out photos, in styles left out of the fit and among poorer copies as well: area under the ROC curve 0.96
for pages, 0.93 for few colours and ink lines, 0.83 for cartoons; 50, 25, 13 and 2 % of them reach 0.5. On 575 avatars,
emoji and line drawings by other hands, which nothing was fitted to: area 0.999 as they are, 0.991 as JPEG of quality
50, 0.967 at 110 px, 0.81 at 48 px; 84, 69, 22 and 10 % of them reach 0.5.

Paintings, shaded pencil and rendered faces have the greys of a photo: of six such pictures among the stock photos this
found none but a sheet of ink sketches, and that with 0.14. ``mien.auditing.drawings`` tells those.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.preprocess import Box

__all__ = ["drawn_probability", "drawn_statistics"]

BIAS, SPIKES_WEIGHT, TEXTURE_WEIGHT = -4.185, 5.436, -0.935

SIDE = 128
"""Longer side that larger pictures are averaged down to at least, in pixels: takes off most noise and JPEG blocks."""
DARKEST, LIGHTEST = 17, 239
"""Greys between near black and near white, of 255."""
SMALL_STEPS, LARGE_STEP = (3, 15), 41
"""Steps between neighbours that count as texture, and from which on as an edge, of 255. Below 3 is JPEG's rounding."""
LEAST_PIXELS = 50
"""Middle greys below which there is nothing to judge."""
LEAST_RANGE = 16
"""Distance between the darkest and the lightest grey below which a picture is blank, of 255."""
LEAST_FACE = 8
"""Shorter side of a face in the survey, in pixels, below which only the whole picture is judged."""
FLOOR = 0.01
"""Added to both shares, so that their ratio stays finite."""


def drawn_probability(grey: Image.Image, face: Box | None = None) -> float:
    """Probability that a picture is a flat drawing rather than a photograph.

    Args:
        grey: the luma of a whole picture with its longer side at most 256 px, mode ``L``.
        face: box of the main face in its pixels. Where it is known, the face must look drawn as well: a
            person photographed before a wall of one colour does not.

    Returns:
        In [0, 1]: 0.5 stands for drawn and 0.1 for perhaps drawn; 0 for a blank picture, on which nothing is drawn.
    """
    whole = _probability(grey)
    if face is None:
        return whole
    left, top, right, bottom = (max(0, round(edge)) for edge in face)
    right, bottom = min(right, grey.width), min(bottom, grey.height)
    if min(right - left, bottom - top) < LEAST_FACE:
        return whole
    return min(whole, _probability(grey.crop((left, top, right, bottom))))


def _probability(grey: Image.Image) -> float:
    spikes, texture = drawn_statistics(grey)
    if math.isnan(spikes):
        return 0.0
    return 1 / (1 + math.exp(-(BIAS + SPIKES_WEIGHT * spikes + TEXTURE_WEIGHT * texture)))


def drawn_statistics(grey: Image.Image) -> tuple[float, float]:
    """The two statistics of a picture of mode ``L``.

    Returns:
        Spikes, from 0 to 2, and texture, from -4.6 to 4.6; NaN twice for a blank picture or too few middle greys.
    """
    greys = _reduced(grey)
    inner = greys[:-1, :-1]
    is_middle = (inner >= DARKEST) & (inner <= LIGHTEST)
    if is_middle.sum() < LEAST_PIXELS or np.ptp(greys) < LEAST_RANGE:
        return math.nan, math.nan
    steps = np.maximum(np.abs(greys[:-1, 1:] - inner), np.abs(greys[1:, :-1] - inner))
    return _spikes(inner[is_middle]), _texture(steps[is_middle])


def _reduced(grey: Image.Image) -> NDArray[np.int16]:
    """Greys (h, w) with the longer side averaged down to ``SIDE`` px or a little less."""
    factor = -(-max(grey.size) // SIDE)
    return np.asarray(grey.reduce(factor) if factor > 1 else grey, dtype=np.int16)


def _spikes(greys: NDArray[np.int16]) -> float:
    """Distance between the histogram of middle greys (N,) and its running mean over five greys."""
    counts = np.bincount(greys - DARKEST, minlength=LIGHTEST - DARKEST + 1) / greys.size
    return float(np.abs(counts - np.convolve(counts, np.full(5, 0.2), "same")).sum())


def _texture(steps: NDArray[np.int16]) -> float:
    """Log of small steps over large ones; ``steps`` (N,) are the larger of the two to the right and below."""
    small = ((steps >= SMALL_STEPS[0]) & (steps <= SMALL_STEPS[1])).mean()
    large = (steps >= LARGE_STEP).mean()
    return math.log((float(small) + FLOOR) / (float(large) + FLOOR))
