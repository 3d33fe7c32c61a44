"""Scores on photos from elsewhere, with classes matched by name, and the change from the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mien.evaluation.predictions import score_rows
from mien.labels import LabelMap, match_labels
from mien.models.artifact import HASH_LENGTH, Contract
from mien.results.scores import Scores
from mien.results.target import Change, LabelMatching, Reference, TargetScores

__all__ = ["REFERENCES", "reference_for", "score_target", "seen_in_training"]

REFERENCES: dict[tuple[tuple[str, int], ...], Reference] = {
    (("anger", 958), ("disgust", 111), ("fear", 1024), ("happy", 1774), ("sad", 1247)): Reference(
        what="the course notebook that mien grew from, on the same photos (test half of FER2013)",
        accuracy=0.216,
        macro_f1=0.111,
    ),
}
"""Published results that a user will want to see beside theirs, by the true images of each shared class."""


def score_target(
    predictions: pl.DataFrame,
    labels: Sequence[str],
    test: Scores | None,
    label_map: LabelMap | None = None,
    no_answer: str | None = None,
) -> TargetScores:
    """Score a target set three ways, and compare with the test split.

    ``all`` counts every image but those of classes that a person dropped: classes the model does not know are always
    wrong. ``shared`` keeps the shared classes; the model may still answer any of its own. ``shared_limited`` also
    limits its answers to them.

    Args:
        predictions: of the target, with the target's own class names.
        labels: the model's classes.
        test: the scores of the test split, for the change; None where there is none.
        label_map: how the target's classes answer to those; None matches them by name.
        no_answer: which of ``labels`` stands for a photo that was not answered; None where all were.

    Raises:
        LabelError: if no class is shared.
    """
    present = sorted(set(predictions["label"]))
    label_map = label_map.among(present) if label_map else match_labels(labels, present)
    predictions = predictions.filter(~pl.col("label").is_in(list(label_map.dropped)))
    names = label_map.matched
    shared_rows = predictions.filter(pl.col("label").is_in(list(names)))
    shared = [label for label in labels if label in label_map.shared or label == no_answer]
    scores = score_rows(shared_rows, labels, names=names)
    return TargetScores(
        labels=LabelMatching(
            matched=label_map.matched,
            kinds=label_map.kinds,
            extra=label_map.extra,
            missing=label_map.missing,
            dropped=label_map.dropped,
        ),
        all=score_rows(predictions, labels, names=names, extra=label_map.extra),
        shared=scores,
        shared_limited=score_rows(shared_rows, shared, names=names, limit=shared),
        reference=reference_for(scores.support),
        change_from_test=_change(test, scores) if test is not None else None,
    )


def reference_for(support: Mapping[str, int]) -> Reference | None:
    """A published result on exactly these photos, if one is known."""
    return REFERENCES.get(tuple(sorted((label, n) for label, n in support.items() if n)))


def seen_in_training(contract: Contract, manifest: pl.DataFrame) -> int:
    """How many images the model or its backbone was trained on, byte for byte."""
    hashes = manifest["sha256"].drop_nulls().str.slice(0, HASH_LENGTH)
    return int(hashes.is_in(list(contract.training_hashes)).sum())


def _change(test: Scores, shared: Scores) -> Change:
    """Target less test, over the classes that the target has.

    F1 depends on the other classes too, so this says what a user will see, not why.
    """
    present = [label for label, n in shared.support.items() if n]
    in_domain = [f1 for label in present if (f1 := test.per_class[label].f1) is not None]
    if not present or len(in_domain) < len(present) or shared.macro_f1 is None or shared.accuracy is None:
        return Change(macro_f1=None, accuracy=None)
    right = sum(test.confusion[i][i] for i, label in enumerate(test.labels) if label in present)
    n = sum(test.support[label] for label in present)
    return Change(macro_f1=shared.macro_f1 - sum(in_domain) / len(in_domain), accuracy=shared.accuracy - right / n)
