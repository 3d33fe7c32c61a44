"""Each way of fitting a head to photos from elsewhere does what it says: pure functions of features."""

from __future__ import annotations

import numpy as np
import pytest

from mien.adapting.methods import MOST_WEIGHT, Known, aligned, new_head, self_trained, shares_shift, weight_of_target
from mien.adapting.scoring import Side, judged, likeliest
from mien.training.head import fit_heads
from mien.training.linear import Head
from support.intervals import present

LABELS = 3


def blobs(n: int, seed: int, shift: float = 0.0, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes around three corners, moved and stretched."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % LABELS
    return ((2 * np.eye(LABELS, 6)[y] + rng.normal(0, 0.5, (n, 6))) * spread + shift).astype(np.float32), y


def accuracy(head: Head, features: np.ndarray, y: np.ndarray) -> float:
    weight, bias = head
    return float(((features @ weight.T + bias).argmax(1) == y).mean())


@pytest.fixture(scope="module")
def known() -> Known:
    features, y = blobs(300, 0)
    return Known(features, y, 0.1)


@pytest.fixture(scope="module")
def head(known: Known) -> Head:
    return fit_heads([known.strength], known.features, known.y)[0]


def test_moved_and_stretched_features_are_brought_home(known: Known, head: Head) -> None:
    features, y = blobs(300, 1, shift=3.0, spread=0.2)
    assert accuracy(head, features, y) < 0.5
    assert accuracy(aligned(head, known.features, features), features, y) > 0.9


def test_statistics_of_the_source_itself_change_nothing(known: Known, head: Head) -> None:
    for before, after in zip(head, aligned(head, known.features, known.features), strict=True):
        assert np.allclose(before, after, atol=1e-5)


def test_class_shares_are_found_from_answers(head: Head) -> None:
    features, y = blobs(3000, 2)
    kept = (y != 2) | (np.arange(3000) % 30 == 2)
    features = features[kept] + np.random.default_rng(3).normal(0, 1.2, (kept.sum(), 6)).astype(np.float32)
    logits, even = features @ head[0].T + head[1], np.full(LABELS, 1 / LABELS)
    sure, unsure = (shares_shift(logits, even, np.arange(LABELS), prior) for prior in (0.01, 0.5))
    assert sure[2] < min(sure[0], sure[1]) - 1
    assert sure[2] < unsure[2] < min(unsure[0], unsure[1]) - 0.3
    wrong = [(((logits + shift).argmax(1)) != y[kept]).mean() for shift in (0, unsure, sure)]
    assert wrong[2] < wrong[1] < wrong[0]


def test_class_shares_of_even_photos_stay_and_absent_classes_are_left_alone(head: Head) -> None:
    features, y = blobs(3000, 3)
    logits = 3 * (features @ head[0].T + head[1])  # as sure as right; the penalty makes the head shy
    even = np.full(LABELS, 1 / LABELS)
    assert np.abs(shares_shift(logits, even, np.arange(LABELS), 0.2)).max() < 0.02
    skewed = np.array([0.6, 0.2, 0.2])
    shift = shares_shift(logits[y != 1], skewed, np.array([0, 2]), 0.01)
    assert shift[1] == 0
    assert np.exp(shift[[0, 2]]) * [0.75, 0.25] == pytest.approx([0.5, 0.5], abs=0.03)


def test_self_training_learns_what_the_surest_answers_have_in_common(known: Known, head: Head) -> None:
    features, y = blobs(600, 4)
    features[y == 0] += np.array([-1.2, 0.3, 0.3, 0, 3, 0], np.float32)  # half unlike, with a mark of its own
    before = accuracy(head, features, y)
    assert before < 0.9
    assert accuracy(self_trained(known, features), features, y) > before + 0.05


def test_labels_of_the_target_are_learnt_from_and_those_of_the_source_not_forgotten(known: Known, head: Head) -> None:
    features, y = blobs(300, 5)
    features = np.roll(features, 3, axis=1)  # what tells the classes apart at home tells nothing here
    taught = new_head(known, features[:60], y[:60])
    assert accuracy(taught, features[60:], y[60:]) > 0.9 > accuracy(head, features[60:], y[60:])
    assert accuracy(taught, known.features, known.y) > 0.9


def test_a_head_that_was_drawn_to_another_is_adapted_so(known: Known) -> None:
    features, y = blobs(30, 7)
    prior = (3 * np.eye(LABELS, 6)).astype(np.float32), np.zeros(LABELS, np.float32)
    strong = Known(known.features, known.y, 1e-7, prior=prior)  # so strong a penalty changes nothing of it
    for head in (new_head(strong, features, y), self_trained(strong, features)):
        assert np.allclose(head[0], prior[0], atol=1e-3)


def test_one_photo_weighs_no_more_than_the_limit(known: Known) -> None:
    features, y = blobs(3, 6)
    weights = np.r_[np.ones(300), np.full(3, MOST_WEIGHT)]
    both = np.concatenate([known.features, features]), np.concatenate([known.y, y])
    ((weight, bias),) = fit_heads([known.strength], *both, weights=weights)
    found = new_head(known, features, y)
    assert np.array_equal(found[0], weight)
    assert np.array_equal(found[1], bias)


@pytest.mark.parametrize(("known", "target", "share"), [(300, 3, 30 / 330), (300, 100, 0.5), (300, 0, 0.0)])
def test_target_weighs_as_much_as_the_source_unless_it_is_small(known: int, target: int, share: float) -> None:
    assert weight_of_target(known, target) == share


def test_scores_are_means_over_draws_and_the_change_is_of_all_of_them(head: Head) -> None:
    features, y = blobs(300, 7)
    features += np.random.default_rng(8).normal(0, 1, features.shape).astype(np.float32)
    noise = np.random.default_rng(9).normal(0, 1, (3, *head[0].shape)).astype(np.float32)
    heads = [(head[0] + k * noise[k], head[1]) for k in range(3)]
    side, every = Side(features, y, np.arange(300)), np.arange(LABELS)
    said, before = (
        [likeliest(features @ w.T + b, every) for w, b in heads],
        likeliest(features @ head[0].T + head[1], every),
    )
    found, each = (judged(some, before, side, LABELS) for some in (said, said[:1]))
    scores = [judged([one], before, side, LABELS).macro_f1 for one in said]
    assert found.macro_f1 == pytest.approx(np.mean(scores))
    assert (found.lowest, found.highest) == (min(scores), max(scores))
    assert found.change == pytest.approx(found.macro_f1 - each.macro_f1, abs=0.01)
    assert present(found.interval).low < found.change < present(found.interval).high < 0
    assert found.verdict == "worse"
    together = judged(said, before, side, LABELS, family=9)
    assert present(together.interval).low < present(found.interval).low
    assert present(together.interval).high > present(found.interval).high


def test_answers_are_limited_to_the_shared_classes() -> None:
    logits = np.array([[1, 0, 9], [0, 1, 9], [-9, -8, -7]], np.float32)
    assert likeliest(logits, np.array([0, 1])).tolist() == [0, 1, 1]
    assert likeliest(logits, np.array([0, 2])).tolist() == [2, 2, 2]
