"""The whole way, in order: sources → manifest → split → training → predictions → scores → report.

Stages meet in the files of the study folder, so an interrupted study goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import mien
from mien.config import RunConfig, StudyConfig, read_toml, write_toml
from mien.data.audit import audit
from mien.data.prepare import Prepared, audit_json, distinct_names, prepare
from mien.data.sources import Source, open_source
from mien.data.splits import parse_shares
from mien.errors import MienError, OutputError
from mien.evaluation.compare import comparisons_json, select
from mien.evaluation.mistakes import confident_mistakes, error_rates_json, mistakes_json
from mien.evaluation.overfitting import fit_verdict
from mien.evaluation.predictions import predict_rows, score_rows, scores_json, write_predictions
from mien.evaluation.shift import seen_in_training, target_json
from mien.labels import match_labels
from mien.progress import Progress
from mien.recognizer import Recognizer
from mien.reporting.report import write_report
from mien.training.history import read_history
from mien.training.recipes import resolve_run, views_of
from mien.training.run import LabelledPhotos, train_run

__all__ = ["run_study", "run_training"]


@dataclass
class _Clock:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - start, 3)


@dataclass(frozen=True)
class _Study:
    """What every stage needs."""

    config: StudyConfig
    data: Source
    target: Source | None
    runs: tuple[RunConfig, ...]
    prepared: Prepared
    photos: LabelledPhotos
    folder: Path
    clock: _Clock
    progress: Progress

    def run_folder(self, run: RunConfig) -> Path:
        return self.folder / "runs" / run.name


def run_study(config: StudyConfig, folder: Path, *, resume: bool, progress: Progress) -> dict[str, Any]:
    """Do the main job and write its folder.

    Args:
        folder: gets ``study.toml``, ``manifest.parquet``, ``pixels/``, ``runs/``, ``results.json``, ``report.html``.
        resume: go on in a folder that exists.

    Returns:
        The documented results, as they stand in ``results.json``.
    """
    study = _begin(config, folder, resume=resume, progress=progress)
    _train_all(study)
    results = _selection(study)
    _final_scores(study, results)
    with study.clock.stage("report"):
        write_report(folder, results, study.prepared.manifest, study.prepared.pixels)
    _write_results(study, results)
    return results


def run_training(config: StudyConfig, folder: Path, *, resume: bool, progress: Progress) -> dict[str, Any]:
    """Train and validate the recipes; the test split stays unread."""
    study = _begin(config, folder, resume=resume, progress=progress)
    _train_all(study)
    results = _selection(study)
    _write_results(study, results)
    return results


def _begin(config: StudyConfig, folder: Path, *, resume: bool, progress: Progress) -> _Study:
    """Check everything that can be checked before a file is written, then read the photos."""
    shares = parse_shares(config.split)
    data = open_source(config.data)
    target = open_source(config.target) if config.target else None
    runs = tuple(resolve_run(name, config, data.labels) for name in dict.fromkeys(config.recipes))
    targets = distinct_names(data, [target]) if target else []
    if target:
        match_labels(data.labels, target.labels)
    undo = _open_folder(config, folder, resume)
    clock = _Clock()
    views = [view for run in runs for view in views_of(run)]
    try:
        with clock.stage("read"):
            prepared = prepare(data, targets, views, folder, shares=shares, seed=config.seed, progress=progress)
    except MienError:
        undo()
        raise
    photos = LabelledPhotos(data.name, prepared.of(data), prepared.pixels, data.labels)
    return _Study(config, data, next(iter(targets), None), runs, prepared, photos, folder, clock, progress)


def _open_folder(config: StudyConfig, folder: Path, resume: bool) -> Callable[[], None]:
    """Make the study's folder, or check that it is this study's; gives what takes back what was made."""
    stored = folder / "study.toml"
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        if not resume:
            raise OutputError(f"{folder}: exists already; go on with --resume, or give another --out")
        if not stored.exists():
            raise OutputError(f"{folder}: holds no study to resume; give another --out")
        if dataclasses.replace(read_toml(StudyConfig, stored), photos=config.photos) != config:
            raise OutputError(f"{folder}: holds a study with other settings; see its study.toml, or give another --out")
        return lambda: None
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_toml(config, stored)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); give another --out") from error
    return lambda: _take_back(folder, made)


def _take_back(folder: Path, made: Sequence[Path]) -> None:
    """Remove the folders that were made, or empty the one that was there before."""
    if made:
        shutil.rmtree(made[-1])
        return
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _train_all(study: _Study) -> None:
    for run in study.runs:
        folder = study.run_folder(run)
        total, unit = _work(run, study.photos)
        with study.clock.stage("train"), study.progress.step(f"train {run.name}", total, unit) as advance:
            train_run(run, study.photos, folder, advance=advance)


def _work(run: RunConfig, photos: LabelledPhotos) -> tuple[int | None, str]:
    """How much there is to do in a run, and its unit."""
    n = len(photos.split("train"))
    if run.train is None:
        return n, "photos"
    per_epoch = -(-n // run.train.batch_size)
    budget = run.train.budget
    limits = [budget.updates] if budget.updates else []
    if budget.epochs:
        limits.append(budget.epochs * per_epoch)
    return min(limits, default=None), "updates"


def _predict(study: _Study, run: RunConfig, splits: Sequence[str], manifest: pl.DataFrame) -> pl.DataFrame:
    """Predict the given splits with a run's model, and add them to its table of predictions."""
    path = study.run_folder(run) / "predictions.parquet"
    earlier = pl.read_parquet(path) if path.exists() else None
    if earlier is not None and set(splits) <= set(earlier["split"]):
        return earlier.filter(pl.col("split").is_in(list(splits)))
    rows = manifest.filter(pl.col("split").is_in(list(splits)))
    title = f"predict {'+'.join(splits)}: {run.name}"
    with study.clock.stage("predict"), study.progress.step(title, len(rows), "photos") as advance:
        predictions = predict_rows(Recognizer(study.run_folder(run)), study.prepared.pixels, rows, advance)
    write_predictions(pl.concat([earlier, predictions]) if earlier is not None else predictions, path)
    return predictions


