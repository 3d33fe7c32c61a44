"""The statistics of paired runs: what they are made of, and whether they hold where photos are shared."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from mien.family import LEVEL, holm
from mien.metrics import confusion_matrix, macro_f1
from mien.significance import (
    Estimate,
    Pair,
    estimate,
    f1_influence,
    fewest_pairs,
    needed,
    paired,
    verdict,
)
from support.checkout import ROOT
from support.intervals import present

BENCH = ROOT / "bench/significance.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_significance", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def made_pairs(differences: list[float], *, ratio: float = 0.2, n: int = 10) -> list[Pair]:
    """Pairs that test other photos each, without influence of single photos."""
    return [Pair(value, np.arange(i * n, (i + 1) * n), np.zeros(n), ratio) for i, value in enumerate(differences)]


def found(difference: float = 0.05, run: float = 4e-4, photo: float = 0.0, *, pairs: int = 12) -> Estimate:
    base = estimate(made_pairs([0.0, 0.1] * (pairs // 2)))
    return replace(base, difference=difference, run_variance=run, photo_variance=photo, groups=600, repeats=2.0)


def test_the_influence_is_the_derivative_of_macro_f1() -> None:
    rng = np.random.default_rng(0)
    y, said = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    value, influence = f1_influence(y, said, 4)
    assert value == pytest.approx(float(macro_f1(confusion_matrix(y, said, 4))))
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    step = 1e-6
    for i in range(0, 60, 7):
        heavier = confusion_matrix(y, said, 4).astype(float)
        heavier[y[i], said[i]] += step
        assert influence[i] == pytest.approx((float(macro_f1(heavier)) - value) / step, rel=1e-3, abs=1e-6)


def test_the_influence_on_one_class_is_the_derivative_of_its_f1() -> None:
    rng = np.random.default_rng(1)
    y, said = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    parts = [f1_influence(y, said, 3, of) for of in range(3)]
    value, influence = f1_influence(y, said, 3)
    assert np.mean([part for part, _ in parts]) == pytest.approx(value)
    assert np.mean([part for _, part in parts], axis=0) == pytest.approx(influence)
    hits = ((y == 1) & (said == 1)).sum()
    assert parts[1][0] == pytest.approx(2 * hits / ((y == 1).sum() + (said == 1).sum()))


def test_a_class_without_photos_counts_for_nothing() -> None:
    value, influence = f1_influence(np.array([0, 0, 1]), np.array([0, 2, 1]), 3)
    assert value == pytest.approx((2 / 3 + 1) / 2)
    assert np.isfinite(influence).all()


def test_without_overlap_it_is_the_paired_t_test() -> None:
    values = [0.02, 0.05, -0.01, 0.04, 0.03, 0.06]
    got = estimate(made_pairs(values, ratio=0.0))
    wanted = ttest_1samp(values, 0)
    assert got.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert (present(got.interval).low, present(got.interval).high) == pytest.approx((interval.low, interval.high))


def test_photos_tested_again_keep_the_interval_wide() -> None:
    """More runs on the same photos cannot tell what other photos would say."""
    rng = np.random.default_rng(1)
    influence = rng.normal(0, 0.01, 50)
    influence -= influence.mean()

    def of(n: int) -> Estimate:
        return estimate([Pair(0.02 + 0.001 * (-1) ** i, np.arange(50), influence, 0.2) for i in range(n)])

    few, many = of(10), of(1000)
    assert many.run_variance < few.run_variance / 50
    assert many.photo_variance >= few.photo_variance > 0
    assert many.standard_error > 0.5 * few.standard_error


def test_copies_of_a_picture_count_as_one() -> None:
    rng = np.random.default_rng(2)
    y, a, b = (rng.integers(0, 3, 80) for _ in range(3))
    groups = np.arange(80) // 2
    apart = estimate([paired(y, a, b, 3, np.arange(80), 400)] * 6)
    together = estimate([paired(y, a, b, 3, groups, 400)] * 6)
    assert (apart.groups, together.groups) == (80, 40)
    assert together.photo_variance != apart.photo_variance


def test_the_same_answers_are_no_difference() -> None:
    y = np.arange(30) % 3
    same = estimate([paired(y, y, y, 3, np.arange(30), 150)] * 6)
    assert (same.difference, same.p) == (0, 1)
    assert verdict(same, same.p, 1) == "cannot tell"


def test_swapping_the_arms_turns_the_sign_alone() -> None:
    rng = np.random.default_rng(3)
    y, a, b = (rng.integers(0, 3, 90) for _ in range(3))
    parts = [slice(i, i + 15) for i in range(0, 90, 15)]
    one = estimate([paired(y[p], a[p], b[p], 3, np.arange(90)[p], 75) for p in parts])
    other = estimate([paired(y[p], b[p], a[p], 3, np.arange(90)[p], 75) for p in parts])
    assert one.difference == pytest.approx(-other.difference)
    assert one.p == pytest.approx(other.p)


def test_holm_is_holms() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(("comparisons", "pairs"), [(1, 6), (2, 7), (3, 7), (4, 8), (6, 8), (12, 9)])
def test_the_fewest_pairs_are_those_a_sign_test_could_reject_with(comparisons: int, pairs: int) -> None:
    assert fewest_pairs(comparisons) == pairs
    assert 2 / 2**pairs <= LEVEL / comparisons < 2 / 2 ** (pairs - 1)


def test_verdicts() -> None:
    clear = estimate(made_pairs([0.1, 0.11, 0.09, 0.1, 0.12, 0.1]))
    assert verdict(clear, clear.p, 1) == "better"
    assert verdict(replace(clear, difference=-0.1), clear.p, 1) == "worse"
    assert verdict(clear, clear.p, 2) == "cannot tell", "6 pairs are too few for two comparisons"
    assert verdict(clear, 0.06, 1) == "cannot tell"


def test_what_is_needed() -> None:
    more = needed(found(), 1)
    assert more.photos is None
    assert more.pairs is not None
    assert 12 < more.pairs < 60
    smaller = needed(found(difference=0.025), 1)
    assert smaller.pairs is not None
    assert smaller.pairs > more.pairs
    corrected = needed(found(), 6)
    assert corrected.pairs is not None
    assert corrected.pairs > more.pairs, "a family needs more"
    photos = needed(found(photo=9e-4), 1)
    assert photos.pairs is None, "no number of runs mends a lack of photos"
    assert photos.photos is not None
    assert photos.photos > 600
    assert needed(found(difference=0.0), 1) == needed(found(difference=1e-6), 1)


@pytest.mark.heavy
def test_the_test_and_the_interval_hold_on_overlapping_folds(bench: ModuleType) -> None:
    """A small part of bench/significance.py: shared pool, overlapping folds, learners that really learn."""
    learner = bench.LEARNERS[0]
    null = [bench.judged(learner, 12, 0.0, (5, i)) for i in range(150)]
    wrong, starred = (
        np.mean([any(v != "cannot tell" for v in bench.family_verdicts(family)) for family in families])
        for families in ([each.found for each in null], [each.of_classes for each in null])
    )
    covered = np.mean([each.found[0].interval.low <= 0 <= each.found[0].interval.high for each in null])
    chance = 3 * math.sqrt(0.05 * 0.95 / 150)
    assert max(wrong, starred) <= 0.05 + chance
    assert covered >= 0.95 - chance
    assert np.mean([each.others[0] <= 0.05 for each in null]) > 0.05 + chance, "the usual t-test does not hold here"


def test_a_few_people_tell_no_arm_from_another_however_many_pairs_and_photos() -> None:
    rng = np.random.default_rng(1)
    for people, verdicts in ((4, {"cannot tell"}), (12, {"better"})):
        person = np.repeat(np.arange(people), 600 // people)
        y = rng.integers(0, 3, 600)
        first, second = (np.where(rng.random(600) < right, y, (y + 1) % 3) for right in (0.95, 0.5))
        pairs = [paired(y, first, np.roll(second, 0), 3, person, 1200) for _ in range(12)]
        found = estimate(pairs)
        assert (found.groups, found.interval is None) == (people, people == 4)
        assert {verdict(found, found.p, 1)} == verdicts
