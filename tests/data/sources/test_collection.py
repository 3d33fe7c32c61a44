"""Several sources as one set: one manifest, names that differ, one spelling for each class."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from mien.data.grouping.splits import SplitShares, assign_splits
from mien.data.sources.collection import Collection, open_collection, open_each, open_with_target
from mien.data.tables.prepare import Prepared, prepare
from mien.errors import SourceError
from mien.progress import Silent
from mien.settings.columns import Columns
from support.outcomes import Outcome
from support.pictures import class_files, png, write_files, write_zip

Mien = Callable[..., Outcome]
QUICK = ("--no-check-labels", "--no-faces")


def folder(root: Path, *classes: str, each: int = 2, seed: int = 0) -> str:
    return str(write_files(root, class_files(*classes, each=each, first_seed=seed)))


def read(*collections: Collection, into: Path) -> Prepared:
    into.mkdir()
    return prepare(collections, (), into, find_faces=False, progress=Silent())


def labels_of(collection: Collection) -> list[tuple[str, ...]]:
    return [source.labels for source in collection.sources]


# -- one set ----------------------------------------------------------------------------------------------------------


def test_two_sources_make_one_manifest(tmp_path: Path) -> None:
    specs = [folder(tmp_path / "lab", "happy", "sad"), folder(tmp_path / "web", "fear", "happy", each=3, seed=40)]
    collection = open_collection(specs)
    assert (collection.name, collection.names) == ("lab+web", ("lab", "web"))
    assert collection.spec == " ".join(specs)
    assert collection.labels == ("fear", "happy", "sad")
    manifest = read(collection, into=tmp_path / "work").manifest
    assert dict(manifest["source"].value_counts().iter_rows()) == {"lab": 4, "web": 6}
    assert manifest["id"].n_unique() == manifest["row"].n_unique() == 10
    assert manifest["row"].to_list() == list(range(10))
    assert manifest.columns == read(open_collection(specs[:1]), into=tmp_path / "alone").manifest.columns


def test_copies_are_found_across_sources(tmp_path: Path) -> None:
    lab = folder(tmp_path / "lab", "happy", "sad")
    web = str(write_files(tmp_path / "web", {"sad/other-name.png": png(0), "happy/new.png": png(30)}))
    manifest = read(open_collection([lab, web]), into=tmp_path / "work").manifest
    (group,) = (g for _, g in manifest.group_by("near_group") if len(g) > 1)
    assert set(group["id"]) == {"lab/happy/0.png", "web/sad/other-name.png"}


def test_kinds_of_sources_mix(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "packed.zip", class_files("happy", "sad", first_seed=20))
    collection = open_collection([folder(tmp_path / "plain", "happy", "sad"), str(packed)])
    assert [len(source.files) for source in collection.sources] == [4, 4]
    assert set(read(collection, into=tmp_path / "work").manifest["status"]) == {"ok"}


def test_a_source_that_cannot_serve_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing: no such file or folder"):
        open_collection([folder(tmp_path / "lab", "happy", "sad"), str(tmp_path / "missing")])


# -- names ------------------------------------------------------------------------------------------------------------


def test_folders_of_one_name_get_different_ones(tmp_path: Path) -> None:
    specs = [folder(tmp_path / place / "faces", "happy", "sad", seed=i * 10) for i, place in enumerate("abc")]
    collection = open_collection(specs)
    assert collection.names == ("faces", "faces-2", "faces-3")
    manifest = read(collection, into=tmp_path / "work").manifest
    assert manifest["id"].n_unique() == 12
    assert open_collection([specs[0], specs[0]]).names == ("faces", "faces-2")


def test_a_target_named_like_the_data_gets_another_name(tmp_path: Path) -> None:
    data = open_collection([folder(tmp_path / "a" / "faces", "happy", "sad")])
    target = open_collection([folder(tmp_path / "b" / "faces", "happy", "sad", each=3, seed=50)], taken=data.names)
    assert target.names == ("faces-2",)
    prepared = read(data, target, into=tmp_path / "work")
    assert len(prepared.of(data)) == 4
    assert len(prepared.of(target)) == 6
    assert len(prepared.manifest) == 10


# -- classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "labels", "renamed"),
    [
        ([("angry", "happy"), ("anger", "joy")], {"angry", "happy"}, {"web": {"anger": "angry", "joy": "happy"}}),
        ([("happy", "sad"), ("Happy", "SAD")], {"happy", "sad"}, {"web": {"Happy": "happy", "SAD": "sad"}}),
        ([("happy", "sad"), ("fear", "happy")], {"fear", "happy", "sad"}, {}),
        ([("anger", "angry"), ("anger", "angry")], {"anger", "angry"}, {}),  # by name before by meaning
        ([("anger", "angry"), ("anger", "sad")], {"anger", "angry", "sad"}, {}),
        ([("anger", "sad"), ("anger", "angry")], {"anger", "angry", "sad"}, {}),  # two of one source stay two
        ([("anger", "sad"), ("Angry", "mad")], {"anger", "sad", "Angry", "mad"}, {}),
        ([("cat", "dog"), ("cats", "dogs")], {"cat", "cats", "dog", "dogs"}, {}),
    ],
)
def test_classes_that_mean_the_same_become_one(
    tmp_path: Path, classes: list[tuple[str, ...]], labels: set[str], renamed: Mapping[str, Mapping[str, str]]
) -> None:
    specs = [folder(tmp_path / name, *names) for name, names in zip(("lab", "web"), classes, strict=True)]
    collection = open_collection(specs)
    assert set(collection.labels) == labels
    assert collection.renamed == renamed
    for source, names in zip(collection.sources, classes, strict=True):
        assert len(source.labels) == len(names), "a class of one source went into another of the same"


def test_the_first_source_says_how_a_class_is_spelt(tmp_path: Path) -> None:
    specs = [folder(tmp_path / name, name, "happy") for name in ("anger", "angry", "mad")]
    collection = open_collection(specs)
    assert labels_of(collection) == [("anger", "happy")] * 3
    assert collection.renamed == {"angry": {"angry": "anger"}, "mad": {"mad": "anger"}}
    assert open_collection(specs[::-1]).labels == ("happy", "mad")


def test_one_source_is_never_renamed(tmp_path: Path) -> None:
    collection = open_collection([folder(tmp_path / "lab", "Angry", "anger", "mad")])
    assert collection.labels == ("Angry", "anger", "mad")
    assert collection.renamed == {}


def test_files_that_take_no_part_keep_theirs(tmp_path: Path) -> None:
    web = Path(folder(tmp_path / "web", "angry", "sad"))
    (web / "readme.txt").write_text("no photo", encoding="utf-8")
    (web / "angry" / "Thumbs.db").write_bytes(b"system")
    collection = open_collection([folder(tmp_path / "lab", "anger", "sad"), str(web)])
    ignored = {file.path for file in collection.sources[1].files if file.ignored}
    assert ignored == {"readme.txt", "angry/Thumbs.db"}


def test_audit_says_what_it_renamed(mien: Mien, tmp_path: Path) -> None:
    specs = (folder(tmp_path / "lab", "anger", "sad"), folder(tmp_path / "web", "angry", "fear", each=3, seed=50))
    outcome = mien("audit", *specs, *QUICK)
    assert "web: angry counts as anger" in outcome.out
    assert "by source web 6, lab 4" in outcome.out
    assert "lab+web: 10 files = 10 images" in outcome.out
    data = mien("audit", *specs, *QUICK, "--json").json["data"]
    assert data["renamed"] == {"web": {"angry": "anger"}}
    assert set(data["reading"]) == {"lab", "web"}
    assert data["classes"] == {"anger": 5, "fear": 3, "sad": 2}
    assert data["sources"] == {"web": 6, "lab": 4}
    assert data["names"] == ["lab", "web"]
    assert data["files"] == data["images"] == 10


def test_results_keep_how_persons_and_classes_were_read(mien: Mien, tmp_path: Path) -> None:
    for person in ("s1", "s2", "s3"):
        folder(tmp_path / "lab" / person, "anger", "sad", seed=int(person[1]) * 100)
    outcome = mien("audit", str(tmp_path / "lab"), *QUICK, "--json")
    (notes,) = outcome.json["data"]["reading"].values()
    assert "3 groups" in notes[0]
    assert notes[0] in outcome.err, "said before work starts"


# -- splits -----------------------------------------------------------------------------------------------------------


def test_every_source_stands_in_every_split_in_its_share(tmp_path: Path) -> None:
    lab = folder(tmp_path / "lab", "happy", "sad", each=40)
    web = folder(tmp_path / "web", "fear", "happy", each=20, seed=200)
    manifest = read(open_collection([lab, web]), into=tmp_path / "work").manifest
    divided = assign_splits(manifest, SplitShares(), seed=3)
    counts = divided.group_by("source", "label", "split").len()
    for (_, _), rows in counts.group_by("source", "label"):
        shares = dict(rows.select("split", "len").iter_rows())
        total = sum(shares.values())
        assert set(shares) == {"train", "val", "test"}
        assert abs(shares["train"] - 0.70 * total) <= 2
        assert abs(shares["test"] - 0.15 * total) <= 2


def test_groups_of_two_tables_are_their_own(tmp_path: Path) -> None:
    """Person 1 of one table is not person 1 of another."""
    specs = []
    for number, name in enumerate(("lab", "web")):
        root = Path(folder(tmp_path / name, "happy", "sad", each=12, seed=number * 100))
        with (root / "all.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label", "subject"))
            writer.writerows((f"{label}/{i}.png", label, i % 6) for label in ("happy", "sad") for i in range(12))
        specs.append(f"{root}::all.csv")
    collection = open_collection(specs, Columns(group_column="subject"))
    manifest = read(collection, into=tmp_path / "work").manifest
    assert manifest["group"].null_count() == 0
    divided = assign_splits(manifest, SplitShares(), seed=1)
    assert divided["split_group"].n_unique() == 12
    assert divided.group_by("source", "group").agg(pl.col("split").n_unique())["split"].max() == 1


def table_of(root: Path, column: str | None, seed: int = 0) -> str:
    """A table of twelve photos, and with a column of six people."""
    folder(root, "happy", "sad", each=6, seed=seed)
    with (root / "all.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", *([column] if column else [])))
        for label in ("happy", "sad"):
            writer.writerows((f"{label}/{i}.png", label, *([f"p{i}"] if column else [])) for i in range(6))
    return f"{root}::all.csv"


def test_a_column_that_was_named_counts_for_photos_from_elsewhere_too(tmp_path: Path) -> None:
    data, target = table_of(tmp_path / "lab", "who"), table_of(tmp_path / "web", "who", seed=50)
    own, other = open_with_target([data], target, Columns(group_column="who"))
    assert other is not None
    assert (own.sources[0].groups, other.sources[0].groups) == (6, 6)
    assert [source.group_kind for source in (*own.sources, *other.sources)] == ["groups", "groups"]


@pytest.mark.parametrize("of", ["data", "target"])
def test_a_column_that_one_side_lacks_counts_on_the_other_and_that_is_said(of: str, tmp_path: Path) -> None:
    with_people, without = table_of(tmp_path / "lab", "person"), folder(tmp_path / "web", "happy", "sad", seed=50)
    sides = (with_people, without) if of == "data" else (without, with_people)
    own, other = open_with_target([sides[0]], sides[1], Columns(group_column="person"))
    assert other is not None
    found = {"data": own, "target": other}
    assert [found[of].sources[0].groups, found[of].sources[0].group_kind] == [6, "people"]
    lacking = found["target" if of == "data" else "data"]
    assert lacking.sources[0].groups == 0
    assert sum("'person'" in note for note in lacking.notes) == 1
    assert not any("'person' here" in note for note in found[of].notes)


def test_a_column_that_nobody_has_is_refused(tmp_path: Path) -> None:
    data, target = table_of(tmp_path / "lab", "who"), folder(tmp_path / "web", "happy", "sad", seed=50)
    with pytest.raises(SourceError, match="'whom'"):
        open_with_target([data], target, Columns(group_column="whom"))
    with pytest.raises(SourceError, match="'whom'"):
        open_each([data], Columns(group_column="whom"))


def test_each_of_several_sources_may_call_its_people_otherwise(tmp_path: Path) -> None:
    specs = [table_of(tmp_path / "lab", "who"), table_of(tmp_path / "web", "model_id", seed=50)]
    for columns in (Columns(group_column="who,model_id"), Columns(group_column="model_id, who")):
        assert [each.sources[0].groups for each in open_each(specs, columns)] == [6, 6]
    first, second = open_each(specs, Columns(group_column="who"))
    assert (first.sources[0].groups, second.sources[0].groups) == (6, 0)
