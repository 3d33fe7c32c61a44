"""What to do next, by rule from the results; each rule speaks only when its numbers call for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mien.results.audit import DoubtfulLabels
from mien.results.scores import Scores
from mien.results.study import StudyResults, TestedRun
from mien.results.target import TargetResults
from mien.settings.run import HeadRun
from mien.telling.report.tables import frequent_confusions
from mien.telling.words.answers import error_sentences
from mien.telling.words.concerns import culprit_words
from mien.telling.words.cross_validation import evidence
from mien.telling.words.numerals import count, interval, listed, percent, plural, score, signed
from mien.telling.words.over import counted, four_times

__all__ = ["DROP", "Advice", "advise", "take_out"]

WIDE = 0.03
"""Half width of an interval of macro-F1 above which more test photos are worth asking for."""
UNEVEN = 1.5
"""Images of the largest class per image of the smallest above which the imbalance is worth a word."""
MANY_WITHOUT_FACE = 0.02
TRUSTED_PROBE = 0.6
"""Share of all labels that a probe must agree with before its doubts are worth a look; below, they are its mistakes."""
DROP = -0.05
"""Change of macro-F1 from the test photos to those from elsewhere that is worth a word."""


@dataclass(frozen=True)
class Advice:
    """A step, and why."""

    step: str
    reason: str


def advise(results: StudyResults) -> list[Advice]:
    """The steps in the order in which they pay."""
    found = [rule(results) for rule in _RULES]
    return [advice for advice in found if advice is not None]


def _not_above_chance(results: StudyResults) -> Advice | None:
    test = results.test
    if test.beats_chance:
        return None
    if test.over and not test.over.enough:
        return Advice(
            f"Test on more {'people' if _by_person(test) else 'photos'} before you believe a score.",
            f"{counted(test.over)} are too few for an interval. That takes {test.over.least}, and about thirty make it "
            "useful.",
        )
    return Advice(
        "Do not use this model yet.",
        f"Its interval on the {evidence(results)}s, {interval(test.interval)}, includes chance "
        f"({score(test.chance_macro_f1)}).",
    )


def _overlap(results: StudyResults) -> Advice | None:
    return take_out(results.target) if results.target else None


def take_out(target: TargetResults) -> Advice | None:
    """What to do about photos from elsewhere that are not; None where there are none."""
    seen, near, recurring = target.seen_in_training, target.near_copies or 0, target.recurring_groups
    if not seen and not near and not recurring:
        return None
    return Advice(
        "Remove the overlap from the photos from elsewhere.",
        " ".join(
            told
            for n, told in (
                (seen, f"The model or its backbone was trained on {count(seen)} of these files."),
                (near, f"{count(near)} {'is a copy' if near == 1 else 'are copies'} of training photos."),
                (recurring, f"{plural(recurring, 'picture')} {'is' if recurring == 1 else 'are'} in both sets."),
            )
            if n
        ),
    )


def _conflicts(results: StudyResults) -> Advice | None:
    n = results.data.conflicting_labels
    if not n:
        return None
    return Advice(
        f"Decide on one label for {plural(n, 'picture')} that {'has' if n == 1 else 'have'} two.",
        "At most one of the labels can be right, and the model is also trained on the wrong one.",
    )


def _naive(results: StudyResults) -> Advice | None:
    if results.splits.method != "naive":
        return None
    return Advice(
        "Divide the photos again before you believe a score.",
        "They were divided one by one, so a picture may be in training and, as a copy, in test. Leave out "
        "--split-method naive.",
    )


def _shortcut(results: StudyResults) -> Advice | None:
    found = results.data.shortcuts
    if not found.found:
        return None
    if not found.culprits:
        reason = (
            f"File properties and light alone reach a macro-F1 of {score(found.macro_f1)}, where chance is "
            f"{score(found.chance)}."
        )
        return Advice("Collect all classes in the same way.", reason)
    first = found.culprits[0]
    return Advice(
        f"Balance “{culprit_words(first)}” between the classes.",
        f"{count(first.count)} of {plural(first.of, 'such photo')} are “{first.label}”, against "
        f"{percent(first.expected)} of all photos. A recogniser can learn that instead of the face. Add such photos of "
        "other classes, and trust only a score on photos from elsewhere.",
    )


def _drawings(results: StudyResults) -> Advice | None:
    drawn, perhaps = (sum(results.data.flags[name].values()) for name in ("drawn", "perhaps_drawn"))
    if not drawn or results.data.is_demo:
        return None
    may = f" and {count(perhaps)} may be" if perhaps else ""
    return Advice(
        f"{plural(drawn, 'image looks', 'images look')} like {'a drawing' if drawn == 1 else 'drawings'}{may}; decide "
        f"whether to keep {'it' if drawn + perhaps == 1 else 'them'}.",
        "Drop drawings if the recogniser is meant for photographs.",
    )


def _doubts(results: StudyResults) -> Advice | None:
    found = results.data.doubtful_labels
    if not _worth_a_look(found):
        return None
    return Advice(
        f"Check {plural(found.found, 'doubtful label')}, the most doubtful first.",
        f"A probe disagrees with them. It agrees with only {percent(found.accuracy)} of all labels, so change a label "
        "only if you can see that it is wrong.",
    )


def _worth_a_look(found: DoubtfulLabels) -> bool:
    """Whether there are doubts, of a probe that knows enough to have some."""
    return bool(found.found) and found.accuracy is not None and found.accuracy >= TRUSTED_PROBE


def _given_division(results: StudyResults) -> Advice | None:
    across = results.data.copies.near.across_splits
    if not across:
        return None
    n, left = sum(across.values()), len(results.splits.left_out)
    out = f" {plural(left, 'photo')} {'was' if left == 1 else 'were'} left out for it here." if left else ""
    return Advice(
        f"Repair the division that the data came with: {plural(n, 'picture')} {'is' if n == 1 else 'are'} in several "
        "parts of it.",
        f"Scores that others report on it include what was memorised.{out}",
    )


def _decide(results: StudyResults) -> Advice | None:
    data = results.data
    if results.corrections is not None:
        return Advice(
            "Pass on the table of corrections with the model.",
            f"The scores are for the data as corrected: {plural(data.dropped, 'photo')} dropped, "
            f"{plural(data.relabelled, 'photo')} relabelled (SHA-256 {results.corrections.sha256[:12]}…).",
        )
    flagged = 0 if data.is_demo else sum(data.flags["drawn"].values())
    if not data.conflicting_labels and not _worth_a_look(data.doubtful_labels) and not flagged:
        return None
    return Advice(
        "Write your decisions into a table, photo by photo.",
        "mien audit DATA --out findings.csv lists every photo with a finding. Fill in its column “action” and run "
        "the study again with --corrections findings.csv.",
    )


def _series(results: StudyResults) -> Advice | None:
    leakage = results.data.leakage
    if not leakage or leakage.reason or results.splits.method == "series":
        return None
    series, grouped = (leakage.premium.get(method) for method in ("series", "grouped"))
    if series is None or grouped is None:
        return None
    if series.interval is None or series.interval.low <= 0 or series.value <= grouped.value:
        return None
    return Advice(
        "Divide by series: --split-method series.",
        f"A naive division adds {signed(series.value, 3)} to a probe’s macro-F1 where series are kept together, and "
        f"{signed(grouped.value, 3)} where only copies are. The rest comes from photos of one shoot that recur.",
    )


def _unreadable(results: StudyResults) -> Advice | None:
    n = results.data.unreadable
    if not n:
        return None
    return Advice(
        f"Repair or remove {plural(n, 'unreadable file')}.",
        f"{'It was' if n == 1 else 'They were'} not used. “What is in the data” gives the reasons.",
    )


def _weakest_class(results: StudyResults) -> Advice | None:
    test = results.test
    known = {label: entry.recall for label, entry in test.per_class.items() if entry.recall is not None}
    if len(known) < 2:
        return None
    label = min(known, key=lambda name: known[name])
    entry = test.per_class[label]
    pairs = [pair for pair in frequent_confusions(test, most=len(known) ** 2) if pair[0] == label]
    if not pairs:
        return None
    photos, taken = plural(entry.support, evidence(results)), plural(pairs[0][2], "is", "are")
    return Advice(
        f"Look at “{label}” first, next to “{pairs[0][1]}”.",
        f"It is the weakest class: {percent(entry.recall)} of its {photos} are recognised, and {taken} "
        f"taken for “{pairs[0][1]}”. Check the labels of both, and add clear examples of each.",
    )


def _fit(results: StudyResults) -> Advice | None:
    run = results.run
    fit = run.fit
    scores = f"Macro-F1 is {score(fit.train_macro_f1)} on training and {score(fit.val_macro_f1)} on validation photos."
    more, other = _more_room(run), _other_augmentation(run)
    step = {
        "overfits": f"Add more varied photos{other}: the selected recipe overfits.",
        "underfits": f"Give the model more capacity: {more}.",
        "both": f"Add photos, and give the model more capacity: {more}.",
    }.get(fit.verdict)
    if fit.still_rising:
        scores += " The validation score was still rising when training ended, so a larger budget may help."
        step = step or "Train longer."
    return Advice(step, scores) if step else None


def _more_room(run: TestedRun) -> str:
    """What of a run's kind can be larger, by its option."""
    if isinstance(run.config, HeadRun):
        return "a larger --backbone"
    if run.config.train.backbone:
        return "a larger --backbone, or longer training (--epochs)"
    return "pretrained features (--recipe two-stream or finetune), or longer training (--epochs)"


