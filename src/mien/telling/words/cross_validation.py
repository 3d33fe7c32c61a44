"""What a study with folds says: how every photo was held out once, and whose scores the model to use carries."""

from __future__ import annotations

from mien.results.cross_validation import CrossValidated, Fold
from mien.results.study import StudyResults
from mien.telling.words.numerals import count, interval, percent, plural, score

__all__ = [
    "are_people",
    "evidence",
    "final_sentence",
    "fold_name",
    "fold_sentences",
    "folds_sentence",
    "terminal_lines",
    "unseen",
]


def evidence(results: StudyResults) -> str:
    """What the scores are of: test photos, or photos held out in turn; in the singular."""
    return "held-out photo" if results.folds else "test photo"


def unseen(results: StudyResults) -> str:
    """What a model never saw that answered a photo."""
    if are_people(results):
        return "the person"
    return "its group" if results.splits.groups else "it or a copy of it"


def are_people(results: StudyResults) -> bool:
    """Whether the groups are people."""
    return results.test.over is not None and results.test.over.kind == "people"


def _groups(results: StudyResults, n: int) -> str:
    return plural(n, "person", "people") if are_people(results) else plural(n, "group")


def fold_name(fold: Fold) -> str:
    """A fold by its group, or by its number."""
    return fold.group if fold.group is not None else f"fold {fold.fold}"


def folds_sentence(results: StudyResults, found: CrossValidated) -> str:
    """How the photos were held out."""
    n = len(found.folds)
    if found.asked == "group":
        told = f"Each of {_groups(results, n)} was held out once"
        if found.joined:
            further = plural(found.joined, "further group")
            told += f"; copies join {further} to one of these, and they were held out together"
    else:
        together = "groups and copies" if results.splits.groups else "copies of a picture"
        told = f"Each of {n} folds was held out once, with {together} kept together"
    return (
        f"{told}. Recipes were fitted, calibrated and selected without the held-out photos; about a sixth of the "
        f"others served for selection. So every photo was answered once, by a model that never saw {unseen(results)}."
    )


def fold_sentences(found: CrossValidated) -> list[str]:
    """How far the folds differ, and what they chose."""
    worst, best = found.worst, found.best
    told = [
        f"Accuracy per fold ranges from {percent(worst.accuracy)} ({fold_name(worst)}) to {percent(best.accuracy)} "
        f"({fold_name(best)})."
    ]
    if len(found.selected) > 1:
        parts = ", ".join(f"{name} in {count(n)}" for name, n in found.selected.items())
        told.append(
            f"The folds did not all select the same recipe: {parts}. Each fold counts with the one it selected."
        )
    return told


def final_sentence(results: StudyResults) -> str:
    """Whose scores the model to use carries."""
    return (
        f"The model to use, {results.selected}, was then fitted to all photos. It was not tested itself: its scores "
        "and promises are those of the same procedure on photos that it had not seen."
    )


def terminal_lines(results: StudyResults, found: CrossValidated) -> list[str]:
    """The same for a terminal, a short line each."""
    pooled, worst, best = found.pooled, found.worst, found.best
    n = len(found.folds)
    how = f"each of {_groups(results, n)}" if found.asked == "group" else f"{n} folds"
    ends = f" [{interval(pooled.interval).replace(' to ', ', ')}]" if pooled.interval else ""
    photos = plural(pooled.images, "photo")
    lines = [
        f"held out once: {how}; {photos}, each answered by a model that never saw {unseen(results)}",
        f"what the folds chose: macro-F1 {score(pooled.macro_f1)}{ends}, accuracy {score(pooled.accuracy)}",
        f"accuracy by fold: {score(worst.accuracy)} ({fold_name(worst)}) to {score(best.accuracy)} ({fold_name(best)})",
    ]
    if len(found.selected) > 1:
        lines.append("chosen: " + ", ".join(f"{name} in {plural(n, 'fold')}" for name, n in found.selected.items()))
    return [*lines, "the model is fitted to all photos and carries these scores; it was not tested itself"]
