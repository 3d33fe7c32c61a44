"""How a model takes pictures that get worse, as sentences and as one sheet of curves."""

from __future__ import annotations

from mien.results.behaviour import Corruption, CorruptionLevel, Robustness
from mien.telling.report.figures import HEIGHT, MUTED, RULE, VAL, WIDTH, Figure, Plot, page_style
from mien.telling.words.numerals import count, plural, score, signed

__all__ = ["robustness_in_short", "robustness_panels", "robustness_sentences"]

PLACE = (0.1, 0.26, 0.86, 0.66)
"""Left, bottom, width and height of a plot, as shares of the drawing."""


def robustness_sentences(found: Robustness) -> list[str]:
    """What was scored, what costs the model its score, and what does not."""
    some = f"{count(found.images)} of " if found.images < found.of else ""
    why = " (drawn evenly from the classes, to save time)" if some else ""
    told = [
        f"{some}{plural(found.of, 'test photo')}{why} were degraded in one way at a time. Without degradation, "
        f"macro-F1 on them is {score(found.macro_f1)}."
    ]
    if hurt := [f"{title} from {point.level} on ({signed(point.change)})" for title, point in _losses(found)]:
        told.append(f"The score falls significantly with {'; '.join(hurt)}.")
    if borne := [curve.title.lower() for curve in found.curves if _first_loss(curve) is None]:
        told.append(f"With {', '.join(borne)}, as far as it was tried, no significant loss was found.")
    return told


def robustness_in_short(found: Robustness) -> str:
    """The same in a few words."""
    hurt = [title for title, _ in _losses(found)]
    return f"The score falls with {', '.join(hurt)}." if hurt else "No significant loss was found."


def _losses(found: Robustness) -> list[tuple[str, CorruptionLevel]]:
    """Each corruption that costs the model its score, and the mildest level at which it does."""
    first = [(curve.title.lower(), _first_loss(curve)) for curve in found.curves]
    return [(title, point) for title, point in first if point]


def _first_loss(curve: Corruption) -> CorruptionLevel | None:
    """The mildest level whose interval lies below zero."""
    return next((point for point in curve.points if point.lowers), None)


def robustness_panels(found: Robustness, chance: float | None) -> list[Plot]:
    """A curve of macro-F1 for each corruption, from the photos as they are to the strongest level."""
    panels = []
    for curve in found.curves:
        told = ", ".join(f"{score(point.macro_f1)} at {point.level}" for point in curve.points)
        alt = f"{curve.title}, {curve.unit}: macro-F1 {score(found.macro_f1)} as it is, {told}."
        with page_style():
            drawn = _panel(curve, found.macro_f1, chance)
        panels.append(Plot(f"robustness-{curve.corruption}", curve.title, drawn, alt))
    return panels


def _panel(curve: Corruption, base: float, chance: float | None) -> Figure:
    points = curve.points
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes(PLACE)
    axes.set_ylim(0, 1)
    axes.set_xlim(-0.15, len(points) + 0.15)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xticks(range(len(points) + 1), ["as it is", *(point.level for point in points)])
    axes.set_xlabel(curve.unit)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)
    if chance is not None:
        axes.axhline(chance, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    for place, point in enumerate(points, start=1):
        if point.interval is None:
            continue
        ends = [min(1, max(0, base + end)) for end in point.interval]
        axes.plot([place, place], ends, color=VAL, linewidth=1)
    heights = [base, *(point.macro_f1 for point in points)]
    axes.plot(range(len(heights)), heights, "o-", color=VAL, linewidth=1.8, markersize=5, clip_on=False)
    return figure
