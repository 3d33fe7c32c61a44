"""Is a backbone better than the one that ships, face by face: ``python pretraining/compare_backbones.py DATA FOLDER``.

Two scores with an interval each say little of two backbones that answer the same faces. Here their answers are paired:
on ``PublicTest`` by heads of the same strength, fitted to the train part's votes (``protocol.py``), and on six-emotions
by the recipe ``two-stream``, out of fold, with the folds of ``fit_six.py``. ``PrivateTest`` is not read.

``--weights`` is the backbone in question (the shipped one where none is given), ``--against`` that it is held against.
Answers are kept in FOLDER, so that a comparison goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from fit_six import COLUMNS, FOLDS, folded_answers, open_photos
from numpy.typing import NDArray
from protocol import STRENGTHS, answers, backbone_of, features_of, kept_fit, log_loss
from votes import CLASSES, consensus, distributions, read_faces

from mien.agreement import share_difference
from mien.data.grouping.folds import kfold
from mien.metrics import paired_difference, score
from mien.models.backbones import Backbone, load_backbone
from mien.settings.run import HeadRun
from mien.training.features import FeatureCache
from mien.training.recipes import views_of
from mien.training.run import LabelledPhotos, Streams

SEEDS = (0, 1)
"""Of the folds of six-emotions."""
Ints = NDArray[np.int64]


def on_public(backbones: Sequence[Backbone], data: Path, folder: Path) -> dict[str, Any]:
    """For each strength of the head, scores of the two and their paired differences, on faces that are agreed on."""
    parts = read_faces(data, folder)
    public = parts["public"]
    (shares, usable), (told, counted) = distributions(parts["train"].votes), distributions(public.votes)
    y = consensus(public.votes)
    chosen = y >= 0
    shown = [[features_of(each, parts[p].grey, folder, p) for p in ("train", "public")] for each in backbones]
    found: dict[str, Any] = {}
    for strength in STRENGTHS:
        heads = [kept_fit(folder, train[usable], shares[usable].astype(np.float32), strength) for train, _ in shown]
        logits = [answers(head, watched) for head, (_, watched) in zip(heads, shown, strict=True)]
        named = [each.argmax(1)[chosen] for each in logits]
        scores = [
            {"log_loss": log_loss(each[counted], told[counted])} | summary(y[chosen], said, CLASSES)
            for each, said in zip(logits, named, strict=True)
        ]
        found[f"{strength:g}"] = {"scores": scores, **paired(y[chosen], named, public.groups[chosen], CLASSES)}
        print("PublicTest", strength, json.dumps(found[f"{strength:g}"]), flush=True)
    return found


def on_six(backbones: Sequence[Backbone], data: Path, folder: Path) -> dict[str, Any]:
    """Scores of ``two-stream`` with each of the two, out of fold, and their paired differences over all seeds."""
    runs, photos = open_photos(str(data / "six-emotions.zip"), folder)
    run, rows = runs["two-stream"], photos.manifest
    y, groups = photos.indices(rows), rows["near_group"].to_numpy()
    named = []
    for backbone in backbones:
        streams = streams_of(run, photos, backbone)
        said = []
        for seed in SEEDS:
            path = folder / f"answers-{backbone.sha256[:12]}-{seed}.npy"
            if not path.exists():
                folds = kfold(y.astype(str), rows[COLUMNS["grouped"]].to_numpy(), FOLDS, seed)
                np.save(path, folded_answers(run, streams, y, groups, folds).argmax(1))
            said.append(np.load(path))
        named.append(np.concatenate(said))
    every_y, every_group = np.tile(y, len(SEEDS)), np.tile(groups, len(SEEDS))
    scores = [summary(every_y, each, run.labels) for each in named]
    found = {"seeds": len(SEEDS), "scores": scores, **paired(every_y, named, every_group, run.labels)}
    print("six-emotions", json.dumps(found), flush=True)
    return found


def streams_of(run: HeadRun, photos: LabelledPhotos, backbone: Backbone) -> Streams:
    """Features of all photos, those of the faces by the given backbone."""
    cache, rows = FeatureCache(photos.features, photos.pixels), photos.manifest
    pairs = list(zip((load_backbone(), backbone), views_of(run), strict=True))
    whole, face = (cache.of(*pair, rows) for pair in pairs)
    models = (cache.model(pairs[0][0], pairs[0][1].size), cache.model(backbone, pairs[1][1].size))
    mirrored = np.concatenate([cache.of(*pair, rows, mirrored=True) for pair in pairs], axis=1)
    return Streams((pairs[0][0], backbone), models, whole, face, mirrored)


def summary(y: Ints, named: Ints, labels: tuple[str, ...]) -> dict[str, Any]:
    """Accuracy, macro-F1 and recalls."""
    found = score(y, named, labels)
    recall = {each.label: each.recall for each in found.per_class}
    return {"accuracy": found.accuracy, "macro_f1": found.macro_f1, "recall": recall}


def paired(y: Ints, named: Sequence[Ints], groups: Ints, labels: tuple[str, ...]) -> dict[str, Any]:
    """The first less the second: of macro-F1, accuracy and each recall, with intervals over groups; and what turned."""
    first, second = named
    right, was_right = first == y, second == y
    shares = {"accuracy": np.ones(len(y), bool)} | {label: y == i for i, label in enumerate(labels)}
    apart = {
        name: asdict(share_difference(right[kept] * 1.0, was_right[kept] * 1.0, groups[kept]))
        for name, kept in shares.items()
        if kept.any()
    }
    gain = paired_difference(y, first, second, len(labels), groups=groups)
    turned = {"gained": int((right & ~was_right).sum()), "lost": int((was_right & ~right).sum())}
    return {"macro_f1": asdict(gain), **turned, "shares": apart}


def main() -> None:
    """Compare, and write the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path, help="where fit_answers.py works")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--against", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    backbones = [backbone_of(asked.weights), backbone_of(asked.against)]
    told = {"six": on_six(backbones, asked.data, asked.folder / "six-emotions")}
    told["public"] = on_public(backbones, asked.data, asked.folder)
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
