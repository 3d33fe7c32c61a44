"""How long to train."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.groups import BUDGET
from mien.settings.whole import WHOLE

__all__ = ["Budget"]


@Parameter(name="*", group=BUDGET)
@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train, in place of the recipe's budget; what comes first ends it.

    Attributes:
        epochs: Passes over the training photos. Default: the recipe's.
        updates: Optimiser steps. Default: the recipe's.
        seconds: Wall-clock seconds of each network, validation included; the one setting that is not reproducible.
    """

    epochs: Annotated[int | None, WHOLE] = None
    updates: Annotated[int | None, WHOLE] = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None and not 0 < value < math.inf:  # NaN is neither
                raise ConfigError(f"--{name} {value}: must be a number more than 0")
