"""What of a set of photos is independent: people where they are known, however the photos were divided."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mien.data.grouping.independence import independent
from mien.data.grouping.splits import as_target
from mien.data.tables.manifest import SCHEMA


def rows(n: int, **columns: object) -> pl.DataFrame:
    """Usable photos, each a picture of its own."""
    own = list(range(n))
    values: dict[str, object] = dict.fromkeys(SCHEMA, [None] * n)
    values |= {"row": own, "source": ["set"] * n, "status": ["ok"] * n, "near_group": own, "series": own}
    return pl.DataFrame(values | columns, schema=SCHEMA)


def people(n: int, each: int, kind: str = "people") -> dict[str, object]:
    return {"group": [f"p{i // each}" for i in range(n)], "group_kind": [kind] * n}


@pytest.mark.parametrize("kind", ["people", "groups"])
def test_photos_of_a_person_depend_on_each_other_though_a_naive_division_parts_them(kind: str) -> None:
    found = independent(rows(60, split_group=list(range(60)), **people(60, 12, kind)))
    assert found.of.tolist() == np.repeat(np.arange(0, 60, 12), 12).tolist()
    assert (found.over.number, found.over.kind, found.over.enough) == (5, kind, False)


def test_without_people_pictures_with_their_copies_are_independent_or_what_was_kept_together() -> None:
    copies = [0, 0, 2, 3, 4, 5, 6, 7]
    found = independent(rows(8, near_group=copies))
    assert (found.over.number, found.over.kind, found.over.enough) == (7, "pictures", True)
    series = independent(rows(8, near_group=copies, split_group=[0, 0, 0, 0, 4, 4, 6, 6]))
    assert (series.over.number, series.over.kind) == (3, "series")


def test_people_who_share_a_copy_are_one_and_one_name_in_two_sources_is_two() -> None:
    shared = independent(rows(8, near_group=[0, 1, 2, 3, 0, 5, 6, 7], **people(8, 2)))
    assert shared.over.number == 3
    two = independent(rows(8, source=["a"] * 4 + ["b"] * 4, group=["x"] * 8, group_kind=["people"] * 8))
    assert (two.over.number, two.over.kind) == (2, "people")


def test_groups_that_only_some_photos_have_are_not_called_people() -> None:
    some = rows(8, group=["x"] * 4 + [None] * 4, group_kind=["people"] * 4 + [None] * 4)
    assert (independent(some).over.number, independent(some).over.kind) == (5, "groups")


def test_the_order_of_rows_does_not_matter() -> None:
    table = rows(30, **people(30, 5))
    turned = table.reverse()
    assert independent(turned).of.tolist() == independent(table).of.tolist()[::-1]


def test_photos_from_elsewhere_are_grouped_by_person() -> None:
    status = ["ok"] * 11 + ["unreadable"]
    made = as_target(rows(12, status=status, **people(12, 4)).reverse())
    used = made.filter(pl.col("split") == "target")
    assert (len(used), used["split_group"].n_unique()) == (11, 3)
    assert made.filter(pl.col("status") != "ok")["split_group"].to_list() == [None]
    assert made["row"].to_list() == list(range(11, -1, -1))
