"""Scores by the values of columns: photos that add up, one correction over all, the worst named, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.evaluation.predictions import as_predictions, score_rows
from mien.evaluation.slices import in_order, measure_slices
from mien.metrics import LEAST_GROUPS
from mien.results.slices import Slice, Slices
from support.intervals import present
from support.manifests import manifest

LABELS = ("anger", "happy", "sad")
FRAMES = 12


def answered(
    columns: Mapping[str, Sequence[str | None]], right: Sequence[float], seed: int = 0, frames: int = FRAMES
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predictions and manifest of people, a value of each column and a chance of a right answer for each."""
    rng, n = np.random.default_rng(seed), len(right)
    person = np.repeat(np.arange(n), frames)
    truth = np.tile(np.arange(frames) % len(LABELS), n)
    wrong = (truth + rng.integers(1, len(LABELS), len(truth))) % len(LABELS)
    answers = np.where(rng.random(len(truth)) < np.array(right)[person], truth, wrong)
    rows = manifest(
        [LABELS[k] for k in truth],
        group=[f"p{i}" for i in person],
        group_kind=["people"] * len(person),
        split=["test"] * len(person),
    ).with_columns(
        pl.Series(f"own.{name}", [values[i] for i in person.tolist()], pl.String) for name, values in columns.items()
    )
    probs = np.full((len(truth), len(LABELS)), 0.1)
    probs[np.arange(len(truth)), answers] = 0.8
    return as_predictions(rows, probs, LABELS), rows


def measured(columns: Mapping[str, Sequence[str | None]], right: Sequence[float], seed: int = 0) -> Slices:
    predictions, rows = answered(columns, right, seed)
    return present(measure_slices(predictions, rows, LABELS, tuple(columns)))


def by_value(found: Slices, column: str) -> dict[str | None, Slice]:
    return {each.value: each for name, each in found.named if name == column}


def test_a_planted_value_is_the_worst_and_its_others_are_not() -> None:
    site = ["a", "b", "c"] * 20
    found = measured({"site": site, "sex": ["f", "m"] * 30}, [0.5 if each == "b" else 0.8 for each in site])
    name, worst = present(found.worst)
    assert (name, worst.value, worst.verdict) == ("site", "b", "worse")
    assert present(worst.difference).value == pytest.approx(-0.3, abs=0.08)
    assert {each.value for _, each in found.different} >= {"b"}
    assert {each.verdict for each in by_value(found, "sex").values()} == {"cannot tell"}
    assert found.comparisons == 4  # three of site, and one of sex, whose values are each other's rest
    assert found.level == 0.05


def test_photos_and_people_add_up_and_scores_are_those_of_the_photos_alone() -> None:
    site = ["a"] * 20 + ["b"] * 25 + [None] * 15
    predictions, rows = answered({"site": site}, [0.7] * 60)
    found = by_value(present(measure_slices(predictions, rows, LABELS, ("site",))), "site")
    assert {value: (each.images, each.over.number, each.over.kind) for value, each in found.items()} == {
        "a": (240, 20, "people"), "b": (300, 25, "people"), None: (180, 15, "people"),
    }  # fmt: skip
    assert {value: each.rest_groups for value, each in found.items()} == {"a": 25, "b": 20, None: 0}
    for value, each in found.items():
        of_value = pl.col("own.site").is_null() if value is None else pl.col("own.site") == value
        alone = score_rows(predictions.filter(of_value), LABELS)
        assert (each.macro_f1, each.interval) == (alone.macro_f1, alone.interval)
        assert (each.accuracy, each.accuracy_interval) == (alone.accuracy, alone.accuracy_interval)


def test_photos_without_a_value_are_scored_and_compared_with_none() -> None:
    found = measured({"site": ["a", "b", "N/A", " ", None, "nan"] * 10}, [0.7, 0.7, 0, 0, 0, 0] * 10)
    values = by_value(found, "site")
    assert list(values) == ["a", "b", None]
    missing = values[None]
    assert (missing.over.number, missing.difference, missing.verdict) == (40, None, None)
    assert values["a"].rest_groups == 10
    assert present(values["a"].difference).value == pytest.approx(0, abs=0.15)  # those without a value are not the rest
    assert found.comparisons == 1


