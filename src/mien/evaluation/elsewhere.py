"""Everything that is said of one set of photos from elsewhere, by a study and by ``mien evaluate`` alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from mien.data.audit import audit, audit_json
from mien.data.collection import Collection
from mien.data.duplicates import is_copy_of
from mien.data.manifest import usable
from mien.data.prepare import Prepared
from mien.evaluation.causes import causes_json
from mien.evaluation.drift import confusion_changes, drift_json
from mien.evaluation.mistakes import confident_mistakes, error_rates_json, mistakes_json
from mien.evaluation.shift import known_collections, seen_in_training
from mien.evaluation.sureness import sureness_json
from mien.recognizer import Recognizer

__all__ = ["elsewhere_json"]


def elsewhere_json(
    scored: dict[str, Any],
    recognizer: Recognizer,
    predictions: pl.DataFrame,
    *,
    test: Mapping[str, Any] | None,
    collection: Collection,
    target: Prepared,
    own: Prepared | None,
) -> dict[str, Any]:
    """Add to a target's scores what they rest on, and why they are what they are.

    Args:
        scored: as ``target_json`` gives them.
        predictions: of the target.
        test: scores of the test split; None where there are none.
        collection: what the target was opened as.
        target: every file of it.
        own: the photos of the study that the model was made in; None where they are not at hand.

    Returns:
        The documented object.
    """
    names = scored["labels"]["matched"]
    rows = usable(target.manifest).filter(~pl.col("label").is_in(scored["labels"]["dropped"]))
    labels = recognizer.labels
    return scored | {
        "data": audit_json(collection, audit(target.manifest)),
        "seen_in_training": seen_in_training(recognizer.contract, rows),
        "near_copies": _near_copies(rows, target, own) if own else None,
        "known_collections": known_collections(recognizer.contract, collection.names),
        "sureness": sureness_json(recognizer.contract, predictions, names),
        "causes": causes_json(recognizer, own.pixels, _test(own), rows, scored) if own else None,
        "drift": drift_json(_divided(own), rows, names) if own else None,
        "confusion_changes": confusion_changes(test, scored["shared"]) if test else None,
        "mistakes": mistakes_json(confident_mistakes(predictions, labels, names)),
        "error_rates": error_rates_json(predictions, target.manifest, labels, names),
    }


def _near_copies(rows: pl.DataFrame, target: Prepared, own: Prepared) -> int:
    """How many photos are copies, perhaps re-encoded, of photos that the model was trained or selected on."""
    trained = own.manifest.filter(pl.col("split").is_in(["train", "val"]))
    return int(is_copy_of(rows, target.pixels, own=trained, own_pixels=own.pixels).sum())


def _divided(own: Prepared) -> pl.DataFrame:
    return own.manifest.filter(pl.col("split").is_in(["train", "val", "test"]))


def _test(own: Prepared) -> pl.DataFrame:
    return own.manifest.filter(pl.col("split") == "test")
