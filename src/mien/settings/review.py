"""What is asked of a review: where decisions go, and where the page answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.groups import OUTPUT, SERVICE, TRUST
from mien.settings.whole import WHOLE

__all__ = ["Reviewing"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reviewing:
    """Where decisions go, where the page answers, and what is looked for.

    Attributes:
        out: Table of decisions to write, whole at every step, for 'mien study --corrections'.
        resume: Go on with that table, and with the decisions in it.
        port: Port of this machine to answer at. Default: any that is free.
        check_labels: Rank doubtful labels by what a probe would say. Default: for up to 5,000 photos.
    """

    out: Annotated[str, Parameter(group=OUTPUT)] = "corrections.csv"
    resume: Annotated[bool, Parameter(group=OUTPUT)] = False
    port: Annotated[int | None, WHOLE, Parameter(group=SERVICE)] = None
    check_labels: Annotated[bool | None, Parameter(group=TRUST, negative="--no-check-labels")] = None

    def __post_init__(self) -> None:
        if self.port is not None and not 0 < self.port < 65536:
            raise ConfigError(f"--port {self.port}: must be from 1 to 65535")
