"""The stages of a study, in order, each callable alone: open, train, select, examine, score, keep what is shown.

Stages meet in the files of the study folder, so a study that was interrupted goes on where it stopped.
``jobs/study.py`` runs them one after the other.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from msgspec.structs import asdict, replace

from mien.auditing.examine import Examined, examine, judges_labels
from mien.auditing.features import PHOTO, VIEWS
from mien.data.grouping.duplicates import (
    COPY_SIMILARITY,
    FINE_SIMILARITY,
    KIN_SIMILARITY,
    MAX_GROUP_SHARE,
    MIN_GROUP_CAP,
)
from mien.data.grouping.fold_plan import assign_folds, is_cross_validated
from mien.data.grouping.splits import as_target, assign_splits, count_moved, parse_shares
from mien.data.measuring.fingerprints import SIDE
from mien.data.sources.collection import Collection, open_with_target
from mien.data.sources.sliced import check_sliced
from mien.data.tables.class_map import check_named, read_class_map
from mien.data.tables.corrections import Corrections, read_corrections
from mien.data.tables.counts import count_audit
from mien.data.tables.manifest import read_manifest, usable, write_manifest
from mien.data.tables.prepare import Prepared, prepare
from mien.errors import ConfigError, MienError, OutputError
from mien.evaluation.attention import explained
from mien.evaluation.compare import compare_runs, select
from mien.evaluation.covered import score_covered
from mien.evaluation.elsewhere import describe_target
from mien.evaluation.exhibits import exhibits
from mien.evaluation.familiar import known_collections
from mien.evaluation.mistakes import confident_mistakes, error_rates
from mien.evaluation.overfitting import fit_verdict, stopped_early
from mien.evaluation.predictions import predict_rows, read_predictions, score_rows, write_predictions, write_table
from mien.evaluation.raters import measure_raters
from mien.evaluation.robustness import measure_robustness
from mien.evaluation.shift import score_target
from mien.evaluation.slices import measure_slices
from mien.evaluation.sureness import measure_sureness
from mien.labels import NOTHING_CHOSEN, LabelMap, match_labels
from mien.models.artifact import open_model, whole_model, write_model
from mien.progress import Progress
from mien.recognizer import Recognizer
from mien.results.audit import ExaminedAudit
from mien.results.behaviour import Mistake
from mien.results.document import write_exhibits
from mien.results.exhibits import Exhibits
from mien.results.file_names import MODEL_CARD, PREDICTIONS, REPORT, THUMBNAILS
from mien.results.study import (
    CopyThresholds,
    Epoch,
    Methods,
    Run,
    Splits,
    StudyPaths,
    StudyResults,
    TestedRun,
    TrainResults,
    Weights,
)
from mien.results.target import CollectionMatch, TargetResults
from mien.settings.choices import VotesAs
from mien.settings.devices import device_count
from mien.settings.run import HeadRun, NetworkRun, RunConfig, read_run
from mien.settings.study import StudySettings
from mien.settings.toml import check_writer, read_toml, write_toml
from mien.settings.unread import refuse_unread
from mien.system.files import not_written
from mien.system.leftovers import is_free, made_by, remove_partials, take_back, undone_if_stopped
from mien.system.paths import user_path
from mien.system.sums import check_kept, forget, keep
from mien.training.history import read_history
from mien.training.prior import priors_of, refuse_seen
from mien.training.recipes import resolve_run, views_of, work_of
from mien.training.run import LabelledPhotos, decided_run, export_for, train_run

__all__ = [
    "Clock",
    "OpenStudy",
    "compared_pairs",
    "count_splits",
    "examine_data",
    "fit_to_all",
    "keep_card",
    "keep_exhibits",
    "keeps_pixels",
    "known_photos",
    "open_study",
    "procedure",
    "promise_in",
    "refit_selected",
    "score_tested",
    "select_run",
    "train_runs",
    "votes_learnt",
    "write_tables",
]

MOST_NETWORKS = 20
"""Trainings of one network in as many folds; frozen features are computed once, and know no such limit."""
AFTER_SCORES = ("slicing", "report", "refitting", "workers", "keeping")
"""Settings that decide no score, only where work or what is done after it, and may be others when a study goes on."""
BEFORE_SETTINGS = ("corrections.csv", "study.toml.partial")
"""What a study writes before its settings; one that was killed there has not begun."""


@dataclass
class Clock:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what the block takes."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - start, 3)

    def total(self) -> dict[str, float]:
        """The seconds of each stage, and of all."""
        return self.seconds | {"total": round(sum(self.seconds.values()), 3)}


@dataclass(frozen=True)
class OpenStudy:
    """What every stage needs."""

    config: StudySettings
    data: Collection
    target: Collection | None
    label_map: LabelMap | None
    corrections: Corrections | None
    runs: tuple[RunConfig, ...]
    prepared: Prepared
    photos: LabelledPhotos
    folder: Path
    clock: Clock
    progress: Progress

    def run_folder(self, run: RunConfig) -> Path:
        """Where a run lies."""
        return self.folder / "runs" / run.name


def open_study(
    config: StudySettings, folder: Path, *, resume: bool, progress: Progress, with_audit: bool = False
) -> OpenStudy:
    """Check everything that can be checked before a file is written, then read and divide the photos.

    Args:
        with_audit: keep also what the audit and the report look at.
    """
    refuse_unread(config.training.recipes, config.training, config.budget, config.computing, config.promise)
    parse_shares(config.division.split)
    decided, elsewhere, class_map = config.decisions.corrections, config.elsewhere.target, config.classes.class_map
    corrections = read_corrections(decided) if decided is not None else None
    if config.earlier.keep_splits is not None:
        _earlier(config.earlier.keep_splits)
    data, target = open_with_target(config.data, elsewhere, config.columns)
    check_sliced([data.sources, *([target.sources] if target else [])], config.slicing.slices)
    if config.crossing.folds is not None and data.is_divided:
        _refuse_divided(data, config)
    runs = tuple(resolve_run(name, config, data.labels) for name in dict.fromkeys(config.training.recipes))
    sets = [data, *([target] if target else [])]
    keep_views = keeps_pixels(config, runs, sets)
    choices = read_class_map(class_map) if class_map is not None else NOTHING_CHOSEN
    label_map = None
    if target:
        check_named(choices, target.labels)
        label_map = match_labels(data.labels, target.labels, choices)
    undo = _open_folder(config, folder, corrections, resume=resume)
    clock = Clock()
    views = [view for run in runs for view in views_of(run)]
    if with_audit:
        n_photos = sum(len(source.files) for source in data.sources)
        views += VIEWS if _unjudged(config, n_photos) is None else [PHOTO]
    try:
        with clock.stage("read"):
            prepared = prepare(sets, views, folder, corrections=corrections, keep_views=keep_views, progress=progress)
            refuse_seen(runs, prepared.of(data))
            prepared = _divide(prepared, data, config, folder)
            _check_work(runs, prepared.manifest, config)
    except MienError:
        undo()
        raise
    photos = LabelledPhotos(data.names, prepared.of(data), prepared.pixels, data.labels, folder / "features")
    return OpenStudy(config, data, target, label_map, corrections, runs, prepared, photos, folder, clock, progress)


def keeps_pixels(config: StudySettings, runs: Iterable[RunConfig], sets: Iterable[Collection]) -> bool:
    """Whether a study keeps the decoded photos of its collections.

    Raises:
        ConfigError: if it is not to, and trains a network.
    """
    n_photos = sum(len(source.files) for collection in sets for source in collection.sources)
    return config.keeping.keeps([run.name for run in runs if isinstance(run, NetworkRun)], n_photos)


def _divide(prepared: Prepared, data: Collection, config: StudySettings, folder: Path) -> Prepared:
    """Place the photos of the data in splits, and all others in the split ``target``; once."""
    if prepared.manifest["split"].null_count() < len(prepared.manifest):
        return prepared
    if config.crossing.folds is not None:
        method, seed = config.division.split_method, config.randomness.seed
        folded = assign_folds(prepared.manifest, config.crossing.folds, seed, method=method)
        write_manifest(folded, folder / "manifest.parquet")
        return dataclasses.replace(prepared, manifest=folded)
    earlier = _earlier(config.earlier.keep_splits) if config.earlier.keep_splits is not None else None
    divided = assign_splits(
        prepared.of(data),
        parse_shares(config.division.split),
        config.randomness.seed,
        method=config.division.split_method,
        earlier=earlier,
    )
    is_data = pl.col("source").is_in(data.names)
    others = as_target(prepared.manifest.filter(~is_data))
    manifest = pl.concat([divided, others])
    write_manifest(manifest, folder / "manifest.parquet")
    return dataclasses.replace(prepared, manifest=manifest)


def _refuse_divided(data: Collection, config: StudySettings) -> None:
    """Refuse folds of photos that came divided: their test part is someone's promise not to learn from it.

    Raises:
        ConfigError: always.
    """
    parts = {f.split for source in data.sources for f in source.files if f.split is not None}
    named = " and ".join(part for part in ("train", "val", "test") if part in parts)
    where = next(source for source in data.sources if source.is_divided).spec.partition("::")[0]
    raise ConfigError(
        f"--folds {config.crossing.folds}: {data.spec} came divided into {named}, which folds would mix; "
        f"cross-validate one part, as in {where}::train, or read all as one: --split-column none for a table, "
        "--layout '*/LABEL/*' for folders"
    )


def _check_work(runs: Sequence[RunConfig], manifest: pl.DataFrame, config: StudySettings) -> None:
    """Refuse to train networks in more folds than anyone waits for.

    Raises:
        ConfigError: for the first network.
    """
    if config.crossing.folds is None:
        return
    folds = manifest["fold"].n_unique() - int(manifest["fold"].has_nulls())
    for run in runs:
        if isinstance(run, NetworkRun) and folds > MOST_NETWORKS:
            raise ConfigError(
                f"--folds {config.crossing.folds}: {run.name} would be trained {folds} times; give --folds 5, or only "
                "recipes on frozen features, such as two-stream"
            )


def _earlier(study: str) -> pl.DataFrame:
    """The manifest of an earlier study, whose splits are kept.

    Raises:
        ConfigError: if that one was cross-validated, and has none.
    """
    path = user_path(study, "--keep-splits")
    manifest = read_manifest(path / "manifest.parquet" if path.is_dir() else path)
    if is_cross_validated(manifest):
        raise ConfigError(
            f"--keep-splits {study}: a study with folds, where every photo was held out once; it has none"
        )
    return manifest


def _open_folder(
    config: StudySettings, folder: Path, corrections: Corrections | None, *, resume: bool
) -> Callable[[], None]:
    """Make the study's folder, or check that it is this study's; gives what takes back what was made."""
    stored, decisions = folder / "study.toml", folder / "corrections.csv"
    if not is_free(folder, BEFORE_SETTINGS if resume else ()):
        if not resume:
            raise OutputError(f"{folder}: exists already; go on with --resume, or give another --out")
        if not stored.exists():
            raise OutputError(f"{folder}: holds no study to resume; give another --out")
        check_kept(stored)
        check_writer(stored)
        before = read_toml(StudySettings, stored)
        after = {name: getattr(config, name) for name in AFTER_SCORES}
        if dataclasses.replace(before, **after) != config:
            raise OutputError(f"{folder}: holds a study with other settings; see its study.toml, or give another --out")
        if corrections and read_corrections(decisions).sha256 != corrections.sha256:
            raise OutputError(f"{folder}: {corrections.file} has changed since this study began; give another --out")
        remove_partials(folder)
        return lambda: None
    undo = partial(take_back, folder, made_by(folder))
    with undone_if_stopped(undo):  # from here on a stopped study can be resumed
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if corrections:
                shutil.copyfile(corrections.file, decisions)
            write_toml(config, stored)
            keep(stored)
        except OSError as error:
            raise not_written(folder, error) from error
    return undo


def train_runs(study: OpenStudy) -> None:
    """Train every run that is not trained yet."""
    for run in study.runs:
        folder = study.run_folder(run)
        run = decided_run(run, folder)
        if not (folder / "model.onnx").exists():
            export_for([run], study.photos, study.progress)
        title = f"train {run.name}" + (f" in {run.train.precision}" if isinstance(run, NetworkRun) else "")
        title += f" on {count} GPUs" if (count := device_count(run.device)) > 1 else ""
        total, unit = work_of(run, len(study.photos.split("train")))
        if isinstance(run, HeadRun) and run.device != "cpu":
            where = "one of the GPUs" if device_count(study.config.computing.device) > 1 else run.device
            study.progress.tell(f"features of {run.name} for training: by PyTorch on {where}; answers: on the CPU")
        with study.clock.stage("train"), study.progress.step(title, total, unit) as advance:
            train_run(run, study.photos, folder, advance=advance)


def _predict(study: OpenStudy, run: RunConfig, splits: Sequence[str], manifest: pl.DataFrame) -> pl.DataFrame:
    """Predict the given splits with a run's model, and add them to its table of predictions."""
    path = study.run_folder(run) / PREDICTIONS
    earlier = read_predictions(path) if path.exists() else None
    if earlier is not None and set(splits) <= set(earlier["split"]):
        return earlier.filter(pl.col("split").is_in(list(splits)))
    rows = manifest.filter(pl.col("split").is_in(list(splits)))
    title = f"predict {'+'.join(splits)}: {run.name}"
    with study.clock.stage("predict"), study.progress.step(title, len(rows), "photos") as advance:
        predictions = predict_rows(Recognizer(study.run_folder(run)), study.prepared.pixels, rows, advance)
    write_predictions(pl.concat([earlier, predictions], how="diagonal") if earlier is not None else predictions, path)
    return predictions


