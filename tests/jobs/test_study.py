"""A whole study of drawn faces: what it writes, and whether its numbers agree with each other."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

import mien
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import read_manifest
from mien.errors import OutputError
from mien.jobs.study import run_study, run_training
from mien.models.backbones import load_backbone
from mien.models.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EmotionCNN,
    PhotoNetwork,
    TwoStreamFeatures,
    TwoStreamNetwork,
)
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.document import encode
from mien.results.study import Splits, StudyResults
from mien.settings.budget import Budget
from mien.settings.by_name import changed, made
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.stages import count_splits, open_study
from mien.telling.terminal.summaries import study_summary
from mien.training.history import read_history
from support.drawn_sets import CLASSES, IGNORED, UNREADABLE
from support.outcomes import Outcome, numbers, strict_json
from support.pictures import class_files, png, write_files
from support.processes import run
from support.studies import STUDY_OPTIONS, STUDY_RECIPES, Study

pytestmark = pytest.mark.heavy  # trains

SCORES = ("macro_f1", "accuracy", "per_class", "confusion", "interval", "support")
SCALARS = {"Loss/train", "Acc/train", "Acc/val", "F1_macro/val", "LR"}


@pytest.fixture(scope="module")
def manifest(small_study: Study) -> pl.DataFrame:
    return read_manifest(small_study.folder / "manifest.parquet")


def predictions(study: Study, name: str) -> pl.DataFrame:
    return pl.read_parquet(study.folder / "runs" / name / "predictions.parquet")


def answers(rows: pl.DataFrame, labels: list[str]) -> list[str]:
    probs = rows.select(f"prob_{label}" for label in labels).to_numpy()
    return [labels[i] for i in probs.argmax(1)]


# -- the documented object --------------------------------------------------------------------------------------------


def test_documented_keys_are_there(small_study: Study) -> None:
    results = small_study.results
    counts = "files images unreadable classes exact_duplicate_groups near_duplicate_groups conflicting_labels"
    assert set(results["data"]) >= set(counts.split())
    assert all(isinstance(results["data"][key], int) for key in counts.split() if key != "classes")
    assert set(results["runs"]) == set(STUDY_RECIPES)
    for scored in [entry[split] for entry in results["runs"].values() for split in ("val", "test")]:
        assert set(scored) >= set(SCORES)
    for part in ("all", "shared", "shared_limited"):
        assert set(results["target"][part]) >= set(SCORES)
    assert set(results["paths"]) >= {"report", "run", "model"}
    assert set(results["seconds"]) >= {"read", "train", "predict", "report", "total"}


def test_results_are_strict_json_and_stand_in_the_folder(small_study: Study) -> None:
    stored = strict_json((small_study.folder / "results.json").read_text(encoding="utf-8"))
    assert stored == strict_json(json.dumps(small_study.results))


def test_paths_exist(small_study: Study) -> None:
    paths = small_study.results["paths"]
    assert Path(paths["report"]) == small_study.folder / "report.html"
    assert Path(paths["model"]) == small_study.folder / "runs" / small_study.results["selected"] / "model.onnx"
    assert all(Path(path).exists() for path in paths.values() if path)


def test_artifacts_are_written_and_nothing_half_written(small_study: Study) -> None:
    folder = small_study.folder
    for name in ("study.toml", "manifest.parquet", "results.json", "report.html"):
        assert (folder / name).stat().st_size > 0
    for name in STUDY_RECIPES:
        run_folder = folder / "runs" / name
        for file in ("config.toml", "model.onnx", "model.safetensors", "predictions.parquet"):
            assert (run_folder / file).stat().st_size > 0
        if name.startswith("scratch"):
            assert (run_folder / "history.csv").stat().st_size > 0
            assert list(run_folder.glob("**/events.out.tfevents.*"))
    assert not list(folder.rglob("*.partial"))


def test_every_answer_stands_as_csv_beside_its_table_and_every_plot_in_figures(small_study: Study) -> None:
    for name in STUDY_RECIPES:
        run_folder = small_study.folder / "runs" / name
        table, text = pl.read_parquet(run_folder / "predictions.parquet"), pl.read_csv(run_folder / "predictions.csv")
        assert text.columns == table.columns
        assert text["id"].to_list() == table["id"].to_list()
        probabilities = [column for column in table.columns if column.startswith("prob_")]
        assert np.allclose(text.select(probabilities), table.select(probabilities), atol=1e-6)
        assert "predictions.csv" not in (run_folder / "SHA256SUMS").read_text(encoding="utf-8")
    plots = {path.name for path in (small_study.folder / "figures").iterdir()}
    assert {"scores.svg", "confusion.png", "reliability.svg"} <= plots
    assert {Path(name).stem for name in plots if name.endswith(".svg")} == {
        Path(name).stem for name in plots if name.endswith(".png")
    }


def test_a_study_is_told_in_40_lines(small_study: Study) -> None:
    results = mien.open_results(small_study.folder)
    assert isinstance(results, StudyResults)
    assert len(Console(width=80, file=io.StringIO()).render_lines(study_summary(results))) <= 40


def test_study_toml_is_the_settings_asked_for(small_study: Study) -> None:
    settings = read_toml(StudySettings, small_study.folder / "study.toml")
    assert settings.training.recipes == STUDY_RECIPES
    assert (settings.computing.size, settings.budget, settings.computing.precision) == (32, Budget(epochs=6), "fp32")


# -- photos -----------------------------------------------------------------------------------------------------------


def test_counts_add_up_to_the_files_on_disk(small_study: Study, manifest: pl.DataFrame) -> None:
    data = small_study.results["data"]
    on_disk = {p.relative_to(small_study.data).as_posix() for p in small_study.data.rglob("*") if p.is_file()}
    assert data["files"] + data["ignored"] == len(on_disk)
    assert data["files"] == data["images"] + data["unreadable"]
    assert data["images"] == sum(data["classes"].values())
    assert set(data["unreadable_files"]) == set(UNREADABLE)
    assert set(data["ignored_files"]) == set(IGNORED)
    own = manifest.filter(pl.col("source") == data["name"])
    assert set(own["path"]) == on_disk
    target = small_study.results["target"]["data"]
    assert target["files"] == target["images"] == len(list(small_study.target.rglob("*.png")))


def test_splits_add_up_to_the_images(small_study: Study) -> None:
    results = small_study.results
    counts = results["splits"]["counts"]
    totals: Counter[str] = Counter()
    for split in ("train", "val", "test"):
        assert set(counts[split]) == set(CLASSES)
        totals.update(counts[split])
    assert results["splits"]["left_out"] == {}
    assert totals == results["data"]["classes"]
    for name, run_results in results["runs"].items():
        for split in ("train", "val", "test"):
            assert run_results[split]["support"] == counts[split], name


def test_no_near_duplicate_group_stands_in_two_splits(manifest: pl.DataFrame) -> None:
    placed = manifest.filter(pl.col("split").is_in(["train", "val", "test"]))
    splits = placed.group_by("near_group").agg(pl.col("split").n_unique(), pl.len())
    assert splits["split"].max() == 1
    assert (splits["len"] > 1).sum() == 3  # the planted copies


def test_the_photos_are_left_as_they_were(small_study: Study) -> None:
    kinds = Counter(path.suffix for path in small_study.data.rglob("*") if path.is_file())
    assert kinds == {".png": 63, ".jpg": 2, ".txt": 2, ".db": 1}


# -- selection and scores ---------------------------------------------------------------------------------------------


def test_selected_is_the_best_on_validation(small_study: Study) -> None:
    scores = {name: entry["val"]["macro_f1"] for name, entry in small_study.results["runs"].items()}
    assert scores[small_study.results["selected"]] == max(scores.values())


@pytest.mark.parametrize("name", STUDY_RECIPES)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_scores_follow_from_the_stored_predictions(small_study: Study, name: str, split: str) -> None:
    labels = small_study.results["labels"]
    rows = predictions(small_study, name).filter(pl.col("split") == split)
    truth, answered = rows["label"].to_list(), answers(rows, labels)
    scored = small_study.results["runs"][name][split]
    f1 = f1_score(truth, answered, labels=labels, average=None, zero_division=0)
    assert scored["macro_f1"] == pytest.approx(f1.mean())
    assert [scored["per_class"][label]["f1"] for label in labels] == pytest.approx(list(f1))
    assert scored["accuracy"] == pytest.approx(accuracy_score(truth, answered))
    assert scored["confusion"] == confusion_matrix(truth, answered, labels=labels).tolist()
    assert scored["interval"][0] <= scored["macro_f1"] <= scored["interval"][1]


def test_target_scores_follow_from_the_stored_predictions(small_study: Study) -> None:
    results = small_study.results
    rows = predictions(small_study, results["selected"]).filter(pl.col("split") == "target")
    meaning = {"Angry": "anger", "happiness": "happy", "neutral": "neutral"}
    truth = [meaning[label] for label in rows["label"]]
    answered = answers(rows, results["labels"])
    assert results["target"]["all"]["accuracy"] == pytest.approx(accuracy_score(truth, answered))
    shared = rows.filter(pl.col("label") != "neutral")
    truth = [meaning[label] for label in shared["label"]]
    for part, allowed in (("shared", results["labels"]), ("shared_limited", ["anger", "happy"])):
        answered = answers(shared, allowed)
        f1 = f1_score(truth, answered, labels=["anger", "happy"], average="macro", zero_division=0)
        assert results["target"][part]["accuracy"] == pytest.approx(accuracy_score(truth, answered))
        assert results["target"][part]["macro_f1"] == pytest.approx(f1)


def test_classes_without_photos_have_no_score(small_study: Study) -> None:
    target = small_study.results["target"]
    assert target["labels"]["extra"] == ["neutral"]
    assert target["labels"]["missing"] == ["sad"]
    for part in ("all", "shared"):
        assert target[part]["support"]["sad"] == 0
        assert target[part]["per_class"]["sad"]["f1"] is None
    assert target["all"]["support"]["neutral"] == 6
    assert "sad" not in target["shared_limited"]["support"]


def test_predictions_hold_every_usable_image_once(small_study: Study, manifest: pl.DataFrame) -> None:
    usable = manifest.filter(pl.col("split").is_not_null()).select("id", "split", "label").sort("id")
    for name in STUDY_RECIPES:
        rows = predictions(small_study, name)
        assert rows.select("id", "split", "label").sort("id").equals(usable)
        probs = rows.select(f"prob_{label}" for label in small_study.results["labels"]).to_numpy()
        assert np.allclose(probs.sum(1), 1)


def test_training_alone_leaves_the_test_photos_unread(tmp_path: Path, small_study: Study) -> None:
    config = read_toml(StudySettings, small_study.folder / "study.toml")
    config = changed(config, target=None, recipes=("scratch",), budget=Budget(updates=5))
    results = run_training(config, tmp_path / "out", resume=False, progress=Silent())
    rows = pl.read_parquet(tmp_path / "out" / "runs" / "scratch" / "predictions.parquet")
    assert set(rows["split"]) == {"train", "val"}
    assert "test" not in strict_json(encode(results))["runs"]["scratch"]
    assert results.paths.report is None
    assert not (tmp_path / "out" / "report.html").exists()
    history = read_history(tmp_path / "out" / "runs" / "scratch" / "history.csv")
    assert history[-1]["updates"] == 5  # a budget in updates ends amid an epoch
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))


# -- audit ------------------------------------------------------------------------------------------------------------


def test_what_the_audit_found_stands_in_the_manifest(small_study: Study, manifest: pl.DataFrame) -> None:
    data = small_study.results["data"]
    own = manifest.filter(pl.col("source").is_in(data["names"]) & (pl.col("status") == "ok"))
    assert own["suggested_label"].null_count() == own["label_quality"].null_count() == 0
    assert own["is_doubtful"].sum() == data["doubtful_labels"]["found"]
    assert {"shortcuts", "doubtful_labels", "leakage"} <= set(data)
    others = manifest.filter(~pl.col("source").is_in(data["names"]))
    assert others["suggested_label"].null_count() == len(others)


# -- how photos are divided -------------------------------------------------------------------------------------------


def trained(data: tuple[str, ...], folder: Path, *, resume: bool = False, **changes: Any) -> dict[str, Any]:
    """The results, as they are printed, of training one update; what counts is how the photos were taken in."""
    asked = {"recipes": ("scratch",), "size": 32, "updates": 1, "precision": "fp32", "device": "cpu"} | changes
    settings = made(StudySettings, data=data, **asked)
    found: dict[str, Any] = strict_json(encode(run_training(settings, folder, resume=resume, progress=Silent())))
    return found


def opened(data: str, folder: Path, **changes: Any) -> Splits:
    """How the photos of a study were divided, as its results tell; nothing is trained."""
    settings = made(StudySettings, data=(data,), recipes=("scratch",), size=32, device="cpu", **changes)
    return count_splits(open_study(settings, folder, resume=False, progress=Silent()))


def divided(folder: Path) -> pl.DataFrame:
    return read_manifest(folder / "manifest.parquet").filter(pl.col("split").is_not_null())


def test_nobody_stands_in_two_splits(tmp_path: Path) -> None:
    files = class_files("happy", "sad", each=30)
    root = write_files(tmp_path / "set", files)
    lines = [f"{path},{path.split('/')[0]},p{number % 10}" for number, path in enumerate(files)]
    (root / "all.csv").write_text("\n".join(["path,label,subject", *lines]), encoding="utf-8")
    splits = opened(str(root / "all.csv"), tmp_path / "out", group_column="subject")
    assert (splits.method, splits.groups) == ("grouped", 10)
    rows = divided(tmp_path / "out")
    assert len(rows) == 60
    assert rows.group_by("group").agg(pl.col("split").n_unique())["split"].max() == 1
    assert rows["split_group"].n_unique() == 10


def test_split_methods_keep_together_what_they_say(tmp_path: Path) -> None:
    """Shoots of three photos, one of which has a copy."""
    names = [
        f"{label}/{label}-{shoot:02}-{10_000 + i}.png"
        for label in ("happy", "sad")
        for shoot in range(12)
        for i in range(3)
    ]
    files = {name: png(seed) for seed, name in enumerate(names)}
    files |= {f"{label}/copy.png": files[f"{label}/{label}-00-10000.png"] for label in ("happy", "sad")}
    data = str(write_files(tmp_path / "set", files))
    groups = {}
    for method in ("grouped", "series", "naive"):
        assert opened(data, tmp_path / method, split_method=method).method == method
        rows = divided(tmp_path / method)
        groups[method] = rows["split_group"].n_unique()
        assert rows.group_by("split_group").agg(pl.col("split").n_unique())["split"].max() == 1
        if method == "series":
            assert rows.group_by("series").agg(pl.col("split").n_unique())["split"].max() == 1
    assert groups == {"grouped": 72, "series": 24, "naive": 74}


def test_photos_of_an_earlier_study_stay_where_they_were(tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("happy", "sad", each=20))
    opened(str(root), tmp_path / "first")
    write_files(
        root,
        {
            f"{label}/0-new-{i}.png": png(500 + i + 100 * (label == "sad"))
            for label in ("happy", "sad")
            for i in range(15)
        },
    )
    splits = opened(str(root), tmp_path / "second", keep_splits=str(tmp_path / "first"))
    before, after = (divided(tmp_path / name).select("path", "split") for name in ("first", "second"))
    assert len(after) == len(before) + 30
    assert after.join(before, on=["path", "split"]).height == len(before)
    assert splits.moved == 0
    new = after.filter(pl.col("path").str.contains("new"))
    assert set(new["split"]) == {"train", "val", "test"}


def test_an_earlier_study_that_cannot_be_read_is_one_line(mien: Callable[..., Outcome], tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("happy", "sad", each=4))
    pl.DataFrame({"path": ["a"], "split": ["train"]}).write_parquet(tmp_path / "old.parquet")
    (tmp_path / "no-table.parquet").write_bytes(b"no table")
    (tmp_path / "empty").mkdir()
    for earlier, word in (
        ("nowhere", "not a manifest"),
        ("empty", "not a manifest"),
        ("no-table.parquet", "not a manifest"),
        ("old.parquet", "another version"),
    ):
        outcome = mien("train", root, "--recipe", "scratch", "--keep-splits", tmp_path / earlier, "--out", "out")
        assert outcome.code == 2
        assert word in outcome.complaint
        assert earlier in outcome.complaint
        assert not (tmp_path / "out").exists()


def test_several_sources_become_one_study(tmp_path: Path) -> None:
    roots = [
        write_files(tmp_path / "lab", class_files("anger", "sad", each=12)),
        write_files(tmp_path / "web", class_files("angry", "fear", each=12, first_seed=300)),
    ]
    results = trained(tuple(map(str, roots)), tmp_path / "out")
    assert results["labels"] == ["anger", "fear", "sad"]
    assert results["data"]["renamed"] == {"web": {"angry": "anger"}}
    assert results["data"]["classes"] == {"anger": 24, "fear": 12, "sad": 12}
    rows = divided(tmp_path / "out")
    assert rows.group_by("source", "label").agg(pl.col("split").n_unique())["split"].to_list() == [3] * 4
    assert Recognizer(tmp_path / "out" / "runs" / "scratch").contract.collections == ("lab", "web")


# -- corrections ------------------------------------------------------------------------------------------------------


def test_corrections_are_applied_recorded_and_held_to(tmp_path: Path) -> None:
    """A study goes on with the decisions it began with, not with those that the table holds by now."""
    files = class_files("happy", "sad", each=12)
    root, table = write_files(tmp_path / "set", files), tmp_path / "decisions.csv"
    head = "action,source,path,sha256\n"
    lines = [f"set,{path},{hashlib.sha256(files[path]).hexdigest()}\n" for path in ("sad/3.png", "sad/4.png")]
    table.write_text(f"{head}drop,{lines[0]}relabel to happy,{lines[1]}", encoding="utf-8")
    config: dict[str, Any] = {"corrections": str(table)}
    results = trained((str(root),), tmp_path / "out", **config)
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    assert results["corrections"] == {"file": str(table), "sha256": sha256}
    assert results["data"]["classes"] == {"happy": 13, "sad": 10}
    assert (results["data"]["dropped"], results["data"]["relabelled"]) == (1, 1)
    manifest = read_manifest(tmp_path / "out" / "manifest.parquet")
    dropped, relabelled = (manifest.row(by_predicate=pl.col("path") == f"sad/{i}.png", named=True) for i in (3, 4))
    assert (dropped["status"], dropped["split"]) == ("dropped", None)
    assert (relabelled["label"], relabelled["given_label"]) == ("happy", "sad")
    assert "sad/3.png" not in pl.read_parquet(tmp_path / "out" / "runs" / "scratch" / "predictions.parquet")["path"]
    assert (tmp_path / "out" / "corrections.csv").read_bytes() == table.read_bytes()
    assert trained((str(root),), tmp_path / "out", resume=True, **config)["corrections"] == results["corrections"]
    table.write_text(f"{head}drop,{lines[0]}", encoding="utf-8")
    with pytest.raises(OutputError, match="has changed since this study began"):
        trained((str(root),), tmp_path / "out", resume=True, **config)
    with pytest.raises(OutputError, match="other settings"):
        trained((str(root),), tmp_path / "out", resume=True)
    assert all((root / path).read_bytes() == content for path, content in files.items())


# -- training ---------------------------------------------------------------------------------------------------------


def test_history_has_a_row_an_epoch(small_study: Study) -> None:
    n_train = sum(small_study.results["splits"]["counts"]["train"].values())
    per_epoch = -(-n_train // 32)
    history = read_history(small_study.folder / "runs" / "scratch" / "history.csv")
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert [row["updates"] for row in history] == [per_epoch * i for i in range(1, 7)]
    assert all(np.isfinite(list(row.values())).all() for row in history)
    assert small_study.results["runs"]["scratch"]["history"] == history
    assert small_study.results["runs"]["probe"]["history"] == []


def test_final_model_is_the_best_epoch(small_study: Study) -> None:
    """Validation as it was in training and through the exported model are the same network."""
    for name in ("scratch", "scratch-no-augmentation"):
        results = small_study.results["runs"][name]
        best = max(row["val_macro_f1"] for row in results["history"])
        assert results["val"]["macro_f1"] == pytest.approx(best)


def test_augmentation_is_the_one_difference_of_the_pair(small_study: Study) -> None:
    with_it, without = (
        small_study.results["runs"][name]["config"]["train"] for name in ("scratch", "scratch-no-augmentation")
    )
    assert {key for key in with_it if with_it[key] != without[key]} == {"augment"}
    assert without["augment"] == "none"
    assert any(
        {c["first"], c["second"]} == {"scratch", "scratch-no-augmentation"} for c in small_study.results["comparisons"]
    ) or small_study.results["selected"].startswith("scratch")


def test_tensorboard_events(small_study: Study) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = (small_study.folder / "runs" / "scratch").glob("**/events.out.tfevents.*")
    read = EventAccumulator(str(events), size_guidance={"scalars": 0, "histograms": 0}).Reload()
    assert set(read.Tags()["scalars"]) >= SCALARS
    history = read_history(small_study.folder / "runs" / "scratch" / "history.csv")
    for tag, column in (("F1_macro/val", "val_macro_f1"), ("Loss/train", "train_loss"), ("LR", "learning_rate")):
        points = read.Scalars(tag)
        assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
        assert [point.value for point in points] == pytest.approx([row[column] for row in history], rel=1e-5)
    histograms = read.Tags()["histograms"]
    assert any(name.endswith("weight") for name in histograms)
    assert {event.step for name in histograms for event in read.Histograms(name)} == {5}


# -- one preprocessing, one network -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scratch", "probe", "two-stream"])
def test_recogniser_gives_what_the_study_stored(small_study: Study, name: str) -> None:
    rows = predictions(small_study, name)
    picked = pl.concat(
        [rows.filter(pl.col("split") == split).sort("id")[:5] for split in ("train", "val", "test", "target")]
    )
    roots = [small_study.target if split == "target" else small_study.data for split in picked["split"]]
    recognizer = Recognizer(small_study.folder / "runs" / name)
    alone = [recognizer.predict(root / path) for root, path in zip(roots, picked["path"], strict=True)]
    together = recognizer.predict([str(root / path) for root, path in zip(roots, picked["path"], strict=True)])
    labels = list(recognizer.labels)
    for row, label, one, of_many in zip(
        picked.iter_rows(named=True), answers(picked, labels), alone, together, strict=True
    ):
        stored = {name: row[f"prob_{name}"] for name in labels}
        for prediction in (one, of_many):
            assert prediction.probabilities == pytest.approx(stored, abs=1e-4)
            assert prediction.label == label


@pytest.mark.parametrize("name", ["scratch", "probe", "two-stream"])
def test_onnx_and_weights_are_the_same_network(small_study: Study, manifest: pl.DataFrame, name: str) -> None:
    recognizer = Recognizer(small_study.folder / "runs" / name)
    rows = manifest.filter(pl.col("split") == "test")["row"].to_numpy()
    pixels = Pixels(small_study.folder / "pixels")
    views = {view.key: pixels.read(view, rows) for view in recognizer.contract.views}
    network: torch.nn.Module
    if name in ("probe", "two-stream"):
        photo, width = load_backbone().network(), 2 * 1280 if name == "probe" else 1280 + 2024
        head = torch.nn.Linear(width, len(CLASSES))
        face = photo if name == "probe" else load_backbone("expression").network()
        face_head = torch.nn.Linear(width, len(CLASSES)) if name == "two-stream" else None
        network = TwoStreamNetwork(TwoStreamFeatures(photo, face), head, face_head)
    else:
        network = PhotoNetwork(EmotionCNN(len(CLASSES)), IMAGENET_MEAN, IMAGENET_STD)
    stored = load_file(small_study.folder / "runs" / name / "model.safetensors")
    missing, unexpected = network.load_state_dict(stored, strict=False)
    assert not unexpected
    assert all(key.startswith("features.face.") for key in missing)
    assert not missing or name == "probe"  # whose one backbone is stored once
    with torch.inference_mode():
        expected = network.eval()(*(torch.from_numpy(views[view.key]) for view in recognizer.contract.views))
    found = recognizer.logits(views)
    assert np.abs(found - expected.numpy()).max() <= 1e-4 * max(1.0, np.abs(found).max())
    assert (found.argmax(1) == expected.numpy().argmax(1)).all()


def test_weights_that_a_run_is_made_of_are_told_with_licence_and_hash(small_study: Study) -> None:
    told = small_study.results["runs"]
    expression = load_backbone("expression")
    assert [each["name"] for each in told["probe"]["backbones"]] == ["efficientnet-lite0"]
    assert told["two-stream"]["backbones"][1] == {
        "name": "expression",
        "licence": expression.licence,
        "sha256": expression.sha256,
    }
    assert told["scratch"]["backbones"] == []


def test_model_file_says_what_it_is(small_study: Study, manifest: pl.DataFrame) -> None:
    for name in STUDY_RECIPES:
        contract = Recognizer(small_study.folder / "runs" / name).contract
        assert list(contract.labels) == small_study.results["labels"]
        assert contract.recipe == name
        assert small_study.data.name in contract.collections
        train = manifest.filter(pl.col("split") == "train")["sha256"]
        held_out = manifest.filter(pl.col("split").is_in(["test", "target"]))["sha256"]
        assert {sha[:12] for sha in train} <= contract.training_hashes
        assert not {sha[:12] for sha in held_out} & contract.training_hashes


# -- again ------------------------------------------------------------------------------------------------------------


def as_a_user_would(tmp_path: Path, *argv: object) -> Any:
    """What a study prints with --json, in a process of its own, when all goes well."""
    outcome = run(tmp_path, *argv, "--out", "again", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("\n") == 1
    for word in ("Warning", "Traceback", "ERROR"):
        assert word not in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    return outcome.json


def assert_same_weights(one: Path, other: Path, recipes: Sequence[str]) -> None:
    for name in recipes:
        files = [folder / "runs" / name / "model.safetensors" for folder in (one, other)]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.heavy
def test_the_same_command_again_gives_the_same_numbers(small_study: Study, tmp_path: Path) -> None:
    """Once in this process, once as a user would; a run's numbers do not depend on the other runs of its study."""
    recipes = ("scratch", "probe")
    words = [word for name in recipes for word in ("--recipe", name)]
    told = as_a_user_would(tmp_path, "study", small_study.data, *words, *STUDY_OPTIONS)
    expected = strict_json(json.dumps(small_study.results))
    for part in ("labels", "data", "splits", "methods"):
        assert numbers(told[part]) == numbers(expected[part]), part
    for name in recipes:
        own = {key: value for key, value in expected["runs"][name].items() if key != "target"}
        assert numbers({key: told["runs"][name][key] for key in own}) == numbers(own)
    assert_same_weights(small_study.folder, tmp_path / "again", recipes)


