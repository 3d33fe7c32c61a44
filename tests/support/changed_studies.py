"""What changes the made study: few people, folds, slices, no photos from elsewhere."""

from __future__ import annotations

from dataclasses import replace as with_settings
from typing import Any

from msgspec.structs import replace

from mien.metrics import LEAST_GROUPS, Interval
from mien.results.commands import EvaluateResults
from mien.results.cross_validation import CrossValidated, Fold
from mien.results.scores import Over
from mien.results.slices import Slice, SlicedColumn, SliceDifference, Slices, SliceVerdict
from mien.results.study import StudyResults
from mien.settings.columns import Columns
from support.made_report import changed
from support.made_study import Made, evaluated_target

__all__ = ["by_person", "evaluated", "few_people", "held_out", "sliced", "without_target"]


def by_person(made: Made) -> dict[str, Any]:
    config = with_settings(made.results.config, columns=Columns(group_column="subject"))
    return changed(made, "splits", groups=34) | {"config": config}


def few_people(made: Made) -> dict[str, Any]:
    """Everything again, over four people."""
    results, four = made.results, Over.counted(4, "people")
    without: dict[str, Any] = {"interval": None, "accuracy_interval": None, "beats_chance": False, "over": four}
    runs = {
        name: replace(run, val=replace(run.val, **without), test=replace(run.test, **without))
        for name, run in results.runs.items()
    }
    told = tuple(replace(each, interval=None, verdict="cannot tell", over=four) for each in results.comparisons)
    target = results.target
    assert target is not None
    there = {name: replace(getattr(target, name), **without) for name in ("all", "shared", "shared_limited")}
    return {"runs": runs, "comparisons": told, "target": replace(target, **there)}


def held_out(made: Made) -> dict[str, Any]:
    """Three people, each held out once; of the last, whom the first knows as well, the other recipe answered."""
    folds = tuple(
        Fold(
            fold=i + 1,
            groups=1 + (i == 2),
            group=f"subject{i + 1:02}" if i < 2 else None,
            images=5 + i,
            train=30 - i,
            val=6,
            selected="scratch" if i == 2 else "probe",
            macro_f1=0.7 - i / 10,
            accuracy=0.75 - i / 10,
            recipes={"probe": 0.7 - i / 10, "scratch": 0.4},
        )
        for i in range(3)
    )
    found = CrossValidated(asked="group", folds=folds, pooled=made.results.run.test, joined=1)
    split = {"counts": {"train": made.results.splits.counts["train"], "val": {}, "test": {}}}
    known = {"folds": found, "covered": None, "robustness": None}
    return by_person(made) | without_target(made) | changed(made, "splits", groups=4, **split) | known


def a_slice(
    value: str | None, people: int, told: tuple[float, float] | None = None, verdict: SliceVerdict | None = None
) -> Slice:
    """A value whose photos are scored; ``told``: its difference, and p after correction."""
    ends = Interval(0.5, 0.8) if people >= LEAST_GROUPS else None
    apart = told and SliceDifference(
        value=told[0], interval=Interval(told[0] - 0.1, told[0] + 0.1), p=told[1] / 4, p_holm=told[1]
    )
    return Slice(
        value=value,
        images=5 * people,
        over=Over.counted(people, "people"),
        classes=("anger", "happy") if value == "phone" else ("anger", "happy", "sad"),
        macro_f1=0.65,
        interval=ends,
        accuracy=0.7,
        accuracy_interval=ends,
        rest_groups=30,
        difference=apart or None,
        verdict=verdict,
    )


SITES = SlicedColumn(
    column="site",
    values=(
        a_slice("clinic", 12, (-0.23, 0.0004), "worse"),
        a_slice("<b>ward</b>", 14, (0.21, 0.002), "better"),
        a_slice("phone", 4, None, "too few"),
        a_slice(None, 7),
    ),
)
SEXES = SlicedColumn(
    column="sex",
    values=(a_slice("f", 18, (-0.08, 0.21), "cannot tell"), a_slice("m", 19, (0.08, 0.21), "cannot tell")),
)


def sliced(made: Made) -> dict[str, Any]:
    """By two columns, one of which the photos from elsewhere lack; nothing differs there."""
    target, groups = made.results.target, changed(made, "splits", groups=34)
    assert target is not None
    there = Slices(columns=(SEXES,), lacking=("site",), comparisons=1, level=0.05)
    found = Slices(columns=(SITES, SEXES), lacking=(), comparisons=3, level=0.05)
    return groups | {"slices": found, "target": replace(target, slices=there)}


def without_target(made: Made) -> dict[str, Any]:
    return {"target": None, "runs": {name: replace(run, target=None) for name, run in made.results.runs.items()}}


def evaluated(results: StudyResults) -> EvaluateResults:
    assert results.target is not None
    target = evaluated_target(results.target)
    targets = {"other": target, "again": target}
    return EvaluateResults(
        mien="0.0.test", model="run", labels=results.labels, corrections=None, target=target, targets=targets
    )
