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
from mien.training.linear import Head

__all__ = ["assembled", "store_weights", "with_shared", "write_shipped"]

LEAST = 1024
"""Bytes below which a tensor stays in the ONNX file."""


def assembled(
    backbones: tuple[Backbone, Backbone], views: tuple[View, ...], heads: tuple[Head, Head], folder: Path
) -> Any:
    """A model of a scene's and a face's backbone, with a head for photos with a scene and one for those without."""
    sized = zip(backbones, (view.size for view in views), strict=True)
    streams = [onnx.load(exported(backbone, size, folder)) for backbone, size in sized]
    return with_sixteen_bits(with_linear_heads(joined(streams, views), *heads))


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
    if used != places.keys():
        raise SystemExit("the files of shared weights are those of other backbones; run fit_six.py first")
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
