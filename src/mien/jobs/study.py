"""``mien study`` and ``mien train``."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from mien.auditing.examine import Examined, judges_labels
from mien.cluster.connecting import on_cluster
from mien.fold_stages import answer_folds, fit_final, score_folds
from mien.progress import Progress
from mien.results.document import write_results
from mien.results.study import StudyResults, TrainResults
from mien.settings.study import StudySettings
from mien.stages import (
    OpenStudy,
    examine_data,
    keep_card,
    keep_exhibits,
    open_study,
    refit_selected,
    score_tested,
    select_run,
    train_runs,
    write_tables,
)
from mien.system.in_use import in_use
from mien.telling.card.card_page import write_model_card
from mien.telling.report.figure_files import write_figures
from mien.telling.report.page import write_report
from mien.telling.words.model_card import short_card

__all__ = ["run_study", "run_training"]


def run_study(config: StudySettings, folder: Path, *, resume: bool, progress: Progress) -> StudyResults:
    """Do the main job and write its folder.

    Args:
        folder: gets ``study.toml``, ``manifest.parquet``, ``pixels/``, ``runs/``, ``thumbnails.msgpack``,
            ``results.json``, ``report.html``, ``model-card.md``, ``figures/``, and ``predictions.csv`` beside each
            table of predictions; with folds ``folds/`` and ``predictions.parquet`` too.
        resume: go on in a folder that exists.

    Returns:
        What stands in ``results.json``.
    """
    judges_labels(config.checks.leak_premium or config.checks.check_labels, 0)  # refused now, not after the training
    with in_use(folder, progress.tell, resume=resume), on_cluster(config.workers.cluster, progress):
        study = open_study(config, folder, resume=resume, progress=progress, with_audit=True)
        results, examined = _tested_once(study) if config.crossing.folds is None else _cross_validated(study)
        with study.clock.stage("report"):
            write_tables(study, results)
            write_figures(folder, results)
            write_report(folder, results, keep_exhibits(study, results, examined))
            write_model_card(folder, results)
            keep_card(results, short_card(results))
        results = replace(results, seconds=study.clock.total())
        write_results(results, folder)
        return results


def _tested_once(study: OpenStudy) -> tuple[StudyResults, Examined]:
    """Learn, choose, and read the test split."""
    train_runs(study)
    trained = select_run(study)
    examined = examine_data(study)
    results = score_tested(study, trained, examined.audit(study.data))
    if study.config.refitting.refit:
        refit = refit_selected(study, results.selected)
        results = replace(results, paths=replace(results.paths, refit=str(refit)))
    return results, examined


def _cross_validated(study: OpenStudy) -> tuple[StudyResults, Examined]:
    """Hold out every photo once, and fit the model to use to all of them."""
    held_out = answer_folds(study)
    fit_final(study, held_out)
    examined = examine_data(study)
    return score_folds(study, held_out, examined.audit(study.data)), examined


def run_training(config: StudySettings, folder: Path, *, resume: bool, progress: Progress) -> TrainResults:
    """Train and validate the recipes; the test split stays unread."""
    with in_use(folder, progress.tell, resume=resume), on_cluster(config.workers.cluster, progress):
        study = open_study(config, folder, resume=resume, progress=progress)
        train_runs(study)
        results = replace(select_run(study), seconds=study.clock.total())
        write_results(results, folder)
        return results
