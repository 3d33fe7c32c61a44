"""The file of the expression backbone: its weights with 16 bits, and what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["about_backbone", "write_backbone"]

LEARNT = {
    1: "FER2013's labels",
    2: "FER2013's labels, then what ten raters said of the same faces (FER+)",
}
"""What each version of the backbone learnt from."""
SIZE = 128
LICENCE = "for research only; see docs/MODEL_CARDS.md"


def write_backbone(halves: dict[str, Tensor], path: Path, *, version: int, seeds: int = 1) -> None:
    """Write a backbone.

    Args:
        halves: its weights, with 16 bits.
        seeds: how many trainings they are the mean of.
    """
    import safetensors.torch

    contract = {"size": SIZE, "version": version, "learnt": LEARNT[version], "seeds": seeds}
    contract |= {"collections": ["ImageNet-1k", "fer2013"], "licence": LICENCE}
    safetensors.torch.save_file(halves, path, metadata={"mien": json.dumps(contract)})
    path.chmod(0o644)  # safetensors lets its owner alone read it


def about_backbone(path: Path) -> dict[str, Any]:
    """What a backbone's file says of itself; one from before there were versions is the first."""
    with safetensors.safe_open(path, "numpy") as file:
        told: dict[str, Any] = json.loads((file.metadata() or {})["mien"])
    return {"version": 1, "seeds": 1} | told
