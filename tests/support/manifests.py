"""Tables of photos that were never drawn, for what looks at labels and groups alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.tables.manifest import SCHEMA


def content(*what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()


def manifest(
    labels: Sequence[str | None],
    near: Sequence[int] | None = None,
    splits: Sequence[str | None] | None = None,
    **columns: Sequence[Any],
) -> pl.DataFrame:
    """A table of readable photos; ``near`` names groups as it likes, columns that are not given are plain."""
    n = len(labels)
    near = list(range(n)) if near is None else near
    first: dict[int, int] = {}
    plain: dict[str, Sequence[Any]] = {name: [None] * n for name in SCHEMA} | {
        "row": range(n),
        "path": [f"{i}.png" for i in range(n)],
        "source": ["set"] * n,
        "sha256": [content(i) for i in range(n)],
        "label": labels,
        "near_group": [first.setdefault(group, i) for i, group in enumerate(near)],
        "status": ["ok"] * n,
        "given_split": splits or [None] * n,
        "split": [None] * n,
    }
    return pl.DataFrame(plain | columns, schema=SCHEMA)


def people(counts: NDArray[np.int64]) -> pl.DataFrame:
    """Different pictures of people, from their counts (people, classes)."""
    who = [(person, label) for person, row in enumerate(counts) for label, n in enumerate(row) for _ in range(n)]
    return manifest(["abcdef"[label] for _, label in who], group=[f"person {person}" for person, _ in who])
