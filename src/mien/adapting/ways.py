"""How each way to adapt is fitted: to features of both sides, giving what answers instead of the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.adapting.blocks import LastBlocks, shifted
from mien.adapting.methods import (
    PRIOR,
    PRIOR_OF_BLOCKS,
    aligned,
    new_head,
    self_trained,
    shares_shift,
    weight_of_target,
)
from mien.adapting.scoring import Side
from mien.adapting.sides import Sides
from mien.models.networks import PhotoNetwork
from mien.settings import ways
from mien.settings.ways import WayToAdapt
from mien.training.linear import Head

__all__ = ["FITTED_WAYS", "Adapted", "ClassShares", "FittedWay", "Material", "NewHead", "TaughtBlocks", "drawn"]

FloatArray = NDArray[np.float32]
SideName = Literal["target", "home", "pool"]


@dataclass(frozen=True)
class Material:
    """What ways are fitted to.

    Attributes:
        head: that the model answers photos like the target's with.
        sides: what is below that head.
        blocks: the last blocks of a fine-tuned network, and what is below them; None of another model.
        classes: those that the target has.
        temperature: that the model's logits are divided by.
        is_balanced: whether the model learnt as if every class had as many photos.
        seed: of the draws.
    """

    head: Head
    sides: Sides
    blocks: tuple[LastBlocks, Sides] | None
    classes: NDArray[np.int64]
    temperature: float
    is_balanced: bool
    seed: int


@dataclass(frozen=True)
class NewHead:
    """A head on the model's features.

    Attributes:
        temperature: that its logits are to be divided by.
    """

    head: Head
    sides: Sides
    temperature: float = 1.0
    prior = PRIOR

    def logits(self, side: SideName) -> FloatArray:
        """Logits (N, K) of the photos of a side."""
        weight, bias = self.head
        logits: FloatArray = getattr(self.sides, side).features @ weight.T + bias
        return logits

    def moved(self, shift: FloatArray) -> NewHead:
        """The same with so much (K,) added to its logits."""
        weight, bias = self.head
        return replace(self, head=(weight, bias + shift))


@dataclass(frozen=True)
class TaughtBlocks:
    """Networks whose last blocks learnt on; as for ``NewHead``."""

    networks: Sequence[PhotoNetwork]
    blocks: LastBlocks
    sides: Sides
    temperature = 1.0
    prior = PRIOR_OF_BLOCKS

    def logits(self, side: SideName) -> FloatArray:
        """Logits (N, K) of the photos of a side."""
        return self.blocks.logits(self.networks, getattr(self.sides, side).features)

    def moved(self, shift: FloatArray) -> TaughtBlocks:
        """The same with so much (K,) added to their logits."""
        return replace(self, networks=shifted(self.networks, shift))


Adapted: TypeAlias = NewHead | TaughtBlocks


class FittedWay(ABC):
    """A way to adapt, with how it is fitted."""

    way: WayToAdapt

    @abstractmethod
    def fit(self, material: Material, shots: int, draw: int) -> Adapted:
        """What answers instead of the model.

        Args:
            shots: labelled photos of each class of the target to learn from; 0 for a way that takes none.
            draw: number of the draw of these.
        """


class _AsItIs(FittedWay):
    """The model's own head."""

    way = ways.AS_IT_IS

    def fit(self, material: Material, shots: int, draw: int) -> NewHead:
        return NewHead(material.head, material.sides, material.temperature)


class _Aligned(FittedWay):
    """The model's own head, for features with the mean and spread that they have at home."""

    way = ways.ALIGNED

    def fit(self, material: Material, shots: int, draw: int) -> NewHead:
        sides = material.sides
        return NewHead(aligned(material.head, sides.own, sides.pool.features), sides, material.temperature)


class _MadeAlike(FittedWay):
    """A head fitted to photos of the source that were made like the target's."""

    way = ways.MADE_ALIKE

    def fit(self, material: Material, shots: int, draw: int) -> NewHead:
        sides = material.sides
        return NewHead(new_head(sides.known, sides.pool.features[:0], sides.pool.y[:0]), sides)


