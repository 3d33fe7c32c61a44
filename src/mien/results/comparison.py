"""The results of ``mien compare``."""

from __future__ import annotations

from typing import Annotated, Literal

from mien.metrics import Interval, Verdict
from mien.results.audit import CorrectionsRecord
from mien.results.document import Document
from mien.results.record import Record, about
from mien.results.scores import Over
from mien.settings.compare import CompareSettings
from mien.settings.run import RunConfig

__all__ = [
    "Arm",
    "ArmScores",
    "Axis",
    "ClassChange",
    "ComparePaths",
    "CompareResults",
    "CompareSeconds",
    "Compared",
    "ComparedSlice",
    "ComparedSlices",
    "Contrast",
    "Curve",
    "Curves",
    "Forecast",
    "Growth",
    "Pairs",
    "SizeCurve",
    "SizePoint",
    "SliceContrast",
]


class Compared(Record):
    """The photos that arms were compared on."""

    name: Annotated[str, about("Of the collection.")]
    compared: Annotated[int, about("Photos that runs were trained and tested on.")]
    held_back: Annotated[int, about("Photos that a study with the same seed and division would test on.")]


class Pairs(Record):
    """How often each arm was trained."""

    number: Annotated[int, about("Runs of each arm under each budget.")]
    folds: Annotated[int, about("Outer folds of each repeat.")]
    fewest: Annotated[int, about("The fewest pairs with which a family of this many comparisons can reach a verdict.")]
    fewest_for_classes: Annotated[int, about("Likewise in the family of all classes of all contrasts.")]


class Axis(Record):
    """A budget that is the same for all arms."""

    axis: Annotated[str, about("`epochs`, `updates` or `seconds`.")]
    value: Annotated[float | None, about("Null for the recipes' own budget.")]


class ArmScores(Record):
    """Scores and costs of an arm under one budget."""

    macro_f1: Annotated[float, about("Mean on the outer folds.")]
    spread: Annotated[float, about("Standard deviation over the pairs.")]
    by_pair: Annotated[tuple[float, ...], about("Each pair's.")]
    runs: Annotated[tuple[str, ...], about("Hashes of the runs.")]
    seconds_a_run: Annotated[
        float, about("Seconds of the epochs, validation included; of a head on frozen features, of all its training.")
    ]
    images_a_second: Annotated[float | None, about("Null where no time passed.")]
    waiting_share: Annotated[float | None, about("Share of the time in which pixels were waited for.")]
    updates_a_run: Annotated[float, about("Optimiser steps.")]
    epochs_a_run: Annotated[float, about("Epochs.")]
    chance_macro_f1: Annotated[float | None, about("Of guessing by the class shares; null in results of before.")] = (
        None
    )
    beats_chance: Annotated[
        bool | None,
        about(
            "Whether the 95 % interval of the macro-F1 of all answers together lies above chance; null for too few "
            "groups, and in results of before."
        ),
    ] = None


class Arm(Record):
    """What is compared."""

    settings: Annotated[dict[str, str | int | float | None], about("What the arm changes.")]
    config: Annotated[RunConfig, about("Its resolved settings.")]
    budgets: Annotated[tuple[ArmScores, ...], about("One for each of `budgets`.")]


class ClassChange(Record):
    """What a contrast changes of one class."""

    f1_difference: Annotated[float, about("First less second.")]
    interval: Annotated[Interval | None, about("95 %, before correction; null for too few groups.")]
    p_holm: Annotated[float, about("Corrected over all classes of all contrasts.")]
    verdict: Annotated[Verdict, about("By `p_holm`.")]


class Contrast(Record):
    """A first arm against a second one under one budget."""

    first: Annotated[str, about("Name of an arm.")]
    second: Annotated[str, about("Name of another.")]
    is_primary: Annotated[bool, about("Whether it was declared to matter.")]
    budget: Annotated[Axis, about("The budget.")]
    macro_f1_difference: Annotated[float, about("First less second.")]
    interval: Annotated[Interval | None, about("95 %, before correction; null for too few groups.")]
    standard_error: Annotated[float, about("Of the difference.")]
    df: Annotated[float, about("Degrees of freedom.")]
    p: Annotated[float, about("Two-sided, before correction.")]
    p_holm: Annotated[float, about("Corrected over all contrasts.")]
    pairs: Annotated[int, about("Pairs of runs.")]
    pictures: Annotated[int, about("Groups tested: people where they are known, else pictures, copies counted once.")]
    verdict: Annotated[Verdict, about("By `p_holm`.")]
    pairs_needed: Annotated[
        int | None,
        about("Pairs in all that would tell a difference as large four times in five; null where none would."),
    ]
    pictures_needed: Annotated[int | None, about("Groups in all, likewise.")]
    per_class: Annotated[
        dict[str, ClassChange | None], about("Class → change of its F1; null where too few groups test it.")
    ]
    over: Annotated[
        Over | None,
        about("What the intervals are over, of which `pictures` counts those tested; null in results of before."),
    ] = None


