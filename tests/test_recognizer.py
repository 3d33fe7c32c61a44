"""A model file gives what its network gave in training, whichever way a photo comes in; a file that is none says so."""

from __future__ import annotations

import ast
import copy
import functools
import json
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image
from torch import nn

import mien
from mien import Recognizer
from mien.data.reading.pictures import open_pictures
from mien.data.reading.preprocess import View, decode, render
from mien.demo import draw_face
from mien.errors import ModelError
from mien.models.artifact import Contract, Threshold, model_path, open_model
from mien.models.export import export_model, joined, save_model, save_weights, to_onnx, with_linear_heads
from mien.models.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EmotionCNN,
    PhotoNetwork,
    TwoStreamFeatures,
    TwoStreamNetwork,
)
from mien.recognizer import Prediction
from support.checkout import parsed
from support.pictures import (
    BLUE,
    GREEN,
    RED,
    colour_model,
    encoded,
    grainy,
    halves,
    pattern,
    png,
    write_files,
    write_zip,
)

SRC = Path(mien.__file__).parent
LABELS = ("sad", "anger", "happy")  # neither sorted nor reversed
CROP = encoded(grainy(0))  # small and square: taken as a face
PHOTO, FACE = View("photo", 32), View("face", 48)


@dataclass(frozen=True)
class Exported:
    """A network and the folder that it was exported to."""

    network: nn.Module
    folder: Path
    contract: Contract
    recognizer: Recognizer


def photo_network(contract: Contract, folder: Path) -> nn.Module:
    """A random network of the photo, batch statistics included, exported as trained networks are."""
    network = PhotoNetwork(EmotionCNN(3), IMAGENET_MEAN, IMAGENET_STD)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(layer.running_mean, 0, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.1, 0.5)  # type: ignore[arg-type]
    export_model([network], contract, folder)
    return network.eval()


def features_model(stream: PhotoNetwork, views: tuple[View, ...]) -> Any:
    """One network at all views, as an ONNX model."""
    return joined([to_onnx(stream, view.size, "pixels", "features") for view in views], views)


def two_stream_network(contract: Contract, folder: Path) -> nn.Module:
    """A random network of photo and face, exported as the probe is: features first, the head behind them."""
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    stream = PhotoNetwork(body, IMAGENET_MEAN, IMAGENET_STD)
    features, head = TwoStreamFeatures(stream, stream).eval(), nn.Linear(8, 3)
    network = TwoStreamNetwork(features, head).eval()
    weight, bias = (tensor.detach().numpy() for tensor in (head.weight, head.bias))
    save_weights(network, folder)
    save_model(with_linear_heads(features_model(stream, contract.views), (weight, bias)), contract, folder)
    return network


