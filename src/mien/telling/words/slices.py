"""Scores by the values of columns in words and rows: which value is worst, and how sure that is."""

from __future__ import annotations

from mien.results.slices import Slice, SlicedColumn, Slices
from mien.results.study import StudyResults
from mien.telling.words.numerals import NONE, interval, plural, score, signed
from mien.telling.words.over import NOUNS

__all__ = [
    "NOT_GIVEN",
    "column_rows",
    "difference_text",
    "groups_noun",
    "how_read",
    "in_short",
    "lacking_sentence",
    "macro_f1_text",
    "missing_classes",
    "more_people",
    "named",
    "p_text",
    "slice_sentences",
    "value_name",
    "verdict_text",
]

NOT_GIVEN = "not given"
"""What photos are called of which the table says nothing."""


def slice_sentences(found: Slices) -> list[str]:
    """The worst value first, then the others that differ, what was too few to tell, and what the table lacks."""
    sentences = [_worst(found)] if found.named else []
    others = _others(found)
    if others:
        told = "; ".join(f"{named(name, each)} is {each.verdict}, {_difference(each, found)}" for name, each in others)
        sentences.append(f"Different as well: {told}.")
    if few := _too_few(found):
        least = found.named[0][1].over.least
        sentences.append(
            f"Too few to tell: {', '.join(few)}. It takes photos of the same classes in {least} or more "
            f"{groups_noun(found)}, of the value and of the others."
        )
    return sentences + ([lacking_sentence(found)] if found.lacking else [])


def _worst(found: Slices) -> str:
    """Which value is worst, or that none can be said to be."""
    worst = found.worst
    if worst is None:
        return "No value could be compared with the others of its column."
    name, each = worst
    if each.verdict == "worse":
        assert each.difference is not None
        less, ends = score(-each.difference.value), interval(each.difference.interval, "signed")
        return (
            f"Worst: {named(name, each)}. Its photos are answered correctly {less} less often than photos of the same "
            f"classes with other values (95 % interval by itself {ends}; p{_after(found)} {p_text(each)})."
        )
    kind = "is worse than" if found.different else "differs from"
    return (
        f"No value {kind} the others of its column by more than chance{_corrected(found)}. "
        f"Lowest: {named(name, each)}, {_difference(each, found)}."
    )


def _others(found: Slices) -> list[tuple[str, Slice]]:
    """Values that differ, beside the worst; of two values of one column, one is enough."""
    told: list[tuple[str, Slice]] = [found.worst] if found.worst and found.worst[1].is_different else []
    first = len(told)
    two = {column.column for column in found.columns if sum(each.value is not None for each in column.values) == 2}
    for name, each in found.different:
        if (name, each) not in told and not (name in two and any(name == other for other, _ in told)):
            told.append((name, each))
    return told[first:]


def in_short(found: Slices) -> str:
    """How the numbers are read, in two lines of a terminal."""
    told = "difference: accuracy minus the accuracy on the other values' photos, class by class"
    told += ", with its 95 % interval by itself"
    told += f"; verdicts after correction for {_comparisons(found)}" if found.comparisons > 1 else ""
    return told + ("; * over fewer classes" if any(missing_classes(each, found) for _, each in found.named) else "")


def more_people(results: StudyResults) -> list[str]:
    """What gives more people to compare, where they are too few and some were not tested."""
    if results.folds or not results.splits.groups or not _too_few(results.slices):
        return []
    return ["With --folds group every person would be tested, in place of those of the test split alone."]


