"""How two sets of photos differ in their properties, as small drawings of the one above the other."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mien.results.target import Drift, PropertyDrift
from mien.telling.report.figures import HEIGHT, MUTED, TARGET, TEST, WIDTH, Figure, Plot, page_style
from mien.telling.words.numerals import percent

__all__ = ["drift_panels", "drift_sentence"]

TITLES = {
    "longer_side": "Longer side, px",
    "face_side": "Face, px",
    "face_share": "Face, share of the side",
    "brightness": "Brightness, 0 to 1",
    "contrast": "Contrast, 0 to 0.5",
    "sharpness": "Sharpness",
    "saturation": "Colour, from grey to 1",
    "jpeg_quality": "JPEG quality",
}
RATIOS = ("longer_side", "face_side", "sharpness")
"""Drawn on a scale on which twice as much is the same step everywhere."""
NAMES = {
    "longer_side": "picture size",
    "face_side": "face size",
    "face_share": "tightness of the crop",
    "saturation": "colour",
    "jpeg_quality": "compression",
}
"""What is said of a property in a sentence, where it is not its own name."""
LEFT, BROAD, HIGH = 0.03, 0.9, 0.26
UPPER, LOWER = 0.62, 0.2
"""Place and size of the two rows, as shares of the drawing."""
LITTLE = 0.5
"""Share in common below which two sets are said to differ."""


def drift_sentence(drift: Drift) -> str:
    """Which properties differ."""
    far = [each.property for each in drift.properties if each.overlap < LITTLE]
    if not far:
        return f"In every property that was measured, the two sets overlap by at least {percent(LITTLE)}."
    names = [NAMES.get(name, name) for name in far]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"The two sets overlap by less than {percent(LITTLE)} in {listed}."


def drift_panels(drift: Drift) -> list[Plot]:
    """A drawing for each property: how the model's photos are spread over it, and below them those from elsewhere."""
    panels = []
    for each in drift.properties:
        title, note = TITLES[each.property], f"{percent(each.overlap)} overlap"
        alt = f"{title}, {note}. Median {_plain(each.own.median)} in the data, {_plain(each.target.median)} elsewhere."
        with page_style():
            panels.append(Plot(f"drift-{each.property.replace('_', '-')}", title, _panel(each), alt, note))
    return panels


def _panel(each: PropertyDrift) -> Figure:
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    upper, lower = (figure.add_axes((LEFT, bottom, BROAD, HIGH)) for bottom in (UPPER, LOWER))
    for axes, part, colour in ((upper, each.own, TEST), (lower, each.target, TARGET)):
        axes.stairs(part.shares, each.edges, fill=True, color=colour, linewidth=0)
        axes.set_ylim(0, max(part.shares))
        axes.axvline(part.median, color=colour, linewidth=1, linestyle=(0, (2, 2)))
        _scale(axes, each)
        axes.text(0, 1.12, f"median {_plain(part.median)}", transform=axes.transAxes, color=MUTED)
    upper.tick_params(labelbottom=False)
    return figure


def _scale(axes: Axes, each: PropertyDrift) -> None:
    if each.property in RATIOS:
        axes.set_xscale("log")
        ratio = each.edges[-1] / each.edges[0]
        steps = (1,) if ratio > 1000 else (1, 3) if ratio > 15 else (1, 2, 5)
        axes.xaxis.set_major_locator(LogLocator(subs=steps))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.set_xlim(each.edges[0], each.edges[-1])
    axes.set_yticks([])
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)


def _plain(value: float) -> str:
    """A number in three digits at most, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else np.format_float_positional(value, 3, fractional=False, trim="-")
