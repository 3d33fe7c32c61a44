"""Predictions as the rows of a table, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from mien.results.prediction import Prediction

__all__ = ["PROBABILITY", "prediction_rows", "prediction_table"]

PROBABILITY = "prob_"
"""Before the name of a class, of the column of its probabilities."""
SMOOTHED = "smoothed_prob_"
BOX = ("left", "top", "right", "bottom")


def prediction_table(
    predictions: Sequence[Prediction], photos: Sequence[int], labels: Sequence[str], *, is_smoothed: bool = False
) -> pl.DataFrame:
    """One row per answer.

    Args:
        predictions: the answers.
        photos: which photo of the input each is about, from 0.
        labels: the model's classes.
        is_smoothed: whether answers have averages over time.

    Returns:
        Columns ``photo``, ``path``, ``time``, ``frame``, ``seconds``, ``face_id``, ``status``, ``flags`` (a list),
        ``label``, ``prob_CLASS`` for each class, where smoothed also ``smoothed_label`` and ``smoothed_prob_CLASS``,
        the box of the face as ``left``, ``top``, ``right``, ``bottom``, and ``reason``.
    """
    columns: dict[str, tuple[list[object], pl.DataType]] = {"photo": ([*photos], pl.Int64())}

    def add(name: str, kind: pl.DataType, values: Sequence[object]) -> None:
        columns[name] = ([*values], kind)

    add("path", pl.String(), [each.path for each in predictions])
    add("time", pl.Float64(), [each.time for each in predictions])
    add("frame", pl.Int64(), [each.frame for each in predictions])
    add("seconds", pl.Float64(), [each.seconds for each in predictions])
    add("face_id", pl.Int64(), [each.face_id for each in predictions])
    add("status", pl.String(), [each.status for each in predictions])
    add("flags", pl.List(pl.String), [[*each.flags] for each in predictions])
    add("label", pl.String(), [each.label for each in predictions])
    for label in labels:
        add(PROBABILITY + label, pl.Float64(), [(each.probabilities or {}).get(label) for each in predictions])
    if is_smoothed:
        add("smoothed_label", pl.String(), [each.smoothed_label for each in predictions])
        for label in labels:
            add(SMOOTHED + label, pl.Float64(), [(each.smoothed or {}).get(label) for each in predictions])
    for place, edge in enumerate(BOX):
        add(edge, pl.Float64(), [each.face and each.face[place] for each in predictions])
    add("reason", pl.String(), [each.reason for each in predictions])
    return pl.DataFrame([pl.Series(name, values, kind) for name, (values, kind) in columns.items()])


def prediction_rows(table: pl.DataFrame, labels: Sequence[str]) -> Iterator[Prediction]:
    """The answers that ``prediction_table`` made the table of."""
    for row in table.iter_rows(named=True):
        smoothed = None
        if row.get("smoothed_label") is not None:
            smoothed = {label: row[SMOOTHED + label] for label in labels}
        yield Prediction(
            row["path"],
            row["status"],
            tuple(row["flags"]),
            row["label"],
            None if row["label"] is None else {label: row[PROBABILITY + label] for label in labels},
            face=None if row["left"] is None else (row["left"], row["top"], row["right"], row["bottom"]),
            time=row["time"],
            reason=row["reason"],
            frame=row["frame"],
            seconds=row["seconds"],
            face_id=row["face_id"],
            smoothed=smoothed,
            smoothed_label=row.get("smoothed_label"),
        )
