"""What training costs the machine, and what is promised of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from cyclopts import Parameter

from mien.settings.choices import Precision, check_choice, check_share
from mien.settings.devices import DEVICE, Device, check_device
from mien.settings.groups import BUDGET, RARE, TRUST
from mien.settings.whole import WHOLE

__all__ = ["Computing", "Promise"]


@Parameter(name="*", group=RARE)
@dataclass(frozen=True, kw_only=True)
class Computing:
    """Where and how networks are trained.

    Attributes:
        device: Where to train, and to compute features to train on; answers always come from the CPU. cuda is one GPU,
            cuda:4 four of them (not GPU no. 4), which train scratch, notebook or finetune together; 'mien compare'
            takes one.
        precision: Of the numbers that are trained with; auto goes by the processor and the kind of network. Default:
            the recipe's; fp32 in a comparison.
        size: Side of the trained networks' input, px. Default: the recipe's.
    """

    device: Annotated[Device, DEVICE, Parameter(group=BUDGET)] = "auto"
    precision: Precision | None = None
    size: Annotated[int | None, WHOLE] = None

    def __post_init__(self) -> None:
        check_device(self.device)
        check_choice("precision", self.precision, (None, *get_args(Precision)))


@Parameter(name="*", group=TRUST)
@dataclass(frozen=True, kw_only=True)
class Promise:
    """How often answers may be wrong.

    Attributes:
        max_error: Largest share of given answers that may be wrong, on photos like those that the model is measured
            on; less certain answers are called unsure. Refused where it cannot be promised.
    """

    max_error: float | None = None

    def __post_init__(self) -> None:
        check_share("max-error", self.max_error)
