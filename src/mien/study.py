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
from mien.auditing.examine import Examined, examine, judges_labels
from mien.auditing.features import PHOTO, VIEWS
from mien.config import RunConfig, StudyConfig, read_toml, write_toml
from mien.data.audit import audit, audit_json
from mien.data.collection import Collection, open_collection
from mien.data.corrections import Corrections, read_corrections
from mien.data.label_file import check_named, read_label_file
from mien.data.manifest import read_manifest, write_manifest
from mien.data.prepare import Prepared, prepare
from mien.data.sources import TableColumns
from mien.data.splits import assign_splits, count_moved, parse_shares
from mien.errors import MienError, OutputError
from mien.evaluation.attention import explained
from mien.evaluation.compare import comparisons_json, select
from mien.evaluation.covered import covered_json
from mien.evaluation.elsewhere import elsewhere_json
from mien.evaluation.mistakes import confident_mistakes, error_rates_json, mistakes_json
from mien.evaluation.overfitting import fit_verdict
from mien.evaluation.predictions import predict_rows, score_rows, scores_json, write_predictions
from mien.evaluation.robustness import robustness_json
from mien.evaluation.shift import target_json
from mien.evaluation.sureness import sureness_json
from mien.labels import NOTHING_CHOSEN, LabelChoices, match_labels
from mien.progress import Progress
from mien.recognizer import Recognizer
from mien.reporting.report import write_report
from mien.training.history import read_history
from mien.training.recipes import resolve_run, views_of
from mien.training.run import LabelledPhotos, decided_run, export_for, train_run

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
    data: Collection
    target: Collection | None
    choices: LabelChoices
    corrections: Corrections | None
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
    _unjudged(config, 0)  # refused now rather than after the training
    study = _begin(config, folder, resume=resume, progress=progress, with_audit=True)
    _train_all(study)
    results = _selection(study)
    _final_scores(study, results)
    with study.clock.stage("audit"):
        examined = _examined(study)
        results["data"] |= examined.results
        results["data"] |= audit_json(study.data, audit(examined.manifest))
    with study.clock.stage("report"):
        others = study.prepared.manifest.filter(~pl.col("source").is_in(study.data.names))
        manifest = pl.concat([examined.manifest, others])
        write_manifest(manifest, folder / "manifest.parquet")
        write_report(folder, results, manifest, study.prepared.pixels)
    _write_results(study, results)
    return results


def run_training(config: StudyConfig, folder: Path, *, resume: bool, progress: Progress) -> dict[str, Any]:
    """Train and validate the recipes; the test split stays unread."""
    study = _begin(config, folder, resume=resume, progress=progress)
    _train_all(study)
    results = _selection(study)
    _write_results(study, results)
    return results


def _begin(config: StudyConfig, folder: Path, *, resume: bool, progress: Progress, with_audit: bool = False) -> _Study:
    """Check everything that can be checked before a file is written, then read and divide the photos.

    Args:
        with_audit: keep also what the audit and the report look at.
    """
    parse_shares(config.split)
    corrections = read_corrections(Path(config.corrections)) if config.corrections else None
    if config.keep_splits:
        _earlier(config.keep_splits)
    columns = TableColumns(config.path_column, config.label_column, config.group_column, config.split_column)
    data = open_collection(config.data, columns)
    target = open_collection([config.target], taken=data.names, least_labels=1) if config.target else None
    runs = tuple(resolve_run(name, config, data.labels) for name in dict.fromkeys(config.recipes))
    choices = read_label_file(Path(config.target_labels)) if config.target_labels else NOTHING_CHOSEN
    if target:
        check_named(choices, target.labels)
        match_labels(data.labels, target.labels, choices)
    undo = _open_folder(config, folder, corrections, resume=resume)
    clock = _Clock()
    views = [view for run in runs for view in views_of(run)]
    if with_audit:
        n_photos = sum(len(source.files) for source in data.sources)
        views += VIEWS if _unjudged(config, n_photos) is None else [PHOTO]
    try:
        with clock.stage("read"):
            sets = [data, *([target] if target else [])]
            prepared = prepare(sets, views, folder, corrections=corrections, progress=progress)
            prepared = _divide(prepared, data, config, folder)
    except MienError:
        undo()
        raise
    photos = LabelledPhotos(data.names, prepared.of(data), prepared.pixels, data.labels, folder / "features")
    return _Study(config, data, target, choices, corrections, runs, prepared, photos, folder, clock, progress)


