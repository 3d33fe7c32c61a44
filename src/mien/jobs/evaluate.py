"""``mien evaluate``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from mien.cluster.connecting import on_cluster
from mien.data.tables.class_map import read_class_map
from mien.data.tables.corrections import read_corrections
from mien.evaluation.evaluate import Evaluation, evaluate
from mien.evaluation.predictions import write_predictions, write_table
from mien.labels import NOTHING_CHOSEN
from mien.progress import Progress
from mien.results.commands import EvaluatePaths, EvaluateResults
from mien.results.document import write_results
from mien.settings.evaluate import EvaluateSettings
from mien.system.files import SUMS
from mien.system.new_folders import new_folder

__all__ = ["run_evaluation"]

PAGE, TABLE = "evaluate.html", "predictions"


def _written_before_results(sets: int) -> tuple[str, ...]:
    """Names of the files that may be there before the results are, half written ones included."""
    tables = [f"{name}.{kind}" for name in _tables(sets) for kind in ("parquet", "csv")]
    whole = (PAGE, *tables, SUMS)
    return (*whole, *(f"{name}.partial" for name in (*whole, "results.json")))


def _tables(sets: int) -> list[str]:
    """Names of the tables of predictions, without an ending; numbered from 1 where there are several."""
    return [TABLE] if sets == 1 else [f"{TABLE}-{number}" for number in range(1, sets + 1)]


def run_evaluation(
    settings: EvaluateSettings, folder: Path | None, *, progress: Progress, called: str | None = None
) -> EvaluateResults:
    """Score the model on each set of photos, and write results, page and tables of predictions.

    Args:
        folder: to write, which must not hold anything; None writes nothing.
        called: what results call the one set of photos there is, in place of its path.
    """
    corrections, class_map = settings.decisions.corrections, settings.classes.class_map
    options = Evaluation(
        settings.columns,
        read_corrections(corrections) if corrections is not None else None,
        read_class_map(class_map) if class_map is not None else NOTHING_CHOSEN,
        settings.slicing.slices,
        settings.rivals.against,
    )
    if folder is None:
        with on_cluster(settings.workers.cluster, progress):
            return _called(called, evaluate(settings.model, settings.data, None, options=options, progress=progress))
    from mien.telling.report.evaluation_page import write_page  # numbers alone need no matplotlib

    answers: list[pl.DataFrame] = []
    before = _written_before_results(len(settings.data))
    with new_folder(folder, before), on_cluster(settings.workers.cluster, progress):
        results = evaluate(settings.model, settings.data, None, options=options, progress=progress, keep=answers.append)
        page, tables = folder / PAGE, [folder / f"{name}.parquet" for name in _tables(len(answers))]
        for predictions, path in zip(answers, tables, strict=True):
            write_predictions(predictions, path)
            write_table(path)
        results = msgspec.structs.replace(
            _called(called, results),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            paths=EvaluatePaths(report=str(page), predictions=tuple(map(str, tables))),
        )
        write_page(results, page)
        write_results(results, folder)
    return results


def _called(name: str | None, results: EvaluateResults) -> EvaluateResults:
    """The same, of photos by another name."""
    return results if name is None else msgspec.structs.replace(results, targets={name: results.target})
