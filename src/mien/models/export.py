"""A trained network → ``model.onnx`` with its contract, and ``model.safetensors`` for further training."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.compose
import safetensors.torch
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from mien.data.reading.preprocess import View
from mien.models.artifact import Contract, write_model
from mien.models.networks import PhotoNetwork, as_one
from mien.system.files import written_whole

__all__ = ["export_model", "joined", "linear_heads", "save_model", "save_weights", "to_onnx", "with_linear_heads"]

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weight (K, D) and bias (K,)."""


@torch.no_grad()
def export_model(members: Sequence[PhotoNetwork], contract: Contract, folder: Path) -> None:
    """Write ``model.onnx`` and ``model.safetensors`` of networks of one view into a folder.

    Args:
        members: one network, or several whose logits are averaged; each uint8 (N, S, S, 3) → logits (N, K).
    """
    (view,) = contract.views
    save_weights(as_one(members), folder)
    features, heads = zip(*(member.parts() for member in members), strict=True)
    weight = torch.cat([head.weight for head in heads], 1) / len(heads)
    bias = torch.stack([head.bias for head in heads]).mean(0)
    streams = [to_onnx(each, view.size, view.name, "features") for each in features]
    model = with_linear_heads(joined(streams, [view] * len(streams)), (weight.numpy(), bias.numpy()))
    save_model(model, contract, folder)


def save_weights(network: nn.Module, folder: Path) -> None:
    """Write ``model.safetensors``, whole or not at all."""
    path, state = folder / "model.safetensors", network.cpu().state_dict()
    # Two streams can share a backbone, which is then stored once, under its first name.
    named = dict([*network.named_parameters(), *network.named_buffers()])
    with written_whole(path) as partial:
        safetensors.torch.save_file(
            {name: tensor.contiguous() for name, tensor in state.items() if name in named}, partial
        )


def save_model(model: Any, contract: Contract, folder: Path) -> None:
    """Write an ONNX model with its contract and checksum as ``model.onnx``, whole or not at all."""
    write_model(model, contract, folder / "model.onnx")


def to_onnx(network: nn.Module, size: int, name: str, output: str) -> Any:
    """A network of one view, uint8 (N, size, size, 3), as an ONNX model with input ``name`` and one output."""
    # Two images, because a batch of one would be taken for a constant.
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    for module in network.modules():
        if hasattr(module, "inplace"):  # the exporter takes twice as long to trace what changes its input
            module.inplace = False  # type: ignore[assignment]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network.eval().cpu(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[name],
            output_names=[output],
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )
    return _without_traces(program.model_proto)  # type: ignore[union-attr]


def _without_traces(model: Any) -> Any:
    """A model without what PyTorch notes at each of its parts: lines of code, with the paths of this machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
    return model


def joined(streams: Sequence[Any], views: Sequence[View]) -> Any:
    """Models of one view each as one model of all views, whose features stand side by side.

    Args:
        streams: ONNX models with one input, uint8 (n, S, S, 3), and one output, features (n, D). What several of them
            hold is stored once.
        views: name the inputs; streams of the same view share one.

    Returns:
        An ONNX model with one output ``features`` (n, D + D' + …).
    """
    model = onnx.ModelProto()
    model.CopyFrom(streams[0])
    model.ClearField("graph")
    graph, stored, parts = model.graph, dict[tuple[Any, ...], str](), list[str]()
    graph.name = "features"
    for place, (stream, view) in enumerate(zip(streams, views, strict=True)):
        part = onnx.compose.add_prefix(stream, f"{view.name}{place}/").graph
        (pixels,), (features,) = part.input, part.output
        names: dict[str, str] = {pixels.name: view.name}
        pixels.name = view.name
        for tensor in part.initializer:
            content = (tensor.data_type, *tensor.dims, numpy_helper.to_array(tensor).tobytes())
            names[tensor.name] = stored.setdefault(content, tensor.name)
            if names[tensor.name] == tensor.name:
                graph.initializer.append(tensor)
        for node in part.node:
            node.input[:] = [names.get(value, value) for value in node.input]
        graph.node.extend(part.node)
        if view.name not in [each.name for each in graph.input]:
            graph.input.append(pixels)
        parts.append(features.name)
    graph.node.append(helper.make_node("Concat", parts, ["features"], axis=1))
    width = sum(stream.graph.output[0].type.tensor_type.shape.dim[1].dim_value for stream in streams)
    graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width]))
    return model


def with_linear_heads(features: Any, head: Layer, face_head: Layer | None = None) -> Any:
    """An ONNX model of features with a linear layer behind it.

    Args:
        features: model with one output (N, D).
        head: weight (K, D) and bias (K,).
        face_head: the layer for pictures whose first input is of one colour; ``head`` for all where None.

    Returns:
        A model with the same inputs and one output ``logits`` (N, K).
    """
    model = onnx.ModelProto()
    model.CopyFrom(features)
    graph = model.graph
    name = graph.output[0].name
    _add_layer(graph, name, "head", head, "logits" if face_head is None else "head.logits")
    if face_head is not None:
        _add_layer(graph, name, "face_head", face_head, "face_head.logits")
        first = graph.input[0].name
        graph.initializer.append(numpy_helper.from_array(np.array([1, 2, 3]), "all_axes"))
        graph.initializer.append(numpy_helper.from_array(np.array([-1, 1]), "one_column"))
        graph.node.extend(
            [
                helper.make_node("ReduceMax", [first, "all_axes"], ["brightest"]),
                helper.make_node("ReduceMin", [first, "all_axes"], ["darkest"]),
                helper.make_node("Equal", ["brightest", "darkest"], ["is_blank"]),
                helper.make_node("Reshape", ["is_blank", "one_column"], ["has_no_scene"]),
                helper.make_node("Where", ["has_no_scene", "face_head.logits", "head.logits"], ["logits"]),
            ]
        )
    graph.output.pop()
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(head[1])]))
    return model


def linear_heads(model: Any) -> dict[str, Layer]:
    """The linear layers of a model as ``with_linear_heads`` makes it: ``head``, and ``face_head`` where it has one."""
    stored = {tensor.name.removesuffix(".half"): tensor for tensor in model.graph.initializer}

    def values(name: str) -> NDArray[np.float32]:
        return np.asarray(numpy_helper.to_array(stored[name]), np.float32)

    names = [name for name in ("head", "face_head") if f"{name}.weight" in stored]
    return {name: (values(f"{name}.weight"), values(f"{name}.bias")) for name in names}


def _add_layer(graph: Any, features: str, name: str, layer: Layer, output: str) -> None:
    weight, bias = layer
    graph.initializer.append(numpy_helper.from_array(weight, f"{name}.weight"))
    graph.initializer.append(numpy_helper.from_array(bias, f"{name}.bias"))
    graph.node.append(helper.make_node("Gemm", [features, f"{name}.weight", f"{name}.bias"], [output], transB=1))
