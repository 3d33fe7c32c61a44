"""How sure an answer is: temperature, the probability from which answers are given, and what that costs.

Pure functions of probabilities and truth. What is fitted here must come from photos that the network was not fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics import share_interval

__all__ = ["ERRORS", "Bin", "RiskCoverage", "fit_temperature", "reliability", "risk_coverage", "threshold_for"]

ERRORS = tuple(i / 100 for i in range(1, 51))
"""Errors for which a threshold is looked for."""
CONFIDENCE = 0.95
SHARES = tuple(i / 10 for i in range(1, 11))
"""Shares of the photos, from the surest up, at which a threshold is tested."""

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence.

    Attributes:
        confidence: their mean probability, in [0, 1].
        accuracy: share of them that is right; ``low`` and ``high`` its 95 % interval over groups, None for too few.
        n: how many.
    """

    confidence: float
    accuracy: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class RiskCoverage:
    """Error among the answers when only the surest are given.

    Attributes:
        coverage: (M,) shares of photos answered, rising to 1.
        risk: (M,) shares of wrong answers among them.
        area: mean risk over all coverages (AURC, Geifman et al. 2019); 0 is best.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float


def fit_temperature(logits: FloatArray, truth: IntArray | FloatArray) -> float:
    """The divisor of logits that makes their probabilities likeliest (Guo et al. 2017), in [0.05, 20].

    Args:
        logits: (N, K) of photos that the network was not fitted to.
        truth: (N,) class indices; or shares (N, K) of the classes, rows summing to 1, where the probabilities are to
            be those.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(log_temperature: float) -> float:
        log_probs = log_softmax(logits / np.exp(log_temperature), axis=1)
        if truth.ndim == 2:
            return -float((truth * log_probs).sum(1).mean())
        return -float(log_probs[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def threshold_for(
    max_error: float, probs: FloatArray, y_true: IntArray, groups: IntArray
) -> tuple[float, float] | None:
    """The least probability from which answers may be given so that at most ``max_error`` of them are wrong.

    Thresholds that answer a tenth of the photos, two tenths, and so on to all are tested, each at a tenth of the
    significance (Bonferroni), and the laxest that passes holds: then the error of future answers is above
    ``max_error`` with a probability of at most 5 % (learn then test, Angelopoulos et al. 2021). Tests in a row that
    end with the first failure would need no correction, but the very surest answers are often wrong by a wrong
    label. A test passes if the upper Clopper-Pearson bound of the error does not exceed ``max_error``. All photos of a
    group count as one, however many they are: thirty people are thirty trials, and a few people promise nothing.

    Args:
        probs: (N, K) out-of-fold or held-out probabilities.
        y_true: (N,) class indices.
        groups: (N,) what is independent: people where they are known, else pictures with their copies.

    Returns:
        Probability and share of photos answered; None if no threshold passes.
    """
    from scipy.stats import beta

    confidence, wrong = probs.max(1), probs.argmax(1) != y_true
    group = np.unique(groups, return_inverse=True)[1]
    weight = 1 / np.bincount(group)[group]
    order = np.argsort(-confidence, kind="stable")
    answered, errors = np.cumsum(weight[order]), np.cumsum((weight * wrong)[order])
    level = 1 - (1 - CONFIDENCE) / len(SHARES)
    for share in reversed(SHARES):
        i = max(int(np.ceil(share * len(order))) - 1, 0)
        if beta.ppf(level, errors[i] + 1, max(answered[i] - errors[i], 1e-9)) <= max_error:
            least = float(confidence[order[i]])
            return least, float(np.mean(confidence >= least))
    return None


def reliability(probs: FloatArray, y_true: IntArray, groups: IntArray | None = None, *, n_bins: int = 10) -> list[Bin]:
    """Confidence against accuracy in bins of about equally many answers.

    Args:
        probs: (N, K).
        y_true: (N,) class indices.
        groups: (N,) what is independent; each photo by itself where None.
    """
    confidence, right = probs.max(1), probs.argmax(1) == y_true
    group = np.arange(len(right)) if groups is None else groups
    bins = []
    for part in np.array_split(np.argsort(confidence, kind="stable"), n_bins):
        if len(part):
            mean, share = float(confidence[part].mean()), float(right[part].mean())
            low, high = share_interval(right[part], group[part]) or (None, None)
            bins.append(Bin(mean, share, low, high, len(part)))
    return bins


def risk_coverage(probs: FloatArray, y_true: IntArray) -> RiskCoverage | None:
    """Error among the surest answers, for every twentieth of the photos answered; None for no photos.

    Args:
        probs: (N, K).
        y_true: (N,) class indices.
    """
    if len(y_true) == 0:
        return None
    order = np.argsort(-probs.max(1), kind="stable")
    wrong = (probs.argmax(1) != y_true)[order]
    risks = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    at = [max(int(np.ceil(i / 20 * len(wrong))) - 1, 0) for i in range(1, 21)]
    return RiskCoverage(
        tuple((i + 1) / len(wrong) for i in at), tuple(float(risks[i]) for i in at), float(risks.mean())
    )
