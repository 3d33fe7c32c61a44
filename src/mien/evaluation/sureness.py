"""Whether the answers are as sure as they say, on photos that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.calibration import reliability, risk_coverage
from mien.evaluation.predictions import kind_of, over, probabilities
from mien.labels import class_indices
from mien.metrics import expected_calibration_error, share_interval
from mien.models.artifact import Contract, Threshold, laxest_within
from mien.results.behaviour import Promise, ReliabilityBin, RiskCoverage, Sureness
from mien.results.scores import GroupKind, Over

__all__ = ["measure_sureness"]

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
    curve = risk_coverage(probs, y)
    threshold, groups = _threshold(contract), rows["split_group"].to_numpy()
    return Sureness(
        images=len(y),
        ece=expected_calibration_error(probs, y),
        reliability=tuple(ReliabilityBin(**asdict(part)) for part in reliability(probs, y, groups)),
        risk_coverage=RiskCoverage(**asdict(curve)) if curve else None,
        promise=_promise(threshold, probs, y, groups, kind_of(rows)) if threshold else None,
        over=over(rows),
    )


def _threshold(contract: Contract) -> Threshold | None:
    """The laxest threshold within the error asked for, or within the usual one; else the strictest there is."""
    kept = laxest_within(contract.thresholds, contract.max_error or USUAL_ERROR)
    return kept or next(iter(contract.thresholds), None)


def _promise(
    threshold: Threshold,
    probs: NDArray[np.float64],
    y: NDArray[np.int64],
    groups: NDArray[np.int64],
    kind: GroupKind,
) -> Promise:
    answered = probs.max(1) >= threshold.probability
    is_wrong, groups = (probs.argmax(1) != y)[answered], groups[answered]
    interval = share_interval(is_wrong, groups)
    return Promise(
        max_error=threshold.max_error,
        probability=threshold.probability,
        answered=len(is_wrong),
        wrong=int(is_wrong.sum()),
        interval=interval,
        kept=interval.low <= threshold.max_error if interval else None,
        over=Over.counted(len(np.unique(groups)), kind),
    )
