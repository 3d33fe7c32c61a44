"""What can be measured of a photo without knowing what it shows: light, colour, sharpness, added edges.

All but the sharpness of a face is measured on a *survey*, the photo reduced once to at most 256 pixels, so that
numbers compare across sizes and other measurements can share the reduction.

Watermarks laid across a picture are not measured: faint text over changing content has no mark that a few
lines could tell from the content. What is measured is the strip with text that picture agencies add at an edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import Box, as_grey

__all__ = ["SURVEY_SIDE", "Survey", "measure", "survey"]

SURVEY_SIDE = 256
"""Longer side of the survey, in pixels."""
GREY_CHROMA = 3.0
"""Mean distance between the largest and smallest channel below which a photo counts as grey, of 255."""
COLOUR_SIDE = 128
"""Longer side of what colour is measured on, in pixels: averaged so far, the noise of single pixels is no colour."""
SHARPNESS_SIDE = 96
IN_CACHE = 8
"""Pictures whose sharpness is measured at once: of more, it takes four times as long, for memory is waited for."""
LUMA = np.arange(256) / 255

SAME_TONE = 10
"""Largest difference of luma, of 255, at which a pixel still has the tone of the edge: JPEG noise."""
BARE, COVERED, BEYOND = 0.95, 0.4, 0.3
"""Share of a line's pixels that have the tone of the edge: at least so many in a bare line of a strip, at least
so many in a line of a strip with text, at most so many in the first line of the picture beyond the strip."""
LEAST_TEXT_LINES = 3
LARGEST_BANNER = 0.25
"""Share of the picture's height up to which a strip with text counts as added."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Survey:
    """A reduced picture.

    Attributes:
        grey: luma (ITU-R 601), mode ``L``, at most ``SURVEY_SIDE`` px; most measurements begin with it.
        colour: RGB (height, width, 3), at most ``COLOUR_SIDE`` px; its shape follows from that of ``grey``.
        detail: luma of the face in full size, of the picture where there is none, at ``SHARPNESS_SIDE`` px.
    """

    grey: Image.Image
    colour: Bytes
    detail: Bytes


