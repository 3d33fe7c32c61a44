"""What the section on photos from elsewhere says first: whether they are new, what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mien.results.target import Causes, Counted, TargetResults
from mien.telling.report.causes import TITLES
from mien.telling.words.advice import DROP, Advice, take_out
from mien.telling.words.answers import met_before, one_sided
from mien.telling.words.numerals import count, interval, percent, score, signed
from mien.telling.words.over import counted, four_times, span

__all__ = ["confusion_sentence", "in_short", "next_steps", "novelty_sentences"]

MOST_STEPS = 3
UNCERTAIN = 0.10
"""Half width of the interval of macro-F1 above which there are too few photos to build on."""
WORTH_A_STEP = -0.03
"""Change of macro-F1 from one cause that is worth mending."""
LIMITING_HELPS = 0.03


def novelty_sentences(target: TargetResults) -> list[str]:
    """Is it new at all? As far as it can be told."""
    told = []
    if met := met_before(target):
        told.append(f"{met} The score is too high.")
    if names := target.known_collections:
        told.append(
            f"The model or its backbone was trained on other photos of {' and '.join(names)}. The score says little "
            "about photos from elsewhere."
        )
    if told:
        return told
    if target.near_copies is None:
        return ["These photos were not searched for copies of training photos: the model is not part of a study."]
    return [
        "The photos are new to the model, as far as can be told: none is a copy of a photo that it was trained or "
        "selected on, and neither it nor its backbone was trained on a collection of this name."
    ]


def in_short(target: TargetResults) -> list[str]:
    """What happened, in at most four sentences."""
    shared, change = target.shared, target.macro_f1_change
    told = [f"Macro-F1 over the shared classes is {score(shared.macro_f1)} ({span(shared.interval, shared.over)})"]
    if causes := target.causes:
        told[0] += f"; on the test photos of these classes it is {score(causes.macro_f1)}."
        told += [_explained(causes)] if causes.reached - causes.macro_f1 <= DROP else []
    else:
        told[0] += f", a change of {signed(change)} from the test photos." if change is not None else "."
    told += filter(None, [confusion_sentence(target), one_sided(shared)])
    return told


def _explained(causes: Causes) -> str:
    fall, made = causes.reached - causes.macro_f1, causes.together.change
    weighed = any(move.property == "class_balance" for move in causes.moved)
    what = "Image quality and class frequencies explain" if weighed else "Image quality explains"
    much = f"about {score(-made)}" if float(f"{made:.2f}") < 0 else "none"
    return (
        f"Elsewhere, the score falls by {score(-fall)}. {what} {much} of that; the rest comes from the people, how "
        "they show an expression, or how it was labelled."
    )


def confusion_sentence(target: TargetResults) -> str | None:
    """The confusion that changed most; None where there is none to speak of."""
    changes = target.confusion_changes
    if not changes:
        return None
    first = changes[0]
    told = (
        f"“{first.true}” is taken for “{first.predicted}” in {_share(first.target)}, and in {_share(first.test)} of "
        "the test photos"
    )
    if first.is_clear:
        return f"The confusion that changed most: {told}."
    return f"No confusion changed significantly. The largest change: {told}."


def _share(part: Counted) -> str:
    return f"{percent(part.count / part.of)} ({count(part.count)} of {count(part.of)})"


def next_steps(target: TargetResults) -> list[Advice]:
    """What to do next about photos like these, the most urgent first; three at most."""
    found = [rule(target) for rule in _RULES]
    return [step for step in found if step is not None][:MOST_STEPS]


def _other_photos(target: TargetResults) -> Advice | None:
    if not target.known_collections:
        return None
    return Advice(
        "Test on photos of another collection before you rely on this score.",
        f"Photos of {' and '.join(target.known_collections)} helped to make the model.",
    )


def _label_more(target: TargetResults) -> Advice | None:
    shared = target.shared
    if shared.over and not shared.over.enough:
        return Advice(
            "Label photos of more people first."
            if shared.over.kind == "people"
            else "Label more of these photos first.",
            f"There are only {counted(shared.over)}; an interval takes at least {shared.over.least}.",
        )
    if shared.interval is None or shared.margin is None or shared.margin <= UNCERTAIN:
        return None
    few, many = four_times(shared)
    return Advice(
        "Label photos of more people first."
        if shared.over and shared.over.kind == "people"
        else "Label more of these photos first.",
        f"With {few}, the score may be anywhere from {interval(shared.interval)}. Halving that takes about {many}.",
    )


_MENDS = {
    "crop": "Use whole photos there too, or train on photos cropped to the face.",
    "resolution": "Use larger pictures there, or train on pictures of the same size.",
    "grey": "Take pictures in colour there, or train on grey photos.",
    "light": "Even out the light there, or train on photos of the same brightness and contrast.",
    "compression": "Save pictures there with less compression, or train on photos that are compressed as much.",
}
"""Property → what mends it; nothing mends how frequent the classes are."""


def _mend_the_cause(target: TargetResults) -> Advice | None:
    moved = [move for move in (target.causes.moved if target.causes else ()) if move.property in _MENDS]
    worst = min(moved, key=lambda move: move.change, default=None)
    if worst is None or target.causes is None:
        return None
    if worst.change > WORTH_A_STEP or not worst.lowers:
        return _mend_all(target.causes, [TITLES[move.property] for move in moved])
    ends = interval(worst.interval, "signed")
    return Advice(
        _MENDS[worst.property],
        f"This alone changes the score on the test photos by {signed(worst.change)} ({ends}), more than any other "
        "property of the pictures.",
    )


def _mend_all(causes: Causes, made: Sequence[str]) -> Advice | None:
    """Where it takes more than one property to lower the score."""
    together = causes.together
    if together.change > WORTH_A_STEP or not together.lowers:
        return None
    ends = interval(together.interval, "signed")
    return Advice(
        f"Train on photos made like these: {', '.join(made)}.",
        f"None of these alone lowers the score significantly; all at once change it by {signed(together.change)} "
        f"({ends}).",
    )


def _train_on_them(target: TargetResults) -> Advice | None:
    change = target.macro_f1_change
    if change is None or change > DROP:
        return None
    causes = target.causes
    why = (
        f"{score(abs(causes.unexplained))} of the fall is not explained by how the pictures are made."
        if causes and causes.unexplained < 0
        else f"Over the shared classes, macro-F1 is {score(-change)} lower than on the test photos."
    )
    return Advice(
        "Label some of these photos and train on them as well: mien study YOURS SOME_OF_THESE.",
        f"{why} Keep the others for testing. mien adapt measures what this would gain.",
    )


def _look_at_labels(target: TargetResults) -> Advice | None:
    clear = [change for change in target.confusion_changes or [] if change.is_clear and change.change > 0]
    if not clear:
        return None
    first = clear[0]
    return Advice(
        f"Compare its photos of “{first.true}” with your own of “{first.predicted}”.",
        f"{_share(first.target)} are taken for it, and {_share(first.test)} of the test photos: the two collections "
        "may not mean the same by these words. If so, map or drop the class with --class-map.",
    )


def _fewer_classes(target: TargetResults) -> Advice | None:
    free, limited = target.shared.macro_f1, target.shared_limited.macro_f1
    if free is None or limited is None or limited - free < LIMITING_HELPS:
        return None
    return Advice(
        f"Train on the shared classes alone, if {' and '.join(target.labels.missing)} cannot occur there.",
        f"With its answers limited to these classes, this model reaches {score(limited)} instead of {score(free)}.",
    )


_RULES: tuple[Callable[[TargetResults], Advice | None], ...] = (
    take_out,
    _other_photos,
    _label_more,
    _mend_the_cause,
    _train_on_them,
    _look_at_labels,
    _fewer_classes,
)
