"""Why a score fell: only what really differs is named, and moving it accounts for the fall."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mien.data.reading.compression import LUMA_TABLE
from mien.data.reading.preprocess import View, decode
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import Prepared, prepare
from mien.evaluation.causes import LEAST_PHOTOS, _compression, _Domain, _matched, _resolution, _Setting, find_causes
from mien.evaluation.predictions import predict_rows
from mien.evaluation.shift import score_target
from mien.metrics import balance_difference
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.target import JpegQuality
from mien.telling.report.causes import cause_sentences
from support.intervals import present
from support.pictures import colour_model, encoded, grainy, pattern, write_files
from support.studies import Study

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
    ours, theirs = (with_groups.filter(pl.col("source").is_in(each.names)) for each in (own, other))
    return made, ours, theirs


@pytest.mark.heavy
@pytest.mark.parametrize("grey", [True, False])
def test_grey_photos_elsewhere_are_the_cause_where_colour_decides(grey: bool, tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    made, own, other = prepared(tmp_path, recognizer, grey=grey)
    predictions = predict_rows(recognizer, made.pixels, other, lambda n: None)
    causes = find_causes(recognizer, made.pixels, own, other, score_target(predictions, recognizer.labels, None))
    assert causes is not None
    assert causes.images == 3 * EACH
    assert causes.macro_f1 == 1
    moved = {move.property: move for move in causes.moved}
    assert ("grey" in moved) == grey
    assert moved["class_balance"].change == 0
    if grey:
        assert moved["grey"].macro_f1 == pytest.approx(causes.reached)
        assert present(moved["grey"].interval).high < 0
        assert moved["grey"].lowers
    assert not moved["class_balance"].lowers
    assert causes.unexplained == pytest.approx(causes.reached - causes.together.macro_f1)
    assert causes.unexplained == pytest.approx(0, abs=0.05)


def test_too_few_photos_say_nothing_of_causes(tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    made, own, other = prepared(tmp_path, recognizer, grey=True)
    predictions = predict_rows(recognizer, made.pixels, other, lambda n: None)
    scored = score_target(predictions, recognizer.labels, None)
    assert find_causes(recognizer, made.pixels, own.head(5), other, scored) is None


@pytest.mark.heavy
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
    return _Domain({name: np.array([side]) for name in ("face_side", "longer_side")}, 0.0, 0.0, 0.0)


# -- compression ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [5, 20, 49, 50, 75, 92, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_quality_of_a_jpeg_is_read_off_its_table(quality: int, mode: str) -> None:
    content = encoded(grainy(1).convert(mode), "JPEG", quality=quality)
    assert decode(content).quality == quality
    for other in ("PNG", "WEBP"):
        assert decode(encoded(grainy(1), other)).quality is None


def test_quality_of_a_table_of_another_maker_is_the_nearest() -> None:
    table = [round(1.03 * step) for step in LUMA_TABLE]
    assert decode(encoded(grainy(1), "JPEG", qtables=[table, table])).quality == pytest.approx(50, abs=3)


def compressed(qualities: tuple[int | None, int | None], sides: tuple[float, float], is_coarse: bool) -> np.ndarray:
    """How far a view of 64 px moves, in grey levels, for a photo and a target of these qualities and sides."""
    own, there = (
        _Domain(
            {"jpeg_quality": np.array([quality] if quality else []), "longer_side": np.array([side])},
            0.0, 0.0, float(quality is not None),
        )
        for quality, side in zip(qualities, sides, strict=True)
    )  # fmt: skip
    row = {"sha256": "0" * 64, "jpeg_quality": qualities[0], "face_side": None, "width": sides[0], "height": 10.0}
    view = View("photo", 64)
    before = np.asarray(pattern(3, (64, 64)))[None]
    views = {view.key: before.copy()}
    _compression(views, pl.DataFrame([row]), _Setting((view,), own, there, is_coarse))
    return np.asarray(np.abs(views[view.key].astype(float) - before))


def test_photos_are_compressed_as_strongly_as_those_elsewhere_and_no_less() -> None:
    assert compressed((90, 10), (64, 64), is_coarse=False).mean() > 3
    assert compressed((None, 10), (64, 64), is_coarse=False).mean() > 3
    assert not compressed((60, 95), (64, 64), is_coarse=False).any()


def test_blocks_of_a_larger_photo_are_finer() -> None:
    small, large = (compressed((90, 10), (side, 64), is_coarse=False).mean() for side in (64.0, 5000.0))
    coarse = compressed((90, 10), (5000.0, 64.0), is_coarse=True).mean()
    assert large < 0.8 * small
    assert coarse == small


@pytest.mark.heavy
def test_compression_elsewhere_is_measured_only_where_files_tell_of_it(tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    made, own, other = prepared(tmp_path, recognizer, grey=False)
    assert other["jpeg_quality"].null_count() == len(other)
    predictions = predict_rows(recognizer, made.pixels, other, lambda n: None)
    scored = score_target(predictions, recognizer.labels, None)
    causes = find_causes(recognizer, made.pixels, own, other, scored)
    assert causes is not None
    assert causes.jpeg == JpegQuality(share=0, test=None, target=None)
    assert "compression" not in {move.property for move in causes.moved}
    assert "unknown" in cause_sentences(causes)[-1]
    as_jpegs = other.with_columns(pl.lit(40).alias("jpeg_quality"))
    causes = find_causes(recognizer, made.pixels, own, as_jpegs, scored)
    assert causes is not None
    assert causes.jpeg == JpegQuality(share=1, test=None, target=40)
    assert "compression" in {move.property for move in causes.moved}
    assert "All of their files are JPEGs with a median quality of 40" in cause_sentences(causes)[-1]


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


def test_equal_values_stand_in_the_middle_of_the_targets() -> None:
    """A set saved at one quality throughout is made like the target's median, not like its worst picture."""
    own, there = np.full(100, 75.0), np.arange(30.0, 96.0)
    here, elsewhere = (_Domain({"jpeg_quality": values}, 0.0, 0.0, 1.0) for values in (own, there))
    assert _matched(75, "jpeg_quality", _Setting((), here, elsewhere)) == pytest.approx(np.median(there))
