"""Make version 2 of the expression backbone: ``python pretraining/fit_votes.py DATA FOLDER --weights VERSION_1``.

Three steps, of which the first two are left out where FOLDER has their result: read the faces and votes
(``votes.py``); go on training from version 1 (``train_votes.py``); measure both versions as ``protocol.py`` says,
``PrivateTest`` included, and write weights, hashes of the photos and the figures of the model card into
``src/mien/models/weights``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import safetensors.torch
from fit_expression import LICENCE
from protocol import measured
from train_votes import EPOCHS, SIDE
from votes import CLASSES, read_faces
from write_sums import write_sums

from mien.metrics import paired_difference
from mien.models.artifact import HASH_LENGTH, shipped
from mien.models.backbones import read_hashes

SEED = 0
SIZE = 128
"""Of the faces in use, px."""


def without_classifier(trained: Path, path: Path) -> None:
    """Write the weights of a backbone, with what mien must know of them."""
    state = {k: v for k, v in safetensors.torch.load_file(trained).items() if ".classifier." not in k}
    contract = {"size": SIZE, "version": 2, "collections": ["ImageNet-1k", "fer2013"], "licence": LICENCE}
    named = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
    safetensors.torch.save_file(named, path, metadata={"mien": json.dumps(contract)})


def compared(versions: dict[str, Path], data: Path, folder: Path) -> dict[str, Any]:
    """All figures of both versions, and the gain on strangers, paired."""
    told, pairs = zip(*(measured(path, data, folder, "private") for path in versions.values()), strict=True)
    (y, before, groups), (_, after, _) = pairs
    gain = paired_difference(y, after, before, int(y.max()) + 1, groups=groups)
    found = {"macro_f1": gain.value, "interval": gain.interval, "verdict": gain.verdict}
    return dict(zip(versions, told, strict=True)) | {"strangers_gain": found}


def main() -> None:
    """Read, train, measure, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="version 1, as fit_expression.py writes it")
    asked = parser.parse_args()
    faces, trained = read_faces(asked.data, asked.folder), asked.folder / f"expression-2-seed{SEED}.safetensors"
    if not trained.exists():
        script = Path(__file__).with_name("train_votes.py")
        command = [sys.executable, str(script), str(asked.folder), "--weights", str(asked.weights), "--seed", str(SEED)]
        subprocess.run(command, check=True)
    bare = asked.folder / "expression-2.safetensors"
    without_classifier(trained, bare)
    about = {"version": 2, "size": SIZE, "side": SIDE, "epochs": EPOCHS, "labels": CLASSES}
    about |= {"train": len(faces["train"].grey)} | compared({"1": asked.weights, "2": bare}, asked.data, asked.folder)
    seen = read_hashes(shipped("expression.hashes")) | set(json.loads((asked.folder / "seen.json").read_text("utf-8")))
    assert all(len(each) == HASH_LENGTH for each in seen)
    shipped("expression.hashes").write_bytes(bytes.fromhex("".join(sorted(seen))))
    shipped("expression.safetensors").write_bytes(bare.read_bytes())
    write_sums()
    shipped("expression.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
