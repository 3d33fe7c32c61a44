"""``mien adapt``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, Json, output_folder
from mien.extras import extra
from mien.settings.adapt import Adaptation, AdaptSettings
from mien.settings.columns import Columns
from mien.settings.division import Randomness
from mien.settings.groups import OUTPUT
from mien.settings.target import ClassMap

__all__ = ["adapt"]


def adapt(
    model: str,
    target: str,
    /,
    *,
    adaptation: Adaptation = Adaptation(),
    classes: ClassMap = ClassMap(),
    columns: ColumnOptions = Columns(),
    randomness: Randomness = Randomness(),
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    json: Json = False,
) -> None:
    """Measure what adapting a model gives, and say so.

    Args:
        model: Study folder, or a run folder or model.onnx in one.
        target: Labelled photos from elsewhere, as for 'mien study'; half of them is only scored.
        out: Folder to write. Default: mien-adapt-NAME in the current folder.
    """
    settings = AdaptSettings(
        model=model,
        target=target,
        adaptation=adaptation,
        classes=classes,
        columns=columns,
        randomness=randomness,
    )
    with extra("train", "adapting"):
        from mien.jobs.adapt import run_adaptation
        from mien.telling.terminal.adaptation import adaptation_summary
    from mien.telling.terminal.summaries import TerminalProgress

    place = output_folder(out, (target,), "mien-adapt")
    finish(run_adaptation(settings, place, progress=TerminalProgress()), adaptation_summary, json=json)
