"""How a comparison looks on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.results.comparison import CompareResults
from mien.telling.words import comparison as wording

__all__ = ["comparison_summary"]


def comparison_summary(results: CompareResults) -> RenderableType:
    """The verdicts, what they cost, and the path of the page with the curves."""
    parts: list[RenderableType] = [Text(wording.title(results), style="bold"), Text(wording.answer(results))]
    parts += [Text(f"  {line}") for line in wording.arm_lines(results)]
    parts += [
        Text(),
        _table(wording.comparison_rows(results)),
        *(Text(line, style="red") for line in wording.chance_lines(results)),
        Text(),
        _table(wording.class_rows(results)),
        Text(wording.class_note(results)),
    ]
    if results.slices:
        parts += [Text(), _table(wording.slice_rows(results)), *map(Text, wording.slice_notes(results))]
    parts += [Text(), _table(wording.cost_rows(results)), Text(wording.cost_note(results)), Text()]
    parts += [Text(line) for line in wording.doubt_lines(results)]
    parts += [Text(line) for line in wording.growth_lines(results)]
    parts += [Text(), Text(f"seconds {results.seconds.total:.0f}"), Text(f"page    {results.paths.page}")]
    return Group(*parts)


def _table(rows: list[list[str]]) -> Table:
    head, *body = rows
    table = Table(*head, box=None, header_style="bold", padding=(0, 2, 0, 0))
    for row in body:
        table.add_row(*(escape(cell) for cell in row))
    return table
