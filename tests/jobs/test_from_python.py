"""The whole job from Python: handles, photos in every form, settings by their names, errors in one line."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

import mien as package
from mien.answer_list import Predictions
from mien.demo import draw_face
from mien.errors import AnswersError, ConfigError, MienError, OutputError, PhotoError, SourceError
from mien.jobs.handles import Audit
from mien.jobs.labelled import taken
from mien.results.prediction import Prediction
from mien.settings.by_name import checked, option_fields
from mien.settings.study import StudySettings
from support.studies import Study as Made

pytestmark = pytest.mark.heavy  # trains

LABELS = ("anger", "happy", "sad")


@pytest.fixture(scope="module")
def photos() -> tuple[list[NDArray[np.uint8]], list[str], list[str]]:
    """30 drawn faces of 64 px, their classes, and six persons."""
    images, labels, persons = [], [], []
    for label in LABELS:
        for i in range(10):
            images.append(np.asarray(draw_face(label, i).resize((64, 64))))
            labels.append(label)
            persons.append(f"p{i % 6}")
    return images, labels, persons


def test_a_study_in_eight_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for label in LABELS:
        (tmp_path / "photos" / label).mkdir()
        for i in range(10):
            draw_face(label, i).resize((64, 64)).save(tmp_path / "photos" / label / f"{i}.png")
    lines = """
