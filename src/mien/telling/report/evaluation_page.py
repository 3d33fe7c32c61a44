"""The page of ``mien evaluate``: is the model good enough for these photos, and whom and what does it fail?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from mien.results.commands import EvaluateResults
from mien.results.evaluation import EvaluatedTarget
from mien.results.scores import Scores
from mien.telling.report import plain_page
from mien.telling.report.tables import confusion_table
from mien.telling.words import slices
from mien.telling.words.advice import Advice
from mien.telling.words.data_notes import data_notes
from mien.telling.words.elsewhere import in_short, next_steps, novelty_sentences
from mien.telling.words.enough import (
    against_sentences,
    group_sentences,
    promise_sentences,
    recall_rows,
    unknown_sentences,
    verdict,
)
from mien.telling.words.numerals import count, percent, plural

__all__ = ["recall_drawing", "write_page"]


def write_page(results: EvaluateResults, path: Path) -> None:
    """Write the page, whole or not at all."""
    parts = [part for spec, target in results.targets.items() for part in _target(spec, target)]
    parts += plain_page.paragraphs([_origin(results)])
    plain_page.write_page(f"{results.model} on other photos", parts, path)


def _origin(results: EvaluateResults) -> str:
    """Which model answered, with which version of mien, and when."""
    file = f", file {results.model_file}" if results.model_file else ""
    sha256 = f", SHA-256 {results.model_sha256[:12]}…" if results.model_sha256 else ""
    date = f", on {results.date[:10]}" if results.date else ""
    return f"Model {results.model}{file}{sha256}; evaluated with mien {results.mien}{date}."


def _target(spec: str, target: EvaluatedTarget) -> list[Markup]:
    data = target.data
    counted = f"{plural(data.files, 'file')}: {plural(data.images, 'image')}, {count(data.unreadable)} unreadable."
    return [
        Markup("<h2>{}</h2><p><strong>{}</strong></p>").format(spec, verdict(target)),
        *plain_page.paragraphs([*novelty_sentences(target), *in_short(target), counted, *data_notes(data)]),
        *_section("Per class", plain_page.table(recall_rows(target))),
        recall_drawing(target.shared).inline(),
        *_told("Classes that the model does not know", unknown_sentences(target)),
        *_section("What is taken for what", plain_page.table(_confusion_rows(target))),
        *_told("Sure and unsure answers", promise_sentences(target)),
        *_told("By person or group", group_sentences(target.groups)),
        *_by_column(target),
        *_told("Against other models", against_sentences(target.against)),
        *_told("Next", [_step(advice) for advice in next_steps(target)]),
    ]


def _section(title: str, *parts: Markup) -> list[Markup]:
    return [Markup("<h3>{}</h3>").format(title), *parts]


def _told(title: str, lines: Sequence[str]) -> list[Markup]:
    """A section of sentences; none where there is nothing to say."""
    return _section(title, *plain_page.paragraphs(lines)) if lines else []


def _by_column(target: EvaluatedTarget) -> list[Markup]:
    """Scores by the values of columns; nothing where none were asked for."""
    found = target.slices
    if found is None:
        return []
    tables = [plain_page.table(slices.column_rows(column, found)) for column in found.columns]
    told = plain_page.paragraphs(slices.slice_sentences(found))
    return _section("By column", *told, *tables, *plain_page.paragraphs(slices.how_read(found) if tables else []))


def _step(advice: Advice) -> str:
    return f"{advice.step} {advice.reason}"


def _confusion_rows(target: EvaluatedTarget) -> list[list[str]]:
    """True classes down, answers across: counts, and their share of the row."""
    answers = [label for label in target.all.labels if label not in target.labels.extra]
    table = confusion_table(target.all, answers)
    rows = [
        [row.label, *(f"{count(cell.count)} ({percent(cell.share)})" if cell.count else "" for cell in row.cells)]
        for row in table.rows
        if row.support
    ]
    return [["true class", *(f"called {answer}" for answer in table.answers)], *rows]


def recall_drawing(scores: Scores) -> plain_page.Drawing:
    """The share of each class that is recognised, with its interval."""
    said = "The share of each class that is recognised, with its interval; the numbers stand in the table"
    height = 0.8 + 0.32 * len(_recalls(scores))
    return plain_page.Drawing(lambda figure: _draw(scores, figure), (7.5, height), said)


def _recalls(scores: Scores) -> list[str]:
    return [label for label in scores.labels if scores.per_class[label].recall is not None]


def _draw(scores: Scores, figure: Figure) -> None:
    """Recall of each class from left to right, the first class on top."""
    axes, labels = figure.subplots(), _recalls(scores)
    for place, label in enumerate(reversed(labels)):
        found = scores.per_class[label]
        recall, ends = found.recall or 0.0, found.recall_interval
        arms = [[max(0.0, recall - ends.low)], [max(0.0, ends.high - recall)]] if ends else None
        axes.errorbar(recall, place, xerr=arms, fmt="o", color="C0", elinewidth=1)
    axes.set_yticks(range(len(labels)), list(reversed(labels)), parse_math=False)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share recognised")
