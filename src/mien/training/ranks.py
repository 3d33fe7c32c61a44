"""The processes that train one network together, called ranks: each has its share of every batch.

A batch of all ranks together is the batch of one process. Whatever is decided (scores, early stopping, the end of a
budget) is decided from what all ranks have, so that all decide alike. Where there is one process alone, everything here
gives back what it is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.utils.data import Sampler

__all__ = ["Shares", "are_alike", "become", "digest", "largest", "rank", "ranks", "share", "summed"]

T = TypeVar("T")

_of_this_process = {"rank": 0, "ranks": 1}


def become(rank: int, ranks: int) -> None:
    """Say which of several processes this one is. A group that the caller of mien has for its own ends is not asked."""
    _of_this_process.update(rank=rank, ranks=ranks)


def ranks() -> int:
    """How many processes train this network."""
    return _of_this_process["ranks"]


def rank() -> int:
    """Which of them this is, from 0; the first also writes the files."""
    return _of_this_process["rank"]


def share(batch: list[T]) -> list[T]:
    """What this rank has of a batch: a part of it, of its size or less by one; none where there are more ranks."""
    count, mine = ranks(), rank()
    return batch[mine * len(batch) // count : (mine + 1) * len(batch) // count]


def summed(values: Tensor) -> Tensor:
    """The sum over all ranks, the same bits on each."""
    if ranks() == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def largest(value: float, device: torch.device) -> float:
    """The largest value of all ranks.

    Args:
        device: of this rank, by which it reaches the others.
    """
    if ranks() == 1:
        return value
    found = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return float(found.item())


def digest(network: nn.Module) -> str:
    """A hash of all weights and running statistics, bit for bit."""
    found = hashlib.sha256()
    for name, value in network.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def are_alike(network: nn.Module, device: torch.device) -> bool:
    """Whether the networks of all ranks are the same bit for bit."""
    if ranks() == 1:
        return True
    number = int(digest(network)[:15], 16)
    both = torch.tensor([number, -number], device=device)
    distributed.all_reduce(both, distributed.ReduceOp.MAX)
    return bool(both[0] == -both[1])


class Shares(Sampler[list[int]]):
    """This rank's share of each batch; as many batches on every rank, of which some may be empty."""

    def __init__(self, batches: Iterable[list[int]]) -> None:
        self._batches = batches

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        if hasattr(self._batches, "set_epoch"):
            self._batches.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        return map(share, self._batches)
