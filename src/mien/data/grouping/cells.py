"""Which of very many face crops may be copies of one another, without comparing each with each.

Crops are put into cells around centres, and each is compared with those in the few cells that are nearest to it (an
inverted file: Sivic and Zisserman, "Video Google", 2003; Jégou, Douze and Schmid, "Product quantization for nearest
neighbor search", 2011). There are as many more cells as there are crops, so the time grows with their number and not
with its square. A pair is missed where neither of the two looks into the other's cell; docs/SCALING.md has how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.grouping.candidates import (
    BLOCK,
    COMPARED,
    CROP_COARSE_SIMILARITY,
    STEPS,
    WINDOWS,
    Candidates,
    Described,
    Prints,
)
from mien.data.grouping.sketches import agreeing
from mien.data.measuring.fingerprints import descriptors, of_mirrored

__all__ = ["FROM", "candidates_in_cells", "confirmed"]

FROM = 50_000
"""Face crops from which on cells are used: with fewer, comparing each with each takes a few seconds."""
IN_A_CELL, LOOKED_INTO = 250, 16
"""Crops in a cell, on average, and cells that each crop is compared with. Chosen on FER2013 and on 144,000 blends of
its faces (bench/scale.py), for at most one pair in a hundred to be missed."""
SAMPLED, ROUNDS, SEED = 20, 6, 0
"""Crops a cell that its centre is found by, how often it is moved to their mean, and the seed of what is drawn."""
SLACK = 0.01
"""What rounding both descriptors to steps changes in a dot product, nearly always (its standard deviation is 0.002);
who agrees is told again without."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class _Cells:
    """Crops by the cells that they lie in and look into, at their places from 0.

    Attributes:
        members: of each cell, the crops that lie in it.
        visitors: of each cell, the crops that look into it; then those whose mirror images do.
    """

    members: list[IntArray]
    visitors: tuple[list[IntArray], list[IntArray]]

    @classmethod
    def of(cls, steps: NDArray[np.int8], pool: Executor) -> _Cells:
        """Lay out crops, described in steps (n, D)."""
        count = max(LOOKED_INTO, len(steps) // IN_A_CELL)
        centres = _centres(steps, count)

        def nearest(start: int) -> tuple[IntArray, IntArray]:
            some = _vectors(steps[start : start + BLOCK])
            return _nearest(some, centres), _nearest(of_mirrored(some), centres)

        found = list(pool.map(nearest, range(0, len(steps), BLOCK)))
        plain, mirrored = (np.concatenate([each[side] for each in found]) for side in (0, 1))
        return cls(_by_cell(plain[:, :1], count), (_by_cell(plain, count), _by_cell(mirrored, count)))


def candidates_in_cells(prints: Prints, described: Described, pool: Executor) -> Iterator[Candidates]:
    """Pairs of face crops that seem to agree in their descriptors, some at a time; ``confirmed`` tells which do."""
    first = prints.n_photos
    steps, sketches = described.steps[first:], described.sketches[first:]
    cells = _Cells.of(steps, pool)
    for is_mirrored, visitors in zip((False, True), cells.visitors, strict=True):

        def meet(cell: int, is_mirrored: bool = is_mirrored, visitors: list[IntArray] = visitors) -> IntArray:
            members, met = cells.members[cell], [np.zeros((0, 2), np.int64)]
            parts = (sketches[members], steps[members])
            if is_mirrored:  # those few, since it makes no difference which of the two is
                mirrored = of_mirrored(_vectors(steps[members]))
                parts = (described.sketcher(mirrored), np.rint(mirrored * STEPS).astype(np.int8))
            for start in range(0, len(visitors[cell]), BLOCK):
                some = visitors[cell][start : start + BLOCK]
                found = agreeing((sketches[some], steps[some]), parts, STEPS**2, CROP_COARSE_SIMILARITY - SLACK)
                met.append(np.sort(np.stack([some[found.row], members[found.column]], 1), 1))
            return np.concatenate(met)

        pairs = np.concatenate(list(pool.map(meet, range(len(cells.members)))))
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0) + first
        for start in range(0, len(pairs), COMPARED):
            whole, part = pairs[start : start + COMPARED].T
            windows = np.broadcast_to(WINDOWS[0], (len(whole), 4))
            yield prints.across(Candidates(whole, part, windows, is_mirrored))


def confirmed(prints: Prints, described: Described, found: Candidates) -> Candidates:
    """Those that agree as the search without cells tells it, which does not round the descriptor of the whole."""
    seen = descriptors(prints.read(found.whole))
    seen = of_mirrored(seen) if found.mirrored else seen
    product = np.einsum("pd,pd->p", seen, described.steps[found.part], dtype=np.float32) / STEPS
    return found.chosen(product >= CROP_COARSE_SIMILARITY)


def _vectors(steps: NDArray[np.int8]) -> FloatArray:
    return np.multiply(steps, 1 / STEPS, dtype=np.float32)


def _centres(steps: NDArray[np.int8], count: int) -> FloatArray:
    """Directions (count, D) around which descriptors gather: k-means on the sphere, of some of them."""
    rng = np.random.default_rng(SEED)
    some = _vectors(steps[np.sort(rng.permutation(len(steps))[: SAMPLED * count])])
    centres = some[rng.permutation(len(some))[:count]]
    for _ in range(ROUNDS):
        home = _nearest(some, centres, 1)[:, 0]
        for cell, members in enumerate(_by_cell(home[:, None], count)):
            if len(members):
                centres[cell] = some[members].sum(0)
        centres /= np.linalg.norm(centres, axis=1, keepdims=True) + 1e-9
    return centres


def _nearest(vectors: FloatArray, centres: FloatArray, most: int = LOOKED_INTO) -> IntArray:
    """Numbers (N, most) of the centres that are nearest to each vector, the nearest first."""
    parts = list[IntArray]()
    for start in range(0, len(vectors), BLOCK):
        distance = -(vectors[start : start + BLOCK] @ centres.T)
        some = np.argpartition(distance, most - 1, axis=1)[:, :most]
        parts.append(np.take_along_axis(some, np.take_along_axis(distance, some, 1).argsort(1, kind="stable"), 1))
    return np.concatenate(parts)


def _by_cell(cells: IntArray, count: int) -> list[IntArray]:
    """For each cell, the rows of ``cells`` (N, P) that name it, in their order."""
    order = np.argsort(cells.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(cells.ravel(), minlength=count))
    return [each // cells.shape[1] for each in np.split(order, ends[:-1])]
