"""The audit counts every file, and finds the same picture again whatever was done to the file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance

from mien.data.audit import MAX_DISTANCE, Audit, assign_groups, audit, near_duplicate_pairs
from mien.data.demo import ACTION_UNITS, draw_face
from mien.data.intake import inspect_file, take_in
from mien.data.manifest import SCHEMA, read_manifest, write_manifest
from mien.data.pixels import Pixels, PixelWriter
from mien.data.prepare import audit_source
from mien.data.preprocess import View
from mien.data.sources import Source, SourceFile, open_source
from mien.errors import SourceError
from mien.progress import Silent
from pictures import class_files, detector, encoded, pattern, png, write_files

CHANGES = {
    "resized": lambda image: encoded(image.resize((image.width * 4 // 5, image.height * 4 // 5))),
    "jpeg": lambda image: encoded(image, "JPEG", quality=50),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.1)),
}


def table_of(files: dict[str, bytes]) -> pl.DataFrame:
    """The manifest of files in memory, without searching faces; the label is the folder."""
    listed = tuple(SourceFile(name, name, label=name.split("/")[0]) for name in files)
    source = Source("set", "set", listed, lambda f: files[f.location])
    rows = [inspect_file(source, f, [], detector()).row | {"row": i} for i, f in enumerate(listed)]
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in SCHEMA}, schema=SCHEMA)


def audit_of(files: dict[str, bytes]) -> Audit:
    return audit(assign_groups(table_of(files)))


def groups_of(table: pl.DataFrame, column: str = "near_group") -> set[frozenset[str]]:
    """The groups of two or more, by path."""
    groups = assign_groups(table).drop_nulls(column).group_by(column).agg("path")["path"]
    return {frozenset(paths) for paths in groups if len(paths) > 1}


@pytest.fixture(scope="module")
def faces() -> dict[str, Image.Image]:
    """Seventy distinct drawn faces."""
    return {f"{label}/{seed}.png": draw_face(label, seed) for label in ACTION_UNITS for seed in range(10)}


@pytest.fixture(scope="module")
def faces_and_copies(faces: dict[str, Image.Image]) -> pl.DataFrame:
    files = {name: encoded(face, compress_level=1) for name, face in faces.items()}
    for name in list(faces)[::5]:
        files |= {f"{name}.{change}": changed(faces[name]) for change, changed in CHANGES.items()}
    return table_of(files)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(faces_and_copies: pl.DataFrame, change: str) -> None:
    groups = groups_of(faces_and_copies)
    copies = [path for path in faces_and_copies["path"] if path.endswith(change)]
    assert len(copies) >= 12
    for path in copies:
        original = path.removesuffix(f".{change}")
        assert any({path, original} <= group for group in groups), path


def test_distinct_faces_are_not_taken_for_copies(faces: dict[str, Image.Image], faces_and_copies: pl.DataFrame) -> None:
    distinct = faces_and_copies.filter(pl.col("path").is_in(list(faces)))
    assert len(distinct) >= 60
    assert groups_of(distinct) == set()


def test_copies_are_no_exact_duplicates(faces_and_copies: pl.DataFrame) -> None:
    assert groups_of(faces_and_copies, "exact_group") == set()


def test_same_bytes_are_exact_and_near_duplicates() -> None:
    files = {"happy/a.png": png(1), "happy/b.png": png(1), "sad/c.png": png(2), "sad/d.png": png(3)}
    expected = {frozenset(["happy/a.png", "happy/b.png"])}
    assert groups_of(table_of(files), "exact_group") == groups_of(table_of(files)) == expected
    found = audit_of(files)
    assert (found.exact_duplicate_groups, found.near_duplicate_groups, found.duplicate_files) == (1, 1, 1)
    assert found.conflicting_labels == ()


def test_groups_are_transitive_and_named_by_their_first_row() -> None:
    table = assign_groups(table_of({"a/1.png": png(5), "a/2.png": png(6), "b/3.png": png(5), "b/4.png": png(5)}))
    assert table["near_group"].to_list() == [0, 1, 0, 0]
    assert table.columns == list(SCHEMA)


def test_same_picture_under_two_labels_is_a_conflict() -> None:
    found = audit_of(
        {
            "happy/a.png": png(1),
            "sad/b.png": png(1),
            "happy/c.png": encoded(pattern(2, (80, 60))),
            "sad/d.jpg": encoded(pattern(2, (80, 60)), "JPEG", quality=90),
            "sad/e.png": png(3),
        }
    )
    conflicts = {conflict.paths: (conflict.labels, conflict.exact) for conflict in found.conflicting_labels}
    assert conflicts == {
        ("happy/a.png", "sad/b.png"): (("happy", "sad"), True),
        ("happy/c.png", "sad/d.jpg"): (("happy", "sad"), False),
    }


def test_flat_pictures_are_grouped_only_if_their_bytes_are_the_same() -> None:
    flat = {
        name: encoded(Image.new("RGB", (40, 30), (v, v, v))) for name, v in (("a/1", 10), ("a/2", 200), ("a/3", 10))
    }
    assert groups_of(table_of(flat)) == {frozenset(["a/1", "a/3"])}


def test_pictures_of_unlike_shape_are_no_copies() -> None:
    wide, tall = (pattern(1).resize(size) for size in ((80, 40), (40, 80)))
    assert groups_of(table_of({"a/wide.png": encoded(wide), "a/tall.png": encoded(tall)})) == set()


def random_hashes(seed: int, n: int) -> np.ndarray:
    """Random hashes of which some are others with a few bits flipped, around the limit."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64, endpoint=False)
    for flipped in (0, 1, MAX_DISTANCE - 1, MAX_DISTANCE, MAX_DISTANCE + 1, MAX_DISTANCE + 2):
        source, copy = rng.choice(n, 2, replace=False)
        bits = np.zeros(256, np.uint8)
        bits[rng.choice(256, flipped, replace=False)] = 1
        hashes[copy] = hashes[source] ^ np.packbits(bits).view(np.uint64)
    return hashes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [6, 256, 257, 600])
