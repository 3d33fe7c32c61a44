"""Why a score fell: only what really differs is named, and moving it accounts for the fall."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from conftest import Study
from mien.data.collection import open_collection
from mien.data.prepare import Prepared, prepare
from mien.evaluation.causes import LEAST_PHOTOS, _Domain, _resolution, _Setting, causes_json
from mien.evaluation.predictions import predict_rows
from mien.evaluation.shift import target_json
from mien.metrics import balance_difference
from mien.progress import Silent
from mien.recognizer import Recognizer
from pictures import colour_model, write_files

EACH = 12
COLOURS = {"anger": (200, 60, 60), "fear": (60, 200, 60), "sad": (60, 60, 200)}


def photo(label: str, seed: int, *, side: int = 160, grey: bool = False) -> bytes:
    """A noisy picture in the colour of its class."""
    noise = np.random.default_rng(seed).integers(-40, 40, (side, side + 60, 1))
    picture = Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8))
    buffer = BytesIO()
    (picture.convert("L") if grey else picture).save(buffer, "PNG")
    return buffer.getvalue()


def prepared(folder: Path, recognizer: Recognizer, *, grey: bool) -> tuple[Prepared, pl.DataFrame, pl.DataFrame]:
    """Photos in colour, of which all are in test, and others from elsewhere."""
    for name, seed, is_grey in (("own", 0, False), ("other", 1000, grey)):
        files = {f"{label}/{i}.png": photo(label, seed + i, grey=is_grey) for label in COLOURS for i in range(EACH)}
        write_files(folder / name, files)
    own = open_collection([str(folder / "own")])
    other = open_collection([str(folder / "other")], taken=own.names)
    made = prepare(
        [own, other], recognizer.contract.views, folder / "work", find_faces=False, corrections=None, progress=Silent()
    )
    with_groups = made.manifest.with_columns(pl.col("row").alias("split_group"), pl.lit("test").alias("split"))
    return made, *(with_groups.filter(pl.col("source").is_in(each.names)) for each in (own, other))


@pytest.mark.parametrize("grey", [True, False])
def test_grey_photos_elsewhere_are_the_cause_where_colour_decides(grey: bool, tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    made, own, other = prepared(tmp_path, recognizer, grey=grey)
    predictions = predict_rows(recognizer, made.pixels, other, lambda n: None)
    causes = causes_json(recognizer, made.pixels, own, other, target_json(predictions, recognizer.labels, None))
    assert causes is not None
    assert causes["images"] == 3 * EACH
    assert causes["macro_f1"] == 1
    moved = {move["property"]: move for move in causes["moved"]}
    assert ("grey" in moved) == grey
    assert moved["class_balance"]["change"] == 0
    if grey:
        assert moved["grey"]["macro_f1"] == pytest.approx(causes["reached"])
        assert moved["grey"]["interval"][1] < 0
    assert causes["unexplained"] == pytest.approx(causes["reached"] - causes["together"]["macro_f1"])
    assert causes["unexplained"] == pytest.approx(0, abs=0.05)


def test_too_few_photos_say_nothing_of_causes(tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    made, own, other = prepared(tmp_path, recognizer, grey=True)
    predictions = predict_rows(recognizer, made.pixels, other, lambda n: None)
    scored = target_json(predictions, recognizer.labels, None)
    assert causes_json(recognizer, made.pixels, own.head(5), other, scored) is None


def test_photos_are_never_made_finer_than_they_are(tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    _, own, _ = prepared(tmp_path, recognizer, grey=False)
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (len(own), 32, 32, 3)).astype(np.uint8)
    for side, is_changed in ((1000.0, False), (8.0, True)):
        views = {"photo-32": before.copy()}
        domain = _domain_of(side)
        _resolution(views, own, _Setting(recognizer.contract.views, _domain_of(220.0), domain))
        assert (views["photo-32"] != before).any() == is_changed


def _domain_of(side: float) -> _Domain:
    return _Domain({name: np.array([side]) for name in ("face_side", "longer_side")}, 0.0, 0.0)


def test_balance_counts_each_class_by_its_share() -> None:
    y = np.array([0] * 10 + [1] * 10)
    answers = np.array([0] * 10 + [0] * 5 + [1] * 5)
    same = balance_difference(y, answers, answers, np.array([0.5, 0.5]))
    assert same.value == pytest.approx(0)
    rarer = balance_difference(y, answers, answers, np.array([0.1, 0.9]))
    f1 = (2 * 0.1 / (0.1 + 0.55), 2 * 0.45 / (0.9 + 0.45))
    assert rarer.value == pytest.approx(sum(f1) / 2 - (2 * 10 / 25 + 2 * 5 / 15) / 2)


def test_study_of_few_photos_names_no_causes(small_study: Study) -> None:
    test = small_study.results["runs"][small_study.results["selected"]]["test"]
    assert test["images"] < LEAST_PHOTOS
    assert small_study.results["target"]["causes"] is None
