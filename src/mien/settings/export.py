"""How a model is written to be taken elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.settings.choices import StoredPrecision
from mien.settings.groups import OUTPUT

__all__ = ["Storage"]


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Storage:
    """How the numbers of a model are stored.

    Attributes:
        stored_precision: fp32 as it was trained, fp16 for half the size, int8 for a quarter. A file that would not be
            smaller is not written.
    """

    stored_precision: Annotated[StoredPrecision, Parameter(name="--precision")] = "fp32"
