"""What the card of a user's model says, in sentences, and the short card that travels inside its model file."""

from __future__ import annotations

from mien.results.audit import Audit
from mien.results.scores import Scores
from mien.results.study import StudyResults
from mien.telling.words.answers import (
    chance_sentence,
    covered_in_short,
    headline,
    one_sided,
    promise_sentences,
    sureness_sentences,
    warnings,
)
from mien.telling.words.concerns import concerns
from mien.telling.words.cross_validation import evidence, final_sentence
from mien.telling.words.division import division_sentences, keeps_groups
from mien.telling.words.notice import BARRED, INTENDED, plain_notice
from mien.telling.words.numerals import count, listed, percent, plural, score
from mien.telling.words.over import counted, span
from mien.telling.words.slices import slice_sentences

__all__ = [
    "DETECTOR",
    "UNKNOWN_LICENCE",
    "answers_sentence",
    "calibration_sentences",
    "chance_words",
    "is_research_only",
    "licence_sentences",
    "limits",
    "photos_licence",
    "scores_in_short",
    "short_card",
    "tested_sentences",
]

FEW = 20
"""Photos of a class below which its scores are said to rest on little."""
UNKNOWN_LICENCE = "unknown to mien"
"""What is said of photos, whose licence no file tells."""
DRAWN_LICENCE = "Apache-2.0, drawn by mien"
RESEARCH = "research"
DETECTOR = "Faces are found by CenterFace (MIT), whose makers trained it on WIDER FACE."


def short_card(results: StudyResults) -> dict[str, str]:
    """Heading → text of the card inside a model file; plain text, no names of files or people."""
    told = {
        "answer": f"{headline(results)}.",
        "classes": answers_sentence(results),
        "scores": scores_in_short(results),
        "data": _data_in_short(results),
        "how tested": " ".join(tested_sentences(results)),
        "calibration": " ".join(calibration_sentences(results)),
        "limits": " ".join(limits(results)),
        "meant for": " ".join(INTENDED),
        "not meant for": " ".join(BARRED),
        "licence": " ".join(licence_sentences(results)),
        "notice": plain_notice(),
    }
    return {name: text.replace("\N{NO-BREAK SPACE}", " ") for name, text in told.items()}


def answers_sentence(results: StudyResults) -> str:
    """Which classes there are, and that every face is given one of them."""
    told = (
        f"For each face, the model gives a probability for {listed(results.labels)}: the expression shown, as these "
        "photos are labelled. Every face gets one of these answers, whatever it shows."
    )
    return told if "neutral" in results.labels else f"{told} There is no class for a neutral face."


def scores_in_short(results: StudyResults) -> str:
    """The overall scores of every set, each with its interval, what that is over, and chance."""
    sets = [(f"{evidence(results)}s", results.test)]
    if results.target:
        sets.append(("photos from elsewhere, shared classes", results.target.shared))
    return " ".join(_scored(where, scores) for where, scores in sets)


def _scored(where: str, scores: Scores) -> str:
    return (
        f"On {plural(scores.images, 'photo')} ({where}): macro-F1 {score(scores.macro_f1)} "
        f"({span(scores.interval, scores.over)}), accuracy {percent(scores.accuracy)} "
        f"({span(scores.accuracy_interval, scores.over, 'percent')}). {chance_words(scores)}"
    )


def chance_words(scores: Scores, where: str = "") -> str:
    """What guessing reaches, on the photos that ``where`` names, and whether the model was shown to do better."""
    guessing = f"On {where}, guessing" if where else "Guessing"
    told = f"{guessing} in proportion to the classes would reach a macro-F1 of {score(scores.chance_macro_f1)}"
    if scores.beats_chance:
        return f"{told}."
    if scores.over and not scores.over.enough:
        return f"{told}; whether the model does better, {counted(scores.over)} cannot tell."
    return f"{told}; the model is not shown to do better."


def _data_in_short(results: StudyResults) -> str:
    data = results.data
    classes = listed([f"{label} {count(n)}" for label, n in data.classes.items()])
    licence = photos_licence(data)
    return f"{data.name}: {plural(data.images, 'labelled photo')} ({classes}). Licence of the photos: {licence}."


