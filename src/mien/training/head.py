"""A logistic head on frozen features of the whole photo and of the face: the recipes ``probe`` and ``two-stream``.

Everything that must be chosen is chosen from out-of-fold answers inside the training split, so validation stays free
to compare recipes: the penalty, the temperature, and the probabilities from which answers are given. Scaler and head
are folded into one linear layer behind the exported backbones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from mien.calibration import ERRORS, fit_temperature, threshold_for
from mien.metrics import confusion_matrix, expected_calibration_error, macro_f1, score
from mien.models.artifact import Threshold
from mien.recognizer import softmax
from mien.results.scores import GroupKind
from mien.settings.training import HeadSettings
from mien.training.feature_parts import Features, StoredFeatures, read_rows
from mien.training.head_in_pieces import Lesson, fit_in_pieces
from mien.training.linear import Head, floored

__all__ = [
    "OutOfFold",
    "Sureness",
    "cross_validate",
    "fit_heads",
    "measure_sureness",
    "measured",
    "out_of_fold",
    "promises",
]

MAX_ITERATIONS = 500
MAX_SEARCH = 4000
"""Photos used to choose the penalty; more would cost minutes and change little."""
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class OutOfFold:
    """Answers for M photos by heads that were fitted without them.

    Attributes:
        strength: the inverse penalty C with the best macro-F1.
        is_drawn: whether that is of a head that is drawn to the prior.
        logits: (M, K), of that head.
        y: (M,) class indices.
        groups: (M,) what is independent.
        shares: (M, K) of the classes in what raters said, where that was learnt; None where labels were.
    """

    strength: float
    logits: NDArray[np.float64]
    y: IntArray
    groups: IntArray
    shares: FloatArray | None = None
    is_drawn: bool = False

    @property
    def temperature(self) -> float:
        """The divisor of logits with which probabilities come nearest to what was learnt: labels, or raters' shares."""
        return fit_temperature(self.logits, self.y if self.shares is None else self.shares)


@dataclass(frozen=True)
class Sureness:
    """How sure the answers are.

    Attributes:
        temperature: logits are divided by this.
        thresholds: see ``mien.models.artifact.Contract``.
        measured: the scores behind them, for the contract; None where nothing was.
    """

    temperature: float
    thresholds: tuple[Threshold, ...]
    measured: dict[str, Any] | None


def cross_validate(
    settings: HeadSettings,
    features: Features,
    y: IntArray,
    groups: IntArray,
    seed: int,
    mirrored: Features | None = None,
    *,
    shares: FloatArray | None = None,
    prior: Head | None = None,
) -> OutOfFold | None:
    """Answer every photo by a head fitted to the other folds.

    None where a class has too few photos for folds, or where all photos belong together.

    Args:
        settings: the strengths to choose from, or the one that was chosen. Of two that are as good, the first is
            taken, those of a head that is not drawn to a prior before the others.
        features: (N, D).
        y: (N,) class indices 0..K-1, every class present.
        groups: (N,) what is independent, such as people or pictures with their copies; none is in two folds.
        mirrored: (N, D) features of the mirrored photos, to learn from as well.
        shares: (N, K) as in ``fit_heads``; answers are held against ``y`` all the same.
        prior: as in ``fit_heads``.
    """
    sample = np.random.default_rng(seed).permutation(len(y))[:MAX_SEARCH]
    features, y, groups = read_rows(features, sample), y[sample], groups[sample]
    mirrored, shares = (None if each is None else read_rows(each, sample) for each in (mirrored, shares))
    n_classes = int(y.max()) + 1
    folds = min(settings.folds, int(np.bincount(y).min()), len(np.unique(groups)))
    if folds < 2:
        return None
    candidates = _candidates(settings, prior)
    tried = [(strength, start) for start, strengths in candidates for strength in strengths]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    logits = np.full((len(tried), len(y), n_classes), np.nan)
    for train, held_out in splitter.split(features, y, groups):
        if len(np.unique(y[train])) < n_classes:
            continue  # a class whose photos are all copies of one picture can fill a fold
        also, raters = (None if each is None else each[train] for each in (mirrored, shares))
        heads = [
            head
            for start, strengths in candidates
            for head in fit_heads(strengths, features[train], y[train], also, shares=raters, prior=start)
        ]
        for i, (weight, bias) in enumerate(heads):
            logits[i, held_out] = features[held_out] @ weight.T + bias
    answered = ~np.isnan(logits[0, :, 0])
    if not answered.any():
        return None
    logits, y, groups = logits[:, answered], y[answered], groups[answered]
    scores = [float(macro_f1(confusion_matrix(y, each.argmax(1), n_classes))) for each in logits]
    best = int(np.argmax(scores))
    strength, start = tried[best]
    told = None if shares is None else shares[answered]
    return OutOfFold(strength, logits[best], y, groups, shares=told, is_drawn=start is not None)


def _candidates(settings: HeadSettings, prior: Head | None) -> list[tuple[Head | None, Sequence[float]]]:
    """What heads may start from, with the penalties to try."""
    if settings.strength is not None:
        return [(prior, (settings.strength,))]
    alone = [(None, settings.own_strengths)] if prior is not None and settings.own_strengths else []
    return [*alone, (prior, settings.strengths)]


def measure_sureness(answers: OutOfFold, labels: tuple[str, ...], kind: GroupKind = "pictures") -> Sureness:
    """Temperature, thresholds and scores from out-of-fold answers.

    Args:
        kind: what the groups are.
    """
    temperature = answers.temperature
    probs = softmax(answers.logits / temperature)
    return Sureness(
        temperature,
        promises(probs, answers.y, answers.groups),
        measured(probs, answers.y, answers.groups, labels, kind=kind, how="out of fold within the training photos"),
    )


