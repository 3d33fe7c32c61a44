"""The page of a comparison: one table, and a curve against each budget's axis."""

from __future__ import annotations

import math
from pathlib import Path

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.results.comparison import CompareResults, Curves
from mien.telling.report import plain_page
from mien.telling.words import comparison as wording

__all__ = ["curve_drawing", "write_page"]

LEGEND_COLUMNS = 3


def write_page(results: CompareResults, path: Path) -> None:
    """Write the page, whole or not at all."""
    curves = curve_drawing(results)
    parts = [
        *plain_page.paragraphs([wording.answer(results), *wording.arm_lines(results)]),
        plain_page.table(wording.comparison_rows(results)),
        *plain_page.paragraphs(
            [
                "Differences in macro-F1 on the outer folds; p is corrected for all rows (Holm).",
                *wording.chance_lines(results),
            ]
        ),
        plain_page.table(wording.class_rows(results)),
        *plain_page.paragraphs([wording.class_note(results), *wording.doubt_lines(results)]),
        *([plain_page.table(wording.slice_rows(results))] if results.slices else []),
        *plain_page.paragraphs(wording.slice_notes(results)),
        curves.inline() if curves else Markup(""),
        *plain_page.paragraphs(
            ["Curves: mean macro-F1 on validation over the pairs, with one standard deviation; dotted: chance."]
        ),
        plain_page.table(wording.cost_rows(results)),
        *plain_page.paragraphs([wording.cost_note(results), *wording.growth_lines(results)]),
    ]
    plain_page.write_page(wording.title(results), parts, path)


def _chance(results: CompareResults) -> float | None:
    """Macro-F1 by chance, which all arms share."""
    return next((scores.chance_macro_f1 for arm in results.arms.values() for scores in arm.budgets), None)


def curve_drawing(results: CompareResults) -> plain_page.Drawing | None:
    """One drawing with a panel for each budget that has epochs to show; None where none has."""
    shown = [curve for curve in results.curves if curve.arms]
    if not shown:
        return None
    chance, said = _chance(results), "Validation macro-F1 of each arm against " + ", ".join(c.axis for c in shown)
    height = 3.2 + 0.25 * math.ceil(len(shown[0].arms) / LEGEND_COLUMNS)
    size = (max(7, 4 * len(shown)), height)
    return plain_page.Drawing(lambda figure: _draw(shown, chance, figure), size, said)


def _draw(shown: list[Curves], chance: float | None, figure: Figure) -> None:
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axes, curve in zip(panels, shown, strict=True):
        _panel(axes, curve)
        if chance is not None:
            axes.axhline(chance, color="#666", linewidth=1, linestyle=":")
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("macro-F1, validation")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside lower left", ncols=LEGEND_COLUMNS)


def _panel(axes: Axes, curve: Curves) -> None:
    for number, (name, line) in enumerate(curve.arms.items()):
        style = ("-", "--", ":", "-.")[number % 4]
        low = [y - s for y, s in zip(line.macro_f1, line.spread, strict=True)]
        high = [y + s for y, s in zip(line.macro_f1, line.spread, strict=True)]
        axes.plot(line.x, line.macro_f1, style, marker="o", markersize=3, color=f"C{number}", label=_plain(name))
        axes.fill_between(line.x, low, high, color=f"C{number}", alpha=0.15, linewidth=0)
    axes.set_xlabel(curve.axis)
    axes.set_xlim(left=0)


def _plain(name: str) -> str:
    """A name that matplotlib does not read as mathematics."""
    return name.replace("$", r"\$")
