"""The ways to adapt a model, as ``--save``, the results and the texts know them; ``adapting/ways.py`` fits them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ALIGNED",
    "AS_IT_IS",
    "BLOCKS",
    "BLOCKS_SHARES",
    "CLASS_SHARES",
    "LABELS",
    "LABELS_SHARES",
    "MADE_ALIKE",
    "SELF_TAUGHT_BLOCKS",
    "SELF_TRAINING",
    "WAYS_TO_ADAPT",
    "WayToAdapt",
    "way_called",
]


@dataclass(frozen=True)
class WayToAdapt:
    """A way to adapt a model.

    Attributes:
        name: by which results and ``--save`` know it.
        takes_labels: whether it learns from labelled photos of the target.
        in_blocks: whether only a fine-tuned network has it, whose last blocks learn on.
        moves: the way whose answers it moves to the class shares that these suggest; None for one that learns itself.
    """

    name: str
    takes_labels: bool = False
    in_blocks: bool = False
    moves: WayToAdapt | None = None


AS_IT_IS = WayToAdapt("as it is")
CLASS_SHARES = WayToAdapt("class shares", moves=AS_IT_IS)
ALIGNED = WayToAdapt("statistics")
MADE_ALIKE = WayToAdapt("made alike")
SELF_TRAINING = WayToAdapt("self-training")
SELF_TAUGHT_BLOCKS = WayToAdapt("blocks, self-taught", in_blocks=True)
LABELS = WayToAdapt("labels", takes_labels=True)
LABELS_SHARES = WayToAdapt("labels, shares", takes_labels=True, moves=LABELS)
BLOCKS = WayToAdapt("blocks", takes_labels=True, in_blocks=True)
BLOCKS_SHARES = WayToAdapt("blocks, shares", takes_labels=True, in_blocks=True, moves=BLOCKS)

WAYS_TO_ADAPT = (
    *(AS_IT_IS, CLASS_SHARES, ALIGNED, MADE_ALIKE, SELF_TRAINING, SELF_TAUGHT_BLOCKS),
    *(LABELS, LABELS_SHARES, BLOCKS, BLOCKS_SHARES),
)
"""All, in the order in which they are told; those that take labels come last."""


def way_called(name: str) -> WayToAdapt:
    """The way that has a name.

    Raises:
        KeyError: if none has it.
    """
    return {way.name: way for way in WAYS_TO_ADAPT}[name]
