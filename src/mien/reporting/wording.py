"""Sentences that follow from the results by rule. None of them holds a number that was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.reporting.division import division_warning
from mien.reporting.numerals import count, interval, number_word, percent, plural, score, signed

__all__ = [
    "beats_chance",
    "comparison_sentences",
    "error_sentences",
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


def beats_chance(scores: Mapping[str, Any]) -> bool:
    """Whether the whole interval of macro-F1 lies above chance."""
    return bool(scores["interval"] and scores["interval"][0] > scores["chance_macro_f1"])


def headline(results: Mapping[str, Any]) -> str:
    """The answer in one line."""
    test = results["runs"][results["selected"]]["test"]
    kinds = f"{number_word(len(results['labels'])).capitalize()} expressions"
    if not beats_chance(test):
        return f"{kinds}, not shown to be told apart better than by guessing"
    told = f"{kinds} told apart with a macro-F1 of {score(test['macro_f1'])}"
    shared = results["target"]["shared"] if "target" in results else None
    if shared is None or shared["macro_f1"] is None:
        return told
    if not beats_chance(shared):
        return f"{told}; on photos from elsewhere, no better than by guessing"
    return f"{told}, and of {score(shared['macro_f1'])} on photos from elsewhere"


def overall_answer(results: Mapping[str, Any]) -> list[str]:
    """How good, how sure, and against what: on the test photos."""
    selected = results["selected"]
    test = results["runs"][selected]["test"]
    return [
        f"On {plural(test['images'], 'test photo')} that took no part in training or in any choice, the "
        f"selected recipe, {selected}, reaches a macro-F1 of {score(test['macro_f1'])} "
        f"(95\N{NO-BREAK SPACE}% interval {interval(test['interval'])}). In plain words: of 100 new photos "
        "of this kind it names the expression shown as the label does for about "
        f"{count(100 * test['accuracy'])}; with the test photos at hand, anything from "
        f"{interval(test['accuracy_interval'], 'percent').replace(chr(160) + '%', '')} is plausible.",
        _against_chance(test),
    ]


def _against_chance(test: Mapping[str, Any]) -> str:
    most = max(test["support"], key=lambda label: test["support"][label])
    told = (
        f"Guessing by the class shares would give a macro-F1 of about {score(test['chance_macro_f1'])}; "
        f"always answering “{most}”, the most frequent class, would be right on "
        f"{percent(test['majority_accuracy'])}. "
    )
    return told + _verdict(test, "on these photos")


def _verdict(scores: Mapping[str, Any], where: str) -> str:
    """Where the interval of macro-F1 lies against chance."""
    if scores["interval"] is None:
        return ""
    if beats_chance(scores):
        return "The whole interval lies above chance."
    if scores["interval"][1] < scores["chance_macro_f1"]:
        return (
            f"The whole interval lies below chance ({score(scores['chance_macro_f1'])}): by this score, "
            f"guessing would do better {where}."
        )
    return (
        f"The interval reaches down to chance ({score(scores['chance_macro_f1'])}): {where} the model "
        "cannot be told from guessing."
    )


def target_answer(results: Mapping[str, Any]) -> list[str]:
    """How it holds on photos from elsewhere."""
    if "target" not in results:
        return [
            "How it holds on photos from elsewhere was not measured. On other people, cameras and "
            "collections it can do much worse; a second set of labelled photos, given as --target, would "
            "tell."
        ]
    target = results["target"]
    shared, change = target["shared"], (target.get("change_from_test") or {}).get("macro_f1")
    n_shared = sum(1 for n in shared["support"].values() if n)
    told = (
        f"On {plural(shared['images'], 'photo')} from elsewhere ({target['data']['name']}), over the "
        f"{number_word(n_shared)} classes that both sets have, macro-F1 is {score(shared['macro_f1'])} "
        f"({interval(shared['interval'])}) and {percent(shared['accuracy'])} of the answers agree with the "
        "label."
    )
    if change is not None:
        told += f" {_change(change)}"
    if shared["interval"]:
        told += f" {_verdict(shared, 'on photos from elsewhere')}"
    return [told, *_reference(target)]


def one_sided(scores: Mapping[str, Any]) -> str | None:
    """A sentence on the class that gets most answers, where it gets far more than its share of the photos."""
    n = scores["images"]
    if not n:
        return None
    answers = {label: sum(row[j] for row in scores["confusion"]) / n for j, label in enumerate(scores["labels"])}
    most = max(answers, key=lambda label: answers[label])
    share = scores["support"][most] / n
    if answers[most] < LOPSIDED or answers[most] < 2 * share:
        return None
    return f"{percent(answers[most])} of all answers are “{most}”, which {percent(share)} of the photos show."


def _change(change: float) -> str:
    if float(f"{change:.2f}") == 0:
        return "Over the same classes, that is as high as on the test photos."
    way = "lower" if change < 0 else "higher"
    return f"Over the same classes, that is {score(abs(change))} {way} than on the test photos."


def _reference(target: Mapping[str, Any]) -> list[str]:
    known = target["reference"]
    if known is None:
        return []
    shared = target["shared"]
    return [
        f"For comparison, {known['what']}: accuracy {score(known['accuracy'], 3)}, macro-F1 "
        f"{score(known['macro_f1'], 3)}. This model: accuracy {score(shared['accuracy'], 3)}, macro-F1 "
        f"{score(shared['macro_f1'], 3)}."
    ]


def warnings(results: Mapping[str, Any]) -> list[str]:
    """What makes the scores look better than they are."""
    target = results.get("target", {})
    naive = division_warning(results)
    found = [naive] if naive else []
    copies = target.get("near_copies") or 0
    if copies:
        found.append(
            f"{plural(copies, 'photo')} from elsewhere {'is a copy' if copies == 1 else 'are copies'}, perhaps "
            "re-encoded, of photos that the model was trained or selected on. The score on photos from elsewhere is "
            "too high; take them out and run again."
        )
    elif n := target.get("seen_in_training", 0):
        found.append(
            f"{plural(n, 'photo')} from elsewhere {'is' if n == 1 else 'are'}, byte for byte, among the "
            "photos that the model was trained or selected on. The score on photos from elsewhere is too "
            "high; take them out and run again."
        )
    if names := target.get("known_collections"):
        found.append(
            f"The model or its backbone was trained on other photos of {' and '.join(names)}. For it, these photos are "
            "not from elsewhere: the score says little of a new domain."
        )
    if not copies and (n := target.get("recurring_groups", 0)):
        found.append(
            f"{plural(n, 'picture')} {'stands' if n == 1 else 'stand'} both in the data and among the "
            "photos from elsewhere, perhaps re-encoded or resized. The two sets are not fully independent."
        )
    return found


def sureness_sentences(results: Mapping[str, Any]) -> list[str]:
    """How far the probabilities can be believed, here and elsewhere."""
    sets = [("test photos", results["sureness"])]
    if "target" in results:
        sets.append(("photos from elsewhere", results["target"]["sureness"]))
    told = []
    for where, found in sets:
        if found["ece"] is not None:
            told.append(
                f"On the {where} the probability of an answer and the share of right ones differ by "
                f"{percent(found['ece'])} on average (expected calibration error, {plural(found['images'], 'photo')})."
            )
        if promise := found["promise"]:
            told.append(_promise(where, promise, found["images"]))
    if results["sureness"]["promise"] is None:
        told.append(
            "Nothing is promised of the error: that takes out-of-fold answers on enough training photos, which only "
            "recipes with a head on frozen features give."
        )
    return told


def covered_sentence(results: Mapping[str, Any]) -> str | None:
    """What is left of the score with the face covered, or with all but the face."""
    found = results["covered"]
    if found is None:
        return None
    chance = results["runs"][results["selected"]]["test"]["chance_macro_f1"]
    background, face = found["background"], found["face"]
    told = (
        f"On the {plural(found['images'], 'test photo')} in which a face was found, macro-F1 is "
        f"{score(found['whole']['macro_f1'])}. With the face covered, this model reaches "
        f"{score(background['macro_f1'])} ({interval(background['interval'])}; chance is {score(chance)})"
    )
    if face is not None:
        told += f", and with all but the face covered it is {score(face['macro_f1'])} ({interval(face['interval'])})"
    if background["interval"] is not None and background["interval"][0] > chance:
        told += ". So it also goes by what is not the face: posture and hands, or the way these photos were made"
    return told + "."


def _promise(where: str, promise: Mapping[str, Any], images: int) -> str:
    asked = f"Answers of at least {score(promise['probability'])}, which are to be wrong at most " + (
        f"{percent(promise['max_error'])} of the time,"
    )
    if not promise["answered"]:
        return f"{asked} were given to none of the {where}."
    share = promise["wrong"] / promise["answered"]
    kept = promise["interval"][0] <= promise["max_error"]
    verdict = "" if kept else " The promise, made from the training photos, does not hold there."
    return (
        f"{asked} were given to {count(promise['answered'])} of {count(images)} {where}, and {percent(share)} of them "
        f"were wrong ({interval(promise['interval'])}).{verdict}"
    )


def comparison_sentences(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the validation photos say of each pair."""
    return [_comparison(entry) for entry in comparisons]


def _comparison(entry: Mapping[str, Any]) -> str:
    first, second = entry["first"], entry["second"]
    by, ends = signed(entry["macro_f1_difference"]), interval(entry["interval"], "signed")
    if entry["verdict"] == "cannot tell":
        told = f"The difference in macro-F1 is {by}, and its interval, {ends}, includes zero."
        return f"{first} or {second}: cannot tell. {told}"
    return f"{first} is {entry['verdict']} than {second}: macro-F1 {by} ({ends})."


def error_sentences(rates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which properties of a photo go with more errors: those with two bins whose intervals do not overlap."""
    told = []
    for entry in rates:
        bins = [b for b in entry["bins"] if b["images"] >= FEWEST]
        if len(bins) < 2:
            continue
        worst, best = max(bins, key=lambda b: b["error_rate"]), min(bins, key=lambda b: b["error_rate"])
        if worst["interval"][0] > best["interval"][1]:
            told.append(
                f"By {entry['title']}: wrong on {percent(worst['error_rate'])} in “{worst['bin']}” against "
                f"{percent(best['error_rate'])} in “{best['bin']}”; the intervals do not overlap."
            )
    return told
