"""Which photos each pair of runs learns from and is scored on: repeated grouped folds of what a study would not test.

The photos that ``mien study`` with the same seed and division would hold back for its test take no part, so that a
recipe chosen here can still be tested there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.folds import Groups, dense, place_groups, repeated_kfold
from mien.data.grouping.independence import independent
from mien.data.grouping.splits import assign_splits, parse_shares
from mien.settings.division import Division

__all__ = ["PairPlan", "Pool", "make_pool", "plan_pairs", "with_share"]

VALIDATION = 1 / 6
"""Share of the photos outside a fold that validate, which the best state of a network is chosen by."""


@dataclass(frozen=True)
class Pool:
    """The photos of a comparison.

    Attributes:
        rows: of the manifest, with ``split_group``.
        held_back: photos left to the test of a study.
    """

    rows: pl.DataFrame
    held_back: int


@dataclass(frozen=True)
class PairPlan:
    """One pair.

    Attributes:
        number: from 0.
        seed: of both runs.
        rows: of the pool, with ``split``: train, val, and test for the outer fold; and ``unit``, what is independent.
    """

    number: int
    seed: int
    rows: pl.DataFrame

    def split(self, name: str) -> pl.DataFrame:
        """The rows of one part."""
        return self.rows.filter(pl.col("split") == name)


def make_pool(manifest: pl.DataFrame, division: Division, seed: int) -> Pool:
    """The photos that a study with these settings would train and validate on."""
    divided = assign_splits(manifest, parse_shares(division.split), seed, method=division.split_method)
    rows = divided.filter(pl.col("split").is_in(["train", "val"])).sort("row")
    return Pool(rows, divided.filter(pl.col("split") == "test").height)


def plan_pairs(pool: Pool, pairs: int, folds: int, seed: int) -> list[PairPlan]:
    """The first so many pairs; with more pairs, those before stay the same.

    Raises:
        SplitError: if a class has too few groups for the folds.
    """
    rows = pool.rows.with_columns(pl.Series("unit", independent(pool.rows).of, pl.Int64))
    labels, groups = rows["label"].to_numpy(), rows["split_group"].to_numpy()
    sources = rows["source"].to_numpy()
    plans: list[PairPlan] = []
    for fold_of in repeated_kfold(labels, groups, folds, seed, repeats=-(-pairs // folds), sources=sources):
        for fold in range(min(folds, pairs - len(plans))):
            number = len(plans)
            plans.append(PairPlan(number, (seed + number) % 2**32, _divided(rows, fold_of == fold, seed + number)))
    return plans


def _divided(rows: pl.DataFrame, is_test: NDArray[np.bool_], seed: int) -> pl.DataFrame:
    """The rows with their part; validation is drawn from what the fold leaves."""
    split = np.where(is_test, "test", "train").astype(object)
    is_val = _drawn(rows.filter(pl.Series(~is_test)), VALIDATION, seed)
    split[np.flatnonzero(~is_test)[is_val]] = "val"
    return rows.with_columns(pl.Series("split", split.tolist(), dtype=pl.String))


def _drawn(rows: pl.DataFrame, share: float, seed: int) -> NDArray[np.bool_]:
    """(N,) whether a photo falls to the share; groups stay whole, classes keep their shares, larger shares hold
    smaller ones but for groups at the cut."""
    group = dense(rows["split_group"])
    first = np.unique(group, return_index=True)[1]
    draw = np.random.default_rng(seed).random(len(first))
    label = dense(rows["label"])
    made = Groups(label, group, draw, dense(rows["source"])[first])
    standing = np.zeros((2, int(label.max()) + 1), np.int64)
    return np.asarray(place_groups(made, np.array([1 - share, share]), standing)[group] == 1)


def with_share(plan: PairPlan, share: float) -> PairPlan:
    """The pair with a share of its training photos, of which larger shares hold the smaller ones."""
    if share >= 1:
        return plan
    train = plan.split("train")
    left_out = train["row"].filter(pl.Series(_drawn(train, 1 - share, plan.seed)))
    is_left_out = pl.col("row").is_in(left_out.implode())
    split = pl.when(is_left_out).then(None).otherwise("split").alias("split")
    return PairPlan(plan.number, plan.seed, plan.rows.with_columns(split))
