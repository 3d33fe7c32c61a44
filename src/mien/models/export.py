"""A trained network → ``model.onnx`` with its contract, and ``model.safetensors`` for further training."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import onnx
import safetensors.torch
import torch
from torch import nn

from mien.models.artifact import METADATA_KEY, Contract

__all__ = ["export_model"]


def export_model(network: nn.Module, contract: Contract, folder: Path) -> Path:
    """Write ``model.onnx`` and ``model.safetensors`` into a folder, each whole or not at all.

    Args:
        network: takes one uint8 (N, S, S, 3) tensor a view, in the contract's order, and returns logits (N, K).
    """
    network = network.eval().to("cpu")
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    weights = folder / "model.safetensors"
    safetensors.torch.save_file(state, weights.with_suffix(".partial"))
    os.replace(weights.with_suffix(".partial"), weights)
    path = folder / "model.onnx"
    partial = folder / "model.onnx.partial"
    _export(network, contract, partial)
    model = onnx.load(str(partial))
    model.metadata_props.add(key=METADATA_KEY, value=contract.to_json())
    onnx.save(model, str(partial))
    os.replace(partial, path)
    return path


def _export(network: nn.Module, contract: Contract, path: Path) -> None:
    # Two images, because a batch of one would be taken for a constant.
    examples = tuple(torch.zeros(2, v.size, v.size, 3, dtype=torch.uint8) for v in contract.views)
    any_number = torch.export.Dim("n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            network,
            examples,
            str(path),
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=[view.name for view in contract.views],
            output_names=["logits"],
            dynamic_shapes=tuple({0: any_number} for _ in examples),
        )
