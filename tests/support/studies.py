"""The finished study that many tests read, and how it is made once for all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock

from mien.training.history import read_history
from support.outcomes import numbers, strict_json

STUDY_OPTIONS = ("--size", "32", "--epochs", "6", "--precision", "fp32", "--device", "cpu")
STUDY_RECIPES = ("scratch", "two-stream", "probe", "scratch-no-augmentation")


@dataclass(frozen=True)
class Study:
    """A finished study."""

    folder: Path
    results: dict[str, Any]
    data: Path
    target: Path


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """What is made by whichever process comes first, for all others, which wait for it."""
    with FileLock(f"{path}.lock"):
        done = path.with_name(f"{path.name}.done")
        if not done.exists():
            shutil.rmtree(path, ignore_errors=True)  # of a process that did not come to its end
            make(path)
            done.touch()
    return path


def assert_same(folder: Path, study: Study, recipes: tuple[str, ...] = STUDY_RECIPES) -> None:
    """Weights, history and predictions, bit for bit; all results too where the whole study was done."""
    for name in recipes:
        one, other = (root / "runs" / name for root in (folder, study.folder))
        assert (one / "config.toml").read_text() == (other / "config.toml").read_text()
        assert numbers(read_history(one / "history.csv")) == numbers(read_history(other / "history.csv"))
        assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
        found, expected = (pl.read_parquet(path / "predictions.parquet") for path in (one, other))
        assert found.equals(expected.filter(pl.col("split").is_in(found["split"].unique())))
    results = strict_json((folder / "results.json").read_text(encoding="utf-8"))
    expected_results = strict_json(json.dumps(study.results))
    if recipes == STUDY_RECIPES:
        assert numbers(results) == numbers(expected_results)
    for name in recipes:
        for key, value in results["runs"][name].items():
            assert numbers(value) == numbers(expected_results["runs"][name][key])


def train_command(study: Study) -> tuple[str, ...]:
    """One run of the study alone, of which the results must be the same."""
    return ("train", str(study.data), "--recipe", "scratch", *STUDY_OPTIONS, "--out", "out")
