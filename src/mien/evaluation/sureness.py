"""Whether the answers are as sure as they say, on photos that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.calibration import reliability, risk_coverage
from mien.evaluation.predictions import probabilities
from mien.labels import class_indices
from mien.metrics import expected_calibration_error, wilson
from mien.models.artifact import Contract, Threshold, laxest_within
from mien.results.behaviour import Promise, ReliabilityBin, RiskCoverage, Sureness

__all__ = ["measure_sureness", "pooled_sureness"]

USUAL_ERROR = 0.1
"""Wrong answers among those given that the report speaks of where none was asked for."""


def measure_sureness(contract: Contract, predictions: pl.DataFrame, names: Mapping[str, str] | None = None) -> Sureness:
    """Calibration, and what becomes of the promised error.

    Args:
        predictions: of photos that the model was neither fitted to nor selected on.
        names: class of the table → class of the model; photos of other classes are left out. Equal names where None.
    """
    labels = list(contract.labels)
    known = names if names is not None else {label: label for label in labels}
    rows = predictions.filter(pl.col("label").is_in(list(known)))
    probs = probabilities(rows, labels)
    y = class_indices(rows["label"], labels, known)
    threshold = _threshold(contract)
    return _measured(probs, y, _promise(threshold, probs, y) if threshold else None)


def pooled_sureness(
    parts: Sequence[tuple[Sequence[Threshold], pl.DataFrame]], labels: Sequence[str], max_error: float | None
) -> Sureness:
    """Calibration, and what becomes of the promised error, where several models answered a part of the photos each.

    Args:
        parts: what each model promises, and its answers to photos that it was neither fitted to nor selected on.
        max_error: the share of wrong answers that was asked for; None asks for none.
    """
    known = [(probabilities(rows, labels), class_indices(rows["label"], labels)) for _, rows in parts]
    probs, y = (np.concatenate(each) for each in zip(*known, strict=True))
    return _measured(probs, y, _pooled_promise([thresholds for thresholds, _ in parts], known, max_error))


def _pooled_promise(
    promised: Sequence[Sequence[Threshold]],
    known: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]],
    max_error: float | None,
) -> Promise | None:
    """The answers that each model gives by its own threshold, together; None where none promises anything.

    One error is promised for all: that which was asked for, or the usual one, or the least that all can promise. A
    model that cannot promise it gives no answer.
    """
    least = [thresholds[0].max_error for thresholds in promised if thresholds]
    if not least:
        return None
    wanted = max_error or max(USUAL_ERROR, *least)
    kept = [laxest_within(thresholds, wanted) for thresholds in promised]
    parts = [_promise(each, *one) for each, one in zip(kept, known, strict=True) if each]
    answered, wrong = sum(part.answered for part in parts), sum(part.wrong for part in parts)
    interval = wilson(wrong, answered)
    return Promise(
        max_error=wanted,
        probability=float(np.median([each.probability for each in kept if each])) if parts else 1.0,
        answered=answered,
        wrong=wrong,
        interval=interval,
        kept=interval.low <= wanted if interval else None,
    )


def _measured(probs: NDArray[np.float64], y: NDArray[np.int64], promise: Promise | None) -> Sureness:
    curve = risk_coverage(probs, y)
    return Sureness(
        images=len(y),
        ece=expected_calibration_error(probs, y),
        reliability=tuple(ReliabilityBin(**asdict(part)) for part in reliability(probs, y)),
        risk_coverage=RiskCoverage(**asdict(curve)) if curve else None,
        promise=promise,
    )


def _threshold(contract: Contract) -> Threshold | None:
    """The laxest threshold within the error asked for, or within the usual one; else the strictest there is."""
    kept = laxest_within(contract.thresholds, contract.max_error or USUAL_ERROR)
    return kept or next(iter(contract.thresholds), None)


def _promise(threshold: Threshold, probs: NDArray[np.float64], y: NDArray[np.int64]) -> Promise:
    answered = probs.max(1) >= threshold.probability
    wrong = int((probs.argmax(1) != y)[answered].sum())
    n = int(answered.sum())
    interval = wilson(wrong, n)
    return Promise(
        max_error=threshold.max_error,
        probability=threshold.probability,
        answered=n,
        wrong=wrong,
        interval=interval,
        kept=interval.low <= threshold.max_error if interval else None,
    )
