"""A fingerprint of a picture, and how alike two fingerprints are, with one part of the picture allowed to differ.

A fingerprint is the picture's luma at ``SIDE``×``SIDE``. Pictures are compared by their gradients, each squashed by
tanh: brightness and contrast cancel out, and a few strong edges (a black caption bar) cannot outweigh the rest.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import as_grey

__all__ = [
    "GRID",
    "SIDE",
    "align",
    "descriptors",
    "fingerprint",
    "halved",
    "look_in",
    "of_mirrored",
    "picture_hashes",
    "similarity",
]

SIDE = 32
"""Side of a fingerprint, px."""
GRID = 10
"""Cells a side of a descriptor's gradients."""
SQUASH = 1.0
"""A gradient of the picture's median size is squashed by tanh of this."""
CLIPPED = 248
"""Luma from which a cell counts as blown out; brightening destroys what was there, so it is not compared."""
BAND_SHARE = 0.2
"""Share of the rows of gradients that may differ, for a caption or watermark strip; one row is lost at its edges."""
LOCAL_REACH = 1
"""Cells of 15 to each side that a gradient is measured against."""
LEAST_GRADIENT = 1.5
"""Size of a gradient, of 255, that is not told from noise."""
LEAST_COMPARED = 0.2
"""Share of cells that must remain to be compared; else the blown-out ones are compared as well."""

HASHED_CELLS, HASHED_STEP = 8, 32
"""Cells a side, and levels of luma, that a picture is reduced to before it is hashed. Of FER2013's faces enlarged to
224 px 76 % keep their hash, of those compressed again at quality 75 56 %, and different faces do not share one."""

FloatArray = NDArray[np.float32]
Window = tuple[float, float, float, float] | FloatArray
"""Part of a picture: top, bottom, left, right as shares of its height and width."""


