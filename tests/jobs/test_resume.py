"""A study that was killed or interrupted goes on, and ends with the numbers of one that was left alone."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from pathlib import Path

import polars as pl
import pytest

from mien.jobs.study import run_study, run_training
from mien.progress import Silent
from mien.settings.budget import Budget
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.training.history import read_history
from support.outcomes import numbers
from support.processes import start, stop, wait_for_epochs
from support.studies import Study, assert_same, train_command
from support.tiny_training import same_weights, trained

pytestmark = pytest.mark.heavy  # trains


@pytest.mark.heavy
def test_interrupted_killed_and_resumed_is_as_left_alone(small_study: Study, tmp_path: Path) -> None:
    """Ctrl-C in the first epochs, and a kill in later ones, of the training that was resumed."""
    words = train_command(small_study)
    out, history = tmp_path / "out", tmp_path / "out" / "runs" / "scratch" / "history.csv"
    process = start(tmp_path, *words)
    wait_for_epochs(process, history, 1)
    outcome = stop(process, signal.SIGINT)
    assert outcome.code == 130, outcome
    assert "--resume" in outcome.complaint
    assert outcome.out == ""
    done = len(read_history(history))
    assert done < 4, "Ctrl-C came too late to leave anything to kill"

    process = start(tmp_path, *words, "--resume", "--json")
    wait_for_epochs(process, history, done + 1)
    assert stop(process, signal.SIGKILL).code == -signal.SIGKILL
    assert done < len(read_history(history)) < 6, "the kill came too late to test anything"
    assert not (out / "runs" / "scratch" / "model.onnx").exists()

    run_training(read_toml(StudySettings, out / "study.toml"), out, resume=True, progress=Silent())
    assert_same(out, small_study, ("scratch",))


def test_killed_between_training_and_export_while_a_file_was_written(small_study: Study, study_copy: Path) -> None:
    """The last checkpoint is of the last epoch, so nothing is trained again; what was half written is not used."""
    scratch = study_copy / "runs" / "scratch"
    for path in (
        *scratch.glob("model.*"),
        *study_copy.glob("runs/*/predictions.parquet"),
        study_copy / "results.json",
        study_copy / "report.html",
        study_copy / "figures" / "scores.svg",
        study_copy / "runs" / "scratch" / "predictions.csv",
    ):
        content = path.read_bytes()
        path.unlink()
        if path.name in ("model.onnx", "predictions.parquet", "predictions.csv", "results.json", "scores.svg"):
            path.with_name(f"{path.name}.partial").write_bytes(content[: len(content) // 2])
    config = read_toml(StudySettings, study_copy / "study.toml")
    run_study(config, study_copy, resume=True, progress=Silent())
    assert_same(study_copy, small_study)
    assert not list(study_copy.rglob("*.partial"))
    for name in ("figures/scores.svg", "runs/scratch/predictions.csv"):
        assert (study_copy / name).read_bytes() == (small_study.folder / name).read_bytes()


def test_killed_while_photos_were_read(small_study: Study, tmp_path: Path) -> None:
    """Reading starts over; the runs of the copy stand already, so nothing is trained."""
    folder = tmp_path / "out"
    shutil.copytree(small_study.folder / "runs", folder / "runs")
    shutil.copy(small_study.folder / "study.toml", folder)
    (folder / "pixels").mkdir()
    (folder / "pixels" / "photo-32.npy").write_bytes(b"half")
    run_study(read_toml(StudySettings, folder / "study.toml"), folder, resume=True, progress=Silent())
    assert_same(folder, small_study)
    assert pl.read_parquet(folder / "manifest.parquet").equals(pl.read_parquet(small_study.folder / "manifest.parquet"))


def test_resuming_a_finished_study_changes_no_number_and_trains_nothing(
    small_study: Study, study_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr("mien.training.run.fit", fail)
    monkeypatch.setattr("mien.training.run.load_backbone", fail)
    config = read_toml(StudySettings, study_copy / "study.toml")
    run_study(config, study_copy, resume=True, progress=Silent())
    assert_same(study_copy, small_study)


# -- the training alone -----------------------------------------------------------------------------------------------


def test_early_stopping_holds_when_resumed(tmp_path: Path) -> None:
    first = trained(tmp_path / "run", 30)
    rows = read_history(tmp_path / "run" / "history.csv")
    assert len(rows) < 30, "it did not stop early"
    again = trained(tmp_path / "run", 30)
    assert read_history(tmp_path / "run" / "history.csv") == rows
    assert same_weights(first, again)


def test_longer_budget_goes_on_as_if_it_had_been_given_at_once(tmp_path: Path) -> None:
    """A training stopped at an epoch and taken up again: scheduler, optimiser and random numbers go on."""
    plain = {"stop_patience": None, "plateau_patience": 0}
    whole = trained(tmp_path / "whole", 5, **plain)
    trained(tmp_path / "parts", 2, **plain)
    parts = trained(tmp_path / "parts", 5, **plain)
    assert same_weights(whole, parts)
    one, other = (read_history(tmp_path / name / "history.csv") for name in ("whole", "parts"))
    assert numbers(one) == numbers(other)
    assert len({row["learning_rate"] for row in one}) > 1, "the scheduler did nothing, so nothing was tested"


def test_a_budget_in_seconds_ends_the_training(tmp_path: Path) -> None:
    began = time.monotonic()
    trained(tmp_path / "run", 1, budget=Budget(seconds=1.0), stop_patience=None, augment="none")
    assert 1.0 <= time.monotonic() - began < 60
    spent = sum(row["seconds"] for row in read_history(tmp_path / "run" / "history.csv"))
    assert 0.3 <= spent < 10  # checkpoints and events, which are written between epochs, take the rest


@pytest.mark.parametrize(("updates", "expected"), [(2, [2]), (3, [3]), (7, [3, 6, 7])])
def test_a_budget_in_updates_is_met_exactly(tmp_path: Path, updates: int, expected: list[int]) -> None:
    trained(tmp_path / "run", 1, budget=Budget(updates=updates), stop_patience=None, augment="none")
    assert [row["updates"] for row in read_history(tmp_path / "run" / "history.csv")] == expected


def test_checkpoints_are_written_whole_whatever_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that is moved in from /tmp is copied where that is another disk, and a kill leaves half of it."""
    moved = []
    move = shutil.move

    def spy(source: str, target: str, *args: object) -> object:
        moved.append((source, target))
        return move(source, target, *args)  # type: ignore[arg-type]

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(shutil, "move", spy)
    trained(tmp_path / "run", 1)
    assert [source for source, _ in moved if not source.startswith(str(tmp_path / "run"))] == []
