"""Whether a model has met photos before: copies of what it was trained on, and collections that it learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.results.target import CollectionMatch, Sure, TargetResults
from mien.telling.words.numerals import count

__all__ = ["collection_sentences", "collection_warnings", "met_before"]


def met_before(target: TargetResults) -> str:
    """Which of a target's photos were trained on, and what follows; empty where none is known to be.

    Photos of the study that the model lies in are told from those that its backbone may have been trained on.
    """
    of = count(target.data.images)
    if n := target.near_copies:
        whom = f"trained or selected on {count(n)} of these {of} photos, or on copies of them"
        return f"The model was {whom}, so this score is too high. Do not report it."
    if n := target.seen_in_training:
        whom = f"trained on {count(n)} of these {of} photos"
        return f"The model or its backbone was {whom}, so this score is too high. Do not report it."
    return ""


def collection_sentences(target: TargetResults) -> list[str]:
    """Which collections that the model learnt from the photos belong to, and how sure that is, a sentence each."""
    if not target.collections:  # results of before have names alone
        return [_OLD.format(name=name) for name in target.known_collections]
    return [_TOLD[match.sure](match) for match in target.collections]


def collection_warnings(target: TargetResults) -> list[str]:
    """Those of them that are more than possible."""
    known = set(target.known_collections)
    told = collection_sentences(target)
    if not target.collections:
        return told
    return [text for text, match in zip(told, target.collections, strict=True) if match.name in known]


_FOLLOWS = "The model or its backbone learnt from that collection, so the score says little about photos from elsewhere"
_OLD = "The model or its backbone was trained on other photos of {name}, so the score says little about other photos."


def _certain(match: CollectionMatch) -> str:
    copies = match.copies
    if copies.count == copies.of:
        which = f"All {count(copies.of)} pictures that could be compared"
    else:
        which = f"{count(copies.count)} of {count(copies.of)} pictures"
    whole = f"These photos are from {match.name}" if match.is_whole else f"Some of these photos are from {match.name}"
    return f"{whole}: {_small(which)} are among its own. {_FOLLOWS}."


def _likely(match: CollectionMatch) -> str:
    named = "their names follow its pattern" if _named_alike(match) else "their folder has its name"
    why = f"the files have its size and colours, and {named}"
    return f"These photos are probably from {match.name}: {why}. {_FOLLOWS}."


def _possible(match: CollectionMatch) -> str:
    if match.same_look and match.same_kind:
        why = "the files have its size and colours, and their light and sharpness are spread alike"
    elif match.telling_names:
        why = "the files are named as its are"
    else:
        why = "their folder has its name"
    return (
        f"These photos may be from {match.name}, which the model or its backbone learnt from: {why}, which proves "
        "nothing. Check where they come from."
    )


def _named_alike(match: CollectionMatch) -> bool:
    return match.telling_names or not match.same_folder


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


_TOLD: Mapping[Sure, Callable[[CollectionMatch], str]] = {
    "certain": _certain,
    "likely": _likely,
    "possible": _possible,
}
