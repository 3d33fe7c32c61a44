"""The numbers of a comparison: scores and costs of arms, verdicts of contrasts, curves against each budget's axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.comparing.arms import Arm
from mien.comparing.growth import extrapolated
from mien.comparing.plan import PairPlan
from mien.comparing.run import Finished
from mien.family import holm
from mien.labels import class_indices
from mien.metrics import confusion_matrix, macro_f1, score
from mien.results.comparison import ArmScores, Axis, ClassChange, Contrast, Curve, Curves, SizeCurve, SizePoint
from mien.results.scores import GroupKind, Over
from mien.significance import Estimate, Pair, estimate, needed, paired, verdict

__all__ = ["Pairing", "Runs", "arm_scores", "contrast_results", "curves", "size_curves", "truth_of"]

Runs = dict[tuple[int, int, int], Finished]
"""(budget, arm, pair) → run."""

LEAST_PICTURES = 10
"""Tested groups of a class (people, or pictures with their copies) from which on a change of its F1 is judged: a few
that are all right or all wrong do not vary, and would seem certain."""
POINTS = 40
"""Points of a curve against seconds, whose runs have no common steps."""


@dataclass(frozen=True)
class Pairing:
    """A first arm against a second one under one budget; places in their lists."""

    budget: int
    first: int
    second: int
    is_primary: bool


def arm_scores(runs: Runs, budget: int, arm: int, plans: Sequence[PairPlan], labels: Sequence[str]) -> ArmScores:
    """Scores and costs of an arm under a budget, pair by pair and on average."""
    finished = [runs[budget, arm, plan.number] for plan in plans]
    scores = [_macro_f1(run, plan, labels) for run, plan in zip(finished, plans, strict=True)]
    cost = {name: float(np.sum([run.cost[name] for run in finished])) for name in finished[0].cost}
    chance, beats_chance = _against_chance(finished, plans, labels)
    return ArmScores(
        chance_macro_f1=chance,
        beats_chance=beats_chance,
        macro_f1=float(np.mean(scores)),
        spread=float(np.std(scores, ddof=1)),
        by_pair=tuple(scores),
        runs=tuple(run.key for run in finished),
        seconds_a_run=cost["seconds"] / len(plans),
        images_a_second=cost["images"] / cost["seconds"] if cost["seconds"] else None,
        waiting_share=cost["waiting"] / cost["seconds"] if cost["seconds"] else None,
        updates_a_run=cost["updates"] / len(plans),
        epochs_a_run=float(np.mean([len(run.history) for run in finished])),
    )


def _against_chance(
    finished: Sequence[Finished], plans: Sequence[PairPlan], labels: Sequence[str]
) -> tuple[float | None, bool | None]:
    """Macro-F1 by chance, and whether that of all answers together is above it; None for too few groups to tell."""
    truth = np.concatenate([truth_of(plan, labels) for plan in plans])
    answers = np.concatenate([run.answers(labels) for run in finished])
    groups = np.concatenate([plan.split("test")["unit"].to_numpy() for plan in plans])
    found = score(truth, answers, labels, groups=groups)
    if found.macro_f1_interval is None or found.chance is None:
        return found.chance, None
    return found.chance, found.macro_f1_interval.low > found.chance


def contrast_results(
    contrasts: Sequence[Pairing],
    runs: Runs,
    plans: Sequence[PairPlan],
    labels: Sequence[str],
    names: Sequence[str],
    budgets: Sequence[Axis],
    kind: GroupKind,
) -> tuple[Contrast, ...]:
    """Every contrast with its difference, interval, p before and after Holm's correction, and verdict.

    Args:
        kind: what is independent among the photos.
    """
    found = [estimate(_pairs(each, runs, plans, labels)) for each in contrasts]
    corrected = holm([each.p for each in found])
    by_class = _by_class(contrasts, runs, plans, labels)
    entries = []
    for contrast, got, p, of_classes in zip(contrasts, found, corrected, by_class, strict=True):
        judged = verdict(got, p, len(found))
        more = needed(got, len(found)) if judged == "cannot tell" else None
        entries.append(
            Contrast(
                first=names[contrast.first],
                second=names[contrast.second],
                is_primary=contrast.is_primary,
                budget=budgets[contrast.budget],
                macro_f1_difference=got.difference,
                interval=got.interval,
                standard_error=got.standard_error,
                df=got.df,
                p=got.p,
                p_holm=p,
                pairs=got.pairs,
                pictures=got.groups,
                verdict=judged,
                pairs_needed=more.pairs if more else None,
                pictures_needed=more.photos if more else None,
                per_class=of_classes,
                over=Over.counted(got.groups, kind),
            )
        )
    return tuple(entries)


def _by_class(
    contrasts: Sequence[Pairing], runs: Runs, plans: Sequence[PairPlan], labels: Sequence[str]
) -> list[dict[str, ClassChange | None]]:
    """For each contrast the difference of each class's F1; Holm's correction is over all of them.

    A fold without photos of a class says nothing of it. None stands where fewer than two have some, and for a class of
    fewer groups than ``LEAST_PICTURES``.
    """
    found: dict[tuple[int, str], Estimate] = {}
    for k, label in enumerate(labels):
        tested = [plan.split("test").filter(pl.col("label") == label)["unit"] for plan in plans]
        having = [plan for plan, groups in zip(plans, tested, strict=True) if len(groups)]
        if len(having) > 1 and pl.concat(tested).n_unique() >= LEAST_PICTURES:
            for i, contrast in enumerate(contrasts):
                found[i, label] = estimate(_pairs(contrast, runs, having, labels, k))
    corrected = dict(zip(found, holm([each.p for each in found.values()]), strict=True))
    return [
        {label: _class_change(found.get((i, label)), corrected.get((i, label), 1.0), len(found)) for label in labels}
        for i in range(len(contrasts))
    ]


def _class_change(got: Estimate | None, p: float, family: int) -> ClassChange | None:
    if got is None:
        return None
    return ClassChange(f1_difference=got.difference, interval=got.interval, p_holm=p, verdict=verdict(got, p, family))


def _pairs(
    contrast: Pairing, runs: Runs, plans: Sequence[PairPlan], labels: Sequence[str], of: int | None = None
) -> list[Pair]:
    return [
        paired(
            truth_of(plan, labels),
            runs[contrast.budget, contrast.first, plan.number].answers(labels),
            runs[contrast.budget, contrast.second, plan.number].answers(labels),
            len(labels),
            plan.split("test")["unit"].to_numpy(),
            len(plan.split("train")),
            of,
        )
        for plan in plans
    ]


def truth_of(plan: PairPlan, labels: Sequence[str]) -> NDArray[np.int64]:
    """(N,) classes of the photos of a pair's outer fold."""
    return class_indices(plan.split("test")["label"], labels)


