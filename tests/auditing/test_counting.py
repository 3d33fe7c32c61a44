"""The audit counts every file and names what it cannot use."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mien.data.grouping.duplicates import assign_groups
from mien.data.reading.intake import take_in
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import View
from mien.data.sources import Source, SourceFile, open_source
from mien.data.sources.collection import Collection, open_collection
from mien.data.tables.counts import count_audit
from mien.data.tables.manifest import SCHEMA, read_manifest, write_manifest
from mien.data.tables.prepare import prepare
from mien.errors import SourceError
from mien.progress import Silent
from mien.results.audit import Audit
from support.pictures import class_files, encoded, pattern, png, write_files


@pytest.fixture
def table_of(tmp_path: Path) -> Callable[[Mapping[str, bytes]], pl.DataFrame]:
    """The manifest of files in memory, without searching faces; the first folder is the split where it names one."""

    def call(files: Mapping[str, bytes]) -> pl.DataFrame:
        listed = []
        for name in files:
            first, *rest = name.split("/")
            is_split = first in ("train", "test")
            listed.append(SourceFile(name, name, rest[0] if is_split else first, first if is_split else None))
        source = Source("set", "set", tuple(listed), lambda file: files[file.location])
        with PixelWriter(tmp_path / "fingerprints", [], len(files)) as writer:
            table = take_in(source, [], writer, None)
        return assign_groups(table, Pixels(tmp_path / "fingerprints"))

    return call


def audit_of(path: Path, folder: Path) -> Audit:
    collection = open_collection([str(path)])
    return count_audit(collection, prepare([collection], [], folder, find_faces=False, progress=Silent()).manifest)


def audit(manifest: pl.DataFrame) -> Audit:
    """The counts of a table, whatever it was opened as."""
    return count_audit(Collection((Source("set", "set", (), lambda file: b""),), {}), manifest)


Table = Callable[[Mapping[str, bytes]], pl.DataFrame]


def test_copies_are_counted_by_group_and_by_file(table_of: Table) -> None:
    files = {"happy/a.png": png(1), "happy/b.png": png(1), "sad/c.png": png(2), "sad/d.png": png(3)}
    found = audit(table_of(files))
    assert (found.copies.exact.groups, found.copies.near.groups, found.duplicate_files) == (1, 1, 1)
    assert (found.copies.exact.across_labels, found.copies.exact.across_splits) == (0, {})
    assert (found.conflicting_labels, found.conflicts) == (0, ())


def test_copies_across_given_splits_and_across_labels_are_counted(table_of: Table) -> None:
    changed = encoded(pattern(2, (80, 60)), "JPEG", quality=90)
    files = {
        "train/happy/a.png": png(1),
        "test/happy/b.png": png(1),
        "train/sad/c.png": encoded(pattern(2, (80, 60))),
        "test/happy/d.jpg": changed,
        "train/sad/e.png": png(3),
        "train/sad/f.png": png(3),
    }
    found = audit(table_of(files))
    assert (found.copies.exact.groups, found.copies.exact.across_labels, found.copies.exact.across_splits) == (
        2,
        0,
        {"train+test": 1},
    )
    assert (found.copies.near.groups, found.copies.near.across_labels, found.copies.near.across_splits) == (
        3,
        1,
        {"train+test": 2},
    )


def test_same_picture_under_two_labels_is_a_conflict(table_of: Table) -> None:
    found = audit(
        table_of(
            {
                "happy/a.png": png(1),
                "sad/b.png": png(1),
                "happy/c.png": encoded(pattern(2, (80, 60))),
                "sad/d.jpg": encoded(pattern(2, (80, 60)), "JPEG", quality=90),
                "sad/e.png": png(3),
            }
        )
    )
    conflicts = {conflict.paths: (conflict.labels, conflict.exact) for conflict in found.conflicts}
    assert conflicts == {
        ("happy/a.png", "sad/b.png"): (("happy", "sad"), True),
        ("happy/c.png", "sad/d.jpg"): (("happy", "sad"), False),
    }


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Good files, and one of every kind of bad one."""
    good = class_files("happy", "sad", each=4)
    return write_files(
        tmp_path / "photos",
        good
        | {
            "happy/copy.png": good["happy/0.png"],
            "sad/wrong label.png": good["happy/1.png"],
            "sad/a.jfif": encoded(pattern(50), "JPEG"),
            "sad/dance.gif": encoded(pattern(51), "GIF", save_all=True, append_images=[pattern(52)]),
            "happy/cut.png": png(60)[:-40],
            "happy/empty.jpg": b"",
            "sad/page.jpg": b"<html></html>",
            "sad/notes.txt": b"who took this?",
            "happy/.DS_Store": b"x",
            "readme.md": b"x",
        },
    )