import mien
study = mien.study("photos", recipe="probe")
study
study.report
study.per_class
study.next_steps
"""
    assert len(lines.strip().splitlines()) <= 8
    scope: dict[str, object] = {}
    exec(lines, scope)
    study = scope["study"]
    assert isinstance(study, package.Study)
    assert study.folder == tmp_path / "mien-photos"
    assert study.report.is_file()
    assert study.results.data.images == 30


def test_a_handle_holds_the_study(small_study: Made) -> None:
    study = package.Study.open(small_study.folder)
    results = study.results
    assert study.scores == results.test
    assert study.scores.macro_f1 is not None
    assert study.confusion.drop("true").sum_horizontal().sum() == study.scores.images
    assert study.per_class["support"].sum() == study.scores.images
    tested = study.predictions.filter(pl.col("split") == "test")
    assert len(tested) == study.scores.images
    assert study.model.labels == results.labels
    assert study.next_steps
    assert results.selected in study._repr_html_()
    assert str(study.folder) in repr(study)
    assert package.Study.open(small_study.folder / "results.json").folder == study.folder


def test_no_folder_of_a_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="nothing-here"):
        package.Study.open(tmp_path / "nothing-here")


# -- photos -----------------------------------------------------------------------------------------------------------


def test_photos_in_memory_are_kept_without_loss(photos: tuple[list[NDArray[np.uint8]], list[str], list[str]]) -> None:
    images, labels, persons = photos
    table = taken(images, labels, persons).table
    assert table is not None
    assert table["label"].to_list() == labels
    assert table["person"].to_list() == persons
    kept = [np.asarray(Image.open(io.BytesIO(content))) for content in table["image"]]
    assert all(np.array_equal(a, b) for a, b in zip(images, kept, strict=True))


def test_the_same_photos_in_each_form(
    photos: tuple[list[NDArray[np.uint8]], list[str], list[str]], tmp_path: Path
) -> None:
    images, labels, persons = photos
    paths = [tmp_path / f"{i}.png" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    columns = {"path": [str(path) for path in paths], "label": labels, "person": persons, "age": list(range(30))}
    forms: dict[str, Callable[[], Audit]] = {
        "arrays": lambda: package.audit(images, labels, persons, progress=False, check_labels=False),
        "paths": lambda: package.audit(paths, labels, persons, progress=False, check_labels=False),
        "pillow": lambda: package.audit(map(Image.open, paths), labels, persons, progress=False, check_labels=False),
        "pandas": lambda: package.audit(pd.DataFrame(columns), progress=False, check_labels=False),
        "polars": lambda: package.audit(pl.DataFrame(columns), progress=False, check_labels=False),
        "columns": lambda: package.audit(columns, progress=False, check_labels=False),
    }
    found = {name: make().results.data for name, make in forms.items()}
    assert {data.images for data in found.values()} == {30}
    assert {tuple(data.classes.items()) for data in found.values()} == {tuple(dict.fromkeys(LABELS, 10).items())}


def test_paths_in_a_table_start_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i, label in enumerate(LABELS * 2):
        draw_face(label, i).resize((64, 64)).save(f"{i}.png")
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(6)], "label": LABELS * 2})
    assert package.audit(table, progress=False, check_labels=False).results.data.images == 6


@pytest.mark.parametrize(
    ("data", "labels", "error", "told"),
    [
        (None, None, SourceError, "NoneType"),
        (42, None, SourceError, "int"),
        ([], None, SourceError, "list"),
        (pl.DataFrame({"path": []}), None, SourceError, "without rows"),
        (["a.png", "b.png"], ["anger"], SourceError, "1 for 2 photos"),
        (["a.png", "b.png"], 3, SourceError, "labels: int"),
        (["a.png", "b.png"], np.eye(2), SourceError, "not a row"),
        ({"path": ["a.png"], "label": []}, None, SourceError, "rows"),
        ("a.png", ["anger"], SourceError, "a list"),
        ([None, None], ["anger", "sad"], PhotoError, "photos[0–1]"),
    ],
)
def test_what_is_no_set_of_photos_is_one_line(data: object, labels: object, error: type[MienError], told: str) -> None:
    with pytest.raises(error) as caught:
        taken(data, labels)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"group_column": "persn"}, {"label_column": "lable"}, {"slice": "sexx"}, {"corrections": "nope.csv"}]
)
@pytest.mark.parametrize("of", ["audit", "evaluate", "score"])
def test_an_error_about_a_table_in_memory_names_neither_a_place_nor_a_column_of_miens(
    of: str, wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for i, label in enumerate(LABELS):
        draw_face(label, i).resize((64, 64)).save(f"{i}.png")
    table = pl.DataFrame({"path": [f"{i}.png" for i in range(3)], "label": LABELS, "sex": ["f", "m", "f"]})
    answers = pl.DataFrame({"path": [f"{i}.png" for i in range(3)], "prediction": LABELS})
    calls: dict[str, Callable[[], object]] = {
        "audit": lambda: package.audit(table, progress=False, **wrong),
        "evaluate": lambda: package.evaluate("default", table, progress=False, **wrong),
        "score": lambda: package.score(answers, table, progress=False, **wrong),
    }
    with pytest.raises(MienError) as caught:
        calls[of]()
    assert not re.search(r"\bmien[-_]|parquet|--", str(caught.value)), str(caught.value)


def test_an_error_about_answers_in_memory_names_no_place(tmp_path: Path) -> None:
    draw_face("happy", 1).save(tmp_path / "1.png")
    photos = pl.DataFrame({"path": [str(tmp_path / "1.png")], "label": ["happy"]})
    for answers in ({"a": [1]}, [{"a": 1}], [["x"]], {"1.png": [{"emotion": {"happy": 3.0, "sad": 9.0}}]}):
        with pytest.raises(AnswersError) as caught:
            package.score(answers, photos, progress=False)
        assert str(caught.value).startswith("answers")
        assert "--" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told_in_the_box_of_a_notebook(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        draw_face(LABELS[i % 2], i).resize((64, 64)).save(path)
    paths[3].write_bytes(paths[3].read_bytes()[:500])
    table = pl.DataFrame({"path": list(map(str, paths)), "label": [LABELS[i % 2] for i in range(4)]})
    answers = pl.DataFrame({"path": table["path"], "prediction": table["label"]})
    audit = package.audit(table, progress=False)
    assert "1 file not read" in repr(audit)
    for found in (
        audit,
        package.evaluate("default", table, progress=False),
        package.score(answers, table, progress=False),
    ):
        assert "1 of 4 files was not read" in found._repr_html_()
        assert "3.png" in found._repr_html_()


def test_a_setting_that_is_wrong_leaves_nothing(
    photos: tuple[list[NDArray[np.uint8]], list[str], list[str]], tmp_path: Path
) -> None:
    for wrong in ({"epochs": "3"}, {"recipee": "probe"}, {"recipe": "nope"}, {"folds": 2.5}):
        with pytest.raises(ConfigError):
            package.study(*photos, out=tmp_path / "out", progress=False, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_table_never_changes_what_a_study_was_made_of(
    photos: tuple[list[NDArray[np.uint8]], list[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError):
        package.study(*photos, out=tmp_path / "out", progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_model_is_scored_on_photos_in_memory(photos: tuple[list[NDArray[np.uint8]], list[str], list[str]]) -> None:
    found = package.evaluate("default", *photos, progress=False)
    assert found.results.target.data.images == 30
    assert found.scores.over is not None
    assert (found.scores.over.number, found.scores.over.kind) == (6, "people")
    assert found.confusion.drop("true").sum_horizontal().sum() == 30
    assert "<table>" in found._repr_html_()


def test_what_audit_found_is_decided_on_and_taken_out(
    photos: tuple[list[NDArray[np.uint8]], list[str], list[str]], tmp_path: Path
) -> None:
    images, labels, persons = ([*each, each[0]] for each in photos)  # one picture twice
    found = package.audit(images, labels, persons, out=tmp_path / "f.csv", progress=False, check_labels=False)
    assert len(found.findings) >= 1
    found.findings.head(1).with_columns(pl.lit("drop").alias("action")).write_csv(tmp_path / "decided.csv")
    study = package.study(
        images,
        labels,
        persons,
        recipe="probe",
        out=tmp_path / "out",
        progress=False,
        corrections=tmp_path / "decided.csv",
    )
    assert study.results.data.dropped == 1


def test_one_buffer_that_is_filled_again_gives_each_picture(
    photos: tuple[list[NDArray[np.uint8]], list[str], list[str]],
) -> None:
    images, labels, _ = photos

    def frames() -> Iterator[NDArray[np.uint8]]:
        buffer = np.zeros_like(images[0])
        for image in images:
            buffer[:] = image
            yield buffer

    table = taken(frames(), labels).table
    assert table is not None
    assert table["image"].to_list() == [_png(image) for image in images]


def _png(image: NDArray[np.uint8]) -> bytes:
    into = io.BytesIO()
    Image.fromarray(image).save(into, format="PNG")
    return into.getvalue()


def test_cells_of_any_kind_are_read() -> None:
    frame = pd.DataFrame(
        {
            "path": [Path("a.png"), Path("b.png"), Path("c.png")],
            "label": [0.0, 1.0, np.nan],
            "person": pd.array([1, pd.NA, 3], dtype="Int64"),
            "when": [pd.Timestamp("2026-01-01"), pd.NaT, pd.Timestamp("2026-01-02")],
            "thumb": [b"x", b"y", b"z"],
            "odd": [object(), {"a": 1}, None],
        },
        index=[7, 5, 3],
    )
    found = taken(frame)
    assert found.table is not None
    assert found.root == str(Path.cwd()), "a further column of bytes does not hold the photos"
    assert found.table["path"].to_list() == ["a.png", "b.png", "c.png"]
    assert found.table["label"].to_list() == [0, 1, None], "pandas makes whole numbers floats where some are missing"
    assert found.table["person"].to_list() == [1, None, 3]
    with pytest.raises(SourceError, match="two columns"):
        taken(pd.DataFrame([["a", "b"]], columns=["path", "path"]))


def test_going_on_with_other_photos_loses_nothing(
    photos: tuple[list[NDArray[np.uint8]], list[str], list[str]], tmp_path: Path
) -> None:
    images, labels, persons = photos
    package.study(images, labels, persons, recipe="probe", out=tmp_path / "out", progress=False)
    kept = (tmp_path / "out-photos/photos.parquet").read_bytes()
    for other in ((images, labels[::-1], persons), (images[:20], labels[:20], persons[:20])):
        with pytest.raises(OutputError, match="another out"):
            package.study(*other, recipe="probe", out=tmp_path / "out", progress=False, resume=True)
    assert (tmp_path / "out-photos/photos.parquet").read_bytes() == kept


def test_a_refused_study_leaves_no_photos(tmp_path: Path) -> None:
    one_class = [draw_face("sad", i).resize((64, 64)) for i in range(4)]
    with pytest.raises(SourceError):
        package.study(one_class, ["sad"] * 4, out=tmp_path / "out", progress=False)
    assert not list(tmp_path.iterdir())


# -- the caller's order ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shuffled(photos: tuple[list[NDArray[np.uint8]], list[str], list[str]]) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The photos and their classes in no order."""
    order = np.random.default_rng(3).permutation(30)
    return [photos[0][i] for i in order], [photos[1][i] for i in order]


