"""Progress in a notebook: one bar under the cell, drawn anew in its place, which is a line of text in the end."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mien.progress import Advance

__all__ = ["NotebookProgress", "in_notebook"]

SECONDS_BETWEEN_DRAWINGS = 0.5
"""A notebook keeps what is drawn, and some send all of it over a network."""


def in_notebook() -> bool:
    """Whether code runs in a cell whose output can be drawn anew; asked without importing IPython."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class NotebookProgress:
    """Draws one bar, of the step at hand, and says what has to be said above it."""

    def __init__(self) -> None:
        self._drawing: Any = import_module("IPython.display")  # type: ignore[explicit-any]  # IPython has no types
        self._said: list[str] = []
        self._handle: Any = None  # type: ignore[explicit-any]  # likewise; a call that is refused shows nothing

    def tell(self, line: str) -> None:
        """Say something that a person should know."""
        self._said.append(line)
        self._draw("")

    @contextmanager
    def step(self, title: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Draw a bar until the step ends."""
        done, drawn = 0, 0.0

        def advance(n: int) -> None:
            nonlocal done, drawn
            done += n
            if (now := time.monotonic()) - drawn >= SECONDS_BETWEEN_DRAWINGS:
                drawn = now
                self._draw(_bar(title, done, total, unit))

        advance(0)
        try:
            yield advance
        finally:
            self._draw("")

    def _draw(self, bar: str) -> None:
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in self._said)
        page = self._drawing.HTML(f"{lines}{bar}")
        if self._handle is None:
            self._handle = self._drawing.display(page, display_id=True)
        else:
            self._handle.update(page)


def _bar(title: str, done: int, total: int | None, unit: str) -> str:
    """A step as HTML."""
    count = f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}" if done else ""
    length = f' value="{done}" max="{total}"' if total else ""
    name = html.escape(title)
    return f'<div>{name} <progress aria-label="{name}"{length}></progress> {html.escape(count)}</div>'