def _macro_f1(run: Finished, plan: PairPlan, labels: Sequence[str]) -> float:
    return float(macro_f1(confusion_matrix(truth_of(plan, labels), run.answers(labels), len(labels))))


def curves(runs: Runs, names: Sequence[str], budgets: Sequence[Axis], n_pairs: int) -> tuple[Curves, ...]:
    """For each budget, the validation macro-F1 of each arm along the budget's axis: mean and spread over the pairs."""
    found = []
    for b, budget in enumerate(budgets):
        arms = {}
        for a, name in enumerate(names):
            lines = [_line(runs[b, a, i].history, budget.axis) for i in range(n_pairs)]
            if all(len(x) for x, _ in lines):
                arms[name] = _mean_line(lines)
        found.append(Curves(axis=budget.axis, arms=arms))
    return tuple(found)


def _line(history: Sequence[Mapping[str, float]], axis: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.array([row[axis if axis != "epochs" else "epoch"] for row in history], np.float64)
    y = np.array([row["val_macro_f1"] for row in history], np.float64)
    return (np.cumsum(x) if axis == "seconds" else x), y


def _mean_line(lines: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Curve:
    """At the steps of all runs where these are common, else at even steps that all runs reach."""
    low, high = max(x[0] for x, _ in lines), min(x[-1] for x, _ in lines)
    common = lines[0][0] if all(np.array_equal(x, lines[0][0]) for x, _ in lines) else None
    grid = common if common is not None else np.linspace(low, max(low, high), POINTS)
    values = np.stack([np.interp(grid, x, y) for x, y in lines])
    spread = values.std(axis=0, ddof=1) if len(lines) > 1 else np.zeros(len(grid))
    x, mean, deviation = (tuple(each.tolist()) for each in (grid, values.mean(axis=0), spread))
    return Curve(x=x, macro_f1=mean, spread=deviation)


def size_curves(
    found: Mapping[tuple[float, int], Sequence[tuple[PairPlan, Finished]]], arms: Sequence[Arm], labels: Sequence[str]
) -> dict[str, SizeCurve] | None:
    """For each arm, macro-F1 by the number of photos learnt from, and what more photos would give; None unasked."""
    if not found:
        return None
    by_arm = {}
    for a, arm in enumerate(arms):
        points = []
        for share in sorted({share for share, place in found if place == a}):
            scores = [_macro_f1(run, plan, labels) for plan, run in found[share, a]]
            learnt = float(
                np.mean([plan.rows.filter(pl.col("split") == "train").height for plan, _ in found[share, a]])
            )
            points.append(SizePoint(share=share, photos=learnt, macro_f1=float(np.mean(scores)), by_pair=tuple(scores)))
        by_arm[arm.name] = SizeCurve(points=tuple(points), growth=extrapolated(points))
    return by_arm