def _other_augmentation(run: TestedRun) -> str:
    """An augmentation that a network was not trained with; frozen features know none."""
    if isinstance(run.config, HeadRun) or run.config.train.augment.startswith("elsewhere"):
        return ""
    return f", or train with --augment {'notebook' if run.config.train.augment == 'none' else 'elsewhere'}"


def _sample_size(results: StudyResults) -> Advice | None:
    test = results.test
    if test.margin is None or test.margin <= WIDE:
        return None
    few, many = four_times(test)
    step = (
        "Add photos of more people" if results.folds else f"Test on more {'people' if _by_person(test) else 'photos'}"
    )
    return Advice(
        f"{step}, if you need a narrower interval.",
        f"With {few}, it is about ±{score(test.margin)}. Halving it takes about {many}.",
    )


def _by_person(scores: Scores) -> bool:
    """Whether a set's intervals are over people."""
    return scores.over is not None and scores.over.kind == "people"


def _target_missing(results: StudyResults) -> Advice | None:
    if results.target:
        return None
    how = "mien evaluate STUDY OTHER" if results.folds else "mien study DATA --target OTHER"
    return Advice(
        "Test on photos from elsewhere before you rely on it.",
        f"Use a second labelled set, of other people and cameras: {how}.",
    )


def _target_drop(results: StudyResults) -> Advice | None:
    change = results.target.macro_f1_change if results.target else None
    if change is None or change > DROP:
        return None
    return Advice(
        "Collect and label training photos like those the model will be used on.",
        f"Over the shared classes, macro-F1 is {score(-change)} lower on photos from elsewhere than on the test "
        "photos.",
    )