def select_run(study: OpenStudy) -> TrainResults:
    """Score train and validation, select by validation, compare the selected run with the others."""
    labels = study.data.labels
    runs: dict[str, Run] = {}
    val: dict[str, pl.DataFrame] = {}
    for run in study.runs:
        predictions = _predict(study, run, ["train", "val"], study.photos.manifest)
        val[run.name] = predictions.filter(pl.col("split") == "val")
        runs[run.name] = _trained(study, run, predictions)
    selected = select({name: run.val.macro_f1 or 0.0 for name, run in runs.items()})
    return TrainResults(
        config=study.config,
        data=count_audit(study.data, study.photos.manifest),
        votes=votes_learnt(study),
        labels=labels,
        corrections=study.corrections.record if study.corrections else None,
        splits=count_splits(study),
        methods=procedure(),
        selected=selected,
        runs=runs,
        comparisons=compare_runs(val, labels, compared_pairs(selected, runs)),
        known_to_prior=known_photos(study),
        seconds=study.clock.seconds,
        paths=StudyPaths(run=str(study.folder), model=str(study.folder / "runs" / selected / "model.onnx")),
    )


def compared_pairs(selected: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """The runs that are compared: the selected one with all others, and the others with themselves unaugmented."""
    names = list(names)
    pairs = [(selected, name) for name in names if name != selected]
    return pairs + [
        (name, plain) for name in names if (plain := f"{name}-no-augmentation") in names and name != selected
    ]


def _trained(study: OpenStudy, run: RunConfig, predictions: pl.DataFrame) -> Run:
    """A run with its scores on training and validation photos."""
    folder = study.run_folder(run)
    train, val = (
        score_rows(predictions.filter(pl.col("split") == split), study.data.labels) for split in ("train", "val")
    )
    config = read_run(folder / "config.toml")
    check_kept(folder / "history.csv", f"remove {folder}, and --resume trains this run again")
    history = tuple(Epoch(**row) for row in read_history(folder / "history.csv"))
    return Run(
        train=train,
        val=val,
        config=config,
        fit=fit_verdict(train, val, history, stopped_early=stopped_early(config, history)),
        history=history,
        backbones=tuple(Weights(**dataclasses.asdict(each)) for each in Recognizer(folder).contract.backbones),
    )


def known_photos(study: OpenStudy) -> tuple[CollectionMatch, ...]:
    """The collections that these photos are of and that a recipe's prior learnt from, as far as that is known."""
    rows = usable(study.photos.manifest)
    return known_collections(priors_of(study.runs), rows, study.prepared.pixels, study.data.names)


def votes_learnt(study: OpenStudy) -> VotesAs | None:
    """What the recipes learn of raters' votes; None where the photos have none."""
    has_votes = study.photos.shares(usable(study.photos.manifest), "soft") is not None
    return study.config.columns.votes_learnt if has_votes else None


def procedure() -> Methods:
    """Numbers of the procedure, as they are today."""
    return Methods(
        copies=CopyThresholds(
            side=SIDE,
            similarity=COPY_SIMILARITY,
            fine_similarity=FINE_SIMILARITY,
            series_similarity=KIN_SIMILARITY,
            most_pictures=MIN_GROUP_CAP,
            most_share=MAX_GROUP_SHARE,
        ),
    )


def score_tested(study: OpenStudy, trained: TrainResults, data: ExaminedAudit) -> StudyResults:
    """Read the test split and the target, now that the selection stands."""
    labels, selected = study.data.labels, trained.selected
    runs: dict[str, TestedRun] = {}
    answers: dict[str, pl.DataFrame] = {}
    for run in study.runs:
        answers[run.name] = _predict(study, run, ["test"], study.photos.manifest)
        test = score_rows(answers[run.name], labels)
        elsewhere = _target_predictions(study, run)
        target = score_target(elsewhere, labels, test, study.label_map) if elsewhere is not None else None
        runs[run.name] = TestedRun(**asdict(trained.runs[run.name]), test=test, target=target)
    recognizer, answered = Recognizer(study.folder / "runs" / selected), answers[selected]
    photos = (recognizer, study.prepared.pixels, study.photos.split("test"))
    with study.clock.stage("robustness"), study.progress.step("make test photos worse", None, "photos"):
        robustness = measure_robustness(*photos)
    kept = asdict(trained) | {
        "data": data,
        "runs": runs,
        "paths": replace(trained.paths, report=str(study.folder / REPORT), card=str(study.folder / MODEL_CARD)),
    }
    results = StudyResults(
        **kept,
        mistakes=confident_mistakes(answered, labels),
        error_rates=error_rates(answered, study.prepared.manifest, labels),
        raters=measure_raters(study.prepared.of(study.data), answered, labels),
        slices=measure_slices(answered, study.photos.manifest, labels, study.config.slicing.slices),
        sureness=measure_sureness(recognizer.contract, answered),
        covered=score_covered(*photos, runs[selected].test.chance_macro_f1),
        robustness=robustness,
        target=_target(study, recognizer, runs[selected]),
    )
    return _explained(study, results, recognizer) if study.config.report.explain_mistakes else results


def refit_selected(study: OpenStudy, selected: str) -> Path:
    """Fit the selected recipe once more, to all photos; a network's validation photos still tell it when to stop.

    What the tested run promises of its answers is written into the new model too, with whose promises they are.

    Returns:
        The model file, ``runs/NAME-refit/model.onnx``.
    """
    tested = study.folder / "runs" / selected
    run = replace(read_run(tested / "config.toml"), name=f"{selected}-refit")
    learnt = ["test"] if isinstance(run, NetworkRun) else ["test", "val"]
    split = pl.when(pl.col("split").is_in(learnt)).then(pl.lit("train")).otherwise("split").alias("split")
    folder = fit_to_all(study, run, study.photos.manifest.with_columns(split))
    promised = open_model(tested / "model.onnx")[1]
    promise_in(
        folder,
        temperature=promised.temperature,
        max_error=promised.max_error,
        thresholds=promised.thresholds,
        measured=promised.measured and promised.measured | {"how": f"{promised.measured['how']}, by {selected}"},
    )
    return folder / "model.onnx"


def fit_to_all(study: OpenStudy, run: RunConfig, manifest: pl.DataFrame) -> Path:
    """Fit a run to all photos, as the split of a manifest says; gives its folder.

    It promises nothing of its own, so no promise may fail now; see ``promise_in``.
    """
    if isinstance(run, HeadRun):
        run = replace(run, head=dataclasses.replace(run.head, max_error=None))
    photos, folder = dataclasses.replace(study.photos, manifest=manifest), study.run_folder(run)
    run = decided_run(run, folder)
    total, unit = work_of(run, len(photos.split("train")))
    title = f"fit {run.name.removesuffix('-refit')} to all photos"
    with study.clock.stage("train"), study.progress.step(title, total, unit) as advance:
        train_run(run, photos, folder, advance=advance)
    return folder


def promise_in(folder: Path, **promised: Any) -> None:  # type: ignore[explicit-any]  # as ``replace`` takes them
    """Write into the model of a run what was measured of others that were made like it.

    Args:
        promised: fields of the contract.
    """
    made = open_model(folder / "model.onnx")[1]
    contract = dataclasses.replace(made, **promised)
    if contract != made:
        forget(folder / "model.onnx")
        write_model(whole_model(folder / "model.onnx"), contract, folder / "model.onnx")
        keep(folder / "model.onnx")


def keep_card(results: StudyResults, card: dict[str, str]) -> None:
    """Write a short card into the model files that a study gives: that of the selected run, and the refitted one."""
    for path in (results.paths.model, results.paths.refit):
        if path is not None:
            promise_in(Path(path).parent, card=card)


def keep_exhibits(study: OpenStudy, results: StudyResults, examined: Examined) -> Exhibits | None:
    """Keep the photos that the report shows; None, and no file, where it may show none."""
    if study.config.report.no_photos:
        (study.folder / THUMBNAILS).unlink(missing_ok=True)
        return None
    elsewhere, manifest = results.target.mistakes if results.target else (), _whole_manifest(study, examined)
    shown = exhibits(
        results.data, results.mistakes, elsewhere, manifest, study.prepared.pixels, seed=study.config.randomness.seed
    )
    write_exhibits(shown, study.folder)
    return shown


def write_tables(study: OpenStudy, results: StudyResults) -> None:
    """Write every answer that the report counts as CSV, beside the Parquet that it stands in."""
    tables = [study.folder / "runs" / name / PREDICTIONS for name in results.runs]
    for path in tables if results.folds is None else [*tables, study.folder / PREDICTIONS]:
        write_table(path)


def _target_predictions(study: OpenStudy, run: RunConfig) -> pl.DataFrame | None:
    return _predict(study, run, ["target"], study.prepared.of(study.target)) if study.target else None


def _target(study: OpenStudy, recognizer: Recognizer, run: TestedRun) -> TargetResults | None:
    """Everything that is known of the selected run on the target; None without one."""
    if study.target is None or run.target is None:
        return None
    return describe_target(
        run.target,
        recognizer,
        _predict(study, run.config, ["target"], study.prepared.of(study.target)),
        test=_predict(study, run.config, ["test"], study.photos.manifest),
        collection=study.target,
        target=dataclasses.replace(study.prepared, manifest=study.prepared.of(study.target)),
        own=dataclasses.replace(study.prepared, manifest=study.photos.manifest),
        recurring_groups=_recurring(study),
        slices=study.config.slicing.slices,
    )


def _explained(study: OpenStudy, results: StudyResults, recognizer: Recognizer) -> StudyResults:
    """Find out on which part of each photo the mistakes rest that the report shows."""

    def rest_on(mistakes: tuple[Mistake, ...], collection: Collection) -> tuple[Mistake, ...]:
        manifest, title = study.prepared.of(collection), f"explain mistakes: {collection.name}"
        with study.clock.stage("explain"), study.progress.step(title, len(mistakes), "photos") as advance:
            return explained(mistakes, recognizer, collection, manifest, advance)

    results = replace(results, mistakes=rest_on(results.mistakes, study.data))
    if study.target is None or results.target is None:
        return results
    return replace(results, target=replace(results.target, mistakes=rest_on(results.target.mistakes, study.target)))


def examine_data(study: OpenStudy) -> Examined:
    """What needs a model to be found in the data, which the manifest then holds as well.

    Nothing is chosen by it, so it may look at the test photos. With folds over the user's groups, what parting these
    would add to the score is measured without being asked for.

    Raises:
        MissingExtraError: if labels are to be judged and cannot be.
    """
    groups = study.photos.manifest["group"].drop_nulls().n_unique()
    by_person = study.config.crossing.folds is not None and groups > 0
    with study.clock.stage("audit"):
        examined = examine(
            study.photos.manifest,
            study.prepared.pixels,
            study.photos.features,
            labels_unjudged=_unjudged(study.config, len(study.photos.manifest)),
            leak_premium=study.config.checks.leak_premium or by_person,
            seed=study.config.randomness.seed,
            progress=study.progress,
        )
    write_manifest(_whole_manifest(study, examined), study.folder / "manifest.parquet")
    return examined


def _whole_manifest(study: OpenStudy, examined: Examined) -> pl.DataFrame:
    """Every file of the data, as examined, and of the target."""
    others = study.prepared.manifest.filter(~pl.col("source").is_in(study.data.names))
    return pl.concat([examined.manifest, others])


def _unjudged(config: StudySettings, n_photos: int) -> str | None:
    """Why labels are not judged; None where they are."""
    return judges_labels(config.checks.leak_premium or config.checks.check_labels, n_photos)


def count_splits(study: OpenStudy) -> Splits:
    """Photos of each class in each split, and those left out with their reason."""
    manifest = study.photos.manifest
    counts = {
        split: dict(sorted(study.photos.split(split)["label"].value_counts().iter_rows()))
        for split in ("train", "val", "test")
    }
    left_out = manifest.filter(pl.col("split_reason").is_not_null())
    return Splits(
        counts=counts,
        given=study.data.is_divided,
        method=study.config.division.split_method,
        groups=manifest["group"].drop_nulls().n_unique(),
        moved=_moved(study),
        left_out=dict(zip(left_out["path"], left_out["split_reason"], strict=True)),
    )


def _moved(study: OpenStudy) -> int | None:
    """Photos that stand in another split than in the earlier study; None without one."""
    kept = study.config.earlier.keep_splits
    return count_moved(study.photos.manifest, _earlier(kept)) if kept else None


def _recurring(study: OpenStudy) -> int:
    """Pictures that stand, perhaps re-encoded, both in the data and in the target."""
    is_data = pl.col("source").is_in(study.data.names)
    groups = study.prepared.manifest.filter(pl.col("status") == "ok").group_by("near_group").agg(is_data.mean())
    return int(((groups["source"] > 0) & (groups["source"] < 1)).sum())
