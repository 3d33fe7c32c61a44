"""Which pictures may be copies of one another, by descriptors alone: the first and quickest step of the search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mien.data.grouping.sketches import Sketcher, agreeing
from mien.data.measuring.fingerprints import GRID, descriptors, of_mirrored

__all__ = ["BLOCK", "COMPARED", "WINDOWS", "Candidates", "Described", "Prints", "candidates"]

COARSE_SIMILARITY = 0.70
"""Least dot product of two descriptors, one of them of a window, for the pictures to be compared."""
CROP_COARSE_SIMILARITY = 0.85
"""The same for face crops, which are all alike from afar."""
BLOCK = 512
"""Pictures, and descriptors, that are compared at once, to bound the memory."""
COMPARED = 128
"""Pairs of pictures that are compared at once."""
STEPS = 127
"""Steps from 0 to 1 in which descriptors are kept: rounding moves a product of two by some 0.002."""
RANK, CROP_RANK = 48, 24
"""Directions of a sketch where there are photos, and where there are face crops alone, which must agree more."""

EDGES = ((0.0, 1.0), (0.0, 0.9), (0.1, 1.0), (0.05, 0.95))
WINDOWS = np.array([(*rows, *columns) for rows, columns in product(EDGES, EDGES)], np.float32)
"""Parts of a picture in which copies are looked for, (W, 4), the whole first. Aligning bridges what is between."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Prints:
    """Fingerprints in an order that has the photos before the face crops, read when they are needed.

    Attributes:
        read: gives those (P, SIDE, SIDE) at positions (P,).
        n: number of pictures; the first ``n_photos`` are whole photos, the others face crops.
        is_ours: (n,) which of two sets each is of; then only pairs of one of each are looked for.
    """

    read: Callable[[IntArray], NDArray[np.uint8]]
    n: int
    n_photos: int
    is_ours: NDArray[np.bool_] | None = None

    def across(self, found: Candidates) -> Candidates:
        """Those of two sets, where there are two."""
        return found if self.is_ours is None else found.chosen(self.is_ours[found.whole] != self.is_ours[found.part])

    def block(self, start: int) -> NDArray[np.uint8]:
        """Some, from one on."""
        return self.read(np.arange(start, min(start + BLOCK, self.n)))


@dataclass(frozen=True)
class Described:
    """What is kept of every picture: a byte for each number of its descriptor, and a sketch.

    Attributes:
        steps: (n, D), the descriptor times ``STEPS``.
        sketches: (n, K + 1), of the descriptor.
        sketcher: what made them.
    """

    steps: NDArray[np.int8]
    sketches: FloatArray
    sketcher: Sketcher

    @classmethod
    def of(cls, prints: Prints) -> Described:
        """Describe pictures as wholes."""
        steps = np.zeros((prints.n, 2 * GRID**2), np.int8)
        for start in range(0, prints.n, BLOCK):
            steps[start : start + BLOCK] = np.rint(STEPS * descriptors(prints.block(start)))
        sketcher = Sketcher.of(steps, RANK if prints.n_photos else CROP_RANK)
        sketches = np.zeros((prints.n, sketcher.directions.shape[1] + 1), np.float32)
        for start in range(0, prints.n, BLOCK):
            some = np.multiply(steps[start : start + BLOCK], 1 / STEPS, dtype=np.float32)
            sketches[start : start + BLOCK] = sketcher(some)
        return cls(steps, sketches, sketcher)


@dataclass(frozen=True)
class Candidates:
    """Pictures ``part`` (P,) that may show a window (P, 4) of the pictures ``whole`` (P,), perhaps mirrored."""

    whole: IntArray
    part: IntArray
    windows: FloatArray
    mirrored: bool

    def chosen(self, rows: slice | NDArray[np.bool_]) -> Candidates:
        """Some of them."""
        return Candidates(self.whole[rows], self.part[rows], self.windows[rows], self.mirrored)

    def and_then(self, others: Candidates) -> Candidates:
        """These and others."""
        whole, part = np.concatenate([self.whole, others.whole]), np.concatenate([self.part, others.part])
        return Candidates(whole, part, np.concatenate([self.windows, others.windows]), self.mirrored)


def candidates(prints: Prints, start: int, described: Described) -> Iterator[Candidates]:
    """Pairs with a whole picture of the block from ``start`` on, each with its best window, some at a time."""
    wholes, is_photos, nothing = prints.block(start), start < prints.n_photos, np.zeros(0, np.int64)
    seen = [descriptors(wholes)]
    seen += [descriptors(wholes[: max(0, prints.n_photos - start)], window) for window in WINDOWS[1:] if is_photos]
    for mirrored in (False, True):
        # A picture is like another's mirror image as its own mirror image is like the other.
        wanted = [of_mirrored(each) for each in seen] if mirrored else seen
        sketched = [(described.sketcher(each), each) for each in wanted]
        waiting = Candidates(nothing, nothing, WINDOWS[nothing], mirrored)
        # A whole crop is as like another as the other is like it; a window of a photo is not.
        for first in range(0 if is_photos else start, prints.n, BLOCK):
            theirs = slice(first, first + BLOCK)
            part = (described.sketches[theirs], described.steps[theirs])
            found = _agreeing(sketched, part, (prints.n_photos - start, prints.n_photos - first))
            found = Candidates(found.whole + start, found.part + first, found.windows, mirrored)
            is_photo = found.whole < prints.n_photos
            found = found.chosen((found.whole < found.part) | (is_photo & (found.whole != found.part)))
            waiting = waiting.and_then(prints.across(found))
            while len(waiting.whole) >= COMPARED:
                yield waiting.chosen(slice(COMPARED))
                waiting = waiting.chosen(slice(COMPARED, None))
        if len(waiting.whole):
            yield waiting


def _agreeing(
    seen: Sequence[tuple[FloatArray, FloatArray]], parts: tuple[FloatArray, NDArray[np.int8]], n_photos: tuple[int, int]
) -> Candidates:
    """Pairs of a whole picture and a part that agree, in the window in which they agree most.

    Args:
        seen: sketches and descriptors of the whole pictures, then of what each further window shows of the photos
            among them.
        parts: sketches of the parts, and their descriptors in steps.
        n_photos: how many of both, from the first on, are no face crops; those alone are looked for in windows.
    """
    photos, others = (max(0, n) for n in n_photos)
    least = COARSE_SIMILARITY if photos or others else CROP_COARSE_SIMILARITY
    found = [agreeing(seen[0], parts, STEPS, least)]
    if others:
        found += [agreeing(each, (parts[0][:others], parts[1][:others]), STEPS, least) for each in seen[1:]]
    whole, part, alike = (
        np.concatenate([getattr(each, name) for each in found]) for name in ("row", "column", "product")
    )
    number = np.repeat(np.arange(len(found)), [len(each.row) for each in found])
    agree = (whole < photos) | (part < others) | (alike >= CROP_COARSE_SIMILARITY)
    order = np.lexsort((number, -alike, part, whole))
    order = order[agree[order]]
    is_best = np.ones(len(order), np.bool_)
    is_best[1:] = (np.diff(whole[order]) != 0) | (np.diff(part[order]) != 0)
    best = order[is_best]
    return Candidates(whole[best], part[best], WINDOWS[number[best]], mirrored=False)
