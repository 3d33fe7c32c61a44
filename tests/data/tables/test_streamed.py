"""Views that are not kept are made of the photos again, and are those that would have been kept."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mien.data.reading.pixels import Pixels, pixels_are_whole
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import Prepared, prepare
from mien.data.tables.streamed import STREAMED, Streamed, pixels_of_study
from mien.demo import draw_face
from mien.errors import ConfigError, MienError, SourceError
from mien.progress import Silent
from mien.settings.columns import Columns
from mien.settings.computing import STREAMED_FROM, Keeping
from mien.settings.study import StudySettings
from mien.settings.toml import write_toml

VIEWS = [View("photo", 32), View("scene", 40), View("face", 24)]
CLASSES = ("happy", "sad")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces on a larger ground, one with transparency and turned by its EXIF, a face crop, and what is no picture."""
    root = tmp_path_factory.mktemp("set") / "photos"
    for k, label in enumerate(CLASSES):
        (root / label).mkdir(parents=True)
        for i in range(3):
            ground = Image.new("RGB", (300, 220), (90, 120, 40 * i))
            ground.paste(draw_face(label, i).resize((150, 150)), (20 + 40 * i, 30 + 10 * k))
            ground.save(root / label / f"{i}.jpg", quality=95)
        draw_face(label, 7).resize((48, 48)).save(root / label / "crop.png")
        (root / label / "none.jpg").write_bytes(b"no picture")
    turned = Image.Exif()
    turned[0x0112] = 6
    draw_face("sad", 9).resize((200, 160)).save(root / "sad" / "turned.jpg", exif=turned)
    clear = draw_face("happy", 9).convert("RGBA")
    clear.putalpha(120)
    clear.save(root / "happy" / "clear.png")
    return root


def zipped(root: Path, place: Path) -> Path:
    with zipfile.ZipFile(place / "set.zip", "w") as archive:
        for path in sorted(root.rglob("*.*")):
            archive.write(path, path.relative_to(root))
    return place / "set.zip"


def tarred(root: Path, place: Path) -> Path:
    with tarfile.open(place / "set.tar.gz", "w:gz") as archive:
        archive.add(root, "photos")
    return place / "set.tar.gz"


def tabled(root: Path, place: Path) -> Path:
    rows = [{"path": str(path), "label": path.parent.name} for path in sorted(root.rglob("*.*"))]
    pl.DataFrame(rows).write_csv(place / "set.csv")
    return place / "set.csv"


def in_parquet(root: Path, place: Path) -> Path:
    rows = [{"image": path.read_bytes(), "label": path.parent.name} for path in sorted(root.rglob("*.*"))]
    pl.DataFrame(rows).write_parquet(place / "set.parquet")
    return place / "set.parquet"


KINDS: dict[str, Callable[[Path, Path], Path]] = {
    "folder": lambda root, place: root,
    "zip": zipped,
    "tar.gz": tarred,
    "table": tabled,
    "parquet": in_parquet,
}


def read(data: Path, out: Path, *, keep: bool) -> Prepared:
    out.mkdir(exist_ok=True)
    write_toml(StudySettings(data=(str(data),)), out / "study.toml")
    collection = open_collection([str(data)], Columns())
    return prepare([collection], VIEWS, out, keep_views=keep, progress=Silent())


@pytest.mark.parametrize("kind", KINDS)
def test_views_are_those_that_would_have_been_kept(kind: str, photos: Path, tmp_path: Path) -> None:
    data = KINDS[kind](photos, tmp_path)
    kept, streamed = read(data, tmp_path / "kept", keep=True), read(data, tmp_path / "streamed", keep=False)
    assert kept.manifest.equals(streamed.manifest)
    assert set(kept.manifest["face_kind"].drop_nulls()) >= {"found", "crop"}
    rows = np.arange(len(kept.manifest))[::-1]
    together = streamed.pixels.read_views(VIEWS, rows)
    again = pickle.loads(pickle.dumps(pixels_of_study(tmp_path / "streamed", kept.manifest)))
    for view in VIEWS:
        expected = kept.pixels.read(view, rows)
        assert expected.any()
        assert np.array_equal(together[view.key], expected)
        assert np.array_equal(streamed.pixels.read(view, rows), expected)
        assert np.array_equal(again.read(view, rows), expected)
    assert np.array_equal(streamed.pixels.fingerprints(rows), kept.pixels.fingerprints(rows))
    assert streamed.pixels.keys == kept.pixels.keys == again.keys
    assert kept.pixels.are_kept
    assert not streamed.pixels.are_kept
    assert sorted(path.name for path in (tmp_path / "streamed" / "pixels").iterdir()) == [
        "SHA256SUMS",
        "boxes.npy",
        "fingerprints.npy",
        STREAMED,
    ]


CHANGES: dict[str, Callable[[Path], object]] = {
    "changed: photos/sad/1.jpg": lambda root: Image.new("RGB", (40, 40), "red").save(root / "sad" / "1.jpg"),
    "removed: photos/sad/1.jpg": lambda root: (root / "sad" / "1.jpg").unlink(),
}


@pytest.mark.parametrize("told", CHANGES)
def test_other_photos_are_never_shown(told: str, photos: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(photos, tmp_path / "photos"))
    prepared = read(data, tmp_path / "out", keep=False)
    rows = prepared.manifest.filter(pl.col("status") == "ok")["row"].to_numpy()
    prepared.pixels.read(VIEWS[0], rows)
    CHANGES[told](data)
    with pytest.raises(SourceError) as refused:
        prepared.pixels.read(VIEWS[0], rows)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(SourceError):
        read(data, tmp_path / "out", keep=False)


