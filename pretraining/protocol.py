"""How the expression backbone and what answers on it are measured, fixed before any of it was trained.

``python pretraining/protocol.py DATA FOLDER [--weights FILE] [--part private] [--against FILE] [--out FILE]``

=============  =====================================================================================================
learnt from    FER2013's train part with its votes as distributions, less what recurs in the test part (``votes.py``)
chosen on      ``PublicTest``: faces on which most raters agree, by FER+'s rule (3,199)
read at the    ``PrivateTest`` by the same rule (3,150 faces), with ``--part private``; every reading is noted in
end            docs/LOG.md
strangers      a head fitted to FER2013 alone, on the faces of six-emotions in the five classes that both have. The
               size of the scene and the stages that give features were once chosen on these photos, with version 1
=============  =====================================================================================================

There is no stand-in for strangers in pain, neutral and surprise: each is in one collection only. The features never
see six-emotions. Whole collections are kept back elsewhere; none of them is read here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from fit_six import open_photos
from numpy.typing import NDArray
from PIL import Image
from scipy.special import log_softmax
from votes import CLASSES, Faces, consensus, distributions, read_faces

from mien.data.measuring.runtime import open_session
from mien.data.reading.preprocess import View, render
from mien.evaluation.predictions import as_results
from mien.metrics import paired_difference, score, wilson
from mien.models.backbones import Backbone, build_expression, load_backbone
from mien.models.exports import exported
from mien.training.features import FeatureCache
from mien.training.linear import Head
from mien.training.soft_head import fit_soft_head

VIEW = View("face", 128)
STRENGTHS = (1e-4, 1e-3, 1e-2)
"""Penalties of the head, chosen on ``PublicTest`` by the log loss against the raters' shares, which the head is fitted
to. Macro-F1 and accuracy move by a point where a dozen rare faces do, and so choose by chance."""
SHARED = ("anger", "disgust", "fear", "happy", "sad")
DEGREES, SCALE, SHIFT, SEED = 15.0, 0.15, 0.08, 0
"""How far detectors and people are taken to differ in how they crop a face, at most."""
BATCH = 64

Answers = NDArray[np.float32]


def backbone_of(weights: Path | None) -> Backbone:
    """The shipped backbone, or one whose weights are tried in its place."""
    shipped_one = load_backbone("expression")
    if weights is None:
        return shipped_one
    content = weights.read_bytes()
    sha = hashlib.sha256(content).hexdigest()
    return replace(shipped_one, sha256=sha, build=partial(build_expression, content))


def features_of(backbone: Backbone, grey: NDArray[np.uint8], folder: Path, name: str) -> Answers:
    """Features (N, D) of grey faces (N, 48, 48), enlarged as mien enlarges them; kept in ``folder``."""
    path = folder / "features" / f"{backbone.sha256[:12]}-{VIEW.size}-{name}.npy"
    if not path.exists():
        session = open_session(exported(backbone, VIEW.size, folder).read_bytes())
        parts = [
            session.run(None, {"pixels": enlarged(some)})[0] for some in np.array_split(grey, len(grey) // BATCH + 1)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.concatenate(parts))
    features: Answers = np.load(path)
    return features


def enlarged(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces (N, h, w) as the network gets them, uint8 (N, S, S, 3)."""
    return np.stack([render(Image.fromarray(each).convert("RGB"), VIEW, None) for each in grey])