@pytest.mark.slow
def test_the_whole_study_again_gives_the_same_numbers(
    small_study: Study, study_command: tuple[str, ...], tmp_path: Path
) -> None:
    told = as_a_user_would(tmp_path, *study_command)
    assert numbers(told) == numbers(strict_json(json.dumps(small_study.results)))
    assert_same_weights(small_study.folder, tmp_path / "again", STUDY_RECIPES)


def test_a_report_without_photos_holds_neither_photos_nor_their_names(small_study: Study, tmp_path: Path) -> None:
    with_photos = (small_study.folder / "report.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" in with_photos
    assert "broken.png" in with_photos
    skip = shutil.ignore_patterns("checkpoints", "*.safetensors", "tensorboard")
    folder = Path(shutil.copytree(small_study.folder, tmp_path / "copy", ignore=skip))
    config = read_toml(StudySettings, folder / "study.toml")
    results = run_study(changed(config, no_photos=True, explain_mistakes=False), folder, resume=True, progress=Silent())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page
    assert "data:image/png" not in page
    names = [path.name for root in (small_study.data, small_study.target) for path in root.rglob("*.*")]
    assert [name for name in names if name in page] == []
    told = strict_json(encode(results))["runs"]
    for name in STUDY_RECIPES:
        assert numbers(told[name]) == numbers(small_study.results["runs"][name])


def test_the_report_asks_nothing_of_the_network(small_study: Study) -> None:
    page = (small_study.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page)
    assert "@import" not in page
    assert "<script src" not in page
