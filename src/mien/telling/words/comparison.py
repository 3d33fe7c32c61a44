"""The results of a comparison as rows and sentences, for the terminal and the page alike."""

from __future__ import annotations

from mien.results.comparison import Axis, ClassChange, CompareResults, Contrast, SliceContrast
from mien.telling.words.numerals import plural
from mien.telling.words.over import cannot_tell, counted
from mien.telling.words.slices import NOT_GIVEN

__all__ = [
    "answer",
    "arm_lines",
    "budget_name",
    "chance_lines",
    "class_note",
    "class_rows",
    "comparison_rows",
    "cost_note",
    "cost_rows",
    "doubt_lines",
    "growth_lines",
    "slice_notes",
    "slice_rows",
    "title",
]


def title(results: CompareResults) -> str:
    """``six-emotions: augment=none against augment=notebook``."""
    if whole := results.config.comparison.leave_one_out:
        return f"{results.data.name}: what the parts of {whole} are worth"
    first, second = results.primary
    return f"{results.data.name}: {first} against {second}"


def answer(results: CompareResults) -> str:
    """What was compared on what, and whether the pairs could tell."""
    pairs, data = results.pairs, results.data
    text = (
        f"{pairs.number} pairs of runs over {pairs.folds} grouped folds of {data.compared} photos. The "
        f"{data.held_back} photos that a study would test on were left out."
    )
    if pairs.number < pairs.fewest:
        text += f" So many comparisons take at least {pairs.fewest} pairs for a verdict."
    groups = next((entry.over for entry in results.comparisons if entry.over), None)
    if groups:
        text += f" 95 % intervals are over {counted(groups)}." if groups.enough else f" {cannot_tell(groups)}."
    return text


def arm_lines(results: CompareResults) -> list[str]:
    """The numbers that the tables call the arms by."""
    return [f"{number}: {name}" for number, name in enumerate(results.arms, 1)]


def chance_lines(results: CompareResults) -> list[str]:
    """Which arms do no better than guessing, a line for each budget; none where all do."""
    lines = []
    for place, budget in enumerate(results.budgets):
        at_chance = [name for name, arm in results.arms.items() if arm.budgets[place].beats_chance is False]
        if not at_chance:
            continue
        chance = next(iter(results.arms.values())).budgets[place].chance_macro_f1
        who = "every arm" if len(at_chance) == len(results.arms) else ", ".join(at_chance)
        about = "" if chance is None else f" (macro-F1 about {chance:.2f})"
        lines.append(f"{budget_name(budget)}: at chance{about}: {who}")
    if lines:
        lines.append(
            "A difference between arms at chance says nothing about the setting. Train longer, or on more photos."
        )
    return lines


def comparison_rows(results: CompareResults) -> list[list[str]]:
    """A header and a row for each contrast under each budget."""
    rows = [["budget", "arms", "macro-F1", "difference [95 %]", "p", "the first is"]]
    for entry in results.comparisons:
        place = results.budgets.index(entry.budget)
        names = entry.first, entry.second
        scores = [results.arms[name].budgets[place].macro_f1 for name in names]
        rows.append(
            [
                budget_name(entry.budget),
                _numbers(results, entry),
                ", ".join(f"{score:.3f}" for score in scores),
                _difference(entry),
                f"{entry.p_holm:.3f}" if entry.p_holm >= 0.001 else "<0.001",
                entry.verdict,
            ]
        )
    return rows


def _difference(entry: Contrast) -> str:
    if entry.interval is None:
        return f"{entry.macro_f1_difference:+.3f} [{cannot_tell(entry.over)}]"
    return f"{entry.macro_f1_difference:+.3f} [{entry.interval.low:+.3f}, {entry.interval.high:+.3f}]"


def class_rows(results: CompareResults) -> list[list[str]]:
    """A header and a row for each contrast under each budget, with what it changes of each class's F1."""
    rows = [["budget", "arms", *results.labels]]
    for entry in results.comparisons:
        rows.append([budget_name(entry.budget), _numbers(results, entry), *map(_change, entry.per_class.values())])
    return rows


def _change(entry: ClassChange | None) -> str:
    if entry is None:
        return "—"
    return f"{entry.f1_difference:+.2f}{'*' if entry.verdict != 'cannot tell' else ''}"


def class_note(results: CompareResults) -> str:
    """How the rows of the classes are read."""
    classes = [each for entry in results.comparisons for each in entry.per_class.values() if each]
    fewest, told = results.pairs.fewest_for_classes, any(each.verdict != "cannot tell" for each in classes)
    text = "F1 per class, first arm minus second; * where significant, corrected for all of them (Holm)"
    if results.pairs.number < fewest:
        text += f". So many comparisons take at least {fewest} pairs for any to be significant"
    elif not told:
        text += ". None is"
    if whole := results.config.comparison.leave_one_out:
        text += f". Each part of {whole} was left out in turn: a minus with * means that it helped"
    return text + "."


