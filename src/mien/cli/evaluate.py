"""``mien evaluate``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, Json, Sources
from mien.errors import ConfigError
from mien.extras import extra
from mien.settings.columns import Columns
from mien.settings.division import Decisions
from mien.settings.evaluate import EvaluateSettings, Rivals
from mien.settings.groups import OUTPUT
from mien.settings.slicing import Slicing
from mien.settings.target import ClassMap
from mien.settings.workers import Workers
from mien.system.paths import user_path

__all__ = ["evaluate"]


def evaluate(
    model: str,
    data: Annotated[Sources, Parameter(show_default=False)] = (),
    /,
    *,
    classes: ClassMap = ClassMap(),
    slicing: Slicing = Slicing(),
    write_class_map: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    rivals: Rivals = Rivals(),
    decisions: Decisions = Decisions(),
    columns: ColumnOptions = Columns(),
    workers: Workers = Workers(),
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    json: Json = False,
) -> None:
    """Say whether a model is good enough for labelled photos, or better than another.

    Args:
        model: Study folder, run folder, model.onnx, or one that comes with mien: default, six.
        data: Labelled photos, as for 'mien study', each scored by itself; with --corrections a single one. May be left
            out with --against.
        write_class_map: TOML file to write how classes are matched to, for you to edit and give as --class-map; nothing
            is scored then.
        out: Folder to write, with a page, results.json and the answers as predictions.csv and .parquet. Default: none
            is written.
    """
    settings = EvaluateSettings(
        model=model,
        data=data,
        columns=columns,
        decisions=decisions,
        classes=classes,
        slicing=slicing,
        rivals=rivals,
        workers=workers,
    )
    if write_class_map is None and not data:
        _compare_tests(settings, out, json=json)
        return
    if write_class_map is None:
        _score(settings, out, json=json)
        return
    if classes.class_map or decisions.corrections or slicing.slices or rivals.against or out is not None:
        raise ConfigError(
            "evaluate: --write-class-map scores nothing; give it without --class-map, --corrections, --slice, "
            "--against and --out"
        )
    from mien.evaluation.evaluate import write_mapping
    from mien.telling.terminal.target import mapping_summary

    finish(
        write_mapping(model, data, user_path(write_class_map, "--write-class-map"), columns), mapping_summary, json=json
    )


def _compare_tests(settings: EvaluateSettings, out: str | None, *, json: bool) -> None:
    if settings.classes.class_map or settings.decisions.corrections or settings.slicing.slices or out is not None:
        raise ConfigError(
            "evaluate: without photos the stored tests are compared; give photos behind the model for --slice, "
            "--class-map, --corrections and --out, or leave these out"
        )
    from mien.evaluation.against import compare_tests
    from mien.telling.terminal.evaluation import paired_summary

    finish(compare_tests(settings.model, settings.rivals.against), paired_summary, json=json)


def _score(settings: EvaluateSettings, out: str | None, *, json: bool) -> None:
    from mien.jobs.evaluate import run_evaluation
    from mien.telling.terminal.evaluation import evaluation_summary
    from mien.telling.terminal.summaries import TerminalProgress

    folder = None if out is None else user_path(out, "--out")
    with extra("report", "a page of mien evaluate") if folder else nullcontext():
        results = run_evaluation(settings, folder, progress=TerminalProgress())
    finish(results, evaluation_summary, json=json)
