"""``--slice`` from the command line to the page: of a study, with folds and without, and of a finished model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import mien as package
from mien.demo import draw_face
from mien.errors import ConfigError
from mien.evaluation.predictions import write_predictions
from mien.jobs.study import run_study
from mien.progress import Silent
from mien.results.reading import open_results
from mien.results.slices import Slices
from mien.results.study import StudyResults
from mien.settings.by_name import changed, made
from mien.settings.slicing import Slicing
from mien.settings.study import StudySettings
from support.intervals import present
from support.outcomes import Outcome
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, write_files

pytestmark = pytest.mark.heavy  # trains

Mien = Callable[..., Outcome]
PEOPLE, LABELS = 16, ("anger", "happy", "sad")
SETTINGS: dict[str, Any] = {
    "recipes": ("scratch",),
    "size": 32,
    "epochs": 1,
    "precision": "fp32",
    "device": "cpu",
    "check_labels": False,
}


def people_in_a_table(folder: Path) -> str:
    """Drawn people, two photos an expression, of two sites and with two cameras."""
    rows = []
    for person in range(PEOPLE):
        for number, label in enumerate(2 * LABELS):
            name = f"{person}-{number}.png"
            draw_face(label, 100 * person + number, person=person).save(folder / name)
            site = None if person == 0 else "ab"[person % 2]
            rows.append({"path": name, "label": label, "person": person, "site": site, "camera": "xy"[number // 3]})
    pl.DataFrame(rows).write_csv(folder / "photos.csv")
    return str(folder / "photos.csv")


def photos_of(found: Slices) -> dict[str, dict[str | None, int]]:
    return {column.column: {each.value: each.images for each in column.values} for column in found.columns}


@pytest.mark.heavy
def test_a_study_is_sliced_when_it_goes_on_and_its_numbers_stay(tmp_path: Path) -> None:
    settings = made(StudySettings, data=(people_in_a_table(tmp_path),), **SETTINGS, folds=2)
    folder = tmp_path / "study"
    plain = run_study(settings, folder, resume=False, progress=Silent())
    assert plain.slices is None
    assert 'id="slices"' not in (folder / "report.html").read_text(encoding="utf-8")
    answers = pl.read_parquet(folder / "predictions.parquet")
    assert {"own.site", "own.camera"} <= set(answers.columns)
    place = folder / "folds" / "001" / "scratch" / "predictions.parquet"  # as it was before columns travelled
    write_predictions(pl.read_parquet(place).drop("own.site", "own.camera"), place)
    sliced = run_study(changed_slices(settings, "site", "camera"), folder, resume=True, progress=Silent())
    found = present(sliced.slices)
    assert photos_of(found) == {"site": {"a": 42, "b": 48, None: 6}, "camera": {"x": 48, "y": 48}}
    assert {each.over.number for name, each in found.named if name == "camera"} == {PEOPLE}
    assert found.comparisons == 2
    assert sliced.test == plain.test
    assert open_results(folder) == sliced
    assert '<section id="slices">' in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.heavy
def test_the_test_photos_and_those_from_elsewhere_are_sliced_apart(tmp_path: Path) -> None:
    data = people_in_a_table(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = people_in_a_table(elsewhere)
    settings = made(StudySettings, data=(data,), target=target, **SETTINGS, slices=("camera",))
    results = run_study(settings, tmp_path / "study", resume=False, progress=Silent())
    assert isinstance(results, StudyResults)
    of_test, there = present(results.slices), present(present(results.target).slices)
    assert sum(photos_of(of_test)["camera"].values()) == results.test.images
    assert photos_of(there) == {"camera": {"x": 48, "y": 48}}


def changed_slices(settings: StudySettings, *columns: str) -> StudySettings:
    return replace(changed(settings), slicing=Slicing(slices=columns))


def coloured(folder: Path, camera: Callable[[int], str] | None = None) -> str:
    """A table of 15 people's pictures, which a model of colours takes for others where the camera is ``bad``."""
    rng, colours = np.random.default_rng(0), (RED, GREEN, BLUE)
    rows, files = [], {}
    for i in range(90):
        taken = camera(i) if camera else None
        shown = np.array(colours[(i + (taken == "bad")) % 3]) * 0.6
        picture = np.clip(rng.integers(0, 60, (40, 50, 3)) + shown, 0, 255).astype(np.uint8)
        files[f"{i}.png"] = encoded(Image.fromarray(picture))
        more: dict[str, str | None] = {"camera": taken, "session": f"{i:03d}"} if camera else {}
        rows.append({"path": f"{i}.png", "label": ("anger", "fear", "sad")[i % 3], "subject": f"p{i // 6}", **more})
    write_files(folder, files)
    pl.DataFrame(rows).write_csv(folder / "photos.csv")
    return str(folder / "photos.csv")


