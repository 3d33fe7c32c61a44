"""The stages of a study with folds that differ from those of one test split: answer, score, fit to all photos.

In every fold the recipes are fitted, calibrated and chosen among without the photos that are held out, so that the
scores of all folds together are those of the whole procedure. The model to use is what the same procedure makes of all
photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from mien.comparing.fold_runs import FoldRun, run_folds
from mien.data.grouping.fold_plan import divided_for
from mien.errors import WorkFailedError
from mien.evaluation.compare import compare_runs, select
from mien.evaluation.mistakes import confident_mistakes, error_rates
from mien.evaluation.overfitting import fit_verdict, stopped_early
from mien.evaluation.predictions import kind_of, probabilities, score_rows, write_predictions
from mien.evaluation.raters import measure_raters
from mien.evaluation.slices import measure_slices
from mien.evaluation.sureness import pooled_sureness
from mien.labels import class_indices
from mien.metrics import confusion_matrix, macro_f1
from mien.models.artifact import laxest_within, least_promise
from mien.results.audit import ExaminedAudit
from mien.results.cross_validation import CrossValidated, Fold
from mien.results.file_names import MODEL_CARD, PREDICTIONS, REPORT
from mien.results.study import Epoch, StudyPaths, StudyResults, TestedRun, Weights
from mien.settings.run import HeadRun, NetworkRun, read_run
from mien.stages import (
    OpenStudy,
    compared_pairs,
    count_splits,
    fit_to_all,
    known_photos,
    procedure,
    promise_in,
    votes_learnt,
)
from mien.training.head import measured, promises
from mien.training.history import read_history
from mien.training.run import backbones_of

__all__ = ["HeldOut", "answer_folds", "fit_final", "score_folds"]


@dataclass(frozen=True)
class HeldOut:
    """What was answered of photos that were held out.

    Attributes:
        runs: recipe → what it did in each fold.
        chosen: the recipe that each fold selected by its own validation photos.
        selected: the recipe of the model to use, by the validation photos of all folds.
    """

    runs: Mapping[str, tuple[FoldRun, ...]]
    chosen: tuple[str, ...]
    selected: str

    def part(self, name: str, split: str) -> pl.DataFrame:
        """The answers of one recipe to the photos of one part of every fold, with the fold."""
        return pl.concat([_numbered(run, split) for run in self.runs[name]], how="diagonal").sort("row", "fold")

    @property
    def tested(self) -> list[FoldRun]:
        """Of each fold the run of the recipe that it selected."""
        return [self.runs[name][i] for i, name in enumerate(self.chosen)]

    @property
    def pooled(self) -> pl.DataFrame:
        """Every photo as it was answered by what its fold selected, with the fold and the recipe."""
        parts = [
            _numbered(run, "test").with_columns(pl.lit(name).alias("recipe"))
            for run, name in zip(self.tested, self.chosen, strict=True)
        ]
        return pl.concat(parts, how="diagonal").sort("row")


def _numbered(run: FoldRun, split: str) -> pl.DataFrame:
    return run.split(split).with_columns(pl.lit(run.fold, pl.Int32).alias("fold"))


def answer_folds(study: OpenStudy) -> HeldOut:
    """Fit every recipe in every fold, select in each, and keep the answers to the photos held out."""
    labels, runs = study.data.labels, dict[str, tuple[FoldRun, ...]]()
    for run in study.runs:
        with study.clock.stage("train"):
            runs[run.name] = run_folds(run, study.photos, study.folder / "folds", study.progress)
    n_folds = len(runs[study.runs[0].name])
    chosen = tuple(
        select({name: _macro_f1(each[i].split("val"), labels) for name, each in runs.items()}) for i in range(n_folds)
    )
    over_all = {name: pl.concat([run.split("val") for run in each], how="diagonal") for name, each in runs.items()}
    selected = select({name: _macro_f1(rows, labels) for name, rows in over_all.items()})
    held_out = HeldOut(runs, chosen, selected)
    for name in runs:
        (study.folder / "runs" / name).mkdir(parents=True, exist_ok=True)
        write_predictions(held_out.part(name, "test"), study.folder / "runs" / name / PREDICTIONS)
    write_predictions(held_out.pooled, study.folder / PREDICTIONS)
    return held_out


def _macro_f1(rows: pl.DataFrame, labels: tuple[str, ...]) -> float:
    answers = probabilities(rows, labels).argmax(1)
    return float(macro_f1(confusion_matrix(class_indices(rows["label"], labels), answers, len(labels))))


def fit_final(study: OpenStudy, held_out: HeldOut) -> None:
    """Fit the selected recipe to all photos, and write into it what was measured while they were held out.

    Raises:
        WorkFailedError: if an error was asked for that these answers cannot promise.
    """
    (run,) = (each for each in study.runs if each.name == held_out.selected)
    rows, labels = held_out.part(run.name, "test"), study.data.labels
    known = (probabilities(rows, labels), class_indices(rows["label"], labels), rows["split_group"].to_numpy())
    thresholds = promises(*known) if isinstance(run, HeadRun) else ()
    wanted = study.config.promise.max_error if isinstance(run, HeadRun) else None
    if wanted is not None and not laxest_within(thresholds, wanted):
        can = least_promise(thresholds, "there are too few photos to promise any")
        raise WorkFailedError(f"--max-error {wanted:g}: cannot be promised from the photos held out; {can}")
    how = (
        f"each answered once by a model that never saw its group ({len(held_out.chosen)} folds); this model was then "
        "fitted to all of them"
    )
    manifest = study.photos.manifest
    if isinstance(run, NetworkRun):  # some photos must tell it when to stop
        manifest = divided_for(manifest, None, run.seed)
    folder = fit_to_all(study, run, manifest)
    promise_in(
        folder, max_error=wanted, thresholds=thresholds, measured=measured(*known, labels, kind=kind_of(rows), how=how)
    )


def score_folds(study: OpenStudy, held_out: HeldOut, data: ExaminedAudit) -> StudyResults:
    """Score what was answered while it was held out, fold by fold and together."""
    labels, selected, pooled = study.data.labels, held_out.selected, held_out.pooled
    val = {name: held_out.part(name, "val") for name in held_out.runs}
    return StudyResults(
        config=study.config,
        data=data,
        labels=labels,
        corrections=study.corrections.record if study.corrections else None,
        splits=count_splits(study),
        methods=procedure(),
        votes=votes_learnt(study),
        selected=selected,
        runs={name: _scored(study, held_out, name) for name in held_out.runs},
        comparisons=compare_runs(val, labels, compared_pairs(selected, held_out.runs)),
        folds=_cross_validated(study, held_out),
        sureness=pooled_sureness(
            [(run.thresholds, run.split("test")) for run in held_out.tested], labels, study.config.promise.max_error
        ),
        covered=None,
        robustness=None,
        mistakes=confident_mistakes(pooled, labels),
        error_rates=error_rates(pooled, study.prepared.manifest, labels),
        raters=measure_raters(study.prepared.of(study.data), pooled, labels),
        slices=measure_slices(pooled, study.photos.manifest, labels, study.config.slicing.slices),
        target=None,
        known_to_prior=known_photos(study),
        seconds=study.clock.seconds,
        paths=StudyPaths(
            run=str(study.folder),
            model=str(study.folder / "runs" / selected / "model.onnx"),
            report=str(study.folder / REPORT),
            card=str(study.folder / MODEL_CARD),
        ),
    )


def _scored(study: OpenStudy, held_out: HeldOut, name: str) -> TestedRun:
    """One recipe over all folds."""
    first, labels = held_out.runs[name][0], study.data.labels
    train, val, test = (score_rows(held_out.part(name, split), labels) for split in ("train", "val", "test"))
    config, rows = first.config, first.history
    if name == held_out.selected:
        final = study.folder / "runs" / name
        config, rows = read_run(final / "config.toml"), read_history(final / "history.csv")
    history = tuple(Epoch(**row) for row in rows)
    return TestedRun(
        train=train,
        val=val,
        test=test,
        config=config,
        fit=fit_verdict(train, val, history, stopped_early=stopped_early(config, history)),
        history=history,
        backbones=tuple(Weights(name=b.name, licence=b.licence, sha256=b.sha256) for b in backbones_of(config)),
    )


def _cross_validated(study: OpenStudy, held_out: HeldOut) -> CrossValidated:
    labels, manifest = study.data.labels, study.photos.manifest
    asked = study.config.crossing.folds
    assert asked is not None
    grouped = manifest.filter(pl.col("fold").is_not_null() & pl.col("group").is_not_null())
    joined = grouped.group_by("split_group").agg(pl.struct("source", "group").n_unique().alias("n"))["n"] - 1
    return CrossValidated(
        asked=asked,
        folds=tuple(
            _fold(run, name, held_out, grouped, labels)
            for run, name in zip(held_out.tested, held_out.chosen, strict=True)
        ),
        pooled=score_rows(held_out.pooled, labels),
        joined=int(joined.sum()),
    )


def _fold(run: FoldRun, selected: str, held_out: HeldOut, grouped: pl.DataFrame, labels: tuple[str, ...]) -> Fold:
    """One fold.

    Args:
        grouped: the photos that have a group, with their folds.
    """
    test = run.split("test")
    groups = grouped.filter(pl.col("fold") == run.fold).select("source", "group").unique()
    right = probabilities(test, labels).argmax(1) == class_indices(test["label"], labels)
    return Fold(
        fold=run.fold,
        groups=len(groups),
        group=groups["group"][0] if len(groups) == 1 else None,
        images=len(test),
        train=len(held_out.pooled) - len(test) - len(run.split("val")),
        val=len(run.split("val")),
        selected=selected,
        macro_f1=_macro_f1(test, labels),
        accuracy=float(right.mean()),
        recipes={name: _macro_f1(each[run.fold - 1].split("test"), labels) for name, each in held_out.runs.items()},
    )
