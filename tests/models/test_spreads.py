"""How a model's photos look, in its contract: measured as a service measures what it is sent, and read with care."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

from mien import Recognizer
from mien.data.measuring.faces import FaceDetector
from mien.data.measuring.look import look_of
from mien.data.reading.preprocess import View, decode
from mien.data.tables.manifest import read_manifest
from mien.data.tables.spreads import PROPERTIES, Spread, scaled, spreads_of
from mien.demo import draw_face
from mien.models.artifact import Contract
from support.pictures import encoded
from support.studies import Study


def test_a_study_stores_how_its_photos_look(small_study: Study) -> None:
    rows = read_manifest(small_study.folder / "manifest.parquet").filter(pl.col("split").is_in(["train", "val"]))
    spreads = Recognizer(small_study.folder).contract.spreads
    assert spreads is not None
    assert set(spreads) == set(PROPERTIES)
    learnt = spreads["brightness"].photos
    trained = rows.filter(pl.col("split") == "train") if learnt < rows.height else rows
    assert learnt == trained.height
    assert spreads["brightness"].mean == pytest.approx(float(np.mean(trained["brightness"].to_numpy())), abs=1e-5)
    logs = np.log2(trained["face_side"].drop_nulls().to_numpy())
    assert spreads["face_side"].deviation == pytest.approx(float(logs.std()), abs=1e-4)


def test_a_picture_is_measured_as_the_photos_of_a_study_are(small_study: Study) -> None:
    row = read_manifest(small_study.folder / "manifest.parquet").filter(pl.col("status") == "ok").row(0, named=True)
    path = small_study.data / row["path"]
    image = decode(path.read_bytes()).image
    found = look_of(image, FaceDetector().find(image))
    assert {name: found[name] for name in PROPERTIES} == pytest.approx(
        {name: row[name] for name in PROPERTIES}, rel=1e-5
    )


def test_without_a_face_there_is_no_face_size() -> None:
    image = decode(encoded(draw_face("happy", 0).resize((20, 300)))).image
    found = look_of(image, FaceDetector().find(image))
    assert found["face_side"] is None


def test_what_a_photo_lacks_is_left_out() -> None:
    found = spreads_of(
        {"brightness": np.array([0.2, 0.4]), "sharpness": np.array([0.0, np.nan]), "face_side": np.array([64, np.nan])}
    )
    assert set(found) == {"brightness", "face_side"}
    assert found["face_side"] == Spread(6.0, 0.0, 1)
    assert math.isnan(found["face_side"].standardised(7.0))
    assert found["brightness"].standardised(0.5) == pytest.approx(2.0)
    assert scaled("sharpness", -1.0) is scaled("brightness", math.inf) is scaled("face_side", None) is None


def test_files_from_before_have_none_and_new_ones_come_back() -> None:
    new = Contract(("a", "b"), (View("photo", 32),), "x", spreads={"brightness": Spread(0.5, 0.1, 7)})
    assert Contract.from_json(new.to_json()) == new
    values = json.loads(new.to_json())
    del values["spreads"]
    assert Contract.from_json(json.dumps(values)).spreads is None


@pytest.mark.parametrize("spreads", [3, ["a"], {"brightness": 1}, {"brightness": {"mean": "x"}}, {"brightness": {}}])
def test_spreads_that_make_no_sense_are_refused(spreads: object) -> None:
    values = json.loads(Contract(("a", "b"), (View("photo", 32),), "x").to_json()) | {"spreads": spreads}
    with pytest.raises(ValueError, match="no sense"):
        Contract.from_json(json.dumps(values))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1"])
def test_a_spread_without_a_width_is_refused(number: str) -> None:
    values = json.loads(Contract(("a", "b"), (View("photo", 32),), "x").to_json())
    values["spreads"] = {"brightness": {"mean": 0.5, "deviation": "here", "photos": 3}}
    with pytest.raises(ValueError, match="no sense"):
        Contract.from_json(json.dumps(values).replace('"here"', number))