def test_two_values_are_one_difference_seen_from_both_sides() -> None:
    sex = ["f"] * 24 + ["m"] * 36
    found = by_value(measured({"sex": sex}, [0.5 if each == "f" else 0.85 for each in sex]), "sex")
    one, other = present(found["f"].difference), present(found["m"].difference)
    assert (found["f"].verdict, found["m"].verdict) == ("worse", "better")
    assert one.value == pytest.approx(-other.value)
    assert (one.p, one.p_holm) == pytest.approx((other.p, other.p_holm))
    assert one.p == one.p_holm  # a single comparison


@pytest.mark.parametrize("n", [LEAST_GROUPS - 1, LEAST_GROUPS])
def test_values_of_too_few_people_are_too_few_to_tell_and_are_not_corrected_for(n: int) -> None:
    site = ["rare"] * n + ["a", "b"] * 12
    found = measured({"site": site}, [0.0 if each == "rare" else 0.8 for each in site])
    rare = by_value(found, "site")["rare"]
    assert (rare.verdict == "too few") == (n < LEAST_GROUPS)
    assert (rare.difference is None, rare.interval is None) == ((n < LEAST_GROUPS),) * 2
    assert rare.over.number == n
    assert found.comparisons == (2 if n < LEAST_GROUPS else 3)
    assert (present(found.worst)[1].value == "rare") == (n >= LEAST_GROUPS)


def test_one_value_alone_has_nothing_to_be_compared_with() -> None:
    found = measured({"site": ["a"] * 30}, [0.7] * 30)
    assert (by_value(found, "site")["a"].verdict, found.worst, found.comparisons) == ("too few", None, 0)


def test_macro_f1_is_over_the_classes_that_a_value_shows() -> None:
    predictions, rows = answered({"site": ["a", "b"] * 15}, [0.7] * 30)
    kept = ~((pl.col("own.site") == "a") & (pl.col("label") == "sad"))
    found = by_value(present(measure_slices(predictions.filter(kept), rows, LABELS, ("site",))), "site")
    assert {value: each.classes for value, each in found.items()} == {"a": ("anger", "happy"), "b": LABELS}
    per_class = score_rows(predictions.filter(kept & (pl.col("own.site") == "a")), LABELS).per_class
    assert found["a"].macro_f1 == pytest.approx(np.mean([present(per_class[label].f1) for label in LABELS[:2]]))
    assert present(found["a"].difference).value == pytest.approx(0, abs=0.15)


def test_the_columns_of_other_sets_are_named_and_nothing_asked_for_gives_nothing() -> None:
    predictions, rows = answered({"site": ["a", "b"] * 10}, [0.7] * 20)
    found = present(measure_slices(predictions, rows, LABELS, ("age", "site")))
    assert (found.lacking, [column.column for column in found.columns]) == (("age",), ["site"])
    assert measure_slices(predictions, rows, LABELS, ()) is None
    none = present(measure_slices(predictions.clear(), rows, LABELS, ("site",)))
    assert (none.named, none.worst, none.comparisons) == ((), None, 0)


def test_answers_stored_before_columns_travelled_are_sliced_by_the_manifest() -> None:
    predictions, rows = answered({"site": ["a", "b"] * 10}, [0.7] * 20)
    assert predictions["own.site"].to_list() == rows["own.site"].to_list()
    before = measure_slices(predictions.drop("own.site"), rows, LABELS, ("site",))
    assert before == measure_slices(predictions, rows, LABELS, ("site",))


def test_classes_of_the_table_go_by_those_of_the_model() -> None:
    predictions, rows = answered({"site": ["a", "b"] * 10}, [0.8] * 20)
    theirs = predictions.with_columns(pl.col("label").replace({"happy": "joy", "sad": "surprise"}))
    found = present(measure_slices(theirs, rows, LABELS, ("site",), {"anger": "anger", "joy": "happy"}))
    assert {each.classes for _, each in found.named} == {("anger", "happy")}
    assert sum(each.images for _, each in found.named) == len(predictions) * 2 // 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=6) | st.integers(-9, 99).map(str) | st.floats(-9, 9).map(str), max_size=8))
def test_values_stand_in_one_order_whatever_they_are(values: list[str]) -> None:
    shown = in_order(pl.Series(values, dtype=pl.String))
    assert sorted(shown) == sorted(set(values))
    assert in_order(pl.Series(values[::-1], dtype=pl.String)) == shown


def test_numbers_stand_in_their_order() -> None:
    assert in_order(pl.Series(["10", "9", None, "2.5", "9"])) == ["2.5", "9", "10"]
    assert in_order(pl.Series(["10", "9", "x"])) == ["10", "9", "x"]
