"""File names that say two photos belong together: frames of one recording, or neighbours in an archive's numbering."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["named_alike"]

LEAST_DIGITS = 5
"""Digits of a number that is taken for an archive's or a camera's; shorter ones (``fear 12``) only count files."""
MOST_DIGITS = 40
"""Longer runs of digits are hashes, and Python does not read thousands of digits as a number."""
MAX_STEP = 10
"""Largest difference of such numbers between two neighbours of a series."""
LEAST_SHARE = 0.1
"""Share of the photos named alike that must have such a neighbour; where numbers are random, few have."""


def named_alike(photos: pl.DataFrame) -> NDArray[np.int64]:
    """Links between photos of one source whose names differ only in a long number, and there by little.

    ``S005_001_00000011.png`` follows ``S005_001_00000010.png``; ``pexels-photo-3778966.jpg`` comes shortly after
    ``pexels-photo-3778964.jpeg``. Only the last long number of a name may differ.

    Args:
        photos: with ``source`` and ``path``.

    Returns:
        (M, 2) positions of linked photos, each with the next of its series.
    """
    named: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for position, (source, path) in enumerate(photos.select("source", "path").iter_rows()):
        stem = PurePosixPath(path).stem
        numbers = list(re.finditer(rf"(?<!\d)\d{{{LEAST_DIGITS},{MOST_DIGITS}}}(?!\d)", stem))
        if numbers:
            last = numbers[-1]
            key = (source, stem[: last.start()], stem[last.end() :])
            named.setdefault(key, []).append((int(last.group()), position))
    links = [link for members in named.values() for link in _links(sorted(members))]
    return np.array(links, np.int64).reshape(-1, 2)


def _links(members: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours by number among (number, position)."""
    found = [(a[1], b[1]) for a, b in pairwise(members) if b[0] - a[0] <= MAX_STEP]
    return found if len(found) >= LEAST_SHARE * len(members) else []
