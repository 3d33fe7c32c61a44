"""What the audit says of the face in each photo: none, several, tiny, cut off, blurred, or drawn.

Flags come from the manifest's columns alone. A photo can bear several, and whether one is a fault depends on the use:
the audit names them and leaves every photo in. The thresholds were set by looking at the faces on both sides of each
among 1,020 stock photos, and at the 35,887 crops of FER2013.

A picture that is already a face crop is one face that nobody searched for: it is never without a face, shared, tiny
or cut off, since being small and tight is what it was made to be. It can be blurred, drawn or blank.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mien.data.preprocess import Box

__all__ = ["FLAGS", "FOCUS_SIDE", "face_flags", "face_focus", "focus", "focus_view", "is_low_quality"]

TINY_SIDE = 48.0
"""Shorter side below which a face is tiny, in pixels: the size of FER2013, the least that is in common use."""
CUT_SHARE = 0.05
"""Share of the face's box outside the picture from which on it is cut off. From there up the frame cut 18 of 20
heads, 12 of them through forehead or chin; from 0.02 to 0.05 mostly through hair."""
LEAST_FOCUS, LEAST_FOCUS_SMALL = 0.40, 0.50
"""Focus below which a face is blurred; the second for faces under ``SMALL_SIDE``, whose pixels differ more. Below the
first 4 of 4 stock photos were, and from 0.40 to 0.45 only 2 of 7, the others being soft light and smooth skin. Below
the second about 15 of 18 in FER2013 were, and up to 0.57 half of the next 26."""
SMALL_SIDE = 64.0
SURELY_DRAWN, PERHAPS_DRAWN = 0.5, 0.1
"""Probabilities from which a picture counts as drawn, and as perhaps drawn. Both opinions are scaled to them: of photos
left out of the fit and poorer copies of them, 2 in 1,000 reach the first, and 1 in 100 the second."""
BLANK_CONTRAST = 0.02
"""Contrast below which a picture shows nothing; nothing else is then said of it."""

FLAGS = ("no_face", "several_faces", "tiny_face", "cut_face", "blurred_face", "drawn", "perhaps_drawn", "blank")

FOCUS_SIDE = 96
"""Shorter side that a face is reduced to before its focus is measured, in pixels; smaller ones are left as they are,
since enlarging blurs them."""


def face_flags(manifest: pl.DataFrame) -> pl.DataFrame:
    """Flags of every usable photo.

    Args:
        manifest: with ``face_cut`` (share of the face's box outside the picture), ``face_focus`` (see ``focus``) and
            ``drawn`` (probability) beside the other columns of the face; each may be null.

    Returns:
        ``id`` and one boolean column for each of ``FLAGS``, never null; one row for each photo with status ``ok``.
    """
    is_blank = pl.col("contrast") < BLANK_CONTRAST
    is_found = pl.col("face_kind") == "found"
    is_tiny = is_found & (pl.col("face_side") < TINY_SIDE)
    least_focus = pl.when(pl.col("face_side") < SMALL_SIDE).then(LEAST_FOCUS_SMALL).otherwise(LEAST_FOCUS)
    drawn = pl.col("drawn")
    flags = {
        "no_face": pl.col("face_kind") == "none",
        "several_faces": is_found & (pl.col("face_count") > 1),
        "tiny_face": is_tiny,
        "cut_face": is_found & (pl.col("face_cut") >= CUT_SHARE),
        "blurred_face": (pl.col("face_kind") != "none") & ~is_tiny & (pl.col("face_focus") < least_focus),
        "drawn": drawn >= SURELY_DRAWN,
        "perhaps_drawn": (drawn >= PERHAPS_DRAWN) & (drawn < SURELY_DRAWN),
    }
    said = [(flag & ~is_blank).fill_null(False).alias(name) for name, flag in flags.items()]
    return manifest.filter(pl.col("status") == "ok").select("id", *said, is_blank.fill_null(False).alias("blank"))


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
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0).convert("L"))


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
