"""Is it worth starting from ``default``: ``python pretraining/measure_prior.py DATA FOLDER``.

``default`` learnt from every photo here, so a stand-in that learnt FER2013's faces alone takes its place, and
six-emotions is the set of a user who has few photos: one half of it (by groups) is drawn from, so many photos a class,
and the other half is scored. Both recipes choose their penalty by cross-validation within what was drawn.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from fit_answers import ANSWERS, Scenes, face_head, open_scenes, taught, without_scene
from numpy.typing import NDArray
from protocol import features_of
from votes import read_faces

from mien.data.grouping.folds import kfold
from mien.metrics import confusion_matrix, macro_f1
from mien.models.backbones import load_backbone
from mien.settings.recipes import RECIPES
from mien.settings.training import HeadSettings
from mien.training.head import cross_validate, fit_heads
from mien.training.linear import Head

PER_CLASS = (5, 10, 20, 50)
DRAWS = 5


def drawn(scenes: Scenes, pool: NDArray[np.bool_], each: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of so many photos of each class, no two of one group."""
    chosen = []
    for label in np.unique(scenes.y):
        its = rng.permutation(np.flatnonzero(pool & (scenes.y == label)))
        chosen.append(its[np.unique(scenes.groups[its], return_index=True)[1]][:each])
    return np.concatenate(chosen)


def answers_of(
    name: str, scenes: Scenes, chosen: NDArray[np.int64], prior: Head | None, *, seed: int
) -> NDArray[np.int64]:
    """What a recipe that learnt the chosen photos answers all photos, as places in ``np.unique(scenes.y)``."""
    head = RECIPES[name]
    assert isinstance(head, HeadSettings)
    both, mirrored = (np.concatenate([scenes.whole[i], scenes.face[i]], 1) for i in (0, 1))
    y = np.unique(scenes.y, return_inverse=True)[1][chosen]
    found = cross_validate(head, both[chosen], y, scenes.groups[chosen], seed, mirrored[chosen], prior=prior)
    strength = found.strength if found else head.strengths[0]
    ((weight, bias),) = fit_heads([strength], both[chosen], y, mirrored[chosen], prior=prior)
    return np.asarray((both @ weight.T + bias).argmax(1), np.int64)


def main() -> None:
    """Print a line for each draw, and then the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    backbone, parts = load_backbone("expression"), read_faces(asked.data, asked.folder)
    shown = features_of(backbone, parts["train"].grey, asked.folder, "train")
    learnt, shares = taught(parts["train"])
    weight, bias = face_head((shown[learnt], shares[learnt]), None)
    scenes, _ = open_scenes(asked.data, asked.folder / "six-emotions", backbone)
    known = np.unique(scenes.y)
    prior = without_scene((weight[known], bias[known]), scenes.whole[0].shape[1])
    prior[0][known == ANSWERS.index("pain")] = 0  # which the stand-in does not know
    truth, scores = np.unique(scenes.y, return_inverse=True)[1], dict[str, list[float]]()
    for seed in range(DRAWS):
        rng, halves = np.random.default_rng(seed), kfold(scenes.y.astype(str), scenes.groups, 2, seed)
        for each in PER_CLASS:
            chosen = drawn(scenes, halves == 0, each, rng)
            for name, start in (("two-stream", None), ("from-default", prior)):
                told = answers_of(name, scenes, chosen, start, seed=seed)[halves == 1]
                score = float(macro_f1(confusion_matrix(truth[halves == 1], told, len(known))))
                scores.setdefault(f"{name} {each}", []).append(score)
                print(
                    json.dumps({"recipe": name, "per_class": each, "seed": seed, "macro_f1": round(score, 4)}),
                    flush=True,
                )
    for each in PER_CLASS:
        ours, theirs = (np.array(scores[f"{name} {each}"]) for name in ("from-default", "two-stream"))
        gain = ours - theirs
        print(
            f"{each} a class: two-stream {theirs.mean():.3f}, from-default {ours.mean():.3f}, "
            f"gain {gain.mean():+.3f} ({gain.min():+.3f} to {gain.max():+.3f})"
        )


if __name__ == "__main__":
    main()
