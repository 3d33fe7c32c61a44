"""The plots of a study as files, for papers and talks: those of the page, and what the page shows as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from mien.results.file_names import FIGURES
from mien.results.study import StudyResults
from mien.telling.report.drift import drift_panels
from mien.telling.report.figures import (
    INK,
    MUTED,
    RULE,
    TARGET,
    TEST,
    Figure,
    Plot,
    page_style,
    run_curves,
    sureness_curves,
    write_plot,
)
from mien.telling.report.robustness import robustness_panels
from mien.telling.report.tables import Cell, Confusion, Dot, answer_dots, confusion_table
from mien.telling.words.cross_validation import evidence
from mien.telling.words.numerals import percent

__all__ = ["confusion_plot", "study_plots", "write_figures"]

COLOURS = {"test": TEST, "target": TARGET, "reference": MUTED}
"""Kind of a dot → its colour."""
CELL = 0.62
"""Side of a cell of a confusion matrix, inches."""
DARK = 0.6
"""Share from which the figures of a cell are white."""


def write_figures(folder: Path, results: StudyResults) -> None:
    """Write every plot as SVG and PNG into ``figures/`` of the study's folder; those of an earlier report go."""
    place = folder / FIGURES
    place.mkdir(exist_ok=True)
    plots = list(study_plots(results))
    for plot in plots:
        write_plot(plot, place)
    named = {f"{plot.name}.{ending}" for plot in plots for ending in ("svg", "png")}
    for path in place.iterdir():
        if path.suffix in (".svg", ".png") and path.name not in named:
            path.unlink()


def study_plots(results: StudyResults) -> Iterator[Plot]:
    """Every plot of a study, in the order of the page."""
    yield _score_plot(answer_dots(results))
    yield confusion_plot(
        "confusion", f"{evidence(results).capitalize()}s", confusion_table(results.test, results.labels)
    )
    if target := results.target:
        yield confusion_plot(
            "confusion-elsewhere", "Photos from elsewhere", confusion_table(target.all, results.labels)
        )
        yield from drift_panels(target.drift) if target.drift else ()
    if results.sureness.risk_coverage:
        yield from sureness_curves(results.sureness.reliability, results.sureness.risk_coverage)
    if results.robustness:
        yield from robustness_panels(results.robustness, results.test.chance_macro_f1)
    for name, run in results.runs.items():
        yield from run_curves(name, run)


def _score_plot(rows: Sequence[Dot]) -> Plot:
    """Macro-F1 with its interval, a line for each set of photos."""
    high = 0.7 + 0.45 * len(rows)
    with page_style():
        figure = Figure(figsize=(5, high))
        axes = figure.add_axes((0.36, 0.55 / high, 0.6, 1 - 0.6 / high))
        for place, row in enumerate(reversed(rows)):
            _score_line(axes, place, row)
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.5, len(rows) - 0.5)
        names = [f"{row.label}\n{row.text}" for row in reversed(rows)]
        axes.set_yticks(range(len(rows)), names, parse_math=False)
        axes.set_xlabel("macro-F1 with its 95 % interval; dotted: chance")
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=5)
        axes.spines["left"].set_visible(False)
    said = "; ".join(f"{row.label} {row.text}" for row in rows)
    return Plot("scores", "Scores", figure, f"Macro-F1: {said}.")


def _score_line(axes: Axes, place: int, row: Dot) -> None:
    colour = COLOURS[row.kind]
    if row.start is not None and row.end is not None:
        axes.plot([row.start / 100, row.end / 100], [place, place], color=colour, linewidth=3, alpha=0.5)
    if row.mark is not None:
        axes.plot([row.mark / 100] * 2, [place - 0.3, place + 0.3], ":", color=INK, linewidth=1.5)
    if row.at is not None:
        axes.plot([row.at / 100], [place], "o", color=colour, markersize=8, clip_on=False)


def confusion_plot(name: str, title: str, matrix: Confusion) -> Plot:
    """Photos by label and answer, shaded by their share of the label."""
    wide, high = CELL * len(matrix.answers), CELL * len(matrix.rows)
    with page_style():
        figure = Figure(figsize=(wide + 1.6, high + 1.2))
        axes = figure.add_axes((1.5 / (wide + 1.6), 0.1 / (high + 1.2), wide / (wide + 1.6), high / (high + 1.2)))
        shares = [[cell.share or 0.0 for cell in row.cells] for row in matrix.rows]
        shades = LinearSegmentedColormap.from_list("shares", ["#ffffff", TEST])
        axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto")
        for i, row in enumerate(matrix.rows):
            for j, cell in enumerate(row.cells):
                _cell(axes, (j, i), cell)
        axes.set_xticks(range(len(matrix.answers)), matrix.answers, rotation=30, ha="left", parse_math=False)
        axes.set_yticks(range(len(matrix.rows)), [row.label for row in matrix.rows], parse_math=False)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.tick_params(length=0, pad=5)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_ylabel("label")
        axes.set_xlabel("answer")
    return Plot(name, title, figure, f"{title} by label and answer.")


def _cell(axes: Axes, place: tuple[int, int], cell: Cell) -> None:
    told = "—" if cell.share is None else f"{cell.count:,}\n{percent(cell.share)}" if cell.count else "0"
    colour = "#ffffff" if (cell.share or 0) >= DARK else INK
    axes.text(*place, told, ha="center", va="center", color=colour, size=9)
