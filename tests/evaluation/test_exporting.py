"""``mien export``: the same recogniser in another file, and what the smaller ones lose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien import Recognizer
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import read_manifest
from mien.demo import draw_face
from mien.evaluation import exporting
from support.outcomes import Outcome
from support.studies import Study

Mien = Callable[..., Outcome]
RUN = Path("runs", "two-stream")


Views = dict[str, NDArray[np.uint8]]


@pytest.fixture(scope="module")
def photos(small_study: Study) -> Views:
    """Every second photo of the study, as the recogniser sees them."""
    rows = read_manifest(small_study.folder / "manifest.parquet").drop_nulls("split")["row"].to_numpy()[::2]
    pixels = Pixels(small_study.folder / "pixels")
    return {view.key: pixels.read(view, rows) for view in Recognizer(small_study.folder / RUN).contract.views}


@pytest.fixture(scope="module")
def wide(small_study: Study, photos: Views) -> NDArray[np.float32]:
    """What it says of them before the export."""
    return Recognizer(small_study.folder / RUN).logits(photos)


@pytest.mark.parametrize(("precision", "size", "off"), [("fp32", 1.0, 0.0), ("fp16", 0.55, 0.01), ("int8", 0.32, 0.1)])
def test_exported_model_is_the_same_recogniser(
    mien: Mien,
    small_study: Study,
    photos: Views,
    wide: NDArray[np.float32],
    tmp_path: Path,
    precision: str,
    size: float,
    off: float,
) -> None:
    run, out = small_study.folder / RUN, tmp_path / "small.onnx"
    outcome = mien("export", run, "--precision", precision, "--out", out, "--json")
    before, after = Recognizer(run), Recognizer(out)
    assert outcome.code == 0
    assert after.contract == before.contract
    assert out.stat().st_size <= size * (run / "model.onnx").stat().st_size
    narrow = after.logits(photos)
    assert np.linalg.norm(wide - narrow) <= off * np.linalg.norm(wide)
    assert outcome.json["bytes"] == out.stat().st_size
    assert outcome.json["validation"]["images"] > 0
    assert 0.9 <= outcome.json["validation"]["same_label"] <= 1
    assert precision != "fp32" or outcome.json["validation"]["largest_difference"] == 0


def test_export_overwrites_nothing(mien: Mien, small_study: Study, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_text("mine")
    outcome = mien("export", small_study.folder, "--out", tmp_path / "mine.onnx")
    assert outcome.code == 2
    assert "exists already" in outcome.complaint
    assert (tmp_path / "mine.onnx").read_text() == "mine"


@pytest.fixture
def drawn() -> list[Image.Image]:
    """Faces of others than those that the command tries itself."""
    return [draw_face(label, 100 + i) for label in ("happy", "sad", "anger") for i in range(4)]


@pytest.mark.heavy
def test_export_without_the_photos_says_that_nothing_was_measured(mien: Mien, tmp_path: Path) -> None:
    outcome = mien("export", "default", "--precision", "int8")
    assert outcome.code == 0
    assert "not measured" in outcome.out
    assert Recognizer(tmp_path / "default-int8.onnx").labels == Recognizer("default").labels


@pytest.mark.heavy
def test_eight_bits_shrink_a_model_whose_weights_lie_beside_it(
    mien: Mien, tmp_path: Path, drawn: list[Image.Image]
) -> None:
    """Those of the recogniser that comes with mien have 16 bits already, in files that it shares with others."""
    told = mien("export", "default", "--precision", "int8", "--out", "small.onnx", "--json").json
    as_it_is = mien("export", "default", "--out", "whole.onnx", "--json").json
    assert told["bytes_before"] == pytest.approx(as_it_is["bytes"], rel=0.001)
    assert told["bytes"] == (tmp_path / "small.onnx").stat().st_size < 0.6 * as_it_is["bytes"]
    assert told["drawn"]["images"] == 48
    assert told["drawn"]["same_label"] >= 0.9
    assert 0 < told["drawn"]["largest_difference"] < 0.5
    assert as_it_is["drawn"]["largest_difference"] == 0
    (tmp_path / "elsewhere").mkdir()
    alone = (tmp_path / "small.onnx").rename(tmp_path / "elsewhere" / "small.onnx")  # nothing lies beside it there
    before, after = Recognizer("default").predict(drawn), Recognizer(alone).predict(drawn)
    for wide, narrow in zip(before, after, strict=True):
        assert wide.probabilities is not None
        assert narrow.probabilities == pytest.approx(wide.probabilities, abs=0.05)


@pytest.mark.parametrize(
    ("model", "precision"),
    [("default", "fp16"), ("six@1", "fp16"), pytest.param("small.onnx", "int8", marks=pytest.mark.heavy)],
)
def test_a_file_that_would_not_be_smaller_is_not_written(
    mien: Mien, tmp_path: Path, model: str, precision: str
) -> None:
    if model == "small.onnx":
        assert mien("export", "six", "--precision", "int8", "--out", model).code == 0
    there = set(tmp_path.iterdir())
    outcome = mien("export", model, "--precision", precision, "--out", "again.onnx")
    assert outcome.code == 2
    assert outcome.complaint.count("\n") <= 1
    assert f"--precision {precision}" in outcome.complaint
    assert set(tmp_path.iterdir()) == there


def test_an_export_that_is_stopped_leaves_no_file(
    small_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stand in the way of the next one, though the command said that it was interrupted."""
    out = tmp_path / "small.onnx"

    def stopped(*_: object) -> None:
        assert out.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_compared", stopped)
    with pytest.raises(KeyboardInterrupt):
        exporting.export(str(small_study.folder / RUN), out, "int8")
    assert not out.exists()
