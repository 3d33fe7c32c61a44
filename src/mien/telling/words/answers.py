"""Sentences that follow from the results by rule. None of them holds a number that was typed."""

from __future__ import annotations

from collections.abc import Sequence

from mien.results.behaviour import Covered, ErrorRates, Promise, Sureness
from mien.results.scores import RunComparison, Scores
from mien.results.study import Fit, StudyResults, TestedRun
from mien.results.target import TargetResults
from mien.settings.run import HeadRun
from mien.telling.words.cross_validation import evidence, final_sentence, fold_sentences, unseen
from mien.telling.words.division import division_warning
from mien.telling.words.novelty import collection_warnings, met_before
from mien.telling.words.numerals import count, interval, listed, number_word, percent, plural, score, signed
from mien.telling.words.over import cannot_tell, counted, over, span

__all__ = [
    "chance_sentence",
    "comparison_sentences",
    "covered_in_short",
    "covered_sentence",
    "error_sentences",
    "fit_sentence",
    "headline",
    "in_plain_words",
    "one_sided",
    "overall_answer",
    "prior_warnings",
    "promise_in_short",
    "promise_sentences",
    "sureness_in_short",
    "sureness_sentences",
    "target_answer",
    "warnings",
]

FEWEST = 10
"""Bins with fewer photos are shown but not spoken of."""
_VERDICTS = {True: "kept", False: "broken", None: "cannot tell"}
"""Whether a promise was kept, in words."""
LOPSIDED = 0.5
"""Share of the answers above which one class is said to draw them."""


def headline(results: StudyResults) -> str:
    """The answer in one line."""
    test = results.test
    kinds = f"{number_word(len(results.labels)).capitalize()} expressions"
    if test.over and not test.over.enough:
        return f"{kinds}: only {counted(test.over)}, too few to say how well they are recognised"
    if not test.beats_chance:
        return f"{kinds}, not shown to be recognised better than by guessing"
    told = f"{kinds} recognised with a macro-F1 of {score(test.macro_f1)}"
    shared = results.target.shared if results.target else None
    if shared is None or shared.macro_f1 is None:
        return told
    if shared.over and not shared.over.enough:
        return f"{told}; on photos from elsewhere, {cannot_tell(shared.over)}"
    if not shared.beats_chance:
        return f"{told}; on photos from elsewhere, no better than guessing"
    return f"{told}, and {score(shared.macro_f1)} on photos from elsewhere"


def overall_answer(results: StudyResults) -> list[str]:
    """How good, how sure, and against what: on the test photos."""
    test, of = results.test, evidence(results)
    how = (
        f"Each of {plural(test.images, of)} was answered by a model that never saw {unseen(results)} "
        f"({plural(len(results.folds.folds), 'fold')})."
        if results.folds
        else f"Nothing was trained or chosen on the {plural(test.images, of)}."
    )
    told = [f"{in_plain_words(test)} {how}", _against_chance(test)]
    return [*told, " ".join([*fold_sentences(results.folds), final_sentence(results)])] if results.folds else told


def in_plain_words(scores: Scores) -> str:
    """What accuracy means for new photos."""
    right = count(None if scores.accuracy is None else 100 * scores.accuracy)
    told = f"Of 100 new photos like these, expect about {right} answers to agree with the label"
    if scores.accuracy_interval is None:
        return f"{told}; how far that can be off is not known{_too_few(scores)}."
    ends = interval(scores.accuracy_interval, "percent").replace("\N{NO-BREAK SPACE}%", "")
    return f"{told}; anything from {ends} is plausible."


def _too_few(scores: Scores) -> str:
    """Why there is no interval, where that is known."""
    few = scores.over and not scores.over.enough
    return (
        f", for that takes {scores.over.least} and there are only {counted(scores.over)}" if few and scores.over else ""
    )


def _against_chance(test: Scores) -> str:
    most = max(test.support, key=lambda label: test.support[label])
    told = (
        f"Guessing in proportion to the classes would reach a macro-F1 of about {score(test.chance_macro_f1)}; always "
        f"answering “{most}”, the most frequent class, would be right for {percent(test.majority_accuracy)}. "
    )
    return told + _verdict(test, "on these photos")


def _verdict(scores: Scores, where: str) -> str:
    """Where the interval of macro-F1 lies against chance."""
    if scores.over and not scores.over.enough:
        return f"Whether the model does better than guessing {where}, we {cannot_tell(scores.over)}."
    if scores.interval is None:
        return ""
    if scores.beats_chance:
        return "The model’s macro-F1 is above chance over its whole interval."
    if scores.chance_macro_f1 is not None and scores.interval.high < scores.chance_macro_f1:
        return (
            f"The model’s macro-F1 is below chance ({score(scores.chance_macro_f1)}) over its whole interval: by this "
            f"score, guessing would do better {where}."
        )
    return (
        f"The interval of its macro-F1 includes chance ({score(scores.chance_macro_f1)}): {where}, the model is not "
        "shown to do better than guessing."
    )


