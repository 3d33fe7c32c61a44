"""A plot of a video's answers over time: a panel for each face, a line for each class."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.results.face_times import face_times
from mien.results.prediction import Prediction

__all__ = ["film_plot"]

MOST_FACES = 6
"""Faces that get a panel: those that are judged for the longest time."""
WIDTH, PANEL, EDGES = 9.0, 1.9, 1.0
"""Inches: the width, the height of a panel, and what stands above and below them."""
COLOURS = ("#c0392b", "#7d5a2a", "#6c3fa0", "#d99a00", "#7a8288", "#d6569a", "#1f6fb4", "#1b9e77")
STYLES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
DOUBTFUL, RULE = "#e9e9ec", "#d0d0d4"


def film_plot(answers: Sequence[Prediction], labels: Sequence[str]) -> str:
    """The plot as SVG; of smoothed answers the averages are drawn, and faintly what each frame gave.

    Args:
        answers: to the frames of one video, in order; at least one.
        labels: the classes, each with its colour.
    """
    times = face_times(answers)
    known = [each for each in times if each.face_id is not None] or times
    longest = sorted(known, key=lambda each: -each.seconds)[:MOST_FACES]
    faces = [each.face_id for each in known if each in longest]
    end = max(each.end for each in times)
    style: dict[Any, Any] = {  # type: ignore[explicit-any]  # matplotlib's own type
        "svg.fonttype": "none",
        "svg.hashsalt": "film",
        "font.size": 9,
        "axes.edgecolor": RULE,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(WIDTH, EDGES + PANEL * len(faces)), layout="constrained")
        panels = figure.subplots(len(faces), 1, sharex=True, squeeze=False)[:, 0]
        for axes, face in zip(panels, faces, strict=True):
            _panel(axes, [each for each in answers if each.face_id == face and each.probabilities], labels)
            axes.set_title("no face found" if face is None else f"face {face}", loc="left", fontsize=9)
        panels[-1].set_xlabel("seconds; grey where an answer is doubtful (see its flags)")
        panels[-1].set_xlim(0, max(end, 0.1))
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside right upper", frameon=False)
        figure.suptitle(answers[0].path, x=0.01, ha="left", fontsize=10, parse_math=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _panel(axes: Axes, answers: Sequence[Prediction], labels: Sequence[str]) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for each in answers:
        if each.flags and each.time is not None:
            axes.axvspan(each.time, each.time + (each.seconds or 0.0), color=DOUBTFUL, linewidth=0, zorder=0)
    is_smoothed = any(each.smoothed for each in answers)
    runs = _runs(answers)
    for number, label in enumerate(labels):
        colour, style = COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]
        for place, run in enumerate(runs):
            raw = [(each.probabilities or {})[label] for each in run]
            drawn = [(each.smoothed or each.probabilities or {})[label] for each in run]
            if is_smoothed:
                axes.plot(*_steps(run, raw), color=colour, linewidth=0.7, alpha=0.5)
            name = label if place == 0 else None
            axes.plot(*_steps(run, drawn), color=colour, linestyle=style, linewidth=1.6, label=name)


def _runs(answers: Sequence[Prediction]) -> list[list[Prediction]]:
    """The answers where one follows right on another: a line is drawn over no time that was not looked at."""
    runs = [[answers[0]]] if answers else []
    for before, each in pairwise(answers):
        if (each.time or 0.0) - (before.time or 0.0) > (before.seconds or 0.0) + 1e-3:
            runs.append([])
        runs[-1].append(each)
    return runs


def _steps(run: Sequence[Prediction], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Times and heights of a line through a run's frames, the last of which stands for some time too."""
    times = [each.time or 0.0 for each in run]
    return [*times, times[-1] + (run[-1].seconds or 0.0)], [*values, values[-1]]
