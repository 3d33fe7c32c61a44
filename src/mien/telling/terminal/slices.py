"""How scores by the values of columns look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.results.slices import Slice, SlicedColumn, Slices
from mien.telling.words import slices as wording
from mien.telling.words.numerals import score

__all__ = ["slice_lines"]


def slice_lines(found: Slices | None, more: Sequence[str] = ()) -> list[RenderableType]:
    """The worst value, a table for each column, and how they are read; nothing where none were asked for.

    Args:
        more: further sentences.
    """
    if found is None:
        return []
    lines: list[RenderableType] = [Text()]
    for i, sentence in enumerate([*wording.slice_sentences(found), *more]):
        is_bad = i == 0 and any(each.verdict == "worse" for _, each in found.named)
        lines.append(Text(sentence, style="red" if is_bad else ""))
    lines += [_table(column, found) for column in found.columns]
    return [*lines, Text(wording.in_short(found))] if found.columns else lines


def _table(column: SlicedColumn, found: Slices) -> Table:
    """A row for each value; short enough for 80 columns where values are short."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column(escape(column.column), overflow="fold", min_width=8)
    for title in (f"photos,\n{wording.groups_noun(found)}", "macro-F1", "accuracy", "difference", ""):
        table.add_column(title, no_wrap=True)
    for each in column.values:
        table.add_row(*map(escape, _cells(each, found)))
    return table


def _cells(each: Slice, found: Slices) -> list[str]:
    mark = "*" if wording.missing_classes(each, found) else ""
    return [
        wording.value_name(each),
        f"{each.images}, {each.over.number}",
        wording.macro_f1_text(each) + mark,
        score(each.accuracy),
        wording.difference_text(each, brackets=True),
        wording.verdict_text(each),
    ]
