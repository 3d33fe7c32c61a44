"""What photos are divided, drawn and corrected by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.choices import SplitMethod, check_choice
from mien.settings.groups import DATA, RARE

__all__ = ["Decisions", "Division", "Earlier", "Randomness"]


@Parameter(name="*", group=DATA)
@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What a person decided about single photos.

    Attributes:
        corrections: Table that 'mien audit --out' wrote, with your decisions: drop, or relabel to CLASS.
    """

    corrections: str | None = None


@Parameter(name="*", group=DATA)
@dataclass(frozen=True, kw_only=True)
class Division:
    """How photos are divided into training, validation and test.

    Attributes:
        split: Train/validation/test in per cent; folders named train, val and test are kept as they are.
        split_method: What stays together: grouped (copies of a picture, and the groups of --group-column), series
            (photos of one shoot as well), or naive (nothing; for comparison only).
    """

    split: str = "70/15/15"
    split_method: Annotated[SplitMethod, Parameter(group=RARE)] = "grouped"

    def __post_init__(self) -> None:
        check_choice("split-method", self.split_method, get_args(SplitMethod))


@Parameter(name="*", group=RARE)
@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What an earlier study decided.

    Attributes:
        keep_splits: Earlier study whose photos keep their splits; new ones fill up.
    """

    keep_splits: str | None = None


@Parameter(name="*", group=RARE)
@dataclass(frozen=True, kw_only=True)
class Randomness:
    """Where chance comes from.

    Attributes:
        seed: Seed of everything that is drawn at random: splits, folds, runs and permutations.
    """

    seed: int = 42

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"--seed {self.seed}: must be from 0 to {2**32 - 1}")
