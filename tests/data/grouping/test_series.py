"""File names that say photos belong together: frames of a recording, neighbours in an archive."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mien.data.grouping.series import LEAST_SHARE, MAX_STEP, named_alike


def photos(*paths: str, source: str = "set") -> pl.DataFrame:
    return pl.DataFrame({"source": [source] * len(paths), "path": list(paths)}, schema_overrides={"path": pl.String})


def linked(*paths: str) -> set[frozenset[str]]:
    return {frozenset((paths[i], paths[j])) for i, j in named_alike(photos(*paths)).tolist()}


def test_frames_of_a_recording_hang_together_and_others_do_not() -> None:
    first = [f"happy/S005_001_{i:08}.png" for i in (10, 11, 12)]
    other = [f"happy/S005_002_{i:08}.png" for i in (11, 12)]
    person = [f"happy/S006_001_{i:08}.png" for i in (10, 11)]
    assert linked(*first, *other, *person) == {
        frozenset(pair) for pair in ((first[0], first[1]), (first[1], first[2]), other, person)
    }


def test_neighbours_of_an_archive_in_any_folder_and_format() -> None:
    near = ("pain/pexels-photo-3778964.jpeg", "sad/pexels-photo-3778966.jpg")
    assert linked(*near, "sad/pexels-photo-9000000.jpg", "sad/other-photo-3778965.jpg") == {frozenset(near)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fear 12.jpg", "fear 13.jpg"),  # too short a number: it only counts files
        ("a-10000.jpg", f"a-{10000 + MAX_STEP + 1}.jpg"),  # too far apart
        ("a-10000.jpg", "b-10001.jpg"),
        ("10000-a.jpg", "10001-b.jpg"),
        ("20240101-10000.jpg", "20240102-10000.jpg"),  # only the last number may differ
    ],
)
def test_names_that_say_nothing(one: str, other: str) -> None:
    assert linked(one, other) == set()


def test_the_largest_step() -> None:
    assert linked("a-10000.jpg", f"a-{10000 + MAX_STEP}.jpg") != set()


def test_what_stands_behind_the_number_must_agree() -> None:
    assert linked("img-10000-edited.jpg", "img-10001-edited.png") != set()
    assert linked("img-10000-edited.jpg", "img-10001.jpg") == set()


def test_sources_are_apart() -> None:
    table = pl.concat([photos("a-10000.jpg", source="one"), photos("a-10001.jpg", source="two")])
    assert named_alike(table).shape == (0, 2)


def test_random_numbers_are_no_series() -> None:
    """Here and there two of them are neighbours by chance."""
    rng = np.random.default_rng(0)
    numbers = np.unique(rng.integers(10_000, 10_000_000, 4000))
    assert (np.diff(numbers) <= MAX_STEP).sum() > 5
    assert (np.diff(numbers) <= MAX_STEP).sum() < LEAST_SHARE * len(numbers)
    assert linked(*(f"stock-{number}.jpg" for number in numbers)) == set()


def test_order_of_the_files_does_not_matter() -> None:
    paths = [f"clip_{i:06}.png" for i in range(20)]
    shuffled = [paths[i] for i in np.random.default_rng(1).permutation(20)]
    assert linked(*paths) == linked(*shuffled)
    assert len(linked(*paths)) == 19


@pytest.mark.parametrize("digits", [20, 300, 5000])
def test_numbers_of_any_length_are_read(digits: int) -> None:
    """Python refuses to read numbers of more than 4,300 digits, which a table or a zip may hold."""
    assert named_alike(photos("1" * digits + ".jpg", "2" * digits + ".jpg")).shape == (0, 2)


def test_no_photos() -> None:
    assert named_alike(photos()).shape == (0, 2)
