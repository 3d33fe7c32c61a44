"""What the section on photos from elsewhere says first: whether they are new, what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mien.results.scores import Scores
from mien.results.scoring import ScoredTarget
from mien.results.target import Causes, Counted, TargetResults
from mien.telling.report.causes import TITLES
from mien.telling.words.advice import DROP, Advice, take_out
from mien.telling.words.answers import one_sided
from mien.telling.words.novelty import collection_sentences, has_met_all, met_before
from mien.telling.words.numerals import count, interval, listed, percent, score, signed
from mien.telling.words.over import counted, four_times, span
from mien.telling.words.scoring import ORIGIN

__all__ = ["confusion_sentence", "in_short", "next_steps", "novelty_sentences"]

MOST_STEPS = 3
UNCERTAIN = 0.10
"""Half width of the interval of macro-F1 above which there are too few photos to build on."""
WORTH_A_STEP = -0.03
"""Change of macro-F1 from one cause that is worth mending."""
LIMITING_HELPS = 0.03
MANY_UNANSWERED = 0.05
"""Share of the photos without an answer from which on something is to be done about it."""


def novelty_sentences(target: TargetResults) -> list[str]:
    """Is it new at all? As far as it can be told."""
    if isinstance(target, ScoredTarget):
        return [ORIGIN]
    met, collections = met_before(target), [] if has_met_all(target) else collection_sentences(target)
    told = ([met] if met else []) + collections
    if not target.is_new:
        return told
    if target.near_copies is None:
        how = (
            "The photos were compared with the training photos by file hash alone, because the model is not part of a "
            "study."
        )
        return [*told, how]
    return [
        *told,
        "The photos are new to the model, as far as can be told. None is a copy of a photo that it was trained or "
        "selected on, and nothing shows that they are from a collection that it or its backbone was trained on.",
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
    if made >= 0:
        return f"Elsewhere, the score falls by {score(-fall)}, which image quality does not explain: {_REST}."
    if causes.unexplained >= 0:
        return f"Elsewhere, the score falls by {score(-fall)}. Image quality explains all of it ({signed(made)})."
    rest = f"the rest may come from {_PEOPLE}"
    return f"Elsewhere, the score falls by {score(-fall)}. Image quality explains about {score(-made)}; {rest}."


_PEOPLE = "the people, how they show an expression, or how it was labelled"
_REST = f"it may come from {_PEOPLE}"


def confusion_sentence(target: TargetResults) -> str | None:
    """The confusion that changed most; None where there is none to speak of."""
    changes = target.confusion_changes
    if not changes:
        return None
    first = changes[0]
    told = (
        f"“{first.true}” is taken for “{first.predicted}” in {_share(first.target)} of cases here, and in "
        f"{_share(first.test)} on the test photos"
    )
    if first.is_clear:
        return f"The confusion that changed most: {told}."
    return f"No confusion changed significantly. The largest change: {told}."


def _share(part: Counted) -> str:
    return f"{percent(part.count / part.of)} ({count(part.count)} of {count(part.of)})"


def next_steps(target: TargetResults) -> list[Advice]:
    """What to do next about photos like these, the most urgent first; three at most."""
    if isinstance(target, ScoredTarget):
        return _steps_of_answers(target)
    found = [rule(target) for rule in _RULES]
    steps = [step for step in found if step is not None][:MOST_STEPS]
    if steps:
        return steps
    return [_nothing_to_mend(target)]


def _steps_of_answers(target: ScoredTarget) -> list[Advice]:
    """What to do next about the answers of another tool."""
    steps = [step for step in (_answer_all(target), _label_more(target)) if step is not None]
    if not target.against:
        reason = "It is paired, photo by photo, and says which is better here or that these photos cannot tell."
        steps.append(Advice("Compare with mien's own recogniser: mien score ANSWERS PHOTOS --against default.", reason))
    if steps:
        return steps
    gain = "Measure what training on photos like these gains: mien study PHOTOS --recipe from-default."
    return [Advice(gain, "Nothing else was found to mend.")]


def _answer_all(target: ScoredTarget) -> Advice | None:
    counts = target.answers
    if counts.unanswered < MANY_UNANSWERED * counts.photos:
        return None
    return Advice(
        "Have the tool answer the other photos, or look why it found no face in them.",
        f"{count(counts.unanswered)} of {count(counts.photos)} photos have no answer and count as wrong.",
    )


def _nothing_to_mend(target: TargetResults) -> Advice:
    """What remains where no rule finds anything: use it, or ask what labels of these photos would gain."""
    level = target.good_enough.level if target.good_enough else None
    if level in ("good", "very good"):
        return Advice("Use it on photos like these: mien predict PHOTOS --model MODEL.", "Nothing was found to mend.")
    if target.near_copies is None:
        return Advice(
            "Train on photos like these, from what the model knows: mien study PHOTOS --recipe from-default.",
            "Nothing else was found to mend, and the model lies in no study that could learn on.",
        )
    return Advice(
        "Measure what labels of these photos would gain: mien adapt STUDY PHOTOS.", "Nothing else was found to mend."
    )


def _recurring(target: TargetResults) -> Advice | None:
    return take_out(target) if target.is_new else None


def _not_new(target: TargetResults) -> Advice | None:
    if target.is_new:
        return None
    return Advice("Test on photos of another collection: mien evaluate MODEL OTHER_PHOTOS.", _why_not_new(target))


def _why_not_new(target: TargetResults) -> str:
    if target.known_collections:
        return f"Photos of {listed(target.known_collections)} helped to make the model."
    return "Some of these photos were trained on."


def _label_more(target: TargetResults) -> Advice | None:
    shared = target.shared
    if shared.over and not shared.over.enough:
        return Advice(
            _more(shared),
            f"There are only {counted(shared.over)}; an interval takes at least {shared.over.least}.",
        )
    if shared.interval is None or shared.margin is None or shared.margin <= UNCERTAIN:
        return None
    few, many = four_times(shared)
    return Advice(
        _more(shared),
        f"With {few}, the score may be anywhere from {interval(shared.interval)}. Halving that takes about {many}.",
    )


def _more(shared: Scores) -> str:
    of = "photos of more people" if shared.over and shared.over.kind == "people" else "more of these photos"
    return f"Label {of}, and evaluate again."


MENDED = ("crop", "resolution", "grey", "light")
"""Properties that ``--augment elsewhere`` varies; nothing varies compression, or how frequent the classes are."""
VARIED = "Train on photos that vary in the same way: mien study YOURS --recipe finetune --augment elsewhere."


def _mend_the_cause(target: TargetResults) -> Advice | None:
    moved = [move for move in (target.causes.moved if target.causes else ()) if move.property in MENDED]
    worst = min(moved, key=lambda move: move.change, default=None)
    if worst is None or target.causes is None:
        return None
    if worst.change > WORTH_A_STEP or not worst.lowers:
        return _mend_all(target.causes, [TITLES[move.property] for move in moved])
    ends, made = interval(worst.interval, "signed"), TITLES[worst.property]
    return Advice(
        VARIED,
        f"{made[:1].upper()}{made[1:]}, the test photos’ macro-F1 changes by {signed(worst.change)} ({ends}), more "
        "than for any other property of the pictures.",
    )


def _mend_all(causes: Causes, made: Sequence[str]) -> Advice | None:
    """Where it takes more than one property to lower the score."""
    together = causes.together
    if together.change > WORTH_A_STEP or not together.lowers:
        return None
    ends = interval(together.interval, "signed")
    return Advice(
        VARIED,
        f"None of these alone lowers the score significantly, all together by {signed(together.change)} ({ends}): "
        f"{', '.join(made)}.",
    )


def _train_on_them(target: TargetResults) -> Advice | None:
    change = target.macro_f1_change
    if change is None or change > DROP:
        return None
    causes = target.causes
    why = (
        f"{score(abs(causes.unexplained))} of the fall is not explained by image quality."
        if causes and causes.unexplained < 0
        else f"Over the shared classes, macro-F1 is {score(-change)} lower than on the test photos."
    )
    return Advice(
        "Label some of these photos and train on them together with your own: mien study YOURS SOME_OF_THESE.",
        f"{why} Keep the rest for testing. To measure what this would gain: mien adapt.",
    )


def _look_at_labels(target: TargetResults) -> Advice | None:
    clear = [change for change in target.confusion_changes or [] if change.is_clear and change.change > 0]
    if not clear:
        return None
    first = clear[0]
    return Advice(
        f"Compare these photos of “{first.true}” with your own of “{first.predicted}”.",
        f"{_share(first.target)} {'is' if first.target.count == 1 else 'are'} taken for “{first.predicted}”, and "
        f"{_share(first.test)} of the test photos: the two collections "
        "may not mean the same thing by these words. If so, map or drop the class in a file that "
        "mien evaluate --write-class-map writes.",
    )


def _fewer_classes(target: TargetResults) -> Advice | None:
    free, limited = target.shared.macro_f1, target.shared_limited.macro_f1
    if free is None or limited is None or limited - free < LIMITING_HELPS:
        return None
    return Advice(
        f"Limit its answers, if {listed(target.labels.missing)} cannot occur: mien predict PHOTOS --classes "
        f"{','.join(dict.fromkeys(target.labels.matched.values()))}.",
        f"With its answers limited to these classes, this model reaches {score(limited)} instead of {score(free)}.",
    )


_RULES: tuple[Callable[[TargetResults], Advice | None], ...] = (
    _not_new,
    _recurring,
    _label_more,
    _mend_the_cause,
    _train_on_them,
    _look_at_labels,
    _fewer_classes,
)
