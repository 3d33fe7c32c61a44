"""A model, opened where its head can be exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.data.measuring.runtime import open_session
from mien.data.tables.traits import CollectionTraits
from mien.errors import ModelError
from mien.models.artifact import HASH_LENGTH, METADATA_KEY, Contract, whole_model
from mien.models.export import save_model
from mien.training.linear import Head
from mien.version import __version__

__all__ = ["HeadModel", "adapted_contract"]

FEATURES = "features"
"""Name of the tensor before the head, as ``mien.models.export.joined`` gives it."""


class HeadModel:
    """Features of a model, and its heads.

    Attributes:
        heads: ``head``, and where the model has one, ``face_head``, which answers for face crops instead.
    """

    def __init__(self, path: Path, contract: Contract) -> None:
        """Open a model file.

        Raises:
            ModelError: if it has no linear head.
        """
        self._model: Any = whole_model(path)  # type: ignore[explicit-any]  # onnx has no types
        self._contract = contract
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in self._model.graph.initializer}
        names = [name for name in ("head", "face_head") if f"{name}.weight" in stored]
        if not names:
            raise ModelError(
                f"{path}: has no head that could be exchanged; give a model as this version's studies write it"
            )
        self.heads: dict[str, Head] = {name: (stored[f"{name}.weight"], stored[f"{name}.bias"]) for name in names}
        seen = onnx.ModelProto()
        seen.CopyFrom(self._model)
        seen.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
        self._session = open_session(seen.SerializeToString())

    def features(self, views: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features (N, D) of pixels, by the keys of the views."""
        pixels = {view.name: views[view.key] for view in self._contract.views}
        return np.asarray(self._session.run([FEATURES], pixels)[0], np.float32)

    def save(self, name: str, head: Head, contract: Contract, folder: Path) -> None:
        """Write ``model.onnx`` with another head.

        Args:
            name: of the head that is exchanged.
        """
        made = onnx.ModelProto()
        made.CopyFrom(self._model)
        for part, values in zip(("weight", "bias"), head, strict=True):
            (tensor,) = (each for each in made.graph.initializer if each.name == f"{name}.{part}")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        for entry in [each for each in made.metadata_props if each.key == METADATA_KEY]:
            made.metadata_props.remove(entry)
        save_model(made, contract, folder)


def adapted_contract(before: Contract, way: str, target: CollectionTraits, seen: Iterable[str]) -> Contract:
    """The contract of an adapted model, which says so.

    What the first answers were worth, and what could be promised of them, does not hold for the new ones.

    Args:
        way: how it was adapted.
        target: traits of the collection it was fitted to.
        seen: sha256 of that collection's photos which it was fitted to.
    """
    return replace(
        before,
        recipe=f"{before.recipe}, adapted to {target.name}: {way}",
        max_error=None,
        thresholds=(),
        measured=None,
        card=None,
        collections=tuple(dict.fromkeys([*before.collections, target.name])),
        training_hashes=before.training_hashes | {sha[:HASH_LENGTH] for sha in seen},
        traits=(*before.traits, target),
        mien_version=__version__,
    )
