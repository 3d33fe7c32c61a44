"""How the results of ``mien evaluate`` look on a terminal: is the model good enough for these photos?"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.results.commands import EvaluateResults, PairedResults, ScoreResults
from mien.results.evaluation import EvaluatedTarget
from mien.results.scoring import ScoredTarget
from mien.telling.terminal.target import cause_lines, data_line, score_lines
from mien.telling.words.data_notes import data_notes
from mien.telling.words.enough import (
    against_sentences,
    group_sentences,
    promise_sentences,
    recall_rows,
    unknown_sentences,
)
from mien.telling.words.raters import rater_sentences
from mien.telling.words.scoring import answer_sentences, calibration_sentences

__all__ = ["evaluation_summary", "paired_summary", "score_summary"]


def evaluation_summary(results: EvaluateResults) -> RenderableType:
    """The verdict on each set of photos, and what it rests on."""
    parts: list[RenderableType] = []
    for spec, target in results.targets.items():
        parts += [*_target_lines(target, spec), Text()]
    return _with_page(parts, results.paths.report)


def score_summary(results: ScoreResults) -> RenderableType:
    """The verdict on the answers of any tool, and what it rests on."""
    return _with_page([*_target_lines(results.target, results.photos), Text()], results.paths.report)


def _target_lines(target: EvaluatedTarget, spec: str) -> list[RenderableType]:
    return [
        data_line(target.data),
        *map(Text, data_notes(target.data)),
        *score_lines(target, spec),
        _recall_table(target),
        *(Text(line) for line in _sentences(target)),
        *cause_lines(target),
    ]


def _with_page(parts: Sequence[RenderableType], page: str | None) -> RenderableType:
    """The parts, and where the page is in place of the last, which is empty."""
    return Group(*parts, Text(f"page: {page}")) if page else Group(*parts[:-1])


def paired_summary(results: PairedResults) -> RenderableType:
    """The model against others on photos that both studies tested on."""
    return Group(*(Text(line) for line in against_sentences(results.against)))


def _sentences(target: EvaluatedTarget) -> list[str]:
    told = unknown_sentences(target)
    if isinstance(target, ScoredTarget):
        told = [*answer_sentences(target), *told, *calibration_sentences(target)]
    else:
        told += promise_sentences(target)
    told += rater_sentences(target.raters, "the tool" if isinstance(target, ScoredTarget) else "the model")
    return [*told, *group_sentences(target.groups), *against_sentences(target.against)]


def _recall_table(target: EvaluatedTarget) -> Table:
    header, *rows = recall_rows(target)
    table = Table(box=None, header_style="bold")
    for title in header:
        table.add_column(title, justify="right" if title == "photos" else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
