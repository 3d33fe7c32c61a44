"""Which machines do the work that can be divided."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.groups import RARE

__all__ = ["Workers", "refuse_seconds"]

ELSEWHERE = re.compile(r"ray://[^\s/:@\[\]]+:\d{1,5}|ray://\[[0-9A-Fa-f:.]+\]:\d{1,5}")


@Parameter(name="*", group=RARE)
@dataclass(frozen=True, kw_only=True)
class Workers:
    """Which machines do the work that can be divided.

    Attributes:
        cluster: Have a Ray cluster do the work that can be divided: local starts one on this machine, auto finds the
            one that this machine belongs to, and ray://HOST:10001 is one elsewhere. Photos go to its machines.
            Default: no cluster.
    """

    cluster: str | None = None

    @property
    def are_elsewhere(self) -> bool:
        """Whether they may be on other machines, of which nobody knows what GPUs they have."""
        return self.cluster not in (None, "local")

    def __post_init__(self) -> None:
        if self.cluster in (None, "local", "auto"):
            return
        if not ELSEWHERE.fullmatch(self.cluster) or not 0 < int(self.cluster.rpartition(":")[2]) < 2**16:
            raise ConfigError(
                f"--cluster {self.cluster}: no address of a cluster; give local, auto, or one such as "
                "ray://head-node:10001"
            )


def refuse_seconds(workers: Workers, seconds: float | None) -> None:
    """Refuse a budget of time where trainings may share a machine, or have machines of different speed.

    Raises:
        ConfigError: for such a budget.
    """
    if workers.cluster is not None and seconds is not None:
        raise ConfigError(
            f"--cluster {workers.cluster}: with --seconds every training must have the same machine to itself; give "
            "--epochs or --updates"
        )
