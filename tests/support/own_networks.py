"""Small ONNX networks as other people export them, made without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE, CLASSES = 24, 3
KINDS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE}
KINDS |= {"uint8": TensorProto.UINT8}


def weights(channels: int = 3, classes: int = CLASSES) -> NDArray[np.float32]:
    """Of the one layer there is, (channels, classes): classes are told apart by the mean of each channel."""
    return np.random.default_rng(5).normal(size=(channels, classes)).astype(np.float32) * 4


def own_network(
    path: Path,
    *,
    shape: Sequence[int | str] = ("n", 3, SIZE, SIZE),
    kind: str = "float32",
    classes: int = CLASSES,
    last: str | None = None,
    opset: int = 17,
    further_nodes: Sequence[Any] = (),
    further_outputs: Sequence[str] = (),
    names: tuple[str, str] = ("input", "output"),
    scale: float = 1.0,
) -> Path:
    """Write a network: mean over the picture, one linear layer, and ``last``, such as Softmax.

    Args:
        shape: of the input; its layout is channels first where the second number is 1 or 3.
    """
    first = shape[1] in (1, 3)
    channels = shape[1] if first else shape[3]
    assert isinstance(channels, int)
    pixels, answers = names
    nodes = [
        helper.make_node("Cast", [pixels], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[2, 3] if first else [1, 2], keepdims=0),
        helper.make_node("MatMul", ["means", "weight"], ["logits"]),
        helper.make_node(last or "Identity", ["logits"], ["answers"]),  # the last axis is that of the classes
        *further_nodes,
        helper.make_node("Cast", ["answers"], [answers], to=KINDS[kind if kind != "uint8" else "float32"]),
    ]
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info(pixels, KINDS[kind], list(shape))],
        [
            helper.make_tensor_value_info(answers, KINDS[kind if kind != "uint8" else "float32"], None),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in further_outputs),
        ],
        [numpy_helper.from_array(weights(channels, classes) * np.float32(scale), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


def expected(
    pictures: NDArray[np.uint8], mean: float = 0.0, std: float = 1.0, white: float = 1.0
) -> NDArray[np.float64]:
    """What ``own_network`` of three channels answers, computed with NumPy: logits (N, K) of pixels (N, S, S, 3)."""
    shown = (pictures.astype(np.float64) / 255 * white - mean) / std
    return np.asarray(shown.mean((1, 2)) @ weights().astype(np.float64))
