"""How sure it is that photos are of a collection that a model learnt from is told as it is, and never surer."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from mien.results.target import CollectionMatch, Counted, Sure, TargetResults
from mien.telling.words.novelty import collection_sentences, collection_warnings
from support.made_study import make_manifest, make_results, with_target


@pytest.fixture(scope="module")
def target() -> TargetResults:
    manifest = make_manifest()
    found = with_target(make_results(manifest), manifest).target
    assert found is not None
    return found


def match(sure: Sure, **changes: Any) -> CollectionMatch:
    nothing: dict[str, Any] = {
        "copies": Counted(count=0, of=30),
        "is_whole": False,
        "same_kind": None,
        "same_names": None,
    }
    about = {"telling_names": False, "same_look": None, "same_folder": False}
    return CollectionMatch(name="lab", sure=sure, **nothing | about | changes)


def told(target: TargetResults, found: CollectionMatch) -> tuple[str, bool]:
    """What is said of a match, and whether it is a warning."""
    known = () if found.sure == "possible" else ("lab",)
    about = replace(target, collections=(found,), known_collections=known)
    (text,) = collection_sentences(about)
    return text, collection_warnings(about) == [text]


def test_copies_are_told_as_what_they_are(target: TargetResults) -> None:
    every, warns = told(target, match("certain", copies=Counted(count=30, of=30), is_whole=True))
    assert every.startswith("These photos are from lab: all 30")
    assert warns
    some, _ = told(target, match("certain", copies=Counted(count=4, of=30)))
    assert some.startswith("Some of these photos are from lab: 4 of 30")


def test_what_is_only_likely_or_possible_says_so(target: TargetResults) -> None:
    likely, warns = told(target, match("likely", same_kind=1.0, telling_names=True))
    assert "probably" in likely
    assert "names" in likely
    assert warns
    for about in ({"same_kind": 1.0, "same_look": True}, {"telling_names": True}, {"same_folder": True}):
        possible, warns = told(target, match("possible", **about))
        assert "may be from lab" in possible
        assert "proves nothing" in possible
        assert not warns


def test_results_of_before_have_names_alone(target: TargetResults) -> None:
    before = replace(target, known_collections=("lab",), collections=())
    assert len(collection_warnings(before)) == 1
    assert "lab" in collection_warnings(before)[0]
