"""Plots: inline in the page, where their colours follow light, dark and print; and as files of their own."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure as _Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from mien.results.behaviour import ReliabilityBin, RiskCoverage
from mien.results.study import Epoch, Run
from mien.settings.run import NetworkRun
from mien.system.files import written_whole

__all__ = [
    "Figure",
    "Plot",
    "kept_epoch",
    "learning_curves",
    "learning_sheet",
    "page_style",
    "run_curves",
    "sureness_curves",
    "write_plot",
]

INK, MUTED, RULE, TRAIN, TEST, TARGET = "#1c1f23", "#5b626b", "#dcd9d3", "#8a5a00", "#0b62a4", "#b3470d"
VAL = TEST
ON_PAGE = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    TRAIN: "var(--train)",
    TEST: "var(--test)",
    TARGET: "var(--target)",
}
"""Each colour, which is the page's in a light room → what it becomes in the page."""
DOTS_PER_INCH = 200
"""Of a plot's PNG: some 670 px for a panel of the page."""

WIDTH, HEIGHT, TEXT = 240, 190, 11
"""Units of the drawing; at its natural width one is a CSS pixel."""
PLOT = (0.12, 0.2, 0.585, 0.69)
"""Left, bottom, width and height of the plot, as shares of the drawing; the lines' labels stand right of it."""
_STYLE: dict[Any, Any] = {  # type: ignore[explicit-any]  # matplotlib's own type
    "svg.fonttype": "none",
    "font.size": TEXT,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "path.simplify": False,
}


LineStyle = str | tuple[float, tuple[float, ...]]
"""As matplotlib takes it: a name, or an offset and the lengths of dashes."""


class Figure(_Figure):
    """A figure of matplotlib that a notebook shows by itself, whether pyplot was imported there or not."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=DOTS_PER_INCH / 2, bbox_inches="tight", pad_inches=0.1)
        return content.getvalue()


@dataclass(frozen=True)
class Plot:
    """One plot.

    Attributes:
        name: of its files, without an ending; no other plot of a study has it.
        title: what it shows.
        figure: the drawing, without its title.
        alt: the drawing in words, for those who do not see it.
        note: what is said beside the title in smaller type.
    """

    name: str
    title: str
    figure: Figure
    alt: str
    note: str = ""

    @property
    def svg(self) -> Markup:
        """The drawing as part of the page: its colours and fonts, and ids that meet no other drawing's."""
        return _inline(self)

    def titled(self) -> Figure:
        """The drawing with its title, for a place that says nothing around it."""
        with page_style(self.name):
            _title(self)
            self.figure.draw_without_rendering()  # what is made only when it is drawn looks like the page too
        return self.figure


def page_style(name: str = "plot") -> AbstractContextManager[None]:
    """Drawings made within look like the page; the ids in them are made from ``name``."""
    return matplotlib.rc_context(_STYLE | {"svg.hashsalt": name})


def write_plot(plot: Plot, folder: Path) -> None:
    """Write a plot as SVG and PNG into a folder, under its title, each file whole or not at all."""
    with page_style(plot.name):
        title = _title(plot)
        for ending in ("svg", "png"):
            about = {"Date": None} if ending == "svg" else None
            with written_whole(folder / f"{plot.name}.{ending}") as partial:
                plot.figure.savefig(
                    partial, format=ending, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.1, metadata=about
                )
        title.remove()


def _title(plot: Plot) -> Text:
    """The title, at the left above all else of a drawing."""
    box, (wide, high) = plot.figure.get_tightbbox(), plot.figure.get_size_inches()
    place = box.x0 / wide, (box.y1 + 0.08) / high
    return plot.figure.text(*place, plot.title, va="bottom", size=TEXT + 2, weight="bold", color=INK, parse_math=False)


def kept_epoch(history: Sequence[Epoch], monitor: str) -> int:
    """The epoch whose weights were kept: the first with the highest monitored validation score."""
    scores = [epoch.val_accuracy if monitor == "accuracy" else epoch.val_macro_f1 for epoch in history]
    return int(history[scores.index(max(scores))].epoch)