def _divide(prepared: Prepared, data: Collection, config: StudyConfig, folder: Path) -> Prepared:
    """Place the photos of the data in splits, and all others in the split ``target``; once."""
    if prepared.manifest["split"].null_count() < len(prepared.manifest):
        return prepared
    earlier = _earlier(config.keep_splits) if config.keep_splits else None
    divided = assign_splits(
        prepared.of(data), parse_shares(config.split), config.seed, method=config.split_method, earlier=earlier
    )
    is_data = pl.col("source").is_in(data.names)
    as_target = pl.when(pl.col("status") == "ok").then(pl.lit("target")).alias("split")
    others = prepared.manifest.filter(~is_data).with_columns(as_target, pl.col("near_group").alias("split_group"))
    manifest = pl.concat([divided, others])
    write_manifest(manifest, folder / "manifest.parquet")
    return dataclasses.replace(prepared, manifest=manifest)


def _earlier(study: str) -> pl.DataFrame:
    """The manifest of an earlier study, whose splits are kept."""
    path = Path(study)
    return read_manifest(path / "manifest.parquet" if path.is_dir() else path)


def _open_folder(
    config: StudyConfig, folder: Path, corrections: Corrections | None, *, resume: bool
) -> Callable[[], None]:
    """Make the study's folder, or check that it is this study's; gives what takes back what was made."""
    stored, decisions = folder / "study.toml", folder / "corrections.csv"
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        if not resume:
            raise OutputError(f"{folder}: exists already; go on with --resume, or give another --out")
        if not stored.exists():
            raise OutputError(f"{folder}: holds no study to resume; give another --out")
        before = read_toml(StudyConfig, stored)  # what the report shows may change
        if dataclasses.replace(before, photos=config.photos, explain_mistakes=config.explain_mistakes) != config:
            raise OutputError(f"{folder}: holds a study with other settings; see its study.toml, or give another --out")
        if corrections and read_corrections(decisions).sha256 != corrections.sha256:
            raise OutputError(f"{folder}: {corrections.file} has changed since this study began; give another --out")
        return lambda: None
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if corrections:
            shutil.copyfile(corrections.file, decisions)
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
        run = decided_run(run, folder)
        if not (folder / "model.onnx").exists():
            export_for([run], study.photos, study.progress)
        title = f"train {run.name}" + (f" in {run.train.precision}" if run.train else "")
        total, unit = _work(run, study.photos)
        with study.clock.stage("train"), study.progress.step(title, total, unit) as advance:
            train_run(run, study.photos, folder, advance=advance)