def fingerprint(image: Image.Image) -> NDArray[np.uint8]:
    """Luma of a picture, (SIDE, SIDE)."""
    return np.asarray(as_grey(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def picture_hashes(prints: NDArray[np.uint8]) -> list[str]:
    """Hexadecimal sha256 of each of N pictures at so few cells and levels that most survive another file format.

    Unlike a fingerprint, a hash does not show what the picture looks like.

    Args:
        prints: (N, SIDE, SIDE).
    """
    cell = SIDE // HASHED_CELLS
    means = prints.reshape(-1, HASHED_CELLS, cell, HASHED_CELLS, cell).mean((2, 4))
    levels = ((means + HASHED_STEP / 2) // HASHED_STEP).astype(np.uint8)
    return [hashlib.sha256(each.tobytes()).hexdigest() for each in levels]


def descriptors(prints: NDArray[np.uint8], window: Window = (0, 1, 0, 1)) -> FloatArray:
    """Unit vectors (N, 2·GRID²) of the squashed gradients in a window; their dot products are in [-1, 1]."""
    rows, columns = _cells(window[0], window[1]), _cells(window[2], window[3])
    means = rows @ prints.astype(np.float32) @ columns.T
    gradients = _gradients(means).reshape(len(prints), -1)
    typical = np.median(np.abs(gradients), axis=1, keepdims=True) + 1e-3
    squashed = np.tanh(SQUASH / typical * gradients)
    return np.asarray(squashed / (np.linalg.norm(squashed, axis=1, keepdims=True) + 1e-9), np.float32)


def of_mirrored(described: FloatArray) -> FloatArray:
    """The descriptors (N, 2·GRID²) of the same pictures, or windows, mirrored: what rose to the right falls."""
    gradients = described.reshape(-1, GRID, GRID, 2)[:, :, ::-1]
    return np.asarray((gradients * np.array([-1, 1], np.float32)).reshape(described.shape))


def halved(luma: FloatArray) -> FloatArray:
    """Pictures (P, n, n) at half their side, (P, n/2, n/2)."""
    four = luma[:, ::2, ::2] + luma[:, 1::2, ::2] + luma[:, ::2, 1::2] + luma[:, 1::2, 1::2]
    return np.asarray(four / 4, np.float32)


def similarity(a: FloatArray, b: FloatArray) -> FloatArray:
    """How alike pictures are, (P,) in [-1, 1]: the cosine of their squashed gradients.

    The horizontal band that disagrees most is left out, so that a caption strip does not hide a copy.

    Args:
        a: luma (P, n, n); the smaller n, the less detail counts.
        b: luma (P, n, n) of the same part of the scene.
    """
    kept = (_largest(a) < CLIPPED) & (_largest(b) < CLIPPED)
    kept |= kept.mean((1, 2), keepdims=True) < LEAST_COMPARED
    x, y = _squashed(_gradients(a), kept), _squashed(_gradients(b), kept)
    sums = [_up_to_row(product) for product in (x * y, x * x, y * y)]
    best = np.full(len(a), -1, np.float32)
    band = round(BAND_SHARE * x.shape[1])
    for top in range(x.shape[1] - band + 1):
        xy, xx, yy = (s[:, -1] - (s[:, top + band] - s[:, top]) for s in sums)
        best = np.maximum(best, xy / np.sqrt(xx * yy + 1e-6))
    return best


def look_in(prints: FloatArray, windows: FloatArray) -> FloatArray:
    """What windows (P, 4) show of pictures (P, SIDE, SIDE), resampled bilinearly to (P, SIDE, SIDE)."""
    rows, columns = _sampling(windows[:, :2]), _sampling(windows[:, 2:])
    return np.asarray(rows @ prints @ columns.transpose(0, 2, 1), np.float32)


def align(parts: FloatArray, wholes: FloatArray, windows: FloatArray) -> FloatArray:
    """Move each window so that the whole, looked at through it, shows the part.

    Gauss-Newton on the four edges, coarse to fine (Lucas and Kanade 1981), with Cauchy weights so that what
    was added to one of the pictures does not pull.

    Args:
        parts: (P, SIDE, SIDE).
        wholes: (P, SIDE, SIDE).
        windows: (P, 4) starts, some twentieths of the picture off at most.

    Returns:
        (P, 4) windows, each side at least 0.6 long.
    """
    for blurs, steps in ((3, 4), (1, 4)):
        part, whole = _level(_blurred(parts, blurs)), _blurred(wholes, blurs)
        for _ in range(steps):
            windows = _nearer(part, _level(look_in(whole, windows)), windows)
    return windows


def _nearer(part: FloatArray, seen: FloatArray, windows: FloatArray) -> FloatArray:
    """One Gauss-Newton step of the windows."""
    share = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    height, width = windows[:, 1] - windows[:, 0], windows[:, 3] - windows[:, 2]
    down = _slopes(seen) * (SIDE / height)[:, None, None]
    right = _slopes(seen.transpose(0, 2, 1)).transpose(0, 2, 1) * (SIDE / width)[:, None, None]
    by_edge = np.empty((len(seen), 4, SIDE, SIDE), np.float32)  # of the top, the bottom, the left and the right
    for whole, low, high, shares in ((down, 0, 1, share[:, None]), (right, 2, 3, share)):
        np.multiply(whole, shares, out=by_edge[:, high])
        np.subtract(whole, by_edge[:, high], out=by_edge[:, low])
    jacobian = by_edge.reshape(len(seen), 4, -1)
    residual = (part - seen).reshape(len(seen), -1, 1)
    weighted = jacobian * (1 / (1 + (residual[:, None, :, 0] / 0.5) ** 2))
    hessian = weighted @ jacobian.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(hessian, axis1=1, axis2=2) + 1e-6
    step = np.linalg.solve(hessian + damping[:, None, None] * np.eye(4, dtype=np.float32), weighted @ residual)
    moved = np.clip(windows + np.clip(step[:, :, 0], -0.05, 0.05), -0.02, 1.02)
    moved[:, 1] = np.maximum(moved[:, 1], moved[:, 0] + 0.6)
    moved[:, 3] = np.maximum(moved[:, 3], moved[:, 2] + 0.6)
    return np.asarray(moved, np.float32)


def _slopes(images: FloatArray) -> FloatArray:
    """Central differences (P, n, n) down the rows, at the edges those to the only neighbour; as ``np.gradient``."""
    slopes = np.empty_like(images)
    slopes[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    slopes[:, 0], slopes[:, -1] = images[:, 1] - images[:, 0], images[:, -1] - images[:, -2]
    return slopes


def _cells(low: float, high: float) -> FloatArray:
    """Weights (GRID + 1, SIDE) that average a line of pixels into overlapping cells of its part [low, high]."""
    size = (high - low) * SIDE / (GRID + 1)
    centres = low * SIDE + size * (np.arange(GRID + 1) + 0.5)
    weights = np.clip(1 - np.abs(np.arange(SIDE) + 0.5 - centres[:, None]) / size, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _gradients(cells: FloatArray) -> FloatArray:
    """Differences to the right and downwards of (N, n, n) cells, (N, n-1, n-1, 2)."""
    a, b, c, d = cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]
    return np.asarray(np.stack([b - a + d - c, c - a + d - b], axis=-1) / 2, np.float32)


def _largest(cells: FloatArray) -> FloatArray:
    """The largest of the four cells that each gradient is made of."""
    wide = np.maximum(cells[:, :, :-1], cells[:, :, 1:])
    return np.maximum(wide[:, :-1], wide[:, 1:])


def _squashed(gradients: FloatArray, kept: NDArray[np.bool_]) -> FloatArray:
    """Gradients (P, n, n, 2) against those around them, in [-1, 1], and 0 where they are not kept.

    Measured against their surroundings, the faint edges of a face count as much as the strong ones of dark hair on
    a light wall: two people of one hair style, or one person with two expressions, are not the same picture.
    """
    gradients = gradients * kept[..., None]
    size, share = np.abs(gradients).mean(-1), kept.astype(np.float32)
    reach = LOCAL_REACH * gradients.shape[1] // 15
    around = _box_sums(size, reach) / np.maximum(_box_sums(share, reach), 1)
    return np.asarray(np.tanh(gradients / (0.7 * around + LEAST_GRADIENT)[..., None]), np.float32)


def _box_sums(values: FloatArray, reach: int) -> FloatArray:
    """Sums (P, n, n) over squares that reach so many cells to all sides, as far as there are any."""
    n, before = values.shape[1], reach + 1  # written in place: np.pad takes longer than the sums
    for _ in range(2):
        sums = np.zeros((len(values), before + n + reach, values.shape[2]), np.float32)
        np.cumsum(values, axis=1, out=sums[:, before : before + n])
        sums[:, before + n :] = sums[:, before + n - 1, None]
        values = (sums[:, 2 * reach + 1 :] - sums[:, : -2 * reach - 1]).transpose(0, 2, 1)
    return np.asarray(values, np.float32)


def _up_to_row(products: FloatArray) -> FloatArray:
    """Sums (P, rows + 1) over all rows above each."""
    rows = np.zeros((len(products), products.shape[1] + 1), np.float32)
    np.cumsum(products.sum((2, 3)), axis=1, out=rows[:, 1:])
    return rows


def _blurred(luma: FloatArray, times: int) -> FloatArray:
    """Luma after so many passes of a (1, 2, 1) kernel in both directions."""
    for _ in range(times):
        padded = np.concatenate([luma[:, :1], luma, luma[:, -1:]], 1)
        padded = np.concatenate([padded[:, :, :1], padded, padded[:, :, -1:]], 2)
        rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        luma = np.asarray((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16, np.float32)
    return luma


def _level(luma: FloatArray) -> FloatArray:
    """Luma with median 0 and mean absolute value 1, so that brightness and contrast do not count."""
    some = luma[:, ::2, ::2]  # enough for a median, which takes longer than all else
    centred = luma - np.median(some, axis=(1, 2), keepdims=True)
    return np.asarray(centred / (np.abs(centred).mean((1, 2), keepdims=True) + 1e-3), np.float32)


def _sampling(spans: FloatArray) -> FloatArray:
    """Weights (P, SIDE, SIDE) that take SIDE pixels, evenly, out of spans (P, 2) of a line; beyond its end, the end."""
    share = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    places = (spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * share) * SIDE - 0.5
    distance = np.abs(np.clip(places, 0, SIDE - 1)[:, :, None] - np.arange(SIDE, dtype=np.float32))
    return np.asarray(np.maximum(1 - distance, 0), np.float32)
