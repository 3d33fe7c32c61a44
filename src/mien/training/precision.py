"""The precision a network is trained in, by a rule.

What decides is what the processor can do and how the network is built, never how long anything took: on a busy
machine the same command has to give the same numbers as on an idle one.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from mien.settings.devices import device_kind

__all__ = ["is_dense", "multiplies_bf16", "precision_by_rule", "processor_features"]

BF16_UNITS = frozenset({"amx_bf16", "avx512_bf16"})
"""Features of x86 processors that multiply bf16; without one of them oneDNN emulates it, up to 80 times slower than
fp32. Arm has such units too, but training on them was not measured."""
CPU_INFO = Path("/proc/cpuinfo")


def precision_by_rule(*, bf16_units: bool, dense: bool) -> Literal["fp32", "bf16"]:
    """bf16 where the device multiplies it and the network consists of such multiplications; else fp32.

    CPU time of a training step in fp32 over that in bf16, on one core with ``avx512_bf16``: 1.8 to 2.2 for EmotionCNN
    (48 to 224 px), 0.8 to 1.2 for EfficientNet-lite0 with its depthwise convolutions (128 and 224 px).
    """
    return "bf16" if bf16_units and dense else "fp32"


def is_dense(network: nn.Module) -> bool:
    """Whether every convolution of a network sees all channels, so that it is a matrix product."""
    return not any(getattr(module, "groups", 1) > 1 for module in network.modules() if _is_convolution(module))


def multiplies_bf16(device: str, features: Collection[str] | None = None) -> bool:
    """Whether a device has units for bf16.

    Args:
        device: ``cpu`` or ``cuda``, with the number of them behind where there are several.
        features: of the processor; None asks this one.
    """
    if device_kind(device) == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = processor_features() if features is None else features
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and not BF16_UNITS.isdisjoint(known)


def processor_features(info: Path = CPU_INFO) -> frozenset[str]:
    """What this processor can do, under the names that Linux and PyTorch share for x86; empty where nothing tells.

    Args:
        info: read where PyTorch, as versions before 2.9 or so, does not tell.
    """
    told: Any = getattr(torch.cpu, "get_capabilities", None)
    if told is not None:
        return frozenset(name for name, value in told().items() if value is True)
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
