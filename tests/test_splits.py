"""Near-duplicate groups never stand in two splits; every photo is placed once or left out with its reason."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.manifest import SCHEMA
from mien.data.splits import SPLITS, SplitShares, assign_splits, divide, parse_shares
from mien.errors import ConfigError, SplitError

SHARES = SplitShares()


def manifest(
    labels: list[str], groups: list[int], splits: list[str | None] | None = None, unreadable: int = 0
) -> pl.DataFrame:
    """A table of readable photos, and some unreadable ones behind them."""
    n = len(labels)
    columns: dict[str, list[object]] = {name: [None] * (n + unreadable) for name in SCHEMA}
    columns |= {
        "row": list(range(n + unreadable)),
        "path": [f"{i}.png" for i in range(n + unreadable)],
        "label": labels + ["happy"] * unreadable,
        "near_group": groups + [None] * unreadable,
        "status": ["ok"] * n + ["unreadable"] * unreadable,
        "split": (splits or [None] * n) + [None] * unreadable,
    }
    return pl.DataFrame(columns, schema=SCHEMA)


@st.composite
def photos(draw: st.DrawFn, per_class: int = 30) -> tuple[list[str], list[int]]:
    """Labels and groups; some groups hold several photos, some of them of two classes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.choice(["anger", "fear", "sad"], per_class * 3).tolist()
    n_groups = draw(st.integers(len(labels) // 2, len(labels)))
    return labels, rng.integers(0, n_groups, len(labels)).tolist()


def parts_of(groups: list[int], part: list[object]) -> dict[int, set[object]]:
    found: dict[int, set[object]] = {}
    for group, name in zip(groups, part, strict=True):
        found.setdefault(group, set()).add(name)
    return found


shares_of_100 = st.tuples(st.integers(40, 80), st.integers(10, 50)).map(
    lambda ab: (ab[0], ab[1] * (100 - ab[0]) // 100)
)


@settings(deadline=None, max_examples=60)
@given(photos(), shares_of_100, st.integers(0, 1000))
def test_no_group_straddles_and_every_photo_is_placed_once(
    set_: tuple[list[str], list[int]], shares: tuple[int, int], seed: int
) -> None:
    labels, groups = set_
    train, val = shares[0] / 100, shares[1] / 100
    part = divide(labels, np.array(groups), (train, val, 1 - train - val), seed)
    assert part.shape == (len(labels),)
    assert set(part) <= {0, 1, 2}
    assert all(len(parts) == 1 for parts in parts_of(groups, part.tolist()).values())


@settings(deadline=None, max_examples=40)
@given(photos(), st.integers(0, 1000))
def test_assigned_splits_keep_groups_together_and_are_the_same_every_time(
    set_: tuple[list[str], list[int]], seed: int
) -> None:
    table = manifest(*set_, unreadable=2)
    first = assign_splits(table, SHARES, seed)
    assert first.equals(assign_splits(table, SHARES, seed))
    assert first.drop("split", "split_reason").equals(table.drop("split", "split_reason"))
    ok = first.filter(pl.col("status") == "ok")
    assert set(ok["split"]) == set(SPLITS)
    assert first.filter(pl.col("status") != "ok")["split"].null_count() == 2
    assert all(len(parts) == 1 for parts in parts_of(set_[1], ok["split"].to_list()).values())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), min_size=3, max_size=60),
    shares_of_100,
    st.integers(0, 1000),
)
def test_each_class_keeps_its_shares_to_within_its_largest_group(
    sizes: list[tuple[str, int]], shares: tuple[int, int], seed: int
) -> None:
    """Groups of one class each. A class too small for its shares may take from train for the others."""
    labels = [label for label, size in sizes for _ in range(size)]
    groups = np.array([i for i, (_, size) in enumerate(sizes) for _ in range(size)])
    wanted = (shares[0] / 100, shares[1] / 100, 1 - sum(shares) / 100)
    part = divide(labels, groups, wanted, seed)
    for label in set(labels):
        largest = max(size for name, size in sizes if name == label)
        of_class = part[np.array(labels) == label]
        is_small = min(wanted) * len(of_class) < largest
        for i, share in enumerate(wanted):
            allowed = 2 * largest if is_small and i == 0 else largest
            assert abs((of_class == i).sum() - share * len(of_class)) <= allowed + 1e-9


def test_shares_of_single_photos_are_those_of_the_notebook() -> None:
    counts = {"anger": 214, "disgust": 199, "fear": 163, "happy": 230, "pain": 168, "sad": 224}
    labels = [label for label, n in counts.items() for _ in range(n)]
    part = divide(labels, np.arange(len(labels)), SHARES.values, 42)
    for label, n in counts.items():
        found = np.bincount(part[np.array(labels) == label], minlength=3)
        assert np.abs(found - np.array(SHARES.values) * n).max() <= 1


