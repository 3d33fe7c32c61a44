"""How the scores on photos from elsewhere look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mien.metrics import Interval
from mien.results.audit import Audit
from mien.results.commands import ClassMapResults
from mien.results.scores import Scores
from mien.results.scoring import ScoredTarget
from mien.results.target import Causes, Effect, TargetResults
from mien.telling.report.causes import TITLES, TOGETHER
from mien.telling.terminal.slices import slice_lines
from mien.telling.words.elsewhere import confusion_sentence, next_steps
from mien.telling.words.enough import verdict
from mien.telling.words.novelty import collection_sentences, collection_warnings, has_met_all, met_before
from mien.telling.words.numerals import NONE, score, signed
from mien.telling.words.over import over_each, span

__all__ = ["cause_lines", "data_line", "mapping_summary", "score_lines", "score_text", "target_lines"]

MATCHED_BY = {
    "exact": "the same name",
    "synonym": "synonym",
    "given": "your class map",
    "merged": "merged with another",
}


def mapping_summary(results: ClassMapResults) -> RenderableType:
    """What was written for the user to edit."""
    mapping = results.mapping
    rows = [(there, here, "name or synonym") for there, here in mapping.classes.items()]
    rows += [(there, NONE, "unknown to the model") for there in mapping.unknown]
    path = results.paths.labels
    return Group(_class_table(rows), Text(f"written to {path}; edit it, and give it with --class-map {path}"))


def score_text(value: float | None, ends: Interval | None) -> str:
    """``0.65 [0.58, 0.71]``, or a dash where there is no score; short enough for a table of 80 columns."""
    if value is None:
        return NONE
    return f"{value:.2f} [{NONE}]" if ends is None else f"{value:.2f} [{ends.low:.2f}, {ends.high:.2f}]"


def data_line(data: Audit) -> Text:
    """Counts of files that add up."""
    line = f"{data.name}: {data.files} files = {data.images} images + {data.unreadable} unreadable"
    line += f" + {data.dropped} dropped" if data.dropped else ""
    return Text(line + (f"; {data.ignored} ignored" if data.ignored else ""), style="bold")


def target_lines(target: TargetResults, spec: str | None) -> list[RenderableType]:
    """Whether it is new at all, its scores, how its classes were matched, and why the scores are what they are."""
    return [*score_lines(target, spec), *cause_lines(target)]


def score_lines(target: TargetResults, spec: str | None) -> list[RenderableType]:
    """Whether it is new at all, whether the model is good enough for it, and the scores."""
    lines: list[RenderableType] = [Text(f"target {spec}", style="bold")]
    if judged := verdict(target):
        lines.append(Text(judged, style="bold"))
    lines += [*_overlap_lines(target), _score_table(target)]
    if told := over_each([("all images", target.all.over), ("shared classes", target.shared.over)]):
        lines.append(Text(told))
    if reference := target.reference:
        shared = target.shared
        reached = f"shared classes: accuracy {score(shared.accuracy, 3)}, macro-F1 {score(shared.macro_f1, 3)}"
        known = f"accuracy {reference.accuracy}, macro-F1 {reference.macro_f1}"
        lines.append(Text(f"{reached}. {reference.what}: {known}"))
    return lines


def cause_lines(target: TargetResults) -> list[RenderableType]:
    """How classes were matched, why the scores are what they are, and what to do next."""
    lines = [_class_table(_class_rows(target)), *_cause_lines(target.causes)]
    return [*lines, *_confusion_lines(target), *slice_lines(target.slices), *_next_lines(target)]


def _overlap_lines(target: TargetResults) -> list[RenderableType]:
    """Is it new at all? As far as it can be told."""
    if isinstance(target, ScoredTarget):
        return []  # which its answers say nothing of
    lines: list[RenderableType] = []
    if met := met_before(target):
        lines.append(Text(met, style="red"))
    known = collection_warnings(target)
    told_of = [] if has_met_all(target) else collection_sentences(target)
    lines += [Text(told, style="red" if told in known else "") for told in told_of]
    if target.near_copies is None:
        how = "Compared with the training photos by file hash alone: the model is not part of a study."
        lines.append(Text(how))
    return lines


def _score_table(target: TargetResults) -> Table:
    table = Table("", box=None, header_style="bold")
    for title in ("images", "accuracy", "macro-F1"):
        table.add_column(title, no_wrap=True)
    for title, scores in _scores(target).items():
        accuracy = score_text(scores.accuracy, scores.accuracy_interval)
        table.add_row(title, str(scores.images), accuracy, score_text(scores.macro_f1, scores.interval))
    return table


def _scores(target: TargetResults) -> dict[str, Scores]:
    """The scores that are shown, by their titles."""
    rows = {"all images": target.all, "shared classes": target.shared}
    if not isinstance(target, ScoredTarget):
        return rows | {"answers limited to them": target.shared_limited}
    if target.answers.unanswered:
        rows["of these, answered"] = target.answered
    return rows | ({"answers limited to them": target.shared_limited} if target.has_probabilities else {})


def _class_rows(target: TargetResults) -> list[tuple[str, str, str, str]]:
    """Their class, the model's class, how they were matched, images; a dash where there is none."""
    labels, counts = target.labels, target.data.classes
    rows = [
        (there, here, MATCHED_BY[labels.kinds[there]], str(counts.get(there, 0)))
        for there, here in labels.matched.items()
    ]
    rows += [(there, NONE, "unknown to the model", str(counts.get(there, 0))) for there in labels.extra]
    rows += [(there, NONE, "left out by your class map", str(counts.get(there, 0))) for there in labels.dropped]
    return rows + [(NONE, here, "none in these photos", NONE) for here in labels.missing]


def _class_table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("their class", "the model's class", "matched by", "images")[: len(rows[0])]:
        table.add_column(title, no_wrap=title != "matched by", justify="right" if title == "images" else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _confusion_lines(target: TargetResults) -> list[RenderableType]:
    told = confusion_sentence(target)
    return [Text(told)] if told else []


def _next_lines(target: TargetResults) -> list[RenderableType]:
    return [Text(f"next: {advice.step}") for advice in next_steps(target)]


def _cause_lines(causes: Causes | None) -> list[RenderableType]:
    """What the test photos score once they are made like those from elsewhere."""
    if causes is None:
        return []
    table = Table("test photos made like these", box=None, header_style="bold")
    table.add_column("macro-F1", no_wrap=True)
    table.add_row("as they are", score(causes.macro_f1))
    rows: list[tuple[str, Effect]] = [(TITLES[each.property], each) for each in causes.moved]
    for title, move in [*rows, (TOGETHER, causes.together)]:
        ends = span(move.interval, causes.over, "signed")
        table.add_row(title, f"{score(move.macro_f1)} ({signed(move.change)}, {ends})")
    lines: list[RenderableType] = [table, Text(f"not explained by these: {signed(causes.unexplained)}")]
    if not causes.jpeg.share:
        lines.append(Text("how strongly they were compressed is unknown: none of the files is a JPEG"))
    return lines
