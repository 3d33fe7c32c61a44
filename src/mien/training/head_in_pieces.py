"""A logistic head fitted to features that stay on the disk, some photos at a time.

The loss and its slope are sums over photos, so each step of L-BFGS reads all features once and holds few of them. The
objective is that of scikit-learn's ``LogisticRegression``, and of ``fit_soft_head`` where there is a prior.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from mien.training.feature_parts import StoredFeatures
from mien.training.linear import Head, floored

__all__ = ["Lesson", "fit_in_pieces"]

MAX_ITERATIONS = 500
SLOPE, SLOPE_WITH_PRIOR = 1e-4, 1e-5
"""Largest slope of the mean loss at which a fit is done: scikit-learn's own, from which the same steps lead to the same
weights; and what comes near to the 1e-6 of ``fit_soft_head``, which 32 bits may never reach."""
FloatArray = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Lesson:
    """What a head is fitted to.

    Attributes:
        features: (N, D).
        shares: (N, K) of the classes for each photo, rows summing to 1; or (N,) class indices 0..K-1.
        mirrored: (N, D) features of the mirrored photos, to learn from as well.
        weights: (N,), how many photos each one counts as; 1 where None.
    """

    features: StoredFeatures
    shares: FloatArray | NDArray[np.int64]
    mirrored: StoredFeatures | None = None
    weights: NDArray[np.float64] | None = None

    @property
    def n_classes(self) -> int:
        """K."""
        return self.shares.shape[1] if self.shares.ndim == 2 else int(self.shares.max()) + 1

    @property
    def count(self) -> float:
        """How many photos are learnt from, mirror images included."""
        once = len(self.features) if self.weights is None else float(self.weights.sum())
        return once * len(self._ways)

    def pieces(self) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Some photos at a time: features (n, D), and shares (n, K) of the classes, which sum to their weights."""
        for features in self._ways:
            for some, rows in features.pieces():
                yield rows, self._told(some)

    @property
    def _ways(self) -> tuple[StoredFeatures, ...]:
        return (self.features,) if self.mirrored is None else (self.features, self.mirrored)

    def _told(self, some: slice) -> FloatArray:
        chosen = self.shares[some]
        told = np.asarray(chosen if chosen.ndim == 2 else np.eye(self.n_classes)[chosen], np.float32)
        return told if self.weights is None else told * self.weights[some, None].astype(np.float32)


def fit_in_pieces(lesson: Lesson, strengths: Sequence[float], *, prior: Head | None = None) -> list[Head]:
    """Standardise, fit a logistic regression for each strength, and fold both into one linear layer of logits.

    Args:
        lesson: every class present.
        strengths: inverse L2 penalties C.
        prior: the layer (K, D), (K,) that the penalty draws towards; zero where None.

    Raises:
        OutputError: if features have gone from the disk.
    """
    mean, scale = _spread(lesson)
    return [_Fit(lesson, mean, scale, strength, prior).head() for strength in strengths]


def _spread(lesson: Lesson) -> tuple[FloatArray, FloatArray]:
    """Mean and floored standard deviation (D,) of all features, mirrored ones included."""
    n, sums, squares, shift = 0, np.zeros(1), np.zeros(1), None
    for rows, _ in lesson.pieces():
        shift = rows.mean(0) if shift is None else shift  # squares of what is far from 0 would drown the deviations
        rows -= shift
        n, sums = n + len(rows), sums + rows.sum(0, dtype=np.float64)
        squares = squares + np.square(rows, out=rows).sum(0, dtype=np.float64)
    assert shift is not None
    deviations = np.sqrt(np.maximum(squares / n - np.square(sums / n), 0)).astype(np.float32)
    return (shift + sums / n).astype(np.float32), floored(deviations)


class _Fit:
    """One regression on standardised features: its loss at weights (K, D) and biases (K,), in one vector."""

    def __init__(
        self, lesson: Lesson, mean: FloatArray, scale: FloatArray, strength: float, prior: Head | None
    ) -> None:
        self._lesson, self._mean, self._scale, self._k = lesson, mean, scale, lesson.n_classes
        # Of two classes scikit-learn fits one row w, which is the rows -w/2 and w/2 with half of its penalty.
        self._strength = strength / 2 if self._k == 2 and prior is None else strength
        self._before, self._bias = np.zeros((self._k, len(mean))), np.zeros(self._k)
        self._slope = SLOPE if prior is None else SLOPE_WITH_PRIOR
        if prior is not None:
            self._before = prior[0].astype(np.float64) * scale
            self._bias = prior[1] + prior[0].astype(np.float64) @ mean

    def head(self) -> Head:
        """The layer of logits of features as they are."""
        start = np.concatenate([self._before.ravel(), self._bias])
        options = {"maxiter": MAX_ITERATIONS, "maxls": 50, "gtol": self._slope, "ftol": 64 * np.finfo(float).eps}
        weight, bias = self._split(minimize(self._loss, start, method="L-BFGS-B", jac=True, options=options).x)
        layer = weight / self._scale
        return layer.astype(np.float32), (bias - layer @ self._mean).astype(np.float32)

    def _split(self, vector: Vector) -> tuple[Vector, Vector]:
        return vector[: -self._k].reshape(self._k, -1), vector[-self._k :]

    def _loss(self, vector: Vector) -> tuple[float, Vector]:
        """The mean loss of a photo with its share of the penalty, and the slope."""
        weight, bias = self._split(vector)
        layer = (weight / self._scale).astype(np.float32)
        misfit, slope, slope_bias = 0.0, np.zeros_like(weight), np.zeros_like(bias)
        for rows, told in self._lesson.pieces():
            rows -= self._mean
            logs = log_softmax(rows @ layer.T + bias, axis=1)
            misfit -= float((told * logs).sum())
            residual = np.exp(logs) * told.sum(1, keepdims=True) - told
            slope += residual.astype(np.float32).T @ rows
            slope_bias += residual.sum(0)
        away = weight - self._before
        slope = slope / self._scale + away / self._strength
        whole = misfit + float(np.square(away).sum()) / (2 * self._strength)
        return whole / self._lesson.count, np.concatenate([slope.ravel(), slope_bias]) / self._lesson.count
