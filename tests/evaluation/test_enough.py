"""Is a model good enough for these photos: the level that it reaches, whom it fails, and another beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from mien.data.reading.preprocess import View
from mien.evaluation.against import Answered, paired_with
from mien.evaluation.enough import BOUNDS, good_enough, group_scores, promise_of_all, unknown_classes
from mien.evaluation.predictions import as_predictions, score_rows
from mien.evaluation.sureness import measure_sureness
from mien.metrics import LEAST_GROUPS, Interval
from mien.models.artifact import Contract, Threshold
from mien.results.scores import Over
from mien.results.target import Level
from mien.telling.words.elsewhere import novelty_sentences
from mien.telling.words.enough import against_sentences, group_sentences, promise_sentences, verdict
from support.made_study import evaluated_target, made_scores, make_manifest, make_results, with_target

LABELS = ("anger", "happy", "sad")
CONTRACT = Contract(LABELS, (View("photo", 32),), "x", thresholds=(Threshold(0.1, 0.8, 0.5),))


def photos(labels: Sequence[str], people: Sequence[str | None] | None = None) -> pl.DataFrame:
    """Rows of a manifest, each a picture of its own."""
    n = len(labels)
    return pl.DataFrame(
        {
            "id": [f"lab/{i}" for i in range(n)],
            "path": [f"{i}.png" for i in range(n)],
            "row": range(n),
            "source": ["lab"] * n,
            "split": ["target"] * n,
            "label": list(labels),
            "near_group": range(n),
            "split_group": [None] * n,
            "group": people or [None] * n,
            "group_kind": ["people" if each else None for each in people or [None] * n],
        },
        schema_overrides={"group": pl.String, "group_kind": pl.String, "split_group": pl.Int64},
    )


def answered(rows: pl.DataFrame, answers: Sequence[str], sure: Sequence[float] | None = None) -> pl.DataFrame:
    """Predictions that say so, with such a probability of the answer."""
    top = np.full(len(answers), 0.9) if sure is None else np.asarray(sure)
    probs = np.repeat((1 - top)[:, None] / 2, 3, axis=1)
    probs[np.arange(len(answers)), [LABELS.index(answer) for answer in answers]] = top
    return as_predictions(rows, probs, LABELS)


# -- the level --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "level"), [(0.40, "poor"), (0.5, "fair"), (0.64, "fair"), (0.7, "good"), (0.9, "very good")]
)
def test_the_level_is_what_the_lower_end_of_the_interval_reaches(low: float, level: Level) -> None:
    scores = made_scores(macro_f1=0.95, accuracy=0.64, interval=Interval(low, 0.97), beats_chance=True)
    found = good_enough(scores, is_new=True)
    assert (found.level, found.reached) == (level, low)
    assert found.bounds == BOUNDS
    assert good_enough(scores, is_new=False).level == "not new"


def test_without_an_interval_or_above_chance_there_is_no_level() -> None:
    assert good_enough(made_scores(macro_f1=0.9), is_new=True).level == "cannot tell"
    chance = made_scores(macro_f1=0.9, interval=Interval(0.8, 0.95), beats_chance=False)
    assert good_enough(chance, is_new=True).level == "no better than guessing"


def test_the_verdict_is_one_sentence_that_promises_no_more_than_the_level(made_target: Any) -> None:
    target = evaluated_target(made_target)
    levels: tuple[Level, ...] = (
        *("not new", "cannot tell", "no better than guessing", "poor", "fair", "good", "very good"),
    )
    told = {level: verdict(with_level(target, level)) for level in levels}
    assert len(set(told.values())) == len(levels)
    assert all(text.endswith(".") and text.count(". ") == 0 for text in told.values())
    assert [text.startswith("Good enough") for text in told.values()] == [False] * 5 + [True] * 2
    assert "0.64" in told["fair"]
    assert "0.60 to 0.68" in told["fair"]


def test_a_high_score_of_few_people_is_not_called_bad_but_not_shown(made_target: Any) -> None:
    target = with_level(evaluated_target(made_target), "fair")
    shared = made_scores(macro_f1=1.0, accuracy=1.0, interval=Interval(0.67, 1.0), over=Over.counted(8, "people"))
    told = verdict(msgspec.structs.replace(target, shared=shared))
    assert told.startswith("Not shown to be good enough")
    assert "0.67" in told
    assert "8 people" in told


def test_of_photos_that_were_all_trained_on_the_collection_is_not_told_as_well(made_target: Any) -> None:
    target = msgspec.structs.replace(made_target, known_collections=("FER2013",), collections=(), is_new=False)
    n = target.data.images
    some, every = (msgspec.structs.replace(target, near_copies=0, seen_in_training=seen) for seen in (n - 1, n))
    assert ["FER2013" in " ".join(novelty_sentences(each)) for each in (some, every)] == [True, False]
    assert str(n) in novelty_sentences(every)[0]


def with_level(target: Any, level: Level) -> Any:
    judged = msgspec.structs.replace(target.good_enough, level=level)
    return msgspec.structs.replace(target, good_enough=judged)


@pytest.fixture
def made_target() -> Any:
    manifest = make_manifest()
    return with_target(make_results(manifest), manifest).target


# -- classes without a word, and promises -----------------------------------------------------------------------------


def test_what_photos_of_unknown_classes_are_called_is_counted() -> None:
    rows = photos(["neutral"] * 6 + ["awe"] * 2 + ["sad"] * 3)
    predictions = answered(rows, ["sad"] * 4 + ["happy"] * 2 + ["anger"] * 2 + ["sad"] * 3, [0.9] * 3 + [0.5] * 8)
    promise = measure_sureness(CONTRACT, predictions, {"sad": "sad"}).promise
    neutral, awe = unknown_classes(CONTRACT.labels, predictions, ["awe", "neutral"], promise)
    assert (neutral.label, neutral.images, neutral.answers, neutral.sure) == ("neutral", 6, {"sad": 4, "happy": 2}, 3)
    assert (awe.label, awe.answers, awe.sure) == ("awe", {"anger": 2}, 0)
    assert unknown_classes(CONTRACT.labels, predictions, ["awe"], None)[0].sure is None


def test_a_promise_that_holds_on_shared_classes_breaks_where_others_are_called_something_surely() -> None:
    rows = photos(["sad"] * 60 + ["neutral"] * 60)
    predictions = answered(rows, ["sad"] * 120)
    shared = measure_sureness(CONTRACT, predictions, {"sad": "sad"}).promise
    every = promise_of_all(CONTRACT, predictions, {"sad": "sad"}, ["neutral"])
    assert shared is not None
    assert every is not None
    assert (shared.answered, shared.wrong, shared.kept) == (60, 0, True)
    assert (every.answered, every.wrong, every.kept) == (120, 60, False)
    plain = replace(CONTRACT, thresholds=())
    assert promise_of_all(plain, predictions, {"sad": "sad"}, ["neutral"]) is None


def test_a_promise_is_told_as_kept_or_broken(made_target: Any) -> None:
    target = evaluated_target(made_target)
    told = promise_sentences(target)[0].replace("\N{NO-BREAK SPACE}", " ")
    assert told.endswith("Here 19 % were (14 to 27 %, over 30 people): broken.")


# -- people -----------------------------------------------------------------------------------------------------------


def people(right: Sequence[int], each: int = 20) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Photos of people, of whom so many of ``each`` are answered rightly."""
    names = [f"p{i:02}" for i in range(len(right)) for _ in range(each)]
    rows = photos(["sad"] * len(names), names)
    answers = ["sad" if j < hits else "happy" for hits in right for j in range(each)]
    return rows, answered(rows, answers)