def learning_curves(
    run: str, history: Sequence[Epoch], monitor: str, levels: Mapping[str, tuple[str, float]]
) -> list[Plot]:
    """Draw loss, accuracy and macro-F1 over the epochs, training beside validation.

    Args:
        run: its name.
        history: at least one epoch.
        monitor: the validation score that decided which epoch was kept.
        levels: quantity → name and height of a level to compare with, e.g. chance.
    """
    plots = []
    for curve in _curves(history, levels):
        with page_style():
            figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
            _draw_curve(figure.add_axes(PLOT), curve, kept_epoch(history, monitor))
        alt = _alt(curve.title, curve.epochs, curve.scores, kept_epoch(history, monitor))
        plots.append(Plot(f"curves-{run}-{curve.name}", curve.title, figure, alt))
    return plots


def run_curves(name: str, run: Run) -> list[Plot]:
    """The learning curves of a trained run; none of one without epochs."""
    if not run.history or not isinstance(run.config, NetworkRun):
        return []
    return learning_curves(name, run.history, run.config.train.monitor, _levels(run))


def learning_sheet(name: str, run: Run) -> Plot | None:
    """The same curves side by side in one drawing; None of a run without epochs."""
    if not run.history or not isinstance(run.config, NetworkRun):
        return None
    curves, kept = _curves(run.history, _levels(run)), kept_epoch(run.history, run.config.train.monitor)
    left, bottom, wide, high = PLOT
    with page_style():
        figure = Figure(figsize=(len(curves) * WIDTH / 72, HEIGHT / 72))
        for place, curve in enumerate(curves):
            axes = figure.add_axes(((place + left) / len(curves), bottom, wide / len(curves), high))
            _draw_curve(axes, curve, kept)
            axes.set_title(curve.title, loc="left", fontsize=TEXT, pad=18)
    alt = " ".join(_alt(curve.title, curve.epochs, curve.scores, kept) for curve in curves)
    return Plot(f"learning-{name}", f"Learning of {name}", figure, alt)


@dataclass(frozen=True)
class _Curve:
    """One quantity over the epochs.

    Attributes:
        name: as in the names of files.
        title: what it is.
        epochs: their numbers.
        scores: of training and validation, for each epoch.
        top: the upper end of the axis.
        level: name and height of a level to compare with.
    """

    name: str
    title: str
    epochs: list[int]
    scores: list[tuple[float, float]]
    top: float
    level: tuple[str, float] | None


def _curves(history: Sequence[Epoch], levels: Mapping[str, tuple[str, float]]) -> list[_Curve]:
    epochs = [int(each.epoch) for each in history]
    panels = {
        "loss": ("Loss (cross-entropy)", [(each.train_loss, each.val_loss) for each in history]),
        "accuracy": ("Accuracy", [(each.train_accuracy, each.val_accuracy) for each in history]),
        "macro_f1": ("Macro-F1", [(each.train_macro_f1, each.val_macro_f1) for each in history]),
    }
    return [
        _Curve(
            name.replace("_", "-"),
            title,
            epochs,
            scores,
            1.0 if name != "loss" else 1.12 * max(max(pair) for pair in scores),
            levels.get(name),
        )
        for name, (title, scores) in panels.items()
    ]


def _levels(run: Run) -> dict[str, tuple[str, float]]:
    return {
        "accuracy": ("majority", run.val.majority_accuracy or 0.0),
        "macro_f1": ("chance", run.val.chance_macro_f1 or 0.0),
    }


def _draw_curve(axes: Axes, curve: _Curve, kept: int) -> None:
    epochs, top, level = curve.epochs, curve.top, curve.level
    train, val = ([pair[place] for pair in curve.scores] for place in (0, 1))
    _frame(axes, epochs, top)
    _kept_line(axes, kept, epochs, top)
    if level is not None:
        axes.axhline(level[1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
        _beside(axes, level[1], level[0], MUTED)
    _line(axes, epochs, val, VAL, "-", kept)
    _line(axes, epochs, train, TRAIN, (0, (4, 1.5)), kept)
    for height, label, colour in _end_labels(train[-1], val[-1], top, level):
        _beside(axes, height, label, colour)


def sureness_curves(bins: Sequence[ReliabilityBin], curve: RiskCoverage) -> list[Plot]:
    """Draw how often answers are right that say how sure they are, and what is wrong among the surest."""
    with page_style():
        return [_reliability(bins), _risk(curve)]


def _reliability(bins: Sequence[ReliabilityBin]) -> Plot:
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes(PLOT)
    _square(axes, "probability of the answer", 1.0)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    _beside(axes, 1.0, "ideal", MUTED)
    for part in bins:
        if part.low is not None and part.high is not None:
            axes.plot([part.confidence] * 2, [part.low, part.high], color=VAL, linewidth=1)
    axes.plot([part.confidence for part in bins], [part.accuracy for part in bins], "o", color=VAL, markersize=5)
    told = "; ".join(f"at {part.confidence:.2f} {part.accuracy:.2f}" for part in bins)
    alt = f"Share of right answers by the probability given: {told}."
    return Plot("reliability", "Right answers, by probability given", figure, alt)


def _risk(curve: RiskCoverage) -> Plot:
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes(PLOT)
    top = max(0.1, 1.15 * max(curve.risk))
    _square(axes, "share of photos answered", top)
    axes.plot(curve.coverage, curve.risk, color=VAL, linewidth=1.8, clip_on=False)
    _beside(axes, curve.risk[-1], "all answered", MUTED)
    middle = min(range(len(curve.coverage)), key=lambda i: abs(curve.coverage[i] - 0.5))
    told = f"{curve.risk[middle]:.2f} for the surest half, {curve.risk[-1]:.2f} for all photos"
    alt = f"Share of wrong answers by the share of photos answered: {told}."
    return Plot("risk-coverage", "Wrong answers, by share answered", figure, alt)


def _square(axes: Axes, below: str, top: float) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, top)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(below)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)


