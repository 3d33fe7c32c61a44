"""Everything that is said of one set of photos from elsewhere, by a study and by ``mien evaluate`` alike."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from mien.data.grouping.duplicates import is_copy_of
from mien.data.sources.collection import Collection
from mien.data.tables.counts import count_audit
from mien.data.tables.manifest import usable
from mien.data.tables.prepare import Prepared
from mien.evaluation.causes import find_causes
from mien.evaluation.drift import confusion_changes, measure_drift
from mien.evaluation.enough import good_enough
from mien.evaluation.familiar import familiar_collections, is_known
from mien.evaluation.mistakes import confident_mistakes, error_rates
from mien.evaluation.raters import measure_raters
from mien.evaluation.shift import seen_in_training
from mien.evaluation.slices import measure_slices
from mien.evaluation.sureness import measure_sureness
from mien.recognizer import Recognizer
from mien.results.target import TargetResults, TargetScores

__all__ = ["describe_target", "near_copies"]


def describe_target(
    scored: TargetScores,
    recognizer: Recognizer,
    predictions: pl.DataFrame,
    *,
    test: pl.DataFrame | None,
    collection: Collection,
    target: Prepared,
    own: Prepared | None,
    recurring_groups: int = 0,
    slices: Sequence[str] = (),
) -> TargetResults:
    """Add to a target's scores what they rest on, and why they are what they are.

    Args:
        predictions: of the target.
        test: predictions of the test split; None where there are none.
        collection: what the target was opened as.
        target: every file of it.
        own: the photos of the study that the model was made in; None where they are not at hand.
        recurring_groups: pictures that stand in data and target.
        slices: columns by which scores are looked at apart.
    """
    names = scored.labels.matched
    rows = usable(target.manifest).filter(~pl.col("label").is_in(scored.labels.dropped))
    labels = recognizer.labels
    seen = seen_in_training(recognizer.contract, rows)
    copies = near_copies(rows, target, own) if own else None
    collections = familiar_collections(recognizer.contract, rows, target.pixels, collection.names)
    known = tuple(each.name for each in collections if is_known(each))
    is_new = not (copies or seen or known)
    return TargetResults(
        **msgspec.structs.asdict(scored),
        data=count_audit(collection, target.manifest),
        seen_in_training=seen,
        near_copies=copies,
        known_collections=known,
        collections=collections,
        recurring_groups=recurring_groups,
        is_new=is_new,
        good_enough=good_enough(scored.shared, is_new=is_new),
        sureness=measure_sureness(recognizer.contract, predictions, names, is_new=is_new),
        causes=find_causes(recognizer, own.pixels, _test(own), rows, scored) if own else None,
        drift=measure_drift(_divided(own), rows, names) if own else None,
        confusion_changes=confusion_changes(test, predictions, labels, names) if test is not None else None,
        mistakes=confident_mistakes(predictions, labels, names),
        error_rates=error_rates(predictions, target.manifest, labels, names),
        raters=measure_raters(target.manifest, predictions, labels, names),
        slices=measure_slices(predictions, target.manifest, labels, slices, names),
    )


def near_copies(rows: pl.DataFrame, target: Prepared, own: Prepared) -> int:
    """How many photos are copies, perhaps re-encoded, of photos that the model was trained or selected on."""
    trained = own.manifest.filter(pl.col("split").is_in(["train", "val"]))
    return int(is_copy_of(rows, target.pixels, own=trained, own_pixels=own.pixels).sum())


def _divided(own: Prepared) -> pl.DataFrame:
    return own.manifest.filter(pl.col("split").is_in(["train", "val", "test"]))


def _test(own: Prepared) -> pl.DataFrame:
    return own.manifest.filter(pl.col("split") == "test")