def promises(probs: NDArray[np.float64], y: IntArray, groups: IntArray) -> tuple[Threshold, ...]:
    """From which probability on answers are given so that few are wrong, from the smallest error up.

    Args:
        probs: (N, K) of photos that the answering models were not fitted to.
        y: (N,) class indices.
        groups: (N,) what belongs together.
    """
    thresholds: list[Threshold] = []
    for max_error in ERRORS:
        found = threshold_for(max_error, probs, y, groups)
        if found and (not thresholds or found[0] != thresholds[-1].probability):
            thresholds.append(Threshold(max_error, *found))
    return tuple(thresholds)


def measured(
    probs: NDArray[np.float64], y: IntArray, groups: IntArray, labels: tuple[str, ...], *, kind: GroupKind, how: str
) -> dict[str, Any]:
    """Scores for a contract; arguments as for ``promises``.

    Args:
        kind: what the groups are.
        how: how these answers came about, in words.
    """
    scores = score(y, probs.argmax(1), labels, groups=groups)
    interval = scores.macro_f1_interval
    return {
        "how": how,
        "images": scores.n,
        "macro_f1": scores.macro_f1,
        "interval": [interval.low, interval.high] if interval else None,
        "over": {"number": scores.groups, "kind": kind},
        "accuracy": scores.accuracy,
        "ece": expected_calibration_error(probs, y),
        "recall": {c.label: c.recall for c in scores.per_class},
    }


def out_of_fold(features: FloatArray, y: IntArray, folds: IntArray) -> FloatArray:
    """Probabilities (N, K) of each photo by a head fitted on the other folds, at the middle strength.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1, every class in the training part of every fold.
        folds: (N,) fold of each photo.
    """
    strength = sorted(HeadSettings().strengths)[1]
    probs = np.zeros((len(y), int(y.max()) + 1), np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        ((weight, bias),) = fit_heads([strength], features[~held_out], y[~held_out])
        probs[held_out] = softmax(features[held_out] @ weight.T + bias)
    return probs


def fit_heads(
    strengths: Sequence[float],
    features: Features,
    y: IntArray,
    mirrored: Features | None = None,
    *,
    weights: NDArray[np.float64] | None = None,
    shares: FloatArray | None = None,
    prior: Head | None = None,
) -> list[Head]:
    """Standardise, fit a logistic regression for each strength, and fold both into one linear layer of logits.

    With fewer photos than features the regression is fitted in the space that the photos span. An L2 penalty does not
    feel a rotation, and the best weights never leave that space, so the answer is the same and comes sooner. To
    features on the disk it is fitted in pieces.

    Args:
        strengths: inverse L2 penalties C.
        features: (N, D).
        y: (N,) class indices 0..K-1, every class present.
        mirrored: (N, D) features of the mirrored photos, to learn from as well.
        weights: (N,), how many photos each one counts as; 1 where None. Not together with ``mirrored``.
        shares: (N, K), of what raters said of each photo, rows summing to 1, learnt in place of ``y``: every class
            must have some. None where there are no raters.
        prior: the layer (K, D), (K,) that the penalty draws towards; zero where None.
    """
    if isinstance(features, StoredFeatures):
        assert mirrored is None or isinstance(mirrored, StoredFeatures)
        lesson = Lesson(features, y if shares is None else shares, mirrored, weights)
        return fit_in_pieces(lesson, strengths, prior=prior)
    if mirrored is not None:
        assert not isinstance(mirrored, StoredFeatures)
        features, y = np.concatenate([features, mirrored]), np.concatenate([y, y])
        shares = None if shares is None else np.concatenate([shares, shares])
    if prior is not None:
        from mien.training.soft_head import fit_soft_head  # here, for it needs PyTorch, and an audit does not

        named = np.eye(len(prior[1]), dtype=np.float32)[y] if shares is None else shares
        return [fit_soft_head(features, named, strength, weights=weights, prior=prior) for strength in strengths]
    mean, scale = features.mean(0), floored(features.std(0))
    is_ours = mirrored is not None  # of a large set, a copy takes gigabytes
    standard = np.subtract(features, mean, out=features if is_ours else None)
    standard /= scale
    are_few = len(standard) < standard.shape[1]
    # Where others use the machine too, two threads that wait for each other took nine times as long as one.
    with threadpool_limits(1 if are_few else None, "blas"):
        if are_few:
            directions, places = np.linalg.qr(standard.T)
            standard, basis = np.ascontiguousarray(places.T), directions.T
        else:
            basis = np.eye(standard.shape[1], dtype=np.float32)
        if shares is not None:  # a photo as one of each class it has, with its share for a weight, has the same loss
            photo, y = np.nonzero(shares)
            counts = 1.0 if weights is None else weights[photo]
            standard, weights = standard[photo], shares[photo, y].astype(np.float64) * counts
        regressions = [
            LogisticRegression(C=strength, max_iter=MAX_ITERATIONS).fit(standard, y, sample_weight=weights)
            for strength in strengths
        ]
        return [_for_features(each, (basis / scale).astype(np.float32), mean) for each in regressions]


def _for_features(logistic: LogisticRegression, to_features: FloatArray, mean: FloatArray) -> Head:
    """What a regression fitted to standardised, rotated features (N, R) makes of features (N, D).

    Args:
        to_features: (R, D).
        mean: (D,) of the features.
    """
    coefficients, intercept = logistic.coef_, logistic.intercept_
    if len(logistic.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.r_[-intercept, intercept] / 2
    weight = coefficients @ to_features
    return weight.astype(np.float32), (intercept - weight @ mean).astype(np.float32)