def cropped_otherwise(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The faces turned, scaled and moved, each in its own way; what lies outside repeats the edge."""
    rng = np.random.default_rng(SEED)
    n = len(grey)
    angle, scale = np.deg2rad(rng.uniform(-DEGREES, DEGREES, n)), 1 + rng.uniform(-SCALE, SCALE, n)
    cos, sin, moved = np.cos(angle) * scale, np.sin(angle) * scale, 2 * rng.uniform(-SHIFT, SHIFT, (2, n))
    matrix = np.stack([np.stack([cos, -sin, moved[0]], 1), np.stack([sin, cos, moved[1]], 1)], 1)
    image = torch.from_numpy(grey)[:, None].float()
    grid = torch.nn.functional.affine_grid(torch.from_numpy(matrix).float(), list(image.shape), align_corners=False)
    other = torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return other[:, 0].round().clamp(0, 255).byte().numpy()


def answers(head: Head, features: Answers) -> Answers:
    """Logits (N, K)."""
    weight, bias = head
    return np.asarray(features @ weight.T + bias, np.float32)


def kept_fit(folder: Path, features: Answers, shares: Answers, strength: float, **more: Any) -> Head:
    """What ``fit_soft_head`` gives, which takes minutes; kept in ``folder`` by all that it is made of."""
    made_of = hashlib.sha256(json.dumps([strength, *sorted(more)]).encode())
    for each in (features, shares, *(more[name] for name in sorted(more))):
        made_of.update(np.ascontiguousarray(each).data)
    path = folder / "heads" / f"{made_of.hexdigest()[:16]}.npz"
    if not path.exists():
        weight, bias = fit_soft_head(features, shares, strength, **more)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, allow_pickle=False, weight=weight, bias=bias)
    with np.load(path) as stored:
        return stored["weight"], stored["bias"]


def fitted(features: Answers, faces: Faces, watched: Answers, public: Faces, folder: Path) -> tuple[float, Head]:
    """The head of the strength that foretells the votes of ``PublicTest`` best, fitted to the train part's votes."""
    shares, usable = distributions(faces.votes)
    told, counted = distributions(public.votes)
    tried: list[tuple[float, float, Head]] = []
    for strength in STRENGTHS:
        head = kept_fit(folder, features[usable], shares[usable].astype(np.float32), strength)
        tried.append((log_loss(answers(head, watched)[counted], told[counted]), strength, head))
    _, strength, head = min(tried, key=lambda each: each[0])
    return strength, head


def log_loss(logits: Answers, shares: NDArray[np.float64]) -> float:
    """Mean cross entropy of answers (N, K) against shares (N, K), in nats."""
    return float(-(shares * log_softmax(logits.astype(np.float64), axis=1)).sum(1).mean())


def of_consensus(logits: Answers, faces: Faces) -> dict[str, Any]:
    """Scores on the faces on which most raters agree."""
    y = consensus(faces.votes)
    chosen = y >= 0
    found = score(y[chosen], logits[chosen].argmax(1), CLASSES, groups=faces.groups[chosen])
    told: dict[str, Any] = msgspec.to_builtins(as_results(found))
    for i, label in enumerate(CLASSES):
        right = int((logits[chosen][y[chosen] == i].argmax(1) == i).sum())
        told["per_class"][label]["recall_interval"] = wilson(right, int((y[chosen] == i).sum()))
    return told


def of_crops(backbone: Backbone, head: Head, logits: Answers, faces: Faces, folder: Path) -> dict[str, Any]:
    """Share of the faces of ``PublicTest`` whose answer changes when they are cropped otherwise."""
    other = answers(head, features_of(backbone, cropped_otherwise(faces.grey), folder, "public-cropped"))
    changed = int((other.argmax(1) != logits.argmax(1)).sum())
    return {"changed": changed / len(logits), "interval": wilson(changed, len(logits)), "faces": len(logits)}


def of_strangers(backbone: Backbone, head: Head, data: Path, folder: Path) -> tuple[dict[str, Any], Any]:
    """Scores of a head that knows FER2013 alone, on the faces of six-emotions in the classes that both have.

    Returns:
        The scores, and truth, answers and groups to pair them with another's.
    """
    _, photos = open_photos(str(data / "six-emotions.zip"), folder)
    rows = photos.manifest
    features = FeatureCache(folder / "features", photos.pixels).of(backbone, VIEW, rows)
    logits = answers(head, features)[:, [CLASSES.index(label) for label in SHARED]]
    truth = np.array([SHARED.index(label) if label in SHARED else -1 for label in rows["label"]])
    chosen, groups = truth >= 0, rows["near_group"].to_numpy()
    y, named = truth[chosen], logits[chosen].argmax(1)
    found: dict[str, Any] = msgspec.to_builtins(as_results(score(y, named, SHARED, groups=groups[chosen])))
    return found, (y, named, groups[chosen])


def measured(weights: Path | None, data: Path, folder: Path, part: str) -> tuple[dict[str, Any], Any]:
    """All figures of one backbone."""
    backbone, parts = backbone_of(weights), read_faces(data, folder)
    features = {name: features_of(backbone, faces.grey, folder, name) for name, faces in parts.items()}
    strength, head = fitted(features["train"], parts["train"], features["public"], parts["public"], folder)
    logits = {name: answers(head, features[name]) for name in ("public", "private")}
    strangers, pairs = of_strangers(backbone, head, data, folder / "six-emotions")
    told = {"sha256": backbone.sha256, "strength": strength, "public": of_consensus(logits["public"], parts["public"])}
    if part == "private":
        told["private"] = of_consensus(logits["private"], parts["private"])
    told["crops"] = of_crops(backbone, head, logits["public"], parts["public"], folder)
    told["strangers"] = strangers
    return told, pairs


def main() -> None:
    """Measure one backbone, and pair it with another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, help="the shipped backbone where none is given")
    parser.add_argument("--against", type=Path, help="weights to compare with, on the strangers")
    parser.add_argument("--part", choices=("public", "private"), default="public")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    told, pairs = measured(asked.weights, asked.data, asked.folder, asked.part)
    if asked.against:
        _, others = measured(asked.against, asked.data, asked.folder, "public")
        gain = paired_difference(pairs[0], pairs[1], others[1], len(SHARED), groups=pairs[2])
        told["strangers_gain"] = {"macro_f1": gain.value, "interval": gain.interval, "verdict": gain.verdict}
    text = json.dumps(told, indent=1) + "\n"
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    for name in ("public", "private", "strangers"):
        if name in told:
            print(name, f"accuracy {told[name]['accuracy']:.4f}, macro-F1 {told[name]['macro_f1']:.4f}")
    print("changed by cropping", f"{told['crops']['changed']:.4f}", told.get("strangers_gain", ""))


if __name__ == "__main__":
    main()