def test_the_worst_and_the_best_person_are_named_and_their_spread_is_beyond_chance() -> None:
    rows, predictions = people([2, 18, 10, 19, 17, 16, 18, 17])
    found = group_scores(rows, predictions, LABELS, {"sad": "sad"})
    assert found is not None
    assert (found.kind, found.number, found.of, found.differ) == ("people", 8, 8, True)
    assert [(each.group, each.right) for each in found.worst] == [("p00", 2), ("p02", 10), ("p05", 16)]
    assert {each.images for each in found.worst} == {20}
    assert found.best[0].group == "p03"
    assert found.worst[0].interval is not None
    assert found.worst[0].interval.low < 0.1 < found.worst[0].interval.high
    assert 0.2 < found.spread < 0.35
    assert "p00, 2 of 20 right" in group_sentences(found)[1]


def test_people_who_differ_by_chance_alone_are_said_to() -> None:
    rng = np.random.default_rng(3)
    said = []
    for _ in range(200):
        found = group_scores(*people(rng.binomial(20, 0.7, 12)), LABELS, {"sad": "sad"})  # type: ignore[arg-type]
        assert found is not None
        said.append(found.differ)
    assert np.mean(said) <= 0.09


def test_people_with_few_photos_are_counted_and_not_named() -> None:
    names = ["a"] * 10 + ["b"] * 10 + ["c"] * 2 + [None] * 3
    rows = photos(["sad"] * 25, names)
    found = group_scores(rows, answered(rows, ["sad"] * 25), LABELS, {"sad": "sad"})
    assert found is not None
    assert (found.number, found.of, found.kind) == (2, 3, "groups")
    assert [each.group for each in (*found.worst, *found.best)] == ["a", "b"]
    assert group_scores(photos(["sad"] * 9), answered(photos(["sad"] * 9), ["sad"] * 9), LABELS, {"sad": "sad"}) is None


