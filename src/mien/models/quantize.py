"""Smaller model files: weights with 16 or 8 bits; what is computed with them keeps 32.

ONNX Runtime widens the weights once, when it opens the file. A normalisation keeps all bits, since a small variance has
no form with 16. Activations are left alone: ONNX Runtime's static
quantisation of both ran 1.09 times as fast here, and took 0.10 from the macro-F1 on the drawn demo.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["with_eight_bits", "with_sixteen_bits"]

LEAST = 1024
"""Numbers below which a tensor stays as it is."""
LEAST_COARSE = 20_000
"""Numbers below which a convolution keeps 16 bits: those near the pixels and the depthwise ones hold 5 % of the weights
of EfficientNet-lite0, and without them the logits move 0.6 to 0.75 times as far."""

Tensors = list[Any]
Narrow = Callable[[str, NDArray[np.float32]], tuple[Tensors, list[Any]]]
"""A weight's name and values → the tensors to store, and the nodes that make the weight of them."""


def with_sixteen_bits(model: Any) -> Any:
    """The model with its large weights as 16-bit floats; half the size of one with 32."""
    return _narrowed(model, _as_half)


def with_eight_bits(model: Any) -> Any:
    """The model with the weights of its large convolutions as 8-bit integers, the other large tensors with 16 bits.

    Each output channel has a scale of its own. The head is not made so coarse: it leans on features of every size.
    """

    def narrow(name: str, values: NDArray[np.float32]) -> tuple[Tensors, list[Any]]:
        if values.ndim < 3 or values.size < LEAST_COARSE:
            return _as_half(name, values)
        largest = np.abs(values).max(tuple(range(1, values.ndim)), keepdims=True)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        whole = numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}.whole")
        scales = numpy_helper.from_array(scale, f"{name}.scale")
        widened = helper.make_node("Cast", [whole.name], [f"{name}.wide"], to=TensorProto.FLOAT)
        return [whole, scales], [widened, helper.make_node("Mul", [f"{name}.wide", scales.name], [name])]

    return _narrowed(model, narrow)


def _as_half(name: str, values: NDArray[np.float32]) -> tuple[Tensors, list[Any]]:
    stored = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
    return [stored], [helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT)]


def _narrowed(model: Any, narrow: Narrow) -> Any:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    _widen(made.graph)  # a model with 16 bits, as those that come with mien, is narrowed like the one it was made of
    graph, nodes = made.graph, []
    kept = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input}
    large = [t for t in graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims) >= LEAST]
    for tensor in [each for each in large if each.name not in kept]:
        stored, widening = narrow(tensor.name, numpy_helper.to_array(tensor))
        graph.initializer.remove(tensor)
        graph.initializer.extend(stored)
        nodes.extend(widening)
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def _widen(graph: Any) -> None:
    """Store with 32 bits what ``_as_half`` stored with 16; nothing else has the name of what is made of it."""
    halves = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    for node in [each for each in graph.node if each.op_type == "Cast" and each.input[0] in halves]:
        (name,) = node.output
        tensor = halves[node.input[0]]
        if tensor.name != f"{name}.half":
            continue
        wide = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), name)
        graph.node.remove(node)
        graph.initializer.remove(tensor)
        graph.initializer.append(wide)