def slice_rows(results: CompareResults) -> list[list[str]]:
    """A header and a row for each contrast on the photos of each value; only the header where none were asked for."""
    rows = [["equal", "photos of", "n", "arms", "macro-F1", "difference [95 %]", "p", "the first is"]]
    for each in results.slices.values if results.slices else ():
        name = f"{each.column} = {NOT_GIVEN if each.value is None else each.value}"
        for entry in each.contrasts:
            place = results.budgets.index(entry.budget)
            reached = ", ".join(f"{each.arms[arm][place]:.3f}" for arm in (entry.first, entry.second))
            about = [budget_name(entry.budget), name, f"{each.images}, {each.over.number}", _numbers(results, entry)]
            rows.append([*about, reached, *_slice_cells(entry)])
    return rows


def _slice_cells(entry: SliceContrast) -> list[str]:
    if entry.macro_f1_difference is None or entry.p_holm is None or entry.interval is None:
        return ["—", "—", entry.verdict]
    ends = f"[{entry.interval.low:+.3f}, {entry.interval.high:+.3f}]"
    p = f"{entry.p_holm:.3f}" if entry.p_holm >= 0.001 else "<0.001"
    return [f"{entry.macro_f1_difference:+.3f} {ends}", p, entry.verdict]


def slice_notes(results: CompareResults) -> list[str]:
    """How the rows of slices are read; nothing where none were asked for."""
    if results.slices is None:
        return []
    groups = next((each.over.kind for each in results.slices.values), "groups")
    return [
        f"By value: n is photos and {groups}. Macro-F1 is over the classes that they show; p is Holm's over "
        f"{plural(results.slices.comparisons, 'comparison')} of arms on the photos of one value."
    ]


def _numbers(results: CompareResults, entry: Contrast | SliceContrast) -> str:
    """``2/1``: the arms of a contrast by their numbers."""
    numbers = {name: str(number) for number, name in enumerate(results.arms, 1)}
    return f"{numbers[entry.first]}/{numbers[entry.second]}"


def doubt_lines(results: CompareResults) -> list[str]:
    """For each contrast without a verdict, what could confirm a difference as large as the one seen."""
    lines = []
    for entry in results.comparisons:
        if entry.verdict != "cannot tell":
            continue
        contrast = f"{budget_name(entry.budget)}, {entry.first} / {entry.second}"
        if entry.macro_f1_difference == 0:
            lines.append(f"{contrast}: no difference")
        elif entry.pairs_needed:
            more = entry.pairs_needed - entry.pairs
            lines.append(f"{contrast}: at least {more} more pairs could confirm a difference of this size")
        elif entry.pictures_needed:
            more = entry.pictures_needed - entry.pictures
            lines.append(f"{contrast}: about {more} more {_noun(entry)} could confirm a difference of this size")
        else:
            lines.append(f"{contrast}: no realistic number of runs could confirm a difference this small")
    return lines


def _noun(entry: Contrast) -> str:
    """What more of could confirm it."""
    return entry.over.kind if entry.over and entry.over.kind in ("people", "groups") else "photos"


def cost_rows(results: CompareResults) -> list[list[str]]:
    """A header and a row for the cost of each arm under each budget."""
    rows = [["budget", "arm", "seconds per run", "images/s", "waiting", "epochs", "updates"]]
    for place, budget in enumerate(results.budgets):
        for number, arm in enumerate(results.arms.values(), 1):
            cost = arm.budgets[place]
            rows.append(
                [
                    budget_name(budget),
                    str(number),
                    f"{cost.seconds_a_run:.1f}",
                    _number(cost.images_a_second, ".0f"),
                    _number(cost.waiting_share, ".1%"),
                    f"{cost.epochs_a_run:.1f}",
                    f"{cost.updates_a_run:.0f}",
                ]
            )
    return rows


def cost_note(results: CompareResults) -> str:
    """How the rows of the costs are read."""
    text = "Waiting: the share of the time that training spent waiting for pixels."
    if results.jobs > 1:
        text += f" {results.jobs} runs shared the machine, so each took longer than it would have alone."
    return text


def growth_lines(results: CompareResults) -> list[str]:
    """What each arm reached by the photos it was trained on, and what more of them would give."""
    lines = []
    for name, curve in (results.sizes or {}).items():
        reached = ", ".join(f"{point.photos:.0f}: {point.macro_f1:.3f}" for point in curve.points)
        text = f"{name}, macro-F1 by number of training photos: {reached}"
        if curve.growth:
            ahead = ", ".join(
                f"{at.photos:.0f}: {at.macro_f1:.2f} [{at.interval[0]:.2f}, {at.interval[1]:.2f}]"
                for at in curve.growth.at
            )
            text += f"; by a power law {ahead}"
        else:
            text += "; an extrapolation needs three sizes"
        lines.append(text)
    return lines


def budget_name(budget: Axis) -> str:
    """A budget in short, as in ``epochs 6``."""
    value = budget.value
    return "recipe's own" if value is None else f"{budget.axis} {value:g}"


def _number(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)
