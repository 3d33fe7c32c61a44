"""Classes of two sets are matched by name and meaning, never by place."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import LabelError
from mien.labels import SYNONYMS, canonical, match_labels, meanings

MODEL = ("anger", "disgust", "fear", "happy", "pain", "sad")
FER2013 = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("happiness", "happy"),
        ("Angry", "anger"),
        ("SADNESS", "sad"),
        ("3_happy", "happy"),
        ("03-Happy", "happy"),
        ("3. happy", "happy"),
        ("3happy", "happy"),
        ("In_Pain", "pain"),
        ("no expression", "neutral"),
        ("  fearful ", "fear"),
        ("Bored", "bored"),
        ("7", "7"),
    ],
)
def test_spellings_of_an_expression(name: str, meaning: str) -> None:
    assert canonical(name) == meaning


def test_no_name_stands_for_two_expressions() -> None:
    names = [name for expression, others in SYNONYMS.items() for name in (expression, *others)]
    assert len(names) == len(set(names))


def test_fer2013_is_matched_by_name_and_synonym() -> None:
    found = match_labels(MODEL, FER2013)
    assert found.matched == {"angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happy", "sad": "sad"}
    assert found.kinds["angry"] == "synonym"
    assert found.kinds["disgust"] == "exact"
    assert found.extra == ("neutral", "surprise")
    assert found.missing == ("pain",)
    assert set(found.shared) == set(MODEL) - {"pain"}


def test_several_target_classes_may_answer_to_one() -> None:
    found = match_labels(("happy", "sad"), ("joy", "happy", "sad"))
    assert found.matched == {"joy": "happy", "happy": "happy", "sad": "sad"}
    assert found.kinds == {"joy": "merged", "happy": "merged", "sad": "exact"}
    assert found.shared == ("happy", "sad")


def test_equal_name_comes_before_synonym() -> None:
    found = match_labels(("mad", "anger"), ("anger", "mad"))
    assert found.matched == {"anger": "anger", "mad": "mad"}


def test_unknown_names_match_themselves_in_any_case() -> None:
    assert match_labels(("Bored", "sad"), ("bored", "sad")).matched["bored"] == "Bored"


def test_same_name_in_another_unicode_form_is_the_same_class() -> None:
    composed, decomposed = (unicodedata.normalize(form, "müde") for form in ("NFC", "NFD"))  # macOS writes the latter
    assert match_labels((composed, "sad"), (decomposed, "sad")).matched[decomposed] == composed


def test_no_shared_class_is_an_error_that_names_both_sides() -> None:
    with pytest.raises(LabelError) as error:
        match_labels(("happy", "sad"), ("cat", "dog"))
    for name in ("happy", "sad", "cat", "dog"):
        assert name in str(error.value)


@given(st.permutations(MODEL), st.permutations(FER2013))
def test_order_never_changes_the_mapping(model: list[str], target: list[str]) -> None:
    found, expected = match_labels(model, target), match_labels(MODEL, FER2013)
    assert (found.matched, found.kinds) == (expected.matched, expected.kinds)
    assert set(found.extra) == set(expected.extra)
    assert found.missing == expected.missing


@given(st.lists(st.sampled_from([n for k, v in SYNONYMS.items() for n in (k, *v)]), min_size=1, unique=True))
def test_every_target_class_is_either_matched_or_extra(target: list[str]) -> None:
    try:
        found = match_labels(MODEL, target)
    except LabelError:
        assert not {canonical(name) for name in target} & set(MODEL)
        return
    assert set(found.matched) | set(found.extra) == set(target)
    assert not set(found.matched) & set(found.extra)
    assert set(found.shared) | set(found.missing) == set(MODEL)
    assert all(canonical(name) == label for name, label in found.matched.items())


def test_two_model_classes_of_one_meaning_are_not_chosen_between_by_their_place() -> None:
    outcomes = []
    for model in itertools.permutations(("angry", "anger", "sad")):
        try:
            outcomes.append(match_labels(model, ("mad", "sad")).matched.get("mad"))
        except LabelError:
            outcomes.append("error")
    assert len(set(outcomes)) == 1, f"'mad' is matched by the order of the model's classes: {outcomes}"


def test_numbers_stand_for_themselves() -> None:
    assert meanings(["-1", "1", "2.0"]) == {"-1": "-1", "1": "1", "2.0": "2.0"}
    assert not match_labels(["0", "1"], ["-1", "0"]).matched.get("-1")
