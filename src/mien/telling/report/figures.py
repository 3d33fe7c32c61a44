"""Curves as inline SVG whose colours are the page's, so that they follow light, dark and print."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mien.results.behaviour import ReliabilityBin, RiskCoverage
from mien.results.study import Epoch

__all__ = ["Curve", "inline", "kept_epoch", "learning_curves", "page_style", "sureness_curves"]

INK, MUTED, RULE, TRAIN, VAL = "#101010", "#202020", "#303030", "#404040", "#505050"
TEST, TARGET = "#606060", "#707070"
_ON_PAGE = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    TRAIN: "var(--train)",
    VAL: "var(--val)",
    TEST: "var(--test)",
    TARGET: "var(--target)",
}
"""Stand-in of each colour → what it becomes in the page."""

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


@dataclass(frozen=True)
class Curve:
    """One panel: its title, its drawing, and what is said beside the title in smaller type."""

    title: str
    svg: Markup
    note: str = ""


def page_style(name: str) -> AbstractContextManager[None]:
    """Drawings made within look like the page; the ids in them are made from ``name``."""
    return matplotlib.rc_context(_STYLE | {"svg.hashsalt": name})


def kept_epoch(history: Sequence[Epoch], monitor: str) -> int:
    """The epoch whose weights were kept: the first with the highest monitored validation score."""
    scores = [epoch.val_accuracy if monitor == "accuracy" else epoch.val_macro_f1 for epoch in history]
    return int(history[scores.index(max(scores))].epoch)


def learning_curves(
    run: str, history: Sequence[Epoch], monitor: str, levels: Mapping[str, tuple[str, float]]
) -> list[Curve]:
    """Draw loss, accuracy and macro-F1 over the epochs, training beside validation.

    Args:
        run: its name.
        history: at least one epoch.
        monitor: the validation score that decided which epoch was kept.
        levels: quantity → name and height of a level to compare with, e.g. chance.
    """
    kept = kept_epoch(history, monitor)
    epochs = [each.epoch for each in history]
    panels = {
        "loss": ("Loss (cross-entropy)", [(each.train_loss, each.val_loss) for each in history]),
        "accuracy": ("Accuracy", [(each.train_accuracy, each.val_accuracy) for each in history]),
        "macro_f1": ("Macro-F1", [(each.train_macro_f1, each.val_macro_f1) for each in history]),
    }
    curves = []
    for name, (title, scores) in panels.items():
        with page_style(f"{run} {name}"):
            top = 1.0 if name != "loss" else 1.12 * max(max(pair) for pair in scores)
            curves.append(Curve(title, _panel(epochs, scores, title, kept, top, levels.get(name))))
    return curves


def _panel(
    epochs: Sequence[float],
    scores: Sequence[tuple[float, float]],
    title: str,
    kept: int,
    top: float,
    level: tuple[str, float] | None,
) -> Markup:
    train, val = ([pair[place] for pair in scores] for place in (0, 1))
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes(PLOT)
    _frame(axes, epochs, top)
    _kept_line(axes, kept, epochs, top)
    if level is not None:
        axes.axhline(level[1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
        _beside(axes, level[1], level[0], MUTED)
    _line(axes, epochs, val, VAL, "-", kept)
    _line(axes, epochs, train, TRAIN, (0, (4, 1.5)), kept)
    for height, label, colour in _end_labels(train[-1], val[-1], top, level):
        _beside(axes, height, label, colour)
    return inline(figure, _alt(title, epochs, train, val, kept))


def sureness_curves(bins: Sequence[ReliabilityBin], curve: RiskCoverage) -> list[Curve]:
    """Draw how often answers are right that say how sure they are, and what is wrong among the surest."""
    with page_style("sureness"):
        return [
            Curve("Right, by the probability given", _reliability(bins)),
            Curve("Wrong, by the share of photos answered", _risk(curve)),
        ]


def _reliability(bins: Sequence[ReliabilityBin]) -> Markup:
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes(PLOT)
    _square(axes, "probability of the answer", 1.0)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    _beside(axes, 1.0, "as it says", MUTED)
    for part in bins:
        if part.low is not None and part.high is not None:
            axes.plot([part.confidence] * 2, [part.low, part.high], color=VAL, linewidth=1)
    axes.plot([part.confidence for part in bins], [part.accuracy for part in bins], "o", color=VAL, markersize=5)
    told = "; ".join(f"at {part.confidence:.2f} {part.accuracy:.2f}" for part in bins)
    return inline(figure, f"Share of right answers by the probability given: {told}.")


def _risk(curve: RiskCoverage) -> Markup:
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes(PLOT)
    top = max(0.1, 1.15 * max(curve.risk))
    _square(axes, "share of photos answered", top)
    axes.plot(curve.coverage, curve.risk, color=VAL, linewidth=1.8, clip_on=False)
    _beside(axes, curve.risk[-1], "all answered", MUTED)
    middle = min(range(len(curve.coverage)), key=lambda i: abs(curve.coverage[i] - 0.5))
    told = f"{curve.risk[middle]:.2f} for the surest half, {curve.risk[-1]:.2f} for all photos"
    return inline(figure, f"Share of wrong answers by the share of photos answered: {told}.")


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


def _alt(title: str, epochs: Sequence[float], train: Sequence[float], val: Sequence[float], kept: int) -> str:
    return (
        f"{title} over {len(epochs)} epochs: training from {train[0]:.2f} to {train[-1]:.2f}, "
        f"validation from {val[0]:.2f} to {val[-1]:.2f}; epoch {kept} was kept."
    )


def inline(figure: Figure, alt: str) -> Markup:
    """The drawing as part of the page: its colours and fonts, and ids that meet no other drawing's."""
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
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
    for colour, on_page in _ON_PAGE.items():
        body = body.replace(colour, on_page)
    head = f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">'
    return Markup(head + body)
