"""Scores by the values of columns of the user's table, and whether one of them differs from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from mien.data.sources.sliced import given_values
from mien.data.tables.manifest import own_columns
from mien.evaluation.predictions import kind_of, probabilities
from mien.family import LEVEL, holm
from mien.labels import class_indices
from mien.metrics import score
from mien.results.scores import Over
from mien.results.slices import Slice, SlicedColumn, SliceDifference, Slices
from mien.subgroups import part_difference

__all__ = ["in_order", "measure_slices"]


@dataclass(frozen=True)
class _Answered:
    """Photos with their answers, (N,) each, as places in the labels, and the groups that are independent."""

    labels: tuple[str, ...]
    y_true: NDArray[np.int64]
    y_pred: NDArray[np.int64]
    groups: NDArray[np.int64]


def measure_slices(
    predictions: pl.DataFrame,
    manifest: pl.DataFrame,
    labels: Sequence[str],
    asked: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> Slices | None:
    """Scores of each value of some columns, with its difference from the other values of the column.

    Photos without a value are scored by themselves, and are compared with nothing.

    Args:
        asked: the columns.
        names: class of the table → class of the model; rows of other classes are left out.

    Returns:
        None where no columns are asked for.
    """
    if not asked:
        return None
    rows = predictions.filter(pl.col("label").is_in(list(names))) if names is not None else predictions
    answers = probabilities(rows, labels).argmax(1) if len(rows) else np.zeros(0, np.int64)
    photos = _Answered(
        tuple(labels), class_indices(rows["label"], labels, names), answers, rows["split_group"].to_numpy()
    )
    own = own_columns(manifest)
    known = {name: own[name] for name in asked if name in own}
    table = rows.select("row").join(
        manifest.select("row", *known.values()), on="row", how="left", maintain_order="left"
    )
    columns = tuple(_sliced(name, given_values(table[column]), photos, rows) for name, column in known.items())
    lacking = tuple(name for name in asked if name not in known)
    corrected, number = _corrected(columns)
    return Slices(columns=corrected, lacking=lacking, comparisons=number, level=LEVEL)


def in_order(values: pl.Series) -> list[str]:
    """The distinct values: by number where all are numbers, else by name."""
    distinct = sorted(values.drop_nulls().unique())
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct


def _sliced(name: str, values: pl.Series, photos: _Answered, rows: pl.DataFrame) -> SlicedColumn:
    """One column, whose verdicts are open until all columns are known."""
    given = values.is_not_null().to_numpy()
    found = []
    for value in in_order(values):
        in_part = (values == value).fill_null(False).to_numpy()
        found.append(_slice(value, in_part, given & ~in_part, photos, rows))
    if not given.all():
        found.append(_slice(None, ~given, np.zeros(len(given), np.bool_), photos, rows))
    return SlicedColumn(column=name, values=tuple(found))


def _slice(
    value: str | None, in_part: NDArray[np.bool_], rest: NDArray[np.bool_], photos: _Answered, rows: pl.DataFrame
) -> Slice:
    """One value, none of which is empty."""
    truth, answers, groups = photos.y_true, photos.y_pred, photos.groups
    found = score(truth[in_part], answers[in_part], photos.labels, groups=groups[in_part])
    assert found.macro_f1 is not None
    assert found.accuracy is not None
    both = in_part | rest
    apart = (
        part_difference(truth[both], (truth == answers)[both], in_part[both], groups[both])
        if value is not None
        else None
    )
    return Slice(
        value=value,
        images=found.n,
        over=Over.counted(found.groups, kind_of(rows)),
        classes=tuple(each.label for each in found.per_class if each.support),
        macro_f1=found.macro_f1,
        interval=found.macro_f1_interval,
        accuracy=found.accuracy,
        accuracy_interval=found.accuracy_interval,
        rest_groups=len(np.unique(groups[rest])),
        difference=SliceDifference(value=apart.value, interval=apart.interval, p=apart.p, p_holm=apart.p)
        if apart
        else None,
        verdict=None if value is None else "too few",
    )


def _corrected(columns: Sequence[SlicedColumn]) -> tuple[tuple[SlicedColumn, ...], int]:
    """The columns with their verdicts, and how many differences these were corrected for.

    Of two values each is the rest of the other, so that both are one difference.
    """
    tested = {
        (name, i): each.difference.p
        for name, column in enumerate(columns)
        for i, each in enumerate(column.values)
        if each.difference is not None and not (i == 1 and _are_two(column))
    }
    p_holm = dict(zip(tested, holm(list(tested.values())), strict=True))
    out = []
    for name, column in enumerate(columns):
        mirrored = _are_two(column)
        values = tuple(
            _judged(each, p_holm[name, 0 if mirrored else i]) if each.difference is not None else each
            for i, each in enumerate(column.values)
        )
        out.append(SlicedColumn(column=column.column, values=values))
    return tuple(out), len(tested)


def _are_two(column: SlicedColumn) -> bool:
    return sum(each.value is not None for each in column.values) == 2


def _judged(each: Slice, p_holm: float) -> Slice:
    assert each.difference is not None
    told = "better" if each.difference.value > 0 else "worse"
    verdict = told if p_holm <= LEVEL else "cannot tell"
    return replace(each, difference=replace(each.difference, p_holm=p_holm), verdict=verdict)
