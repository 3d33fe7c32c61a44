"""Let the expression backbone learn from raters' votes, and make version 2 of it.

``python pretraining/train_votes.py FOLDER --data DATA --weights VERSION-1 --seed 0``
``python pretraining/train_votes.py FOLDER --average SEED-0 [SEED-1 ...]``

FER2013's labels are not what most raters say of four faces in ten. This goes on from the weights that learnt from
those labels (version 1, which ``fit_expression.py`` keeps) and learns what ten raters said of each face, as a
distribution (Barsoum et al. 2016). The stages near the pixels stay as they are, which halves the work on a CPU.

FOLDER gets ``votes.npz`` (``votes.py``), unless it is there. Every epoch ends with a checkpoint, and a training that
was stopped goes on from it to the same weights. What is kept of a seed is the moving average of its weights.
``--average`` takes the mean of the weights of all seeds (they start from the same weights, so their mean is a network;
Wortsman et al. 2022, "Model soups"), and writes it as the backbone that comes with mien.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from backbone_file import about_backbone, write_backbone
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from train_expression import GREY, SPREAD, FaceNetwork, augmented, enlarged, halved, rate
from votes import CLASSES, consensus, distributions, read_faces
from write_sums import write_sums

from mien.models.artifact import shipped

SIDE = 96
"""Of the faces while training, px. They are used at 128: of enlarged faces, a network that learnt them smaller makes
no less (Touvron et al., "Fixing the train-test resolution discrepancy", 2019)."""
FROZEN = 2
"""Stages that stay as they are, with the layer before them."""
BATCH, PEAK_RATE, HEAD_RATE, WEIGHT_DECAY, CLIP, EMA_DECAY = 128, 5e-4, 4.0, 0.05, 2.0, 0.998
EPOCHS = 12
BACKBONE = "backbone."
"""What the names of a network's weights begin with, but for its head."""
RARITY = 0.3
"""A face counts as (mean count / count of its class) to this power, so that the rare classes are learnt at all."""


class VotedFaces(FaceNetwork):
    """Grey faces in [0, 1] (N, 1, H, W) → logits (N, K); its first stages neither learn nor drop anything."""

    def frozen(self) -> list[nn.Module]:
        """The parts that stay as they are."""
        return [self.backbone.conv_stem, self.backbone.bn1, *self.backbone.blocks[:FROZEN]]

    def train(self, mode: bool = True) -> VotedFaces:
        """Set the mode, but for what stays as it is."""
        super().train(mode)
        for part in self.frozen():
            part.eval()
        return self

    def forward(self, grey: Tensor) -> Tensor:
        """Logits of one batch."""
        net = self.backbone
        image = ((grey - GREY) / SPREAD).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            maps = net.blocks[:FROZEN](net.bn1(net.conv_stem(image)))
        logits: Tensor = net.forward_head(net.bn2(net.conv_head(net.blocks[FROZEN:](maps))))
        return logits


def from_version_1(weights: Path) -> VotedFaces:
    """The network with the weights of a backbone, and a head that has yet to learn."""
    network = VotedFaces(len(CLASSES))
    stored = {k: v.float() if v.is_floating_point() else v for k, v in safetensors.torch.load_file(weights).items()}
    left = network.backbone.load_state_dict(stored, strict=False)
    assert left.missing_keys == ["classifier.weight", "classifier.bias"], left
    for part in network.frozen():
        part.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


def weights_of(shares: Tensor) -> Tensor:
    """What each face counts as (N,), mean 1."""
    counts = shares.sum(0)
    weights = shares @ (counts.mean() / counts) ** RARITY
    return weights / weights.mean()


def optimizer_of(network: VotedFaces) -> torch.optim.AdamW:
    """The head learns faster than what is behind it."""
    head = list(network.backbone.classifier.parameters())
    body = [p for p in network.parameters() if p.requires_grad and all(p is not each for each in head)]
    groups = [{"params": body, "scale": 1.0}, {"params": head, "scale": HEAD_RATE}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)


