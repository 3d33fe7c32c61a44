"""A study that keeps no decoded photos: the same numbers, and all that is done with a study later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import mien as package
from mien.data.reading.preprocess import View
from mien.data.tables.manifest import read_manifest
from mien.data.tables.streamed import STREAMED
from mien.errors import ConfigError, MienError, SourceError
from mien.evaluation.predictions import photos_of_study
from mien.jobs.study import run_study
from mien.progress import Silent
from mien.reviewing.material import opened
from mien.settings.audit import AuditSettings
from mien.settings.by_name import made
from mien.settings.study import StudySettings
from support.drawn_sets import CLASSES, draw_set
from support.outcomes import numbers
from support.studies import made_once

pytestmark = pytest.mark.heavy  # trains


def settings(data: Path, target: Path, keep_pixels: str, **more: Any) -> StudySettings:
    asked: dict[str, Any] = {
        "data": (str(data),),
        "target": str(target),
        "recipes": ("two-stream", "probe"),
        "device": "cpu",
        "keep_pixels": keep_pixels,
    }
    return made(StudySettings, **asked | more)


@pytest.fixture(scope="module")
def studies(small_set: Path, small_target: Path, of_all_workers: Path) -> dict[str, Path]:
    """The same study twice: with decoded photos, and without."""

    def study(keep_pixels: str) -> Path:
        asked = settings(small_set, small_target, keep_pixels, explain_mistakes=True, refit=True)
        place = of_all_workers / f"keeping-{keep_pixels}"
        return made_once(place, lambda out: run_study(asked, out, resume=False, progress=Silent()))

    return {each: study(each) for each in ("yes", "no")}


def results_of(folder: Path) -> Any:
    found = numbers(json.loads((folder / "results.json").read_text(encoding="utf-8")))
    assert found["config"].pop("keeping") is not None
    return found


def test_the_numbers_are_the_same_bit_for_bit(studies: dict[str, Path]) -> None:
    kept, streamed = studies["yes"], studies["no"]
    assert results_of(kept) == results_of(streamed)
    for name in ("two-stream", "probe"):
        weights = [(folder / "runs" / name / "model.safetensors").read_bytes() for folder in (kept, streamed)]
        assert weights[0] == weights[1]
        one, other = (pl.read_parquet(folder / "runs" / name / "predictions.parquet") for folder in (kept, streamed))
        assert one.equals(other)
    assert (kept / "thumbnails.msgpack").read_bytes() == (streamed / "thumbnails.msgpack").read_bytes()
    assert {path.name for path in (streamed / "pixels").iterdir()} == {
        "SHA256SUMS",
        "boxes.npy",
        "fingerprints.npy",
        STREAMED,
    }
    assert len(list((kept / "pixels").glob("*.npy"))) > 4


def test_what_reads_a_study_later_sees_the_same_photos(studies: dict[str, Path]) -> None:
    shown: dict[str, list[Any]] = {}
    for keep, folder in studies.items():
        photos = photos_of_study(folder / "runs" / "two-stream" / "model.onnx")
        assert photos is not None
        view = photos.pixels.largest("face")
        assert view is not None
        rows = photos.manifest.filter(pl.col("status") == "ok")["row"].to_numpy()[::7]
        with opened(AuditSettings(data=(str(folder),)), Silent()) as material:
            dataset = package.FaceDataset(folder, "val")
            shown[keep] = [
                photos.pixels.read(view, rows),
                material.pixels.read(view, rows[:3]),
                material.looks,
                np.stack([pixels.numpy() for pixels, _ in (dataset[i] for i in range(len(dataset)))]),
            ]
    for one, other in zip(shown["yes"], shown["no"], strict=True):
        assert np.array_equal(one, other)


def test_it_goes_on_and_refuses_other_photos(small_target: Path, tmp_path: Path) -> None:
    draw_set(tmp_path / "faces", {each: each for each in CLASSES}, 12)
    folder = tmp_path / "out"
    asked = settings(tmp_path / "faces", small_target, "no", recipes=("probe",))
    first = numbers(run_study(asked, folder, resume=False, progress=Silent()).runs)
    for name in ("runs", "features"):
        shutil.rmtree(folder / name)
    assert numbers(run_study(asked, folder, resume=True, progress=Silent()).runs) == first
    manifest = read_manifest(folder / "manifest.parquet")
    gone = manifest.filter(pl.col("split") == "val")["path"][0]
    (tmp_path / "faces" / gone).unlink()
    with pytest.raises(SourceError, match=gone) as refused:
        package.FaceDataset(folder)
    assert "\n" not in str(refused.value)
    with pytest.raises(MienError, match=gone):
        run_study(asked, folder, resume=True, progress=Silent())


def test_photos_are_found_from_any_folder(small_target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_set(tmp_path / "faces", {each: each for each in CLASSES}, 12)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "out"
    run_study(settings(Path("faces"), small_target, "no", recipes=("probe",)), folder, resume=False, progress=Silent())
    here = package.FaceDataset(folder, "val")[0][0]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert package.FaceDataset(folder, "val")[0][0].equal(here)
    with opened(AuditSettings(data=(str(folder),)), Silent()) as material:
        assert len(material.pixels.read(View("photo", 224), [0])) == 1
    (tmp_path / "faces").rename(tmp_path / "moved")
    with (
        pytest.raises(SourceError, match="faces"),
        opened(AuditSettings(data=(str(folder),)), Silent()),
    ):
        pytest.fail("nobody is to be shown a page without photos")


def test_a_network_needs_pixels(small_set: Path, small_target: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--keep-pixels no: scratch"):
        run_study(
            settings(small_set, small_target, "no", recipes=("probe", "scratch")),
            tmp_path / "out",
            resume=False,
            progress=Silent(),
        )
    assert not (tmp_path / "out").exists()
