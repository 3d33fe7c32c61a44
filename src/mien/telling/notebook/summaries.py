"""Results as a notebook shows them: HTML without style sheets or scripts, in the colours of the notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from mien.python_words import in_python
from mien.results.adaptation import AdaptResults
from mien.results.commands import AuditResults, EvaluateResults, ScoreResults
from mien.results.comparison import CompareResults
from mien.results.document import printable
from mien.results.scores import Scores
from mien.results.study import StudyResults
from mien.telling.words import adaptation, comparison
from mien.telling.words.advice import advise
from mien.telling.words.answers import headline
from mien.telling.words.concerns import concerns
from mien.telling.words.data_notes import lost_files
from mien.telling.words.elsewhere import in_short, next_steps
from mien.telling.words.enough import against_sentences, verdict
from mien.telling.words.numerals import count, percent, plural, score
from mien.telling.words.over import span
from mien.telling.words.raters import agreement_sentences, rater_sentences
from mien.telling.words.scoring import answer_sentences

__all__ = [
    "adaptation_box",
    "audit_box",
    "comparison_box",
    "evaluation_box",
    "score_box",
    "study_box",
]

MOST_STEPS = 3


@dataclass(frozen=True)
class _Box:
    """What is shown.

    Attributes:
        title: the answer in one line.
        sentences: what must be known with it.
        rows: a header and the rows of a table.
        steps: what to do next.
    """

    title: str
    sentences: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    steps: Sequence[str] = ()

    def html(self) -> str:
        """The box as HTML."""
        parts = [f"<p><strong>{self._told(self.title)}</strong></p>"]
        parts += [f"<p>{self._told(sentence)}</p>" for sentence in self.sentences]
        if self.rows:
            head, *body = self.rows
            lines = [f"<tr>{_cells(head, 'th')}</tr>", *(f"<tr>{_cells(row, 'td')}</tr>" for row in body)]
            parts.append(f"<table>{''.join(lines)}</table>")
        if self.steps:
            steps = "".join(f"<li>{self._told(step)}</li>" for step in self.steps)
            parts.append(f"<p>What to do next</p><ol>{steps}</ol>")
        return f"<div>{''.join(parts)}</div>"

    def _told(self, text: str) -> str:
        return html.escape(in_python(text))


def study_box(results: StudyResults) -> str:
    """The answer of a study, its runs, and the first steps."""
    results = printable(results)
    rows = [["recipe", "macro-F1", "95 %", "accuracy", "photos"]]
    for name, run in results.runs.items():
        rows.append([name + (" (selected)" if name == results.selected else ""), *_scores(run.test)])
    steps = [f"{advice.step} {advice.reason}" for advice in advise(results)[:MOST_STEPS]]
    return _Box(headline(results), (), rows, steps).html()


def audit_box(results: AuditResults) -> str:
    """What needs a look, and the classes."""
    data = printable(results).data
    found = concerns(data)
    title = f"{data.name}: {plural(data.images, 'photo')}, {plural(len(data.classes), 'class', 'classes')}"
    rows = [["class", "photos", "share"]]
    rows += [[label, count(n), percent(n / data.images)] for label, n in data.classes.items()]
    told = [*lost_files(data), *(f"{concern.title}: {concern.told}" for concern in found)]
    told = told or ["Nothing that needs a look was found."]
    return _Box(title, [*told, *agreement_sentences(data.agreement)], rows).html()


def evaluation_box(results: EvaluateResults) -> str:
    """How good the model is on each set of photos."""
    boxes = []
    for spec, target in printable(results).targets.items():
        rows = [["", "macro-F1", "95 %", "accuracy", "photos"]]
        rows += [["all classes", *_scores(target.all)], ["shared classes", *_scores(target.shared)]]
        steps = [f"{advice.step} {advice.reason}" for advice in next_steps(target)]
        told = [*in_short(target), *lost_files(target.data), *rater_sentences(target.raters)]
        boxes.append(_Box(f"{results.model} on {spec}: {verdict(target)}", told, rows, steps).html())
    return "".join(boxes)


def score_box(results: ScoreResults) -> str:
    """How good the answers of any tool are."""
    results = printable(results)
    target = results.target
    rows = [["", "macro-F1", "95 %", "accuracy", "photos"]]
    rows += [["all classes", *_scores(target.all)], ["shared classes", *_scores(target.shared)]]
    rows += [["of these, answered", *_scores(target.answered)]] if target.answers.unanswered else []
    steps = [f"{advice.step} {advice.reason}" for advice in next_steps(target)]
    told = [*in_short(target), *lost_files(target.data), *answer_sentences(target)]
    told += rater_sentences(target.raters, "the tool")
    told += against_sentences(target.against)
    return _Box(f"{results.answers} on {results.photos}: {verdict(target)}", told, rows, steps).html()


def comparison_box(results: CompareResults) -> str:
    """The verdicts of a comparison."""
    results = printable(results)
    sentences = [comparison.answer(results), *comparison.arm_lines(results)]
    rows = comparison.comparison_rows(results)
    return _Box(comparison.title(results), sentences, rows, comparison.doubt_lines(results)).html()


def adaptation_box(results: AdaptResults) -> str:
    """What each way gains and costs."""
    results = printable(results)
    rows = adaptation.short_rows(results)
    return _Box(adaptation.title(results), adaptation.verdicts(results), rows).html()


def _scores(scores: Scores) -> list[str]:
    return [score(scores.macro_f1), span(scores.interval, scores.over), score(scores.accuracy), count(scores.images)]


def _cells(row: Sequence[str], tag: str) -> str:
    return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