# -- another model ----------------------------------------------------------------------------------------------------


def versus(right: float, other: float, n_people: int = 30, met: tuple[Any, Any] = ({}, {})) -> Any:
    rng = np.random.default_rng(0)
    names = [f"p{i // 20}" for i in range(20 * n_people)]
    truth = [LABELS[i % 3] for i in range(len(names))]
    rows = photos(truth, names)

    def model(name: str, share: float, met: Any) -> Answered:
        answers = [each if rng.random() < share else LABELS[(LABELS.index(each) + 1) % 3] for each in truth]
        return Answered(name, LABELS, {label: label for label in LABELS}, answered(rows, answers), **met)

    return paired_with(model("ours", right, met[0]), model("theirs", other, met[1]))


@pytest.mark.parametrize("met", [{"seen": 1}, {"copies": 2}, {"known": ("FER2013",)}])
def test_there_is_no_verdict_where_either_model_learnt_from_the_photos(met: Any) -> None:
    ours, theirs, both = (
        versus(0.8, 0.6, met=(met, {})),
        versus(0.8, 0.6, met=({}, met)),
        versus(0.8, 0.6, met=(met, met)),
    )
    assert [each.verdict for each in (ours, theirs, both)] == ["cannot tell"] * 3
    assert [(each.is_new, each.other_is_new) for each in (ours, theirs, both)] == [
        (False, True),
        (True, False),
        (False, False),
    ]
    assert [len(against_sentences([each])) for each in (ours, versus(0.8, 0.6))] == [2, 1]
    assert "theirs learnt" in against_sentences([theirs])[1]
    assert versus(0.8, 0.6, met=({"copies": 0}, {})).verdict == "better"


def test_a_promise_is_neither_kept_nor_broken_on_photos_that_were_learnt_from(made_target: Any) -> None:
    rows = photos(["sad"] * 60 + ["neutral"] * 60)
    predictions = answered(rows, ["sad"] * 120)
    for found in (
        measure_sureness(CONTRACT, predictions, {"sad": "sad"}, is_new=False).promise,
        promise_of_all(CONTRACT, predictions, {"sad": "sad"}, ["neutral"], is_new=False),
    ):
        assert found is not None
        assert (found.kept, found.is_new, found.interval is None) == (None, False, False)
        target = evaluated_target(made_target)
        sureness = msgspec.structs.replace(target.sureness, promise=found)
        told = promise_sentences(msgspec.structs.replace(target, sureness=sureness))[0]
        assert "kept" not in told
        assert "broken" not in told
        assert "learnt" in told


