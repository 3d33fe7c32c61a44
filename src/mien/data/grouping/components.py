"""Connected components: what hangs together, also by way of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["connected_components"]


def connected_components(n: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Name every node by the smallest node that it is connected to.

    In each round the larger of two joined roots is hung below the smaller, after which every node is hung below
    its root; two rounds at least halve the number of roots (after Shiloach and Vishkin, 1982).

    Args:
        n: number of nodes, 0 to n-1.
        edges: (M, 2) pairs of nodes, in any order, repeated ones allowed.

    Returns:
        (n,) smallest node of each node's component.
    """
    root = np.arange(n, dtype=np.int64)
    ends = np.asarray(edges, np.int64).reshape(-1, 2)
    while True:
        roots = root[ends]
        apart = roots[:, 0] != roots[:, 1]
        if not apart.any():
            return root
        ends, roots = ends[apart], roots[apart]
        np.minimum.at(root, roots.max(axis=1), roots.min(axis=1))
        root = _flattened(root)


def _flattened(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every node directly below its root."""
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return parent
        parent = above
