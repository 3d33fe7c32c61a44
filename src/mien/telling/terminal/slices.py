"""How scores by the values of columns look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.results.slices import SlicedColumn, Slices
from mien.telling.words import slices as wording

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
    head, *rows = wording.column_rows(column, found)
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column(escape(head[0]), overflow="fold", min_width=8)
    for title in head[1:]:
        table.add_column(title.replace(", ", ",\n"), no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    return table
