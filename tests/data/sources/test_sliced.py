"""Columns to slice by: there, with some values and not too many; else one line that says what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mien.data.sources import open_source
from mien.data.sources.sliced import MOST_VALUES, check_sliced
from mien.errors import SourceError
from support.pictures import png, write_files


def table(folder: Path, columns: Mapping[str, Sequence[object]], n: int = 24) -> str:
    """A CSV of photos of two classes, with further columns."""
    write_files(folder, {f"{i}.png": png(i) for i in range(n)})
    lines = [",".join(["path", "label", *columns])]
    for i in range(n):
        further = [str(values[i % len(values)]) for values in columns.values()]
        lines.append(",".join([f"{i}.png", ("happy", "sad")[i % 2], *further]))
    (folder / "photos.csv").write_text("\n".join(lines), encoding="utf-8")
    return str(folder / "photos.csv")


def refusal(specs: Sequence[str], *asked: str) -> str:
    with pytest.raises(SourceError) as error:
        check_sliced([[open_source(spec)] for spec in specs], asked)
    told = str(error.value)
    assert "\n" not in told
    return told


def test_a_column_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    spec = table(tmp_path, {"sex": "fm", "camera": "abc", "subject": ["p1", "p2", "p3"]})
    told = refusal([spec], "sex", "age")
    assert told.startswith(f"{spec}: there is no column 'age'")
    assert told.endswith(": sex, camera")
    assert "'subject'" in refusal([spec], "subject")  # says who is shown, and intervals are over it


def test_photos_without_a_table_have_no_columns(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{label}/{i}.png": png(i) for i, label in enumerate(("happy", "sad"))})
    assert "add it to a table" in refusal([str(tmp_path)], "sex")
    assert refusal(["demo"], "sex").endswith("age_group")


@pytest.mark.parametrize("n", [MOST_VALUES, MOST_VALUES + 1])
def test_a_column_of_more_values_than_can_be_compared_is_refused_with_their_number(tmp_path: Path, n: int) -> None:
    spec = table(tmp_path, {"age": [18 + i for i in range(n)]}, 2 * n)
    if n <= MOST_VALUES:
        check_sliced([[open_source(spec)]], ["age"])
    else:
        assert f"'age' has {n} values" in refusal([spec], "age")


def test_values_count_once_however_they_are_padded_and_cells_without_one_do_not(tmp_path: Path) -> None:
    values = ["", "NA", "n/a", " ", *(f" v{i} " for i in range(MOST_VALUES)), *(f"v{i}" for i in range(MOST_VALUES))]
    check_sliced([[open_source(table(tmp_path / "a", {"site": values}, len(values)))]], ["site"])
    assert "no values" in refusal([table(tmp_path / "b", {"site": ["", "NA"]})], "site")


def test_a_column_need_only_be_in_one_set_and_counts_for_the_photos_that_have_it(tmp_path: Path) -> None:
    with_it, without = table(tmp_path / "a", {"site": "ab"}), table(tmp_path / "b", {"sex": "fm"})
    check_sliced([[open_source(with_it)], [open_source(without)]], ["site", "sex"])
    assert "site, sex" in refusal([with_it, without], "age")
    many = table(tmp_path / "c", {"site": [f"v{i}" for i in range(12)]})
    more = table(tmp_path / "d", {"site": [f"w{i}" for i in range(12)]})
    check_sliced([[open_source(many)], [open_source(more)]], ["site"])  # two sets that are scored apart
    with pytest.raises(SourceError, match="24 values"):
        check_sliced([[open_source(many), open_source(more)]], ["site"])


def test_columns_with_a_role_and_those_of_one_value_are_refused_by_what_they_hold(tmp_path: Path) -> None:
    spec = table(tmp_path, {"Sex": "fm", "participant": ["p1", "p2", "p3"], "one": "x"})
    source = open_source(spec)
    assert (source.roles["label"], source.roles["group"]) == ("label", "participant")
    for column in ("label", "participant"):
        told = refusal([spec], column)
        assert f"'{column}' holds" in told
        assert told.endswith(": Sex, one")
    assert "did you mean Sex?" in refusal([spec], "sex")
    assert "did you mean" not in refusal([spec], "lighting")
    told = refusal([spec], "one")
    assert "'one'" in told
    assert "single value, x" in told
