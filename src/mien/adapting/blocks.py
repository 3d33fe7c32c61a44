"""The last blocks of a fine-tuned network, trained further at a low rate: the stages near the pixels stay as they are.

What these make of a photo is computed once, so that to teach the rest takes seconds.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mien.adapting.methods import Known, believed, weight_of_target
from mien.errors import ModelError
from mien.models.networks import PhotoNetwork, as_one
from mien.models.seal import MAX_MODEL_BYTES
from mien.recognizer import softmax
from mien.settings.run import NetworkRun
from mien.system.files import read_file
from mien.training.finetune import FineTuned
from mien.training.recipes import views_of
from mien.training.run import fresh_network

__all__ = ["LastBlocks", "shifted"]

STAGES = 2
"""How many of the backbone's stages learn, with what follows them."""
UPDATES, BATCH, RATE, SMOOTHING = 150, 32, 3e-4, 0.1
CHUNK = 256

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


class LastBlocks:
    """A fine-tuned network, or the members of an ensemble, in two parts: what stays, and what goes on learning.

    Attributes:
        networks: as they were trained.
        heads: none that could be exchanged by itself.
        can_learn: whether the networks have stages of a kind that can be told apart.
    """

    def __init__(self, run: NetworkRun, folder: Path) -> None:
        """Open the networks of a run.

        Args:
            folder: of the run; holds ``model.safetensors``.

        Raises:
            ModelError: if that file is missing or of another network.
        """
        self.networks = [fresh_network(run).eval() for _ in range(run.train.members)]
        path = folder / "model.safetensors"
        try:
            as_one(self.networks).load_state_dict(safetensors.torch.load(read_file(path, MAX_MODEL_BYTES)))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            first = str(error).split("\n", 1)[0]
            raise ModelError(f"{path}: not the weights of this run ({first}); train it again") from error
        self.heads: Mapping[str, Any] = {}  # type: ignore[explicit-any]  #
        (self._view,) = views_of(run)
        self._shape = torch.Size()  # of one photo's maps, once there are some
        body = _body(self.networks[0])
        self.can_learn = body.has_stages
        self._split = len(body.stages) - STAGES if self.can_learn else 0

    @torch.no_grad()
    def features(self, views: Mapping[str, NDArray[np.uint8]]) -> FloatArray:
        """What the stages that stay make of N pixels: maps and means of each network, side by side (N, D)."""
        pixels, parts = torch.from_numpy(views[self._view.key]), []
        for network in self.networks:
            maps, means = _body(network).lower(network.input(pixels), self._split)
            self._shape = maps.shape[1:]
            parts += [maps.flatten(1), means]
        return torch.cat(parts, 1).numpy()

    @torch.no_grad()
    def logits(self, networks: Sequence[PhotoNetwork], features: FloatArray) -> FloatArray:
        """Mean logits (N, K) of features, by the last blocks of networks."""
        each = zip(networks, self._of_each(features), strict=True)
        return np.asarray(np.mean([self._logits(network, own) for network, own in each], 0), np.float32)

    def taught(self, known: Known, target: FloatArray, y: IntArray, seed: int) -> list[PhotoNetwork]:
        """Networks whose last blocks learnt from both sides, half of each batch from each; the target's by class.

        A photo of the target is shown no more often than ``MOST_WEIGHT`` would let it weigh.

        Args:
            known: the source's photos, as ``features`` gives them.
            target: features (M, D) of the target.
            y: (M,) their classes.
        """
        sides = zip(self.networks, self._of_each(known.features), self._of_each(target), strict=True)
        return [
            self._taught(network, replace(known, features=old), new, y, np.random.default_rng((seed, len(y), number)))
            for number, (network, old, new) in enumerate(sides)
        ]

    def self_taught(self, known: Known, target: FloatArray, classes: IntArray, seed: int) -> list[PhotoNetwork]:
        """Networks that learnt from the answers of all of them: the surest of each class.

        Args:
            target: features (M, D) of unlabelled photos.
            classes: those that may be answered.
        """
        probs = softmax(self.logits(self.networks, target)[:, classes])
        is_believed = believed(probs)
        return self.taught(known, target[is_believed], classes[probs.argmax(1)][is_believed], seed)

    def _of_each(self, features: FloatArray) -> list[FloatArray]:
        """The features of each network."""
        return np.split(features, len(self.networks), axis=1)

    def _logits(self, network: PhotoNetwork, features: FloatArray) -> FloatArray:
        parts = [self._upper(network, features[i : i + CHUNK]) for i in range(0, len(features), CHUNK)]
        return torch.cat(parts).numpy()

    def _taught(
        self, network: PhotoNetwork, known: Known, target: FloatArray, y: IntArray, rng: np.random.Generator
    ) -> PhotoNetwork:
        network = copy.deepcopy(network).requires_grad_(False).eval()  # normalisation stays, too
        learning = _body(network).learn_from(self._split)
        optimizer = torch.optim.AdamW(learning, lr=RATE, weight_decay=1e-2, fused=True)
        ours = round(weight_of_target(len(known.y), len(y)) * BATCH)
        members = [np.flatnonzero(y == label) for label in np.unique(y)]
        for update in range(UPDATES):
            old = rng.choice(len(known.y), BATCH - ours)
            new = np.array([rng.choice(members[(update * ours + i) % len(members)]) for i in range(ours)], np.int64)
            features = np.concatenate([known.features[old], target[new]])
            labels = torch.from_numpy(np.concatenate([known.y[old], y[new]]))
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 + math.cos(math.pi * update / UPDATES)) / 2
            loss = functional.cross_entropy(self._upper(network, features), labels, label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return network

    def _upper(self, network: PhotoNetwork, features: FloatArray) -> Tensor:
        size = math.prod(self._shape)
        both = torch.from_numpy(features)
        return _body(network).upper(both[:, :size].reshape(-1, *self._shape), both[:, size:], self._split)


def shifted(networks: Sequence[PhotoNetwork], shift: FloatArray) -> list[PhotoNetwork]:
    """Networks whose logits have so much (K,) added."""
    moved = [copy.deepcopy(network) for network in networks]
    for network in moved:
        _body(network).head.bias.data += torch.from_numpy(shift)
    return moved


def _body(network: PhotoNetwork) -> FineTuned:
    assert isinstance(network.body, FineTuned)
    return network.body
