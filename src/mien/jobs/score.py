"""``mien score``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from mien.data.tables.class_map import read_class_map
from mien.data.tables.corrections import read_corrections
from mien.evaluation.predictions import write_predictions, write_table
from mien.evaluation.scored import Scoring, score_answers, write_answer_mapping
from mien.labels import NOTHING_CHOSEN
from mien.progress import Progress
from mien.results.commands import ClassMapResults, EvaluatePaths, ScoreResults
from mien.results.document import write_results
from mien.settings.score import ScoreSettings
from mien.system.files import SUMS
from mien.system.new_folders import new_folder

__all__ = ["run_score", "write_score_mapping"]

PAGE, TABLE = "score.html", "predictions.parquet"
_WHOLE = (PAGE, TABLE, "predictions.csv", SUMS)
_WRITTEN_BEFORE_RESULTS = (*_WHOLE, *(f"{name}.partial" for name in (*_WHOLE, "results.json")))


def run_score(
    settings: ScoreSettings,
    folder: Path | None,
    *,
    progress: Progress,
    answers_called: str | None = None,
    photos_called: str | None = None,
) -> ScoreResults:
    """Score the answers, and write results, page and the answers as a table of predictions.

    Args:
        folder: to write, which must not hold anything; None writes nothing.
        answers_called: what results call the answers, in place of their path.
        photos_called: what they call the photos.
    """
    options = _options(settings)
    called = {"answers": answers_called or settings.answers, "photos": photos_called or settings.photos}
    if folder is None:
        found = score_answers(settings.answers, settings.photos, options=options, progress=progress)
        return msgspec.structs.replace(found, **called)
    from mien.telling.report.evaluation_page import write_score_page  # numbers alone need no matplotlib

    kept: list[pl.DataFrame] = []
    with new_folder(folder, _WRITTEN_BEFORE_RESULTS):
        found = score_answers(settings.answers, settings.photos, options=options, progress=progress, keep=kept.append)
        page, table = folder / PAGE, folder / TABLE
        write_predictions(kept[0], table)
        write_table(table)
        results = msgspec.structs.replace(
            found,
            **called,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            paths=EvaluatePaths(report=str(page), predictions=(str(table),)),
        )
        write_score_page(results, page)
        write_results(results, folder)
    return results


def write_score_mapping(settings: ScoreSettings, path: Path) -> ClassMapResults:
    """Write how the photos' classes are matched to those of the answers; nothing is scored."""
    return write_answer_mapping(settings.answers, settings.photos, path, _options(settings))


def _options(settings: ScoreSettings) -> Scoring:
    corrections, class_map = settings.decisions.corrections, settings.classes.class_map
    return Scoring(
        settings.columns,
        settings.answer_columns,
        read_corrections(corrections) if corrections is not None else None,
        read_class_map(class_map) if class_map is not None else NOTHING_CHOSEN,
        settings.slicing.slices,
        settings.rivals.against,
    )
