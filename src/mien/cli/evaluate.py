"""``mien evaluate``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, Json, Sources
from mien.errors import ConfigError
from mien.settings.columns import Columns
from mien.settings.division import Decisions
from mien.settings.evaluate import EvaluateSettings
from mien.settings.groups import OUTPUT
from mien.settings.slicing import Slicing
from mien.settings.target import ClassMap
from mien.system.paths import user_path

__all__ = ["evaluate"]


def evaluate(
    model: str,
    data: Sources,
    /,
    *,
    classes: ClassMap = ClassMap(),
    slicing: Slicing = Slicing(),
    write_class_map: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    decisions: Decisions = Decisions(),
    columns: ColumnOptions = Columns(),
    json: Json = False,
) -> None:
    """Score a model on other photos, or write how their classes are matched.

    Args:
        model: Study folder, run folder, model.onnx, or one that comes with mien: default, six.
        data: Labelled photos, as for 'mien study', each scored by itself; with --corrections a single one.
        write_class_map: TOML file to write how classes are matched to, for you to edit and give as --class-map; nothing
            is scored then.
    """
    settings = EvaluateSettings(
        model=model, data=data, columns=columns, decisions=decisions, classes=classes, slicing=slicing
    )
    if write_class_map is None:
        _score(settings, json=json)
        return
    if classes.class_map or decisions.corrections or slicing.slices:
        raise ConfigError(
            "evaluate: --write-class-map scores nothing; give it without --class-map, --corrections and --slice"
        )
    from mien.evaluation.evaluate import write_mapping
    from mien.telling.terminal.target import mapping_summary

    finish(
        write_mapping(model, data, user_path(write_class_map, "--write-class-map"), columns), mapping_summary, json=json
    )


def _score(settings: EvaluateSettings, *, json: bool) -> None:
    from mien.jobs.evaluate import run_evaluation
    from mien.telling.terminal.summaries import TerminalProgress
    from mien.telling.terminal.target import evaluation_summary

    finish(run_evaluation(settings, progress=TerminalProgress()), evaluation_summary, json=json)
