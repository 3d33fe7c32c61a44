"""Photos that are not as they were are named, each kind by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import Prepared, prepare
from mien.errors import SourceError
from mien.progress import Silent
from mien.settings.columns import Columns

VIEW = View("photo", 32)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for label, colour in (("a", 40), ("b", 200)):
        (root / label).mkdir(parents=True)
        for i in range(3):
            Image.effect_noise((40, 40), colour + i).convert("RGB").save(root / label / f"{i}.png")
    return root


def prepared(photos: Path, out: Path) -> Prepared:
    return prepare([open_collection([str(photos)], Columns())], [VIEW], out, find_faces=False, progress=Silent())


CHANGES: dict[str, Callable[[Path], object]] = {
    "changed: photos/a/1.png": lambda root: Image.new("RGB", (40, 40), "red").save(root / "a" / "1.png"),
    "removed: photos/b/2.png": lambda root: (root / "b" / "2.png").unlink(),
    "added: photos/b/9.png": lambda root: Image.new("RGB", (40, 40), "red").save(root / "b" / "9.png"),
}


@pytest.mark.parametrize("told", CHANGES)
def test_what_changed_is_named(told: str, photos: Path, tmp_path: Path) -> None:
    prepared(photos, tmp_path / "out")
    CHANGES[told](photos)
    with pytest.raises(SourceError) as refused:
        prepared(photos, tmp_path / "out")
    assert told in str(refused.value)


def test_photos_as_they_were_are_used_again_and_lost_pixels_decoded_again(photos: Path, tmp_path: Path) -> None:
    first = prepared(photos, tmp_path / "out")
    rows = first.manifest["row"].to_list()
    pixels, prints = first.pixels.read(VIEW, rows), first.pixels.fingerprints(rows)
    (tmp_path / "out" / "pixels" / "photo-32.npy").unlink()
    again = prepared(photos, tmp_path / "out")
    assert again.manifest.equals(first.manifest)
    assert (again.pixels.read(VIEW, rows) == pixels).all()
    assert (again.pixels.fingerprints(rows) == prints).all()