def target_answer(results: StudyResults) -> list[str]:
    """How it holds on photos from elsewhere."""
    target = results.target
    if target is None:
        how = "scored with mien evaluate" if results.folds else "given as --target"
        return [
            "How well it does on photos from elsewhere was not measured. On other people, cameras and collections it "
            f"can do much worse. A second set of labelled photos, {how}, would tell."
        ]
    shared, change = target.shared, target.macro_f1_change
    n_shared = sum(1 for n in shared.support.values() if n)
    told = (
        f"On {plural(shared.images, 'photo')} from elsewhere ({target.data.name}), over the "
        f"{number_word(n_shared)} shared classes, macro-F1 is {score(shared.macro_f1)}"
    )
    told += f": {_change(change)}." if change is not None else "."
    if shared.interval or shared.over:
        told += f" {_verdict(shared, 'on photos from elsewhere')}"
    return [told]


def one_sided(scores: Scores) -> str | None:
    """A sentence on the class that gets most answers, where it gets far more than its share of the photos."""
    n = scores.images
    if not n:
        return None
    answers = {label: sum(row[j] for row in scores.confusion) / n for j, label in enumerate(scores.labels)}
    most = max(answers, key=lambda label: answers[label])
    share = scores.support[most] / n
    if answers[most] < LOPSIDED or answers[most] < 2 * share:
        return None
    return f"{percent(answers[most])} of all answers are “{most}”, but only {percent(share)} of the photos show it."


def _change(change: float) -> str:
    if float(f"{change:.2f}") == 0:
        return "as high as on the test photos of these classes"
    way = "lower" if change < 0 else "higher"
    return f"{score(abs(change))} {way} than on the test photos of these classes"


def warnings(results: StudyResults) -> list[str]:
    """What makes the scores look better than they are."""
    naive = division_warning(results)
    found = [naive] if naive else []
    found += prior_warnings(results)
    return found + (_overlap_warnings(results.target) if results.target else [])


def prior_warnings(results: StudyResults) -> list[str]:
    """Which recipe starts from a recogniser that knows these photos' collection, in one line."""
    of = [(name, run.config.head) for name, run in results.runs.items() if isinstance(run.config, HeadRun)]
    told = [f"{name} starts from {head.prior}" for name, head in of if head.prior and head.is_drawn is not False]
    names = [match.name for match in results.known_to_prior]
    if not told or not names:
        return []
    return [f"{listed(told)}, which learnt from {listed(names)}, as these photos are from: its score here is too high."]


def _overlap_warnings(target: TargetResults) -> list[str]:
    """What of the target the model has met before."""
    met = met_before(target, beside_test=True)
    found = ([met] if met else []) + collection_warnings(target, beside_test=True)
    if not target.near_copies and (recurring := target.recurring_groups):
        found.append(
            f"{plural(recurring, 'picture')} {'is' if recurring == 1 else 'are'} both in the data and among the photos "
            "from elsewhere, perhaps re-encoded or resized. The two sets are not fully independent."
        )
    return found


def sureness_sentences(results: StudyResults) -> list[str]:
    """How far the probabilities can be believed, here and elsewhere."""
    told = [
        f"On the {where}, the probability of an answer and the share of right answers differ by {percent(found.ece)} "
        f"on average (expected calibration error, {plural(found.images, 'photo')})."
        for where, found in _sets(results)
        if found.ece is not None
    ]
    if results.votes == "soft":
        told.append(
            "Probabilities stand for the share of raters who would say a class, so where raters part more answers are "
            "right than they say."
        )
    if results.sureness.promise is None:
        told.append(
            "No error rate is promised: that takes out-of-fold answers on enough training photos, which only recipes "
            "with a head on frozen features give."
        )
    return told


def sureness_in_short(results: StudyResults) -> str:
    """The same in a few words."""
    told = [f"{percent(found.ece)} on the {where}" for where, found in _sets(results) if found.ece is not None]
    return f"Off by {', '.join(told)}." if told else ""


def promise_sentences(results: StudyResults) -> list[str]:
    """What became of the promised error rate, here and elsewhere: what was promised, then a sentence a set."""
    sets = [(where, found) for where, found in _sets(results) if found.promise]
    if not sets or results.sureness.promise is None:
        return []
    promise = results.sureness.promise
    each = "; the middle value, since each fold has its own" if results.folds else ""
    asked = (
        f"Promise: at most {percent(promise.max_error)} of the sure answers (probability at least "
        f"{score(promise.probability)}{each}) are wrong."
    )
    return [asked, *(_kept(where, found.promise, found.images) for where, found in sets if found.promise)]


def promise_in_short(results: StudyResults) -> str | None:
    """The same in a line or two."""
    promise = results.sureness.promise
    if promise is None:
        return None
    told = [
        f"{percent(each.wrong / each.answered)} of {count(each.answered)} on the {where} ({_judged(each)})"
        for where, found in _sets(results)
        if (each := found.promise) and each.answered
    ]
    if not told:
        return None
    return f"Promise: at most {percent(promise.max_error)} of sure answers wrong. Wrong: {', '.join(told)}."