def how_read(found: Slices) -> list[str]:
    """What the numbers are, and what the verdicts mean."""
    sentences = [
        "Difference: the accuracy minus the accuracy on the photos with the column's other values, class by class, so "
        "that a value with more photos of an easy class does not look better.",
        f"Each 95 % interval is for that value alone, and is over {groups_noun(found)}.",
    ]
    if found.comparisons > 1:
        sentences.append(
            f"Verdicts are after correction for {_comparisons(found)} (Holm): where nothing differs, the chance that "
            f"any is called different is at most {100 * found.level:.0f} %."
        )
    if any(missing_classes(each, found) for _, each in found.named):
        sentences.append("Macro-F1 is over the classes that a value's photos show; * where these are not all.")
    if any(each.value is None for _, each in found.named):
        sentences.append(f"Photos of which the table says nothing ({NOT_GIVEN}) are compared with none.")
    return sentences


def lacking_sentence(found: Slices) -> str:
    """Columns that these photos do not have."""
    return f"These photos have no column {', '.join(found.lacking)}."


def named(column: str, each: Slice) -> str:
    """``sex = female``."""
    return f"{column} = {value_name(each)}"


def value_name(each: Slice) -> str:
    """A value as the table has it."""
    return NOT_GIVEN if each.value is None else each.value


def verdict_text(each: Slice) -> str:
    """The verdict in a table; a dash of photos that are compared with none."""
    return each.verdict or NONE


def difference_text(each: Slice, *, brackets: bool = False) -> str:
    """``−0.20 (−0.31 to −0.08)``, or with brackets ``−0.20 [−0.31, −0.08]``; a dash without a difference."""
    if each.difference is None:
        return NONE
    value, ends = signed(each.difference.value), each.difference.interval
    if brackets:
        return f"{value} [{signed(ends.low)}, {signed(ends.high)}]"
    return f"{value} ({interval(ends, 'signed')})"


def p_text(each: Slice) -> str:
    """The corrected p, or a dash."""
    if each.difference is None:
        return NONE
    return "<0.001" if each.difference.p_holm < 0.001 else f"{each.difference.p_holm:.3f}"


def macro_f1_text(each: Slice) -> str:
    """``0.65 [0.58, 0.71]``, or with a dash for an interval over too few groups."""
    ends = each.interval
    return f"{score(each.macro_f1)} [{NONE if ends is None else f'{score(ends.low)}, {score(ends.high)}'}]"


def column_rows(column: SlicedColumn, found: Slices) -> list[list[str]]:
    """A header, and a row for each value of a column, as a page or a terminal has them."""
    rows = [[column.column, f"photos, {groups_noun(found)}", "macro-F1", "accuracy", "difference", ""]]
    for each in column.values:
        mark = "*" if missing_classes(each, found) else ""
        counts, difference = f"{each.images}, {each.over.number}", difference_text(each, brackets=True)
        row = [value_name(each), counts, macro_f1_text(each) + mark, score(each.accuracy), difference]
        rows.append([*row, verdict_text(each)])
    return rows


def missing_classes(each: Slice, found: Slices) -> list[str]:
    """Classes that photos of other values show, and those of this one do not."""
    shown = dict.fromkeys(label for _, other in found.named for label in other.classes)
    return [label for label in shown if label not in each.classes]


def groups_noun(found: Slices) -> str:
    """What the photos' groups are called, as in ``people``."""
    return NOUNS[found.named[0][1].over.kind][1] if found.named else "groups"


def _difference(each: Slice, found: Slices) -> str:
    """``−0.20 (95 % interval by itself −0.31 to −0.08; p after correction 0.003)``."""
    assert each.difference is not None
    ends, p = interval(each.difference.interval, "signed"), p_text(each)
    return f"{signed(each.difference.value)} (95 % interval by itself {ends}; p{_after(found)} {p})"


def _too_few(found: Slices | None) -> list[str]:
    return [named(name, each) for name, each in found.named if each.verdict == "too few"] if found else []


def _after(found: Slices) -> str:
    """What is said of p where it is corrected for others."""
    return " after correction" if found.comparisons > 1 else ""


def _corrected(found: Slices) -> str:
    return f", after correction for {_comparisons(found)}" if found.comparisons > 1 else ""


def _comparisons(found: Slices) -> str:
    return plural(found.comparisons, "comparison")
