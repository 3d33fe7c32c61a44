"""``mien score``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, Json
from mien.errors import ConfigError
from mien.extras import extra
from mien.settings.columns import Columns
from mien.settings.division import Decisions
from mien.settings.evaluate import Rivals
from mien.settings.groups import OUTPUT
from mien.settings.score import AnswerColumns, ScoreSettings
from mien.settings.slicing import Slicing
from mien.settings.target import ClassMap
from mien.system.paths import user_path

__all__ = ["score"]


def score(
    answers: str,
    photos: str,
    /,
    *,
    classes: ClassMap = ClassMap(),
    slicing: Slicing = Slicing(),
    write_class_map: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    rivals: Rivals = Rivals(),
    decisions: Decisions = Decisions(),
    answer_columns: AnswerColumns = AnswerColumns(),
    columns: ColumnOptions = Columns(),
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    json: Json = False,
) -> None:
    """Say how good the answers of any tool are on labelled photos, or whether others are better.

    Args:
        answers: Table of answers (CSV, TSV, JSON, JSON Lines or Parquet): photos by path or name, with a label each
            or a probability for each class. Those of mien predict, py-feat, DeepFace and fer are known.
        photos: Labelled photos, as for 'mien study'. Photos without an answer count as wrong.
        write_class_map: TOML file to write how classes are matched to, for you to edit and give as --class-map; nothing
            is scored then.
        out: Folder to write, with a page, results.json and the answers as predictions.csv and .parquet. Default: none
            is written.
    """
    settings = ScoreSettings(
        answers=answers,
        photos=photos,
        columns=columns,
        answer_columns=answer_columns,
        decisions=decisions,
        classes=classes,
        slicing=slicing,
        rivals=rivals,
    )
    if write_class_map is None:
        _score(settings, out, json=json)
        return
    if classes.class_map or decisions.corrections or slicing.slices or rivals.against or out is not None:
        raise ConfigError(
            "score: --write-class-map scores nothing; give it without --class-map, --corrections, --slice, --against "
            "and --out"
        )
    from mien.jobs.score import write_score_mapping
    from mien.telling.terminal.target import mapping_summary

    finish(write_score_mapping(settings, user_path(write_class_map, "--write-class-map")), mapping_summary, json=json)


def _score(settings: ScoreSettings, out: str | None, *, json: bool) -> None:
    from mien.jobs.score import run_score
    from mien.telling.terminal.evaluation import score_summary
    from mien.telling.terminal.summaries import TerminalProgress

    folder = None if out is None else user_path(out, "--out")
    with extra("report", "a page of mien score") if folder else nullcontext():
        results = run_score(settings, folder, progress=TerminalProgress())
    finish(results, score_summary, json=json)