class SliceContrast(Record):
    """A first arm against a second one on the photos of one value of a column."""

    first: Annotated[str, about("Name of an arm.")]
    second: Annotated[str, about("Name of another.")]
    budget: Annotated[Axis, about("The budget.")]
    macro_f1_difference: Annotated[float | None, about("First less second; null where `verdict` is `too few`.")]
    interval: Annotated[Interval | None, about("95 %, before correction; null likewise.")]
    p_holm: Annotated[float | None, about("Corrected over all contrasts of all values; null likewise.")]
    verdict: Annotated[
        Literal["better", "worse", "cannot tell", "too few"],
        about("By `p_holm`; `too few` where fewer than two pairs or ten groups test such photos."),
    ]


class ComparedSlice(Record):
    """The photos of one value of a column, as every arm answered them."""

    column: Annotated[str, about("Its name.")]
    value: Annotated[str | None, about("As the table has it; null for photos of which it says nothing.")]
    images: Annotated[int, about("Photos tested.")]
    over: Annotated[Over, about("The groups that they are in, such as people.")]
    arms: Annotated[
        dict[str, tuple[float, ...]],
        about("Arm → macro-F1 of all its answers to them, over the classes that they show, under each of `budgets`."),
    ]
    contrasts: Annotated[tuple[SliceContrast, ...], about("Each contrast; none of photos without a value.")]


class ComparedSlices(Record):
    """Arms by the values of columns."""

    values: Annotated[tuple[ComparedSlice, ...], about("Column by column, in order; photos without a value last.")]
    comparisons: Annotated[int, about("Contrasts that `p_holm` is corrected for.")]


class Curve(Record):
    """Validation macro-F1 of an arm along a budget's axis."""

    x: Annotated[tuple[float, ...], about("Places on the axis.")]
    macro_f1: Annotated[tuple[float, ...], about("Mean over the pairs.")]
    spread: Annotated[tuple[float, ...], about("Standard deviation over the pairs.")]


class Curves(Record):
    """The curves under one budget."""

    axis: Annotated[str, about("As in `budgets`.")]
    arms: Annotated[dict[str, Curve], about("Arm → curve; without heads, which have no epochs.")]


class SizePoint(Record):
    """What an arm reaches with some of the training photos."""

    share: Annotated[float, about("Of the training photos.")]
    photos: Annotated[float, about("Photos that it learns from, on average.")]
    macro_f1: Annotated[float, about("Mean on the outer folds.")]
    by_pair: Annotated[tuple[float, ...], about("Each pair's.")]


class Forecast(Record):
    """What more photos would give, by a power law."""

    photos: Annotated[float, about("Twice and four times the photos.")]
    macro_f1: Annotated[float, about("By the law.")]
    interval: Annotated[Interval, about("Percentiles over resampled pairs; not whether the law is right.")]


class Growth(Record):
    """A power law through the learning curve."""

    ceiling: Annotated[float, about("What it tends to.")]
    exponent: Annotated[float, about("Of the number of photos.")]
    at: Annotated[tuple[Forecast, ...], about("Ahead of the photos there are.")]


class SizeCurve(Record):
    """Macro-F1 by the number of photos learnt from."""

    points: Annotated[tuple[SizePoint, ...], about("The smallest share first.")]
    growth: Annotated[Growth | None, about("Null with fewer than three sizes.")]


class CompareSeconds(Record):
    """Time."""

    total: Annotated[float, about("Of this call.")]
    training: Annotated[float, about("Of all runs.")]


class ComparePaths(Record):
    """Where things are."""

    run: Annotated[str, about("The folder.")]
    page: Annotated[str, about("The page.")]


class CompareResults(Document, tag="compare"):
    """What `mien compare` found."""

    config: Annotated[CompareSettings, about("What was asked for, as in `compare.toml`.")]
    corrections: Annotated[CorrectionsRecord | None, about("The table of decisions that was applied.")]
    labels: Annotated[tuple[str, ...], about("The classes.")]
    data: Annotated[Compared, about("The photos.")]
    pairs: Annotated[Pairs, about("How often each arm was trained.")]
    primary: Annotated[tuple[str, str], about("First and second arm of the contrast that was declared to matter.")]
    jobs: Annotated[int, about("Runs that shared the machine at a time.")]
    budgets: Annotated[tuple[Axis, ...], about("Under which arms are compared.")]
    arms: Annotated[dict[str, Arm], about("Name → arm.")]
    comparisons: Annotated[tuple[Contrast, ...], about("Each contrast under each budget.")]
    curves: Annotated[tuple[Curves, ...], about("One for each budget.")]
    sizes: Annotated[dict[str, SizeCurve] | None, about("Arm → learning curve over photos; null unless asked for.")]
    slices: Annotated[ComparedSlices | None, about("Arms by values of columns; null unless asked for.")] = None
    seconds: Annotated[CompareSeconds, about("Time.")]
    paths: Annotated[ComparePaths, about("Where things are.")]
