"""Scores: right where they can be known by hand or by scikit-learn, and never more certain than the photos allow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import bdtrc, chdtrc, stdtrit
from sklearn.metrics import f1_score, precision_recall_fscore_support

from mien.metrics import (
    LEAST_GROUPS,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    paired_difference,
    score,
    share_interval,
    wilson,
)
from mien.quantiles import binomial_tail, chi_squared_tail, t_quantile
from support.intervals import present

LABELS = ("anger", "fear", "happy", "sad")


def answers(seed: int, n: int = 200, k: int = 4, right: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Truth with every class present, and answers of which about ``right`` are right."""
    rng = np.random.default_rng(seed)
    y_true = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    y_pred = np.where(rng.random(n) < right, y_true, rng.integers(0, k, n))
    return y_true, y_pred


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("right", [0.0, 0.6, 1.0])
def test_scores_are_those_of_scikit_learn_where_every_class_has_photos(seed: int, right: float) -> None:
    y_true, y_pred = answers(seed, n=60, right=right)
    scores = score(y_true, y_pred, LABELS)
    assert scores.macro_f1 == pytest.approx(f1_score(y_true, y_pred, average="macro"))
    assert scores.accuracy == pytest.approx((y_true == y_pred).mean())
    expected = precision_recall_fscore_support(y_true, y_pred, labels=range(4), zero_division=0)
    found = [(c.precision, c.recall, c.f1, c.support) for c in scores.per_class]
    assert np.allclose(np.array(found, float).T, np.array(expected, float))


def test_confusion_has_true_classes_in_rows_and_predicted_ones_in_columns() -> None:
    counts = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1]), 3)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_class_without_photos_has_no_score_and_is_not_averaged_in(seed: int) -> None:
    y_true, y_pred = answers(seed, k=3)
    y_pred[:9] = 3  # answered all the same, so that its column is not empty
    scores = score(y_true, y_pred, LABELS)
    empty = scores.per_class[3]
    assert (empty.precision, empty.recall, empty.f1, empty.support) == (None, None, None, 0)
    assert scores.macro_f1 == pytest.approx(f1_score(y_true, y_pred, labels=[0, 1, 2], average="macro"))


def test_class_that_is_never_answered_scores_zero_and_counts() -> None:
    scores = score(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0]), ("a", "b"))
    assert scores.per_class[1].f1 == 0.0
    assert scores.macro_f1 == pytest.approx((2 * 2 / 6 + 0) / 2)


def test_no_photos_have_no_scores() -> None:
    none = np.zeros(0, int)
    scores = score(none, none, LABELS)
    assert (scores.macro_f1, scores.accuracy, scores.macro_f1_interval, scores.accuracy_interval) == (None,) * 4
    assert (scores.chance, scores.majority, scores.n) == (None, None, 0)
    assert all(c.f1 is None and c.support == 0 for c in scores.per_class)


def test_macro_f1_takes_a_stack_of_confusions() -> None:
    counts = np.stack([confusion_matrix(*answers(seed), 4) for seed in range(3)])
    assert macro_f1(counts).tolist() == [float(macro_f1(c)) for c in counts]
    assert np.isnan(macro_f1(np.zeros((4, 4))))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_gives_known_intervals(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_is_none() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize("seed", range(6))
def test_intervals_contain_their_value_and_are_the_same_every_time(seed: int) -> None:
    y_true, y_pred = answers(seed)
    first, second = (score(y_true, y_pred, LABELS) for _ in range(2))
    assert first.macro_f1_interval is not None
    assert first.accuracy_interval is not None
    assert first.macro_f1 is not None
    assert first.accuracy is not None
    assert 0 <= first.macro_f1_interval.low < first.macro_f1 < first.macro_f1_interval.high <= 1
    assert 0 <= first.accuracy_interval.low < first.accuracy < first.accuracy_interval.high <= 1
    assert (first.macro_f1_interval, first.accuracy_interval) == (second.macro_f1_interval, second.accuracy_interval)


def test_more_photos_narrow_the_interval() -> None:
    def width(n: int) -> float:
        interval = score(*answers(1, n=n), LABELS).macro_f1_interval
        assert interval is not None
        return interval.high - interval.low

    assert width(50) > width(500)


def test_copies_of_a_picture_are_not_counted_as_independent() -> None:
    y_true, y_pred = (np.repeat(y, 10) for y in answers(3, n=30))
    copies = np.repeat(np.arange(30), 10)
    apart, together = (score(y_true, y_pred, LABELS, groups=g) for g in (None, copies))
    for name in ("macro_f1_interval", "accuracy_interval"):
        narrow, wide = getattr(apart, name), getattr(together, name)
        assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert apart.macro_f1 == together.macro_f1


def test_names_of_groups_do_not_matter() -> None:
    y_true, y_pred = answers(4, n=60)
    groups = np.arange(60) // 2
    assert (
        score(y_true, y_pred, LABELS, groups=groups).macro_f1_interval
        == score(y_true, y_pred, LABELS, groups=groups * 1000 + 7).macro_f1_interval
    )


def test_a_few_right_answers_are_no_certainty() -> None:
    y = np.array([0, 1, 2, 3, 0, 1])
    scores = score(y, y, LABELS)
    assert scores.accuracy_interval is not None
    assert scores.macro_f1_interval is not None
    assert scores.accuracy == scores.accuracy_interval.high == 1.0
    assert scores.accuracy_interval.low < 0.9, "six photos do not show an accuracy of 1.00 [1.00, 1.00]"
    assert scores.macro_f1_interval.low < 0.9, "six photos do not show a macro-F1 of 1.00 [1.00, 1.00]"


def test_chance_and_majority_lines() -> None:
    scores = score(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 3]), LABELS)
    assert scores.majority == 0.75
    assert scores.chance == pytest.approx((0.75 + 0.25) / 2)


