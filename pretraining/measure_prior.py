"""Is it worth starting from ``default``: ``python pretraining/measure_prior.py DATA FOLDER``.

``default`` learnt from every photo here, so a stand-in that learnt FER2013's faces alone takes its place, and
six-emotions is the set of a user who has few photos: one half of it (by groups) is drawn from, so many photos a class,
and the other half is scored. Recipes choose their penalty by cross-validation within what was drawn;
``from-default`` chooses there, too, whether to be drawn to the stand-in at all, and ``drawn`` is always. The halves of
the draws overlap, which the intervals allow for (``mien.significance``). Writes ``pretraining/prior.json``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from mien.significance import Pair, estimate, paired
from mien.training.head import cross_validate, fit_heads
from mien.training.linear import Head

PER_CLASS = (5, 10, 20, 50)
DRAWS = 8


def drawn(scenes: Scenes, pool: NDArray[np.bool_], each: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of so many photos of each class, no two of one group."""
    chosen = []
    for label in np.unique(scenes.y):
        its = rng.permutation(np.flatnonzero(pool & (scenes.y == label)))
        chosen.append(its[np.unique(scenes.groups[its], return_index=True)[1]][:each])
    return np.concatenate(chosen)


RECIPE = RECIPES["from-default"]
assert isinstance(RECIPE, HeadSettings)
ARMS = {
    "two-stream": replace(RECIPE, strengths=RECIPE.own_strengths, own_strengths=(), prior=None),
    "from-default": RECIPE,
    "drawn": replace(RECIPE, own_strengths=()),
}


def answers_of(
    head: HeadSettings, scenes: Scenes, chosen: NDArray[np.int64], prior: Head | None, *, seed: int
) -> tuple[NDArray[np.int64], bool]:
    """What a recipe that learnt the chosen photos answers all photos, as places in ``np.unique(scenes.y)``.

    Args:
        head: whose ``prior`` is None for a recipe that starts from nothing.

    Returns:
        The answers (N,), and whether the head is drawn to the prior.
    """
    prior = prior if head.prior else None
    both, mirrored = (np.concatenate([scenes.whole[i], scenes.face[i]], 1) for i in (0, 1))
    y = np.unique(scenes.y, return_inverse=True)[1][chosen]
    found = cross_validate(head, both[chosen], y, scenes.groups[chosen], seed, mirrored[chosen], prior=prior)
    assert found is not None
    start = prior if found.is_drawn else None
    ((weight, bias),) = fit_heads([found.strength], both[chosen], y, mirrored[chosen], prior=start)
    return np.asarray((both @ weight.T + bias).argmax(1), np.int64), found.is_drawn


def main() -> None:
    """Print what each draw chose, and then the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    backbone, parts = load_backbone("expression"), read_faces(asked.data, asked.folder)
    shown = features_of(backbone, parts["train"].grey, asked.folder, "train")
    learnt, shares = taught(parts["train"])
    weight, bias = face_head((shown[learnt], shares[learnt]), None, asked.folder)
    scenes, _ = open_scenes(asked.data, asked.folder / "six-emotions", backbone)
    known = np.unique(scenes.y)
    prior = without_scene((weight[known], bias[known]), scenes.whole[0].shape[1])
    prior[0][known == ANSWERS.index("pain")] = 0  # which the stand-in does not know
    truth = np.unique(scenes.y, return_inverse=True)[1]
    runs: dict[int, list[dict[str, Any]]] = {each: [] for each in PER_CLASS}
    for seed in range(DRAWS):
        rng, halves = np.random.default_rng(seed), kfold(scenes.y.astype(str), scenes.groups, 2, seed)
        for each in PER_CLASS:
            chosen = drawn(scenes, halves == 0, each, rng)
            told = {name: answers_of(head, scenes, chosen, prior, seed=seed) for name, head in ARMS.items()}
            runs[each].append({"scored": halves == 1, "learnt": len(chosen), "answers": told})
            print(seed, each, {name: drawn_to for name, (_, drawn_to) in told.items()}, flush=True)
        found = [curve(each, some, truth, scenes.groups) for each, some in runs.items() if len(some) > 1]
        Path(__file__).with_name("prior.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def curve(each: int, runs: list[dict[str, Any]], truth: NDArray[np.int64], groups: NDArray[np.int64]) -> dict[str, Any]:
    """Scores for each number of photos per class, and the gains over ``two-stream``."""
    k = int(truth.max()) + 1
    told: dict[str, Any] = {"per_class": each, "draws": len(runs)}
    told["chose_default"] = sum(run["answers"]["from-default"][1] for run in runs)
    for name in ARMS:
        scores, pairs = [], list[Pair]()
        for run in runs:
            where, answers = run["scored"], {arm: said for arm, (said, _) in run["answers"].items()}
            y, mine, base = truth[where], answers[name][where], answers["two-stream"][where]
            scores.append(float(macro_f1(confusion_matrix(y, mine, k))))
            pairs.append(paired(y, mine, base, k, groups[where], run["learnt"]))
        told[name] = {"macro_f1": float(np.mean(scores))}
        if name != "two-stream":
            gain = estimate(pairs)
            told[name] |= {"gain": gain.difference, "interval": gain.interval, "p": gain.p}
    return told


if __name__ == "__main__":
    main()
