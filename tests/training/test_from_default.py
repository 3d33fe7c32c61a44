"""``from-default``: what the shipped recogniser knows of shared classes, as far as few photos do not say otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec import structs
from numpy.typing import NDArray

from mien.errors import ConfigError, WorkFailedError
from mien.evaluation.familiar import known_collections
from mien.models.artifact import Contract, model_path, open_model
from mien.recognizer import softmax
from mien.results.target import CollectionMatch, Counted, Sure
from mien.settings.by_name import made
from mien.settings.run import HeadRun
from mien.settings.study import StudySettings
from mien.settings.training import HeadSettings
from mien.telling.words.answers import warnings
from mien.training.head import cross_validate, fit_heads
from mien.training.linear import Head
from mien.training.prior import Prior, prior_of, priors_of, refuse_seen
from mien.training.recipes import resolve_run
from mien.training.run import _chosen
from support.made_report import make_study
from support.tiny_training import DrawnPixels


def prior_for(*labels: str) -> Prior | None:
    return prior_of(run_for(*labels).head, labels)


def run_for(*labels: str) -> HeadRun:
    run = resolve_run("from-default", made(StudySettings, data=("photos",), device="cpu"), labels)
    assert isinstance(run, HeadRun)
    return run


def test_classes_that_both_have_start_from_the_shipped_weights_and_others_from_nothing() -> None:
    prior = prior_for("Angry", "boredom", "happiness")
    assert prior is not None
    labels = prior.contract.labels
    shipped = prior_for(*labels)
    assert shipped is not None
    for own, theirs in ((prior.head, shipped.head), (prior.face_head, shipped.face_head)):
        assert np.array_equal(own[0][[0, 2]], theirs[0][[labels.index("anger"), labels.index("happy")]])
        assert np.array_equal(own[1][[0, 2]], theirs[1][[labels.index("anger"), labels.index("happy")]])
        assert not own[0][1].any()
        assert own[0][0].any()
    assert prior.of_face(1280)[0].shape[1] == prior.head[0].shape[1] - 1280


def test_classes_that_it_does_not_know_are_refused() -> None:
    with pytest.raises(ConfigError, match="two-stream"):
        prior_for("boredom", "interest")


def test_photos_that_it_learnt_from_are_refused() -> None:
    run = run_for("anger", "sad")
    assert run.head.prior is not None
    seen = sorted(open_model(model_path(run.head.prior))[1].training_hashes)[0]
    photos = pl.DataFrame({"sha256": ["f" * 64, seen + "0" * 52, None]})
    with pytest.raises(WorkFailedError, match="1 of these 2 photos"):
        refuse_seen([run], photos)
    refuse_seen([run], photos.head(1))
    other = resolve_run("two-stream", made(StudySettings, data=("photos",), device="cpu"), ("anger", "sad"))
    refuse_seen([other], photos)


CORNERS = 2 * np.eye(3, 12)


def blobs(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    y = np.arange(n) % 3
    return (CORNERS[y] + np.random.default_rng(seed).normal(0, 1.2, (n, 12))).astype(np.float32), y


def right(head: Head, seed: int = 9) -> float:
    features, y = blobs(3000, seed)
    return float(((features @ head[0].T + head[1]).argmax(1) == y).mean())


def test_few_photos_are_helped_by_what_was_known_and_change_little_of_it() -> None:
    features, y = blobs(6, 1)
    known = CORNERS.astype(np.float32), np.zeros(3, np.float32)
    (alone,) = fit_heads([0.01], features, y)
    timid, free = fit_heads([1e-6, 1e3], features, y, prior=known)
    assert right(timid) > right(alone) + 0.03
    assert np.allclose(timid[0], known[0], atol=1e-3)
    assert not np.allclose(free[0], known[0], atol=0.1)


def test_many_photos_overrule_what_was_known() -> None:
    features, y = blobs(3000, 2)
    wrong = np.roll(CORNERS, 1, axis=0).astype(np.float32), np.zeros(3, np.float32)
    (head,) = fit_heads([1.0], features, y, prior=wrong)
    (alone,) = fit_heads([1.0], features, y)
    assert right(wrong) < 0.1
    assert right(head) == pytest.approx(right(alone), abs=0.02)


def few(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    return *blobs(n, seed), np.arange(n)


RECIPE = HeadSettings(strengths=(1e-4, 1e-2), own_strengths=(1e-2, 1e-1), prior="default@2")
WIDE = 3 * np.eye(3, 12, dtype=np.float32), np.zeros(3, np.float32)


def test_head_is_drawn_to_what_was_known_only_where_answers_out_of_fold_are_better_for_it() -> None:
    features, y, groups = few(12, 1)
    helped = cross_validate(RECIPE, features, y, groups, 0, prior=WIDE)
    misled = cross_validate(RECIPE, features, y, groups, 0, prior=(np.roll(WIDE[0], 1, axis=0), WIDE[1]))
    alone = cross_validate(replace(RECIPE, strengths=RECIPE.own_strengths, own_strengths=()), features, y, groups, 0)
    assert helped
    assert misled
    assert alone
    assert (helped.is_drawn, misled.is_drawn, alone.is_drawn) == (True, False, False)
    assert helped.strength in RECIPE.strengths
    assert misled.strength == alone.strength
    assert np.array_equal(misled.logits, alone.logits), "a head of its own is that of two-stream"


def test_head_of_its_own_is_taken_where_both_are_as_good() -> None:
    y = np.arange(30) % 3
    found = cross_validate(RECIPE, 9 * np.eye(3, 12, dtype=np.float32)[y], y, np.arange(30), 0, prior=WIDE)
    assert found
    assert not found.is_drawn
    assert found.strength == RECIPE.own_strengths[0]


def test_what_was_chosen_is_kept_and_tried_no_more() -> None:
    features, y, groups = few(12, 1)
    found = cross_validate(RECIPE, features, y, groups, 0, prior=WIDE)
    for answers, is_drawn in ((found, True), (None, False)):
        settled = _chosen(RECIPE, answers)
        assert settled.is_drawn is is_drawn, "where nothing can be tried, nothing speaks for what was known"
        assert settled.strength in (RECIPE.strengths if is_drawn else RECIPE.own_strengths)
        assert _chosen(settled, None) == settled
    again = cross_validate(_chosen(RECIPE, found), features, y, groups, 0, prior=WIDE)
    assert found
    assert again
    assert (again.strength, again.is_drawn) == (found.strength, True)
    plain = HeadSettings()
    assert _chosen(plain, cross_validate(plain, features, y, groups, 0)).is_drawn is None


def test_head_of_its_own_starts_from_nothing_later_either() -> None:
    """As when it is adapted, or fitted to all photos in the end."""
    run = run_for("anger", "sad")
    assert prior_of(replace(run.head, is_drawn=True), ("anger", "sad")) is not None
    assert prior_of(replace(run.head, is_drawn=False), ("anger", "sad")) is None


@pytest.mark.parametrize("sure", ["certain", "likely", "possible"])
def test_collections_that_default_learnt_from_are_known_where_a_recipe_starts_from_it(
    sure: Sure, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Contract] = []

    def familiar(contract: Contract, *_: object) -> tuple[CollectionMatch, ...]:
        asked.append(contract)
        return (match(sure),)

    monkeypatch.setattr("mien.evaluation.familiar.familiar_collections", familiar)
    study = made(StudySettings, data=("photos",), device="cpu")
    runs = [resolve_run(name, study, ("anger", "sad")) for name in ("two-stream", "from-default")]
    pixels = DrawnPixels(1, 32)
    assert known_collections(priors_of(runs[:1]), pl.DataFrame(), pixels, ("mine",)) == ()
    assert not asked
    found = known_collections(priors_of([*runs, *runs]), pl.DataFrame(), pixels, ("mine",))
    assert found == (() if sure == "possible" else (match(sure),))
    assert [contract.labels for contract in asked] == [open_model(model_path("default@2"))[1].labels]


def match(sure: Sure) -> CollectionMatch:
    return CollectionMatch(
        name="six-emotions",
        sure=sure,
        copies=Counted(count=9, of=10),
        is_whole=True,
        same_kind=None,
        same_names=None,
        telling_names=False,
        same_look=None,
        same_folder=False,
    )


def test_a_study_says_in_one_line_that_default_knows_its_photos(tmp_path: Path) -> None:
    results = make_study(tmp_path).results
    run = results.runs["probe"]
    config = run.config
    assert isinstance(config, HeadRun)

    def warned(*known: CollectionMatch, **head: Any) -> list[str]:
        changed = structs.replace(run, config=structs.replace(config, head=replace(config.head, **head)))
        told = structs.replace(results, runs=results.runs | {"probe": changed}, known_to_prior=known)
        return [text for text in warnings(told) if "default@2" in text]

    (line,) = warned(match("certain"), prior="default@2", is_drawn=True)
    assert "six-emotions" in line
    assert warned(match("certain"), prior="default@2", is_drawn=False) == []
    assert warned(match("certain")) == []
    assert warned(prior="default@2", is_drawn=True) == []


def test_without_anything_known_it_is_the_usual_head() -> None:
    features, y = blobs(90, 3)
    nothing = np.zeros((3, 12), np.float32), np.zeros(3, np.float32)
    ((weight, bias),) = fit_heads([0.1], features, y, prior=nothing)
    ((usual, usual_bias),) = fit_heads([0.1], features, y)
    apart = softmax(features @ weight.T + bias) - softmax(features @ usual.T + usual_bias)
    assert np.abs(apart).max() < 1e-3
