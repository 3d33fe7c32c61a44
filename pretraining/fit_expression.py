"""Make the expression backbone: ``python pretraining/fit_expression.py FER2013.zip OUT``.

Three steps, each left out where its result stands in OUT already: read the faces of FER2013; train on its train part,
without what recurs in its test part (``train_expression.py``, which wants a GPU and can run on another machine, on
a copy of OUT); score the student on the test part, once, and write weights, hashes of the photos and scores for the
model card into ``src/mien/models/weights``. A twentieth of train, copies kept together, is held out to watch; nothing
is chosen on the test part. This is version 1 of the backbone, which OUT keeps too; ``train_votes.py`` makes version 2.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import safetensors
import safetensors.torch
import torch
from backbone_file import write_backbone
from numpy.typing import NDArray
from torch import Tensor
from train_expression import STUDENT, FaceNetwork, enlarged, halved, load
from write_sums import write_sums

from mien.data.grouping.splits import SplitShares, assign_splits
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import prepare
from mien.evaluation.predictions import as_results
from mien.metrics import score
from mien.models.artifact import HASH_LENGTH, shipped
from mien.models.backbones import load_backbone
from mien.telling.terminal.summaries import TerminalProgress

SEED = 0
CPU = torch.device("cpu")


def read_faces(zip_file: str, folder: Path) -> None:
    """Write ``faces.npz`` and ``test.npz``, grey faces uint8 (N, 48, 48) with classes, and ``about.json``."""
    collection = open_collection([zip_file])
    view = View("photo", 48)
    prepared = prepare([collection], [view], folder / "data", progress=TerminalProgress())
    manifest = assign_splits(prepared.manifest, SplitShares(0.94, 0.05, 0.01), SEED)
    labels = collection.labels
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    for split in ("train", "val", "test"):
        rows = manifest.filter(pl.col("split") == split)
        grey = prepared.pixels.read(view, rows["row"].to_numpy())[..., 0]
        arrays[split] = {
            f"{split}_grey": np.ascontiguousarray(grey),
            f"{split}_y": np.array([labels.index(label) for label in rows["label"]]),
        }
    paths = manifest.filter(pl.col("split") == "test")["path"].to_list()
    seen = manifest.filter(pl.col("split").is_in(["train", "val"]))["sha256"].to_list()
    counts = {split: len(arrays[split][f"{split}_y"]) for split in ("train", "val")}
    np.savez(folder / "test.npz", allow_pickle=False, **arrays["test"])
    backbone = load_backbone().module
    safetensors.torch.save_file(halved(backbone.state_dict()), folder / "imagenet.safetensors")
    about = {"labels": labels, "test_paths": paths, "seen": sorted({sha[:HASH_LENGTH] for sha in seen})} | counts
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    np.savez(
        folder / "faces.npz", allow_pickle=False, **arrays["train"], **arrays["val"]
    )  # last: it says that all is there


@torch.inference_mode()
def logits_of(network: FaceNetwork, grey: Tensor, side: int, *, mirrored: bool) -> NDArray[np.float32]:
    """Logits (N, K) of faces enlarged to a side; with ``mirrored`` the mean with those of the mirror image."""
    parts = []
    for batch in grey.split(256):
        image = enlarged(batch, side)
        logits = network(image)
        parts.append((logits + network(image.flip(3))) / 2 if mirrored else logits)
    return torch.cat(parts).numpy()


def scores_of(network: FaceNetwork, folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Scores on the whole test part and its halves, plain and as the mean with the mirrored face."""
    with np.load(folder / "test.npz") as stored:
        grey, y = torch.from_numpy(stored["test_grey"]), stored["test_y"]
    halves = {name: np.array([mark in path for path in about["test_paths"]]) for name, mark in HALVES.items()}
    logits = [logits_of(network, grey, STUDENT.side, mirrored=mirrored) for mirrored in (False, True)]
    told: dict[str, Any] = {}
    for name, chosen in {"test": np.ones(len(y), bool), **halves}.items():
        plain, both = (score(y[chosen], each[chosen].argmax(1), about["labels"]) for each in logits)
        mirrored = {"accuracy": both.accuracy, "macro_f1": both.macro_f1}
        told[name] = msgspec.to_builtins(as_results(plain)) | {"mirrored": mirrored}
    return told


HALVES = {"private": "PrivateTest", "public": "PublicTest"}
"""How the two halves of the test part are called in results and in the names of its files."""


def finish(folder: Path) -> None:
    """Score the student on the test part, once, and write what mien ships."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    network = load(folder, "student", CPU)
    kept = {name: about[name] for name in ("labels", "train", "val")} | {"size": STUDENT.side}
    kept["trained"] = {path.stem: _budget(path) for path in sorted(folder.glob("*.safetensors")) if _budget(path)}
    kept |= scores_of(network, folder, about)
    network.backbone.reset_classifier(0)
    for path in (folder / "expression-1.safetensors", shipped("expression.safetensors")):
        write_backbone(halved(network.backbone.state_dict()), path, version=1)
    shipped("expression.hashes").write_bytes(bytes.fromhex("".join(about["seen"])))
    write_sums()
    shipped("expression.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _budget(path: Path) -> dict[str, str]:
    """Epochs and updates that a network was trained for; empty for one that was not trained here."""
    with safetensors.safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


def main() -> None:
    """Read, train, score, write."""
    zip_file, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "faces.npz").exists():
        read_faces(zip_file, folder)
    if not (folder / "student.safetensors").exists():
        script = Path(__file__).with_name("train_expression.py")
        subprocess.run([sys.executable, str(script), str(folder)], check=True)
    finish(folder)


if __name__ == "__main__":
    main()
