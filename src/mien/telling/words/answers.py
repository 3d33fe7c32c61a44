"""Sentences that follow from the results by rule. None of them holds a number that was typed."""

from __future__ import annotations

from collections.abc import Sequence

from mien.results.behaviour import Covered, ErrorRates, Promise
from mien.results.scores import RunComparison, Scores
from mien.results.study import Fit, StudyResults
from mien.results.target import TargetResults
from mien.telling.words.cross_validation import evidence, final_sentence, fold_sentences, unseen
from mien.telling.words.division import division_warning
from mien.telling.words.novelty import collection_warnings, met_before
from mien.telling.words.numerals import count, interval, number_word, percent, plural, score, signed
from mien.telling.words.over import cannot_tell, counted, over, span

__all__ = [
    "comparison_sentences",
    "error_sentences",
    "fit_sentence",
    "headline",
    "one_sided",
    "overall_answer",
    "target_answer",
    "warnings",
]

FEWEST = 10
"""Bins with fewer photos are shown but not spoken of."""
LOPSIDED = 0.5
"""Share of the answers above which one class is said to draw them."""


def headline(results: StudyResults) -> str:
    """The answer in one line."""
    test = results.test
    kinds = f"{number_word(len(results.labels)).capitalize()} expressions"
    if test.over and not test.over.enough:
        return f"{kinds}; how well they are recognised cannot be said: only {counted(test.over)}"
    if not test.beats_chance:
        return f"{kinds}, not shown to be told apart better than by guessing"
    told = f"{kinds} told apart with a macro-F1 of {score(test.macro_f1)}"
    shared = results.target.shared if results.target else None
    if shared is None or shared.macro_f1 is None:
        return told
    if shared.over and not shared.over.enough:
        return f"{told}; on photos from elsewhere, {cannot_tell(shared.over)}"
    if not shared.beats_chance:
        return f"{told}; on photos from elsewhere, no better than by guessing"
    return f"{told}, and of {score(shared.macro_f1)} on photos from elsewhere"


def overall_answer(results: StudyResults) -> list[str]:
    """How good, how sure, and against what: on the test photos."""
    selected, test, of = results.selected, results.test, evidence(results)
    how = (
        f"On {plural(test.images, of)}, each answered by a model that never saw {unseen(results)} "
        f"({plural(len(results.folds.folds), 'fold')}), the procedure reaches"
        if results.folds
        else f"On {plural(test.images, of)} that took no part in training or in any choice, the "
        f"selected recipe, {selected}, reaches"
    )
    told = [
        f"{how} a macro-F1 of {score(test.macro_f1)} "
        f"({_with_interval(test)}). In plain words: of 100 new photos "
        "of this kind it names the expression shown as the label does for about "
        f"{count(None if test.accuracy is None else 100 * test.accuracy)}{_plausible(test, of)}.",
        _against_chance(test),
    ]
    return [*told, " ".join([*fold_sentences(results.folds), final_sentence(results)])] if results.folds else told


def _with_interval(scores: Scores) -> str:
    """The interval of macro-F1 and what it is over, or why there is none."""
    if scores.over and not scores.over.enough:
        return f"no interval: only {counted(scores.over)}, and it takes {scores.over.least}"
    return f"95\N{NO-BREAK SPACE}% interval {interval(scores.interval)}{over(scores.over)}"


def _plausible(scores: Scores, of: str) -> str:
    if scores.accuracy_interval is None:
        return ""
    ends = interval(scores.accuracy_interval, "percent").replace("\N{NO-BREAK SPACE}%", "")
    return f"; with the {of}s at hand, anything from {ends} is plausible"


def _against_chance(test: Scores) -> str:
    most = max(test.support, key=lambda label: test.support[label])
    told = (
        f"Guessing by the class shares would give a macro-F1 of about {score(test.chance_macro_f1)}; "
        f"always answering “{most}”, the most frequent class, would be right on "
        f"{percent(test.majority_accuracy)}. "
    )
    return told + _verdict(test, "on these photos")


def _verdict(scores: Scores, where: str) -> str:
    """Where the interval of macro-F1 lies against chance."""
    if scores.over and not scores.over.enough:
        return f"Whether the model does better than guessing {where}, we {cannot_tell(scores.over)}."
    if scores.interval is None:
        return ""
    if scores.beats_chance:
        return "The whole interval lies above chance."
    if scores.chance_macro_f1 is not None and scores.interval.high < scores.chance_macro_f1:
        return (
            f"The whole interval lies below chance ({score(scores.chance_macro_f1)}): by this score, "
            f"guessing would do better {where}."
        )
    return (
        f"The interval reaches down to chance ({score(scores.chance_macro_f1)}): {where} the model "
        "cannot be told from guessing."
    )


def target_answer(results: StudyResults) -> list[str]:
    """How it holds on photos from elsewhere."""
    target = results.target
    if target is None:
        how = "scored with mien evaluate" if results.folds else "given as --target"
        return [
            "How it holds on photos from elsewhere was not measured. On other people, cameras and "
            f"collections it can do much worse; a second set of labelled photos, {how}, would "
            "tell."
        ]
    shared, change = target.shared, target.macro_f1_change
    n_shared = sum(1 for n in shared.support.values() if n)
    told = (
        f"On {plural(shared.images, 'photo')} from elsewhere ({target.data.name}), over the "
        f"{number_word(n_shared)} classes that both sets have, macro-F1 is {score(shared.macro_f1)} "
        f"({span(shared.interval, shared.over)}) and {percent(shared.accuracy)} of the answers agree with the "
        "label."
    )
    if change is not None:
        told += f" {_change(change)}"
    if shared.interval or shared.over:
        told += f" {_verdict(shared, 'on photos from elsewhere')}"
    return [told, *_reference(target)]


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
    return f"{percent(answers[most])} of all answers are “{most}”, which {percent(share)} of the photos show."


