"""Is a model good enough for these photos? The verdict, what it promised, whom it fails, what it does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mien.results.behaviour import Promise
from mien.results.evaluation import EvaluatedTarget, GroupScore, GroupScores, PairedModel, UnknownClass
from mien.results.scores import Scores
from mien.results.target import Level, TargetResults
from mien.telling.words.numerals import NONE, count, interval, listed, percent, plural, score, signed
from mien.telling.words.over import NOUNS, counted, over, span

__all__ = ["against_sentences", "group_sentences", "promise_sentences", "recall_rows", "unknown_sentences", "verdict"]

MOST_ANSWERS = 3
"""Answers that are named of a class that the model does not know."""


def verdict(target: TargetResults) -> str:
    """Whether the model is good enough, in one sentence at the level that it reaches; empty in results of before."""
    judged, shared = target.good_enough, target.shared
    if judged is None:
        return ""
    if judged.level in ("poor", "fair") and (shared.macro_f1 or 0) >= judged.bounds["good"]:
        return f"Not shown to be good enough: {_wrong(shared)}, but so few tell little ({_reached(shared)})."
    return _VERDICTS[judged.level](shared)


def _reached(shared: Scores) -> str:
    return f"macro-F1 {score(shared.macro_f1)}, {span(shared.interval, shared.over)}"


def _wrong(shared: Scores) -> str:
    """``36 % of 144 answers were wrong``."""
    wrong = None if shared.accuracy is None else 1 - shared.accuracy
    return f"{percent(wrong)} of {count(shared.images)} answers were wrong"


def _few(shared: Scores) -> str:
    groups = shared.over
    few = f"only {counted(groups)}, and it takes {groups.least}" if groups else "there are too few photos"
    return f"Whether the model is good enough for these photos cannot be told: {few}."


_VERDICTS: Mapping[Level, Callable[[Scores], str]] = {
    "not new": lambda shared: (
        "These photos cannot show whether the model is good enough: the model or its backbone was trained on them, or "
        f"on others from the same collection (macro-F1 {score(shared.macro_f1)})."
    ),
    "cannot tell": _few,
    "no better than guessing": lambda shared: (
        f"Not good enough: the model is not shown to do better than guessing here ({_reached(shared)}; guessing "
        f"reaches {score(shared.chance_macro_f1)})."
    ),
    "poor": lambda shared: f"Not good enough: {_wrong(shared)} ({_reached(shared)}).",
    "fair": lambda shared: f"Not good enough to rely on single answers: {_wrong(shared)} ({_reached(shared)}).",
    "good": lambda shared: f"Good enough where some errors do no harm: {_wrong(shared)} ({_reached(shared)}).",
    "very good": lambda shared: f"Good enough for most uses: {_wrong(shared)} ({_reached(shared)}).",
}


def recall_rows(target: TargetResults) -> list[list[str]]:
    """Class, photos, recall with its interval, and what it is taken for most often; of all classes, with a header."""
    rows = [["class", "photos", "recognised", "most often taken for"]]
    scores = target.all
    for i, label in enumerate(scores.labels):
        n = scores.support[label]
        if not n:
            continue
        recall, ends = scores.per_class[label].recall, scores.per_class[label].recall_interval
        has_word = label not in target.labels.extra
        told = f"{percent(recall)} ({interval(ends, 'percent')})" if ends else percent(recall)
        rows.append([label, count(n), told if has_word else "not a class of the model", _taken_for(scores, i)])
    return rows


def _taken_for(scores: Scores, i: int) -> str:
    others = [
        (times, label)
        for j, (times, label) in enumerate(zip(scores.confusion[i], scores.labels, strict=True))
        if j != i
    ]
    times, label = max(others, key=lambda each: each[0], default=(0, ""))
    return f"{label}, {percent(times / scores.support[scores.labels[i]])}" if times else NONE


def unknown_sentences(target: EvaluatedTarget) -> list[str]:
    """What becomes of the photos of classes that the model does not know."""
    return [_unknown(each) for each in target.unknown]


def _unknown(found: UnknownClass) -> str:
    named = [
        f"{label} for {count(n)} ({percent(n / found.images)})" for label, n in [*found.answers.items()][:MOST_ANSWERS]
    ]
    sure = "" if found.sure is None else _sure(found.sure)
    whose = f"{found.label}, {plural(found.images, 'photo')}"
    return f"The model does not know the class {whose}: it says {', '.join(named)}.{sure}"


def _sure(n: int) -> str:
    return f" {count(n)} of these answers {'was' if n == 1 else 'were'} marked sure."


def promise_sentences(target: EvaluatedTarget) -> list[str]:
    """What was promised of sure answers, and whether that was kept."""
    promise, shared = target.sureness.promise, target.shared
    if promise is None:
        return ["The model file promises nothing of its sure answers."]
    told = [_promise(promise)]
    unsure, unsure_right = shared.images - promise.answered, shared.right - (promise.answered - promise.wrong)
    if promise.answered and unsure:
        told.append(
            f"Sure answers: {count(promise.answered)} of {count(shared.images)}, "
            f"{percent(1 - promise.wrong / promise.answered)} right. Unsure: {count(unsure)}, "
            f"{percent(unsure_right / unsure)} right."
        )
    every = target.promise_of_all
    if every and every.answered > promise.answered:
        told.append(_kept(every, "With the photos of classes that it does not know,"))
    return told


def _promise(promise: Promise) -> str:
    return f"Promise: at most {percent(promise.max_error)} of sure answers are wrong. {_kept(promise)}"


def _kept(promise: Promise, where: str = "Here") -> str:
    """``Here 19 % were (14 to 27 %, over 30 people): broken.``"""
    if not promise.answered:
        return f"{where} no answer was sure."
    share = promise.wrong / promise.answered
    told = f"{where} {percent(share)} were ({span(promise.interval, promise.over, 'percent')})"
    if not promise.is_new:
        return f"{told}. The model learnt from these photos or others of their collection, so that tells nothing of it."
    if promise.kept is None:
        return f"{told}."
    if promise.kept:
        return f"{told}: kept." if share <= promise.max_error else f"{told}: more, but perhaps by chance."
    return f"{told}: broken."


def group_sentences(found: GroupScores | None) -> list[str]:
    """How people, or other groups, differ: the middle half, the worst and the best."""
    if found is None:
        return []
    one, several = NOUNS[found.kind]
    low, middle, high = found.quartiles
    differ = (
        f"They differ by more than chance explains (standard deviation {score(found.spread)})."
        if found.differ
        else "They differ by no more than chance explains."
    )
    left = found.of - found.number
    fewer = f"; {count(left)} with fewer photos {'is' if left == 1 else 'are'} left out" if left else ""
    whom = f"{plural(found.number, one, several)} with {found.least_images} photos or more{fewer}"
    return [
        f"Per {one}, for {whom}: the median share of right answers is {percent(middle)}, the middle half "
        f"lies between {percent(low)} and {percent(high)}. {differ}",
        f"Worst: {'; '.join(map(_group, found.worst))}. Best: {'; '.join(map(_group, found.best))}.",
    ]


def _group(each: GroupScore) -> str:
    ends = f" ({interval(each.interval, 'percent')})" if each.interval else ""
    return f"{each.group}, {count(each.right)} of {count(each.images)} right{ends}"


def against_sentences(against: Sequence[PairedModel]) -> list[str]:
    """How the model does against others on the same photos, and why there is no verdict where that would be unfair."""
    return [line for each in against for line in _against(each)]


def _against(found: PairedModel) -> list[str]:
    where = f"Against {found.model}, on {plural(found.images, 'photo')} of {', '.join(found.classes)}"
    both = f"macro-F1 {score(found.macro_f1)} against {score(found.macro_f1_other)}"
    by = signed(found.difference)
    if found.interval is None:
        return [f"{where}: cannot tell, with only {counted(found.over)}. {both[0].upper()}{both[1:]} ({by})."]
    ends = f"{by}, {interval(found.interval, 'signed')}{over(found.over)}"
    told = f"{where}: {found.verdict}. {both[0].upper()}{both[1:]} ({ends})."
    learnt = [*([] if found.is_new else ["The model"]), *([] if found.other_is_new else [found.model])]
    if not learnt:
        return [told]
    whose = "both scores are" if len(learnt) == 2 else "its score is"
    return [told, f"{listed(learnt)} learnt from these photos or their collection, so {whose} too high."]
