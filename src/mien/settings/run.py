"""Everything that decides one run: a network that is trained, or a head on frozen features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from mien.settings.choices import VotesAs
from mien.settings.toml import read_union
from mien.settings.training import HeadSettings, TrainSettings

__all__ = ["HeadRun", "NetworkRun", "RunConfig", "read_run"]


class _Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every run has.

    Attributes:
        name: of the run and its folder.
        recipe: the named recipe it came from.
        seed: of weights, order, augmentation and dropout.
        device: ``cpu`` or ``cuda``; of networks also ``cuda:4`` for four GPUs.
        labels: the classes in the order of the network's outputs.
        votes: whether photos that raters voted on are learnt with the share of each class, or as the class with most.
    """

    name: str
    recipe: str
    seed: int
    device: str
    labels: tuple[str, ...]
    votes: VotesAs = "soft"


class NetworkRun(_Run, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="network"):
    """A run of a network that is trained by gradient descent.

    Attributes:
        train: how it is trained.
    """

    train: TrainSettings


class HeadRun(_Run, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="head"):
    """A run of a head on frozen features.

    Attributes:
        head: how it is fitted.
    """

    head: HeadSettings


RunConfig: TypeAlias = NetworkRun | HeadRun


def read_run(path: Path) -> RunConfig:
    """Read a run's ``config.toml``, also one that was written before runs said their kind.

    Raises:
        ConfigError: if the file cannot be read or holds no run.
    """
    run: RunConfig = read_union(RunConfig, path, _with_kind)
    return run


def _with_kind(values: dict[str, Any]) -> dict[str, Any]:  # type: ignore[explicit-any]  # TOML has no types
    return values if "kind" in values else {"kind": "network" if "train" in values else "head"} | values
