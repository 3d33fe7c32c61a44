"""What training costs the machine and its disk, and what is promised of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, get_args

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.choices import KeepPixels, Precision, check_choice, check_share
from mien.settings.devices import DEVICE, Device, check_device
from mien.settings.groups import BUDGET, RARE, TRUST
from mien.settings.whole import WHOLE

__all__ = ["STREAMED_FROM", "Computing", "Keeping", "Promise"]

STREAMED_FROM = 20_000
"""Photos from which on their decoded views are not kept, where nothing is trained on them epoch by epoch."""


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


@Parameter(name="*", group=RARE)
@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What of the photos is kept on the disk.

    Attributes:
        keep_pixels: Whether decoded photos are kept in the results' folder, about 0.5 MB each: yes, no, or auto, which
            keeps them for sets of fewer than 20,000 photos and wherever a network is trained. Otherwise photos are
            decoded again whenever they are needed, with the same results.
    """

    keep_pixels: KeepPixels = "auto"

    def __post_init__(self) -> None:
        check_choice("keep-pixels", self.keep_pixels, get_args(KeepPixels))

    def keeps(self, networks: Sequence[str], n_photos: int) -> bool:
        """Whether decoded photos are kept.

        Args:
            networks: names of the recipes that train a network.
            n_photos: files that are read, those from elsewhere among them.

        Raises:
            ConfigError: if they are not to be, and a network is trained.
        """
        if networks and self.keep_pixels == "no":
            raise ConfigError(
                f"--keep-pixels no: {networks[0]} reads every photo in each epoch; leave it out, or choose only "
                "recipes on frozen features, such as two-stream"
            )
        return bool(networks) or self.keep_pixels == "yes" or (self.keep_pixels == "auto" and n_photos < STREAMED_FROM)


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
