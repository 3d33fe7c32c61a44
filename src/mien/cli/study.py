"""``mien study``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, DryRun, Folder, Json, Sources, output_folder
from mien.extras import extra
from mien.settings.audit import LabelChecks
from mien.settings.budget import Budget
from mien.settings.columns import Columns
from mien.settings.computing import Computing, Keeping, Promise
from mien.settings.division import CrossValidation, Decisions, Division, Earlier, Randomness
from mien.settings.groups import TRAINING
from mien.settings.recipes import COURSE_RECIPES, DEFAULT_RECIPES
from mien.settings.slicing import Slicing
from mien.settings.study import Refitting, Report, StudySettings, Training, with_demo_target
from mien.settings.target import ClassMap, Target
from mien.settings.workers import Workers

__all__ = ["study"]


def study(
    data: Sources,
    /,
    *,
    elsewhere: Target = Target(),
    classes: ClassMap = ClassMap(),
    report: Report = Report(),
    refitting: Refitting = Refitting(),
    training: Training = Training(),
    budget: Budget = Budget(),
    computing: Computing = Computing(),
    division: Division = Division(),
    crossing: CrossValidation = CrossValidation(),
    earlier: Earlier = Earlier(),
    randomness: Randomness = Randomness(),
    slicing: Slicing = Slicing(),
    promise: Promise = Promise(),
    decisions: Decisions = Decisions(),
    columns: ColumnOptions = Columns(),
    workers: Workers = Workers(),
    keeping: Keeping = Keeping(),
    checks: LabelChecks = LabelChecks(),
    course: Annotated[bool, Parameter(group=TRAINING)] = False,
    folder: Folder = Folder(),
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Run a study and say what came of it.

    Args:
        data: Labelled photos: a folder per class, as folder, zip or tar; a CSV, JSON Lines or Parquet table; or
            kaggle:OWNER/NAME, hf:OWNER/NAME, demo; or an address such as s3://BUCKET/FACES. PATH::part picks a part.
            Several make one set.
        course: Train the course notebook's network too: scratch and scratch-no-augmentation, which take minutes.
    """
    recipes = (training.recipes or DEFAULT_RECIPES) + (COURSE_RECIPES if course else ())
    settings = StudySettings(
        data=data,
        elsewhere=elsewhere,
        classes=classes,
        report=report,
        refitting=refitting,
        training=replace(training, recipes=tuple(dict.fromkeys(recipes))),
        budget=budget,
        computing=computing,
        division=division,
        crossing=crossing,
        earlier=earlier,
        randomness=randomness,
        slicing=slicing,
        promise=promise,
        decisions=decisions,
        columns=columns,
        checks=checks,
        workers=workers,
        keeping=keeping,
    )
    _begin(with_demo_target(settings), folder, dry_run=dry_run, json=json)


def _begin(settings: StudySettings, folder: Folder, *, dry_run: bool, json: bool) -> None:
    """Do the study, or say what it would take."""
    if dry_run:
        _outline(settings, json=json)
    else:
        _run(settings, folder, json=json)


def _run(settings: StudySettings, folder: Folder, *, json: bool) -> None:
    """Do the study, and say what came of it."""
    with extra("train", "training"):
        from mien.jobs.study import run_study
    from mien.telling.terminal.summaries import TerminalProgress, study_summary

    place = output_folder(folder.out, settings.data, "mien")
    finish(run_study(settings, place, resume=folder.resume, progress=TerminalProgress()), study_summary, json=json)


def _outline(settings: StudySettings, *, json: bool) -> None:
    """Say what was read and what the study would take, and do nothing else."""
    from mien.jobs.estimate import outlined_study
    from mien.telling.terminal.outline import outline_summary
    from mien.telling.terminal.summaries import TerminalProgress

    finish(outlined_study(settings, TerminalProgress()), outline_summary, json=json)
