"""A page that is one table and one drawing, as comparisons and adaptations have it: self-contained, no scripts."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup

from mien.system.files import written_whole
from mien.telling.report.figures import Figure

__all__ = ["Drawing", "paragraphs", "table", "write_page"]

_STYLE: dict[Any, Any] = {  # type: ignore[explicit-any]  # matplotlib's own type
    "svg.fonttype": "none",
    "svg.hashsalt": "mien",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}}
table{{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}}
table{{font-size:.875rem;font-variant-numeric:tabular-nums}}
svg{{max-width:100%;height:auto}}
td,th{{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid #ccc;vertical-align:top}}
figure{{margin:1rem 0}}
</style><h1>{title}</h1>"""


def write_page(title: str, parts: Sequence[Markup], path: Path) -> None:
    """Write a page, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text("\n".join([Markup(_HEAD).format(title=title), *parts, "</html>"]), encoding="utf-8")


def paragraphs(lines: Sequence[str]) -> list[Markup]:
    """Each line as a paragraph."""
    return [Markup("<p>{}</p>").format(line) for line in lines]


def table(rows: Sequence[Sequence[str]]) -> Markup:
    """A table of a header and rows."""
    head, *body = rows
    lines = [_row(head, Markup("<th>{}</th>")), *(_row(row, Markup("<td>{}</td>")) for row in body)]
    return Markup("<table>{}</table>").format(Markup("").join(lines))


@dataclass(frozen=True)
class Drawing:
    """What the page draws, before it is drawn.

    Attributes:
        draw: draws it on a figure.
        size: width and height, inches of 72 points.
        said: the drawing in words, for those who do not see it.
    """

    draw: Callable[[Figure], None]
    size: tuple[float, float]
    said: str

    def figure(self) -> Figure:
        """The figure."""
        with matplotlib.rc_context(_STYLE):
            figure = Figure(figsize=self.size, layout="constrained")
            self.draw(figure)
            figure.draw_without_rendering()  # what is made only when it is drawn looks like the page too
        return figure

    def inline(self) -> Markup:
        """The figure as inline SVG."""
        with matplotlib.rc_context(_STYLE):
            text = io.StringIO()
            self.figure().savefig(text, format="svg", metadata={"Date": None})
        svg = text.getvalue()[text.getvalue().index("<svg") :]
        return Markup("<figure role='img' aria-label='{}'>{}</figure>").format(self.said, Markup(svg))


def _row(cells: Sequence[str], cell: Markup) -> Markup:
    return Markup("<tr>{}</tr>").format(Markup("").join(cell.format(each) for each in cells))
