"""What arms reach on the photos of each value of a column, and how they differ there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.comparing.plan import PairPlan
from mien.comparing.results import LEAST_PICTURES, Pairing, Runs, truth_of
from mien.data.grouping.independence import independent
from mien.data.sources.sliced import given_values
from mien.data.tables.manifest import own_columns
from mien.evaluation.slices import in_order
from mien.family import holm
from mien.metrics import confusion_matrix, macro_f1
from mien.results.comparison import Axis, ComparedSlice, ComparedSlices, SliceContrast
from mien.results.scores import GroupKind, Over
from mien.significance import Estimate, Pair, estimate, paired, verdict

__all__ = ["Compared", "comparable_values", "compare_slices"]


@dataclass(frozen=True)
class Compared:
    """What was compared.

    Attributes:
        contrasts: under all budgets.
        runs: of every arm.
        plans: of every pair.
        labels: the classes.
        names: of the arms.
        budgets: by whose places contrasts and runs name them.
        kind: what is independent among the photos.
    """

    contrasts: Sequence[Pairing]
    runs: Runs
    plans: Sequence[PairPlan]
    labels: Sequence[str]
    names: Sequence[str]
    budgets: Sequence[Axis]
    kind: GroupKind


@dataclass(frozen=True)
class _Member:
    """The photos of one value of a column: of each pair, whether (N,) a photo of its outer fold is one of them."""

    column: str
    value: str | None
    parts: tuple[NDArray[np.bool_], ...]


def comparable_values(pool: pl.DataFrame, asked: Sequence[str]) -> int:
    """How many values of some columns are in enough groups of a pool to be compared, once all of it is tested."""
    if not asked:
        return 0
    own, units = own_columns(pool), pl.Series("unit", independent(pool).of)
    tables = (pl.DataFrame({"value": given_values(pool[own[name]]), "unit": units}) for name in asked if name in own)
    counted = (table.drop_nulls("value").group_by("value").agg(pl.col("unit").n_unique()) for table in tables)
    return sum(len(each.filter(pl.col("unit") >= LEAST_PICTURES)) for each in counted)


def compare_slices(compared: Compared, asked: Sequence[str]) -> ComparedSlices | None:
    """Every value of some columns, with each arm's macro-F1 and each contrast; Holm's correction is over all of them.

    Args:
        asked: the columns.

    Returns:
        None where no columns are asked for.
    """
    if not asked:
        return None
    members = [member for column in asked for member in _members(compared.plans, column)]
    found: dict[tuple[int, int], Estimate] = {}
    for i, member in enumerate(members):
        if member.value is None or _units(compared, member).n_unique() < LEAST_PICTURES:
            continue
        for c, contrast in enumerate(compared.contrasts):
            pairs = _pairs(compared, contrast, member)
            if len(pairs) > 1:
                found[i, c] = estimate(pairs)
    corrected = dict(zip(found, holm([each.p for each in found.values()]), strict=True))
    values = []
    for i, member in enumerate(members):
        contrasts = tuple(
            _contrast(compared, contrast, found.get((i, c)), corrected.get((i, c), 1.0), len(found))
            for c, contrast in enumerate(compared.contrasts)
        )
        values.append(_slice(compared, member, contrasts))
    return ComparedSlices(values=tuple(values), comparisons=len(found))


def _members(plans: Sequence[PairPlan], column: str) -> list[_Member]:
    """The values of a column in their order, photos without one last."""
    name = own_columns(plans[0].rows)[column]
    tested = [given_values(plan.split("test")[name]) for plan in plans]
    distinct = [*in_order(pl.concat(tested)), *([None] if any(values.has_nulls() for values in tested) else [])]
    return [_Member(column, value, tuple(_are(values, value) for values in tested)) for value in distinct]


def _are(values: pl.Series, value: str | None) -> NDArray[np.bool_]:
    """(N,) whether each is the value, or none at all."""
    return (values.is_null() if value is None else (values == value).fill_null(False)).to_numpy()


def _units(compared: Compared, member: _Member) -> pl.Series:
    """What the tested photos of a value belong to that is independent."""
    return pl.concat(
        plan.split("test")["unit"].filter(pl.Series(part))
        for plan, part in zip(compared.plans, member.parts, strict=True)
    )


def _pairs(compared: Compared, contrast: Pairing, member: _Member) -> list[Pair]:
    """The pairs of a contrast that test photos of a value, on these alone.

    How much runs have in common does not depend on the photos that are looked at, so the ratio stays that of the fold.
    """
    pairs = []
    for plan, part in zip(compared.plans, member.parts, strict=True):
        if not part.any():
            continue
        first, second = (
            compared.runs[contrast.budget, arm, plan.number].answers(compared.labels)
            for arm in (contrast.first, contrast.second)
        )
        n_trained, units = len(plan.split("train")), plan.split("test")["unit"].to_numpy()
        truth = truth_of(plan, compared.labels)
        pair = paired(truth[part], first[part], second[part], len(compared.labels), units[part], n_trained)
        pairs.append(dataclasses.replace(pair, ratio=len(part) / n_trained))
    return pairs


def _contrast(compared: Compared, contrast: Pairing, got: Estimate | None, p: float, family: int) -> SliceContrast:
    return SliceContrast(
        first=compared.names[contrast.first],
        second=compared.names[contrast.second],
        budget=compared.budgets[contrast.budget],
        macro_f1_difference=got.difference if got else None,
        interval=got.interval if got else None,
        p_holm=p if got else None,
        verdict=verdict(got, p, family) if got else "too few",
    )


def _slice(compared: Compared, member: _Member, contrasts: tuple[SliceContrast, ...]) -> ComparedSlice:
    rows = pl.concat(
        plan.split("test").filter(pl.Series(part)).select("row", "unit")
        for plan, part in zip(compared.plans, member.parts, strict=True)
    )
    return ComparedSlice(
        column=member.column,
        value=member.value,
        images=rows["row"].n_unique(),
        over=Over.counted(rows["unit"].n_unique(), compared.kind),
        arms={
            name: tuple(_reached(compared, b, a, member) for b in range(len(compared.budgets)))
            for a, name in enumerate(compared.names)
        },
        contrasts=contrasts if member.value is not None else (),
    )


def _reached(compared: Compared, budget: int, arm: int, member: _Member) -> float:
    """Macro-F1 of an arm's answers to the photos of a value, all pairs together, over the classes that these show."""
    k, counts = len(compared.labels), np.zeros((len(compared.labels),) * 2, np.int64)
    for plan, part in zip(compared.plans, member.parts, strict=True):
        answers = compared.runs[budget, arm, plan.number].answers(compared.labels)
        counts += confusion_matrix(truth_of(plan, compared.labels)[part], answers[part], k)
    return float(macro_f1(counts))
