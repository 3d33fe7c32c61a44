"""How a dry run looks on a terminal: at most 40 lines of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from mien.results.outline import OutlinedSource, OutlineResults, WorkEstimate
from mien.telling.words.raters import learnt_of_votes

__all__ = ["outline_summary"]

MOST_LINES, WIDTH = 40, 80
SPLITS = ("train", "val", "test")


def outline_summary(results: OutlineResults) -> RenderableType:
    """What was read of each source: the notes, then a table of classes by splits, then what takes no part."""
    sources = [*results.sources, *([results.target] if results.target else [])]
    room = (MOST_LINES - 2 - 5 * (results.estimate is not None)) // len(sources)
    lines: list[str] = []
    for source in sources:
        lines += _cut([_fitted(line) for line in _lines(source, is_target=source is results.target)], max(room, 3))
    lines += [
        _fitted(f"{name}: {a} counted as {b}") for name, pairs in results.renamed.items() for a, b in pairs.items()
    ]
    if results.votes:
        lines.append(_fitted(f"recipes would learn {learnt_of_votes(results.votes)}"))
    told = list(_estimated(results.estimate)) if results.estimate else []
    read = f"{results.estimate.sampled} photos were read to time the work" if results.estimate else "no photo was timed"
    lines = [*_cut(lines, MOST_LINES - 1 - len(told)), *map(_fitted, told), f"dry run: {read}, and nothing was kept"]
    return Group(*(Text(line, no_wrap=True) for line in lines))


def _lines(source: OutlinedSource, *, is_target: bool) -> Iterator[str]:
    yield f"{'target ' if is_target else ''}{source.name}: {source.files} files in {len(source.classes)} classes"
    for note in source.notes:
        yield from textwrap.wrap(note, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")[:3]
    splits = [split for split in (*SPLITS, "undivided") if split in source.splits]
    width = min(30, max([len(label) for label in source.classes] + [5]))
    yield f"  {'class':{width}} {'files':>8}" + "".join(f" {split:>9}" for split in splits)
    for label, n in source.classes.items():
        counts = "".join(f" {source.splits[split].get(label, 0):>9}" for split in splits)
        yield f"  {_short(label, width):{width}} {n:>8}{counts}"
    if source.groups:
        rest = f", {source.without_group} files without one" if source.without_group else ""
        yield f"  groups: {source.groups}{rest}"
    if source.votes:
        yield f"  votes for: {', '.join(source.votes)}"
    if source.columns:
        yield f"  further columns: {', '.join(source.columns)}"
    for reason, n in source.ignored.items():
        yield f"  not used: {n} ({reason})"


def _estimated(work: WorkEstimate) -> Iterator[str]:
    """What the work would take, in at most five lines."""
    yield f"time: {_span(work.seconds)} here, the more the busier this machine is"
    for cores, seconds in work.by_cores.items():
        yield f"  with {cores} idle cores like these: {_span(seconds)}"
    yield f"memory: about {_size(work.memory_mb)}; disk: about {_size(work.disk_mb)}"
    if work.left_out:
        yield f"  not in the estimate: {', '.join(work.left_out)}"


def _span(seconds: tuple[float, float]) -> str:
    """``about 20 to 30 minutes``, in the unit that the longer of the two is read best in."""
    unit, name = next(
        (u, n) for u, n in ((3600, "hours"), (60, "minutes"), (1, "seconds")) if seconds[1] >= 2 * u or u == 1
    )
    low, high = (max(1, round(each / unit)) if unit > 1 else max(5, 5 * round(each / 5)) for each in seconds)
    return f"about {low} {name}" if low == high else f"about {low} to {high} {name}"


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{max(10, 10 * round(megabytes / 10))} MB"


def _cut(lines: Sequence[str], most: int) -> list[str]:
    """The first of some lines, and how many more there are."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"  … and {len(lines) - most + 1} lines more; --json shows all"]


def _fitted(line: str) -> str:
    return _short(line, WIDTH)


def _short(text: str, most: int) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"