def test_clear_difference_is_told_in_both_directions() -> None:
    y_true, good = answers(5, right=0.9)
    _, bad = answers(5, right=0.2)
    ahead, behind = paired_difference(y_true, good, bad, 4), paired_difference(y_true, bad, good, 4)
    assert (ahead.verdict, behind.verdict) == ("better", "worse")
    expected = f1_score(y_true, good, average="macro") - f1_score(y_true, bad, average="macro")
    assert ahead.value == pytest.approx(expected)
    assert behind.value == pytest.approx(-expected)
    assert 0 < present(ahead.interval).low < ahead.value < present(ahead.interval).high


def test_same_answers_cannot_be_told_apart() -> None:
    y_true, y_pred = answers(6)
    difference = paired_difference(y_true, y_pred, y_pred, 4)
    assert (difference.value, difference.verdict) == (0.0, "cannot tell")


def test_one_photo_more_of_twenty_cannot_be_told() -> None:
    y_true = np.arange(20) % 4
    second = np.where(np.arange(20) < 10, y_true, (y_true + 1) % 4)
    first = second.copy()
    first[10] = y_true[10]
    difference = paired_difference(y_true, first, second, 4)
    assert difference.value > 0
    assert difference.verdict == "cannot tell"


def test_hundred_copies_of_one_picture_tell_nothing() -> None:
    y_true = np.zeros(100, int)
    difference = paired_difference(y_true, y_true, y_true + 1, 2, groups=np.zeros(100, int))
    assert difference.verdict == "cannot tell"


def test_small_integer_types_do_not_overflow() -> None:
    y_true, first = answers(7, k=7)
    _, second = answers(8, k=7)
    truth, one, other = (y.astype(np.uint8) for y in (y_true, first, second))
    assert paired_difference(truth, one, other, 7) == paired_difference(y_true, first, second, 7)


def test_calibration_error_by_hand() -> None:
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    y_true = np.array([0, 1, 1, 0])
    # Two bins of two: |0.5 - 0.85| and |1 - 0.65|.
    assert expected_calibration_error(probs, y_true, n_bins=5) == pytest.approx(0.35)


def test_calibration_error_of_sure_and_right_is_zero_and_of_sure_and_wrong_one() -> None:
    probs = np.eye(2)[[0, 1, 1]]
    assert expected_calibration_error(probs, np.array([0, 1, 1])) == 0.0
    assert expected_calibration_error(probs, np.array([1, 0, 0])) == 1.0
    assert expected_calibration_error(probs[:0], np.zeros(0, int)) is None


def test_differences_of_a_family_have_wider_intervals() -> None:
    rng = np.random.default_rng(0)
    y, first, second = (rng.integers(0, 3, 200) for _ in range(3))
    alone, among = (present(paired_difference(y, first, second, 3, family=n).interval) for n in (1, 10))
    assert among.low < alone.low < alone.high < among.high


# -- people -----------------------------------------------------------------------------------------------------------


