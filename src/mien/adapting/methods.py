"""Ways to fit a head to photos from elsewhere, without their labels or with a few: pure functions of features.

A head is one linear layer, and every way gives another one or another bias, so that what was measured is what can be
written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.recognizer import softmax
from mien.training.head import fit_heads
from mien.training.linear import Head, floored

__all__ = [
    "MOST_WEIGHT",
    "PRIOR",
    "PRIOR_OF_BLOCKS",
    "Known",
    "aligned",
    "believed",
    "new_head",
    "self_trained",
    "shares_shift",
    "weight_of_target",
]

ROUNDS = 100
"""Steps in which the class shares are estimated; they stand still after some ten."""
PRIOR = 0.5
PRIOR_OF_BLOCKS = 0.2
"""How much the class shares that a model had weigh against those that its answers suggest; that of all unlabelled
photos is 1. On photos of FER2013's training part (two draws, two halves) 0.5 gave 0.02 of accuracy and no macro-F1
without labels, 0.02 and 0.01 to a head with 20 labels a class, and 0.02 of both to blocks; 0.2 gave blocks 0.03 and
0.02, but took 0.02 of macro-F1 without labels. With 1 or 5 labels a class 0.2 gave blocks 0.01 to 0.02 of accuracy,
and macro-F1 moved by -0.02 to 0.01."""
BELIEVED = 0.5
"""Share of the photos given a class that are believed, the surest first."""
MOST_WEIGHT = 10.0
"""How many photos of the source a labelled photo of the target may weigh."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """The source's training photos, made like the target's.

    Attributes:
        features: (N, D), of the mirror images too where the head that is replaced learnt from them.
        y: (N,) class indices.
        strength: inverse penalty C of the head.
        shares: (N, K) of the classes in what raters said, where the head learnt them in place of ``y``; None elsewhere.
        prior: the layer that the head was drawn towards; None where there was none.
    """

    features: FloatArray
    y: IntArray
    strength: float
    shares: FloatArray | None = None
    prior: Head | None = None


def shares_shift(logits: FloatArray, had: NDArray[np.float64], classes: IntArray, prior: float) -> FloatArray:
    """What to add to logits for photos with other class shares, which are estimated from the answers to them.

    Expectation maximisation of Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a
    priori probabilities", 2002, towards the likeliest shares under a Dirichlet prior around those that it had: answers
    about photos from elsewhere are too unsure for the shares that explain them best.

    Args:
        logits: (M, K) of the target's photos, whose labels are not asked, divided by the temperature.
        had: (K,) shares of the classes in training.
        classes: those that the target has.
        prior: weight of the shares it had, where that of the target's photos together is 1; more than 0.

    Returns:
        (K,), 0 for the classes that the target does not have.
    """
    probs, had = softmax(logits[:, classes]), had[classes] / had[classes].sum()
    shares = had
    for _ in range(ROUNDS):
        told = probs * (shares / had)
        shares = ((told / told.sum(1, keepdims=True)).mean(0) + prior * had) / (1 + prior)
    shift = np.zeros(logits.shape[1], np.float32)
    shift[classes] = np.log(shares / had)
    return shift


def aligned(head: Head, source: FloatArray, target: FloatArray) -> Head:
    """The head for features moved to the source's mean and spread, one by one.

    As adaptive batch normalisation does inside a network (Li et al., "Revisiting batch normalization for practical
    domain adaptation", 2016), here on the features.

    Args:
        source: (N, D) of photos like those that the head was fitted to.
        target: (M, D) of unlabelled target photos.
    """
    weight, bias = head
    (there, spread), (here, own) = ((each.mean(0), each.std(0)) for each in (target, source))
    ratio = own / floored(spread)
    return (weight * ratio).astype(np.float32), (bias + weight @ (here - there * ratio)).astype(np.float32)


def self_trained(known: Known, target: FloatArray) -> Head:
    """A head fitted to the source and to what it believes of the target: the surest half of each class's answers.

    Lee, "Pseudo-label", 2013; the share for each class keeps the common ones from swallowing the rare.

    Args:
        target: (M, D) of unlabelled target photos.
    """
    ((weight, bias),) = fit_heads([known.strength], known.features, known.y, shares=known.shares, prior=known.prior)
    probs = softmax(target @ weight.T + bias)
    is_believed = believed(probs)
    return new_head(known, target[is_believed], probs.argmax(1)[is_believed].astype(np.int64))


def believed(probs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of N answers, given as probabilities (N, K), are believed: the surest half of each class's."""
    answers, sureness = probs.argmax(1), probs.max(1)
    chosen = np.zeros(len(probs), bool)
    for label in np.unique(answers):
        its = np.flatnonzero(answers == label)
        chosen[its[np.argsort(-sureness[its], kind="stable")[: round(BELIEVED * len(its))]]] = True
    return chosen


def weight_of_target(known: int, target: int) -> float:
    """Share that so many photos of the target have in what is learnt from both sides: a half, or less for a few."""
    weight = _weight_of_one(known, target) * target
    return weight / (known + weight)


def _weight_of_one(known: int, target: int) -> float:
    """How many photos of the source each photo of the target counts as."""
    return min(MOST_WEIGHT, known / max(target, 1))


def new_head(known: Known, target: FloatArray, y: IntArray) -> Head:
    """A head fitted to the source and to labelled target photos, which weigh as much together, up to a limit each.

    Args:
        target: (M, D), possibly none.
        y: (M,) class indices.
    """
    weight = _weight_of_one(len(known.y), len(y))
    weights = np.r_[np.ones(len(known.y)), np.full(len(y), weight)]
    features, labels, shares = np.concatenate([known.features, target]), np.concatenate([known.y, y]), known.shares
    if shares is not None:
        shares = np.concatenate([shares, np.eye(shares.shape[1], dtype=np.float32)[y]])
    (head,) = fit_heads([known.strength], features, labels, weights=weights, shares=shares, prior=known.prior)
    return head
