"""How sure an answer is: fitted on some photos, it must hold on others."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.calibration import fit_temperature, reliability, risk_coverage, threshold_for
from mien.metrics import expected_calibration_error
from mien.recognizer import softmax
from mien.settings.training import HeadSettings
from mien.training.head import cross_validate, measure_sureness

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def answers(rng: np.random.Generator, n: int, *, n_classes: int = 4, spread: float = 1.5) -> tuple[Floats, Ints]:
    """Logits (n, K) that are calibrated by construction, and the truth drawn from them."""
    logits = rng.normal(0, spread, (n, n_classes))
    return logits, (softmax(logits).cumsum(1) < rng.random((n, 1))).sum(1).clip(0, n_classes - 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_temperature_that_was_taken_out_is_found_again(temperature: float) -> None:
    logits, y = answers(np.random.default_rng(0), 20000)
    assert fit_temperature(logits * temperature, y) == pytest.approx(temperature, rel=0.05)


def test_temperature_mends_the_calibration_error() -> None:
    logits, y = answers(np.random.default_rng(1), 4000)
    too_sure = logits * 4
    mended = too_sure / fit_temperature(too_sure, y)
    before, after = (expected_calibration_error(softmax(each), y) for each in (too_sure, mended))
    assert before is not None
    assert after is not None
    assert after < 0.03 < before


@pytest.mark.parametrize("max_error", [0.1, *(pytest.param(each, marks=pytest.mark.heavy) for each in (0.05, 0.2))])
def test_promised_error_is_kept_on_other_photos_nineteen_times_in_twenty(max_error: float) -> None:
    rng, broken, given = np.random.default_rng(2), 0, 0
    for _ in range(200):
        logits, y = answers(rng, 800, spread=4.0)
        found = threshold_for(max_error, softmax(logits), y, np.arange(len(y)))
        if found is None:
            continue
        given += 1
        others, truth = answers(rng, 20000, spread=4.0)
        probs = softmax(others)
        kept = probs.max(1) >= found[0]
        broken += float((probs.argmax(1) != truth)[kept].mean()) > max_error
    assert given > 150
    assert broken <= 0.09 * given  # 5 %, and three standard errors


def test_promise_says_how_many_photos_are_answered() -> None:
    logits, y = answers(np.random.default_rng(3), 3000, spread=2.5)
    probs = softmax(logits)
    found = threshold_for(0.1, probs, y, np.arange(len(y)))
    assert found is not None
    assert found[1] == pytest.approx(float((probs.max(1) >= found[0]).mean()))
    assert 0 < found[1] < 1


def test_no_promise_from_too_few_photos_or_too_many_errors() -> None:
    logits, y = answers(np.random.default_rng(4), 20)
    assert threshold_for(0.05, softmax(logits), y, np.arange(20)) is None
    wrong = (softmax(logits).argmax(1) + 1) % 4
    assert threshold_for(0.4, softmax(logits), wrong, np.arange(20)) is None


def test_copies_of_one_picture_promise_no_more_than_the_picture() -> None:
    probs = np.tile([[0.9, 0.1]], (400, 1))
    y = np.zeros(400, np.int64)
    assert threshold_for(0.05, probs, y, np.arange(400)) is not None
    assert threshold_for(0.05, probs, y, np.zeros(400, np.int64)) is None


def test_reliability_counts_every_answer_once() -> None:
    logits, y = answers(np.random.default_rng(5), 503)
    probs = softmax(logits)
    bins = reliability(probs, y)
    assert sum(entry.n for entry in bins) == 503
    assert [entry.confidence for entry in bins] == sorted(entry.confidence for entry in bins)
    assert sum(entry.accuracy * entry.n for entry in bins) == pytest.approx((probs.argmax(1) == y).sum())
    assert all(entry.low is not None and entry.low <= entry.accuracy for entry in bins)
    assert all(entry.high is not None and entry.accuracy <= entry.high for entry in bins)


def test_a_promise_is_made_over_people_not_over_their_photos() -> None:
    """Of each of a few people every photo is right, which says little of the next person."""
    probs, y = np.tile([[0.9, 0.1]], (4000, 1)), np.zeros(4000, np.int64)
    assert threshold_for(0.1, probs, y, np.arange(4000)) is not None
    assert threshold_for(0.5, probs, y, np.arange(4000) // 1000) is None, "four people"
    assert threshold_for(0.1, probs, y, np.arange(4000) // 100) is None, "forty people"
    assert threshold_for(0.2, probs, y, np.arange(4000) // 100) is not None
    twice = [np.repeat(each, 3, axis=0) for each in (probs, y, np.arange(4000) // 100)]
    assert threshold_for(0.2, *twice) == threshold_for(0.2, probs, y, np.arange(4000) // 100)


def test_reliability_of_a_few_people_has_no_interval() -> None:
    logits, y = answers(np.random.default_rng(5), 400)
    bins = reliability(softmax(logits), y, np.arange(400) % 4)
    assert [(entry.low, entry.high, entry.n) for entry in bins] == [(None, None, 40)] * 10


def test_risk_rises_with_coverage_to_the_error_of_all() -> None:
    logits, y = answers(np.random.default_rng(6), 4000)
    probs = softmax(logits)
    curve = risk_coverage(probs, y)
    assert curve is not None
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx((probs.argmax(1) != y).mean())
    assert curve.risk[2] < curve.risk[-1]
    assert risk_coverage(probs[:0], y[:0]) is None


def photos_of(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], Ints]:
    """Features (n, 6) of three classes, and the classes."""
    y = np.arange(n) % 3
    return (rng.normal(0, 1, (n, 6)) + 1.5 * np.eye(3, 6)[y]).astype(np.float32), y


def test_every_photo_is_answered_by_a_head_that_never_saw_its_group() -> None:
    """The label of each group is random, so only a head that saw its copies could know it."""
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(90), 4)
    y = rng.integers(0, 3, 90)[groups]
    features = rng.normal(0, 1, (90, 40))[groups].astype(np.float32)
    found = cross_validate(HeadSettings(strengths=(10.0,)), features, y, groups, seed=0)
    assert found is not None
    assert len(found.y) == 360
    assert (found.logits.argmax(1) == found.y).mean() < 0.6


def test_strength_with_the_best_out_of_fold_score_is_chosen() -> None:
    features, y = photos_of(np.random.default_rng(8), 300)
    found = cross_validate(HeadSettings(strengths=(1e-9, 0.1)), features, y, np.arange(300), seed=0)
    assert found is not None
    assert found.strength == 0.1


def test_fewer_people_than_folds_are_cross_validated_person_by_person() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    features = (np.eye(3)[y] + rng.normal(scale=0.1, size=(60, 3))).astype(np.float32)
    found = cross_validate(HeadSettings(), features, y, np.arange(60) // 20, seed=0)
    assert found is not None
    assert len(found.y) == 60
    assert cross_validate(HeadSettings(), features, y, np.zeros(60, np.int64), seed=0) is None


def test_class_with_one_photo_leaves_nothing_to_cross_validate() -> None:
    features, y = photos_of(np.random.default_rng(9), 30)
    y[0] = 3
    assert cross_validate(HeadSettings(), features, y, np.arange(30), seed=0) is None


def test_what_was_measured_goes_with_the_thresholds() -> None:
    features, y = photos_of(np.random.default_rng(11), 600)
    found = cross_validate(HeadSettings(), features, y, np.arange(600), seed=0)
    assert found is not None
    sureness = measure_sureness(found, ("a", "b", "c"))
    assert sureness.measured is not None
    assert sureness.measured["images"] == 600
    low, high = sureness.measured["interval"]
    assert 0 < low < sureness.measured["macro_f1"] < high < 1
    errors, probs, shares = zip(*((t.max_error, t.probability, t.answered) for t in sureness.thresholds), strict=True)
    assert list(errors) == sorted(errors)
    assert list(probs) == sorted(probs, reverse=True)
    assert list(shares) == sorted(shares)
