"""How progress and results look on a terminal. Progress goes to stderr; summaries are returned, not printed."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from mien.progress import Advance
from mien.results.audit import DoubtfulLabels, ExaminedAudit, Leakage, Shortcuts
from mien.results.commands import AuditResults, ExportResults
from mien.results.scores import Over
from mien.results.study import Run, StudyResults, TestedRun, TrainResults
from mien.system.streams import draws_bars, escaped
from mien.telling.terminal.slices import slice_lines
from mien.telling.terminal.target import data_line, score_text
from mien.telling.words.advice import advise
from mien.telling.words.answers import comparison_sentences, headline, in_plain_words, promise_in_short, warnings
from mien.telling.words.concerns import concerns
from mien.telling.words.cross_validation import terminal_lines
from mien.telling.words.elsewhere import in_short
from mien.telling.words.numerals import signed
from mien.telling.words.over import over_each, span
from mien.telling.words.raters import agreement_sentences, rater_sentences
from mien.telling.words.slices import more_people, slice_sentences

__all__ = [
    "TerminalProgress",
    "audit_summary",
    "export_summary",
    "study_summary",
]

MOST_LISTED = 10
SECONDS_BETWEEN_LINES = 30
"""Of one step, where progress is lines."""
MOST_SHOWN, MOST_COPIES, MOST_DRAWN = 3, 2, 6
WIDTH, MOST_LINES, MOST_OF_A_KIND = 80, 40, 3
"""Of the summary of a study; the report has all."""
LONGEST_NAME = 34


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.3g} {task.fields['unit']}/s" if speed else "")


class _Done(MofNCompleteColumn):
    """Units done of all; nothing while neither is known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None and not task.completed else super().render(task)


