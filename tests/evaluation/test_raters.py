"""A model beside several raters: the ceiling, named raters, photos on which they part, and shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest

from mien.data.tables.manifest import SCHEMA
from mien.evaluation.predictions import as_predictions
from mien.evaluation.raters import measure_agreement, measure_raters
from mien.results.raters import BesideRaters
from mien.telling.words.raters import rater_sentences

CLASSES = ("happy", "sad", "unknown")


NOBODY: Mapping[str, Sequence[str | None]] = {}


def voted(
    votes: Sequence[Sequence[float]],
    *,
    people: Sequence[str] | None = None,
    raters: Mapping[str, Sequence[str | None]] = NOBODY,
) -> pl.DataFrame:
    """A manifest of photos with votes for happy, sad and unknown; those without a single first class are ignored."""
    n = len(votes)
    best = [max(range(3), key=lambda k: row[k]) for row in votes]
    tied = [sorted(row)[-1] == sorted(row)[-2] for row in votes]
    lost = [tie or CLASSES[k] == "unknown" for tie, k in zip(tied, best, strict=True)]
    known: dict[str, Sequence[object]] = {
        "row": range(n),
        "id": [f"s/{i}.png" for i in range(n)],
        "path": [f"{i}.png" for i in range(n)],
        "source": ["s"] * n,
        "near_group": range(n),
        "group": people or [None] * n,
        "group_kind": ["people" if people else None] * n,
        "status": ["ignored" if each else "ok" for each in lost],
        "reason": [
            "a tie of votes: happy 2 and sad 2" if tie else "most votes are for 'unknown'" if each else None
            for tie, each in zip(tied, lost, strict=True)
        ],
        "label": [None if each else CLASSES[k] for each, k in zip(lost, best, strict=True)],
    }
    columns = [pl.Series(name, list(known.get(name, [None] * n)), kind) for name, kind in SCHEMA.items()]
    columns += [pl.Series(f"votes.{name}", [float(row[k]) for row in votes]) for k, name in enumerate(CLASSES)]
    return pl.DataFrame(columns + [pl.Series(f"raters.{name}", list(said), pl.String) for name, said in raters.items()])


def answered(manifest: pl.DataFrame, answers: Sequence[str], sure: float = 0.9) -> pl.DataFrame:
    """Answers to the photos that have a label."""
    rows = manifest.filter(pl.col("status") == "ok")
    assert len(rows) == len(answers)
    probs = np.array([[sure if answer == name else 1 - sure for name in CLASSES[:2]] for answer in answers])
    return as_predictions(rows, probs, CLASSES[:2])


def beside(manifest: pl.DataFrame, predictions: pl.DataFrame) -> BesideRaters:
    found = measure_raters(manifest, predictions, CLASSES[:2])
    assert found is not None
    return found.model


def test_model_and_single_raters_are_held_against_the_same_majorities() -> None:
    manifest = voted([[4, 1, 0], [1, 4, 0], [3, 2, 0]] * 4)
    found = beside(manifest, answered(manifest, ["happy", "sad", "sad"] * 4))
    # Of 3 to 2, a vote for the first class is held against a tie and left out; one for the second against 3 to 1.
    assert found.votes == 4 * (5 + 5 + 2)
    assert found.rater.share == pytest.approx(8 / 12)
    assert found.model.share == pytest.approx(10 / 12)
    assert found.difference == pytest.approx(2 / 12)
    assert found.over.kind == "pictures"


def test_a_model_that_is_the_majority_is_better_than_one_rater_and_one_that_guesses_is_worse() -> None:
    rows = [[8, 2, 0] if i % 2 else [2, 8, 0] for i in range(60)]
    manifest = voted(rows)
    best = ["happy" if row[0] > row[1] else "sad" for row in rows]
    good = beside(manifest, answered(manifest, best))
    assert (good.rater.share, good.model.share, good.verdict) == (0.8, 1.0, "better")
    poor = beside(manifest, answered(manifest, best[1:] + best[:1]))
    assert (poor.model.share, poor.verdict) == (0.0, "worse")
    few = voted(rows, people=["ann", "ben", "cem"] * 20)
    assert beside(few, answered(few, best)).verdict == "cannot tell", "three people tell nothing"
    assert beside(few, answered(few, best)).over.kind == "people"


def test_unanimous_and_split_photos_are_told_apart() -> None:
    manifest = voted([[5, 0, 0]] * 3 + [[0, 4, 1]] * 2 + [[0, 5, 0]])
    found = beside(manifest, answered(manifest, ["happy"] * 3 + ["sad", "happy", "happy"]))
    assert (found.unanimous.images, found.unanimous.share) == (4, 0.75)
    assert (found.split.images, found.split.share) == (2, 0.5)


def test_photos_without_a_majority_count_in_agreement_and_not_beside_a_model() -> None:
    manifest = voted([[5, 0, 0]] * 6 + [[0, 5, 0]] * 6 + [[2, 2, 1]] * 3 + [[1, 0, 4]])
    agreement = measure_agreement(manifest)
    assert agreement is not None
    assert (agreement.photos, agreement.unanimous, agreement.split) == (16, 12, 4)
    assert agreement.disputed[0].votes == {"happy": 2.0, "sad": 2.0, "unknown": 1.0}
    assert len(agreement.disputed) == 4
    without = measure_agreement(manifest.filter(pl.col("status") == "ok"))
    assert without is not None
    assert (agreement.fleiss.value or 1) < (without.fleiss.value or 0)
    repeated = manifest.with_columns(
        pl.when(pl.col("reason").is_not_null()).then(pl.lit("repeats an earlier row")).alias("reason")
    )
    assert measure_agreement(repeated) == without, "a row that repeats another is no photo of its own"
    assert agreement.ceiling.support["unknown"] == 0, "a majority for no expression is no truth"


def named() -> pl.DataFrame:
    """Thirty photos that ann, ben and cem rate alike, and dee otherwise; each says nothing of one photo."""
    truth = ["happy" if i % 3 else "sad" for i in range(30)]
    other = {"happy": "sad", "sad": "happy"}
    said: dict[str, list[str | None]] = {name: list(truth) for name in ("ann", "ben", "cem")}
    said["dee"] = [other[each] for each in truth]
    for i, name in enumerate(said):
        said[name][i] = None
    counts = [[sum(said[name][i] == label for name in said) for label in CLASSES] for i in range(30)]
    return voted(counts, raters=said)


def test_a_rater_who_parts_from_the_others_is_named_and_the_others_are_not() -> None:
    manifest = named()
    agreement = measure_agreement(manifest)
    assert agreement is not None
    first = agreement.raters[0]
    assert (first.name, first.verdict) == ("dee", "worse")
    assert {each.verdict for each in agreement.raters[1:]} <= {"better", "cannot tell"}
    assert agreement.raters[0].agrees == 0.0
    assert agreement.raters[0].photos == 29
    kappas = {(each.first, each.second): each.kappa for each in agreement.pairs}
    assert len(kappas) == 6
    assert kappas["ann", "ben"] == pytest.approx(1.0)
    assert (kappas["ann", "dee"] or 0) < 0
    found = measure_raters(manifest, answered(manifest, manifest["label"].to_list()), CLASSES[:2])
    assert found is not None
    each = found.model.against_each
    assert (each["ann"].share, each["dee"].share, each["dee"].images) == (1.0, 0.0, 29)
    assert any("dee" in text and "part" in text for text in rater_sentences(found))


def test_log_loss_is_least_for_the_raters_own_shares() -> None:
    manifest = voted([[3, 1, 0], [1, 3, 0]] * 5)
    own = beside(manifest, answered(manifest, ["happy", "sad"] * 5, 0.75))
    assert own.log_loss == pytest.approx(own.least_log_loss)
    assert own.least_log_loss == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert own.uniform_log_loss == pytest.approx(np.log(2))
    surer = beside(manifest, answered(manifest, ["happy", "sad"] * 5, 1.0))
    assert surer.log_loss == pytest.approx(-0.25 * np.log(1e-4))
    alone = measure_raters(manifest, answered(manifest, ["happy", "sad"] * 5), CLASSES[:2], has_probabilities=False)
    assert alone is not None
    assert alone.model.log_loss is None


def test_shares_have_no_ceiling_and_photos_without_votes_no_raters() -> None:
    manifest = voted([[0.6, 0.4, 0], [0, 1.0, 0]] * 4)
    found = measure_raters(manifest, answered(manifest, ["happy", "sad"] * 4), CLASSES[:2])
    assert found is not None
    assert found.agreement is None
    assert (found.model.rater.share, found.model.verdict) == (None, "cannot tell")
    assert found.model.log_loss is not None
    assert (found.model.unanimous.images, found.model.split.images) == (4, 4)
    bare = manifest.drop(name for name in manifest.columns if name.startswith("votes."))
    assert measure_raters(bare, answered(bare, ["happy", "sad"] * 4), CLASSES[:2]) is None
    single = voted([[1, 0, 0], [0, 1, 0]] * 4)
    assert measure_agreement(single) is None
    assert rater_sentences(measure_raters(single, answered(single, ["happy", "sad"] * 4), CLASSES[:2])) is not None


def test_classes_that_a_model_takes_for_one_are_one_for_its_raters_too() -> None:
    manifest = voted([[2, 3, 0]] * 8)
    rows = manifest.filter(pl.col("status") == "ok")
    predictions = as_predictions(rows, np.array([[0.9, 0.1]] * 8), ("shown", "none"))
    found = measure_raters(manifest, predictions, ("shown", "none"), {"happy": "shown", "sad": "shown"})
    assert found is not None
    assert (found.model.rater.share, found.model.model.share) == (1.0, 1.0)
    assert found.model.unanimous.images == 8
