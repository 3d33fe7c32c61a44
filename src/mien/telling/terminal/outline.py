"""How a dry run looks on a terminal: at most 40 lines of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from mien.results.outline import OutlinedSource, OutlineResults
from mien.telling.words.raters import learnt_of_votes

__all__ = ["outline_summary"]

MOST_LINES, WIDTH = 40, 80
SPLITS = ("train", "val", "test")


def outline_summary(results: OutlineResults) -> RenderableType:
    """What was read of each source: the notes, then a table of classes by splits, then what takes no part."""
    sources = [*results.sources, *([results.target] if results.target else [])]
    room = (MOST_LINES - 2) // len(sources)
    lines: list[str] = []
    for source in sources:
        lines += _cut([_fitted(line) for line in _lines(source, is_target=source is results.target)], max(room, 3))
    lines += [
        _fitted(f"{name}: {a} counted as {b}") for name, pairs in results.renamed.items() for a, b in pairs.items()
    ]
    if results.votes:
        lines.append(_fitted(f"recipes would learn {learnt_of_votes(results.votes)}"))
    lines = [*_cut(lines, MOST_LINES - 1), "dry run: no photo was opened, and nothing was written"]
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
