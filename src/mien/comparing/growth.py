"""What more training photos would give: a power law through the learning curve over training-set size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.metrics import Interval
from mien.results.comparison import Forecast, Growth, SizePoint

__all__ = ["extrapolated"]

Floats = NDArray[np.float64]

EXPONENTS = np.linspace(0.05, 1.5, 59)
"""Over which the law is fitted; errors of classifiers fall with exponents of 0.07 to 0.5 (Hestness et al. 2017)."""
FACTORS = (2, 4)
RESAMPLES = 500
FEWEST = 3
"""Sizes that a law of three numbers needs."""


def extrapolated(points: Sequence[SizePoint]) -> Growth | None:
    """Macro-F1 at twice and four times the photos by the law ``ceiling - b·n^-c``, with 95 % intervals.

    The fit is least squares over a grid of c, with a ceiling of 1 at most. Intervals are percentiles over resampled
    pairs (the same pairs at every size), so they hold what runs and folds vary, not whether a power law is right.

    Args:
        points: a size each.

    Returns:
        None with fewer than three sizes.
    """
    if len({point.photos for point in points}) < FEWEST:
        return None
    n = np.array([point.photos for point in points], np.float64)
    scores = np.array([point.by_pair for point in points], np.float64)  # (sizes, pairs)
    ahead = n.max() * np.array(FACTORS)
    ceiling, slope, exponent = _fitted(n, scores.mean(axis=1))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, scores.shape[1], scores.shape[1])
        drawn.append(_law(_fitted(n, scores[:, chosen].mean(axis=1)), ahead))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    value = _law((ceiling, slope, exponent), ahead)
    at = tuple(
        Forecast(photos=float(x), macro_f1=float(y), interval=Interval(float(a), float(b)))
        for x, y, a, b in zip(ahead, value, low, high, strict=True)
    )
    return Growth(ceiling=ceiling, exponent=exponent, at=at)


def _law(fitted: tuple[float, float, float], n: Floats) -> Floats:
    ceiling, slope, exponent = fitted
    return ceiling - slope * n**-exponent


def _fitted(n: Floats, y: Floats) -> tuple[float, float, float]:
    """Ceiling in [0, 1], slope from 0 on, and exponent with the least squared error."""
    best, lowest = (float(y.mean()), 0.0, 1.0), float(((y - y.mean()) ** 2).sum())
    for exponent in EXPONENTS:
        x = n**-exponent
        slope = max(0.0, float(-((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()))
        ceiling = float(y.mean() + slope * x.mean())
        if ceiling > 1:  # the ceiling is given, and one number is left to fit
            ceiling, slope = 1.0, float(((1 - y) * x).sum() / (x**2).sum())
        error = float(((y - ceiling + slope * x) ** 2).sum())
        if error < lowest:
            best, lowest = (ceiling, slope, float(exponent)), error
    return best
