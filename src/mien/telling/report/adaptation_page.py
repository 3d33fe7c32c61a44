"""The page of an adaptation: a table, and the gain on the target against the loss at home."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from mien.results.adaptation import AdaptResults, SideScores
from mien.telling.report import plain_page
from mien.telling.words.adaptation import MEANING, division, doubts, name_of, title, verdicts, way_rows

__all__ = ["gain_drawing", "write_page"]


def write_page(results: AdaptResults, path: Path) -> None:
    """Write the page, whole or not at all."""
    seen = dict.fromkeys(entry.described for entry in results.ways)
    parts = [
        *(Markup("<p><strong>{}</strong></p>").format(line) for line in verdicts(results)),
        *plain_page.paragraphs([division(results)]),
        plain_page.table(way_rows(results)),
        gain_drawing(results).inline(),
        Markup("<p>Each point is a way; the bars are the intervals of its change in macro-F1.</p><ul>"),
        *(Markup("<li><b>{}</b>: {}</li>").format(way.name, MEANING[way]) for way in seen),
        Markup("</ul>"),
        *plain_page.paragraphs(doubts(results)),
    ]
    plain_page.write_page(title(results), parts, path)


def gain_drawing(results: AdaptResults) -> plain_page.Drawing:
    """What each way gains on the target, and at home."""
    said = "The gain of each way on the target against its gain at home; the numbers stand in the table"
    return plain_page.Drawing(lambda figure: _draw(results, figure), (7.5, 4.2), said)


def _draw(results: AdaptResults, figure: Figure) -> None:
    """Change on the target, to the right, against change at home, upwards."""
    axes = figure.subplots()
    axes.axhline(0, color="#888", linewidth=0.8)
    axes.axvline(0, color="#888", linewidth=0.8)
    for number, entry in enumerate(e for e in results.ways if not e.is_unchanged):
        there, home = entry.target, entry.home
        axes.errorbar(
            there.change,
            home.change,
            xerr=_arms(there),
            yerr=_arms(home),
            fmt="os^Dv<>phX"[number % 10],
            color=f"C{(number + 3 * (number // 10)) % 10}",  # past ten, a mark comes again in another
            elinewidth=0.8,
            label=name_of(entry),
        )
    axes.set_xlabel("gain on the target, macro-F1")
    axes.set_ylabel("gain at home, macro-F1")
    figure.legend(loc="outside right center", frameon=False)


def _arms(side: SideScores) -> list[list[float]]:
    """Lengths of the bars to both sides; a percentile interval may leave its own value out."""
    low, high = side.interval or (side.change, side.change)
    return [[max(side.change - low, 0.0)], [max(high - side.change, 0.0)]]
