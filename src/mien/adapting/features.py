"""A model that was trained on frozen features, opened where its head can be exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import mien
from mien.data.runtime import onnxruntime
from mien.errors import ModelError
from mien.models.artifact import HASH_LENGTH, METADATA_KEY, Contract
from mien.models.export import save_model
from mien.training.head import Head

__all__ = ["HeadModel"]

FEATURES = "features"
"""Name of the tensor before the head, as ``mien.models.export.joined`` gives it."""


class HeadModel:
    """Features of a model, and the linear layer that answers for one kind of picture.

    Two-stream has two: ``head`` for photos with a scene, ``face_head`` for face crops.
    """

    def __init__(self, path: Path, contract: Contract, *, is_for_crops: bool) -> None:
        """Open a model file.

        Raises:
            ModelError: if it has no head on frozen features.
        """
        self._model: Any = onnx.load(str(path))
        self._contract = contract
        stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._name = "face_head" if is_for_crops and "face_head.weight" in stored else "head"
        if f"{self._name}.weight" not in stored:
            raise ModelError(f"{path}: has no head on frozen features; adapt two-stream or probe as a study wrote it")
        weight, bias = (numpy_helper.to_array(stored[f"{self._name}.{part}"]) for part in ("weight", "bias"))
        self.head: Head = (weight, bias)
        seen = onnx.ModelProto()
        seen.CopyFrom(self._model)
        seen.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        content = seen.SerializeToString()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def features(self, batches: Iterable[Mapping[str, NDArray[np.uint8]]]) -> NDArray[np.float32]:
        """Features (N, D) of views, a batch at a time, by the keys of the views."""
        parts = [
            self._session.run([FEATURES], {view.name: batch[view.key] for view in self._contract.views})[0]
            for batch in batches
        ]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])

    def save(self, head: Head, folder: Path, *, way: str, target: str, seen: Iterable[str]) -> None:
        """Write ``model.onnx`` with another head and a contract that says so.

        What the first head's answers were worth, and what could be promised of them, does not hold for this one.

        Args:
            way: how the head was made.
            target: name of the collection it was fitted to.
            seen: sha256 of that collection's photos which it was fitted to.
        """
        made = onnx.ModelProto()
        made.CopyFrom(self._model)
        for part, values in zip(("weight", "bias"), head, strict=True):
            (tensor,) = (each for each in made.graph.initializer if each.name == f"{self._name}.{part}")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        for entry in [each for each in made.metadata_props if each.key == METADATA_KEY]:
            made.metadata_props.remove(entry)
        contract = replace(
            self._contract,
            recipe=f"{self._contract.recipe}, adapted to {target}: {way}",
            max_error=None,
            thresholds=(),
            measured=None,
            collections=tuple(dict.fromkeys([*self._contract.collections, target])),
            training_hashes=self._contract.training_hashes | {sha[:HASH_LENGTH] for sha in seen},
            mien_version=mien.__version__,
        )
        save_model(made, contract, folder)