def _work(run: RunConfig, photos: LabelledPhotos) -> tuple[int | None, str]:
    """How much there is to do in a run, and its unit."""
    n = len(photos.split("train"))
    if run.head is not None:
        return (4 if run.head.mirrored else 2) * n, "views"
    assert run.train is not None
    per_epoch = -(-n // run.train.batch_size)
    budget = run.train.budget
    limits = [budget.updates] if budget.updates else []
    if budget.epochs:
        limits.append(budget.epochs * per_epoch)
    return run.train.members * min(limits) if limits else None, "updates"


def _predict(study: _Study, run: RunConfig, splits: Sequence[str], manifest: pl.DataFrame) -> pl.DataFrame:
    """Predict the given splits with a run's model, and add them to its table of predictions."""
    path = study.run_folder(run) / "predictions.parquet"
    earlier = pl.read_parquet(path, glob=False) if path.exists() else None
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
            "backbones": [dataclasses.asdict(each) for each in Recognizer(study.run_folder(run)).contract.backbones],
        }
    selected = select({name: run["val"]["macro_f1"] for name, run in runs.items()})
    pairs = [(selected, name) for name in runs if name != selected]
    pairs += [(name, plain) for name in runs if (plain := f"{name}-no-augmentation") in runs and name != selected]
    return {
        "mien": mien.__version__,
        "config": dataclasses.asdict(study.config),
        "data": audit_json(study.data, audit(study.photos.manifest)),
        "labels": list(labels),
        "corrections": study.corrections.record if study.corrections else None,
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
            recognizer = Recognizer(study.run_folder(run))
            results["sureness"] = sureness_json(recognizer.contract, test)
            photos = (recognizer, study.prepared.pixels, study.photos.split("test"))
            results["covered"] = covered_json(*photos)
            with study.clock.stage("robustness"), study.progress.step("make test photos worse", None, "photos"):
                results["robustness"] = robustness_json(*photos)
        if study.target is None:
            continue
        predictions = _predict(study, run, ["target"], study.prepared.of(study.target))
        scored = target_json(predictions, labels, results["runs"][run.name]["test"], study.choices)
        results["runs"][run.name]["target"] = scored
        if run.name == selected:
            results["target"] = {"recurring_groups": _recurring(study)} | elsewhere_json(
                scored,
                recognizer,
                predictions,
                test=results["runs"][run.name]["test"],
                collection=study.target,
                target=dataclasses.replace(study.prepared, manifest=study.prepared.of(study.target)),
                own=dataclasses.replace(study.prepared, manifest=study.photos.manifest),
            )
    results["paths"]["report"] = str(study.folder / "report.html")
    if study.config.explain_mistakes:
        _explain(study, results)


def _explain(study: _Study, results: dict[str, Any]) -> None:
    """Find out on which part of each photo the mistakes rest that the report shows."""
    recognizer = Recognizer(study.folder / "runs" / results["selected"])
    for collection, scored in ((study.data, results), (study.target, results.get("target"))):
        if collection is not None and scored is not None:
            manifest, title = study.prepared.of(collection), f"explain mistakes: {collection.name}"
            with study.clock.stage("explain"), study.progress.step(title, len(scored["mistakes"]), "photos") as advance:
                scored["mistakes"] = explained(scored["mistakes"], recognizer, collection, manifest, advance)


def _examined(study: _Study) -> Examined:
    """What needs a model to be found in the data. Nothing is chosen by it, so it may look at the test photos."""
    return examine(
        study.photos.manifest,
        study.prepared.pixels,
        study.photos.features,
        labels_unjudged=_unjudged(study.config, len(study.photos.manifest)),
        leak_premium=study.config.leak_premium,
        seed=study.config.seed,
        progress=study.progress,
    )


def _unjudged(config: StudyConfig, n_photos: int) -> str | None:
    """Why labels are not judged; None where they are."""
    return judges_labels(config.leak_premium or config.check_labels, n_photos)


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
        "method": study.config.split_method,
        "groups": manifest["group"].drop_nulls().n_unique(),
        "moved": _moved(study),
        "left_out": dict(zip(left_out["path"], left_out["split_reason"], strict=True)),
    }


def _moved(study: _Study) -> int | None:
    """Photos that stand in another split than in the earlier study; None without one."""
    if not study.config.keep_splits:
        return None
    return count_moved(study.photos.manifest, _earlier(study.config.keep_splits))


def _recurring(study: _Study) -> int:
    """Pictures that stand, perhaps re-encoded, both in the data and in the target."""
    is_data = pl.col("source").is_in(study.data.names)
    groups = study.prepared.manifest.filter(pl.col("status") == "ok").group_by("near_group").agg(is_data.mean())
    return int(((groups["source"] > 0) & (groups["source"] < 1)).sum())


def _write_results(study: _Study, results: dict[str, Any]) -> None:
    study.clock.seconds["total"] = round(sum(v for k, v in study.clock.seconds.items() if k != "total"), 3)
    path = study.folder / "results.json"
    partial = path.with_name("results.json.partial")
    partial.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, path)
