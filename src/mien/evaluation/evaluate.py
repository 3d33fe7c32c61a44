"""Score a finished model on labelled photos that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mien.data.audit import audit, audit_json
from mien.data.collection import Collection, open_collection
from mien.data.corrections import Corrections
from mien.data.pixels import Pixels
from mien.data.prepare import prepare
from mien.data.sources import TableColumns
from mien.evaluation.causes import causes_json
from mien.evaluation.mistakes import confident_mistakes, error_rates_json, mistakes_json
from mien.evaluation.predictions import photos_of_study, predict_rows
from mien.evaluation.shift import known_collections, seen_in_training, target_json
from mien.evaluation.sureness import sureness_json
from mien.labels import match_labels
from mien.models.artifact import model_path
from mien.progress import Progress
from mien.recognizer import Recognizer

__all__ = ["evaluate"]


def evaluate(
    model: str,
    specs: Sequence[str],
    folder: Path,
    *,
    columns: TableColumns,
    corrections: Corrections | None,
    progress: Progress,
) -> dict[str, Any]:
    """Score a model on labelled sources.

    Args:
        model: run folder, study folder or model file.
        specs: labelled sources; all are checked before the first is read.
        folder: an empty folder to work in.
        columns: which columns of tables say what.
        corrections: of the one source there is.

    Returns:
        The documented object; ``target`` repeats the first of ``targets``.

    Raises:
        ModelError: if the model is none.
        LabelError: if a source shares no class with it.
    """
    path = model_path(model)
    recognizer, own = Recognizer(path), photos_of_study(path)
    sources = [open_collection([spec], columns) for spec in specs]
    for source in sources:
        match_labels(recognizer.labels, source.labels)
    targets = {
        source.spec: _evaluate_one(recognizer, own, source, folder / str(i), corrections, progress)
        for i, source in enumerate(sources)
    }
    return {
        "model": model,
        "labels": list(recognizer.labels),
        "target": targets[sources[0].spec],
        "targets": targets,
    }


def _evaluate_one(
    recognizer: Recognizer,
    own: tuple[pl.DataFrame, Pixels] | None,
    source: Collection,
    folder: Path,
    corrections: Corrections | None,
    progress: Progress,
) -> dict[str, Any]:
    folder.mkdir(parents=True)
    prepared = prepare([source], recognizer.contract.views, folder, corrections=corrections, progress=progress)
    rows = prepared.manifest.filter(pl.col("status") == "ok").with_columns(
        pl.lit("target").alias("split"), pl.col("near_group").alias("split_group")
    )
    with progress.step(f"predict {source.name}", len(rows), "photos") as advance:
        predictions = predict_rows(recognizer, prepared.pixels, rows, advance)
    scored = target_json(predictions, recognizer.labels, None)
    names = scored["labels"]["matched"]
    return scored | {
        "seen_in_training": seen_in_training(recognizer.contract, rows),
        "sureness": sureness_json(recognizer.contract, predictions, names),
        "known_collections": known_collections(recognizer.contract, source.names),
        "causes": _causes(recognizer, own, rows, scored),
        "data": audit_json(source, audit(prepared.manifest)),
        "mistakes": mistakes_json(confident_mistakes(predictions, recognizer.labels, names)),
        "error_rates": error_rates_json(predictions, prepared.manifest, recognizer.labels, names),
    }


def _causes(
    recognizer: Recognizer, own: tuple[pl.DataFrame, Pixels] | None, rows: pl.DataFrame, scored: dict[str, Any]
) -> dict[str, Any] | None:
    """Why it scores otherwise than on the test photos of the study that the model lies in."""
    if own is None:
        return None
    manifest, pixels = own
    return causes_json(recognizer, pixels, manifest.filter(pl.col("split") == "test"), rows, scored)
