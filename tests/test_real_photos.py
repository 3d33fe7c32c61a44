"""The main job on real photos, where they stand beside the checkout."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import read_manifest
from mien.models.backbones import load_backbone
from mien.models.networks import TwoStreamFeatures, TwoStreamNetwork
from mien.recognizer import Recognizer
from support.outcomes import Outcome
from support.processes import run

pytestmark = [pytest.mark.data, pytest.mark.slow]

NOTEBOOK_MACRO_F1 = 0.28
NOTEBOOK_TARGET_ACCURACY = 0.216


@pytest.fixture(scope="session")
def real_study(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Path]]:
    """One study with two-stream alone: its results and its folder, which does not outlive the tests."""
    folder = tmp_path_factory.mktemp("real") / "study"
    outcome = run(
        folder.parent,
        *("study", real_data / "six-emotions.zip", "--target", f"{real_data / 'fer2013.zip'}::test"),
        *("--recipe", "two-stream", "--out", folder, "--json"),
        seconds=1800,
    )
    assert outcome.code == 0, outcome.err
    yield outcome.json, folder
    shutil.rmtree(folder)


def test_every_file_of_the_zip_is_accounted_for(real_data: Path, real_study: tuple[dict[str, Any], Path]) -> None:
    results, folder = real_study
    data = results["data"]
    with zipfile.ZipFile(real_data / "six-emotions.zip") as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
    assert data["files"] + data["ignored"] == len(members)
    assert data["files"] == data["images"] + data["unreadable"] == 1020
    assert data["classes"] == {"anger": 182, "disgust": 171, "fear": 138, "happy": 196, "pain": 143, "sad": 190}
    assert data["formats"]["WEBP"] == 49
    assert data["exact_duplicate_groups"] == 2
    assert data["near_duplicate_groups"] > 2
    assert data["conflicting_labels"] == 2
    assert all(conflict["labels"] == ["pain", "sad"] for conflict in data["conflicts"])
    jfif = read_manifest(folder / "manifest.parquet").filter(pl.col("path").str.ends_with(".jfif"))
    assert jfif["status"].to_list() == ["ok", "ok"]
    assert jfif["split"].null_count() == 0


def test_audit_counts_what_the_study_counted(
    real_data: Path, real_study: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    outcome = run(tmp_path, "audit", real_data / "six-emotions.zip", "--json", seconds=600)
    assert outcome.code == 0
    data, studied = outcome.json["data"], real_study[0]["data"]
    assert {key: data[key] for key in studied} == studied
    assert set(data) - set(studied) == {"agreement", "corrections", "findings"}
    assert list(tmp_path.iterdir()) == []


def test_the_audit_names_what_is_known_to_be_wrong(real_data: Path, tmp_path: Path) -> None:
    """Two pictures that stand under two labels, and a format that gives a class away."""
    outcome = run(tmp_path, "audit", real_data / "six-emotions.zip", "--no-check-labels", "--json", seconds=600)
    assert outcome.code == 0
    data = outcome.json["data"]
    assert [conflict["labels"] for conflict in data["conflicts"]] == [["pain", "sad"]] * 2
    assert [len(conflict["paths"]) for conflict in data["conflicts"]] == [2, 2]
    found = [(c["property"], c["what"], c["label"], c["count"], c["of"]) for c in data["shortcuts"]["culprits"]]
    assert found[0] == ("format", "WEBP", "disgust", 39, 49)
    assert data["copies"]["near"]["groups"] == data["near_duplicate_groups"] >= 40
    assert data["copies"]["near"]["across_labels"] == 2
    assert data["copies"]["exact"] == {"groups": 2, "across_labels": 0, "across_splits": {}, "across_groups": 0}


def test_every_copy_in_fer2013_is_counted(real_data: Path, tmp_path: Path) -> None:
    options = ("--no-check-labels", "--json")
    outcome = run(tmp_path, "audit", real_data / "fer2013.zip", *options, seconds=1200)
    assert outcome.code == 0
    exact = outcome.json["data"]["copies"]["exact"]
    assert (exact["groups"], exact["across_splits"], exact["across_labels"]) == (1516, {"train+test": 531}, 57)


def test_two_stream_is_far_above_the_notebook(real_study: tuple[dict[str, Any], Path]) -> None:
    results, _ = real_study
    assert results["selected"] == "two-stream"
    test = results["runs"]["two-stream"]["test"]
    assert test["macro_f1"] >= 2.5 * NOTEBOOK_MACRO_F1
    assert 140 <= test["images"] <= 165


def test_sureness_and_background_are_measured(real_study: tuple[dict[str, Any], Path]) -> None:
    results, _ = real_study
    sureness, covered = results["sureness"], results["covered"]
    assert sureness["ece"] < 0.15
    assert sureness["promise"]["wrong"] <= sureness["promise"]["answered"]
    assert covered["background"]["macro_f1"] < covered["whole"]["macro_f1"]


def test_onnx_gives_the_logits_of_the_network_on_200_photos(real_study: tuple[dict[str, Any], Path]) -> None:
    folder = real_study[1]
    recognizer, pixels = Recognizer(folder), Pixels(folder / "pixels")
    manifest = read_manifest(folder / "manifest.parquet").filter(pl.col("split").is_not_null())
    rows = manifest.sort("sha256").head(200)["row"].to_numpy()
    streams = [load_backbone(name).network() for name in ("efficientnet-lite0", "expression")]
    heads = [torch.nn.Linear(1280 + 2024, len(recognizer.labels)) for _ in range(2)]
    network = TwoStreamNetwork(TwoStreamFeatures(streams[0], streams[1]), *heads).eval()
    network.load_state_dict(load_file(folder / "runs" / "two-stream" / "model.safetensors"))
    views = {view.key: pixels.read(view, rows) for view in recognizer.contract.views}
    with torch.inference_mode():
        expected = network(*(torch.from_numpy(views[view.key]) for view in recognizer.contract.views)).numpy()
    found = recognizer.logits(views)
    assert np.abs(found - expected).max() <= 1e-4
    assert (found.argmax(1) == expected.argmax(1)).all()


def test_target_is_scored_beside_the_notebook(real_study: tuple[dict[str, Any], Path]) -> None:
    target = real_study[0]["target"]
    assert target["shared"]["images"] == target["shared_limited"]["images"] == 5114
    assert target["all"]["images"] == 7178
    assert target["reference"]["accuracy"] == NOTEBOOK_TARGET_ACCURACY
    assert target["shared"]["accuracy"] > NOTEBOOK_TARGET_ACCURACY
    assert target["labels"]["missing"] == ["pain"]
    assert target["labels"]["extra"] == ["neutral", "surprise"]
    assert target["shared"]["per_class"]["pain"]["f1"] is None
    assert target["data"]["exact_duplicate_groups"] > 0
    assert target["seen_in_training"] == 0
    assert target["known_collections"] == ["fer2013"]  # other faces of which taught the expression backbone
    assert target["near_copies"] == 0
    assert target["causes"]["jpeg"]["share"] == 1
    assert target["causes"]["jpeg"]["target"] == 95
    assert target["drift"]["properties"][0]["overlap"] < 0.1


def test_no_copy_of_a_picture_stands_in_two_splits(real_study: tuple[dict[str, Any], Path]) -> None:
    manifest = read_manifest(real_study[1] / "manifest.parquet")
    placed = manifest.filter(pl.col("split").is_in(["train", "val", "test"]))
    assert placed.group_by("near_group").agg(pl.col("split").n_unique())["split"].max() == 1
    assert placed["sha256"].n_unique() < len(placed)


def test_the_same_file_gives_the_same_answer_everywhere(
    real_data: Path, real_study: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    """Photos of all formats and modes, as the study read them from the zip and as files by themselves."""
    _, folder = real_study
    stored = pl.read_parquet(folder / "runs" / "two-stream" / "predictions.parquet")
    manifest = read_manifest(folder / "manifest.parquet").filter(pl.col("split").is_not_null())
    varied = (
        manifest.sort("id")
        .group_by("format", "mode", pl.col("split").eq("target").alias("is_target"), maintain_order=True)
        .head(4)
    )
    picked = varied.select("id", "source", "path", "split").sort("id").sample(min(20, len(varied)), seed=1)
    files = [extracted(real_data, row, tmp_path) for row in picked.iter_rows(named=True)]
    recognizer = Recognizer(folder)
    for row, file in zip(picked.iter_rows(named=True), files, strict=True):
        expected = stored.row(by_predicate=pl.col("id") == row["id"], named=True)
        probs = {label: expected[f"prob_{label}"] for label in recognizer.labels}
        prediction = recognizer.predict(file)
        assert prediction.probabilities == pytest.approx(probs, abs=1e-4), row["path"]
        assert prediction.label == max(probs, key=lambda label: probs[label])


def extracted(real_data: Path, row: dict[str, Any], folder: Path) -> Path:
    """Write one member of a zip to a file; nothing of it outlives the test."""
    name = "fer2013.zip" if row["split"] == "target" else "six-emotions.zip"
    with zipfile.ZipFile(real_data / name) as archive:
        (member,) = (m for m in archive.namelist() if m.endswith(row["path"]) and "train/" not in m)
        path = folder / str(row["id"]).replace("/", "_")
        path.write_bytes(archive.read(member))
    return path


def test_predict_answers_for_photos_in_a_zip(
    real_data: Path, real_study: tuple[dict[str, Any], Path], mien: Callable[..., Outcome]
) -> None:
    part = f"{real_data / 'fer2013.zip'}::test/disgust"
    outcome = mien("predict", part, "--model", real_study[1], "--jsonl")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 111


def test_near_duplicates_across_the_halves_of_fer2013_are_found(real_data: Path, tmp_path: Path) -> None:
    outcome = run(tmp_path, "audit", f"{real_data / 'fer2013.zip'}::test", "--json", seconds=600)
    assert outcome.code == 0
    data = outcome.json["data"]
    assert data["images"] == 7178
    assert data["exact_duplicate_groups"] > 0
    assert data["near_duplicate_groups"] >= data["exact_duplicate_groups"]
    assert data["grey_share"] == 1.0
    assert data["faces"] == {"crop": 7178}
