"""Every photo is held out once, with all that belongs together; what cannot be divided so is refused in a line."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mien.data.grouping.fold_plan import MOST_GROUPS, assign_folds, divided_for, is_cross_validated
from mien.errors import ConfigError, MienError, SplitError
from mien.settings.division import Folds
from support.manifests import content, manifest, people

EVEN = people(np.full((12, 3), 4))


def parts(table: pl.DataFrame, fold: int | None, seed: int = 42) -> dict[str, pl.DataFrame]:
    divided = divided_for(table, fold, seed)
    return {name: divided.filter(pl.col("split") == name) for name in ("train", "val", "test")}


@pytest.mark.parametrize(("folds", "count"), [(2, 2), (5, 5), (12, 12), ("group", 12)])
def test_every_photo_is_held_out_once_with_its_group(folds: Folds, count: int) -> None:
    table = assign_folds(EVEN, folds, 42)
    assert sorted(table["fold"].unique()) == list(range(1, count + 1))
    assert set(table["split"]) == {"train"}
    assert table.group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * 12
    for fold in range(1, count + 1):
        divided = parts(table, fold)
        assert divided["test"]["row"].to_list() == table.filter(pl.col("fold") == fold)["row"].to_list()
        assert sum(map(len, divided.values())) == len(table)
        for name in ("train", "val"):
            assert not set(divided[name]["group"]) & set(divided["test"]["group"])
            assert set(divided[name]["label"]) == set(table["label"])
        assert not set(divided["train"]["group"]) & set(divided["val"]["group"])


def test_folds_have_equal_shares_of_each_class() -> None:
    counts = assign_folds(EVEN, 4, 1).group_by("fold", "label").len()["len"]
    assert counts.to_list() == [12] * 12
    alone = assign_folds(manifest(["a"] * 50 + ["b"] * 20), 5, 1)
    assert sorted(alone.group_by("fold", "label").len()["len"]) == [4] * 5 + [10] * 5


def test_folds_depend_on_content_and_seed_not_on_names_or_order() -> None:
    table = assign_folds(EVEN, 4, 42)
    other = EVEN.sample(fraction=1, shuffle=True, seed=3).with_columns(
        pl.Series("row", range(len(EVEN))), pl.Series("near_group", range(len(EVEN)))
    )
    again = assign_folds(other, 4, 42)
    by_content = dict(again.select("sha256", "fold").iter_rows())
    assert [by_content[sha] for sha in table["sha256"]] == table["fold"].to_list()
    assert assign_folds(EVEN, 4, 43)["fold"].to_list() != table["fold"].to_list()


def test_validation_photos_differ_from_fold_to_fold() -> None:
    table = assign_folds(people(np.full((30, 3), 2)), 5, 42)
    chosen = [set(parts(table, fold)["val"]["group"]) for fold in range(1, 6)]
    assert len(set().union(*chosen)) > 2 * max(map(len, chosen))


def test_nothing_is_held_out_of_the_model_to_use() -> None:
    table = assign_folds(EVEN, 4, 42)
    divided = parts(table, None)
    assert len(divided["test"]) == 0
    assert len(divided["val"]) in range(len(EVEN) // 12, len(EVEN) // 3)
    assert len(divided["train"]) + len(divided["val"]) == len(EVEN)


def test_groups_that_copies_join_are_held_out_together() -> None:
    near = list(range(len(EVEN)))
    near[0] = near[-1]  # a picture of the first person is a copy of one of the last
    table = assign_folds(EVEN.with_columns(pl.Series("near_group", near)), "group", 42)
    assert table["fold"].n_unique() == 11
    joined = table.filter(pl.col("group").is_in(["person 0", "person 11"]))
    assert joined["fold"].n_unique() == 1


def test_photos_without_a_label_are_left_out_with_their_reason() -> None:
    table = assign_folds(manifest([*["a", "b"] * 10, None]), 2, 42)
    assert table["fold"][-1] is None
    assert table["split_reason"][-1] == "no label"
    assert parts(table, 1)["train"]["label"].null_count() == 0


def test_a_manifest_says_whether_it_has_folds() -> None:
    assert is_cross_validated(assign_folds(EVEN, 2, 42))
    assert not is_cross_validated(EVEN)


def in_groups(**photos: list[str]) -> pl.DataFrame:
    """Class → the group of each of its photos."""
    pairs = [(label, group) for label, groups in photos.items() for group in groups]
    return manifest(
        [label for label, _ in pairs],
        group=[group or None for _, group in pairs],
        sha256=[content(*p, i) for i, p in enumerate(pairs)],
    )


MANY = [f"p{i}" for i in range(MOST_GROUPS + 1)]
SIX = [f"p{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("table", "folds", "error", "told"),
    [
        (manifest(["a", "b"] * 10), "group", ConfigError, ("without groups", "--group-column", "--folds 5")),
        (in_groups(a=[*SIX, ""], b=SIX), "group", SplitError, ("1 of 13 photos", "no group")),
        (in_groups(a=["x", "y"] * 4, b=["x", "y"] * 4), "group", SplitError, ("2 groups",)),
        (in_groups(a=MANY, b=MANY), "group", ConfigError, (f"{MOST_GROUPS + 1} groups", "--folds 10")),
        (in_groups(a=SIX, b=["p3"] * 5), "group", SplitError, ("'b'", "1 group")),
        (in_groups(a=SIX, b=["p3", "p4"] * 5), "group", SplitError, ("'b'", "2 groups")),
        (in_groups(a=SIX, b=["p3"] * 5), 3, SplitError, ("'b'", "1 group", "3 folds")),
        (in_groups(a=SIX, b=SIX), 7, SplitError, ("'a'", "6 groups", "7 folds")),
        (in_groups(a=SIX, b=["p3", "p4"] * 5), 2, SplitError, ("'b'", "2 groups")),
    ],
)
def test_what_cannot_be_held_out_in_turn_is_refused_in_one_line(
    table: pl.DataFrame, folds: Folds, error: type[MienError], told: tuple[str, ...]
) -> None:
    with pytest.raises(error) as refused:
        assign_folds(table, folds, 42)
    assert all(part in str(refused.value) for part in told), refused.value
    assert "\n" not in str(refused.value)