def frames_of(people: int, frames: int, seed: int = 0, right: float = 0.75) -> tuple[np.ndarray, ...]:
    """Truth, answers of two recognisers, and people; who is easy for one is so for the other."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), frames)
    y_true = rng.integers(0, 4, len(person))
    easy = np.clip(rng.normal(right, 0.15, people), 0.05, 0.95)[person]
    first, second = (np.where(rng.random(len(person)) < easy, y_true, (y_true + 1) % 4) for _ in range(2))
    return y_true, first, second, person


def test_thirty_people_with_fifty_frames_each_are_thirty_however_many_frames_they_have() -> None:
    y_true, first, second, person = frames_of(30, 50)
    by_person, by_frame = score(y_true, first, LABELS, groups=person), score(y_true, first, LABELS)
    assert (by_person.groups, by_frame.groups) == (30, 1500)
    twice = [np.repeat(each, 2) for each in (y_true, first, second, person)]
    again = score(twice[0], twice[1], LABELS, groups=twice[3])
    for name in ("macro_f1_interval", "accuracy_interval"):
        wide, narrow = present(getattr(by_person, name)), present(getattr(by_frame, name))
        assert wide.high - wide.low > 1.8 * (narrow.high - narrow.low)
        assert getattr(again, name) == pytest.approx(wide), "more frames of the same people are no more people"
    recalls = [present(each.per_class[0].recall_interval) for each in (by_person, again, by_frame)]
    assert recalls[0] == pytest.approx(recalls[1], abs=0.005)
    assert recalls[0].high - recalls[0].low > 1.2 * (recalls[2].high - recalls[2].low)
    told = paired_difference(y_true, first, second, 4, groups=person)
    more = paired_difference(twice[0], twice[1], twice[2], 4, groups=twice[3])
    assert told.groups == more.groups == 30
    assert present(told.interval) == pytest.approx(present(more.interval))


@pytest.mark.parametrize("people", [1, 4, LEAST_GROUPS - 1])
def test_a_few_people_give_no_interval_and_tell_nothing_however_many_frames(people: int) -> None:
    y_true, _, _, person = frames_of(people, 400)
    scores = score(y_true, y_true, LABELS, groups=person)
    assert (scores.accuracy, scores.groups) == (1.0, people)
    assert scores.macro_f1_interval is scores.accuracy_interval is None
    assert all(each.recall_interval is None for each in scores.per_class)
    told = paired_difference(y_true, y_true, (y_true + 1) % 4, 4, groups=person)
    assert (told.value, told.interval, told.verdict, told.groups) == (1.0, None, "cannot tell", people)


def test_from_the_least_number_of_people_on_there_is_an_interval_and_a_verdict() -> None:
    y_true, _, _, person = frames_of(LEAST_GROUPS, 50)
    told = paired_difference(y_true, y_true, (y_true + 1) % 4, 4, groups=person)
    assert told.verdict == "better"
    assert 0 < present(told.interval).low < 1, "six people make nothing certain"
    assert paired_difference(y_true, y_true, (y_true + 1) % 4, 4, groups=person, family=10).verdict == "cannot tell"
    scores = score(y_true, y_true, LABELS, groups=person)
    assert scores.accuracy_interval == wilson(LEAST_GROUPS, LEAST_GROUPS)


def test_people_who_score_alike_make_nothing_certain() -> None:
    y_true = np.tile([0, 1], 60)
    y_pred = np.where(np.arange(120) % 4 < 2, y_true, 1 - y_true)
    ends = present(score(y_true, y_pred, ("a", "b"), groups=np.arange(120) // 20).accuracy_interval)
    assert ends.low < 0.3
    assert ends.high > 0.7


def test_one_person_with_most_frames_counts_for_little_more_than_one() -> None:
    y_true, first, _, _ = frames_of(10, 100)
    even, uneven = np.arange(1000) // 100, np.minimum(np.arange(1000) // 10, 9)
    narrow, wide = (present(score(y_true, first, LABELS, groups=g).accuracy_interval) for g in (even, uneven))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_a_share_of_independent_images_has_wilsons_interval_and_one_of_people_a_wider_one() -> None:
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(40), 25)
    hits = rng.random(1000) < np.repeat(rng.beta(2, 2, 40), 25)
    assert share_interval(hits) == wilson(int(hits.sum()), 1000)
    assert share_interval(hits[:4]) == wilson(int(hits[:4].sum()), 4)
    single, by_person = present(share_interval(hits)), present(share_interval(hits, person))
    assert by_person.high - by_person.low > 2 * (single.high - single.low)
    assert share_interval(hits, np.arange(1000) // 250) is None
    assert share_interval(hits | True, person) == wilson(40, 40)
    assert share_interval(hits[:0]) is None


@pytest.mark.parametrize("df", [1, 1.5, 2, 4.2, 9, 29, 150, 999, 1001, 50_000])
@pytest.mark.parametrize("p", [0.975, 0.995, 0.9995])
def test_quantiles_of_t_are_those_of_scipy(df: float, p: float) -> None:
    assert t_quantile(df, p) == pytest.approx(stdtrit(df, p), rel=1e-7)


@pytest.mark.parametrize("df", [1, 2, 5, 8, 31, 300])
@pytest.mark.parametrize("value", [0.0, 0.5, 3.8, 30.0, 400.0])
def test_tails_of_chi_squared_are_those_of_scipy(df: int, value: float) -> None:
    assert chi_squared_tail(value, df) == pytest.approx(chdtrc(df, value), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("n", [1, 20, 3000])
@pytest.mark.parametrize("p", [0.001, 0.4])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_tails_of_the_binomial_are_those_of_scipy(n: int, p: float, share: float) -> None:
    least = round(share * n)
    expected = bdtrc(least - 1, n, p) if least else 1.0
    assert binomial_tail(least, n, p) == pytest.approx(expected, rel=1e-7, abs=1e-300)