class _SelfTraining(FittedWay):
    """A head fitted to its surest answers as well."""

    way = ways.SELF_TRAINING

    def fit(self, material: Material, shots: int, draw: int) -> NewHead:
        sides = material.sides
        return NewHead(self_trained(sides.known, sides.pool.features), sides)


class _Labels(FittedWay):
    """A head fitted to labelled photos of the target as well."""

    way = ways.LABELS

    def fit(self, material: Material, shots: int, draw: int) -> NewHead:
        sides = material.sides
        chosen = drawn(sides.pool, shots, material.seed, draw)
        return NewHead(new_head(sides.known, sides.pool.features[chosen], sides.pool.y[chosen]), sides)


class _SelfTaughtBlocks(FittedWay):
    """Last blocks that learn on from the network's own surest answers."""

    way = ways.SELF_TAUGHT_BLOCKS

    def fit(self, material: Material, shots: int, draw: int) -> TaughtBlocks:
        assert material.blocks is not None
        blocks, sides = material.blocks
        taught = blocks.self_taught(sides.known, sides.pool.features, material.classes, material.seed)
        return TaughtBlocks(taught, blocks, sides)


class _LabelledBlocks(FittedWay):
    """Last blocks that learn on from labelled photos of the target."""

    way = ways.BLOCKS

    def fit(self, material: Material, shots: int, draw: int) -> TaughtBlocks:
        assert material.blocks is not None
        blocks, sides = material.blocks
        chosen = drawn(sides.pool, shots, material.seed, draw)
        return TaughtBlocks(
            blocks.taught(sides.known, sides.pool.features[chosen], sides.pool.y[chosen], draw), blocks, sides
        )


@dataclass(frozen=True)
class ClassShares(FittedWay):
    """What another way comes to, moved to the class shares that its answers to the target's photos suggest.

    Attributes:
        of: the other way.
    """

    way: WayToAdapt
    of: FittedWay

    def fit(self, material: Material, shots: int, draw: int) -> Adapted:
        """What the other way comes to, moved."""
        fitted = self.of.fit(material, shots, draw)
        return fitted.moved(self.shift(fitted, material, shots))

    def shift(self, fitted: Adapted, material: Material, shots: int) -> FloatArray:
        """What is added to the logits (K,) of what the other way came to."""
        had, classes = material.sides.had, material.classes
        if shots:  # it learnt from as many photos of each class of the target
            weight = weight_of_target(len(material.sides.known.y), shots * len(classes))
            had = (1 - weight) * had + weight * np.isin(np.arange(len(had)), classes) / len(classes)
        elif material.is_balanced:
            had = np.full(len(had), 1 / len(had))
        logits = fitted.logits("pool") / fitted.temperature
        return fitted.temperature * shares_shift(logits, had, classes, fitted.prior)


def _fitted_ways() -> tuple[FittedWay, ...]:
    each = (_AsItIs(), _Aligned(), _MadeAlike(), _SelfTraining(), _SelfTaughtBlocks(), _Labels(), _LabelledBlocks())
    known: dict[WayToAdapt, FittedWay] = {one.way: one for one in each}
    moved = {way: ClassShares(way, known[way.moves]) for way in ways.WAYS_TO_ADAPT if way.moves}
    return tuple((known | moved)[way] for way in ways.WAYS_TO_ADAPT)


FITTED_WAYS = _fitted_ways()
"""All, in the order in which they are told."""


def drawn(pool: Side, shots: int, seed: int, draw: int) -> NDArray[np.int64]:
    """Where in the pool to find ``shots`` photos of each class, drawn at random: (K · shots,)."""
    rng = np.random.default_rng((seed, shots, draw))
    classes = np.unique(pool.y)
    return np.concatenate([rng.choice(np.flatnonzero(pool.y == label), shots, replace=False) for label in classes])