def photos_licence(data: Audit) -> str:
    """What is known of the licence of a set of photos; of drawings that mien made, all."""
    return DRAWN_LICENCE if data.is_demo else UNKNOWN_LICENCE


def tested_sentences(results: StudyResults) -> list[str]:
    """How the photos were divided, and whose scores the model carries."""
    told = division_sentences(results)
    if results.folds:
        return [*told, final_sentence(results)]
    told.append(f"{results.selected} was chosen on the validation photos; after that, the test photos were read once.")
    if results.paths.refit:
        told.append(
            "The refitted model was fitted again to all photos, test photos included. It was not tested itself: its "
            f"scores are those of {results.selected}."
        )
    return told


def calibration_sentences(results: StudyResults) -> list[str]:
    """How far probabilities can be believed, and what became of the promise."""
    return [*sureness_sentences(results), *promise_sentences(results)]


def limits(results: StudyResults) -> list[str]:
    """What was measured or seen that speaks against relying on it, and what nobody measured; the gravest first."""
    found = [*warnings(results), *_not_shown(results), *_people(results), *_elsewhere(results), *_classes(results)]
    return [*found, *_leans_on(results), *_groups(results), *_drawn(results)]


def _not_shown(results: StudyResults) -> list[str]:
    test = results.test
    if test.beats_chance:
        return []
    if results.run.is_at_chance:
        return [f"{chance_sentence(results.selected, results.run, evidence(results))} It should not be used."]
    return [f"On the {evidence(results)}s it was not shown to do better than guessing. {chance_words(test)}"]


def _people(results: StudyResults) -> list[str]:
    if keeps_groups(results):
        return []
    return [
        f"The {evidence(results)}s were set apart by picture, not by person. People who are in the training photos may "
        "be in them as well, so expect lower scores for people it has never seen."
    ]


def _elsewhere(results: StudyResults) -> list[str]:
    target = results.target
    if target is None:
        return [
            "It was not tested on photos from elsewhere. Expect lower scores on other people, cameras and collections."
        ]
    change = target.macro_f1_change
    if change is None or not float(f"{change:.2f}"):
        return []
    way = "lower" if change < 0 else "higher"
    return [
        f"On photos from elsewhere ({target.data.name}), macro-F1 is {score(abs(change))} {way} than on the test "
        "photos of the shared classes."
    ]


def _classes(results: StudyResults) -> list[str]:
    test = results.test
    few = [f"{label} ({n})" for label, n in test.support.items() if n < FEW]
    scarce = f"Fewer than {FEW} {evidence(results)}s, so that scores rest on little: {', '.join(few)}."
    lopsided = one_sided(test)
    return [*([scarce] if few else []), *([lopsided] if lopsided else [])]


def _leans_on(results: StudyResults) -> list[str]:
    """What beside the face may give its answers away, and other findings in its photos."""
    told = []
    if results.covered and results.covered.tells_without_face:
        told.append(covered_in_short(results.covered))
    return told + [f"{each.title}: {each.told}" for each in concerns(results.data)]


def _groups(results: StudyResults) -> list[str]:
    who = "The age, sex, skin and culture of the people in the photos are not known"
    if results.slices is None or not results.slices.columns:
        return [f"{who}, so nothing was measured by group. Assume that the scores differ between groups."]
    return [*slice_sentences(results.slices), "Nothing was measured by any other group."]


def _drawn(results: StudyResults) -> list[str]:
    return ["It learnt from drawn faces and is not meant for photos of people."] if results.data.is_demo else []


def is_research_only(results: StudyResults) -> bool:
    """Whether weights that the model is made of may be used for research alone."""
    return any(RESEARCH in each.licence for each in results.run.backbones)


def licence_sentences(results: StudyResults) -> list[str]:
    """What is known of licences: of the weights it started from; mien gives none to a user's model."""
    told = [f"It builds on the weights of {each.name}: {each.licence}." for each in results.run.backbones]
    if is_research_only(results):
        told.append("So it may be used for research only.")
    told.append(DETECTOR)
    return [*told, "mien grants no licence for the model and does not know who holds rights in the photos: check both."]