def test_photos_opened_later_must_be_the_same_files(photos: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(photos, tmp_path / "photos"))
    manifest = read(data, tmp_path / "out", keep=False).manifest
    Image.new("RGB", (40, 40), "red").save(data / "happy" / "0a.png")
    with pytest.raises(SourceError, match="added or removed"):
        pixels_of_study(tmp_path / "out", manifest).read(VIEWS[0], [len(manifest) - 1])
    shutil.rmtree(data)
    pixels = pixels_of_study(tmp_path / "out", manifest)
    assert pixels.fingerprints([0, 1]).any(), "fingerprints need no photos"
    with pytest.raises(SourceError, match="cannot be read again"):
        pixels.read(VIEWS[0], [0])


def test_what_was_kept_is_used_and_what_is_lost_is_made_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kept = read(photos, out, keep=True)
    rows = kept.manifest["row"].to_list()
    expected = kept.pixels.read(VIEWS[0], rows)
    assert read(photos, out, keep=False).pixels.are_kept, "nothing is thrown away that stands"
    (out / "pixels" / "photo-32.npy").unlink()
    for keep in (False, True):
        again = read(photos, out, keep=keep)
        assert again.pixels.are_kept is keep
        assert np.array_equal(again.pixels.read(VIEWS[0], rows), expected)
        assert pixels_of_study(out, kept.manifest).are_kept is keep
    for path in (out / "pixels").iterdir():
        path.unlink()
    streamed = read(photos, out, keep=False)
    assert np.array_equal(streamed.pixels.fingerprints(rows), kept.pixels.fingerprints(rows))


@pytest.mark.parametrize("content", ["[]", "", "{", '{"views": 3}'])
@pytest.mark.parametrize("has_sums", [True, False])
def test_a_damaged_list_of_views_is_one_line(photos: Path, tmp_path: Path, content: str, has_sums: bool) -> None:
    manifest = read(photos, tmp_path, keep=False).manifest
    (tmp_path / "pixels" / STREAMED).write_text(content)
    if not has_sums:
        (tmp_path / "pixels" / "SHA256SUMS").unlink()
    with pytest.raises(MienError) as refused:
        _ = pixels_of_study(tmp_path, manifest).keys
    assert STREAMED in str(refused.value)
    assert read(photos, tmp_path, keep=False).pixels.keys == ["face-24", "photo-32", "scene-40"]


def test_a_damaged_box_is_never_drawn_by(photos: Path, tmp_path: Path) -> None:
    manifest = read(photos, tmp_path, keep=False).manifest
    boxes = tmp_path / "pixels" / "boxes.npy"
    content = bytearray(boxes.read_bytes())
    content[-5] ^= 1
    boxes.write_bytes(content)
    again = Pixels(Streamed(tmp_path / "pixels", manifest, lambda: [open_collection([str(photos)])]))
    with pytest.raises(MienError, match=r"boxes\.npy"):
        again.read(VIEWS[0], [0])


def test_a_photo_that_cannot_be_read_just_now_is_not_called_removed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed = read(photos, tmp_path, keep=False)
    (collection,) = [open_collection([str(photos)])]
    (source,) = collection.sources

    def busy(file: object) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    opened = dataclasses.replace(collection, sources=(dataclasses.replace(source, read=busy),))
    again = Pixels(Streamed(tmp_path / "pixels", streamed.manifest, lambda: [opened]))
    with pytest.raises(SourceError, match=r"cannot be read again.*--resume"):
        again.read(VIEWS[0], [0])


def test_kept_views_need_no_boxes(photos: Path, tmp_path: Path) -> None:
    """As in studies from before there were any."""
    n = len(read(photos, tmp_path, keep=True).manifest)
    (tmp_path / "pixels" / "boxes.npy").unlink()
    assert pixels_are_whole(tmp_path / "pixels", VIEWS, n)
    assert not pixels_are_whole(tmp_path / "pixels", [], n)


def test_large_photos_are_decoded_side_by_side_in_their_order(tmp_path: Path) -> None:
    for label in CLASSES:
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(10):
            content = BytesIO()
            Image.effect_noise((200, 200), 60 + i).convert("RGB").save(content, "PNG")
            (tmp_path / "photos" / label / f"{i}.png").write_bytes(content.getvalue())
    kept, streamed = (read(tmp_path / "photos", tmp_path / str(keep), keep=keep) for keep in (True, False))
    rows = np.random.default_rng(0).permutation(20)
    assert np.array_equal(kept.pixels.read(VIEWS[0], rows), streamed.pixels.read(VIEWS[0], rows))


def test_when_pixels_are_kept() -> None:
    auto = Keeping()
    assert auto.keeps([], STREAMED_FROM - 1)
    assert not auto.keeps([], STREAMED_FROM)
    assert auto.keeps(["scratch"], 10 * STREAMED_FROM)
    assert Keeping(keep_pixels="yes").keeps([], 10 * STREAMED_FROM)
    assert not Keeping(keep_pixels="no").keeps([], 10)
    with pytest.raises(ConfigError, match=r"--keep-pixels no: scratch.*two-stream"):
        Keeping(keep_pixels="no").keeps(["scratch"], 10)
    with pytest.raises(ConfigError, match="keep-pixels"):
        Keeping(keep_pixels="perhaps")  # type: ignore[arg-type]