def _target_extra(results: StudyResults) -> Advice | None:
    if results.target is None or not results.target.labels.extra:
        return None
    extra = results.target.labels.extra
    every = results.target.all
    n = sum(every.support[label] for label in extra)
    return Advice(
        f"Add {listed([f'“{label}”' for label in extra])} to the training photos, or keep such photos away from "
        "the model.",
        f"{count(n)} of {plural(every.images, 'photo')} from elsewhere show {'it' if len(extra) == 1 else 'them'}, and "
        "the model cannot give that answer.",
    )


def _undecided(results: StudyResults) -> Advice | None:
    selected = results.selected
    pairs = [c for c in results.comparisons if c.verdict == "cannot tell" and selected in (c.first, c.second)]
    if not pairs:
        return None
    names = " and ".join(c.second if c.first == selected else c.first for c in pairs)
    n = results.run.val.images
    return Advice(
        f"Do not claim that {selected} is better than {names}.",
        f"{plural(n, 'validation photo')} cannot tell. More photos and several seeds might.",
    )


def _imbalance(results: StudyResults) -> Advice | None:
    data = results.data
    if not data.imbalance or data.imbalance < UNEVEN:
        return None
    fewest = min(data.classes, key=lambda label: data.classes[label])
    return Advice(
        f"Add photos of “{fewest}”.",
        f"It has {count(data.classes[fewest])}, and the largest class has {data.imbalance:.1f} times as many.",
    )


def _faces(results: StudyResults) -> Advice | None:
    n, images = results.data.faces.get("none", 0), results.data.images
    if n <= MANY_WITHOUT_FACE * images:
        return None
    return Advice(
        f"Look through the {plural(n, 'photo')} in which no face was found.",
        f"That is {percent(n / images)} of all. They may show no face, or one that is small, turned away or covered.",
    )


def _hard_photos(results: StudyResults) -> Advice | None:
    told = error_sentences(results.error_rates)
    if not told:
        return None
    return Advice("Add training photos of the kinds that the model gets wrong more often.", " ".join(told))


_RULES: tuple[Callable[[StudyResults], Advice | None], ...] = (
    _not_above_chance,
    _naive,
    _overlap,
    _conflicts,
    _shortcut,
    _drawings,
    _given_division,
    _doubts,
    _decide,
    _series,
    _unreadable,
    _target_missing,
    _target_drop,
    _target_extra,
    _weakest_class,
    _fit,
    _hard_photos,
    _imbalance,
    _faces,
    _undecided,
    _sample_size,
)
