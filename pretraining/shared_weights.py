"""Weights that several shipped models share, stored once: ONNX files that point into safetensors files beside them.

Each shipped recogniser is made of a backbone of the scene and one of the face, 7 MB each with 16 bits. ONNX lets a
tensor lie in another file ("external data"), and a safetensors file is a header and the bare tensors.

PyTorch's exporter folds each normalisation into the convolution before it, so version 1 of ``expression`` is stored
twice: as PyTorch trains it further, and folded for the recognisers. From version 2 on the recognisers take the file
that PyTorch takes; ONNX Runtime folds the same when it opens a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.data.reading.preprocess import View
from mien.models.artifact import SHIPPED, Contract, shipped, write_model
from mien.models.backbones import Backbone
from mien.models.export import joined, with_linear_heads
from mien.models.exports import exported
from mien.models.quantize import with_sixteen_bits
from mien.training.linear import Head

__all__ = ["assembled", "store_weights", "unfolded", "with_shared", "write_shipped"]

LEAST = 1024
"""Bytes below which a tensor stays in the ONNX file, and numbers from which one of a file must be used."""


def assembled(
    backbones: tuple[Backbone, Backbone], views: tuple[View, ...], heads: Sequence[Head], folder: Path
) -> Any:
    """A model of a scene's and a face's backbone, the latter with the weights of its own file.

    Args:
        heads: one for all photos, or one for photos with a scene and one for those without.
    """
    scene, face = (
        onnx.load(exported(backbone, view.size, folder)) for backbone, view in zip(backbones, views, strict=True)
    )
    streams = [scene, unfolded(face, backbones[1].network())]
    return with_sixteen_bits(with_linear_heads(joined(streams, views), *heads))


def unfolded(model: Any, network: torch.nn.Module) -> Any:
    """An exported network whose convolutions have their own weights again, with their normalisations behind them.

    Args:
        network: in which a convolution's normalisation is the next that is defined.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, nodes = made.graph, list[Any]()
    behind = _normalisations(network)
    for node in graph.node:
        name = node.input[1].removesuffix(".weight") if node.op_type == "Conv" else ""
        nodes.extend([node] if name not in behind else _apart(node, behind[name]))
    state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    names = {name for node in nodes for name in node.input}
    tensors = {each.name: each for each in graph.initializer if each.name in names}
    tensors |= {name: numpy_helper.from_array(values, name) for name, values in state.items() if name in names}
    for field, values in ((graph.node, nodes), (graph.initializer, tensors.values())):
        del field[:]
        field.extend(values)
    return made


def _normalisations(network: torch.nn.Module) -> dict[str, tuple[str, float]]:
    """Name of each convolution → that of the normalisation behind it, and what this adds to the variance."""
    parts = dict(network.named_modules())
    convolutions = [name for name, part in parts.items() if isinstance(part, torch.nn.Conv2d)]
    norms = [(name, part.eps) for name, part in parts.items() if isinstance(part, torch.nn.BatchNorm2d)]
    return dict(zip(convolutions, norms, strict=True))


def _apart(node: Any, norm: tuple[str, float]) -> list[Any]:
    """A convolution with a folded normalisation as the two that it was made of."""
    (name, epsilon), (output,) = norm, node.output
    convolution = onnx.NodeProto()
    convolution.CopyFrom(node)
    convolution.input[:] = node.input[:2]
    convolution.output[:] = [f"{output}.before"]
    stored = [f"{name}.{each}" for each in ("weight", "bias", "running_mean", "running_var")]
    return [
        convolution,
        helper.make_node("BatchNormalization", [f"{output}.before", *stored], [output], epsilon=epsilon),
    ]


def store_weights(name: str, model: Any) -> None:
    """Write the files of weights that a model which comes with mien, and others with it, are to share."""
    for prefix, file in zip(("scene", "face"), SHIPPED[name][1], strict=True):
        stream = [t for t in model.graph.initializer if t.name.partition("/")[0].rstrip("0123456789") == prefix]
        tensors = {t.name: numpy_helper.to_array(t) for t in stream}
        large = {name: np.ascontiguousarray(values) for name, values in tensors.items() if values.nbytes >= LEAST}
        safetensors.numpy.save_file(large, shipped(file))
        shipped(file).chmod(0o644)  # safetensors lets its owner alone read it


def write_shipped(name: str, model: Any, contract: Contract) -> None:
    """Write a model that comes with mien, with its weights left to the files that it shares."""
    file, stores = SHIPPED[name]
    write_model(with_shared(model, [shipped(each) for each in stores]), contract, shipped(file))


def with_shared(model: Any, stores: list[Path]) -> Any:
    """The model with each tensor that one of the files holds, byte for byte, left to that file.

    Raises:
        SystemExit: if it is made of other weights than the files hold.
    """
    places = {content: place for path in stores for content, place in _places(path).items()}
    made, used = onnx.ModelProto(), set()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        key = _key(numpy_helper.to_array(tensor))
        if key in places:
            used.add(key)
            _point(tensor, *places[key])
    if any(np.prod(shape) >= LEAST for _, shape, _ in places.keys() - used):
        raise SystemExit("the files of shared weights are those of other backbones; see make weights for the order")
    return made


def _places(path: Path) -> dict[tuple[str, tuple[int, ...], bytes], tuple[str, int, int]]:
    """Content of each tensor of a safetensors file → the file's name, and where its bytes begin and how many."""
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])
    found = {}
    tensors = safetensors.numpy.load_file(path)
    for name, values in ((name, values) for name, values in tensors.items() if values.nbytes >= LEAST):
        first, end = header[name]["data_offsets"]
        found[_key(values)] = (path.name, 8 + length + first, end - first)
    return found


def _key(values: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    return str(values.dtype), values.shape, values.tobytes()


def _point(tensor: Any, name: str, offset: int, length: int) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", name), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
