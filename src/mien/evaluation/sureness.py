"""Whether the answers are as sure as they say, on photos that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

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

__all__ = ["calibration_of", "measure_sureness", "pooled_sureness", "promise_of"]

Given: TypeAlias = tuple[NDArray[np.bool_], NDArray[np.int64]]
"""Whether each answer that was given is wrong, and its group."""

USUAL_ERROR = 0.1
"""Wrong answers among those given that the report speaks of where none was asked for."""


def measure_sureness(
    contract: Contract, predictions: pl.DataFrame, names: Mapping[str, str] | None = None, *, is_new: bool = True
) -> Sureness:
    """Calibration, and what becomes of the promised error.

    Args:
        predictions: of photos that the model was neither fitted to nor selected on, unless ``is_new`` is false.
        is_new: whether nothing says that the model learnt from the photos; a promise is judged by new ones alone.
        names: class of the table → class of the model; photos of other classes are left out. Equal names where None.
    """
    labels = list(contract.labels)
    known = names if names is not None else {label: label for label in labels}
    rows = predictions.filter(pl.col("label").is_in(list(known)))
    answers = _Answers(probabilities(rows, labels), class_indices(rows["label"], labels, known), rows)
    return _measured(answers, _promise_of(contract, answers, is_new=is_new))


def calibration_of(predictions: pl.DataFrame, labels: Sequence[str], names: Mapping[str, str]) -> Sureness:
    """Calibration of answers that promise nothing.

    Args:
        predictions: of photos that were answered.
        names: class of the table → class of the answers; photos of other classes are left out.
    """
    rows = predictions.filter(pl.col("label").is_in(list(names)))
    return _measured(_Answers(probabilities(rows, labels), class_indices(rows["label"], labels, names), rows), None)


def promise_of(
    contract: Contract, probs: NDArray[np.float64], y: NDArray[np.int64], rows: pl.DataFrame, *, is_new: bool = True
) -> Promise | None:
    """What becomes of the promised error; None where nothing is promised.

    Args:
        probs: (N, K) in the order of the contract's classes.
        y: (N,) class indices; K or more where the class is none of these, so that every answer is wrong.
        rows: of the table of predictions.
        is_new: as for ``measure_sureness``.
    """
    return _promise_of(contract, _Answers(probs, y, rows), is_new=is_new)


def _promise_of(contract: Contract, answers: _Answers, *, is_new: bool) -> Promise | None:
    threshold = _threshold(contract)
    if threshold is None:
        return None
    return _promise(threshold.max_error, threshold.probability, [answers.given(threshold)], answers.kind, is_new=is_new)


def pooled_sureness(
    parts: Sequence[tuple[Sequence[Threshold], pl.DataFrame]], labels: Sequence[str], max_error: float | None
) -> Sureness:
    """Calibration, and what becomes of the promised error, where several models answered a part of the photos each.

    Args:
        parts: what each model promises, and its answers to photos that it was neither fitted to nor selected on.
        max_error: the share of wrong answers that was asked for; None asks for none.
    """
    known = [_Answers(probabilities(rows, labels), class_indices(rows["label"], labels), rows) for _, rows in parts]
    rows = pl.concat([rows for _, rows in parts], how="diagonal")
    whole = _Answers(np.concatenate([each.probs for each in known]), np.concatenate([each.y for each in known]), rows)
    return _measured(whole, _pooled_promise([thresholds for thresholds, _ in parts], known, max_error))


def _pooled_promise(
    promised: Sequence[Sequence[Threshold]], known: Sequence[_Answers], max_error: float | None
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
    given = [one.given(each) for each, one in zip(kept, known, strict=True) if each]
    probability = float(np.median([each.probability for each in kept if each])) if given else 1.0
    return _promise(wanted, probability, given, known[0].kind)


@dataclass(frozen=True)
class _Answers:
    """What was answered of N photos.

    Attributes:
        probs: (N, K).
        y: (N,) class indices.
        rows: of the table of predictions.
    """

    probs: NDArray[np.float64]
    y: NDArray[np.int64]
    rows: pl.DataFrame

    @property
    def groups(self) -> NDArray[np.int64]:
        """(N,) what is independent."""
        return self.rows["split_group"].to_numpy()

    @property
    def kind(self) -> GroupKind:
        """What these groups are."""
        return kind_of(self.rows)

    def given(self, threshold: Threshold) -> Given:
        """Of the answers that are sure enough, whether each is wrong, and its group."""
        is_sure = self.probs.max(1) >= threshold.probability
        return (self.probs.argmax(1) != self.y)[is_sure], self.groups[is_sure]


def _measured(answers: _Answers, promise: Promise | None) -> Sureness:
    probs, y = answers.probs, answers.y
    curve = risk_coverage(probs, y)
    return Sureness(
        images=len(y),
        ece=expected_calibration_error(probs, y),
        reliability=tuple(ReliabilityBin(**asdict(part)) for part in reliability(probs, y, answers.groups)),
        risk_coverage=RiskCoverage(**asdict(curve)) if curve else None,
        promise=promise,
        over=over(answers.rows),
    )


def _threshold(contract: Contract) -> Threshold | None:
    """The laxest threshold within the error asked for, or within the usual one; else the strictest there is."""
    kept = laxest_within(contract.thresholds, contract.max_error or USUAL_ERROR)
    return kept or next(iter(contract.thresholds), None)


def _promise(
    max_error: float, probability: float, given: Sequence[Given], kind: GroupKind, *, is_new: bool = True
) -> Promise:
    """What becomes of a promise; it is neither kept nor broken on few groups, or on photos that were learnt from.

    Args:
        given: of the answers that each model was sure enough of.
    """
    nothing = np.zeros(0, bool), np.zeros(0, np.int64)
    is_wrong, groups = (np.concatenate(each) for each in zip(nothing, *given, strict=True))
    answered = Over.counted(len(np.unique(groups)), kind)
    interval = share_interval(is_wrong, groups) if answered.enough else None
    return Promise(
        max_error=max_error,
        probability=probability,
        answered=len(is_wrong),
        wrong=int(is_wrong.sum()),
        interval=interval,
        kept=interval.low <= max_error if interval and is_new else None,
        over=answered,
        is_new=is_new,
    )
