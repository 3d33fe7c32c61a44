"""Where to compute: a processor or GPUs, and how many of them.

``cuda:4`` means four GPUs here. In PyTorch it means GPU no. 4, so what PyTorch calls ``cuda:0`` and ``cuda:1`` is
refused with the way to choose a GPU: the variable ``CUDA_VISIBLE_DEVICES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from cyclopts import Parameter, Token

from mien.errors import ConfigError
from mien.settings.choices import check_choice

__all__ = ["DEVICE", "Device", "check_device", "device_count", "device_kind"]

Device = Literal["auto", "cpu", "cuda", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7", "cuda:8"]
"""At most eight GPUs: the photos of an update are divided among them, and recipes have 32."""


def device_kind(device: str) -> str:
    """``cpu`` or ``cuda`` (or ``auto``), however many there are."""
    return device.partition(":")[0]


def device_count(device: str) -> int:
    """How many processes train a network together: as many as there are GPUs."""
    return int(device.partition(":")[2] or 1)


def check_device(device: str) -> None:
    """Refuse what is no device, and numbers of single GPUs.

    Raises:
        ConfigError: for such a device.
    """
    if device in ("cuda:0", "cuda:1"):
        raise ConfigError(
            f"--device {device}: the number is how many GPUs to use, from 2; for a single one give cuda, and choose it "
            f"with CUDA_VISIBLE_DEVICES={device[-1]} in the environment"
        )
    check_choice("device", device, get_args(Device))


def _converted(_: object, tokens: Sequence[Token]) -> str:
    check_device(tokens[0].value)
    return tokens[0].value


DEVICE = Parameter(converter=_converted)
"""Beside the type of an option that is a device."""