class Training:
    """One network, its optimiser and its moving average, which stop and go on together."""

    def __init__(self, folder: Path, weights: Path, *, seed: int, epochs: int, mixup: float) -> None:
        self.folder, self.seed, self.epochs, self.mixup, self.epoch = folder, seed, epochs, mixup, 0
        torch.manual_seed(seed)
        with np.load(folder / "votes.npz") as stored:
            shares, usable = distributions(stored["train_votes"])
            self.grey = torch.from_numpy(stored["train_grey"][usable])
            self.shares = torch.from_numpy(shares[usable]).float()
            chosen = consensus(stored["public_votes"])
            self.watched = torch.from_numpy(stored["public_grey"][chosen >= 0]), chosen[chosen >= 0]
        self.weights = weights_of(self.shares)
        self.network = from_version_1(weights)
        self.average = ModelEmaV3(self.network, decay=EMA_DECAY, use_warmup=True)
        self.optimizer = optimizer_of(self.network)
        self.checkpoint = folder / f"expression-2-seed{seed}.ckpt"
        if self.checkpoint.exists():
            self._go_on(torch.load(self.checkpoint, weights_only=True))

    def _go_on(self, stored: dict[str, Any]) -> None:
        self.epoch = stored["epoch"]
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(stored[name])

    def run(self) -> None:
        """Train until the last epoch; a checkpoint and a line at the end of each."""
        per_epoch = len(self.grey) // BATCH
        while self.epoch < self.epochs:
            start, total = time.monotonic(), 0.0
            torch.manual_seed(self.seed * 1_000_003 + self.epoch)
            np.random.seed(self.seed * 1_003 + self.epoch)
            self.network.train()
            for i, chosen in enumerate(torch.randperm(len(self.grey)).split(BATCH)[:per_epoch]):
                update = self.epoch * per_epoch + i
                total += self._step(chosen, update, update / (self.epochs * per_epoch))
            self.epoch += 1
            self._store()
            told = {"seed": self.seed, "epoch": self.epoch, "loss": round(total / per_epoch, 4)}
            told |= {"public": self._accuracy(), "seconds": round(time.monotonic() - start)}
            print(json.dumps(told), flush=True)

    def _step(self, chosen: Tensor, update: int, spent: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = PEAK_RATE * group["scale"] * rate(spent)
        faces, shares, weights = self._mixed(chosen)
        loss = -(shares * self.network(faces).log_softmax(1)).sum(1)
        loss = (loss * weights).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimizer.step()
        self.average.update(self.network, step=update)
        return float(loss)

    def _mixed(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Augmented faces of a batch, their shares and what they count as, mixed in pairs where that was asked for.

        With mixup (Zhang et al. 2018), a face is blended with another of the batch, and so are the raters' answers.
        """
        faces, shares, weights = augmented(self.grey[chosen], SIDE), self.shares[chosen], self.weights[chosen]
        if not self.mixup:
            return faces, shares, weights
        part = float(np.random.beta(self.mixup, self.mixup))
        other = torch.randperm(len(chosen))
        mixed = [part * each + (1 - part) * each[other] for each in (faces, shares, weights)]
        return mixed[0], mixed[1], mixed[2]

    def _store(self) -> None:
        partial = self.checkpoint.with_suffix(".partial")
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer")}
        torch.save({"epoch": self.epoch, **parts}, partial)
        partial.replace(self.checkpoint)

    @torch.inference_mode()
    def _accuracy(self) -> float:
        """Share of ``PublicTest``'s faces on which most raters agree that the average names as they do."""
        network, (grey, y) = self.average.module.eval(), self.watched
        named = torch.cat([network(enlarged(batch, SIDE)).argmax(1) for batch in grey.split(128)])
        right = float((named.numpy() == y).mean())
        return round(right, 4)


def averaged(paths: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the backbones of several seeds, without their heads."""
    seeds = [safetensors.torch.load_file(path) for path in paths]
    names = [name for name in seeds[0] if name.startswith(BACKBONE) and not name.startswith(f"{BACKBONE}classifier.")]
    return {name.removeprefix(BACKBONE): _mean([seed[name] for seed in seeds]) for name in names}


def _mean(tensors: list[Tensor]) -> Tensor:
    """Of weights; of counts of batches, the first."""
    if not tensors[0].is_floating_point():
        return tensors[0]
    return torch.stack([each.float() for each in tensors]).mean(0)


def train(asked: argparse.Namespace) -> None:
    """Train one network and write the average of its weights, with 16 bits."""
    if about_backbone(asked.weights)["version"] != 1:
        raise SystemExit(f"{asked.weights}: learnt the votes already; give --weights version 1 of the backbone")
    if not (asked.folder / "votes.npz").exists():
        read_faces(asked.data, asked.folder)
    torch.set_num_threads(asked.threads)
    training = Training(asked.folder, asked.weights, seed=asked.seed, epochs=asked.epochs, mixup=asked.mixup)
    training.run()
    path = asked.folder / f"expression-2-seed{asked.seed}.safetensors"
    safetensors.torch.save_file(halved(training.average.module.state_dict()), path)


def main() -> None:
    """Train one seed, or make the backbone of those that were trained."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--average", type=Path, nargs="+", metavar="SEED", help="write the backbone of these seeds")
    parser.add_argument("--data", type=Path, help="holds fer2013.zip and fer2013-votes.csv")
    parser.add_argument("--weights", type=Path, default=shipped("expression.safetensors"), help="version 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--mixup", type=float, default=0.0, help="both parameters of the beta distribution; 0: none")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    if asked.average:
        seeds = averaged(asked.average)
        write_backbone(halved(seeds), shipped("expression.safetensors"), version=2, seeds=len(asked.average))
        write_sums()
    else:
        train(asked)


if __name__ == "__main__":
    main()
