"""How the results of ``mien evaluate`` look on a terminal: is the model good enough for these photos?"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.results.commands import EvaluateResults, PairedResults
from mien.results.evaluation import EvaluatedTarget
from mien.telling.terminal.target import cause_lines, data_line, score_lines
from mien.telling.words.data_notes import data_notes
from mien.telling.words.enough import (
    against_sentences,
    group_sentences,
    promise_sentences,
    recall_rows,
    unknown_sentences,
)

__all__ = ["evaluation_summary", "paired_summary"]


def evaluation_summary(results: EvaluateResults) -> RenderableType:
    """The verdict on each set of photos, and what it rests on."""
    parts: list[RenderableType] = []
    for spec, target in results.targets.items():
        parts += [
            data_line(target.data),
            *map(Text, data_notes(target.data)),
            *score_lines(target, spec),
            _recall_table(target),
        ]
        parts += [Text(line) for line in _sentences(target)]
        parts += [*cause_lines(target), Text()]
    if page := results.paths.report:
        return Group(*parts, Text(f"page: {page}"))
    return Group(*parts[:-1])


def paired_summary(results: PairedResults) -> RenderableType:
    """The model against others on photos that both studies tested on."""
    return Group(*(Text(line) for line in against_sentences(results.against)))


def _sentences(target: EvaluatedTarget) -> list[str]:
    return [
        *unknown_sentences(target),
        *promise_sentences(target),
        *group_sentences(target.groups),
        *against_sentences(target.against),
    ]


def _recall_table(target: EvaluatedTarget) -> Table:
    header, *rows = recall_rows(target)
    table = Table(box=None, header_style="bold")
    for title in header:
        table.add_column(title, justify="right" if title == "photos" else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
