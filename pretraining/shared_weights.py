"""Weights that several shipped models share, stored once: ONNX files that point into safetensors files beside them.

Each shipped recogniser is made of a backbone of the scene and one of the face, 7 MB each with 16 bits. ONNX lets a
tensor lie in another file ("external data"), and a safetensors file is a header and the bare tensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from mien.data.reading.preprocess import View
from mien.models.artifact import SHIPPED, Contract, shipped, write_model
from mien.models.backbones import Backbone
from mien.models.export import joined, with_linear_heads
from mien.models.exports import exported
from mien.models.quantize import with_sixteen_bits
from mien.training.head import Head

__all__ = ["assembled", "store", "with_shared", "write_shipped"]

LEAST = 1024
"""Bytes below which a tensor stays in the ONNX file."""


def assembled(
    backbones: tuple[Backbone, Backbone], views: tuple[View, ...], heads: tuple[Head, Head], folder: Path
) -> Any:
    """A model of a scene's and a face's backbone, with a head for photos with a scene and one for those without."""
    sized = zip(backbones, (view.size for view in views), strict=True)
    streams = [onnx.load(exported(backbone, size, folder)) for backbone, size in sized]
    return with_sixteen_bits(with_linear_heads(joined(streams, views), *heads))


def write_shipped(name: str, model: Any, contract: Contract) -> None:
    """Write a model that comes with mien, with its weights left to the files that share them."""
    file, stores = SHIPPED[name]
    for prefix, each in zip(("scene", "face"), stores, strict=True):
        if not shipped(each).exists():
            store(model, prefix, shipped(each))
    write_model(with_shared(model, [shipped(each) for each in stores]), contract, shipped(file))


def store(model: Any, prefix: str, path: Path) -> None:
    """Write the large tensors of one stream of a model as a safetensors file.

    Args:
        prefix: of the names of the stream's tensors, ``scene`` or ``face``.
    """
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.name.startswith(prefix)}
    large = {name: np.ascontiguousarray(values) for name, values in tensors.items() if values.nbytes >= LEAST}
    safetensors.numpy.save_file(large, path)


def with_shared(model: Any, stores: list[Path]) -> Any:
    """The model with each tensor that one of the files holds, byte for byte, left to that file."""
    places = {content: place for path in stores for content, place in _places(path).items()}
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor)
        place = places.get(_key(values)) if values.nbytes >= LEAST else None
        if place is not None:
            _point(tensor, *place)
    return made


def _places(path: Path) -> dict[tuple[str, tuple[int, ...], bytes], tuple[str, int, int]]:
    """Content of each tensor of a safetensors file → the file's name, and where its bytes begin and how many."""
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])
    found = {}
    for name, values in safetensors.numpy.load_file(path).items():
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
