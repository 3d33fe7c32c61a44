"""Probabilities and truth of every image, written once; every later number comes from this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien import metrics
from mien.data.grouping.independence import independent
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import own_columns, read_manifest
from mien.data.tables.prepare import Prepared
from mien.data.tables.streamed import pixels_of_study
from mien.errors import OutputError
from mien.labels import class_indices
from mien.metrics import LEAST_GROUPS, score
from mien.progress import Advance
from mien.recognizer import BATCH, Recognizer
from mien.results.file_names import PREDICTIONS
from mien.results.scores import ClassScores, GroupKind, Over, Scores
from mien.system.files import regular, written_whole
from mien.system.sums import check_kept, kept_whole

__all__ = [
    "as_predictions",
    "as_results",
    "kind_of",
    "over",
    "photos_of_study",
    "predict_rows",
    "probabilities",
    "read_predictions",
    "score_rows",
    "test_predictions",
    "view_batches",
    "write_predictions",
    "write_table",
]

PREFIX = "prob_"
MADE_AGAIN = "remove it, and a study makes it again with --resume"


def photos_of_study(model: Path) -> Prepared | None:
    """The photos of the study that a model file lies in, its target included; None where it lies in none."""
    model = model.resolve()
    study = model.parent.parent.parent
    if model.parent.parent.name != "runs" or not (study / "manifest.parquet").exists():
        return None
    manifest = read_manifest(study / "manifest.parquet")
    return Prepared(manifest, pixels_of_study(study, manifest))


def test_predictions(model: Path) -> pl.DataFrame | None:
    """Predictions of the test split that lie beside a model file; None where there are none."""
    path = model.parent / PREDICTIONS
    if not path.exists():
        return None
    test = read_predictions(path).filter(pl.col("split") == "test")
    return None if test.is_empty() else test


def predict_rows(recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, advance: Advance) -> pl.DataFrame:
    """Predict rows of a manifest from their decoded pixels.

    Returns:
        The rows' id, path, row, split, label and the user's own columns; ``split_group``, what each depends on, which
        intervals are over, and ``group_kind``, what these groups are; and one column of probabilities a class.
    """
    parts = [np.empty((0, len(recognizer.labels)))]
    for batch, views in view_batches(recognizer, pixels, rows):
        parts.append(recognizer.probabilities(views))
        advance(len(batch))
    return as_predictions(rows, np.concatenate(parts), recognizer.labels)


def as_predictions(rows: pl.DataFrame, probs: NDArray[np.float64], labels: Sequence[str]) -> pl.DataFrame:
    """Rows of a manifest with what was answered for them, (N, K), as a table of predictions."""
    groups = independent(rows)
    own = own_columns(rows).values()
    kept = rows.select("id", "path", "row", "split", "label", *own, pl.Series("split_group", groups.of, pl.Int64))
    kept = kept.with_columns(pl.lit(groups.kind).alias("group_kind"))
    return kept.with_columns(pl.Series(PREFIX + label, probs[:, k]) for k, label in enumerate(labels))


def kind_of(predictions: pl.DataFrame) -> GroupKind:
    """What the groups of a table of predictions are; of one from before, which did not say, merely groups."""
    kinds = set(predictions["group_kind"].drop_nulls()) if "group_kind" in predictions.columns else set()
    return cast(GroupKind, kinds.pop()) if len(kinds) == 1 else "groups"


def over(predictions: pl.DataFrame) -> Over:
    """What intervals of these predictions are over."""
    return Over.counted(predictions["split_group"].n_unique(), kind_of(predictions))


def view_batches(
    recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame
) -> Iterator[tuple[pl.DataFrame, dict[str, NDArray[np.uint8]]]]:
    """Rows of a manifest a batch at a time, each with what the model looks at, by the keys of its views."""
    for batch in rows.iter_slices(BATCH):
        yield batch, pixels.read_views(recognizer.contract.views, batch["row"].to_numpy())


def write_table(path: Path) -> None:
    """Write a table of predictions as a CSV beside it, whole or not at all; numbers have six digits.

    Raises:
        OutputError: if the table is damaged.
    """
    predictions = read_predictions(path)
    with written_whole(path.with_suffix(".csv")) as partial:
        predictions.write_csv(partial, float_precision=6)


def write_predictions(predictions: pl.DataFrame, path: Path) -> None:
    """Write the table as Parquet, whole or not at all."""
    with kept_whole(path) as partial:
        predictions.write_parquet(partial)


def read_predictions(path: Path) -> pl.DataFrame:
    """The table that ``write_predictions`` wrote.

    Raises:
        OutputError: if it is damaged.
    """
    try:
        return pl.read_parquet(regular(check_kept(path, MADE_AGAIN)), glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise OutputError(f"{path}: no table of predictions that can be read ({error}); {MADE_AGAIN}") from error


def probabilities(predictions: pl.DataFrame, labels: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities (N, K) in the given order of labels."""
    return predictions.select(PREFIX + label for label in labels).to_numpy()


def score_rows(
    predictions: pl.DataFrame,
    labels: Sequence[str],
    *,
    names: Mapping[str, str] | None = None,
    extra: Sequence[str] = (),
    limit: Sequence[str] | None = None,
) -> Scores:
    """Score a table of predictions.

    Args:
        labels: the model's classes.
        names: class of the table → class of the model or of ``extra``; equal names where none is given.
        extra: further true classes that the model cannot answer.
        limit: the model may answer these classes only; all of ``labels`` where None.
    """
    every = [*labels, *extra]
    answers = list(limit) if limit is not None else list(labels)
    y_true = class_indices(predictions["label"], every, names)
    best = probabilities(predictions, answers).argmax(1) if len(predictions) else np.zeros(0, np.int64)
    y_pred = class_indices(answers, every)[best]
    found = score(y_true, y_pred, every, groups=predictions["split_group"].to_numpy())
    return as_results(found, kind_of(predictions))


def as_results(found: metrics.Scores, kind: GroupKind = "pictures") -> Scores:
    """Scores as they are stored.

    Args:
        kind: what the groups were that they are over.
    """
    interval, chance = found.macro_f1_interval, found.chance
    return Scores(
        macro_f1=found.macro_f1,
        interval=interval,
        accuracy=found.accuracy,
        accuracy_interval=found.accuracy_interval,
        per_class={
            c.label: ClassScores(
                precision=c.precision,
                recall=c.recall,
                f1=c.f1,
                support=c.support,
                recall_interval=c.recall_interval if kind == "pictures" or c.groups >= LEAST_GROUPS else None,
            )
            for c in found.per_class
        },
        confusion=tuple(tuple(row) for row in found.confusion.tolist()),
        labels=found.labels,
        support={c.label: c.support for c in found.per_class},
        images=found.n,
        chance_macro_f1=chance,
        majority_accuracy=found.majority,
        beats_chance=interval is not None and chance is not None and interval.low > chance,
        over=Over.counted(found.groups, kind),
    )
