"""How a comparison looks on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.comparing.wording import (
    answer,
    arm_lines,
    class_note,
    class_rows,
    comparison_rows,
    cost_note,
    cost_rows,
    doubt_lines,
    growth_lines,
    title,
)

__all__ = ["comparison_summary"]


def comparison_summary(results: Mapping[str, Any]) -> RenderableType:
    """The verdicts, what they cost, and the path of the page with the curves."""
    parts: list[RenderableType] = [Text(title(results), style="bold"), Text(answer(results))]
    parts += [Text(f"  {line}") for line in arm_lines(results)]
    parts += [Text(), _table(comparison_rows(results)), Text(), _table(class_rows(results)), Text(class_note(results))]
    parts += [Text(), _table(cost_rows(results)), Text(cost_note(results)), Text()]
    parts += [Text(line) for line in doubt_lines(results)]
    parts += [Text(line) for line in growth_lines(results)]
    parts += [Text(), Text(f"seconds {results['seconds']['total']:.0f}"), Text(f"page    {results['paths']['page']}")]
    return Group(*parts)


def _table(rows: list[list[str]]) -> Table:
    head, *body = rows
    table = Table(*head, box=None, header_style="bold", padding=(0, 2, 0, 0))
    for row in body:
        table.add_row(*(escape(cell) for cell in row))
    return table
