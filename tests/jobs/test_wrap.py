"""Someone's own ONNX network: it answers as it did, is taken by every command, and is refused where it cannot serve."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import mien as package
from mien.app.batching import Batcher
from mien.app.limits import Limits
from mien.app.service import make_service
from mien.data.reading.preprocess import View, render
from mien.demo import draw_face
from mien.errors import ConfigError, MienError, ModelError, OutputError
from mien.evaluation.attention import occlusion_map
from mien.models.artifact import HASH_LENGTH
from support.outcomes import Outcome
from support.own_networks import SIZE, expected, own_network, weights
from support.studies import Study as Made

LABELS = ("anger", "happy", "sad")
KEY = f"face-{SIZE}"


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """(5, SIZE, SIZE, 3)."""
    faces = [render(draw_face(label, 1), View("face", SIZE), None) for label in LABELS]
    noise = np.random.default_rng(1).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    return np.concatenate([np.stack(faces), noise])


def logits(recognizer: package.Recognizer, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return recognizer.logits({KEY: pictures})


# -- what it answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [("n", 3, SIZE, SIZE), ("n", SIZE, SIZE, 3), (1, 3, SIZE, SIZE), ("n", 3, "h", "w")])
@pytest.mark.parametrize("kind", ["float32", "float16", "float64"])
def test_it_answers_as_the_network_does(
    shape: Sequence[int | str], kind: str, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = own_network(tmp_path / "own.onnx", shape=shape, kind=kind)
    found = package.wrap(path, LABELS, "face", out=tmp_path / "out.onnx", size=SIZE, mean=0.5, std=0.25)
    told = expected(pictures, mean=0.5, std=0.25)
    assert np.abs(logits(found, pictures) - told).max() <= (2e-2 if kind == "float16" else 1e-4)
    assert found.labels == LABELS
    assert found.contract.views == (View("face", SIZE),)
    assert found.model == str(tmp_path / "out.onnx")
    shares = np.exp(told - told.max(1, keepdims=True))
    assert np.allclose(found.probabilities({KEY: pictures}), shares / shares.sum(1, keepdims=True), atol=2e-2)


def test_each_channel_is_normalised_and_white_is_what_was_said(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    path = own_network(tmp_path / "own.onnx")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = package.wrap(path, LABELS, KEY, out=tmp_path / "a.onnx", mean=mean, std=std)
    told = ((pictures / 255 - mean) / std).mean((1, 2)) @ weights()
    assert np.abs(logits(found, pictures) - told).max() <= 1e-4
    found = package.wrap(path, LABELS, KEY, out=tmp_path / "b.onnx", white=255, mean=127.5, std=127.5)
    assert np.abs(logits(found, pictures) - expected(pictures, mean=0.5, std=0.5)).max() <= 1e-4
    found = package.wrap(path, LABELS, KEY, out=tmp_path / "c.onnx", channels="bgr")
    assert np.abs(logits(found, pictures) - expected(pictures[..., ::-1])).max() <= 1e-4


@pytest.mark.parametrize("shape", [("n", 1, SIZE, SIZE), ("n", SIZE, SIZE, 1)])
def test_a_grey_network_sees_luma(shape: Sequence[int | str], pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    found = package.wrap(own_network(tmp_path / "own.onnx", shape=shape), LABELS, out=tmp_path / "out", std=0.5)
    grey = np.stack([np.asarray(Image.fromarray(each).convert("L"), np.float64) for each in pictures])
    told = (grey / 255 / 0.5).mean((1, 2))[:, None] @ weights(1)
    assert np.abs(logits(found, pictures) - told).max() <= 0.5 / 255 / 0.5 * np.abs(weights(1)).max() + 1e-4
    assert (tmp_path / "out/model.onnx").is_file()


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_a_network_of_whole_numbers_is_left_to_itself(
    channels: Any, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = own_network(tmp_path / "own.onnx", kind="uint8", shape=("n", SIZE, SIZE, 3))
    found = package.wrap(path, LABELS, out=tmp_path / "out.onnx", channels=channels)
    order = slice(None) if channels == "rgb" else slice(None, None, -1)
    assert np.allclose(logits(found, pictures), expected(pictures[..., order], white=255), rtol=1e-4, atol=1e-2)
    with pytest.raises(ConfigError, match="whole numbers"):
        package.wrap(path, LABELS, out=tmp_path / "b.onnx", mean=0.5)


def test_probabilities_come_out_as_they_were(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    plain = package.wrap(own_network(tmp_path / "a.onnx"), LABELS, out=tmp_path / "plain.onnx")
    path = own_network(tmp_path / "b.onnx", last="Softmax")
    for number, outputs in enumerate((None, "probabilities")):
        found = package.wrap(path, LABELS, out=tmp_path / f"{number}.onnx", outputs=outputs)  # type: ignore[arg-type]
        assert np.allclose(found.probabilities({KEY: pictures}), plain.probabilities({KEY: pictures}), atol=1e-5)
    with pytest.raises(ModelError, match="probabilities"):
        package.wrap(path, LABELS, out=tmp_path / "no.onnx", outputs="logits")
    with pytest.raises(ModelError, match="do not sum to 1"):
        package.wrap(tmp_path / "a.onnx", LABELS, out=tmp_path / "no.onnx", outputs="probabilities")


def test_a_temperature_is_kept_and_fitted(tmp_path: Path) -> None:
    path = own_network(tmp_path / "own.onnx", scale=30)
    cold = package.wrap(path, LABELS, out=tmp_path / "a.onnx", temperature=2.5)
    assert cold.contract.temperature == 2.5
    photos = [np.asarray(draw_face(label, i).resize((48, 48))) for i in range(6) for label in LABELS]
    fitted = package.wrap(
        path, LABELS, out=tmp_path / "b.onnx", validation={"image": [_png(p) for p in photos], "label": LABELS * 6}
    )
    assert fitted.contract.temperature > 3, "a network that is far too sure is made less so"
    with pytest.raises(ConfigError, match="one of them"):
        package.wrap(path, LABELS, out=tmp_path / "c.onnx", temperature=2, validation=tmp_path)
    assert not (tmp_path / "c.onnx").exists()


def _png(image: NDArray[np.uint8]) -> bytes:
    into = io.BytesIO()
    Image.fromarray(image).save(into, format="PNG")
    return into.getvalue()


def test_names_of_the_network_do_not_matter(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    for number, names in enumerate([("face", "logits.out"), ("mien/0", "mien/answers"), ("x", "face")]):
        path = own_network(tmp_path / f"own-{number}.onnx", names=names)
        found = package.wrap(path, LABELS, out=tmp_path / f"{number}.onnx")
        assert np.abs(logits(found, pictures) - expected(pictures)).max() <= 1e-4


def test_weights_in_files_beside_it_come_along(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    (tmp_path / "their").mkdir()
    model = onnx.load(str(own_network(tmp_path / "own.onnx")))
    path = tmp_path / "their/own.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="own.data", size_threshold=0)
    assert (tmp_path / "their/own.data").is_file()
    found = package.wrap(path, LABELS, out=tmp_path / "out.onnx")
    assert np.abs(logits(found, pictures) - expected(pictures)).max() <= 1e-4
    (tmp_path / "their/own.data").unlink()
    with pytest.raises(ModelError):
        package.wrap(path, LABELS, out=tmp_path / "again.onnx")
    assert np.abs(logits(package.Recognizer(tmp_path / "out.onnx"), pictures) - expected(pictures)).max() <= 1e-4


def test_one_of_several_outputs(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    path = own_network(tmp_path / "own.onnx", further_outputs=["means"])
    with pytest.raises(ModelError, match="means"):
        package.wrap(path, LABELS, out=tmp_path / "out.onnx")
    found = package.wrap(path, LABELS, out=tmp_path / "out.onnx", output="output")
    assert np.abs(logits(found, pictures) - expected(pictures)).max() <= 1e-4
    assert (
        np.abs(
            logits(package.wrap(path, LABELS, out=tmp_path / "b.onnx", output="means", outputs="logits"), pictures)
        ).max()
        <= 1
    )


def test_a_file_that_lists_its_weights_as_inputs(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    """As programs wrote them before version 4 of the format."""
    path = own_network(tmp_path / "own.onnx", opset=9)
    model = onnx.load(str(path))
    model.graph.input.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, [3, 3]))
    model.ir_version = 3
    onnx.save(model, str(path))
    found = package.wrap(path, LABELS, out=tmp_path / "out.onnx")
    assert np.abs(logits(found, pictures) - expected(pictures)).max() <= 1e-4


# -- where it goes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = own_network(tmp_path / "own.onnx")
    package.wrap(path, LABELS, out=tmp_path / "mine.onnx", licence="MIT", data="our lab")
    return tmp_path / "mine.onnx"


def test_every_command_takes_it(own: Path, small_set: Path, mien: Callable[..., Outcome], tmp_path: Path) -> None:
    draw_face("happy", 3).save(tmp_path / "face.png")
    predicted = mien("predict", tmp_path / "face.png", "--model", own, "--jsonl")
    assert predicted.code == 0, predicted.complaint
    assert set(json.loads(predicted.out)["probabilities"]) == set(LABELS)
    evaluated = mien("evaluate", own, small_set, "--json", "--out", "scored")
    assert evaluated.code == 0, evaluated.complaint
    assert json.loads(evaluated.out)["target"]["shared"]["images"] > 0
    before = package.Recognizer(own)
    picture = render(draw_face("happy", 3), View("face", SIZE), None)[None]
    exported = mien("export", own, "--out", "copy.onnx")
    assert exported.code == 0, exported.complaint
    after = package.Recognizer(tmp_path / "copy.onnx")
    assert np.allclose(logits(after, picture), logits(before, picture), atol=0.05)
    for precision in ("fp16", "int8"):  # this network has too few weights for a narrower file to be smaller
        assert mien("export", own, "--precision", precision, "--out", f"{precision}.onnx").code == 2
        assert not (tmp_path / f"{precision}.onnx").exists()
    refused = mien("adapt", own, small_set)
    assert (refused.code, refused.complaint.count("\n")) == (2, 0)


def test_it_is_served(own: Path) -> None:
    recognizer = package.Recognizer(own)
    batcher = Batcher(recognizer, most_waiting=4)
    limits = Limits(body=300_000, images=4, pixels=500_000, calls=8, waiting=4, seconds=20)
    client = TestClient(make_service(recognizer, batcher, limits=limits, token=None), base_url="http://127.0.0.1")
    try:
        picture = draw_face("happy", 3)
        sent = ("images", ("a.png", _png(np.asarray(picture)), "image/png"))
        (answer,) = client.post("/v1/predict", files=[sent]).json()
        told = recognizer.predict(picture).probabilities
        assert told is not None
        assert answer["probabilities"] == pytest.approx(told, abs=1e-6)
    finally:
        batcher.close()


def test_it_is_evaluated_explained_and_copied(own: Path, small_set: Path) -> None:
    recognizer = package.Recognizer(own)
    found = package.evaluate(recognizer, str(small_set), progress=False)
    assert found.scores.images > 0
    falls = occlusion_map(recognizer, draw_face("sad", 2), None)
    assert falls.shape == (8, 8)
    assert falls.max() > 0
    assert pickle.loads(pickle.dumps(recognizer)).labels == LABELS
    (origin,) = recognizer.contract.backbones
    assert (origin.name, origin.licence) == ("own.onnx", "MIT")
    assert recognizer.contract.collections == ("our lab",)


def test_photos_of_its_study_are_known_again(small_study: Made, tmp_path: Path) -> None:
    study = package.Study.open(small_study.folder)
    path = own_network(tmp_path / "own.onnx", classes=len(study.results.labels))
    found = package.wrap(path, study.results.labels, out=tmp_path / "out.onnx", study=study)
    manifest = pl.read_parquet(small_study.folder / "manifest.parquet")
    learnt = manifest.filter(pl.col("split").is_in(["train", "val"]))
    assert found.contract.training_hashes == {sha[:HASH_LENGTH] for sha in learnt["sha256"]}
    assert found.contract.collections == tuple(learnt["source"].unique())
    evaluated = package.evaluate(found, str(small_study.data), progress=False)
    assert evaluated.target.seen_in_training >= len(learnt)


# -- what is refused --------------------------------------------------------------------------------------------------


def nodes(*each: Any) -> list[Any]:
    return list(each)


def constant(values: Any, name: str) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(values), name))


def dropping(path: Path) -> Path:
    """A network that was exported while it was trained: its dropout draws anew each time."""
    return _changed(
        path,
        lambda graph: graph.node.insert(
            len(graph.node) - 1,
            helper.make_node("RandomNormalLike", ["logits"], ["noise"]),
        ),
        last=("Add", ["logits", "noise"]),
    )


def of_the_batch(path: Path) -> Path:
    """A network whose normalisation is that of the batch."""

    def change(graph: Any) -> None:
        graph.node.insert(
            len(graph.node) - 1, helper.make_node("ReduceMean", ["logits"], ["of_all"], axes=[0], keepdims=1)
        )

    return _changed(path, change, last=("Sub", ["logits", "of_all"]))


def one_at_a_time(path: Path) -> Path:
    """A network that cannot take two pictures at once."""

    def change(graph: Any) -> None:
        graph.node.insert(len(graph.node) - 1, constant(np.array([1, 3], np.int64), "one"))

    return _changed(path, change, last=("Reshape", ["logits", "one"]))


def _changed(path: Path, change: Callable[[Any], None], last: tuple[str, list[str]]) -> Path:
    model = onnx.load(str(own_network(path)))
    graph = model.graph
    identity = next(node for node in graph.node if node.op_type == "Identity")
    graph.node.remove(identity)
    change(graph)
    graph.node.insert(len(graph.node) - 1, helper.make_node(last[0], last[1], ["answers"]))
    onnx.save(model, str(path))
    return path


def of_two_inputs(path: Path) -> Path:
    model = onnx.load(str(own_network(path)))
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ["n", 3]))
    onnx.save(model, str(path))
    return path


def of_bytes(path: Path) -> Path:
    path.write_bytes(b"no network at all")
    return path


def damaged(path: Path) -> Path:
    content = own_network(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def of_an_unknown_operator(path: Path) -> Path:
    model = onnx.load(str(own_network(path)))
    model.graph.node[2].op_type = "NoSuchOperator"
    onnx.save(model, str(path))
    return path


def network(**changes: Any) -> Callable[[Path], Path]:
    return lambda path: own_network(path, **changes)


REFUSED: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "too many classes": (network(classes=4), {}, "4 numbers"),
    "too few classes": (network(classes=2), {}, "2 numbers"),
    "not finite": (network(scale=float("nan")), {}, "finite"),
    "endless with this std": (network(scale=1e30), {"std": 1e-30}, "finite"),
    "not square": (network(shape=("n", 3, SIZE, SIZE + 8)), {}, "square"),
    "of any size": (network(shape=("n", 3, "h", "w")), {}, "size="),
    "of another size than was said": (network(), {"size": SIZE + 8}, "size="),
    "of two channels": (network(shape=("n", SIZE, SIZE, 3)), {"layout": "nchw"}, "channels"),
    "of unclear layout": (network(shape=("n", 3, 3, 3)), {}, "layout="),
    "of rows": (network(shape=("n", 3, SIZE)), {}, "pictures"),
    "of two inputs": (of_two_inputs, {}, "2 inputs"),
    "of no such output": (network(), {"output": "nothing"}, "nothing"),
    "yes or no for each class": (network(last="Sigmoid"), {}, "sum to 1"),
    "of whole numbers": (network(kind="uint8"), {"mean": 0.5}, "whole numbers"),
    "grey and three means": (network(shape=("n", 1, SIZE, SIZE)), {"mean": (0.1, 0.2, 0.3)}, "grey"),
    "of dropout": (dropping, {}, "vary from call to call"),
    "of the batch": (of_the_batch, {}, "others in the batch"),
    "one at a time": (one_at_a_time, {}, "one picture at a time"),
    "no ONNX file": (of_bytes, {}, "ONNX"),
    "cut short": (damaged, {}, "ONNX"),
    "of an operator that nobody knows": (of_an_unknown_operator, {}, "NoSuchOperator"),
    "of old operators": (network(opset=7), {}, "operators"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_one_line_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    make, options, told = REFUSED[name]
    path = make(tmp_path / "own.onnx")
    with pytest.raises(MienError) as caught:
        package.wrap(path, LABELS, "face", out=tmp_path / "made" / "out.onnx", **options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["own.onnx"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"labels": ("sad",)}, "two or more"),
        ({"labels": ("sad", "sad", "fear")}, "2 of them different"),
        ({"labels": "sad"}, "a list"),
        ({"labels": (1, 2, 3)}, "a list"),
        ({"labels": None}, "a list"),
        ({"view": "nose"}, "choose from face, photo, scene"),
        ({"view": "face-big"}, "face-112"),
        ({"view": "face-32", "size": 48}, "two sizes"),
        ({"size": 1.5}, "whole number"),
        ({"size": 0}, "pixels a side"),
        ({"mean": (1, 2)}, "three"),
        ({"std": 0.0}, "above 0"),
        ({"std": "big"}, "one number"),
        ({"white": -1}, "above 0"),
        ({"temperature": 0}, "above 0"),
        ({"channels": "grb"}, "rgb, bgr"),
        ({"layout": "chw"}, "nchw, nhwc"),
        ({"outputs": "softmax"}, "logits, probabilities"),
        ({"meen": 0.5}, "meen: no such argument"),
        ({"out": ""}, "empty"),
    ],
)
def test_an_argument_out_of_range_is_one_line(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"labels": LABELS, "view": "face", "out": tmp_path / "out.onnx"} | options
    with pytest.raises(ConfigError) as caught:
        package.wrap(own_network(tmp_path / "own.onnx"), **given)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.onnx").exists()


def test_nothing_is_overwritten_and_no_model_is_wrapped_twice(own: Path, tmp_path: Path) -> None:
    content = own.read_bytes()
    with pytest.raises(OutputError):
        package.wrap(tmp_path / "own.onnx", LABELS, out=own)
    assert own.read_bytes() == content
    with pytest.raises(ModelError, match="already"):
        package.wrap(own, LABELS, out=tmp_path / "again.onnx")
    with pytest.raises(ModelError, match="no such file"):
        package.wrap(tmp_path / "missing.onnx", LABELS, out=tmp_path / "again.onnx")
