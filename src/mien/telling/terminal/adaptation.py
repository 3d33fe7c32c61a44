"""How adapting looks on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.results.adaptation import AdaptResults
from mien.telling.words.adaptation import division, doubts, short_rows, title, verdicts

__all__ = ["adaptation_summary"]


def adaptation_summary(results: AdaptResults) -> RenderableType:
    """What each way gains and costs, and where the page is."""
    head, *body = short_rows(results)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(name, no_wrap=True)
    for row in body:
        table.add_row(*(escape(cell) for cell in row))
    parts: list[RenderableType] = [Text(title(results), style="bold"), Text(division(results)), Text(), table, Text()]
    parts += [Text(line) for line in verdicts(results)]
    parts += [Text(line, style="dim") for line in doubts(results)]
    paths = {"model": results.paths.model, "page": results.paths.page}
    parts += [Text(), *(Text(f"{name:<7} {path}") for name, path in paths.items() if path)]
    return Group(*parts)