@pytest.fixture(scope="module", params=["photo", "two-stream"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    views, make = {"photo": ((PHOTO,), photo_network), "two-stream": ((PHOTO, FACE), two_stream_network)}[request.param]
    contract = Contract(LABELS, views, recipe="test", collections=("drawn",), mien_version=mien.__version__)
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(1)
    return Exported(make(contract, folder), folder, contract, Recognizer(folder))


@pytest.fixture
def colours(tmp_path: Path) -> Recognizer:
    """Red is anger, green is fear, blue is sad."""
    return Recognizer(colour_model(tmp_path / "model.onnx"))


@pytest.mark.heavy
@pytest.mark.parametrize("n", [1, 2, 32, 33])
def test_recognizer_gives_the_logits_of_the_network(exported: Exported, n: int) -> None:
    rng = np.random.default_rng(n)
    views = {v.key: rng.integers(0, 256, (n, v.size, v.size, 3), dtype=np.uint8) for v in exported.contract.views}
    with torch.inference_mode():
        expected = exported.network(*(torch.from_numpy(views[v.key]) for v in exported.contract.views)).numpy()
    logits = exported.recognizer.logits(views)
    assert logits.shape == (n, 3)
    assert np.abs(logits - expected).max() <= 1e-4
    assert np.ptp(expected) > 1e-3


@pytest.mark.heavy
def test_head_for_faces_answers_in_the_file_as_in_the_network(tmp_path: Path) -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    stream, heads = PhotoNetwork(body, IMAGENET_MEAN, IMAGENET_STD), [nn.Linear(8, 3), nn.Linear(8, 3)]
    network = TwoStreamNetwork(TwoStreamFeatures(stream, stream), *heads).eval()
    views = (View("scene", 32), FACE)
    layers = [(head.weight.detach().numpy(), head.bias.detach().numpy()) for head in heads]
    model = with_linear_heads(features_model(stream, views), *layers)
    save_model(model, Contract(LABELS, views, "test"), tmp_path)
    rng = np.random.default_rng(0)
    pixels = {v.key: rng.integers(0, 256, (5, v.size, v.size, 3), dtype=np.uint8) for v in views}
    pixels["scene-32"][[1, 4]] = 127
    with torch.inference_mode():
        expected = network(*(torch.from_numpy(pixels[v.key]) for v in views)).numpy()
    found = Recognizer(tmp_path).logits(pixels)
    assert np.abs(found - expected).max() <= 1e-5


def test_no_photos_have_no_logits(exported: Exported) -> None:
    views = {v.key: np.zeros((0, v.size, v.size, 3), np.uint8) for v in exported.contract.views}
    assert exported.recognizer.logits(views).shape == (0, 3)


def test_export_leaves_two_whole_files(exported: Exported) -> None:
    assert sorted(p.name for p in exported.folder.iterdir()) == ["model.onnx", "model.safetensors"]


def test_weights_for_further_training_are_those_of_the_network(exported: Exported) -> None:
    from safetensors.torch import load_file

    stored, state = load_file(exported.folder / "model.safetensors"), exported.network.state_dict()
    assert all(torch.equal(stored[name], state[name]) for name in stored)
    other = copy.deepcopy(exported.network)  # two streams with one backbone stay so in the copy
    for tensor in other.state_dict().values():
        tensor.zero_()
    other.load_state_dict(stored, strict=False)
    assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())


def test_contract_travels_in_the_file(exported: Exported) -> None:
    assert open_model(exported.folder / "model.onnx")[1] == exported.contract


def test_photo_of_a_file_gives_the_logits_of_its_own_views(exported: Exported, tmp_path: Path) -> None:
    """From the file to the answer as one would do it by hand with the training network."""
    path = tmp_path / "face.png"
    path.write_bytes(encoded(draw_face("disgust", 2)))
    answer = exported.recognizer.predict(path)
    image = decode(path.read_bytes()).image
    views = [torch.from_numpy(render(image, v, answer.face)[None].copy()) for v in exported.contract.views]
    with torch.inference_mode():
        expected = exported.network(*views).softmax(1)[0].tolist()
    assert answer.probabilities is not None
    assert list(answer.probabilities.values()) == pytest.approx(expected, abs=1e-4)


def test_path_picture_and_array_of_one_photo_give_the_same_answer(exported: Exported, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    draw_face("disgust", 2).save(path)
    recognizer, picture = exported.recognizer, Image.open(path)
    answers = recognizer.predict([path, str(path), picture, np.asarray(picture)])
    assert answers[0].face is not None
    assert len({(tuple(a.probabilities.items()), a.face, a.status, a.label) for a in answers if a.probabilities}) == 1
    assert [a.path for a in answers] == [str(path), str(path), "", ""]


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_opened_picture_is_turned_upright_as_its_file_is(exported: Exported, turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded(halves((120, 80)), "JPEG", exif=exif))
    from_path, from_picture = exported.recognizer.predict([path, Image.open(path)])
    assert from_path.probabilities == from_picture.probabilities


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16", "YCbCr"])
def test_opened_picture_of_any_mode_is_as_good_as_its_file(colours: Recognizer, mode: str, tmp_path: Path) -> None:
    format = {"CMYK": "TIFF", "I;16": "TIFF", "YCbCr": "JPEG"}.get(mode, "PNG")  # Pillow 12 misreads its own YCbCr TIFF
    picture = pattern(1, (160, 120))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    path = tmp_path / "picture"
    path.write_bytes(encoded(picture if mode == "I;16" else picture.convert(mode), format))
    with Image.open(path) as opened:
        from_path, from_picture = colours.predict([path, opened])
    assert from_path.status != "unreadable"
    assert from_picture.reason is None
    assert from_path.probabilities == from_picture.probabilities


def test_order_of_labels_is_the_stored_one(exported: Exported) -> None:
    recognizer = exported.recognizer
    assert recognizer.labels == LABELS
    answer = recognizer.predict(pattern(1))
    assert answer.probabilities is not None
    assert tuple(answer.probabilities) == LABELS
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.label == max(answer.probabilities, key=answer.probabilities.__getitem__)


@pytest.mark.parametrize("labels", [("anger", "fear", "sad"), ("sad", "anger", "fear")])
def test_answer_follows_the_contract_not_the_alphabet(labels: tuple[str, ...], tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx", labels))
    answers = recognizer.predict([Image.new("RGB", (64, 64), colour) for colour in (RED, GREEN, BLUE)])
    assert tuple(answer.label for answer in answers) == labels


def test_temperature_of_the_contract_is_used(tmp_path: Path) -> None:
    def sure(temperature: float) -> float:
        contract = Contract(LABELS, (View("photo", 32),), "colour", temperature=temperature)
        model = colour_model(tmp_path / "model.onnx", metadata=contract.to_json())
        probabilities = Recognizer(model).predict(Image.new("RGB", (64, 64), RED)).probabilities
        assert probabilities is not None
        return max(probabilities.values())

    e = np.exp(10 / 4)
    assert sure(4.0) == pytest.approx(e / (e + 2), abs=1e-6)
    assert sure(1.0) > sure(4.0)


def test_one_photo_in_one_answer_out_many_in_a_list_out(colours: Recognizer, tmp_path: Path) -> None:
    path = write_files(tmp_path, {"a.png": png()}) / "a.png"
    assert isinstance(colours.predict(path), Prediction)
    assert isinstance(colours.predict(pattern(1)), Prediction)
    assert isinstance(colours.predict(np.asarray(pattern(1))), Prediction)
    some: tuple[list[Any] | tuple[Any, ...], ...] = ([path], [path, pattern(1)], (path,), [])
    for photos in some:
        answers = colours.predict(photos)
        assert isinstance(answers, list)
        assert len(answers) == len(photos)


def test_answers_keep_the_order_of_the_photos_beyond_a_batch(colours: Recognizer) -> None:
    wanted = ["anger", "fear", "sad", "fear"] * 20
    colour = {"anger": RED, "fear": GREEN, "sad": BLUE}
    answers = colours.predict([Image.new("RGB", (64, 64), colour[name]) for name in wanted])
    assert [answer.label for answer in answers] == wanted


def test_answer_does_not_depend_on_the_company(exported: Exported) -> None:
    recognizer, photos = exported.recognizer, [pattern(i, (64, 64)) for i in range(3)]
    together = recognizer.predict([*photos])
    for photo, expected in zip(photos, together, strict=True):
        alone = recognizer.predict(photo)
        assert alone.probabilities == pytest.approx(expected.probabilities, abs=1e-5)


def test_pipe_is_no_photo_and_is_not_waited_for(colours: Recognizer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    answer = colours.predict(tmp_path / "pipe.jpg")
    assert (answer.status, answer.reason) == ("unreadable", "a pipe, not a file")


def test_unreadable_files_are_answers_with_a_reason(colours: Recognizer, tmp_path: Path) -> None:
    root = write_files(tmp_path, {"empty.jpg": b"", "page.jpg": b"<html>", "cut.png": png()[:-40], "good.png": CROP})
    names = ["empty.jpg", "missing.jpg", "good.png", "page.jpg", "cut.png", "."]
    answers = colours.predict([root / name for name in names])
    assert [a.status for a in answers] == ["unreadable", "unreadable", "ok", "unreadable", "unreadable", "unreadable"]
    for answer in answers:
        if answer.status == "unreadable":
            assert (answer.label, answer.probabilities, answer.face) == (None, None, None)
            assert answer.reason
    assert [a.path for a in answers] == [str(root / name) for name in names]


def test_status_tells_whether_a_face_was_found(colours: Recognizer) -> None:
    face = draw_face("disgust", 2)
    two = Image.new("RGB", (2 * face.width, face.height), (128, 128, 128))
    two.paste(face, (0, 0))
    two.paste(face, (face.width, 0))
    one, several, none, crop = colours.predict([face, two, Image.new("RGB", (300, 200), RED), grainy(1)])
    assert (one.status, several.status, none.status, crop.status) == ("ok", "several_faces", "no_face", "ok")
    assert one.face is not None
    assert 0 <= one.face[0] < one.face[2] <= face.width
    assert 0 <= one.face[1] < one.face[3] <= face.height
    assert none.face is crop.face is None


def test_array_that_is_no_photo_is_a_type_error(colours: Recognizer) -> None:
    wrong: tuple[Any, ...] = (
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.full((8, 8, 3), np.nan),
        np.zeros((8, 8, 3), complex),
    )
    for array in wrong:
        with pytest.raises(TypeError, match=re.escape(str(array.shape))):
            colours.predict(array)


def test_a_list_of_any_photos_passes_the_check_of_types(colours: Recognizer) -> None:
    """mypy reads this: a list of one kind is no list of all kinds, but an iterable of them."""
    images: list[Image.Image] = [pattern(1)]
    paths: list[Path] = [Path("none.png")]
    answers: list[Prediction] = [*colours.predict(images), *colours.predict(paths), *colours.predict(iter(images))]
    one: Prediction = colours.predict(np.asarray(pattern(1)))
    assert [answer.label is None for answer in answers] == [False, True, False]
    assert one.label is not None


def test_colours_of_opencv_are_told(colours: Recognizer) -> None:
    blue = np.zeros((64, 64, 3), np.uint8)
    blue[..., 0] = 255
    assert colours.predict(blue).label == "anger"
    assert colours.predict(blue, channels="bgr").label == "sad"
    several: Any = colours.predict(blue[None], channels="bgr")
    assert [answer.label for answer in several] == ["sad"]


THRESHOLDS = (Threshold(0.1, 0.9, 0.5), Threshold(0.3, 0.5, 0.9))


def promising(path: Path) -> Path:
    """A model file of which something was measured."""
    contract = Contract(("anger", "fear", "sad"), (View("photo", 32),), "colour", thresholds=THRESHOLDS)
    return colour_model(path, metadata=contract.to_json())


WAYS_TO_COPY: dict[str, Callable[[Recognizer], Recognizer]] = {
    "pickle": lambda recognizer: pickle.loads(pickle.dumps(recognizer)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("way", WAYS_TO_COPY)
@pytest.mark.parametrize("options", [{}, {"max_error": 0.3}, {"classes": ("sad", "angry")}])
def test_a_recogniser_is_copied_with_its_options(way: str, options: dict[str, Any], tmp_path: Path) -> None:
    recognizer = Recognizer(promising(tmp_path / "model.onnx"), **options)
    recognizer.predict(pattern(1))
    other = WAYS_TO_COPY[way](recognizer)
    assert (other.labels, other.threshold, other.contract) == (
        recognizer.labels,
        recognizer.threshold,
        recognizer.contract,
    )
    assert other.predict(pattern(1)) == recognizer.predict(pattern(1))


def test_what_is_pickled_of_a_recogniser_is_where_its_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    promising(tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(Recognizer("model.onnx"))
    assert len(pickled) < 1000
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).labels == ("anger", "fear", "sad")


def test_the_recogniser_that_comes_with_mien_pickles_by_its_version() -> None:
    pickled = pickle.dumps(Recognizer.default())
    assert b"default@" in pickled
    assert str(SRC).encode() not in pickled
    assert pickle.loads(pickled).labels == Recognizer.default().labels


@pytest.mark.parametrize("sealed", [True, False])
def test_a_pickled_recogniser_is_not_swapped_for_another(sealed: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    contract = Contract(LABELS, (View("photo", 32),), "colour").to_json()
    older = json.dumps({k: v for k, v in json.loads(contract).items() if k != "checksum"} | {"format": 2})
    colour_model(path, metadata=contract if sealed else older)
    if not sealed:
        onnx.save(onnx.load(path), str(path))  # the checksum is then not the last that stands in it
        model = onnx.load(path)
        del model.metadata_props[[entry.key for entry in model.metadata_props].index("mien-sha256")]
        onnx.save(model, str(path))
    pickled = pickle.dumps(Recognizer(path))
    assert pickle.loads(pickled).labels == LABELS
    colour_model(path, ("a", "b", "c"))
    with pytest.raises(ModelError, match="opened"):
        pickle.loads(pickled)
    path.unlink()
    with pytest.raises(ModelError, match="no such model"):
        pickle.loads(pickled)


def test_a_recogniser_answers_in_other_processes(tmp_path: Path) -> None:
    recognizer = Recognizer(promising(tmp_path / "model.onnx"), classes=("sad", "anger"))
    with get_context("spawn").Pool(1) as pool:
        (found,) = pool.map(recognizer.predict, [Image.new("RGB", (64, 64), BLUE)])
    assert found == recognizer.predict(Image.new("RGB", (64, 64), BLUE))


@pytest.mark.parametrize("model", ["", " ", "https://example.org/model.onnx", "s3://bucket/run"])
def test_what_names_no_model_is_called_what_it_is(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour_model(tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"empty|address"):
        Recognizer(model)


def test_home_is_put_out_in_the_path_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour_model(tmp_path / "model.onnx")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pickle.loads(pickle.dumps(Recognizer("~"))).labels == Recognizer("~/model.onnx").labels


def test_files_of_a_zip_are_recognised_in_their_order_without_system_files(colours: Recognizer, tmp_path: Path) -> None:
    files = {"b.png": CROP, "a/c.png": CROP, "__MACOSX/._b.png": b"x", "notes.txt": b"x"}
    path = write_zip(tmp_path / "x.zip", files)
    answers = list(colours.predict_pictures(open_pictures(str(path))))
    told = [("a/c.png", "ok"), ("b.png", "ok"), ("notes.txt", "unreadable")]
    assert [(a.path, a.status) for a in answers] == [(f"{path}::{name}", status) for name, status in told]


def test_contract_survives_json() -> None:
    contract = Contract(
        labels=("müde", "sad"),
        views=(PHOTO, FACE),
        recipe="probe",
        temperature=1.5,
        max_error=0.1,
        thresholds=(Threshold(0.1, 0.8, 0.5), Threshold(0.2, 0.4, 0.9)),
        measured={"macro_f1": 0.5},
        collections=("photos", "ImageNet-1k"),
        training_hashes=frozenset({"b" * 12, "a" * 12}),
        mien_version="0.1.0",
    )
    assert Contract.from_json(contract.to_json()) == contract
    assert contract.to_json() == Contract.from_json(contract.to_json()).to_json()
    plain = Contract(("a", "b"), (PHOTO,), "x")
    assert Contract.from_json(plain.to_json()) == plain


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "5", '"text"', '{"format": 99}', '{"format": 1}'])
def test_contract_that_is_none_is_a_model_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Recognizer(colour_model(tmp_path / "model.onnx", metadata=text))


@pytest.mark.parametrize(
    "contract",
    [
        Contract(("a", "b"), (View("photo", 32),), "x"),
        Contract(LABELS, (View("photo", 64),), "x"),
        Contract(LABELS, (View("face", 32),), "x"),
        Contract(LABELS, (View("photo", 32), View("face", 32)), "x"),
    ],
    ids=["labels", "size", "name", "views"],
)
def test_contract_that_does_not_fit_its_network_is_a_model_error(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        Recognizer(colour_model(tmp_path / "model.onnx", metadata=contract.to_json()))


def foreign_onnx(path: Path) -> Path:
    """An ONNX file that another program wrote."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_foreign_onnx_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="without mien's contract"):
        Recognizer(foreign_onnx(tmp_path / "other.onnx"))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", png()])
def test_file_that_is_no_onnx_is_a_model_error(content: bytes, tmp_path: Path) -> None:
    path = write_files(tmp_path, {"model.onnx": content}) / "model.onnx"
    with pytest.raises(ModelError, match="not a model file") as error:
        Recognizer(path)
    assert str(path) in str(error.value)


def test_truncated_model_file_is_a_model_error(tmp_path: Path) -> None:
    path = colour_model(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ModelError):
        Recognizer(path)


@pytest.mark.parametrize("path", ["missing", "missing/model.onnx", "n" * 300, "~no-such-user-of-this-machine/run"])
def test_missing_model_is_a_model_error(path: str) -> None:
    with pytest.raises(ModelError) as error:
        Recognizer(path)
    assert path[:20] in str(error.value)


def test_folder_without_a_model_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"without a finished model\.onnx"):
        Recognizer(tmp_path)


def test_study_folder_stands_for_its_selected_run(tmp_path: Path) -> None:
    for name in ("probe", "scratch"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        colour_model(tmp_path / "runs" / name / "model.onnx", (name, "b", "c"))
    with pytest.raises(ModelError, match="give one of its runs") as error:
        model_path(tmp_path)
    assert "scratch" in str(error.value)
    (tmp_path / "results.json").write_text(json.dumps({"selected": "scratch"}))
    assert Recognizer(tmp_path).labels[0] == "scratch"


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"selected": "gone"}', '{"selected": null}'])
def test_study_folder_with_damaged_results_is_a_model_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "runs" / "probe").mkdir(parents=True)
    colour_model(tmp_path / "runs" / "probe" / "model.onnx")
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ModelError):
        Recognizer(tmp_path)


@functools.cache
def calls_and_imports() -> list[tuple[str, ast.AST]]:
    trees = {path.relative_to(SRC).as_posix(): parsed(path) for path in SRC.rglob("*.py")}
    assert len(trees) > 30
    return [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]


def test_nothing_in_mien_can_unpickle() -> None:
    forbidden = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for path, node in calls_and_imports():
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & forbidden, path
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in forbidden, path
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("load_from_checkpoint", "load_state_dict_from_url", "read_pickle"), path
        if isinstance(node, ast.Call):
            allowed = [ast.unparse(k.value) for k in node.keywords if k.arg == "allow_pickle"]
            assert set(allowed) <= {"False"}, path


def test_every_loading_by_torch_and_lightning_is_of_weights_only() -> None:
    found = []
    for path, node in calls_and_imports():
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        is_load = ast.unparse(node.func) == "torch.load"
        if is_load or any(k.arg == "ckpt_path" for k in node.keywords):
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert keywords.get("weights_only") == "True", f"{path}:{node.lineno}"
            found.append(path)
    assert found, "the test looks for calls that are no longer there"
