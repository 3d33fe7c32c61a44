"""By which columns of a table scores are looked at apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, Token

from mien.errors import ConfigError
from mien.settings.groups import TRUST

__all__ = ["Slicing"]


def _names(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Names that are given as ``age,sex``, or one by one."""
    return tuple(name.strip() for token in tokens for name in token.value.split(","))


@Parameter(name="*", group=TRUST)
@dataclass(frozen=True, kw_only=True)
class Slicing:
    """By what scores are looked at apart.

    Attributes:
        slices: Columns of the table, as in age,sex,camera, to give scores for each of their values, with the
            difference from the other values and whether it is more than chance. Nothing is guessed from faces.
    """

    slices: Annotated[tuple[str, ...], Parameter(name="--slice", converter=_names, n_tokens=1, show_default=False)] = ()

    def __post_init__(self) -> None:
        if not all(name.strip() for name in self.slices):
            raise ConfigError(
                f"--slice {','.join(self.slices)}: one of the names is empty; give columns, as in age,sex"
            )
        if len(set(self.slices)) < len(self.slices):
            raise ConfigError(f"--slice {','.join(self.slices)}: names a column twice")
