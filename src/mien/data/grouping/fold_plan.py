"""Cross-validation of a study: which groups are held out together, and how the others are divided meanwhile.

As in a single split, what belongs together stays together, classes and sources keep their shares, and where a group
stands depends on the content of its photos and the seed.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.folds import check_folds, dense, place_groups
from mien.data.grouping.splits import READ, content_groups, with_split_group
from mien.data.tables.manifest import usable
from mien.errors import ConfigError, SplitError
from mien.settings.choices import SplitMethod
from mien.settings.division import Folds

__all__ = ["VALIDATION", "assign_folds", "divided_for", "is_cross_validated"]

VALIDATION = 1 / 6
"""Share of the photos outside a fold that validate: what a single split 70/15/15 leaves them, about."""
MOST_GROUPS = 200
"""Groups that are left out one at a time; with more, folds of several tell as much in less time."""
FEWEST_GROUPS = 3
"""One to hold out, one to validate on, one to learn from."""
FOLD = "fold"


def assign_folds(manifest: pl.DataFrame, folds: Folds, seed: int, *, method: SplitMethod = "grouped") -> pl.DataFrame:
    """Fill ``split``, ``split_reason``, ``split_group``, and ``fold``, from 1, of the usable rows.

    The model of such a study learns from all photos in the end, so that the split of each is ``train``.

    Args:
        folds: how many, or ``group`` for each of the user's groups. Groups that copies join count as one.
        method: what belongs together besides.

    Raises:
        ConfigError: for ``group`` if there are no groups, or more than can sensibly be left out one at a time.
        SplitError: if photos have no group, or a class is in too few groups to be learnt without each fold.
    """
    photos = usable(manifest).select(*READ)
    rows = with_split_group(photos.filter(pl.col("label").is_not_null()), method)
    fold = _by_group(rows) if folds == "group" else _by_number(rows, folds, seed)
    rows = rows.select("row", "split_group", pl.lit("train").alias("split"), pl.Series(FOLD, fold + 1, pl.Int32))
    unlabelled = photos.filter(pl.col("label").is_null()).select("row", pl.lit("no label").alias("split_reason"))
    written = pl.concat([rows, unlabelled], how="diagonal")
    rest = manifest.drop("split", "split_reason", "split_group", FOLD, strict=False)
    divided = rest.join(written, on="row", how="left", maintain_order="left")
    divided = divided.select(*(c for c in manifest.columns if c != FOLD), FOLD)
    for held_out in range(1, int(fold.max()) + 2):
        _check_learnable(divided_for(divided, held_out, seed), held_out)
    return divided


def is_cross_validated(manifest: pl.DataFrame) -> bool:
    """Whether a manifest is of a study with folds."""
    return FOLD in manifest.columns


def divided_for(manifest: pl.DataFrame, fold: int | None, seed: int) -> pl.DataFrame:
    """The manifest as divided while a fold is held out: that is ``test``, some others are ``val``, the rest ``train``.

    Args:
        fold: from 1; None holds out nothing, and only validation is drawn.
    """
    others = manifest.filter(pl.col(FOLD).is_not_null() if fold is None else pl.col(FOLD) != fold)
    others = others.with_columns(pl.Series("label_index", dense(others["label"])))
    groups = content_groups(others, f"{seed} without {fold or 'none'}")
    standing = np.zeros((2, int(others["label_index"].max()) + 1), np.int64)  # type: ignore[arg-type]
    is_val = place_groups(groups, np.array([1 - VALIDATION, VALIDATION]), standing)[groups.group] == 1
    drawn = others.select(
        "row", pl.when(pl.Series(is_val)).then(pl.lit("val")).otherwise(pl.lit("train")).alias("split")
    )
    joined = manifest.drop("split").join(drawn, on="row", how="left", maintain_order="left")
    held_out = pl.when(pl.col(FOLD) == fold).then(pl.lit("test")).otherwise("split") if fold else pl.col("split")
    return joined.with_columns(held_out.alias("split")).select(manifest.columns)


def _by_number(rows: pl.DataFrame, folds: int, seed: int) -> NDArray[np.int64]:
    """(N,) fold of each photo, from 0, classes and sources in equal shares.

    Raises:
        SplitError: if a class is in fewer groups than there are folds.
    """
    label = dense(rows["label"])
    groups = content_groups(rows.with_columns(pl.Series("label_index", label)), f"{seed} folds")
    check_folds(rows["label"], label, groups.group, folds)
    standing = np.zeros((folds, int(label.max()) + 1), np.int64)
    return place_groups(groups, np.full(folds, 1 / folds), standing)[groups.group]


def _by_group(rows: pl.DataFrame) -> NDArray[np.int64]:
    """(N,) fold of each photo, from 0, in the order of the groups' names.

    Raises:
        ConfigError, SplitError: as ``assign_folds`` does.
    """
    named = rows.filter(pl.col("group").is_not_null())
    if named.is_empty():
        raise ConfigError(
            "--folds group: these photos come without groups; name the column of persons with --group-column, or their "
            "folders with --layout, or give a number, as in --folds 5"
        )
    if len(named) < len(rows):
        where = rows.filter(pl.col("group").is_null())["row"].len()
        raise SplitError(
            f"--folds group: {where} of {len(rows)} photos have no group, so that none could be left out with them; "
            "fill in their groups, or give a number, as in --folds 5"
        )
    names = named.with_columns(pl.concat_str("source", "group", separator="/").alias("name"))
    first = names.select("row", pl.col("name").min().over("split_group"), "split_group")
    order = first.unique("split_group").sort("name", "split_group").with_row_index("fold").select("split_group", "fold")
    if len(order) < FEWEST_GROUPS:
        raise SplitError(
            f"--folds group: there are {len(order)} groups, too few to hold out one, validate on one and learn from "
            "the others; add photos of more people"
        )
    if len(order) > MOST_GROUPS:
        raise ConfigError(
            f"--folds group: there are {len(order):,} groups, and as many models to fit; give a number, as in "
            "--folds 10"
        )
    return rows.join(order, on="split_group", how="left", maintain_order="left")["fold"].cast(pl.Int64).to_numpy()


def _check_learnable(divided: pl.DataFrame, fold: int) -> None:
    """Refuse a class that training or validation lacks while a fold is held out.

    Raises:
        SplitError: for the first such class.
    """
    placed = divided.filter(pl.col("split").is_not_null())
    for (label,), photos in placed.sort("label").group_by("label", maintain_order=True):
        missing = {"train": "training", "val": "validation"}.keys() - set(photos["split"])
        if not missing:
            continue
        n, held_out = photos["split_group"].n_unique(), photos.filter(pl.col("split") == "test")["group"].drop_nulls()
        which = f"group {held_out[0]!r}" if held_out.n_unique() == 1 else f"fold {fold}"
        lacking = " and ".join(sorted("training" if part == "train" else "validation" for part in missing))
        raise SplitError(
            f"class {label!r} is in {n} group{'s' * (n != 1)} of people or copies, and with {which} held out {lacking} "
            f"would lack it; add photos of it by {FEWEST_GROUPS} people or more, or remove the class"
        )