def survey(image: Image.Image, face: Box | None = None) -> Survey:
    """Reduce an upright RGB picture to at most ``SURVEY_SIDE`` pixels on the longer side, its colour further.

    A picture of eight times that size or more is first thinned to every n-th pixel: of the hundreds of pixels
    that become one, sixteen give the same mean to within its noise, and memory is read once at most.

    Args:
        face: box of the main face, or None.
    """
    full = image
    if max(image.size) >= 8 * SURVEY_SIDE:
        image = image.resize(_fit(image.size, 4 * SURVEY_SIDE), Image.Resampling.NEAREST)
    grey = as_grey(image)  # first, since one channel is reduced in a third of the time
    if max(image.size) > SURVEY_SIDE:
        grey = grey.resize(_fit(image.size, SURVEY_SIDE), Image.Resampling.BILINEAR, reducing_gap=1.1)
    if max(image.size) > COLOUR_SIDE:
        averaged = image.reduce(max(image.size) // COLOUR_SIDE)
        image = averaged.resize(_fit(grey.size, COLOUR_SIDE), Image.Resampling.NEAREST)
    side, sharpest = (SHARPNESS_SIDE, SHARPNESS_SIDE), grey if face is None else full
    detail = as_grey(sharpest.resize(side, Image.Resampling.BILINEAR, box=face, reducing_gap=2.0))
    return Survey(grey, np.asarray(image), np.asarray(detail))


def measure(surveys: Sequence[Survey]) -> dict[str, NDArray[np.float64 | np.bool_]]:
    """Measure N pictures whose surveys have one shape, all at once: of small ones, Python's calls cost the most.

    Returns:
        (N,) each:
        ``brightness``: mean luma (ITU-R 601), 0 to 1.
        ``contrast``: standard deviation of luma, 0 to 0.5.
        ``saturation``: chroma, the largest less the smallest channel, as a share of the largest channel, over
        all pixels of the survey together, 0 to 1. It is the mean of HSV's saturation with each pixel weighted by
        its value, which keeps the noise of dark pixels out.
        ``is_grey``: whether chroma is below ``GREY_CHROMA`` on average.
        ``border``: share of the picture's area in bars or a frame of one tone, 0 to 1.
        ``banner``: share of the picture's height in strips with text at the upper or lower edge, 0 to 0.5.
        ``sharpness``: variance of the Laplacian at 96×96 pixels (Pech-Pacheco et al. 2000) of the face, or of
        the photo where there is none.
    """
    counts = np.array([each.grey.histogram() for each in surveys])  # far fewer numbers than pixels
    n = counts[0].sum()
    brightness = (counts * LUMA).sum(1) / n
    channels = np.moveaxis(np.stack([each.colour for each in surveys]), -1, 0)
    red, green, blue = np.ascontiguousarray(channels)  # three times as fast to compare as every third byte
    largest = np.maximum(np.maximum(red, green), blue)
    chroma = largest - np.minimum(np.minimum(red, green), blue)
    total, coloured = largest.sum((1, 2)), chroma.sum((1, 2))
    border, banner = _added_edges(np.stack([np.asarray(each.grey) for each in surveys]))
    return {
        "brightness": brightness,
        "contrast": np.sqrt((counts * (LUMA - brightness[:, None]) ** 2).sum(1) / n),
        "saturation": coloured / np.maximum(total, 1),
        "is_grey": coloured < GREY_CHROMA * chroma[0].size,
        "border": border,
        "banner": banner,
        "sharpness": _sharpness(np.stack([each.detail for each in surveys])),
    }


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height with the same aspect ratio and this longer side, as ``Image.thumbnail`` has them."""
    scale = side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _sharpness(details: Bytes) -> NDArray[np.float64]:
    """Variances (N,) of the Laplacian of greys (N, H, W), the greys from 0 to 1."""
    some = [_variances(details[first : first + IN_CACHE]) for first in range(0, len(details), IN_CACHE)]
    return np.concatenate(some)


def _variances(details: Bytes) -> NDArray[np.float64]:
    """The same, of as many as stay in the processor's cache meanwhile."""
    g = details.astype(np.int16)
    around = g[:, :-2, 1:-1] + g[:, 2:, 1:-1] + g[:, 1:-1, :-2] + g[:, 1:-1, 2:]
    laplacian = (around - 4 * g[:, 1:-1, 1:-1]).reshape(len(g), -1).astype(np.float32)
    laplacian -= laplacian.mean(1, keepdims=True)
    return np.asarray((laplacian**2).mean(1, dtype=np.float64) / 255**2)


@dataclass(frozen=True)
class _Margin:
    """The plain part at one edge of a picture, beginning at the edge.

    Attributes:
        same: (H, W) whether a pixel has the tone of the edge, the edge being the first of the H lines.
        cover: (H,) share of such pixels in each line.
        depth: lines at the edge that are bare; 0 where the edge itself is of several tones.
    """

    same: NDArray[np.bool_]
    cover: NDArray[np.float64]
    depth: int


NO_MARGIN = _Margin(np.zeros((0, 0), np.bool_), np.zeros(0), 0)


def _added_edges(luma: Bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares (N,) of the area that is border and of the height that is banner, of pictures (N, H, W).

    Only luma is looked at, for JPEG smears colours over many pixels at the edge of a bar.
    """
    border, banner = np.zeros(len(luma)), np.zeros(len(luma))
    across, along = luma[:, [0, -1]], luma[:, :, [0, -1]].transpose(0, 2, 1)
    for i in np.flatnonzero(_is_plain(across).any(1) | _is_plain(along).any(1)):
        border[i], banner[i] = _added_edges_of(luma[i])
    return border, banner


def _added_edges_of(luma: Bytes) -> tuple[float, float]:
    """The shares for one picture (H, W)."""
    height, width = luma.shape
    top, bottom, left, right = (_margin(lines) for lines in (luma, luma[::-1], luma.T, luma.T[::-1]))
    upper, lower = _strip(top, left.depth, right.depth), _strip(bottom, left.depth, right.depth)
    sides = _strip(left, top.depth, bottom.depth)[0] + _strip(right, top.depth, bottom.depth)[0]
    inner = max(0, height - upper[0] - lower[0]) * max(0, width - sides)
    return 1 - inner / (height * width), (upper[1] + lower[1]) / height


def _is_plain(edges: Bytes) -> NDArray[np.bool_]:
    """Whether nearly all pixels of an edge have its tone (...,), of edges (..., L)."""
    return np.asarray(_of_tone(edges, edges).sum(-1) >= BARE * edges.shape[-1])


def _of_tone(pixels: Bytes, edges: Bytes) -> NDArray[np.bool_]:
    """Which pixels (..., L) have the tone of their edge (..., L), which is its median."""
    median = np.sort(edges)[..., edges.shape[-1] // 2, None]  # sorting finds a median soonest
    least = np.maximum(median, SAME_TONE) - SAME_TONE
    return np.asarray(pixels - least <= 2 * SAME_TONE)  # below ``least``, bytes wrap round to large numbers


def _margin(lines: Bytes) -> _Margin:
    """Find the plain part at the first of the lines (H, W)."""
    if not _is_plain(lines[:1])[0]:
        return NO_MARGIN
    same = _of_tone(lines, lines[0])
    cover = same.sum(1) / same.shape[1]
    return _Margin(same, cover, _leading(cover >= BARE))


def _strip(margin: _Margin, before: int, after: int) -> tuple[int, int]:
    """How many lines at the edge are border, and how many are banner; at most one of the two is not 0.

    Both are of one tone and end at once all along the line, which a plain background does not: it ends where
    somebody's head or shoulder begins. A banner holds text, and text leaves the strip's last lines bare.

    Args:
        before: lines that the margin at the beginning of each line takes up; with ``after``, part of a frame.
        after: the same at its end.
    """
    if margin.depth == 0:
        return 0, 0
    if _ends_at_once(margin, margin.depth, before, after):
        return margin.depth, 0
    depth = _leading(margin.cover >= COVERED)
    bare = margin.cover[:depth] >= BARE
    has_text = depth - bare.sum() >= LEAST_TEXT_LINES and bare[-3:].any()
    is_banner = has_text and depth <= LARGEST_BANNER * len(margin.same) and _ends_at_once(margin, depth, before, after)
    return (0, depth) if is_banner else (0, 0)


def _ends_at_once(margin: _Margin, depth: int, before: int, after: int) -> bool:
    """Whether hardly a pixel beyond a strip of so many lines has its tone."""
    if depth + 1 >= len(margin.same):
        return False
    line = margin.same[depth + 1]  # reduction may have blended the one before
    within = line[before : len(line) - after] if before and after else line
    return len(within) > 0 and bool(within.mean() <= BEYOND)


def _leading(holds: NDArray[np.bool_]) -> int:
    """Number of lines before the first for which it does not hold."""
    return len(holds) if holds.all() else int(holds.argmin())
