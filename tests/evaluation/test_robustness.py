"""Pictures that get worse: by degrees, where it is meant, and scored as they are said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import Prepared, prepare
from mien.evaluation import robustness
from mien.evaluation.covered import GREY
from mien.evaluation.robustness import CORRUPTIONS, LEAST_PHOTOS, Corruption, measure_robustness
from mien.metrics import wilson
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.behaviour import Robustness
from mien.results.scores import Over
from mien.telling.report.robustness import robustness_panels, robustness_sentences
from support.intervals import present
from support.made_study import made_curve
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, pattern, write_files
from support.studies import Study

FACE: dict[str, Any] = {
    "sha256": "3f" * 32,
    "face_kind": "found",
    "face_side": 100.0,
    "face_left": 100.0,
    "face_top": 50.0,
    "face_right": 200.0,
    "face_bottom": 150.0,
    "width": 400,
    "height": 200,
}
PHOTO, CLOSE = View("photo", 120), View("face", 64)
COLOURS = {"anger": RED, "fear": GREEN, "sad": BLUE}


def picture(view: View) -> np.ndarray:
    return np.asarray(pattern(5, (view.size, view.size)))


@pytest.mark.parametrize("view", [PHOTO, CLOSE], ids=["photo", "face"])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_level_is_worse_than_the_one_before(name: str, view: View) -> None:
    kind, before = CORRUPTIONS[name], picture(view)
    moved = []
    for level in kind.levels.values():
        worse = kind.apply(before.copy(), view, FACE, level)
        assert worse.shape == before.shape
        assert worse.dtype == np.uint8
        assert (worse == kind.apply(before.copy(), view, FACE, level)).all(), "another picture each time"
        moved.append(np.abs(worse.astype(float) - before).mean())
    assert moved[0] > 0
    assert moved == sorted(moved)


def grey_rows(name: str, view: View, photo: dict[str, Any]) -> tuple[list[int], list[int]]:
    """First and last row and column that the strongest bar covers."""
    level = list(CORRUPTIONS[name].levels.values())[-1]
    covered = CORRUPTIONS[name].apply(np.zeros((view.size, view.size, 3), np.uint8), view, photo, level)
    places = np.argwhere((covered == GREY).all(-1))
    return places.min(0).tolist(), places.max(0).tolist()


def test_bars_lie_across_the_face_in_every_view() -> None:
    # The face is the middle half of the picture's height, and a quarter of its width; its view shows nothing else.
    (top, left), (bottom, right) = grey_rows("eyes", PHOTO, FACE)
    assert (left, right) == (30, 59)
    assert 30 < top < 0.38 * 60 + 30 < bottom < 65
    (low_top, _), (low_bottom, _) = grey_rows("mouth", PHOTO, FACE)
    assert bottom < low_top < 0.78 * 60 + 30 < low_bottom < 90
    (top, left), (bottom, right) = grey_rows("eyes", CLOSE, FACE)
    assert (left, right) == (0, 63)
    assert top == pytest.approx(64 * (0.38 - 0.15), abs=1)
    assert bottom + 1 == pytest.approx(64 * (0.38 + 0.15), abs=1)
    crop = FACE | {"face_kind": "crop", "face_left": None, "width": 48, "height": 48}
    assert grey_rows("eyes", PHOTO, crop)[0][1] == 0


def test_a_photo_without_a_face_keeps_its_resolution_and_is_not_covered() -> None:
    none = FACE | {"face_kind": "none", "face_side": None, "face_left": None}
    before = picture(PHOTO)
    for name in ("eyes", "mouth", "resolution"):
        for level in CORRUPTIONS[name].levels.values():
            assert (CORRUPTIONS[name].apply(before.copy(), PHOTO, none, level) == before).all()


def test_resolution_is_that_of_the_face_in_both_views() -> None:
    """A face of 100 px at 24 px leaves the picture of 400 px with 96, more than the view of 80 can show."""
    small = View("photo", 80)
    before = picture(small)
    assert (CORRUPTIONS["resolution"].apply(before.copy(), small, FACE, 24) == before).all()
    assert (CORRUPTIONS["resolution"].apply(before.copy(), small, FACE, 12) != before).any()
    assert (CORRUPTIONS["resolution"].apply(picture(CLOSE), CLOSE, FACE, 24) != picture(CLOSE)).any()


def test_a_blank_scene_stays_blank() -> None:
    views = {"scene-8": np.zeros((1, 8, 8, 3), np.uint8)}
    bright = CORRUPTIONS["noise"]
    robustness._corrupt_all(
        views, pl.DataFrame([FACE]), (View("scene", 8),), lambda image, view, photo: bright.apply(image, view, photo, 1)
    )
    assert not views["scene-8"].any()


@pytest.fixture
def coloured(tmp_path: Path) -> tuple[Recognizer, Prepared]:
    """A model that is right on every picture, and 30 test photos, half of them red."""
    rng = np.random.default_rng(0)
    files = {}
    for label, n in (("anger", 15), ("fear", 9), ("sad", 6)):
        for i in range(n):
            noise = rng.integers(0, 60, (40, 50 + i, 3))
            picture = np.clip(noise + np.array(COLOURS[label]) * 0.6, 0, 255).astype(np.uint8)
            files[f"{label}/{i}.png"] = encoded(Image.fromarray(picture))
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    collection = open_collection([str(write_files(tmp_path / "set", files))])
    read = prepare([collection], recognizer.contract.views, tmp_path / "work", find_faces=False, progress=Silent())
    rows = read.manifest.with_columns(pl.col("row").alias("split_group"), pl.lit("test").alias("split"))
    return recognizer, Prepared(rows, read.pixels)


def test_scores_fall_where_the_model_is_hurt_and_only_there(
    coloured: tuple[Recognizer, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer, photos = coloured
    turned = Corruption("Turned colours", "", {"all": 1.0}, lambda image, view, photo, level: image[..., [1, 2, 0]])
    monkeypatch.setattr(robustness, "CORRUPTIONS", {"dark": CORRUPTIONS["dark"], "turned": turned})
    found = measure_robustness(recognizer, photos.pixels, photos.manifest)
    assert found is not None
    assert (found.images, found.of, found.macro_f1) == (30, 30, 1)
    dark, bad = found.curves
    assert [(point.change, point.lowers) for point in dark.points] == [(0, False)] * 2
    (lost,) = bad.points
    assert (lost.macro_f1, lost.change, lost.lowers) == (0, -1, True)
    ends = -1, -present(wilson(30, 30)).low
    assert present(lost.interval) == pytest.approx(ends), "thirty photos make nothing certain"
    assert found.over == Over.counted(30, "pictures")
    told = " ".join(robustness_sentences(found))
    assert "30 test photos were degraded" in told
    assert "falls significantly with turned colours from all on (−1.00)." in told
    assert "With darkness, as far as it was tried, no significant loss" in told


def test_fewer_photos_are_taken_evenly_from_the_classes_and_it_is_said(
    coloured: tuple[Recognizer, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer, photos = coloured
    monkeypatch.setattr(robustness, "MOST_PIXELS", LEAST_PHOTOS * 32 * 32)
    monkeypatch.setattr(robustness, "CORRUPTIONS", {"dark": CORRUPTIONS["dark"]})
    some = robustness._some(photos.manifest, recognizer.contract.views)
    assert dict(some["label"].value_counts().iter_rows()) == {"anger": 10, "fear": 6, "sad": 4}
    assert set(some["id"]) == set(robustness._some(photos.manifest.reverse(), recognizer.contract.views)["id"])
    found = measure_robustness(recognizer, photos.pixels, photos.manifest)
    assert found is not None
    assert (found.images, found.of) == (20, 30)
    assert "20 of 30 test photos (drawn evenly" in robustness_sentences(found)[0]


def test_too_few_photos_say_nothing(coloured: tuple[Recognizer, Prepared], small_study: Study) -> None:
    recognizer, photos = coloured
    assert measure_robustness(recognizer, photos.pixels, photos.manifest.head(LEAST_PHOTOS - 1)) is None
    assert small_study.results["robustness"] is None
    assert "Poorer pictures" not in (small_study.folder / "report.html").read_text(encoding="utf-8")


def test_drawings_say_their_numbers() -> None:
    curves = (made_curve("noise", "Noise", -0.31), made_curve("eyes", "Eyes covered", -0.02))
    panels = robustness_panels(Robustness(images=9, of=15, macro_f1=0.71, curves=curves), 0.3)
    assert [panel.title for panel in panels] == ["Noise", "Eyes covered"]
    assert "macro-F1 0.71 as it is, 0.40 at 5 %, 0.09 at 15 %" in panels[0].svg
    assert "http" not in panels[0].svg