class TerminalProgress:
    """Draws a bar with rate and remaining time for each step.

    Where stderr is no terminal, or the output of a notebook's cell, a step is one line when it ends, and one now and
    then before.
    """

    def __init__(self) -> None:
        self._draws = draws_bars(sys.stderr)
        self._console = Console(stderr=True, force_terminal=None if self._draws else False)

    def tell(self, line: str) -> None:
        """Print a line, with what would act on a terminal escaped."""
        self._console.print(Text(escaped(line)), soft_wrap=True)

    @contextmanager
    def step(self, title: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Draw a bar until the step ends, or say now and then how far it is."""
        title = escaped(title)
        if not self._draws:
            lines = _Lines(self.tell, title, total, unit)
            yield lines.advance
            lines.end()
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            _Done(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(escape(title), total=total, unit=unit)
            yield lambda n: bars.advance(task, n)
            if total is not None:  # early stopping leaves a budget unspent, and the step is done all the same
                bars.update(task, total=bars.tasks[0].completed)


class _Lines:
    """Says how far a step is, in a line every half minute and one at its end."""

    def __init__(self, tell: Callable[[str], None], title: str, total: int | None, unit: str) -> None:
        self._tell, self._title, self._total, self._unit = tell, title, total, unit
        self._done, self._began = 0, time.monotonic()
        self._said = self._began

    def advance(self, n: int) -> None:
        """Note that so many units more are done."""
        self._done += n
        now = time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._tell(f"{self._title}: {self._count()} after {now - self._began:.0f} s{self._left(now)}")

    def end(self) -> None:
        """Say that the step is done."""
        done = f"{self._done} {self._unit}, " if self._done else ""
        self._tell(f"{self._title}: {done}{time.monotonic() - self._began:.0f} s")

    def _count(self) -> str:
        return f"{self._done} of {self._total} {self._unit}" if self._total else f"{self._done} {self._unit}"

    def _left(self, now: float) -> str:
        if not self._total or not 0 < self._done < self._total:
            return ""
        return f", about {(now - self._began) * (self._total - self._done) / self._done:.0f} s left"


def study_summary(results: StudyResults | TrainResults) -> RenderableType:
    """The answer first, then what needs a look and what to do, then where things are: at most 40 lines of 80 columns.

    Of a training, whose test photos stay unread: the runs on validation, and where things are.
    """
    if isinstance(results, TrainResults):
        return Group(data_line(results.data), Text(), *_runs(results, MOST_OF_A_KIND), Text(), *_places(results))
    told = _told(results, MOST_OF_A_KIND, with_tables=True)
    for most in range(MOST_OF_A_KIND, 0, -1):
        if len(Console(width=WIDTH, file=io.StringIO()).render_lines(told)) <= MOST_LINES:
            break
        told = _told(results, most, with_tables=False)
    return told


def _told(results: StudyResults, most: int, *, with_tables: bool) -> Group:
    """The summary of a study.

    Args:
        most: findings, steps, warnings and sentences of a kind.
        with_tables: whether scores by the values of columns have their tables, or a few sentences.
    """
    by_column = slice_lines(results.slices, more_people(results)) if with_tables else _slices(results, most)
    parts = [
        _answer(results, most),
        _raters(results, most),
        by_column,
        _elsewhere(results, most),
        _look(results.data, most),
        _steps(results, most),
    ]
    return Group(*chain.from_iterable(parts), Text(), *_places(results))


def _raters(results: StudyResults, most: int) -> Iterator[RenderableType]:
    """How far raters agree, and the selected recipe beside them; the report has the rest."""
    yield from map(Text, rater_sentences(results.raters, results.selected)[:most])


def _slices(results: StudyResults, most: int) -> Iterator[RenderableType]:
    """The worst value of the columns that were asked for; the report has their tables."""
    if results.slices:
        yield from (Text(), *map(Text, [*slice_sentences(results.slices), *more_people(results)][:most]))


def _answer(results: StudyResults, most: int) -> Iterator[RenderableType]:
    """The headline, what makes it doubtful, and every recipe."""
    line = headline(results)
    yield Text(f"{results.data.name}: {line[:1].lower()}{line[1:]}", style="bold")
    yield from (Text(line, style="red") for line in warnings(results)[:most])
    yield Text(in_plain_words(results.test))
    yield Text()
    yield from _runs(results, most)
    if results.folds:
        yield from (Text(line) for line in terminal_lines(results, results.folds))


def _runs(results: StudyResults | TrainResults, most: int) -> Iterator[RenderableType]:
    yield _runs_table(results)
    tested = "held out" if isinstance(results, StudyResults) and results.folds else "test"
    if told := over_each(_sides(results.runs[results.selected], tested)):
        yield Text(told)
    at_chance = {n for n, run in results.runs.items() if isinstance(run, TestedRun) and run.is_at_chance}
    compared = [each for each in results.comparisons if not {each.first, each.second} & at_chance]
    yield from (Text(line) for line in comparison_sentences(compared[:most]))


def _elsewhere(results: StudyResults, most: int) -> Iterator[RenderableType]:
    """What happened on photos from elsewhere beside their scores, and whether the promise held."""
    told = in_short(results.target)[1:][:most] if results.target else []
    promise = promise_in_short(results)
    if told or promise:
        yield from [Text(), *map(Text, told), *([Text(promise)] if promise else [])]


def _look(data: ExaminedAudit, most: int) -> Iterator[RenderableType]:
    """The counts, and the most harmful findings."""
    yield from (Text(), data_line(data))
    found = concerns(data)
    table = Table.grid(padding=(0, 2, 0, 0))
    for each in found[:most]:
        table.add_row(Text(each.title), Text(each.told))
    yield from [table] if found else []
    yield from [Text(f"{len(found) - most} more in the report")] if len(found) > most else []


def _steps(results: StudyResults, most: int) -> Iterator[RenderableType]:
    """What to do first."""
    steps = advise(results)
    if not steps:
        return
    yield from (Text(), Text("What to do next", style="bold"))
    table = Table.grid(padding=(0, 1, 0, 0))
    for number, each in enumerate(steps[:most], start=1):
        table.add_row(Text(f"{number}."), Text(each.step))
    yield table
    yield from [Text(f"{len(steps) - most} more in the report, with reasons")] if len(steps) > most else []


def _places(results: StudyResults | TrainResults) -> Iterator[RenderableType]:
    paths = results.paths
    if paths.report:
        yield Text(f"report   {paths.report}")
    if paths.card:
        yield Text(f"card     {paths.card}")
    yield Text(f"model    {paths.model}")
    if paths.refit:
        yield Text(f"refit    {paths.refit} (fitted to all photos; the scores are those of {results.selected})")
    weights = [f"{w.name} ({w.licence.partition(';')[0]})" for w in results.runs[results.selected].backbones]
    if weights:
        yield Text(f"weights  {', '.join(weights)}")
    yield Text(f"time     {results.seconds['total']:.0f} s")


def audit_summary(results: AuditResults) -> RenderableType:
    """What needs a look, the most harmful first; then the counts."""
    data = results.data
    table = Table("class", "photos", "share", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for label, n in data.classes.items():
        table.add_row(escape(label), str(n), f"{n / data.images:.1%}")
    parts: list[RenderableType] = [data_line(data), Text(), *_concerns(data), Text(), table, Text()]
    parts.append(Text(f"the largest class has {data.imbalance:.2f} times as many photos as the smallest"))
    if data.sizes:
        low, middle, high = data.sizes
        parts.append(Text(f"longer side {low} to {high} px, median {middle}; grey {data.grey_share:.1%}"))
    parts.append(Text("by content " + ", ".join(f"{k} {n}" for k, n in data.formats.items())))
    if len(data.sources) > 1:
        parts.append(Text("by source " + ", ".join(f"{k} {n}" for k, n in data.sources.items())))
    parts += [Text(f"{name}: {a} counts as {b}") for name, pairs in data.renamed.items() for a, b in pairs.items()]
    parts += map(Text, agreement_sentences(data.agreement))
    parts += _listed("unreadable", data.unreadable_files)
    parts += _listed("ignored", data.ignored_files)
    written = results.paths.findings
    where = f"listed in {written}" if written else "--out findings.csv lists them"
    parts.append(Text(f"{data.findings} photos have a finding; {where}"))
    return Group(*parts)


def _concerns(data: ExaminedAudit) -> list[RenderableType]:
    """What needs a look, each kind with its first examples."""
    lines = [Text(line, style="red" if i == 0 else "") for p in _paragraphs(data) for i, line in enumerate(p)]
    return list(lines) or [Text("nothing that needs a look was found")]


def _paragraphs(data: ExaminedAudit) -> list[list[str]]:
    """One short paragraph for each kind of trouble that was found, the most harmful first."""
    paragraphs = [
        _contradictions(data),
        _shortcuts(data.shortcuts),
        [] if data.is_demo else _drawings(data),
        _copies(data),
        _faces(data),
        _doubts(data.doubtful_labels),
        _premium(data.leakage),
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def _contradictions(data: ExaminedAudit) -> list[str]:
    conflicts = data.conflicts
    if not conflicts:
        return []
    lines = [f"under two labels: {_number(len(conflicts), 'picture')}"]
    for conflict in conflicts[:MOST_SHOWN]:
        left = len(conflict.paths) - MOST_COPIES
        shown = " = ".join(_short(path) for path in conflict.paths[:MOST_COPIES])
        lines.append(f"  {shown}" + (f" +{left}" if left > 0 else ""))
    return lines + _more(len(conflicts))


def _shortcuts(found: Shortcuts) -> list[str]:
    if not found.found:
        return [f"shortcuts: not searched for, {found.reason}"] if found.reason else []
    lines = [
        f"shortcut: file and light alone predict the class, macro-F1 {found.macro_f1:.2f} (chance {found.chance:.2f})"
        if found.tells_classes
        else "shortcut: a property gives a class away"
    ]
    for culprit in found.culprits[:MOST_SHOWN]:
        name = culprit.property.replace("_", " ").removeprefix("is ")
        what = "" if culprit.what in ("any", name) else f" {culprit.what}"
        lines.append(
            f"  {name}{what}: {culprit.count} of {culprit.of} are {culprit.label} ({culprit.expected:.0%} of all)"
        )
    return lines + _more(len(found.culprits))


def _drawings(data: ExaminedAudit) -> list[str]:
    drawn, perhaps = data.flags["drawn"], data.flags["perhaps_drawn"]
    if not drawn and not perhaps:
        return []
    n = sum(drawn.values())
    lines = [f"drawn, not photographed: {n}{_by_label(drawn)}"] if n else []
    if perhaps:
        lines.append(f"perhaps drawn: {sum(perhaps.values())}{_by_label(perhaps)}")
    shown = [f"{_short(path)} ({p:.2f})" for path, p in list(data.drawn_files.items())[:MOST_DRAWN]]
    return lines + [f"  {name}" for name in shown] + _more(n, MOST_DRAWN)


def _copies(data: ExaminedAudit) -> list[str]:
    near, exact = data.copies.near, data.copies.exact
    if not near.groups:
        return []
    lines = [
        f"copies: {_number(near.groups, 'picture')} more than once, "
        f"{_number(data.duplicate_files, 'redundant file')} ({exact.groups} byte for byte)"
    ]
    for splits, n in near.across_splits.items():
        same = exact.across_splits.get(splits, 0)
        lines.append(f"  {n} in {splits.replace('+', ' and ')} ({same} byte for byte)")
    if near.across_labels:
        lines.append(f"  {near.across_labels} under several labels ({exact.across_labels} byte for byte)")
    groups, photos = data.series
    if groups and not data.is_demo:
        lines.append(f"  besides, {groups} series, perhaps of one shoot ({photos} photos)")
    return lines


def _faces(data: ExaminedAudit) -> list[str]:
    titles = {
        "no_face": "not found",
        "several_faces": "several",
        "tiny_face": "tiny",
        "cut_face": "cut off",
        "blurred_face": "blurred",
    }
    if not data.faces_searched:
        return ["faces: not searched for"]
    counts = {title: sum(data.flags[flag].values()) for flag, title in titles.items()}
    found = [f"{title} {n}" for title, n in counts.items() if n]
    blank = sum(data.flags["blank"].values())
    lines = ["faces: " + ", ".join(found)] if found else []
    return lines + ([f"blank pictures: {blank}"] if blank else [])


def _doubts(found: DoubtfulLabels) -> list[str]:
    if found.reason:
        return [f"doubtful labels: {found.reason}"]
    if not found.found:
        return []
    lines = [f"doubtful labels: {found.found}, by a probe that agrees with {found.accuracy:.0%} of all labels"]
    lines += [f"  {_short(entry.path)}: {entry.suggested_label}?" for entry in found.list[:MOST_SHOWN]]
    return lines


def _premium(found: Leakage | None) -> list[str]:
    if not found:
        return []
    if found.reason:
        return [f"leak premium: {found.reason}"]
    return [
        f"leak premium, naive less {method} split: macro-F1 {signed(premium.value, 3)} "
        f"({span(premium.interval, found.over, 'signed', 3)})"
        for method, premium in found.premium.items()
    ] + [f"leak premium, {method}: not measured, {reason}" for method, reason in found.left_out.items()]


def _short(path: str) -> str:
    """The last two parts of a path, the middle of a long name left out; enough to know the photo again."""
    name = "/".join(path.split("/")[-2:])
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 13]}…{name[-12:]}"


def _by_label(counts: Mapping[str, int]) -> str:
    shown = [f"{label} {n}" for label, n in list(counts.items())[:MOST_SHOWN]]
    return " (" + ", ".join(shown) + ", …" * (len(counts) > MOST_SHOWN) + ")" if counts else ""


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _more(n: int, shown: int | None = None) -> list[str]:
    left = n - (MOST_SHOWN if shown is None else shown)
    return [f"  and {left} more"] if left > 0 else []


def export_summary(results: ExportResults) -> RenderableType:
    """What was written, and what it lost."""
    before, after = (n / 1e6 for n in (results.bytes_before, results.bytes))
    lines = [f"{results.out}: {results.precision}, {after:.1f} MB (the model has {before:.1f} MB)"]
    if lost := results.validation:
        lines.append(
            f"on {lost.images} validation photos: macro-F1 {lost.macro_f1:.3f} "
            f"(before {lost.macro_f1_before:.3f}), the same label for {lost.same_label:.1%}, "
            f"{lost.speed:.2f} times as fast"
        )
    else:
        if kept := results.drawn:
            lines.append(
                f"on {kept.images} drawn faces: the same label for {kept.same_label:.1%}, logits at most "
                f"{kept.largest_difference:.2f} apart, {kept.speed:.2f} times as fast"
            )
        lines.append("the loss on photos was not measured: those of its study are not beside the model")
    return Text("\n".join(lines))


def _runs_table(results: StudyResults | TrainResults) -> Table:
    """Macro-F1 of each recipe wherever it was scored."""
    has_target = isinstance(results, StudyResults) and results.target is not None
    tested = "held out" if isinstance(results, StudyResults) and results.folds else "test"
    titles = ["macro-F1", "validation", *([tested] if isinstance(results, StudyResults) else [])]
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for title in [*titles, "elsewhere"] if has_target else titles:
        table.add_column(title, no_wrap=True)
    for name, run in results.runs.items():
        is_selected = name == results.selected
        sets = [run.val]
        if isinstance(run, TestedRun):
            sets += [run.test, *([run.target.shared] if run.target else [])]
        scores = [score_text(each.macro_f1, each.interval) for each in sets]
        table.add_row(("→ " if is_selected else "  ") + escape(name), *scores, style="bold" if is_selected else "")
    return table


def _sides(run: Run, tested: str) -> list[tuple[str, Over | None]]:
    """What the intervals of each split are over; ``tested`` names the last."""
    return [("validation", run.val.over), *([(tested, run.test.over)] if isinstance(run, TestedRun) else [])]


def _listed(what: str, reasons: Mapping[str, str]) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(f"{what}: {path}: {reason}") for path, reason in list(reasons.items())[:MOST_LISTED]
    ]
    if len(reasons) > MOST_LISTED:
        lines.append(Text(f"… and {len(reasons) - MOST_LISTED} more {what}; all of them with --json"))
    return lines
