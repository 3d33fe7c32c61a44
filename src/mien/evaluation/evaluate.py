"""Score a finished model on labelled photos that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mien.data.audit import audit
from mien.data.prepare import audit_json, prepare
from mien.data.sources import Source, open_source
from mien.evaluation.mistakes import confident_mistakes, error_rates_json, mistakes_json
from mien.evaluation.predictions import predict_rows
from mien.evaluation.shift import seen_in_training, target_json
from mien.labels import match_labels
from mien.progress import Progress
from mien.recognizer import Recognizer

__all__ = ["evaluate"]


def evaluate(model: str, specs: Sequence[str], folder: Path, progress: Progress) -> dict[str, Any]:
    """Score a model on labelled sources.

    Args:
        model: run folder, study folder or model file.
        specs: labelled sources; all are checked before the first is read.
        folder: an empty folder to work in.

    Returns:
        The documented object; ``target`` repeats the first of ``targets``.

    Raises:
        ModelError: if the model is none.
        LabelError: if a source shares no class with it.
    """
    recognizer = Recognizer(model)
    sources = [open_source(spec) for spec in specs]
    for source in sources:
        match_labels(recognizer.labels, source.labels)
    targets = {
        source.spec: _evaluate_one(recognizer, source, folder / str(i), progress) for i, source in enumerate(sources)
    }
    return {
        "model": model,
        "labels": list(recognizer.labels),
        "target": targets[sources[0].spec],
        "targets": targets,
    }


def _evaluate_one(recognizer: Recognizer, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
    folder.mkdir(parents=True)
    prepared = prepare(None, [source], recognizer.contract.views, folder, progress=progress)
    rows = prepared.manifest.filter(pl.col("split") == "target")
    with progress.step(f"predict {source.name}", len(rows), "photos") as advance:
        predictions = predict_rows(recognizer, prepared.pixels, rows, advance)
    scored = target_json(predictions, recognizer.labels, None)
    names = scored["labels"]["matched"]
    return scored | {
        "seen_in_training": seen_in_training(recognizer.contract, rows),
        "data": audit_json(source, audit(prepared.manifest)),
        "mistakes": mistakes_json(confident_mistakes(predictions, recognizer.labels, names)),
        "error_rates": error_rates_json(predictions, prepared.manifest, recognizer.labels, names),
    }
