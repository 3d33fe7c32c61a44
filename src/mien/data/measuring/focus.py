"""How sharp a face is, and whether it is too small or too blurred to tell much from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import Box, as_grey

__all__ = [
    "FOCUS_SIDE",
    "LEAST_FOCUS",
    "LEAST_FOCUS_SMALL",
    "SMALL_SIDE",
    "TINY_SIDE",
    "face_focus",
    "focus",
    "focus_view",
    "is_low_quality",
]

TINY_SIDE = 48.0
"""Shorter side below which a face is tiny, in pixels: the size of FER2013, the least that is in common use."""
SMALL_SIDE = 64.0
"""Shorter side below which the pixels of faces differ more, px."""
LEAST_FOCUS = 0.40
"""Focus below which a face is blurred: below it 4 of 4 stock photos were, and from 0.40 to 0.45 only 2 of 7, the others
being soft light and smooth skin."""
LEAST_FOCUS_SMALL = 0.50
"""The same for faces under ``SMALL_SIDE``: below it about 15 of 18 in FER2013 were, and up to 0.57 half of the next
26."""
FOCUS_SIDE = 96
"""Shorter side that a face is reduced to before its focus is measured, in pixels; smaller ones are left as they are,
since enlarging blurs them."""


def is_low_quality(side: float, face_focus: float | None, *, is_found: bool) -> bool:
    """Whether a face is too small or too blurred to tell much from.

    Args:
        side: shorter side of its box, px.
        face_focus: as ``face_focus`` gives it.
        is_found: it was found in a photo; a picture that is a face crop is never too small.
    """
    if is_found and side < TINY_SIDE:
        return True
    return face_focus is not None and face_focus < (LEAST_FOCUS_SMALL if side < SMALL_SIDE else LEAST_FOCUS)


def face_focus(image: Image.Image, box: Box | None) -> float | None:
    """Focus of the part of a picture in a box, of all of it without one; None where there is nothing to judge."""
    (value,) = focus(focus_view(image, box)[None])
    return None if math.isnan(value) else float(value)


def focus_view(image: Image.Image, box: Box | None) -> NDArray[np.uint8]:
    """The greys (h, w) that ``focus`` judges a face by."""
    left, top, right, bottom = box or (0, 0, *image.size)
    scale = min(1.0, FOCUS_SIDE / min(right - left, bottom - top))
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    is_whole = box is None and size == image.size
    seen = image if is_whole else image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    return np.asarray(as_grey(seen))


def focus(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How sharp faces are, whatever their light and contrast.

    The root mean square of the Laplacian over that of the gradient: blur takes more from second differences than from
    first ones, and brightness or contrast change both alike. After the variance of the Laplacian (Pech-Pacheco et al.
    2000), which calls dark faces blurred.

    Args:
        faces: greys (N, h, w), with the shorter side at most ``FOCUS_SIDE`` px and not enlarged.

    Returns:
        (N,) from 0, about 0.7 for a sharp face of 96 px and 0.9 for one of 48 px; NaN for a flat one or below 3 px.
    """
    if min(faces.shape[1:]) < 3:
        return np.full(len(faces), math.nan)
    g = faces.astype(np.float32)
    gradient = (g[:, 1:-1, 2:] - g[:, 1:-1, :-2]) ** 2 + (g[:, 2:, 1:-1] - g[:, :-2, 1:-1]) ** 2
    laplacian = g[:, :-2, 1:-1] + g[:, 2:, 1:-1] + g[:, 1:-1, :-2] + g[:, 1:-1, 2:] - 4 * g[:, 1:-1, 1:-1]
    energy = gradient.mean((1, 2), dtype=np.float64)
    return np.asarray(np.sqrt((laplacian**2).mean((1, 2)) / np.where(energy > 0, energy, math.nan)))
