"""The ``probe`` recipe: a logistic head on frozen features of the whole photo and of the face.

Its penalty is chosen by grouped cross-validation inside the training split, so validation stays free to compare
recipes. Scaler and head are folded into one linear layer behind the exported backbone. Features are computed
with ONNX Runtime, which runs this backbone several times faster on a CPU than PyTorch (docs/ARCHITECTURE.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mien.config import ProbeSettings
from mien.data.pixels import Pixels
from mien.data.preprocess import View
from mien.metrics import confusion_matrix, macro_f1
from mien.progress import Advance

__all__ = ["Head", "choose_strength", "compute_features", "fit_head", "out_of_fold"]

BATCH = 32
MAX_ITERATIONS = 500
MAX_SEARCH = 4000
"""Photos used to choose the penalty; more would cost minutes and change little."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Head = tuple[FloatArray, FloatArray]
"""Weight (K, D) and bias (K,) of a linear layer."""


def compute_features(
    model: Any, views: tuple[View, ...], pixels: Pixels, rows: IntArray, advance: Advance
) -> FloatArray:
    """Features (N, D) of photos: 10 kB a photo, the one array of a study that grows with the set.

    Args:
        model: ONNX model whose inputs are the views and whose output is features (N, D).
        rows: (N,) rows in the pixel arrays.
    """
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    parts = []
    for i in range(0, len(rows), BATCH):
        batch = rows[i : i + BATCH]
        parts.append(session.run(None, {view.name: pixels.read(view, batch) for view in views})[0])
        advance(len(batch))
    return np.concatenate(parts)


def choose_strength(settings: ProbeSettings, features: FloatArray, y: IntArray, groups: IntArray, seed: int) -> float:
    """The inverse penalty C with the best cross-validated macro-F1; the smallest where too few photos for folds.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1, every class present.
        groups: (N,) near-duplicate groups, which never straddle folds.
    """
    sample = np.random.default_rng(seed).permutation(len(y))[:MAX_SEARCH]
    features, y, groups = features[sample], y[sample], groups[sample]
    n_classes = int(y.max()) + 1
    folds = min(settings.folds, int(np.bincount(y).min()))
    if folds < 2:
        return settings.strengths[0]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    confusion = np.zeros((len(settings.strengths), n_classes, n_classes), int)
    for train, held_out in splitter.split(features, y, groups):
        if len(np.unique(y[train])) < n_classes:
            continue  # a class whose photos are all copies of one picture can fill a fold
        for i, strength in enumerate(settings.strengths):
            predicted = _classifier(strength).fit(features[train], y[train]).predict(features[held_out])
            confusion[i] += confusion_matrix(y[held_out], predicted, n_classes)
    return settings.strengths[int(np.nan_to_num(macro_f1(confusion)).argmax())]


def out_of_fold(features: FloatArray, y: IntArray, folds: IntArray) -> FloatArray:
    """Probabilities (N, K) of each photo by a head fitted on the other folds, at the probe's middle strength.

    Args:
        features: (N, D).
        y: (N,) class indices 0..K-1, every class in the training part of every fold.
        folds: (N,) fold of each photo.
    """
    strength = sorted(ProbeSettings().strengths)[1]
    probs = np.zeros((len(y), int(y.max()) + 1), np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        probs[held_out] = _classifier(strength).fit(features[~held_out], y[~held_out]).predict_proba(features[held_out])
    return probs


def fit_head(strength: float, features: FloatArray, y: IntArray) -> Head:
    """Standardise, fit a logistic regression, and fold both into one linear layer of logits."""
    scaler, logistic = _classifier(strength).fit(features, y)
    coefficients, intercept = logistic.coef_, logistic.intercept_
    if len(logistic.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.r_[-intercept, intercept] / 2
    weight = coefficients / scaler.scale_
    bias = intercept - weight @ scaler.mean_
    return weight.astype(np.float32), bias.astype(np.float32)


def _classifier(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=MAX_ITERATIONS))
