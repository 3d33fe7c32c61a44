"""A page that is one table and one drawing, as comparisons and adaptations have it: self-contained, no scripts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
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
body{{overflow-wrap:break-word}}
table{{border-collapse:collapse;margin:1rem 0;font-size:.875rem;font-variant-numeric:tabular-nums}}
svg{{max-width:100%;height:auto}}
td,th{{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid #ccc;vertical-align:top}}
figure{{margin:1rem 0}}
@media screen and (max-width:{stacked}){{
table,tbody,tr,td{{display:block}}
thead{{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}
tr{{padding:.5rem 0;border-bottom:1px solid #ccc}}
td{{border:0;padding:.1rem 0;overflow-wrap:anywhere}}
td:first-child{{font-weight:600}}
td:empty{{display:none}}
td:not(:first-child)[data-head]:not([data-head=""])::before{{content:attr(data-head) ": ";color:#555}}
}}
</style><h1>{title}</h1>"""


STACKED = "52rem"
"""Pages narrower than this show each row of a table as a block of its own, so that no column is cut off."""


def write_page(title: str, parts: Sequence[Markup], path: Path) -> None:
    """Write a page, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(
            "\n".join([Markup(_HEAD).format(title=title, stacked=STACKED), *parts, "</html>"]), encoding="utf-8"
        )


def paragraphs(lines: Sequence[str]) -> list[Markup]:
    """Each line as a paragraph."""
    return [Markup("<p>{}</p>").format(line) for line in lines]


def table(rows: Sequence[Sequence[str]]) -> Markup:
    """A table of a header and rows."""
    head, *body = rows
    titles = _row(Markup('<th role="columnheader">{}</th>').format(each) for each in head)
    lines = (
        _row(
            Markup('<td role="cell" data-head="{}">{}</td>').format(name, each)
            for name, each in zip(head, row, strict=True)
        )
        for row in body
    )
    return Markup(
        '<table role="table"><thead role="rowgroup">{}</thead><tbody role="rowgroup">{}</tbody></table>'
    ).format(titles, Markup("").join(lines))


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


def _row(cells: Iterable[Markup]) -> Markup:
    """A row; roles are spelt out because a table that is stacked would lose its own."""
    return Markup('<tr role="row">{}</tr>').format(Markup("").join(cells))