@pytest.mark.parametrize("n", [LEAST_GROUPS - 1, LEAST_GROUPS])
def test_a_promise_and_recall_take_enough_people_even_with_one_photo_each(n: int) -> None:
    rows = photos(["sad"] * n, [f"p{i}" for i in range(n)])
    predictions = answered(rows, ["sad"] * n)
    found = measure_sureness(CONTRACT, predictions, {"sad": "sad"}).promise
    assert found is not None
    assert (found.answered, found.kept, found.interval is None) == (n, True if n == LEAST_GROUPS else None, n < 6)
    recall = score_rows(predictions, LABELS).per_class["sad"]
    assert (recall.recall, recall.recall_interval is None) == (1.0, n < 6)


def test_a_promise_over_one_person_is_not_judged() -> None:
    rows = photos(["sad"], ["p0"])
    found = measure_sureness(CONTRACT, answered(rows, ["sad"]), {"sad": "sad"}).promise
    assert found is not None
    assert (found.kept, found.interval) == (None, None)


def test_another_model_is_better_worse_or_cannot_be_told() -> None:
    assert versus(0.8, 0.6).verdict == "better"
    assert versus(0.6, 0.8).verdict == "worse"
    assert versus(0.7, 0.7).verdict == "cannot tell"
    found = versus(0.8, 0.6)
    assert found.difference == pytest.approx(found.macro_f1 - found.macro_f1_other)
    assert found.interval.low < 0.2 < found.interval.high
    assert (found.images, found.over.number, found.over.kind) == (600, 30, "people")
    few = versus(0.9, 0.5, n_people=4)
    assert (few.interval, few.verdict) == (None, "cannot tell")


def test_models_with_other_classes_are_compared_on_those_that_both_have() -> None:
    rows = photos(["angry", "joy", "neutral", "afraid"] * 10)
    ours = answered(rows, ["anger", "happy", "sad", "sad"] * 10)
    first = Answered("ours", LABELS, {"angry": "anger", "joy": "happy"}, ours)
    labels = ("happy", "neutral", "anger")
    probs = np.tile(np.eye(3)[[2, 0, 1, 1]], (10, 1))
    names = {"angry": "anger", "joy": "happy", "neutral": "neutral"}
    found = paired_with(first, Answered("theirs", labels, names, as_predictions(rows, probs, labels)))
    assert found is not None
    assert (found.classes, found.images, found.macro_f1, found.macro_f1_other) == (("angry", "joy"), 20, 1.0, 1.0)
    only = Answered("theirs", labels, {"neutral": "neutral"}, as_predictions(rows, probs, labels))
    assert paired_with(first, only) is None


def test_classes_that_one_of_them_takes_for_one_count_as_one() -> None:
    rows = photos(["angry", "furious", "joy"] * 10)
    ours = answered(rows, ["anger", "sad", "happy"] * 10)
    first = Answered("ours", LABELS, {"angry": "anger", "furious": "sad", "joy": "happy"}, ours)
    merged = Answered(
        "theirs",
        LABELS,
        {"angry": "anger", "furious": "anger", "joy": "happy"},
        answered(rows, ["anger", "anger", "happy"] * 10),
    )
    found = paired_with(first, merged)
    assert found is not None
    assert found.classes == ("angry + furious", "joy")
    assert (found.macro_f1, found.macro_f1_other) == (1.0, 1.0)


def test_a_model_that_has_met_the_photos_is_not_compared_in_silence(made_target: Any) -> None:
    target = evaluated_target(made_target)
    assert len(against_sentences(target.against)) == 1
    known = msgspec.structs.replace(target.against[0], other_seen_in_training=3, other_is_new=False)
    assert "six learnt from these photos" in against_sentences([known])[1]
