"""Agreement of raters: published worked examples, statsmodels' figures, and what must hold of any votes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien.agreement import cohen, fleiss, krippendorff, one_against_others, rater_apart, share_difference

Ints = NDArray[np.int64]

# Fleiss (1971), table 1: 30 patients, six psychiatrists each, five diagnoses; a line a patient, a diagnosis a rater.
PATIENTS = """
444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445 333335 111455
111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555
"""


def counts_of(units: list[str], classes: str = "12345") -> Ints:
    """Counts of what the raters of each unit said, one letter a rater."""
    return np.array([[unit.count(each) for each in classes] for unit in units])


def test_fleiss_kappa_is_that_of_fleiss_patients() -> None:
    found = fleiss(counts_of(PATIENTS.split()))
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert found.n == 30
    assert found.interval is not None
    assert found.interval.low < 0.430 < found.interval.high
    assert found.verdict == "better"


def test_fleiss_kappa_is_that_of_a_textbook() -> None:
    """Ten subjects, 14 raters, five categories: 0.210 (the worked example of many textbooks)."""
    table = """
    0 0 0 0 14; 0 2 6 4 2; 0 0 3 5 6; 0 3 9 2 0; 2 2 8 1 1; 7 7 0 0 0; 3 2 6 3 0; 2 5 3 2 2; 6 5 2 1 0; 0 2 2 3 7
    """
    counts = np.array([[int(n) for n in row.split()] for row in table.split(";")])
    assert fleiss(counts).value == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_is_that_of_statsmodels() -> None:
    """``statsmodels.stats.inter_rater.fleiss_kappa`` of version 0.15.0, for the table that this generator draws."""
    table = np.random.default_rng(7).multinomial(6, [0.5, 0.3, 0.15, 0.05], 40)
    assert fleiss(table).value == pytest.approx(-0.035458737478136465, abs=1e-12)


def test_cohens_kappa_is_that_of_cohen_and_of_statsmodels() -> None:
    """Cohen (1960), p. 45: 200 cases, three categories, 0.492; and a table of two, 0.4."""
    for table, expected in (([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.492), ([[20, 5], [10, 15]], 0.4)):
        first, second = np.array([(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]).T
        assert cohen(first, second, len(table)).value == pytest.approx(expected, abs=1e-3)


def test_krippendorffs_alpha_is_that_of_krippendorff() -> None:
    """Krippendorff (2011), example C: nominal data of four observers with missing values, 0.743."""
    observers = ("123321412___", "1233224125_3", "_3332342251_", "12332441251_")
    units = ["".join(column) for column in zip(*observers, strict=True)]
    assert krippendorff(counts_of(units)).value == pytest.approx(0.743, abs=5e-4)


def test_krippendorffs_alpha_of_two_observers_is_that_of_krippendorff() -> None:
    """Krippendorff (2011), example A: ten units, two observers, binary: 0.095."""
    units = [f"{a}{b}" for a, b in zip("0100000010", "1110010000", strict=True)]
    assert krippendorff(counts_of(units, "01")).value == pytest.approx(0.095, abs=5e-4)


def test_agreement_of_one_class_alone_is_not_defined_and_perfect_agreement_is_one() -> None:
    alone, perfect = np.array([[3, 0]] * 9), np.array([[3, 0]] * 5 + [[0, 3]] * 5)
    for measure in (fleiss, krippendorff):
        assert measure(alone).value is None
        found = measure(perfect)
        assert found.value == pytest.approx(1.0)
        assert found.interval is not None
        assert found.interval.low < 1.0, "ten photos make nothing certain"
        assert measure(np.array([[1, 0], [0, 1]])).value is None, "single votes say nothing of agreement"


def test_raters_who_guess_agree_as_by_chance_and_the_interval_says_so() -> None:
    rng = np.random.default_rng(0)
    table = rng.multinomial(5, [0.6, 0.3, 0.1], 400)
    for measure in (fleiss, krippendorff):
        found = measure(table)
        assert found.verdict == "cannot tell"
        assert abs(found.value or 1) < 0.05


def test_intervals_are_over_groups_and_absent_for_few() -> None:
    table = np.repeat(np.random.default_rng(1).multinomial(5, [0.6, 0.3, 0.1], 40), 10, axis=0)
    alone, grouped = fleiss(table), fleiss(table, np.repeat(np.arange(40), 10))
    assert alone.interval is not None
    assert grouped.interval is not None
    wide, narrow = (each.high - each.low for each in (grouped.interval, alone.interval))
    assert wide == pytest.approx(narrow * 10**0.5, rel=0.15)
    assert fleiss(table, np.repeat(np.arange(5), 80)).interval is None


def test_a_vote_is_held_against_the_majority_of_the_others() -> None:
    found = one_against_others(np.array([[3, 1], [2, 2], [1, 1], [1, 0], [2, 0]]))
    votes = sorted(zip(found.photo.tolist(), found.said.tolist(), found.truth.tolist(), strict=True))
    assert votes == [
        *[(0, 0, 0)] * 3,
        (0, 1, 0),
        *[(1, 0, 1)] * 2,
        *[(1, 1, 0)] * 2,
        (2, 0, 1),
        (2, 1, 0),
        *[(4, 0, 0)] * 2,
    ]


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=30))
def test_a_vote_is_left_out_of_the_majority_that_it_is_held_against(rows: list[list[int]]) -> None:
    counts = np.array(rows)
    found = one_against_others(counts)
    assert len(found.photo) <= counts.sum()
    for photo, said, truth in zip(found.photo, found.said, found.truth, strict=True):
        others = counts[photo].copy()
        others[said] -= 1
        assert (others == others.max()).sum() == 1
        assert others.argmax() == truth


def test_a_rater_is_set_apart_by_pairs_also_where_the_others_have_no_majority_without_one_of_them() -> None:
    truth = np.arange(30) % 3
    said = np.column_stack([truth, truth, (truth + 1) % 3])
    apart = [rater_apart(said, i, np.arange(30), 3) for i in range(3)]
    assert [each.value for each in apart] == [0.5, 0.5, -1.0]
    assert [each.verdict for each in apart] == ["better", "better", "worse"]
    said[0, 1] = -1
    assert rater_apart(said, 2, np.arange(30)).value == pytest.approx(-1.0)
    assert rater_apart(said[:, :2], 0, np.arange(30)).value is None, "two raters part from each other alone"


def test_a_difference_of_shares_is_paired_and_skips_what_says_nothing() -> None:
    rng = np.random.default_rng(3)
    hard = rng.random(300) < 0.5
    first, second = (hard | (rng.random(300) < 0.1)).astype(np.float64), hard.astype(np.float64)
    found = share_difference(first, second, np.arange(300))
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert found.verdict == "better"
    second[:100] = np.nan
    assert share_difference(first, second, np.arange(300)).value == pytest.approx(first.mean() - second[100:].mean())
