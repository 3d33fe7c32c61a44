"""How progress and results look on a terminal. Progress goes to stderr; summaries are returned, not printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from mien.progress import Advance
from mien.recognizer import Prediction

__all__ = [
    "TerminalProgress",
    "audit_summary",
    "evaluation_summary",
    "prediction_line",
    "prediction_summary",
    "study_summary",
]

MOST_LISTED = 10


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.3g} {task.fields['unit']}/s" if speed else "")


class TerminalProgress:
    """Draws a bar with rate and remaining time for each step; one line a step where stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def step(self, title: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Draw a bar until the step ends."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(escape(title), total=total, unit=unit)
            yield lambda n: bars.advance(task, n)
            if total is not None:  # early stopping leaves a budget unspent, and the step is done all the same
                bars.update(task, total=bars.tasks[0].completed)


def study_summary(results: Mapping[str, Any]) -> RenderableType:
    """Runs, the selected one, the target and the path of the report."""
    parts: list[RenderableType] = [_data_line(results["data"]), _runs_table(results)]
    parts += [Text(_comparison(c)) for c in results["comparisons"]]
    if "target" in results:
        parts += [Text(), *_target_lines(results["target"], results["config"]["target"])]
    paths = results["paths"]
    parts += [Text(), Text(f"model   {paths['model']}"), Text(f"seconds {results['seconds']['total']:.0f}")]
    if paths["report"]:
        parts.append(Text(f"report  {paths['report']}"))
    return Group(*parts)


def audit_summary(results: Mapping[str, Any]) -> RenderableType:
    """Counts, classes, and what needs a look."""
    data = results["data"]
    table = Table("class", "photos", "share", box=None, header_style="bold")
    for label, n in data["classes"].items():
        table.add_row(escape(label), str(n), f"{n / data['images']:.1%}")
    parts: list[RenderableType] = [_data_line(data), Text(), table, Text()]
    low, middle, high = data["sizes"]
    parts.append(Text(f"{data['imbalance']:.2f} photos of the largest class for one of the smallest"))
    parts.append(Text(f"longer side {low} to {high} px, median {middle}; grey {data['grey_share']:.1%}"))
    parts.append(Text("by content " + ", ".join(f"{k} {n}" for k, n in data["formats"].items())))
    parts.append(Text("faces " + ", ".join(f"{k} {n}" for k, n in data["faces"].items())))
    parts.append(
        Text(
            f"the same file twice: {data['exact_duplicate_groups']} groups; the same picture: "
            f"{data['near_duplicate_groups']} groups, {data['duplicate_files']} files too many"
        )
    )
    parts += [Text("under two labels: " + " = ".join(c["paths"]), style="red") for c in data["conflicts"]]
    parts += _listed("unreadable", data["unreadable_files"])
    parts += _listed("ignored", data["ignored_files"])
    return Group(*parts)


def evaluation_summary(results: Mapping[str, Any]) -> RenderableType:
    """Scores of each target."""
    parts: list[RenderableType] = []
    for spec, target in results["targets"].items():
        parts += [_data_line(target["data"]), *_target_lines(target, spec), Text()]
    return Group(*parts[:-1])


def prediction_line(prediction: Prediction) -> str:
    """One photo as a line: path, label, probabilities, status."""
    if prediction.probabilities is None:
        return f"{prediction.path}\tunreadable: {prediction.reason}"
    probs = "  ".join(f"{label} {p:.2f}" for label, p in prediction.probabilities.items())
    return f"{prediction.path}\t{prediction.label}\t{probs}\t{prediction.status}"


def prediction_summary(counts: Mapping[str, int]) -> str:
    """How many photos had which status."""
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items()) or "no photos"


def score_text(scores: Mapping[str, Any], name: str = "macro_f1") -> str:
    """``0.65 [0.58, 0.71]``, or a dash where there is no score; short enough for a table of 80 columns."""
    value = scores[name]
    interval = scores["interval" if name == "macro_f1" else "accuracy_interval"]
    return "—" if value is None else f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _data_line(data: Mapping[str, Any]) -> Text:
    line = f"{data['name']}: {data['files']} files = {data['images']} images + {data['unreadable']} unreadable"
    return Text(line + (f"; {data['ignored']} ignored" if data["ignored"] else ""), style="bold")


def _runs_table(results: Mapping[str, Any]) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("  run (→ selected)", "val macro-F1", "test macro-F1", "accuracy"):
        table.add_column(title, no_wrap=True)
    for name, run in results["runs"].items():
        is_selected = name == results["selected"]
        test = (score_text(run["test"]), f"{run['test']['accuracy']:.2f}") if "test" in run else ("not read", "")
        title = ("→ " if is_selected else "  ") + escape(name)
        table.add_row(title, score_text(run["val"]), *test, style="bold" if is_selected else "")
    return table


def _comparison(entry: Mapping[str, Any]) -> str:
    low, high = entry["interval"]
    return (
        f"{entry['first']} against {entry['second']} on validation: {entry['verdict']} "
        f"({entry['macro_f1_difference']:+.3f} [{low:+.2f}, {high:+.2f}], one seed each)"
    )


def _target_lines(target: Mapping[str, Any], spec: str) -> list[RenderableType]:
    labels = target["labels"]
    table = Table("target", box=None, header_style="bold")
    for title in ("images", "accuracy", "macro-F1"):
        table.add_column(title, no_wrap=True)
    titles = {"all": "all images", "shared": "shared classes", "shared_limited": "answers limited to them"}
    for key, title in titles.items():
        scores = target[key]
        table.add_row(title, str(scores["images"]), score_text(scores, "accuracy"), score_text(scores))
    lines: list[RenderableType] = [Text(f"target {spec}", style="bold"), table]
    reference = target.get("reference")
    if reference:
        reached = (
            f"shared classes: accuracy {target['shared']['accuracy']:.3f}, macro-F1 {target['shared']['macro_f1']:.3f}"
        )
        known = f"accuracy {reference['accuracy']}, macro-F1 {reference['macro_f1']}"
        lines.append(Text(f"{reached}; {known} had {reference['what']}"))
    if labels["extra"]:
        lines.append(Text(f"classes the model does not know: {', '.join(labels['extra'])}"))
    if labels["missing"]:
        lines.append(Text(f"classes the target does not have (no score): {', '.join(labels['missing'])}"))
    if target["seen_in_training"]:
        lines.append(
            Text(f"{target['seen_in_training']} of these photos were trained on: the scores flatter", style="red")
        )
    return lines


def _listed(what: str, reasons: Mapping[str, str]) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(f"{what}: {path}: {reason}") for path, reason in list(reasons.items())[:MOST_LISTED]
    ]
    if len(reasons) > MOST_LISTED:
        lines.append(Text(f"… and {len(reasons) - MOST_LISTED} more {what}; all of them with --json"))
    return lines
