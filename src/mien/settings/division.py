"""What photos are divided, drawn and corrected by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from cyclopts import Parameter, Token

from mien.errors import ConfigError
from mien.settings.choices import SplitMethod, check_choice, check_range
from mien.settings.groups import DATA, RARE, TRUST
from mien.settings.whole import WHOLE, whole_number

__all__ = ["CrossValidation", "Decisions", "Division", "Earlier", "Folds", "Randomness"]

Folds: TypeAlias = int | Literal["group"]
"""How photos are held out in turn: in so many parts, or one group of the user's at a time."""
MOST_FOLDS = 50


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


def _read_folds(_: object, tokens: Sequence[Token]) -> Folds:
    word = tokens[0].value
    return "group" if word == "group" else whole_number(word, "--folds")


@Parameter(name="*", group=TRUST)
@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Whether every photo is held out once, in place of one test split.

    Attributes:
        folds: Cross-validate, in place of one test split: a number of folds, or group to leave out each group (person)
            once. Every photo is answered once, by a model that never saw its group; the model to use is then fitted to
            all photos, and carries these scores.
    """

    folds: Annotated[Folds | None, Parameter(converter=_read_folds)] = None

    def __post_init__(self) -> None:
        if self.folds not in (None, "group"):
            if not isinstance(self.folds, int):
                raise ConfigError(f"--folds {self.folds}: must be a number of folds, as in 5, or group")
            check_range("--folds", self.folds, 2, MOST_FOLDS)


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

    seed: Annotated[int, WHOLE] = 42

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"--seed {self.seed}: must be from 0 to {2**32 - 1}")
