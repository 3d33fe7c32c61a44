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
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import Box

__all__ = ["drawn_probabilities", "drawn_statistics"]

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


FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int16]
BoolArray = NDArray[np.bool_]


def drawn_probabilities(greys: Sequence[Image.Image], faces: Sequence[Box | None]) -> FloatArray:
    """Probabilities that pictures of one size are flat drawings rather than photographs.

    Args:
        greys: the luma of N whole pictures with their longer side at most 256 px, mode ``L``.
        faces: box of the main face in the pixels of each, or None. Where it is known, the face must look drawn as well:
            a person photographed before a wall of one colour does not.

    Returns:
        (N,) in [0, 1]: 0.5 stands for drawn, 0.1 for perhaps drawn; 0 for a blank picture, on which nothing is drawn.
    """
    found = _probabilities(greys)
    for i, (grey, face) in enumerate(zip(greys, faces, strict=True)):
        if face is None:
            continue
        left, top, right, bottom = (max(0, round(edge)) for edge in face)
        right, bottom = min(right, grey.width), min(bottom, grey.height)
        if min(right - left, bottom - top) >= LEAST_FACE:
            found[i] = min(found[i], _probabilities([grey.crop((left, top, right, bottom))])[0])
    return found


def _probabilities(greys: Sequence[Image.Image]) -> FloatArray:
    spikes, texture = drawn_statistics(greys).T
    logit = BIAS + SPIKES_WEIGHT * spikes + TEXTURE_WEIGHT * texture
    return np.where(np.isnan(logit), 0.0, 1 / (1 + np.exp(-logit)))


def drawn_statistics(greys: Sequence[Image.Image]) -> FloatArray:
    """The two statistics of N pictures of one size and of mode ``L``.

    Returns:
        (N, 2): spikes, from 0 to 2, and texture, from -4.6 to 4.6; NaN for a blank picture or too few middle greys.
    """
    small = [_reduced(grey) for grey in greys]
    reduced = np.stack([np.asarray(grey, np.int16) for grey in small])
    inner = reduced[:, :-1, :-1]
    is_middle = (inner >= DARKEST) & (inner <= LIGHTEST)
    levels = np.array([_inner(grey).histogram()[DARKEST : LIGHTEST + 1] for grey in small])
    counts = levels.sum(1)
    is_blank = (counts < LEAST_PIXELS) | (np.ptp(reduced, axis=(1, 2)) < LEAST_RANGE)
    steps = np.maximum(np.abs(reduced[:, :-1, 1:] - inner), np.abs(reduced[:, 1:, :-1] - inner))
    counts = np.maximum(counts, 1)
    found = np.stack([_spikes(levels / counts[:, None]), _texture(steps, is_middle, counts)], axis=1)
    found[is_blank] = math.nan
    return found


def _reduced(grey: Image.Image) -> Image.Image:
    """A picture (h, w) with the longer side averaged down to ``SIDE`` px or a little less."""
    factor = -(-max(grey.size) // SIDE)
    return grey.reduce(factor) if factor > 1 else grey


def _inner(grey: Image.Image) -> Image.Image:
    """The pixels that have a neighbour to the right and below."""
    return grey.crop((0, 0, grey.width - 1, grey.height - 1))


def _spikes(shares: FloatArray) -> FloatArray:
    """Distances (N,) between histograms of the middle greys (N, levels) and their running mean over five greys."""
    padded = np.pad(shares, ((0, 0), (2, 2)))
    running = sum(padded[:, i : i + shares.shape[1]] for i in range(5)) / 5
    return np.asarray(np.abs(shares - running).sum(1))


def _texture(steps: IntArray, is_middle: BoolArray, counts: NDArray[np.int64]) -> FloatArray:
    """Logs (N,) of small over large steps; ``steps`` (N, h, w) are the larger of the two to the right and below."""
    small = ((steps >= SMALL_STEPS[0]) & (steps <= SMALL_STEPS[1]) & is_middle).sum((1, 2)) / counts
    large = ((steps >= LARGE_STEP) & is_middle).sum((1, 2)) / counts
    return np.asarray(np.log((small + FLOOR) / (large + FLOOR)))
