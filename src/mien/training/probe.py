"""The ``probe`` recipe: a logistic head on frozen features of the whole photo and of the face.

Its penalty is chosen by grouped cross-validation inside the training split, so validation stays free to compare
recipes. Scaler and head are folded into one linear layer of the exported network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from mien.config import ProbeSettings
from mien.data.pixels import Pixels
from mien.data.preprocess import View
from mien.metrics import confusion_matrix, macro_f1
from mien.models.backbones import load_backbone
from mien.models.networks import TwoStreamNetwork
from mien.progress import Advance

__all__ = ["fit_probe"]

BATCH = 32
MAX_ITERATIONS = 500
MAX_SEARCH = 4000
"""Photos used to choose the penalty; more would cost minutes and change little."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def fit_probe(
    settings: ProbeSettings,
    pixels: Pixels,
    rows: IntArray,
    y: IntArray,
    groups: IntArray,
    *,
    seed: int,
    device: str,
    advance: Advance,
) -> tuple[nn.Module, float, tuple[str, ...]]:
    """Fit the head.

    Args:
        rows: (N,) rows of the training photos in the pixel arrays.
        y: (N,) class indices 0..K-1, every class present.
        groups: (N,) near-duplicate groups.

    Returns:
        The network, the chosen inverse penalty C, and the collections its backbone was trained on.
    """
    backbone = load_backbone(settings.backbone)
    n_classes = int(y.max()) + 1
    head = nn.Linear(2 * backbone.width, n_classes)
    network = TwoStreamNetwork(backbone.module, backbone.mean, backbone.std, head).eval()
    features = _features(network.to(device), settings, pixels, rows, device, advance)
    strength = settings.strength or _choose_strength(settings, features, y, groups, seed)
    with torch.no_grad():
        weight, bias = _folded(_classifier(strength).fit(features, y), n_classes)
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    return network, strength, backbone.collections


def _features(
    network: TwoStreamNetwork,
    settings: ProbeSettings,
    pixels: Pixels,
    rows: IntArray,
    device: str,
    advance: Advance,
) -> FloatArray:
    """Joined features (N, 2 D): 10 kB a photo, the one array here that grows with the set."""
    views = (View("photo", settings.photo_size), View("face", settings.face_size))
    features = np.empty((len(rows), network.head.in_features), np.float32)
    for i in range(0, len(rows), BATCH):
        batch = rows[i : i + BATCH]
        photo, face = (torch.from_numpy(pixels.read(view, batch)).to(device) for view in views)
        with torch.inference_mode():
            features[i : i + len(batch)] = network.features(photo, face).cpu().numpy()
        advance(len(batch))
    return features


def _choose_strength(settings: ProbeSettings, features: FloatArray, y: IntArray, groups: IntArray, seed: int) -> float:
    """The C with the best cross-validated macro-F1; the strongest penalty where too few photos for folds."""
    sample = np.random.default_rng(seed).permutation(len(y))[:MAX_SEARCH]
    features, y, groups = features[sample], y[sample], groups[sample]
    folds = min(settings.folds, int(np.bincount(y).min()))
    if folds < 2:
        return settings.strengths[0]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    confusion = np.zeros((len(settings.strengths), y.max() + 1, y.max() + 1), int)
    for train, held_out in splitter.split(features, y, groups):
        if len(np.unique(y[train])) < y.max() + 1:
            continue  # a class whose photos are all copies of one picture can fill a fold
        for i, strength in enumerate(settings.strengths):
            predicted = _classifier(strength).fit(features[train], y[train]).predict(features[held_out])
            confusion[i] += confusion_matrix(y[held_out], predicted, y.max() + 1)
    return settings.strengths[int(np.nanargmax(np.nan_to_num(macro_f1(confusion))))]


def _classifier(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=MAX_ITERATIONS))


def _folded(classifier: Any, n_classes: int) -> tuple[FloatArray, FloatArray]:
    """Scaler and logistic regression as one linear layer: weight (K, 2 D), bias (K,)."""
    scaler, logistic = classifier[0], classifier[1]
    coefficients, intercept = logistic.coef_, logistic.intercept_
    if n_classes == 2:  # scikit-learn keeps one row for two classes
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.r_[-intercept, intercept] / 2
    weight = coefficients / scaler.scale_
    bias = intercept - weight @ scaler.mean_
    return weight.astype(np.float32), bias.astype(np.float32)