def _selection(study: _Study) -> dict[str, Any]:
    """Score train and validation, select by validation, compare the selected run with the others."""
    labels = study.data.labels
    runs: dict[str, Any] = {}
    val: dict[str, pl.DataFrame] = {}
    for run in study.runs:
        predictions = _predict(study, run, ["train", "val"], study.photos.manifest)
        val[run.name] = predictions.filter(pl.col("split") == "val")
        train = predictions.filter(pl.col("split") == "train")
        scores = {
            "train": scores_json(score_rows(train, labels)),
            "val": scores_json(score_rows(val[run.name], labels)),
        }
        history = read_history(study.run_folder(run) / "history.csv")
        resolved = read_toml(RunConfig, study.run_folder(run) / "config.toml")
        runs[run.name] = scores | {
            "config": dataclasses.asdict(resolved),
            "fit": fit_verdict(scores["train"], scores["val"], history),
            "history": history,
        }
    selected = select({name: run["val"]["macro_f1"] for name, run in runs.items()})
    pairs = [(selected, name) for name in runs if name != selected]
    pairs += [(name, plain) for name in runs if (plain := f"{name}-no-augmentation") in runs and name != selected]
    return {
        "mien": mien.__version__,
        "config": dataclasses.asdict(study.config),
        "data": audit_json(study.data, audit(study.photos.manifest)),
        "labels": list(labels),
        "splits": _split_counts(study),
        "selected": selected,
        "runs": runs,
        "comparisons": comparisons_json(val, labels, pairs),
        "seconds": study.clock.seconds,
        "paths": {
            "report": None,
            "run": str(study.folder),
            "model": str(study.folder / "runs" / selected / "model.onnx"),
        },
    }


def _final_scores(study: _Study, results: dict[str, Any]) -> None:
    """Read the test split and the target, now that the selection stands."""
    labels = study.data.labels
    selected = results["selected"]
    for run in study.runs:
        test = _predict(study, run, ["test"], study.photos.manifest)
        results["runs"][run.name]["test"] = scores_json(score_rows(test, labels))
        if run.name == selected:
            results["mistakes"] = mistakes_json(confident_mistakes(test, labels))
            results["error_rates"] = error_rates_json(test, study.prepared.manifest, labels)
        if study.target is None:
            continue
        rows = study.prepared.of(study.target)
        predictions = _predict(study, run, ["target"], rows)
        scored = target_json(predictions, labels, results["runs"][run.name]["test"])
        results["runs"][run.name]["target"] = scored
        if run.name == selected:
            names = scored["labels"]["matched"]
            contract = Recognizer(study.run_folder(run)).contract
            results["target"] = scored | {
                "data": audit_json(study.target, audit(rows)),
                "seen_in_training": seen_in_training(contract, rows),
                "recurring_groups": _recurring(study),
                "mistakes": mistakes_json(confident_mistakes(predictions, labels, names)),
                "error_rates": error_rates_json(predictions, study.prepared.manifest, labels, names),
            }
    results["paths"]["report"] = str(study.folder / "report.html")


def _split_counts(study: _Study) -> dict[str, Any]:
    """Photos of each class in each split, and those left out with their reason."""
    manifest = study.photos.manifest
    counts = {
        split: dict(sorted(study.photos.split(split)["label"].value_counts().iter_rows()))
        for split in ("train", "val", "test")
    }
    left_out = manifest.filter(pl.col("split_reason").is_not_null())
    return {
        "counts": counts,
        "given": study.data.is_divided,
        "left_out": dict(zip(left_out["path"], left_out["split_reason"], strict=True)),
    }


def _recurring(study: _Study) -> int:
    """Pictures that stand, perhaps re-encoded, both in the data and in the target."""
    manifest = study.prepared.manifest.filter(pl.col("status") == "ok")
    return int((manifest.group_by("near_group").agg(pl.col("source").n_unique())["source"] > 1).sum())


def _write_results(study: _Study, results: dict[str, Any]) -> None:
    study.clock.seconds["total"] = round(sum(v for k, v in study.clock.seconds.items() if k != "total"), 3)
    path = study.folder / "results.json"
    partial = path.with_name("results.json.partial")
    partial.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, path)
