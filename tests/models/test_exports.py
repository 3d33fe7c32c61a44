"""Exported backbones: made once for each size and user, checked when used, and no reason for a study to fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import mien.models.exports as exports
from mien.auditing.features import SETTINGS, VIEWS
from mien.data.measuring.fingerprints import SIDE
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import View
from mien.models.backbones import Backbone, load_backbone
from mien.models.exports import cache_folder, export_backbones, exported
from mien.progress import Advance, Silent
from mien.training.features import FeatureCache
from support.studies import made_once


def tiny_network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


TINY = Backbone("hf-hub:someone/tiny", (0.5,) * 3, (0.2,) * 3, 32, (), "a" * 64, "MIT", tiny_network)


class Model:
    def SerializeToString(self) -> bytes:
        return b"a model" * 1000


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "backbones"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes that were exported, in order, by a stand-in."""
    sizes: list[int] = []

    def to_onnx(network: nn.Module, size: int, name: str, output: str) -> Model:
        sizes.append(size)
        return Model()

    monkeypatch.setattr("mien.models.export.to_onnx", to_onnx)
    return sizes


class Steps(Silent):
    """Progress that remembers what was announced."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def tell(self, line: str) -> None:
        """Nothing is said here."""

    @contextmanager
    def step(self, title: str, total: int | None, unit: str) -> Iterator[Advance]:
        self.titles.append(title)
        yield lambda n: None


def test_each_size_is_exported_once_for_all_studies(cache: Path, made: list[int], tmp_path: Path) -> None:
    first, again, other = (
        exported(TINY, size, tmp_path / folder) for size, folder in ((32, "one"), (32, "two"), (64, "one"))
    )
    assert made == [32, 64]
    assert first == again != other
    assert {path.name for path in cache.iterdir()} == {first.name, other.name}
    assert first.read_bytes() == Model().SerializeToString()
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("damage", [b"", b"a model" * 999 + b"a modem", b"a model" * 1001])
def test_damaged_export_is_made_again(cache: Path, made: list[int], tmp_path: Path, damage: bytes) -> None:
    path = exported(TINY, 32, tmp_path)
    path.write_bytes(damage)
    assert exported(TINY, 32, tmp_path).read_bytes() == Model().SerializeToString()
    assert made == [32, 32]
    assert len(list(cache.iterdir())) == 1


def test_partial_export_of_a_killed_process_is_not_taken(cache: Path, made: list[int], tmp_path: Path) -> None:
    name = exported(TINY, 32, tmp_path).name
    (cache / name).rename(cache / "0123.partial")
    assert exported(TINY, 32, tmp_path).name == name
    assert made == [32, 32]


def test_cache_in_which_nothing_can_be_made_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, made: list[int], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "file" / "below"))
    path = exported(TINY, 32, tmp_path / "study")
    assert path.parent == tmp_path / "study"
    assert exported(TINY, 32, tmp_path / "study") == path
    assert made == [32]
    assert (tmp_path / "file").read_text() == "no folder"


@pytest.mark.parametrize("failing", ["write", "rename"])
def test_full_cache_does_no_harm(
    cache: Path, made: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    write, rename = Path.write_bytes, os.replace

    def full(path: Path, data: bytes) -> int:
        if path.parent == cache and failing == "write":
            write(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    def refused(old: Path, new: Path) -> None:
        if Path(new).parent == cache and failing == "rename":
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(old, new)

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(os, "replace", refused)
    path = exported(TINY, 32, tmp_path / "study")
    assert path.parent == tmp_path / "study"
    assert path.read_bytes() == Model().SerializeToString()
    assert list(cache.iterdir()) == []


def test_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch, made: list[int], tmp_path: Path) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MIEN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert exported(TINY, 32, tmp_path).parent == tmp_path


def test_many_that_export_at_once_share_one_file(cache: Path, made: list[int], tmp_path: Path) -> None:
    barrier, found = threading.Barrier(8), list[Path]()

    def export() -> None:
        barrier.wait()
        found.append(exported(TINY, 32, tmp_path))
        assert found[-1].read_bytes() == Model().SerializeToString()

    threads = [threading.Thread(target=export) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert list(cache.iterdir()) == [found[0]]


def test_whatever_decides_an_export_decides_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [
        replace(TINY, name="hf-hub:someone-else/tiny"),
        replace(TINY, sha256="b" * 64),
        replace(TINY, mean=(0.5, 0.5, 0.4)),
        replace(TINY, std=(0.5,) * 3),
        replace(TINY, is_grey=True),
    ]
    stems = {exports._stem(each, 32) for each in [TINY, *others]} | {exports._stem(TINY, 64)}
    for package in exports.PACKAGES:
        with monkeypatch.context() as patch:
            version = exports._version
            patch.setattr(exports, "_version", lambda name: "0" if name == package else version(name))  # noqa: B023
            stems.add(exports._stem(TINY, 32))
    monkeypatch.setattr(exports, "_code", lambda: "other code")
    stems.add(exports._stem(TINY, 32))
    assert len(stems) == 1 + len(others) + 1 + len(exports.PACKAGES) + 1
    assert all(set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") for stem in stems)
    assert len(max(stems, key=len)) + 1 + 64 + len(".onnx") < 255
    assert len(exports._stem(replace(TINY, name="x" * 500), 32)) < 100


def test_place_of_the_cache() -> None:
    home = Path.home()
    assert cache_folder({}, "linux") == home / ".cache" / "mien"
    assert cache_folder({"XDG_CACHE_HOME": "/elsewhere"}, "linux") == Path("/elsewhere/mien")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}, "linux") == home / ".cache" / "mien"
    assert cache_folder({}, "darwin") == home / "Library" / "Caches" / "mien"
    assert cache_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/mien/Cache")
    for platform in ("linux", "darwin", "win32"):
        assert cache_folder({"MIEN_CACHE": "/mine", "XDG_CACHE_HOME": "/x"}, platform) == Path("/mine")
    assert cache_folder({"MIEN_CACHE": "~/mine"}, "linux") == home / "mine"
    assert cache_folder({"MIEN_CACHE": ""}, "linux") == home / ".cache" / "mien"


def test_export_is_announced_where_there_is_something_to_do(cache: Path, made: list[int], tmp_path: Path) -> None:
    steps = Steps()
    for _ in range(2):
        export_backbones([(TINY, 32), (TINY, 64), (TINY, 32)], tmp_path, steps)
    name = "export backbone hf-hub:someone/tiny at"
    assert steps.titles == [f"{name} 32 px", f"{name} 64 px"]
    assert made == [32, 64]


@pytest.mark.heavy
def test_features_are_the_same_wherever_the_export_came_from(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    view, rng = View("photo", 32), np.random.default_rng(1)
    with PixelWriter(tmp_path / "pixels", [view], 3) as writer:
        for row in range(3):
            image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            writer.put(row, {view.key: image}, np.zeros((SIDE, SIDE), np.uint8))
    photos = pl.DataFrame({"row": [0, 1, 2], "sha256": ["a" * 64, "b" * 64, "c" * 64]})

    def features(name: str) -> bytes:
        FeatureCache(tmp_path / name, Pixels(tmp_path / "pixels")).of(TINY, view, photos)
        (table,) = (tmp_path / name).glob("*.npy")
        return table.read_bytes()

    cold, warm = features("cold"), features("warm")
    (one,) = cache.iterdir()
    monkeypatch.setenv("MIEN_CACHE", str(one / "no folder"))
    assert cold == warm == features("without")
    (other,) = (tmp_path / "without").glob("*.onnx")
    assert other.name == one.name
    assert other.read_bytes() == one.read_bytes()
    assert b".py" not in one.read_bytes(), "an export tells of the machine it was made on"


def run_python(code: str, *argv: object, cache: Path | None = None) -> str:
    place = {} if cache is None else {"MIEN_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, argv)], env=os.environ | place, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_writes_nothing_and_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys, mien.models.exports, mien.training.features, mien.auditing.run; print('torch' in sys.modules)"
    assert run_python(code, cache=tmp_path / "cache") == "False"
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_audit_that_judges_labels_needs_no_torch_once_its_backbone_is_exported(
    small_set: Path, of_all_workers: Path
) -> None:
    backbone = load_backbone(SETTINGS.photo_backbone)
    sizes = [(backbone, view.size) for view in VIEWS]
    made_once(of_all_workers / "audit-exports", lambda path: export_backbones(sizes, path, Silent()))
    code = (
        "import sys; from mien.auditing.run import run_audit; from mien.progress import Silent; "
        "from mien.settings.audit import AuditSettings, LabelChecks; "
        "asked = AuditSettings(data=(sys.argv[1],), checks=LabelChecks(check_labels=True)); "
        "found = run_audit(asked, None, Silent()).data.doubtful_labels; "
        "print(found.judged, [name for name in ('torch', 'timm', 'lightning') if name in sys.modules])"
    )
    judged, _, loaded = run_python(code, small_set).partition(" ")
    assert int(judged) > 50
    assert loaded == "[]"
