"""The recognisers that come with mien: their versions, and the weights that they share."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien import Recognizer
from mien.data.measuring.runtime import open_session
from mien.demo import draw_face
from mien.errors import ModelError
from mien.models import artifact
from mien.models.artifact import NEWEST, SHIPPED, model_path, open_model, shipped, whole_model
from mien.models.backbones import load_backbone
from mien.models.quantize import with_eight_bits, with_sixteen_bits
from mien.version import NUMBERS

OF_EXPRESSION = sorted(name for name, (_, stores) in SHIPPED.items() if "expression.safetensors" in stores)
"""Those whose faces are seen by the backbone that recipes use."""
WIDTHS = 1280, 2024
"""Features of the scene, and of the face behind them."""


def test_other_weights_are_other_numbers() -> None:
    """Whoever changes them raises ``NUMBERS``, so that nothing is made by two backbones of one name."""
    assert (NUMBERS, load_backbone("expression").sha256[:12]) == (2, "377caf2c8df5")


@pytest.mark.parametrize("name", SHIPPED)
def test_large_weights_lie_in_the_files_that_are_checked(name: str) -> None:
    """So none is stored twice, and a model is no larger than its graph and its head."""
    file, stores = SHIPPED[name]
    model = onnx.load(str(shipped(file)), load_external_data=False)
    tensors = [each for each in model.graph.initializer if each.data_location == TensorProto.EXTERNAL]
    places = {entry.value for each in tensors for entry in each.external_data if entry.key == "location"}
    assert places == set(stores)
    assert shipped(file).stat().st_size < 0.8e6
    assert sum(np.prod(each.dims) for each in tensors) > 6e6


@pytest.mark.parametrize("name", OF_EXPRESSION)
def test_faces_are_seen_as_recipes_see_them(name: str) -> None:
    """A head that starts from ``default`` learns from the same features, and one file holds the weights of both."""
    backbone, (scene, face) = load_backbone("expression"), open_model(model_path(name))[1].views
    rng = np.random.default_rng(0)
    pixels = {each.name: rng.integers(0, 256, (3, each.size, each.size, 3), dtype=np.uint8) for each in (scene, face)}
    session = open_session(features_alone(name))
    (found,) = session.run(None, pixels)
    with torch.inference_mode():
        expected = backbone.network()(torch.from_numpy(pixels[face.name])).numpy()
    assert found.shape == (3, sum(WIDTHS))
    assert np.abs(found[:, WIDTHS[0] :] - expected).max() <= 1e-4
    assert backbone.sha256 in [each.sha256 for each in open_model(model_path(name))[1].backbones]


def features_alone(name: str) -> bytes:
    """A model that gives what its heads are given."""
    model = whole_model(model_path(name))
    (name_of_features,) = {node.input[0] for node in model.graph.node if node.op_type == "Gemm"}
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(name_of_features, TensorProto.FLOAT, ["n", sum(WIDTHS)]))
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("name", SHIPPED)
def test_damaged_weights_beside_a_model_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(shipped(""), tmp_path / "weights")
    monkeypatch.setattr(artifact, "shipped", lambda file: tmp_path / "weights" / file)
    open_model(model_path(name))
    for store in SHIPPED[name][1]:
        path = tmp_path / "weights" / store
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ModelError, match=f"{store}.*install mien again"):
            open_model(model_path(name))
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["default@1", "six@1"])
def test_version_1_answers_as_it_did(name: str) -> None:
    """Results name the version that gave them, and are read years later."""
    recognizer = Recognizer(name)
    assert recognizer.labels == ("anger", "disgust", "fear", "happy", "pain", "sad")
    for name, expected in FACES.items():
        found = recognizer.predict(draw_face(name, 0)).probabilities
        assert found is not None
        assert list(found.values()) == pytest.approx(expected, abs=1e-3)


FACES = {
    "happy": (0.0022, 0.0768, 0.0443, 0.6597, 0.0023, 0.2146),
    "fear": (0.0016, 0.0042, 0.9714, 0.0014, 0.0002, 0.0212),
    "sad": (0.0023, 0.1542, 0.4023, 0.0074, 0.0049, 0.4288),
}
"""A drawn face → what version 1 gave it when it was released."""


def test_a_name_alone_is_the_newest_version() -> None:
    for name, newest in NEWEST.items():
        versions = [int(each.partition("@")[2]) for each in SHIPPED if each.startswith(f"{name}@")]
        assert newest == f"{name}@{max(versions)}"
        assert model_path(name) == model_path(newest)


# -- weights with fewer bits ---------------------------------------------------------------------------------------


def with_a_normalisation() -> onnx.ModelProto:
    """A convolution of 2,048 channels with a normalisation behind it, whose variances are small."""
    rng = np.random.default_rng(0)
    tensors: dict[str, NDArray[np.float32]] = {
        "weight": rng.normal(size=(2048, 3, 1, 1)).astype(np.float32),
        "scale": np.full(2048, 1e-4, np.float32),
        "shift": np.zeros(2048, np.float32),
        "mean": np.zeros(2048, np.float32),
        "variance": rng.uniform(1e-9, 1e-8, 2048).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["before"]),
        helper.make_node("BatchNormalization", ["before", "scale", "shift", "mean", "variance"], ["y"], epsilon=0.0),
    ]
    graph = helper.make_graph(
        nodes,
        "normalised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2048, 4, 4])],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize(("narrowed", "off"), [(with_sixteen_bits, 1e-3), (with_eight_bits, 1e-3)])
def test_a_normalisation_keeps_its_bits(narrowed: object, off: float) -> None:
    """A variance of 1e-9 is zero with 16 bits, and what is divided by it endless."""
    assert callable(narrowed)
    model = with_a_normalisation()
    image = np.random.default_rng(1).normal(size=(1, 3, 4, 4)).astype(np.float32)
    before, after = (
        open_session(each.SerializeToString()).run(None, {"x": image})[0] for each in (model, narrowed(model))
    )
    assert np.linalg.norm(before - after) <= off * np.linalg.norm(before)