def test_answers_are_in_the_callers_order(
    shuffled: tuple[list[NDArray[np.uint8]], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images, labels = shuffled
    paths = [f"z{(7 * i) % 30:02}.png" for i in range(30)]  # in another order by name
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    Path(paths[4]).write_bytes(b"no picture")
    table = pd.DataFrame({"path": paths, "label": labels}, index=range(100, 130))
    lists, frames = (
        package.evaluate("default", *data, out=out, progress=False).predictions
        for data, out in (((images, labels), "a"), ((table,), "b"))
    )
    assert lists["index"].to_list() == list(range(30))
    assert lists["label"].to_list() == labels
    assert frames["index"].to_list() == [i for i in range(30) if i != 4], "a photo that cannot be read has no answer"
    assert frames["path"].to_list() == [path for i, path in enumerate(paths) if i != 4]
    assert frames["label"].to_list() == [labels[i] for i in frames["index"]]
    probs = [name for name in lists.columns if name.startswith("prob_")]
    assert np.allclose(frames.select(probs).to_numpy(), lists[frames["index"].to_list()].select(probs).to_numpy())


@pytest.mark.heavy
@pytest.mark.parametrize("folds", [None, 3])
def test_a_study_answers_in_the_callers_order(
    shuffled: tuple[list[NDArray[np.uint8]], list[str]], folds: int | None, tmp_path: Path
) -> None:
    images, labels = shuffled
    study = package.study(images, labels, recipe="probe", folds=folds, out=tmp_path / "out", progress=False)
    for each in (study, package.Study.open(tmp_path / "out")):
        answers = each.predictions
        assert answers["index"].to_list() == sorted(answers["index"])
        assert answers["label"].to_list() == [labels[i] for i in answers["index"]]
        assert answers.columns[0] == "index"
        assert not [name for name in answers.columns if "mien_row" in name]
    assert all(study.figure(name).axes for name in study.figures)


def test_photos_from_a_path_have_no_index(small_study: Made) -> None:
    assert "index" not in package.Study.open(small_study.folder).predictions.columns
    with pytest.raises(SourceError, match="mien_row"):
        taken({"path": ["a.png"], "label": ["sad"], "mien_row": [1]})


# -- settings ---------------------------------------------------------------------------------------------------------


def test_signatures_name_every_setting() -> None:
    shown = inspect.signature(package.study).parameters
    assert {*option_fields(StudySettings)} - {"data"} <= {*shown}
    assert shown["epochs"].default is None


def test_settings_go_by_field_and_by_option() -> None:
    assert checked(StudySettings, {"recipe": "probe"}) == {"recipes": ("probe",)}
    assert checked(StudySettings, {"recipes": ["probe", "scratch"]}) == {"recipes": ("probe", "scratch")}
    assert checked(StudySettings, {"epochs": np.int64(3)}) == {"epochs": 3}
    assert checked(StudySettings, {"target": Path("there")}) == {"target": "there"}
    with pytest.raises(ConfigError, match="given twice"):
        checked(StudySettings, {"recipe": "probe", "recipes": ["probe"]})


# -- answers ----------------------------------------------------------------------------------------------------------


def test_answers_are_a_list_and_a_table() -> None:
    answers = Predictions(
        [
            Prediction("<a>.png", "ok", (), "sad", {"anger": 0.25, "sad": 0.75}),
            Prediction("b.png", "unreadable", ("unreadable",), reason="no image"),
        ]
    )
    frame = answers.to_frame()
    assert frame.columns == ["path", "status", "label", "prob_anger", "prob_sad", "flags", "reason"]
    assert frame["prob_sad"].to_list() == [0.75, None]
    assert "&lt;a&gt;.png" in answers._repr_html_()
    assert Predictions().to_frame().is_empty()
    assert answers == list(answers)


def test_errors_are_one_line_in_a_notebook() -> None:
    assert ConfigError("epochs: wrong")._render_traceback_() == ["mien: epochs: wrong"]
