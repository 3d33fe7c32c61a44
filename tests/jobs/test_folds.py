"""A study with folds: every photo answered once without its group; the model to use learnt from all and says so."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mien.comparing.fold_runs import _kept, run_folds
from mien.data.grouping.fold_plan import assign_folds, divided_for
from mien.data.tables.manifest import read_manifest
from mien.demo import draw_face
from mien.errors import ConfigError, MienError, WorkFailedError
from mien.evaluation.evaluate import Evaluation, evaluate
from mien.evaluation.predictions import predict_rows, probabilities, score_rows
from mien.jobs.study import run_study
from mien.labels import class_indices
from mien.metrics import confusion_matrix, macro_f1
from mien.models.artifact import HASH_LENGTH, model_path, open_model
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.reading import open_results
from mien.results.study import StudyResults
from mien.settings.by_name import made
from mien.settings.columns import Columns
from mien.settings.division import Folds
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.stages import open_study
from mien.training.run import LabelledPhotos, train_run
from support.manifests import people
from support.outcomes import Outcome, numbers, strict_json
from support.pictures import class_files, write_files
from support.processes import start, stop
from support.studies import made_once

Mien = Callable[..., Outcome]
PEOPLE, EACH = 6, 3
SETTINGS: dict[str, Any] = {
    "recipes": ("scratch", "probe"),
    "size": 32,
    "epochs": 2,
    "precision": "fp32",
    "device": "cpu",
    "check_labels": False,
    "folds": 3,
}


@dataclass(frozen=True)
class Folded:
    """A finished study with folds."""

    folder: Path
    data: Path
    results: StudyResults

    @property
    def manifest(self) -> pl.DataFrame:
        return read_manifest(self.folder / "manifest.parquet")

    def answers(self, *place: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder.joinpath(*place, "predictions.parquet"))


def draw_people(root: Path) -> Path:
    """A folder for each person, and in it one for each expression."""
    for person in range(1, PEOPLE + 1):
        for label in ("anger", "happy", "sad"):
            folder = root / f"subject{person:02}" / label
            folder.mkdir(parents=True)
            for i in range(EACH):
                draw_face(label, 100 * person + i, person=person).save(folder / f"{i}.png")
    return root


@pytest.fixture(scope="session")
def faces_of_people(of_all_workers: Path) -> Path:
    return made_once(of_all_workers / "people", draw_people)


@pytest.fixture(scope="session")
def folded(faces_of_people: Path, of_all_workers: Path) -> Folded:
    settings = made(StudySettings, data=(str(faces_of_people),), **SETTINGS)
    folder = made_once(of_all_workers / "folded", lambda out: run_study(settings, out, resume=False, progress=Silent()))
    results = open_results(folder)
    assert isinstance(results, StudyResults)
    return Folded(folder, faces_of_people, results)


@pytest.mark.heavy
def test_every_photo_is_answered_once_by_models_that_never_saw_its_group(folded: Folded) -> None:
    manifest, pooled = folded.manifest, folded.answers()
    assert sorted(pooled["row"]) == sorted(manifest["row"])
    assert set(pooled["split"]) == {"test"}
    assert pooled.sort("row")["fold"].to_list() == manifest.sort("row")["fold"].to_list()
    assert pooled.join(manifest, on="row").group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * 6
    for name in folded.results.runs:
        assert folded.answers("runs", name)["row"].to_list() == pooled["row"].to_list()
        for fold in ("001", "002", "003"):
            answers = folded.answers("folds", fold, name)
            groups = {split: set(answers.filter(split=split)["split_group"]) for split in ("train", "val", "test")}
            assert len(set.union(*groups.values())) == sum(map(len, groups.values()))
            assert groups["test"] == set(manifest.filter(fold=int(fold))["split_group"])
            assert groups["val"]


@pytest.mark.heavy
def test_scores_are_those_of_the_stored_answers(folded: Folded) -> None:
    found, labels = folded.results.folds, folded.results.labels
    assert found is not None
    assert found.pooled == score_rows(folded.answers(), labels) == folded.results.test
    assert found.pooled.images == sum(fold.images for fold in found.folds) == PEOPLE * 3 * EACH
    for name, run in folded.results.runs.items():
        assert run.test == score_rows(folded.answers("runs", name), labels)
    for fold in found.folds:
        rows = folded.answers().filter(pl.col("fold") == fold.fold)
        right = probabilities(rows, labels).argmax(1) == class_indices(rows["label"], labels)
        assert (fold.images, fold.groups, fold.accuracy) == (len(rows), 2, right.mean())
        assert fold.images + fold.train + fold.val == found.pooled.images
        assert set(rows["recipe"]) == {fold.selected}


@pytest.mark.heavy
def test_recipes_are_selected_inside_each_fold_by_its_validation_photos(folded: Folded) -> None:
    found, labels = folded.results.folds, folded.results.labels
    assert found is not None

    def of(rows: pl.DataFrame) -> float:
        answers = probabilities(rows, labels).argmax(1)
        return float(macro_f1(confusion_matrix(class_indices(rows["label"], labels), answers, len(labels))))

    for fold in found.folds:
        parts = {name: folded.answers("folds", f"{fold.fold:03d}", name) for name in folded.results.runs}
        val = {name: of(rows.filter(split="val")) for name, rows in parts.items()}
        assert val[fold.selected] == max(val.values())
        assert fold.recipes == {name: of(rows.filter(split="test")) for name, rows in parts.items()}
    runs = folded.results.runs
    assert runs[folded.results.selected].val.macro_f1 == max(run.val.macro_f1 or 0 for run in runs.values())


@pytest.mark.heavy
def test_a_head_answers_in_a_fold_as_its_model_file_would(tmp_path: Path) -> None:
    """No model is written for a fold; what it would answer must be the same, for photos and for face crops."""
    for person in range(4):
        for label in ("happy", "sad"):
            folder = tmp_path / "set" / f"subject{person}" / label
            folder.mkdir(parents=True)
            for i, style in enumerate(("colour", "colour", "grey")):
                draw_face(label, 10 * person + i, style=style, person=person).save(folder / f"{i}.png")
    changes = {"recipes": ("two-stream",), "folds": 2, "size": None, "epochs": None, "precision": None}
    settings = made(StudySettings, data=(str(tmp_path / "set"),), **SETTINGS | changes)
    study = open_study(settings, tmp_path / "study", resume=False, progress=Silent())
    (asked,), photos = study.runs, study.photos
    done = run_folds(asked, photos, tmp_path / "folds", Silent())[1]
    divided = divided_for(photos.manifest, 2, asked.seed)
    assert train_run(asked, replace(photos, manifest=divided), tmp_path / "run", advance=lambda n: None) == done.config
    model = Recognizer(tmp_path / "run")
    assert model.contract.thresholds == done.thresholds
    for split in ("train", "val", "test"):
        rows = divided.filter(pl.col("split") == split)
        assert set(rows["face_kind"]) > {"crop"}
        expected = predict_rows(model, photos.pixels, rows, lambda n: None)
        kept = expected.filter(pl.col("row").is_in(done.split(split)["row"].implode()))
        assert done.split(split)["row"].to_list() == kept["row"].to_list()
        assert len(kept) == len(expected) or split == "train"
        one, other = (probabilities(each, study.data.labels) for each in (done.split(split), kept))
        assert np.abs(one - other).max() < 1e-4


@pytest.mark.heavy
def test_model_to_use_learnt_from_all_photos_and_carries_the_scores_of_the_folds(folded: Folded) -> None:
    results, path = folded.results, model_path(folded.folder)
    assert path == Path(results.paths.model)
    contract = open_model(path)[1]
    assert {sha[:HASH_LENGTH] for sha in folded.manifest["sha256"]} <= contract.training_hashes
    assert contract.measured is not None
    test = results.run.test
    assert (contract.measured["macro_f1"], contract.measured["images"]) == (test.macro_f1, test.images)
    assert "never saw its group (3 folds)" in contract.measured["how"]
    assert "fitted to all" in contract.measured["how"]
    assert not (folded.folder / "runs" / "scratch" / "model.onnx").exists()
    assert not list(folded.folder.glob("folds/*/*/model.*"))
    assert not list(folded.folder.glob("folds/*/*/checkpoints"))


@pytest.mark.heavy
def test_page_tells_of_folds_and_never_of_a_test_split(folded: Folded) -> None:
    page = (folded.folder / "report.html").read_text(encoding="utf-8")
    assert "held-out photos" in page
    assert "fitted to all photos" in page
    assert "test photos" not in page
    assert all(f"fold {number}" in page for number in (1, 2, 3))


@pytest.mark.heavy
def test_killed_study_goes_on_and_fits_no_finished_fold_again(
    folded: Folded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(folded.folder, folder)
    for lost in ("results.json", "report.html", "predictions.parquet", "runs", "folds/002/probe/predictions.parquet"):
        path = folder / lost
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    fitted = []

    def count(run: Any, photos: LabelledPhotos, *words: Any, **named: Any) -> Any:
        fitted.append(len(photos.split("test")))
        return fit_head(run, photos, *words, **named)

    from mien.training.run import fit_head

    monkeypatch.setattr("mien.comparing.fold_runs.fit_head", count)
    monkeypatch.setattr("mien.comparing.fold_runs.train_run", lambda *words, **named: pytest.fail("trained again"))
    run_study(read_toml(StudySettings, folder / "study.toml"), folder, resume=True, progress=Silent())
    assert len(fitted) == 1
    assert numbers(strict_json((folder / "results.json").read_text())) == numbers(
        strict_json((folded.folder / "results.json").read_text())
    )
    assert pl.read_parquet(folder / "predictions.parquet").equals(folded.answers())


@pytest.mark.slow
def test_study_with_folds_killed_while_a_network_trains_ends_with_equal_numbers(folded: Folded, tmp_path: Path) -> None:
    words = ["--recipe", "scratch", "--recipe", "probe", "--size", "32", "--epochs", "2", "--precision", "fp32"]
    words += ["--device", "cpu", "--no-check-labels", "--folds", "3", "--out", "out"]
    process = start(tmp_path, "study", folded.data, *words)
    second = tmp_path / "out" / "folds" / "002" / "scratch" / "config.toml"
    deadline = time.monotonic() + 120
    while not second.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop(process, signal.SIGKILL)
    assert not (tmp_path / "out" / "results.json").exists()
    settings = read_toml(StudySettings, tmp_path / "out" / "study.toml")
    run_study(settings, tmp_path / "out", resume=True, progress=Silent())
    assert numbers(strict_json((tmp_path / "out" / "results.json").read_text())) == numbers(
        strict_json((folded.folder / "results.json").read_text())
    )


@pytest.mark.parametrize("folds", [2, 3, "group"])
def test_some_answers_to_photos_that_were_learnt_from_are_kept_in_every_fold(folds: Folds) -> None:
    table = assign_folds(people(np.full((3, 2), 8)) if folds == "group" else people(np.full((9, 2), 4)), folds, 1)
    for fold in range(1, int(table["fold"].max()) + 1):  # type: ignore[arg-type]
        divided = divided_for(table, fold, 1)
        kept = divided.filter(_kept(divided, fold))
        assert kept.filter(pl.col("split") != "train").equals(divided.filter(pl.col("split") != "train"))
        assert kept.filter(split="train")["fold"].n_unique() == 1


@pytest.mark.heavy
def test_each_person_is_held_out_once(faces_of_people: Path, tmp_path: Path) -> None:
    changes = {"folds": "group", "recipes": ("probe",), "size": None, "epochs": None, "precision": None}
    settings = made(StudySettings, data=(str(faces_of_people),), **SETTINGS | changes)
    found = run_study(settings, tmp_path / "out", resume=False, progress=Silent()).folds
    assert found is not None
    assert [fold.group for fold in found.folds] == [f"subject{person:02}" for person in range(1, PEOPLE + 1)]
    assert all(fold.images == 3 * EACH for fold in found.folds)
    assert found.selected == {"probe": PEOPLE}


@pytest.mark.heavy
def test_error_that_the_folds_cannot_promise_is_refused_when_they_are_known(folded: Folded, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    changes = {"recipes": ("probe",), "size": None, "epochs": None, "precision": None, "max_error": 0.001}
    settings = made(StudySettings, data=(str(folded.data),), **SETTINGS | changes)
    with pytest.raises(WorkFailedError, match=r"--max-error 0\.001"):
        run_study(settings, folder, resume=False, progress=Silent())
    assert not (folder / "results.json").exists()


@pytest.mark.heavy
def test_model_of_a_study_with_folds_can_be_evaluated_exported_and_not_adapted(
    folded: Folded, small_target: Path, mien: Mien, tmp_path: Path
) -> None:
    options = Evaluation(Columns())
    found = evaluate(str(folded.folder), [str(small_target)], None, options=options, progress=Silent()).target
    assert found.causes is None  # no photo is left that the model has not learnt from
    again = evaluate(str(folded.folder), [str(folded.data)], None, options=options, progress=Silent()).target
    assert again.near_copies == PEOPLE * 3 * EACH
    exported = mien("export", folded.folder, "--precision", "fp16", "--out", "small.onnx", "--json")
    assert (exported.code, exported.json["validation"]) == (0, None)
    assert "--folds" in mien("adapt", folded.folder, small_target).complaint


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"split": "80/10/10"}, "--split 80/10/10"),
        ({"split_method": "naive"}, "--split-method naive"),
        ({"keep_splits": "earlier"}, "--keep-splits"),
        ({"refit": True}, "--refit"),
        ({"explain_mistakes": True}, "--explain-mistakes"),
        ({"target": "demo::target"}, "mien evaluate"),
        ({"folds": 1}, "from 2"),
        ({"folds": 51}, "to 50"),
        ({"folds": "persons"}, "or group"),
    ],
)
def test_what_does_not_go_with_folds_is_refused_in_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        made(StudySettings, data=("photos",), **{"folds": 5} | changes)
    assert told in str(refused.value)
    assert "--folds" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("word", ["2.5", "persons", "-3", "1", "5.0"])
def test_number_of_folds_is_read_whole_or_not_at_all(mien: Mien, word: str) -> None:
    outcome = mien("study", "demo", f"--folds={word}", "--dry-run")
    assert outcome.code == 2
    assert "--folds" in outcome.complaint


def refusal(data: Path, folder: Path, **changes: Any) -> str:
    """Why a study cannot begin; nothing of it is left."""
    settings = made(StudySettings, data=(str(data),), **SETTINGS | {"recipes": ("scratch",)} | changes)
    with pytest.raises(MienError) as refused:
        open_study(settings, folder, resume=False, progress=Silent())
    assert not folder.exists()
    return str(refused.value)


def test_folds_of_photos_that_came_divided_are_refused_and_the_advice_holds(tmp_path: Path) -> None:
    files = class_files("train/happy", "train/sad", "test/happy", "test/sad", each=8)
    data = write_files(tmp_path / "set", files)
    told = refusal(data, tmp_path / "out")
    assert "train and test" in told
    assert f"{data}::train" in told
    assert "--layout '*/LABEL/*'" in told
    ways: tuple[dict[str, Any], ...] = ({"data": (f"{data}::train",)}, {"layout": "*/LABEL/*"})
    for i, changes in enumerate(ways):
        asked: dict[str, Any] = SETTINGS | {"data": (str(data),), "recipes": ("scratch",)} | changes
        settings = made(StudySettings, **asked)
        study = open_study(settings, tmp_path / str(i), resume=False, progress=Silent())
        assert study.photos.manifest["fold"].null_count() == 0
        assert len(study.photos.manifest) == (16, 32)[i]


def test_network_is_not_trained_for_each_of_many_groups(tmp_path: Path) -> None:
    files = {f"subject{n:02}/{label}/{n}.png": b"" for n in range(25) for label in ("happy", "sad")}
    pictures = class_files("happy", each=len(files)).values()
    data = write_files(tmp_path / "set", dict(zip(files, pictures, strict=True)))
    told = refusal(data, tmp_path / "out", folds="group")
    assert "scratch would be trained 25 times" in told
    assert "--folds 5" in told


def test_groups_are_asked_for_where_there_are_none(tmp_path: Path) -> None:
    data = write_files(tmp_path / "set", class_files("happy", "sad", each=8))
    assert "--group-column" in refusal(data, tmp_path / "out", folds="group")


def test_splits_of_a_study_with_folds_cannot_be_kept(tmp_path: Path) -> None:
    data = write_files(tmp_path / "set", class_files("happy", "sad", each=8))
    settings = made(StudySettings, data=(str(data),), **SETTINGS | {"recipes": ("scratch",)})
    open_study(settings, tmp_path / "first", resume=False, progress=Silent())
    told = refusal(data, tmp_path / "out", folds=None, keep_splits=str(tmp_path / "first"))
    assert "--keep-splits" in told
    assert "folds" in told