def test_evaluate_names_the_worst_value_and_what_it_was_corrected_for(mien: Mien, tmp_path: Path) -> None:
    model = str(colour_model(tmp_path / "model.onnx"))
    photos = coloured(tmp_path / "set", lambda i: "bad" if i % 6 > 2 else "good")
    told = mien("evaluate", model, photos, "--slice", "camera")
    assert told.code == 0
    assert "Worst: camera = bad" in told.out
    table = [line for line in told.out.splitlines() if line.startswith(("camera ", "bad ", "good "))]
    assert len(table) == 3
    assert max(len(line.rstrip()) for line in table) <= 80
    found = mien("evaluate", model, photos, "--slice", "camera", "--json").json["target"]["slices"]
    verdicts = {each["value"]: each["verdict"] for each in found["columns"][0]["values"]}
    assert verdicts == {"bad": "worse", "good": "better"}
    assert {each["over"]["number"] for each in found["columns"][0]["values"]} == {15}


def test_a_source_without_the_column_says_so(mien: Mien, tmp_path: Path) -> None:
    model = str(colour_model(tmp_path / "model.onnx"))
    first = coloured(tmp_path / "first", lambda i: "bad" if i % 2 else "good")
    second = coloured(tmp_path / "second")
    targets = mien("evaluate", model, first, second, "--slice", "camera", "--json").json["targets"]
    assert [each["slices"]["lacking"] for each in targets.values()] == [[], ["camera"]]
    assert "no column camera" in mien("evaluate", model, first, second, "--slice", "camera").out


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("age", "there is no column 'age' to slice by; columns you can slice by: camera, session"),
        ("session", "the column 'session' has 90 values"),
        ("camera,camera", "names a column twice"),
        ("camera,", "one of the names is empty"),
    ],
)
def test_what_cannot_be_sliced_by_is_one_line_before_a_photo_is_read(
    mien: Mien, tmp_path: Path, asked: str, told: str
) -> None:
    photos = coloured(tmp_path / "set", lambda i: "good")
    model = str(colour_model(tmp_path / "model.onnx"))
    for command in (("evaluate", model, photos), ("study", photos, "--out", "out"), ("study", photos, "--dry-run")):
        outcome = mien(*command, "--slice", asked)
        assert outcome.code == 2
        assert told in outcome.complaint
        assert not (tmp_path / "out").exists()


def test_names_are_given_with_commas_or_one_by_one(mien: Mien, tmp_path: Path) -> None:
    photos = coloured(tmp_path / "set", lambda i: "good")
    model = str(colour_model(tmp_path / "model.onnx"))
    for asked in (("--slice", "age, camera"), ("--slice", "age", "--slice", "camera"), ("--slice=age,camera",)):
        assert "no column 'age'" in mien("evaluate", model, photos, *asked).complaint
    assert Slicing(slices=("age", "camera")) == Slicing(slices=("age,camera",)) == Slicing(slices=(" age", "camera "))
    with pytest.raises(ConfigError):
        Slicing(slices=("age", " "))


def test_a_class_map_is_written_without_slices(mien: Mien, tmp_path: Path) -> None:
    photos, model = coloured(tmp_path / "set"), str(colour_model(tmp_path / "model.onnx"))
    outcome = mien("evaluate", model, photos, "--slice", "camera", "--write-class-map", str(tmp_path / "map.toml"))
    assert (outcome.code, (tmp_path / "map.toml").exists()) == (2, False)


def test_slices_in_python_are_a_row_a_value(tmp_path: Path) -> None:
    model, photos = str(colour_model(tmp_path / "model.onnx")), coloured(tmp_path / "set", lambda i: "xyz"[i % 4 % 3])
    found = package.evaluate(model, photos, slice="camera", progress=False)
    assert found.slices.columns[:4] == ["column", "value", "photos", "groups"]
    assert dict(found.slices.select("value", "photos").iter_rows()) == {"x": 45, "y": 23, "z": 22}
    assert found.slices["verdict"].to_list() == [each.verdict for _, each in present(found.target.slices).named]
    assert found.slices["difference"].to_list() == [
        each.difference and each.difference.value for _, each in present(found.target.slices).named
    ]
    assert package.evaluate(model, photos, progress=False).slices.is_empty()
