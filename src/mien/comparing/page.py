"""The page of a comparison: one table, and a curve against each budget's axis; self-contained, no scripts."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.comparing.wording import answer, arm_lines, comparison_rows, cost_rows, doubt_lines, growth_lines, title

__all__ = ["write_page"]

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "compare",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}}
table{{border-collapse:collapse;margin:1rem 0}} svg{{max-width:100%;height:auto}}
td,th{{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid #ccc;vertical-align:top}}
</style>"""


def write_page(results: Mapping[str, Any], path: Path) -> None:
    """Write the page, whole or not at all."""
    parts = [
        Markup(_HEAD).format(title=title(results)),
        Markup("<h1>{}</h1><p>{}</p>").format(title(results), answer(results)),
        *_paragraphs(arm_lines(results)),
        _table(comparison_rows(results)),
        Markup("<p>Differences are of macro-F1 on the outer folds; p is Holm's over all rows.</p>"),
        *_paragraphs(doubt_lines(results)),
        _curves(results["curves"]),
        Markup("<p>Curves: macro-F1 on validation, mean over the pairs; the band is one standard deviation.</p>"),
        _table(cost_rows(results)),
        Markup("<p>Waiting: the share of the time in which training waited for pixels.</p>"),
        *_paragraphs(growth_lines(results)),
        Markup("</html>"),
    ]
    partial = path.with_name(path.name + ".partial")
    partial.write_text("\n".join(map(str, parts)), encoding="utf-8")
    os.replace(partial, path)


def _paragraphs(lines: list[str]) -> list[Markup]:
    return [Markup("<p>{}</p>").format(line) for line in lines]


def _table(rows: list[list[str]]) -> Markup:
    head, *body = rows
    lines = [Markup("<tr>{}</tr>").format(Markup("").join(Markup("<th>{}</th>").format(cell) for cell in head))]
    lines += [
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in body
    ]
    return Markup("<table>{}</table>").format(Markup("").join(lines))


def _curves(curves: list[dict[str, Any]]) -> Markup:
    """One drawing with a panel for each budget that has epochs to show."""
    shown = [curve for curve in curves if curve["arms"]]
    if not shown:
        return Markup("")
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4 * len(shown), 3.2), layout="constrained")
        panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for axes, curve in zip(panels, shown, strict=True):
            _panel(axes, curve)
        panels[0].set_ylabel("macro-F1, validation")
        panels[0].legend(frameon=False, loc="best")
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    said = "Validation macro-F1 of each arm against " + ", ".join(str(curve["axis"]) for curve in shown)
    drawing = text.getvalue()[text.getvalue().index("<svg") :]
    return Markup("<figure role='img' aria-label='{}'>{}</figure>").format(said, Markup(drawing))


def _panel(axes: Axes, curve: Mapping[str, Any]) -> None:
    for number, (name, line) in enumerate(curve["arms"].items()):
        style = ("-", "--", ":", "-.")[number % 4]
        low = [y - s for y, s in zip(line["macro_f1"], line["spread"], strict=True)]
        high = [y + s for y, s in zip(line["macro_f1"], line["spread"], strict=True)]
        axes.plot(line["x"], line["macro_f1"], style, marker="o", markersize=3, color=f"C{number}", label=_plain(name))
        axes.fill_between(line["x"], low, high, color=f"C{number}", alpha=0.15, linewidth=0)
    axes.set_xlabel(curve["axis"])
    axes.set_xlim(left=0)


def _plain(name: str) -> str:
    """A name that matplotlib does not read as mathematics."""
    return name.replace("$", r"\$")
