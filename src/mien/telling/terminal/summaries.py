"""How progress and results look on a terminal. Progress goes to stderr; summaries are returned, not printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from mien.progress import Advance
from mien.results.audit import DoubtfulLabels, ExaminedAudit, Leakage, Shortcuts
from mien.results.commands import AuditResults, ExportResults
from mien.results.scores import Over, RunComparison
from mien.results.study import Run, StudyResults, TestedRun, TrainResults
from mien.system.streams import draws_bars, escaped
from mien.telling.terminal.slices import slice_lines
from mien.telling.terminal.target import data_line, score_text, target_lines
from mien.telling.words.cross_validation import terminal_lines
from mien.telling.words.numerals import score, signed
from mien.telling.words.over import over_each, span
from mien.telling.words.slices import more_people

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
    """Runs, the selected one, the target and the path of the report."""
    parts: list[RenderableType] = [data_line(results.data)]
    if isinstance(results, StudyResults):
        parts += [Text(f"  {paragraph[0].rstrip(':')}") for paragraph in _paragraphs(results.data)]
    parts += [Text(), _runs_table(results)]
    tested = "held out" if isinstance(results, StudyResults) and results.folds else "test"
    if told := over_each(_sides(results.runs[results.selected], tested)):
        parts.append(Text(told))
    parts += [Text(_comparison(c)) for c in results.comparisons]
    if isinstance(results, StudyResults) and results.folds:
        parts += [Text(), *(Text(line) for line in terminal_lines(results, results.folds))]
    if isinstance(results, StudyResults):
        parts += slice_lines(results.slices, more_people(results))
    if isinstance(results, StudyResults) and results.target:
        parts += [Text(), *target_lines(results.target, results.config.elsewhere.target)]
    paths = results.paths
    parts.append(Text())
    for each in results.runs[results.selected].backbones:
        parts.append(Text(f"weights {each.name}, {each.licence}, sha256 {each.sha256[:12]}…"))
    parts += [Text(f"model   {paths.model}"), Text(f"seconds {results.seconds['total']:.0f}")]
    if paths.refit:
        parts.append(Text(f"refit   {paths.refit} (fitted to all photos; the scores are those of {results.selected})"))
    if paths.report:
        parts.append(Text(f"report  {paths.report}"))
    return Group(*parts)


def audit_summary(results: AuditResults) -> RenderableType:
    """What needs a look, the most harmful first; then the counts."""
    data = results.data
    table = Table("class", "photos", "share", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for label, n in data.classes.items():
        table.add_row(escape(label), str(n), f"{n / data.images:.1%}")
    parts: list[RenderableType] = [data_line(data), Text(), *_concerns(data), Text(), table, Text()]
    parts.append(Text(f"{data.imbalance:.2f} photos of the largest class for one of the smallest"))
    if data.sizes:
        low, middle, high = data.sizes
        parts.append(Text(f"longer side {low} to {high} px, median {middle}; grey {data.grey_share:.1%}"))
    parts.append(Text("by content " + ", ".join(f"{k} {n}" for k, n in data.formats.items())))
    if len(data.sources) > 1:
        parts.append(Text("by source " + ", ".join(f"{k} {n}" for k, n in data.sources.items())))
    parts += [Text(f"{name}: {a} counted as {b}") for name, pairs in data.renamed.items() for a, b in pairs.items()]
    parts += _listed("unreadable", data.unreadable_files)
    parts += _listed("ignored", data.ignored_files)
    written = results.paths.findings
    where = f"see {written}" if written else "with --out findings.csv"
    parts.append(Text(f"{data.findings} photos have a finding; photo by photo {where}"))
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
        _drawings(data),
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
        return [f"shortcuts: not looked for, {found.reason}"] if found.reason else []
    lines = [
        f"shortcut: file and light alone predict the class, macro-F1 {found.macro_f1:.2f} "
        f"(by chance {found.chance:.2f})"
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
        f"copies: {_number(near.groups, 'picture')} more than once, {_number(data.duplicate_files, 'file')} "
        f"too many ({exact.groups} byte for byte)"
    ]
    for splits, n in near.across_splits.items():
        same = exact.across_splits.get(splits, 0)
        lines.append(f"  {n} stand in {splits.replace('+', ' and ')} ({same} byte for byte)")
    if near.across_labels:
        lines.append(f"  {near.across_labels} stand under several labels ({exact.across_labels} byte for byte)")
    groups, photos = data.series
    if groups:
        lines.append(f"  beside them {groups} series, perhaps of one shoot ({photos} photos)")
    return lines


def _faces(data: ExaminedAudit) -> list[str]:
    titles = {
        "no_face": "none",
        "several_faces": "several",
        "tiny_face": "tiny",
        "cut_face": "cut off",
        "blurred_face": "blurred",
    }
    if not data.faces_searched:
        return ["faces: not looked for"]
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
    lines = [f"doubtful labels: {found.found} by a probe that agrees with {found.accuracy:.0%} of all"]
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
        lines.append("what it loses was not measured: the photos of its study are not beside the model")
    return Text("\n".join(lines))


def _runs_table(results: StudyResults | TrainResults) -> Table:
    table = Table(box=None, header_style="bold")
    tested = "held-out macro-F1" if isinstance(results, StudyResults) and results.folds else "test macro-F1"
    for title in ("  run (→ selected)", "val macro-F1", tested, "accuracy"):
        table.add_column(title, no_wrap=True)
    for name, run in results.runs.items():
        is_selected = name == results.selected
        test = (
            (score_text(run.test.macro_f1, run.test.interval), score(run.test.accuracy))
            if isinstance(run, TestedRun)
            else ("not read", "")
        )
        title = ("→ " if is_selected else "  ") + escape(name)
        table.add_row(title, score_text(run.val.macro_f1, run.val.interval), *test, style="bold" if is_selected else "")
    return table


def _sides(run: Run, tested: str) -> list[tuple[str, Over | None]]:
    """What the intervals of each split are over; ``tested`` names the last."""
    return [("validation", run.val.over), *([(tested, run.test.over)] if isinstance(run, TestedRun) else [])]


def _comparison(entry: RunComparison) -> str:
    ends = span(entry.interval, entry.over, "signed")
    return (
        f"{entry.first} against {entry.second} on validation: {entry.verdict} "
        f"({signed(entry.macro_f1_difference, 3)}, {ends}, one seed each)"
    )


def _listed(what: str, reasons: Mapping[str, str]) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(f"{what}: {path}: {reason}") for path, reason in list(reasons.items())[:MOST_LISTED]
    ]
    if len(reasons) > MOST_LISTED:
        lines.append(Text(f"… and {len(reasons) - MOST_LISTED} more {what}; all of them with --json"))
    return lines
