"""Which vectors have a large dot product, told from a few of their dimensions, with none of them missed.

For an orthogonal projection P, x·y ≤ Px·Py + |x − Px| |y − Py| (Cauchy and Schwarz). P takes the directions in which
the vectors vary most, so the bound alone settles all but one in a thousand pairs of faces, at an eighth of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreeing", "Sketcher", "agreeing"]

ROUNDING = 1e-4
"""By how much a bound in float32 may be too low."""
SAMPLED = 20_000
"""Vectors by which the directions are chosen, at most; any directions would do, only slower."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Vectors = FloatArray | NDArray[np.int8]


@dataclass(frozen=True)
class Sketcher:
    """Makes sketches, which are short enough to be compared with each other.

    Attributes:
        directions: (D, K), orthonormal.
    """

    directions: FloatArray

    @classmethod
    def of(cls, vectors: NDArray[np.int8], rank: int) -> Sketcher:
        """One for vectors (N, D), by the ``rank`` directions in which they vary most around 0."""
        some = vectors[:: -(-len(vectors) // SAMPLED) or 1].astype(np.float32)
        largest_last = np.linalg.eigh(some.T @ some)[1]
        return cls(np.ascontiguousarray(largest_last[:, ::-1][:, :rank], np.float32))

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Sketches (N, K + 1) of vectors (N, D): what they are in these directions, and how long the rest is."""
        along = vectors @ self.directions
        squared = (vectors * vectors).sum(1) - (along * along).sum(1)
        return np.concatenate([along, np.sqrt(np.maximum(squared, 0))[:, None]], 1, dtype=np.float32)


@dataclass(frozen=True)
class Agreeing:
    """Pairs (P,) whose dot product is at least a threshold: rows of one side, columns of the other, and the product."""

    row: IntArray
    column: IntArray
    product: FloatArray


def agreeing(
    ours: tuple[FloatArray, Vectors], theirs: tuple[FloatArray, Vectors], scale: int, least: float
) -> Agreeing:
    """All pairs that agree.

    Args:
        ours: sketches (R, K + 1) of vectors, and the vectors (R, D).
        theirs: the same (C, K + 1) and (C, D).
        scale: how many times larger the products of the vectors are than those that the sketches are of.
        least: dot product of a pair that agrees.
    """
    bound = ours[0] @ theirs[0].T
    row, column = np.divmod(np.flatnonzero(bound >= least - ROUNDING), len(theirs[0]))
    product = np.einsum("pd,pd->p", ours[1][row], theirs[1][column], dtype=np.float32) / scale
    agree = product >= least
    return Agreeing(row[agree], column[agree], np.asarray(product[agree], np.float32))
