"""What the share of each class among raters' votes teaches, against the class with most of them.

``python bench/learning_votes.py DATA WORK``: the head of ``two-stream`` for face crops, on faces drawn from FER2013's
train part with the votes of ten raters (FER+), answers all faces of ``PublicTest`` that have a class with most votes.
Everything that is chosen, penalty and temperature, is chosen as a study chooses it. The differences are paired by
face, each face scored by the mean over the draws; ``PrivateTest`` is not read. Writes ``bench/learning_votes.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "pretraining"))
from protocol import features_of
from votes import CLASSES, Faces, read_faces

from mien.agreement import share_difference
from mien.metrics import confusion_matrix, expected_calibration_error, macro_f1
from mien.models.backbones import load_backbone
from mien.recognizer import softmax
from mien.settings.recipes import TWO_STREAM
from mien.training.head import OutOfFold, cross_validate, fit_heads

SEVEN = tuple(label for label in CLASSES if label != "contempt")
"""FER2013's own classes; of 1,000 faces too few show contempt to be divided into folds."""
SIZES = (1000, 2000)
DRAWS = 5
FLOOR = 1e-4
"""As in ``mien.evaluation.raters``."""


@dataclass(frozen=True)
class Voted:
    """Faces with a class.

    Attributes:
        features: (N, D).
        shares: (N, K) of the classes among the votes that name one.
        y: (N,) the class with most votes.
        groups: (N,) near-duplicate groups.
    """

    features: NDArray[np.float32]
    shares: NDArray[np.float32]
    y: NDArray[np.int64]
    groups: NDArray[np.int64]


def voted(features: NDArray[np.float32], faces: Faces) -> Voted:
    """The faces that mien would use: one of the seven classes has more votes than any other answer."""
    first = np.sort(faces.votes, 1)[:, ::-1]
    most = faces.votes.argmax(1)
    place = np.array([SEVEN.index(label) if label in SEVEN else -1 for label in CLASSES] + [-1, -1])[most]
    used = (first[:, 0] > first[:, 1]) & (place >= 0)
    named = faces.votes[used][:, [CLASSES.index(label) for label in SEVEN]].astype(np.float32)
    return Voted(features[used], named / named.sum(1, keepdims=True), place[used], faces.groups[used])


def answered(learnt: Voted, others: Voted, *, soft: bool, seed: int) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Logits (M, K) over the temperature, by a head that learnt shares or labels; and what was chosen."""
    shares = learnt.shares if soft else None
    found = cross_validate(TWO_STREAM, learnt.features, learnt.y, learnt.groups, seed, shares=shares)
    assert isinstance(found, OutOfFold)
    ((weight, bias),) = fit_heads([found.strength], learnt.features, learnt.y, shares=shares)
    logits = (others.features @ weight.T + bias).astype(np.float64)
    return logits / found.temperature, {"C": found.strength, "temperature": found.temperature}


def losses(probs: NDArray[np.float64], shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log loss (N,) against the raters' shares, in nats."""
    return np.asarray(-(shares * np.log(np.maximum(probs, FLOOR))).sum(1), np.float64)


def drawn(faces: Voted, n: int, seed: int) -> Voted:
    """So many of the faces."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(faces.y))[:n])
    return Voted(faces.features[chosen], faces.shares[chosen], faces.y[chosen], faces.groups[chosen])


def compared(train: Voted, public: Voted, n: int) -> dict[str, Any]:
    """Compare learning shares with learning majorities on ``n`` faces, over all draws."""
    told: dict[str, Any] = {"faces": n, "scored": len(public.y), "draws": DRAWS}
    loss, right = dict[str, list[NDArray[np.float64]]](), dict[str, list[NDArray[np.float64]]]()
    for seed in range(DRAWS):
        learnt = drawn(train, n, seed)
        for name in ("soft", "majority"):
            logits, chosen = answered(learnt, public, soft=name == "soft", seed=seed)
            probs = softmax(logits)
            loss.setdefault(name, []).append(losses(probs, public.shares))
            right.setdefault(name, []).append((probs.argmax(1) == public.y).astype(float))
            matrix = confusion_matrix(public.y, probs.argmax(1), len(SEVEN))
            ece = expected_calibration_error(probs, public.y)
            row = {"macro_f1": float(macro_f1(matrix)), "ece": ece, **chosen}
            told.setdefault(name, []).append(row)
            print(n, seed, name, round(float(loss[name][-1].mean()), 4), row, flush=True)
    for what, found in (("log_loss", loss), ("accuracy", right)):
        means = {name: np.mean(each, axis=0) for name, each in found.items()}
        apart = share_difference(means["soft"], means["majority"], public.groups)
        told[what] = {name: float(each.mean()) for name, each in means.items()}
        told[what] |= {"difference": apart.value, "interval": apart.interval, "verdict": apart.verdict}
    return told


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    asked = parser.parse_args()
    start, backbone, parts = time.monotonic(), load_backbone("expression"), read_faces(asked.data, asked.work)
    train, public = (
        voted(features_of(backbone, parts[part].grey, asked.work, part), parts[part]) for part in ("train", "public")
    )
    floor = float(losses(public.shares.astype(np.float64), public.shares).mean())
    found = {"least_log_loss": floor, "sizes": [compared(train, public, n) for n in SIZES]}
    found["seconds"] = round(time.monotonic() - start)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
