"""``mien evaluate``."""

from __future__ import annotations

from mien.data.tables.class_map import read_class_map
from mien.data.tables.corrections import read_corrections
from mien.evaluation.evaluate import Evaluation, evaluate
from mien.labels import NOTHING_CHOSEN
from mien.progress import Progress
from mien.results.commands import EvaluateResults
from mien.settings.evaluate import EvaluateSettings

__all__ = ["run_evaluation"]


def run_evaluation(settings: EvaluateSettings, *, progress: Progress) -> EvaluateResults:
    """Score a model on labelled photos from elsewhere; see ``evaluate``."""
    corrections, class_map = settings.decisions.corrections, settings.classes.class_map
    options = Evaluation(
        settings.columns,
        read_corrections(corrections) if corrections is not None else None,
        read_class_map(class_map) if class_map is not None else NOTHING_CHOSEN,
        settings.slicing.slices,
    )
    return evaluate(settings.model, settings.data, None, options=options, progress=progress)