def _change(change: float) -> str:
    if float(f"{change:.2f}") == 0:
        return "Over the same classes, that is as high as on the test photos."
    way = "lower" if change < 0 else "higher"
    return f"Over the same classes, that is {score(abs(change))} {way} than on the test photos."


def _reference(target: TargetResults) -> list[str]:
    known = target.reference
    if known is None:
        return []
    shared = target.shared
    return [
        f"For comparison, {known.what}: accuracy {score(known.accuracy, 3)}, macro-F1 "
        f"{score(known.macro_f1, 3)}. This model: accuracy {score(shared.accuracy, 3)}, macro-F1 "
        f"{score(shared.macro_f1, 3)}."
    ]


def warnings(results: StudyResults) -> list[str]:
    """What makes the scores look better than they are."""
    naive = division_warning(results)
    found = [naive] if naive else []
    return found + (_overlap_warnings(results.target) if results.target else [])


def _overlap_warnings(target: TargetResults) -> list[str]:
    """What of the target the model has met before."""
    met = met_before(target, beside_test=True)
    found = ([met] if met else []) + collection_warnings(target, beside_test=True)
    if not target.near_copies and (recurring := target.recurring_groups):
        found.append(
            f"{plural(recurring, 'picture')} {'stands' if recurring == 1 else 'stand'} both in the data and among the "
            "photos from elsewhere, perhaps re-encoded or resized. The two sets are not fully independent."
        )
    return found


def sureness_sentences(results: StudyResults) -> list[str]:
    """How far the probabilities can be believed, here and elsewhere."""
    sets = [(f"{evidence(results)}s", results.sureness)]
    if results.target:
        sets.append(("photos from elsewhere", results.target.sureness))
    told = []
    for where, found in sets:
        if found.ece is not None:
            told.append(
                f"On the {where} the probability of an answer and the share of right ones differ by "
                f"{percent(found.ece)} on average (expected calibration error, {plural(found.images, 'photo')})."
            )
        if promise := found.promise:
            told.append(
                _promise(where, promise, found.images, by_fold=found is results.sureness and bool(results.folds))
            )
    if results.sureness.promise is None:
        told.append(
            "Nothing is promised of the error: that takes out-of-fold answers on enough training photos, which only "
            "recipes with a head on frozen features give."
        )
    return told


def covered_sentence(found: Covered | None) -> str | None:
    """What is left of the score with the face covered, or with all but the face."""
    if found is None:
        return None
    background, face = found.background, found.face
    told = (
        f"On the {plural(found.images, 'test photo')} in which a face was found, macro-F1 is "
        f"{score(found.whole.macro_f1)}. With the face covered, this model reaches "
        f"{score(background.macro_f1)} ({span(background.interval, found.over)}; chance is {score(found.chance)})"
    )
    if face is not None:
        told += f", and with all but the face covered it is {score(face.macro_f1)} ({span(face.interval, found.over)})"
    if found.tells_without_face:
        told += ". So it also goes by what is not the face: posture and hands, or the way these photos were made"
    return told + "."


def _promise(where: str, promise: Promise, images: int, *, by_fold: bool) -> str:
    each = " (a middle value: each fold has its own)" if by_fold else ""
    asked = f"Answers of at least {score(promise.probability)}{each}, which are to be wrong at most " + (
        f"{percent(promise.max_error)} of the time,"
    )
    if not promise.answered:
        return f"{asked} were given to none of the {where}."
    share = promise.wrong / promise.answered
    verdict = "" if promise.kept is not False else " The promise, made from the training photos, does not hold there."
    return (
        f"{asked} were given to {count(promise.answered)} of {count(images)} {where}, and {percent(share)} of them "
        f"were wrong ({span(promise.interval, promise.over)}).{verdict}"
    )


def comparison_sentences(comparisons: Sequence[RunComparison]) -> list[str]:
    """What the validation photos say of each pair."""
    return [_comparison(entry) for entry in comparisons]


def _comparison(entry: RunComparison) -> str:
    first, second = entry.first, entry.second
    by, ends = signed(entry.macro_f1_difference), interval(entry.interval, "signed")
    if entry.interval is None:
        return f"{first} or {second}: {cannot_tell(entry.over)}. The difference in macro-F1 is {by}."
    if entry.verdict == "cannot tell":
        told = f"The difference in macro-F1 is {by}, and its interval, {ends}, includes zero."
        return f"{first} or {second}: cannot tell. {told}"
    return f"{first} is {entry.verdict} than {second}: macro-F1 {by} ({ends}{over(entry.over)})."


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
                f"By {entry.title}: wrong on {percent(worst.error_rate)} in “{worst.bin}” against "
                f"{percent(best.error_rate)} in “{best.bin}”; the intervals do not overlap."
            )
    return told


def fit_sentence(fit: Fit) -> str:
    """Whether a run over- or underfits, and what may help."""
    is_frozen = fit.stopped_early is None
    scores = (
        f"macro-F1 {score(fit.train_macro_f1)} on its training photos against {score(fit.val_macro_f1)} on validation"
    )
    remedy = "" if is_frozen else " or augmentation"
    larger = "A larger backbone" if is_frozen else "A larger network, pretrained features, or longer training"
    told = {
        "overfits": f"Overfits: {scores}. More or more varied photos{remedy} may help.",
        "underfits": f"Underfits: {scores}. {larger} may help.",
        "both": f"Learns its photos poorly and generalises worse: {scores}. {larger} may help.",
        "balanced": f"Balanced: {scores}.",
    }[fit.verdict]
    if fit.still_rising:
        told += " Validation was still rising when training ended: a larger budget may help."
    return told
