"""A part of the photos against the rest: compared within classes, over groups, in both directions alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtr

from mien.metrics import LEAST_GROUPS
from mien.quantiles import two_sided
from mien.subgroups import PartDifference, judged, part_difference


def drawn(
    seed: int, people: int = 40, frames: int = 12, level: tuple[float, ...] = (0.8, 0.6, 0.4)
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], np.random.Generator]:
    """Classes, whether right, and whose each photo is; people differ."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), frames)
    y = rng.integers(0, len(level), len(person))
    ease = rng.normal(0, 0.6, people)[person]
    chance = 1 / (1 + np.exp(-(np.log(np.array(level) / (1 - np.array(level)))[y] + ease)))
    return y, rng.random(len(person)) < chance, person, rng


def found(*args: NDArray[np.generic]) -> PartDifference:
    difference = part_difference(*args)  # type: ignore[arg-type]
    assert difference is not None
    return difference


@pytest.mark.parametrize("df", [1.0, 1.7, 5.0, 38.2, 999.0, 1e5])
@pytest.mark.parametrize("t", [0.0, 0.1, 1.0, 3.0, 8.0])
def test_probabilities_of_t_are_those_of_scipy(df: float, t: float) -> None:
    assert two_sided(t, df) == pytest.approx(2 * stdtr(df, -t), rel=1e-6, abs=1e-14)


def test_the_difference_is_mantel_and_haenszels() -> None:
    y, right, person, _ = drawn(1)
    part = person < 15
    above = below = 0.0
    for label in range(3):
        one, other = right[part & (y == label)], right[~part & (y == label)]
        weight = len(one) * len(other) / (len(one) + len(other))
        above, below = above + weight * (one.mean() - other.mean()), below + weight
    assert found(y, right, part, person).value == pytest.approx(above / below)


def test_more_photos_of_an_easy_class_do_not_look_better() -> None:
    person = np.repeat(np.arange(40), 20)
    part = person < 20
    y = np.where(np.arange(800) % 20 < np.where(part, 16, 4), 0, 1)  # class 0: 16 of 20 photos, or 4 of 20
    right = np.where(y == 0, np.arange(800) % 4 != 0, np.arange(800) % 4 == 1)  # 0.75 of class 0, 0.25 of class 1
    assert right[part].mean() - right[~part].mean() > 0.25
    difference = found(y, right, part, person)
    assert difference.value == pytest.approx(0, abs=1e-12)
    assert difference.p == 1.0


def test_a_class_that_only_one_side_has_weighs_nothing() -> None:
    y, right, person, _ = drawn(2)
    part = person < 20
    more = np.flatnonzero(part)[:100]
    difference = found(y, right, part, person)
    with_it = found(
        np.append(y, np.full(100, 3)),
        np.append(right, np.zeros(100, bool)),
        np.append(part, part[more]),
        np.append(person, person[more]),
    )
    assert with_it == difference


@pytest.mark.parametrize("seed", range(6))
def test_both_directions_say_the_same(seed: int) -> None:
    y, right, person, rng = drawn(seed)
    part = rng.random(len(y)) < 0.4 if seed % 2 else person < 13
    one, other = found(y, right, part, person), found(y, right, ~part, person)
    assert one.value == pytest.approx(-other.value)
    assert one.p == pytest.approx(other.p)
    assert one.interval == pytest.approx((-other.interval.high, -other.interval.low))


@pytest.mark.parametrize("seed", range(40))
def test_the_interval_leaves_out_0_just_where_p_is_below_a_twentieth(seed: int) -> None:
    y, right, person, rng = drawn(seed, people=24)
    part = person < 10
    right &= ~part | (rng.random(len(y)) < 1 - 0.01 * seed)
    difference = found(y, right, part, person)
    assert (difference.p < 0.05) == (not difference.interval.low <= 0 <= difference.interval.high)
    assert -1 <= difference.interval.low <= difference.value <= difference.interval.high <= 1


def test_no_order_of_the_photos_and_no_name_of_a_group_matters() -> None:
    y, right, person, rng = drawn(3)
    part, order = person % 3 == 0, rng.permutation(len(y))
    one = found(y, right, part, person)
    other = found(y[order], right[order], part[order], 7 * (99 - person[order]))
    assert (other.value, other.p) == pytest.approx((one.value, one.p))


@pytest.mark.parametrize("n", [LEAST_GROUPS - 1, LEAST_GROUPS])
@pytest.mark.parametrize("is_rest", [False, True])
def test_fewer_groups_than_needed_on_either_side_tell_nothing(n: int, is_rest: bool) -> None:
    y, right, person, _ = drawn(4)
    part = (person < n) != is_rest
    assert (part_difference(y, right, part, person) is None) == (n < LEAST_GROUPS)


def test_groups_count_only_with_photos_of_a_class_that_both_sides_have() -> None:
    y, right, person, _ = drawn(5)
    part = person < 10
    y[part & (person >= LEAST_GROUPS - 1)] = 9  # a class of these alone
    assert part_difference(y, right, part, person) is None
    assert part_difference(np.where(part, 1, 0), right, part, person) is None
    assert part_difference(y[:0], right[:0], part[:0], person[:0]) is None
    assert part_difference(y, right, np.zeros(len(y), bool), person) is None


def test_what_differs_within_people_is_told_however_much_people_differ() -> None:
    rng = np.random.default_rng(6)
    person = np.repeat(np.arange(40), 30)
    camera = np.arange(len(person)) % 2 == 0
    chance = np.where(person % 2 == 0, 0.9, 0.2) - 0.1 * camera
    right, y = rng.random(len(person)) < chance, np.zeros(len(person), np.int64)
    within = found(y, right, camera, person)
    assert within.p < 0.01
    between = found(y, right, camera, person * 2 + camera)  # as if each camera had people of its own
    assert between.p > 0.1


@pytest.mark.parametrize(
    ("people", "rest", "told"), [(6, 0.9, False), (6, 0.1, True), (20, 0.9, False), (20, 0.6, True)]
)
def test_a_few_who_are_all_recognised_are_not_certain_to_be(people: int, rest: float, told: bool) -> None:
    rng = np.random.default_rng(7)
    person = np.repeat(np.arange(40 + people), 10)
    part = person < people
    right = part | (rng.random(len(person)) < rest)
    difference = found(np.zeros(len(person), np.int64), right, part, person)
    assert (difference.p < 0.01) == told
    assert difference.interval.low <= difference.value <= difference.interval.high
    assert difference.value == pytest.approx(1 - right[~part].mean())


def test_two_sides_that_are_all_right_do_not_differ() -> None:
    y, right, person, _ = drawn(8)
    difference = found(y, np.ones_like(right), person < 10, person)
    assert (difference.value, difference.p < 0.05) == (0.0, False)
    assert difference.interval.low < 0 < difference.interval.high


def test_six_people_are_as_sure_as_six_can_be_however_many_the_others_are() -> None:
    moved = np.zeros(100)
    moved[:6] = [0.1, -0.1] * 3  # log-odds without each of the six; the others do not move them
    odds = np.log(0.6 / 0.4) + np.concatenate([[0.0], moved])
    sizes = np.zeros((100, 2), np.int64)
    sizes[:6, 0] = sizes[6:, 1] = 12
    difference = judged(1 / (1 + np.exp(-odds)), np.full(101, 0.5), sizes)
    error = np.sqrt(0.99 * (moved**2).sum())
    assert difference.value == pytest.approx(0.1)
    assert difference.p == pytest.approx(2 * stdtr(5, -odds[0] / error))
