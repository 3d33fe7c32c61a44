"""What of a set of photos is independent, and so what its intervals are over: people where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.components import connected_components
from mien.results.scores import GroupKind, Over

__all__ = ["Independent", "independent"]

LINKS = (("near_group",), ("source", "group"), ("split_group",))
"""Columns whose equal values make photos depend on each other; a group's name counts within its source."""


@dataclass(frozen=True)
class Independent:
    """Groups of photos that depend on each other, and on no others.

    Attributes:
        of: (N,) group of each photo, named by the smallest row in it.
        kind: what the groups are.
    """

    of: NDArray[np.int64]
    kind: GroupKind

    @property
    def over(self) -> Over:
        """How many there are, and whether they are enough."""
        return Over.counted(len(np.unique(self.of)), self.kind)

    def named(self, n: int) -> Over:
        """So many of these groups."""
        return Over.counted(n, self.kind)


def independent(rows: pl.DataFrame) -> Independent:
    """The independent groups of rows of a manifest, in their order.

    Copies, the user's own groups and what a division kept together depend on each other, also by way of others. A
    division that keeps nothing together does not make photos of one person independent.
    """
    n = len(rows)
    numbered = rows.with_columns(pl.Series("position", np.arange(n)))
    edges = [np.zeros((0, 2), np.int64)]
    for columns in LINKS:
        if columns[-1] in rows.columns:
            same = numbered.filter(pl.col(columns[-1]).is_not_null())
            edges.append(same.select(pl.col("position").min().over(*columns).alias("first"), "position").to_numpy())
    component = connected_components(n, np.concatenate(edges))
    names = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(names, component, rows["row"].to_numpy())
    return Independent(names[component], _kind(rows, len(np.unique(component))))


def _kind(rows: pl.DataFrame, number: int) -> GroupKind:
    """What the groups are; where only some photos have one of the user's, they are of no one kind."""
    if rows["group"].null_count() == len(rows):
        return "series" if number < rows["near_group"].n_unique() else "pictures"
    kinds = set(rows["group_kind"])
    return cast(GroupKind, kinds.pop()) if len(kinds) == 1 else "groups"
