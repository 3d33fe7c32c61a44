"""The page of an adaptation: a table, and the gain on the target against the loss at home; no scripts."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from mien.adapting.wording import MEANING, division, doubts, name_of, title, verdicts, way_rows

__all__ = ["write_page"]

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "adapt",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}}
table{{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}} svg{{max-width:100%;height:auto}}
td,th{{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid #ccc;vertical-align:top}}
figure{{margin:1rem 0}}
</style>"""


def write_page(results: Mapping[str, Any], path: Path) -> None:
    """Write the page, whole or not at all."""
    said = title(results)
    seen = dict.fromkeys(entry["way"] for entry in results["ways"])
    parts = [
        Markup(_HEAD).format(title=said),
        Markup("<h1>{}</h1>").format(said),
        *(Markup("<p><strong>{}</strong></p>").format(line) for line in verdicts(results)),
        Markup("<p>{}</p>").format(division(results)),
        _table(way_rows(results)),
        _drawing(results),
        Markup("<p>Each point is a way; the bars are the intervals of its change in macro-F1.</p><ul>"),
        *(Markup("<li><b>{}</b>: {}</li>").format(way, MEANING[way]) for way in seen),
        Markup("</ul>"),
        *(Markup("<p>{}</p>").format(line) for line in doubts(results)),
        Markup("</html>"),
    ]
    partial = path.with_name(path.name + ".partial")
    partial.write_text("\n".join(map(str, parts)), encoding="utf-8")
    os.replace(partial, path)


def _table(rows: list[list[str]]) -> Markup:
    head, *body = rows
    cells = [Markup("").join(Markup("<th>{}</th>").format(cell) for cell in head)]
    cells += [Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row) for row in body]
    return Markup("<table>{}</table>").format(Markup("").join(Markup("<tr>{}</tr>").format(row) for row in cells))


def _drawing(results: Mapping[str, Any]) -> Markup:
    """Change on the target, to the right, against change at home, upwards."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color="#888", linewidth=0.8)
        axes.axvline(0, color="#888", linewidth=0.8)
        for number, entry in enumerate(e for e in results["ways"] if e["way"] != "as it is"):
            there, home = entry["target"], entry["home"]
            axes.errorbar(
                there["change"],
                home["change"],
                xerr=_arms(there),
                yerr=_arms(home),
                fmt="os^Dv<>phX"[number % 10],
                color=f"C{number % 10}",
                elinewidth=0.8,
                label=name_of(entry),
            )
        axes.set_xlabel("gain on the target, macro-F1")
        axes.set_ylabel("gain at home, macro-F1")
        figure.legend(loc="outside right center", frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawing = text.getvalue()[text.getvalue().index("<svg") :]
    said = "The gain of each way on the target against its gain at home; the numbers stand in the table"
    return Markup("<figure role='img' aria-label='{}'>{}</figure>").format(said, Markup(drawing))


def _arms(side: Mapping[str, Any]) -> list[list[float]]:
    """Lengths of the bars to both sides; a percentile interval may leave its own value out."""
    low, high = side["interval"]
    return [[max(side["change"] - low, 0.0)], [max(high - side["change"], 0.0)]]