def _frame(axes: Axes, epochs: Sequence[float], top: float) -> None:
    axes.set_xlim(min(epochs) - 0.5 * (len(epochs) == 1), max(epochs) + 0.5 * (len(epochs) == 1))
    axes.set_ylim(0, top)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("epoch")
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)


def _kept_line(axes: Axes, kept: int, epochs: Sequence[float], top: float) -> None:
    place = (kept - min(epochs)) / max(max(epochs) - min(epochs), 1)
    side = "left" if place < 0.3 else "right" if place > 0.7 else "center"
    axes.axvline(kept, color=RULE, linewidth=1)
    axes.annotate(f"epoch {kept} kept", (kept, top), (0, 4), textcoords="offset points", ha=side, color=MUTED)


def _line(
    axes: Axes, epochs: Sequence[float], values: Sequence[float], colour: str, style: LineStyle, kept: int
) -> None:
    axes.plot(epochs, values, color=colour, linewidth=1.8, linestyle=style, clip_on=False)
    place = [int(e) for e in epochs].index(kept)
    axes.plot([kept], [values[place]], "o", color=colour, markersize=5, clip_on=False)


def _end_labels(train: float, val: float, top: float, level: tuple[str, float] | None) -> list[tuple[float, str, str]]:
    """Height, text and colour of the lines' labels, moved so that none covers another or the level's."""
    room = 1.25 * TEXT / (PLOT[3] * HEIGHT) * top
    taken = [level[1]] if level is not None else []
    placed = []
    for height, label, colour in sorted([(train, "training", TRAIN), (val, "validation", VAL)]):
        for other in sorted(taken):
            if abs(height - other) < room:
                height = other + room
        taken.append(height)
        placed.append((height, label, colour))
    return placed


def _beside(axes: Axes, height: float, label: str, colour: str) -> None:
    place = (1.0, height)
    axes.annotate(
        label, place, (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", color=colour
    )


def _alt(title: str, epochs: Sequence[float], scores: Sequence[tuple[float, float]], kept: int) -> str:
    train, val = ([pair[place] for pair in scores] for place in (0, 1))
    return (
        f"{title} over {len(epochs)} epochs: training from {train[0]:.2f} to {train[-1]:.2f}, "
        f"validation from {val[0]:.2f} to {val[-1]:.2f}; epoch {kept} was kept."
    )


def _inline(plot: Plot) -> Markup:
    content = io.StringIO()
    with page_style(plot.name):
        plot.figure.savefig(content, format="svg", metadata={"Date": None})
    svg = content.getvalue()
    body = svg[svg.index("<svg") :]
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="(?:figure|axes|patch|matplotlib|xtick|ytick|line2d|text)[^"]*">', "<g>", body)
    body = re.sub(r"<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"/>', "", body)
    body = re.sub(r'<path d="[^"]*" style="fill: #ffffff"/>', "", body, flags=re.IGNORECASE)
    body = re.sub(r"font: [\d.]+px [^;\"]*", f"font-size: {TEXT}px", body)
    body = re.sub(r"(?<=[>\n])\s+(?=<)", "", body)
    for colour, on_page in ON_PAGE.items():
        body = body.replace(colour, on_page)
    head = f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.alt)}">'
    return Markup(head + body)