def test_counts_of_a_messy_folder_add_up_to_its_files(messy: Path, tmp_path: Path) -> None:
    found = audit_of(messy, tmp_path / "audit")
    on_disk = [p for p in messy.rglob("*") if p.is_file()]
    assert found.files == found.images + found.unreadable + found.dropped
    assert found.files + len(found.ignored_files) == len(on_disk) == 18
    assert sum(found.classes.values()) == sum(found.formats.values()) == sum(found.faces.values()) == 12
    assert (found.images, found.unreadable, len(found.ignored_files)) == (12, 4, 2)
    assert found.unreadable_files["happy/empty.jpg"] == "empty file"
    assert set(found.unreadable_files) == {"happy/cut.png", "happy/empty.jpg", "sad/page.jpg", "sad/notes.txt"}
    assert set(found.ignored_files) == {"happy/.DS_Store", "readme.md"}
    assert all(found.unreadable_files.values())
    assert found.classes == {"happy": 5, "sad": 7}
    assert found.sources == {"photos": 12}
    assert found.imbalance == pytest.approx(7 / 5)
    assert (found.copies.exact.groups, found.copies.near.groups, found.duplicate_files) == (2, 2, 2)
    assert found.conflicting_labels == len(found.conflicts) == found.copies.near.across_labels == 1
    assert (found.exact_duplicate_groups, found.near_duplicate_groups, found.ignored) == (2, 2, 2)
    assert list(found.notes) == ["sad/dance.gif"]


def test_reading_leaves_the_photos_as_they_are(messy: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in messy.rglob("*") if path.is_file()}
    audit_of(messy, tmp_path / "audit")
    assert {path: path.read_bytes() for path in messy.rglob("*") if path.is_file()} == before


def test_folder_without_a_single_image_names_a_file_and_its_reason(tmp_path: Path) -> None:
    photos = write_files(tmp_path / "photos", {"happy/a.jpg": b"", "sad/b.jpg": b"x"})
    with pytest.raises(SourceError, match=r"none of its 2 files.*happy/a\.jpg: empty file"):
        audit_of(photos, tmp_path / "audit")


def test_class_without_a_readable_image_is_named(tmp_path: Path) -> None:
    photos = write_files(tmp_path / "photos", class_files("happy", "sad") | {"pain/a.jpg": b""})
    with pytest.raises(SourceError, match="'pain' has no image"):
        audit_of(photos, tmp_path / "audit")


def test_properties_say_what_was_measured(table_of: Table) -> None:
    table = table_of(
        {
            "a/dark.png": encoded(Image.new("RGB", (40, 30), (0, 0, 0))),
            "a/bright.png": encoded(Image.new("RGB", (40, 30), (255, 255, 255))),
            "a/colour.png": png(1),
            "a/grey.png": encoded(pattern(1).convert("L")),
        }
    )
    assert table["brightness"][:2].to_list() == [0, 1]
    assert table["is_grey"].to_list() == [True, True, False, True]
    assert table["contrast"][0] == table["sharpness"][0] == 0


def test_blurred_picture_is_less_sharp(table_of: Table) -> None:
    fine = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8))
    sharp, blurred = table_of({"a/1.png": encoded(fine), "a/2.png": encoded(fine.reduce(4).resize((96, 96)))})[
        "sharpness"
    ]
    assert sharp > 5 * blurred


def test_table_and_pixels_of_a_source_agree_and_reading_twice_is_the_same(messy: Path, tmp_path: Path) -> None:
    source, view = open_source(str(messy)), View("photo", 32)
    with PixelWriter(tmp_path / "pixels", [view], len(source.files)) as writer:
        table = take_in(source, [view], writer, None)
    assert table["path"].to_list() == [f.path for f in source.files]
    assert table["row"].to_list() == list(range(len(source.files)))
    row = table.filter(pl.col("path") == "sad/0.png")["row"].item()
    shown = Image.open(io.BytesIO(source.read(source.files[row]))).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.array_equal(Pixels(tmp_path / "pixels").read(view, [row])[0], np.asarray(shown))
    with PixelWriter(tmp_path / "again", [], len(source.files)) as writer:
        assert take_in(source, [], writer, None).equals(table)


def test_manifest_survives_the_file(table_of: Table, tmp_path: Path) -> None:
    table = table_of(class_files("happy", "sad") | {"sad/bad.png": b"x"})
    assert table.columns == list(SCHEMA)
    folder = tmp_path / "study"
    folder.mkdir()
    write_manifest(table, folder / "manifest.parquet")
    assert read_manifest(folder / "manifest.parquet").equals(table)
    assert {p.name for p in folder.iterdir()} == {"manifest.parquet", "SHA256SUMS"}


def test_file_that_is_no_manifest_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    pl.DataFrame({"id": ["a"]}).write_parquet(tmp_path / "other")
    for name in ("missing", "text", "other"):
        with pytest.raises(SourceError, match="run the study again"):
            read_manifest(tmp_path / name)
