"""By which columns of a table scores are looked at apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.groups import TRUST

__all__ = ["Slicing"]


@Parameter(name="*", group=TRUST)
@dataclass(frozen=True, kw_only=True)
class Slicing:
    """By what scores are looked at apart.

    Attributes:
        slices: Columns of the table, as in age,sex,camera, to give scores for each of their values, with the
            difference from the other values and whether it is more than chance. Nothing is guessed from faces.
    """

    slices: Annotated[tuple[str, ...], Parameter(name="--slice", consume_multiple=False, show_default=False)] = ()

    def __post_init__(self) -> None:
        names = tuple(name.strip() for given in self.slices for name in given.split(","))
        if not all(names):
            raise ConfigError(f"--slice {','.join(names)}: one of the names is empty; give columns, as in age,sex")
        if len(set(names)) < len(names):
            raise ConfigError(f"--slice {','.join(names)}: names a column twice")
        object.__setattr__(self, "slices", names)  # given with commas or one by one, they are the same settings
