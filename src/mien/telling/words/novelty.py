"""Whether a model has met photos before: copies of what it was trained on, and collections that it learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.results.target import CollectionMatch, Sure, TargetResults
from mien.telling.words.numerals import count

__all__ = ["collection_sentences", "collection_warnings", "has_met_all", "met_before"]


def met_before(target: TargetResults, *, beside_test: bool = False) -> str:
    """Which of a target's photos were trained on, and what follows; empty where none is known to be.

    Photos of the study that the model lies in are told from those that its backbone may have been trained on.

    Args:
        beside_test: whether test photos are spoken of as well, so that it has to be said which photos are meant.
    """
    of = count(target.data.images)
    photos = f"the {of} photos from elsewhere" if beside_test else f"these {of} photos"
    follows = f"so {'the score on them' if beside_test else 'this score'} is too high. Do not report it."
    if n := target.near_copies:
        return f"The model was trained or selected on {count(n)} of {photos}, or on copies of them, {follows}"
    if n := target.seen_in_training:
        return f"The model or its backbone was trained on {count(n)} of {photos}, {follows}"
    return ""


def has_met_all(target: TargetResults) -> bool:
    """Whether every photo is known to have been trained on, beside which nothing need be said of its collection."""
    return 0 < target.data.images <= max(target.near_copies or 0, target.seen_in_training)


def collection_sentences(target: TargetResults, *, beside_test: bool = False) -> list[str]:
    """Which collections that the model learnt from the photos belong to, and how sure that is, a sentence each.

    Args:
        beside_test: as for ``met_before``.
    """
    if not target.collections:  # results of before have names alone
        return [_OLD.format(name=name) for name in target.known_collections]
    which = "the photos from elsewhere" if beside_test else "these photos"
    return [_TOLD[match.sure](match, which) for match in target.collections]


def collection_warnings(target: TargetResults, *, beside_test: bool = False) -> list[str]:
    """Those of them that are more than possible."""
    known = set(target.known_collections)
    told = collection_sentences(target, beside_test=beside_test)
    if not target.collections:
        return told
    return [text for text, match in zip(told, target.collections, strict=True) if match.name in known]


_FOLLOWS = "The model or its backbone learnt from that collection, so the score says little about photos from elsewhere"
_OLD = "The model or its backbone was trained on other photos of {name}, so the score says little about other photos."


def _certain(match: CollectionMatch, which: str) -> str:
    copies = match.copies
    if copies.count == copies.of:
        pictures = f"all {count(copies.of)} pictures that could be compared"
    else:
        pictures = f"{count(copies.count)} of {count(copies.of)} pictures"
    whole = which if match.is_whole else f"some of {which}"
    return f"{_large(whole)} are from {match.name}: {pictures} are among its own. {_FOLLOWS}."


def _likely(match: CollectionMatch, which: str) -> str:
    named = "their names follow its pattern" if _named_alike(match) else "their folder has its name"
    why = f"the files have its size and colours, and {named}"
    return f"{_large(which)} are probably from {match.name}: {why}. {_FOLLOWS}."


def _possible(match: CollectionMatch, which: str) -> str:
    if match.same_look and match.same_kind:
        why = "the files have its size and colours, and their light and sharpness are spread alike"
    elif match.telling_names:
        why = "the files are named as its are"
    else:
        why = "their folder has its name"
    return (
        f"{_large(which)} may be from {match.name}, which the model or its backbone learnt from: {why}, which proves "
        "nothing. Check where they come from."
    )


def _named_alike(match: CollectionMatch) -> bool:
    return match.telling_names or not match.same_folder


def _large(text: str) -> str:
    return text[0].upper() + text[1:]


_TOLD: Mapping[Sure, Callable[[CollectionMatch, str], str]] = {
    "certain": _certain,
    "likely": _likely,
    "possible": _possible,
}