def _sets(results: StudyResults) -> list[tuple[str, Sureness]]:
    found = [(f"{evidence(results)}s", results.sureness)]
    return [*found, ("photos from elsewhere", results.target.sureness)] if results.target else found


def covered_sentence(found: Covered | None) -> str | None:
    """What is left of the score with the face covered, or with all but the face."""
    if found is None:
        return None
    background, face = found.background, found.face
    told = (
        f"On the {plural(found.images, 'test photo')} in which a face was found, macro-F1 is "
        f"{score(found.whole.macro_f1)}. With the face covered, it is "
        f"{score(background.macro_f1)} ({span(background.interval, found.over)}; chance is {score(found.chance)})"
    )
    if face is not None:
        told += f", and with everything but the face covered {score(face.macro_f1)} ({span(face.interval, found.over)})"
    if found.tells_without_face:
        told += (
            ". So the model also uses what is not the face: posture and hands, or the way in which these photos were "
            "made"
        )
    return told + "."


def covered_in_short(found: Covered) -> str:
    """The same in a few words."""
    told = f"acro-F1 is {score(found.background.macro_f1)} with the face covered; chance is {score(found.chance)}."
    return f"Uses more than the face: m{told}" if found.tells_without_face else f"M{told}"


def _judged(promise: Promise) -> str:
    """Whether a promise was kept, or why that cannot be told where it is not for want of photos."""
    if promise.is_new:
        return _VERDICTS[promise.kept]
    return "neither kept nor broken, as the model learnt from these photos or others of their collection"


def _kept(where: str, promise: Promise, images: int) -> str:
    if not promise.answered:
        return f"None of the {where} got a sure answer."
    return (
        f"On the {where}, {count(promise.answered)} of {count(images)} answers were sure, and "
        f"{percent(promise.wrong / promise.answered)} of these were wrong "
        f"({span(promise.interval, promise.over, 'percent')}): {_judged(promise)}."
    )


def comparison_sentences(comparisons: Sequence[RunComparison]) -> list[str]:
    """What the validation photos say of each pair."""
    return [_comparison(entry) for entry in comparisons]


def _comparison(entry: RunComparison) -> str:
    first, second = entry.first, entry.second
    by, ends = signed(entry.macro_f1_difference), interval(entry.interval, "signed")
    if entry.interval is None:
        return f"{first} or {second}: {cannot_tell(entry.over)}. Macro-F1 differs by {by} on validation."
    if entry.verdict == "cannot tell":
        return (
            f"These photos cannot tell whether {first} is better than {second}: macro-F1 differs by {by} ({ends}) on "
            "validation."
        )
    return f"{first} is {entry.verdict} than {second}: macro-F1 {by} ({ends}{over(entry.over)}) on validation."


def chance_sentence(name: str, run: TestedRun, tested: str) -> str:
    """What is said of a run that does no better than guessing."""
    val, test = run.val, run.test
    return (
        f"{name} does no better than guessing: macro-F1 {score(val.macro_f1)} on the validation photos and "
        f"{score(test.macro_f1)} on the {tested}s, where chance is {score(test.chance_macro_f1)}."
    )


def error_sentences(rates: Sequence[ErrorRates]) -> list[str]:
    """Which properties of a photo go with more errors: those with two bins whose intervals do not overlap."""
    told = []
    for entry in rates:
        bins = [b for b in entry.bins if b.images >= FEWEST]
        if len(bins) < 2:
            continue
        worst, best = max(bins, key=lambda b: b.error_rate), min(bins, key=lambda b: b.error_rate)
        if worst.interval and best.interval and worst.interval.low > best.interval.high:
            told.append(
                f"{entry.title[:1].upper()}{entry.title[1:]}: {percent(worst.error_rate)} wrong at “{worst.bin}”, "
                f"{percent(best.error_rate)} at “{best.bin}”."
            )
    return told


def fit_sentence(fit: Fit) -> str:
    """Whether a run over- or underfits, and what may help."""
    is_frozen = fit.stopped_early is None
    scores = f"macro-F1 {score(fit.train_macro_f1)} on its training photos, {score(fit.val_macro_f1)} on validation"
    remedy = "" if is_frozen else " or augmentation"
    larger = "A larger backbone" if is_frozen else "A larger network, pretrained features, or longer training"
    told = {
        "overfits": f"Overfits: {scores}. More or more varied photos{remedy} may help.",
        "underfits": f"Underfits: {scores}. {larger} may help.",
        "both": f"Fits its training photos poorly, and the others worse: {scores}. {larger} may help.",
        "balanced": f"Balanced: {scores}.",
    }[fit.verdict]
    if fit.still_rising:
        told += " The validation score was still rising when training ended, so a larger budget may help."
    return told
