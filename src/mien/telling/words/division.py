"""How the photos were divided, and what a division that leaks would add to the score: in words and tables."""

from __future__ import annotations

from dataclasses import dataclass

from mien.metrics import Interval
from mien.results.audit import Leakage, Premium
from mien.results.scores import Over
from mien.results.study import StudyResults
from mien.telling.report.tables import Dot, change_dots
from mien.telling.words.cross_validation import are_people, folds_sentence
from mien.telling.words.numerals import count, plural, signed
from mien.telling.words.over import cannot_tell, span

__all__ = [
    "DivisionRow",
    "division_in_short",
    "division_rows",
    "division_sentences",
    "division_warning",
    "keeps_groups",
    "kept_together",
    "premium_dots",
    "premium_in_short",
    "premium_sentences",
    "where_people_are",
]

DIGITS = 3
"""Of a premium, which is small."""
DIVISIONS = {
    "naive": ("Photo by photo", "nothing kept together"),
    "grouped": ("Copies together", "copies of a picture"),
    "people": ("People together", "copies, and photos of one person"),
    "series": ("Series together", "copies, and photos that may be of one shoot"),
}
"""Division → its name, and what it keeps together, in words."""


@dataclass(frozen=True)
class DivisionRow:
    """Macro-F1 of the same probe under one division, and what the naive one adds to it.

    Attributes:
        premium: value and interval, or None for the naive one.
        verdict: of the premium; empty for the naive one.
    """

    name: str
    keeps: str
    macro_f1: float
    premium: tuple[float, Interval | None] | None
    verdict: str


def keeps_groups(results: StudyResults) -> bool:
    """Whether the user's own groups, such as people, were kept together."""
    return bool(results.splits.groups) and results.splits.method != "naive"


def kept_together(results: StudyResults) -> str:
    """What stood together in the division, as the units of a bootstrap."""
    units = {"naive": "single photos", "grouped": "near-duplicate groups", "series": "series of photos"}
    told = units[results.splits.method]
    return f"{told}, joined with the groups given" if keeps_groups(results) else told


def where_people_are(results: StudyResults) -> str:
    """Whether the division tells new people from known ones."""
    if keeps_groups(results):
        if are_people(results):
            new = "so the scores are for people that the model has never seen."
            people = plural(results.splits.groups, "person", "people")
            if results.folds:
                return f"No model was tested on a person it was trained on ({people}), {new}"
            return f"No person is in more than one of training, validation and test ({people}), {new}"
        apart = "no group is both trained on and answered" if results.folds else "no group is in two parts"
        return (
            f"The photos were divided by the groups given ({_groups(results)}): {apart}. Where a group is a person, "
            "the scores are for people that the model has never seen."
        )
    return "The photos were divided by picture, not by person."


def _groups(results: StudyResults) -> str:
    column = results.config.columns.group_column
    return plural(results.splits.groups, "group") + (f", column “{column}”" if column else "")


def division_sentences(results: StudyResults) -> list[str]:
    """The method in words."""
    splits, config = results.splits, results.config
    if results.folds:
        return [folds_sentence(results, results.folds), where_people_are(results)]
    together = {
        "naive": [],
        "grouped": ["Copies of a picture were kept in the same part."],
        "series": ["Copies of a picture were kept in the same part, and so were photos that may be of one shoot."],
    }
    by = "each class and source in proportion" if len(results.data.sources) > 1 else "each class in proportion"
    told = (
        "The photos came divided, by folders or a column, and this division was kept. A part that was missing was "
        "drawn from the training photos."
        if splits.given
        else f"Photos were divided into training, validation and test, {config.division.split} per cent, {by} "
        f"(seed {config.randomness.seed})."
    )
    return [told, *together[splits.method], where_people_are(results), *_moved(splits.moved)]


def _moved(n: int | None) -> list[str]:
    if n is None:
        return []
    told = f"{plural(n, 'photo')} had to move" if n else "no photo had to move"
    return [f"The parts of an earlier study were kept; {told}."]


def division_in_short(results: StudyResults) -> str:
    """The method in a few words."""
    splits = results.splits
    if results.folds:
        return f"{plural(len(results.folds.folds), 'fold')}, each held out once."
    sizes = {name: sum(part.values()) for name, part in splits.counts.items()}
    together = {"naive": "nothing kept together", "grouped": "copies together", "series": "copies and series together"}
    people = ", groups together" if keeps_groups(results) else ""
    parts = f"{count(sizes['train'])} training, {count(sizes['val'])} validation, {count(sizes['test'])} test"
    return f"{parts}; {together[splits.method]}{people}."


def division_warning(results: StudyResults) -> str | None:
    """A warning where the division was for comparison only."""
    if results.splits.method != "naive":
        return None
    return (
        "The photos were divided one by one, for comparison only: a picture may be in training and, as a copy, in "
        "test. Every score here may be too high. Run again without --split-method naive."
    )


def division_rows(leakage: Leakage) -> list[DivisionRow]:
    """The same probe under each division."""
    rows = []
    for method, value in leakage.macro_f1.items():
        premium = leakage.premium.get(method)
        name, keeps = DIVISIONS[method]
        told = (premium.value, premium.interval) if premium else None
        rows.append(DivisionRow(name, keeps, value, told, premium.verdict if premium else ""))
    return rows


def premium_dots(leakage: Leakage) -> tuple[list[Dot], float]:
    """The premiums on a line whose middle is zero, and the value at its right end."""
    naive = DIVISIONS["naive"][0]
    rows = [
        (f"{naive} − {DIVISIONS[method][0].lower()}", premium.verdict, premium.value, premium.interval)
        for method, premium in leakage.premium.items()
    ]
    return change_dots(rows, digits=DIGITS)


def premium_sentences(results: StudyResults) -> list[str]:
    """What the naive division adds, and how sure that is."""
    leakage = results.data.leakage
    what = "What leaks would add to the score was not measured"
    if leakage is None:
        reason = results.data.doubtful_labels.reason if results.config.checks.leak_premium else None
        return [f"{what}: {reason}." if reason else f"{what}; ask with --leak-premium."]
    if leakage.reason:
        return [f"{what}: {leakage.reason}."]
    told = [_premium(method, premium, leakage.over) for method, premium in leakage.premium.items()]
    return told + [f"{DIVISIONS[method][0]}: not scored, {reason}." for method, reason in leakage.left_out.items()]


def premium_in_short(leakage: Leakage) -> str:
    """The same in a few words."""
    told = [
        f"{signed(premium.value, DIGITS)} against {DIVISIONS[method][0].lower()}"
        + (" (cannot tell)" if premium.verdict == "cannot tell" else "")
        for method, premium in leakage.premium.items()
    ]
    return f"Macro-F1 {', '.join(told)}." if told else ""


def _premium(method: str, premium: Premium, groups: Over | None) -> str:
    by = f"{signed(premium.value, DIGITS)} ({span(premium.interval, groups, 'signed', DIGITS)})"
    against = f"Photo by photo against {DIVISIONS[method][0].lower()}"
    if premium.interval is None and (why := cannot_tell(groups)):
        return f"{against}: {why}. The difference is {signed(premium.value, DIGITS)}."
    return {
        "naive flatters": f"{against}: macro-F1 {by}. That much of the naive score comes from photos seen in training.",
        "naive scores lower": f"{against}: macro-F1 {by}. The naive division scores lower, which leaks do not explain.",
        "cannot tell": f"{against}: cannot tell. The difference is {by}, and its interval includes zero.",
    }[premium.verdict]