def test_pairs_are_those_of_brute_force(seed: int, n: int) -> None:
    hashes = random_hashes(seed, n)
    bits = np.unpackbits(hashes.view(np.uint8), axis=1).astype(int)
    distance = bits @ (1 - bits.T) + (1 - bits) @ bits.T
    expected = np.argwhere(np.triu(distance <= MAX_DISTANCE, 1))
    found = near_duplicate_pairs(hashes)
    assert len(expected) >= 1
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("n", [0, 1])
def test_no_pairs_among_none_or_one(n: int) -> None:
    assert near_duplicate_pairs(np.zeros((n, 4), np.uint64)).shape == (0, 2)


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


def test_counts_of_a_messy_folder_add_up_to_its_files(messy: Path) -> None:
    found = audit_source(str(messy), Silent())["data"]
    on_disk = [p for p in messy.rglob("*") if p.is_file()]
    assert found["files"] == found["images"] + found["unreadable"]
    assert found["files"] + found["ignored"] == len(on_disk) == 18
    assert sum(found["classes"].values()) == sum(found["formats"].values()) == sum(found["faces"].values()) == 12
    assert (found["images"], found["unreadable"], found["ignored"]) == (12, 4, 2)
    assert found["unreadable_files"]["happy/empty.jpg"] == "empty file"
    assert set(found["unreadable_files"]) == {"happy/cut.png", "happy/empty.jpg", "sad/page.jpg", "sad/notes.txt"}
    assert set(found["ignored_files"]) == {"happy/.DS_Store", "readme.md"}
    assert all(found["unreadable_files"].values())
    assert found["classes"] == {"happy": 5, "sad": 7}
    assert found["imbalance"] == pytest.approx(7 / 5)
    assert (found["exact_duplicate_groups"], found["near_duplicate_groups"], found["duplicate_files"]) == (2, 2, 2)
    assert found["conflicting_labels"] == len(found["conflicts"]) == 1
    assert list(found["notes"]) == ["sad/dance.gif"]


def test_audit_writes_nothing(messy: Path) -> None:
    before = sorted(messy.parent.rglob("*"))
    audit_source(str(messy), Silent())
    assert sorted(messy.parent.rglob("*")) == before


def test_folder_without_a_single_image_names_a_file_and_its_reason(tmp_path: Path) -> None:
    write_files(tmp_path, {"happy/a.jpg": b"", "sad/b.jpg": b"x"})
    with pytest.raises(SourceError, match=r"none of its 2 files.*happy/a\.jpg: empty file"):
        audit_source(str(tmp_path), Silent())


def test_class_without_a_readable_image_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, class_files("happy", "sad") | {"pain/a.jpg": b""})
    with pytest.raises(SourceError, match="'pain' has no image"):
        audit_source(str(tmp_path), Silent())


def test_properties_say_what_was_measured() -> None:
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


def test_blurred_picture_is_less_sharp() -> None:
    fine = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8))
    sharp, blurred = table_of({"a/1.png": encoded(fine), "a/2.png": encoded(fine.reduce(4).resize((96, 96)))})[
        "sharpness"
    ]
    assert sharp > 5 * blurred


def test_table_and_pixels_of_a_source_agree_and_reading_twice_is_the_same(messy: Path, tmp_path: Path) -> None:
    source, view = open_source(str(messy)), View("photo", 32)
    with PixelWriter(tmp_path / "pixels", [view], len(source.files)) as writer:
        table = take_in(source, [view], writer)
    assert table["path"].to_list() == [f.path for f in source.files]
    assert table["row"].to_list() == list(range(len(source.files)))
    row = table.filter(pl.col("path") == "sad/0.png")["row"].item()
    shown = Image.open(io.BytesIO(source.read(source.files[row]))).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.array_equal(Pixels(tmp_path / "pixels").read(view, [row])[0], np.asarray(shown))
    assert take_in(source, [], None).equals(table)


def test_manifest_survives_the_file(tmp_path: Path) -> None:
    table = assign_groups(table_of(class_files("happy", "sad") | {"sad/bad.png": b"x"}))
    write_manifest(table, tmp_path / "manifest.parquet")
    assert read_manifest(tmp_path / "manifest.parquet").equals(table)
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.parquet"]


def test_file_that_is_no_manifest_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    pl.DataFrame({"id": ["a"]}).write_parquet(tmp_path / "other")
    for name in ("missing", "text", "other"):
        with pytest.raises(SourceError, match="run the study again"):
            read_manifest(tmp_path / name)
