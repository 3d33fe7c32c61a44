"""The selected recipe fitted once more, to all photos: the model to take home, with the promises of the tested one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from msgspec import structs

from mien.models.artifact import HASH_LENGTH, open_model
from mien.progress import Silent
from mien.settings.by_name import changed
from mien.settings.run import HeadRun, read_run
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml, write_toml
from mien.stages import open_study, refit_selected
from support.outcomes import snapshot
from support.studies import Study

pytestmark = pytest.mark.heavy  # trains


@pytest.mark.parametrize("recipe", ["probe", "scratch"])
def test_refitted_model_learnt_from_all_photos_and_keeps_the_promises(
    small_study: Study, recipe: str, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(small_study.folder, folder)
    before = snapshot(folder / "runs")
    settings = changed(read_toml(StudySettings, folder / "study.toml"), refit=True)
    study = open_study(settings, folder, resume=True, progress=Silent())
    model = refit_selected(study, recipe)
    assert model == folder / "runs" / f"{recipe}-refit" / "model.onnx"
    tested, refitted = (open_model(folder / "runs" / name / "model.onnx")[1] for name in (recipe, f"{recipe}-refit"))
    used = study.photos.manifest.filter(pl.col("split").is_in(["train", "val", "test"]))["sha256"]
    assert {sha[:HASH_LENGTH] for sha in used} <= refitted.training_hashes
    assert not {sha[:HASH_LENGTH] for sha in used} <= tested.training_hashes
    assert (refitted.temperature, refitted.thresholds) == (tested.temperature, tested.thresholds)
    if tested.measured:
        assert refitted.measured == tested.measured | {"how": f"{tested.measured['how']}, by {recipe}"}
    after = snapshot(folder / "runs")
    assert {name: after[name] for name in before} == before  # what was tested is as it was
    again = model.read_bytes()
    assert refit_selected(study, recipe).read_bytes() == again


def test_promise_that_all_photos_cannot_keep_does_not_end_a_study(small_study: Study, tmp_path: Path) -> None:
    """It is the tested run's, and its scores are worth a report whatever comes after them."""
    folder = tmp_path / "study"
    shutil.copytree(small_study.folder, folder)
    tested = read_run(folder / "runs" / "probe" / "config.toml")
    assert isinstance(tested, HeadRun)
    strict = structs.replace(tested, head=replace(tested.head, max_error=0.001))
    write_toml(strict, folder / "runs" / "probe" / "config.toml")
    study = open_study(read_toml(StudySettings, folder / "study.toml"), folder, resume=True, progress=Silent())
    assert refit_selected(study, "probe").exists()
