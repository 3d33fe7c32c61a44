"""``mien train``."""

from __future__ import annotations

from dataclasses import replace

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, Folder, Json, Sources, output_folder
from mien.extras import extra
from mien.settings.budget import Budget
from mien.settings.columns import Columns
from mien.settings.computing import Computing, Keeping, Promise
from mien.settings.division import Decisions, Division, Earlier, Randomness
from mien.settings.recipes import TRAINED_ALONE
from mien.settings.study import StudySettings, Training
from mien.settings.workers import Workers

__all__ = ["train"]


def train(
    data: Sources,
    /,
    *,
    training: Training = Training(),
    budget: Budget = Budget(),
    computing: Computing = Computing(),
    division: Division = Division(),
    earlier: Earlier = Earlier(),
    randomness: Randomness = Randomness(),
    promise: Promise = Promise(),
    decisions: Decisions = Decisions(),
    columns: ColumnOptions = Columns(),
    workers: Workers = Workers(),
    keeping: Keeping = Keeping(),
    folder: Folder = Folder(),
    json: Json = False,
) -> None:
    """Train, and say how well it went on the validation photos.

    Args:
        data: Labelled photos, as for 'mien study'.
    """
    settings = StudySettings(
        data=data,
        training=replace(training, recipes=training.recipes or TRAINED_ALONE),
        budget=budget,
        computing=computing,
        division=division,
        earlier=earlier,
        randomness=randomness,
        promise=promise,
        decisions=decisions,
        columns=columns,
        workers=workers,
        keeping=keeping,
    )
    with extra("train", "training"):
        from mien.jobs.study import run_training
    from mien.telling.terminal.summaries import TerminalProgress, study_summary

    place = output_folder(folder.out, data, "mien")
    finish(run_training(settings, place, resume=folder.resume, progress=TerminalProgress()), study_summary, json=json)
