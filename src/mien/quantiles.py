"""Quantiles of Student's t, and tails of two other distributions. What only evaluates does not install SciPy."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

__all__ = ["binomial_tail", "chi_squared_tail", "t_quantile", "two_sided", "z_quantile"]

MANY = 1000.0
"""Degrees of freedom above which the expansion about the normal distribution is exact to nine digits."""


def z_quantile(p: float) -> float:
    """The normal distribution's quantile at p in (0, 1)."""
    return NormalDist().inv_cdf(p)


@lru_cache(maxsize=512)
def t_quantile(df: float, p: float) -> float:
    """Student's t with ``df`` > 0 degrees of freedom, whole or not: its quantile at p in [0.5, 1)."""
    if df > MANY:  # Cornish and Fisher (1937)
        z = z_quantile(p)
        return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    t = z_quantile(p)  # too low, and Newton's steps never pass the quantile, since the distribution is concave above 0
    for _ in range(200):
        step = (_above(t, df) - (1 - p)) / (scale * (1 + t * t / df) ** (-(df + 1) / 2))
        t += step
        if step <= 1e-12 * t:
            break
    return t


def two_sided(t: float, df: float) -> float:
    """The probability that Student's t with ``df`` > 0 degrees of freedom lies at least as far from 0 as ``t`` >= 0."""
    return min(1.0, 2 * _above(t, df))


def binomial_tail(least: int, n: int, p: float) -> float:
    """The probability of ``least`` or more hits in ``n`` trials of probability p in (0, 1)."""
    if least <= 0:
        return 1.0
    return _incomplete_beta(p, least, n - least + 1) if least <= n else 0.0


def chi_squared_tail(value: float, df: int) -> float:
    """The probability of a chi-squared of ``df`` >= 1 degrees of freedom above ``value`` >= 0."""
    half = value / 2
    if half == 0:
        return 1.0
    start = df % 2 / 2  # of an odd number the sum goes on from the normal distribution's tails
    terms = (math.exp((start + i) * math.log(half) - half - math.lgamma(start + i + 1)) for i in range(df // 2))
    return min(1.0, math.fsum(terms) + (math.erfc(math.sqrt(half)) if df % 2 else 0.0))


def _above(t: float, df: float) -> float:
    """The probability of a value above t >= 0."""
    return _incomplete_beta(df / (df + t * t), df / 2, 0.5) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz 1976)."""
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    if x <= 0:
        return 0.0
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 1000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + term / c, 1 / (1 + term * d)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return math.exp(front) * fraction / a
