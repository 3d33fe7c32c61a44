"""``mien evaluate``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mien.data.tables.class_map import read_class_map
from mien.data.tables.corrections import read_corrections
from mien.evaluation.evaluate import Evaluation, evaluate
from mien.labels import NOTHING_CHOSEN
from mien.progress import Progress
from mien.results.commands import EvaluatePaths, EvaluateResults
from mien.results.document import write_results
from mien.settings.evaluate import EvaluateSettings
from mien.system.new_folders import new_folder

__all__ = ["run_evaluation"]

WRITTEN_BEFORE_RESULTS = ("evaluate.html", "evaluate.html.partial", "results.json.partial")


def run_evaluation(
    settings: EvaluateSettings, folder: Path | None, *, progress: Progress, called: str | None = None
) -> EvaluateResults:
    """Score the model on each set of photos, and write results and page.

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
        return _called(called, evaluate(settings.model, settings.data, None, options=options, progress=progress))
    from mien.telling.report.evaluation_page import write_page  # numbers alone need no matplotlib

    with new_folder(folder, WRITTEN_BEFORE_RESULTS):
        results = _called(called, evaluate(settings.model, settings.data, None, options=options, progress=progress))
        page = folder / "evaluate.html"
        results = msgspec.structs.replace(results, paths=EvaluatePaths(report=str(page)))
        write_page(results, page)
        write_results(results, folder)
    return results


def _called(name: str | None, results: EvaluateResults) -> EvaluateResults:
    """The same, of photos by another name."""
    return results if name is None else msgspec.structs.replace(results, targets={name: results.target})