def test_another_seed_gives_another_split() -> None:
    labels, groups = ["a", "b"] * 50, np.arange(100)
    assert not np.array_equal(divide(labels, groups, SHARES.values, 1), divide(labels, groups, SHARES.values, 2))


def test_labels_given_in_any_type_and_groups_by_any_name_give_the_same_split() -> None:
    labels, groups = ["a", "b"] * 50, np.arange(100) // 2
    assert np.array_equal(
        divide(labels, groups, SHARES.values, 1), divide(tuple(labels), groups * 10 + 3, SHARES.values, 1)
    )


def given_folders(copy_in: str, order: tuple[str, ...] = SPLITS) -> pl.DataFrame:
    """Six photos a class and split, apart from the first train photo, which recurs in another split."""
    splits = [split for split in order for _ in range(12)]
    groups = list(range(36))
    groups[splits.index(copy_in)] = groups[splits.index("train")]
    return manifest(["happy", "sad"] * 18, groups, splits)


@pytest.mark.parametrize("order", [SPLITS, SPLITS[::-1], ("test", "train", "val")])
@pytest.mark.parametrize("split", ["val", "test"])
def test_train_picture_that_recurs_in_a_given_split_leaves_train_with_its_reason(
    split: str, order: tuple[str, ...]
) -> None:
    before = given_folders(split, order)
    after, copy = assign_splits(before, SHARES, 0), 12 * order.index("train")
    assert after["split"][copy] is None
    assert after["split_reason"][copy] == f"recurs in {split}"
    others = pl.col("row") != copy
    assert after.filter(others)["split"].to_list() == before.filter(others)["split"].to_list()
    assert after["split_reason"].null_count() == 35


def test_validation_picture_that_recurs_in_test_leaves_validation() -> None:
    before = given_folders("test").with_columns(pl.Series("near_group", [*range(24), 12, *range(25, 36)]))
    after = assign_splits(before, SHARES, 0)
    assert (after["split"][12], after["split_reason"][12], after["split"][24]) == (None, "recurs in test", "test")


def test_every_usable_photo_has_a_split_or_a_reason() -> None:
    after = assign_splits(given_folders("test"), SHARES, 0)
    assert (after["split"].is_null() != after["split_reason"].is_null()).all()


@pytest.mark.parametrize("missing", ["val", "test"])
def test_missing_split_is_taken_out_of_train_with_groups_kept_together(missing: str) -> None:
    given = "test" if missing == "val" else "val"
    splits = ["train"] * 80 + [given] * 20
    before = manifest(["happy", "sad"] * 50, [i // 4 for i in range(100)], splits)
    after = assign_splits(before, SHARES, 0)
    assert set(after["split"][:80]) == {"train", missing}
    assert set(after["split"][80:]) == {given}
    assert all(len(parts) == 1 for parts in parts_of(after["near_group"].to_list(), after["split"].to_list()).values())


@pytest.mark.parametrize("n", [1, 2])
def test_class_too_small_for_three_splits_is_named_with_its_number(n: int) -> None:
    labels = ["happy"] * 20 + ["pain"] * n
    with pytest.raises(SplitError, match=rf"'pain' has {n} usable photos?,") as error:
        assign_splits(manifest(labels, list(range(len(labels)))), SHARES, 0)
    assert "add photos" in str(error.value)


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("shares", [SHARES, SplitShares(0.8, 0.1, 0.1)])
def test_three_photos_of_a_class_are_enough_for_three_splits(n: int, shares: SplitShares) -> None:
    labels = ["happy"] * 40 + ["pain"] * n
    after = assign_splits(manifest(labels, list(range(len(labels)))), shares, 0)
    assert set(after.filter(pl.col("label") == "pain")["split"]) == set(SPLITS)


def test_copies_of_two_pictures_are_too_few_and_the_error_says_why() -> None:
    labels, groups = ["happy"] * 20 + ["pain"] * 10, [*range(20), *[20, 21] * 5]
    with pytest.raises(SplitError, match="'pain'") as error:
        assign_splits(manifest(labels, groups), SHARES, 0)
    assert "2 " in str(error.value), f"10 photos are not too few, 2 different pictures are: {error.value}"


@pytest.mark.parametrize(
    ("text", "values"),
    [("70/15/15", (0.7, 0.15, 0.15)), ("80/10/10", (0.8, 0.1, 0.1)), (" 33.3/33.3/33.4 ", (0.333, 0.333, 0.334))],
)
def test_shares_are_read(text: str, values: tuple[float, float, float]) -> None:
    assert parse_shares(text).values == pytest.approx(values)


@pytest.mark.parametrize(
    "text", ["", "70", "70/30", "70/15/10", "70/20/20", "100/0/0", "-70/85/85", "a/b/c", "70/15/15/0", "0.7/0.15/0.15"]
)
def test_wrong_shares_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match="add up to 100") as error:
        parse_shares(text)
    assert repr(text) in str(error.value)
