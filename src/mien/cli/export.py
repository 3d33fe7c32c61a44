"""``mien export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import Json
from mien.settings.export import Storage
from mien.settings.groups import OUTPUT
from mien.system.paths import user_path

__all__ = ["export"]


def export(
    model: str,
    /,
    *,
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    storage: Storage = Storage(),
    json: Json = False,
) -> None:
    """Write a model file and say what that costs.

    Args:
        model: Study folder, run folder, model.onnx, or default.
        out: File to write. Default: the model's name and precision in the current folder.
    """
    from mien.evaluation.exporting import export as export_model
    from mien.telling.terminal.summaries import export_summary

    precision = storage.stored_precision
    name = Path(model).resolve().name.removesuffix(".onnx")
    path = user_path(out, "--out") if out is not None else Path(f"{name}-{precision}.onnx")
    finish(export_model(model, path, precision), export_summary, json=json)
