"""A flipped bit in a file of weights is refused in one line, and never another answer or the end of the process."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, numpy_helper

from mien import Recognizer
from mien.data.measuring import faces
from mien.data.measuring.faces import DETECTOR, FaceDetector
from mien.data.reading.preprocess import View
from mien.errors import ModelError
from mien.models import backbones
from mien.models.artifact import CHECKSUM, METADATA_KEY, SHIPPED, Contract, model_path, open_model, shipped, write_model
from mien.models.seal import SEAL_KEY, is_intact, metadata_of, sealed, write_sealed
from mien.training.feature_parts import FeatureParts
from support.outcomes import Outcome
from support.pictures import colour_model
from support.studies import Study

Mien = Callable[..., Outcome]
FLIPS = 300


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@functools.cache
def small_model() -> bytes:
    """A model with weights, a graph and a contract of some hundred bytes each."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return colour_model(Path(folder, "model.onnx")).read_bytes()


def test_every_bit_of_a_model_file_counts(tmp_path: Path) -> None:
    path, content = tmp_path / "model.onnx", small_model()
    places = np.random.default_rng(0).choice(8 * len(content), FLIPS, replace=False)
    behind = range(8 * (len(content) - 90), 8 * len(content), 5)  # of the checksum and what stands around it
    for bit in (*places.tolist(), *behind):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(ModelError) as error:
            Recognizer(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_no_two_flipped_bits_make_it_a_file_from_before_checksums(tmp_path: Path) -> None:
    """One in the number of the format, which makes 3 to 2, and any one of the checksum's frame."""
    path, content = tmp_path / "model.onnx", small_model()
    digit = 8 * (content.index(b'"format": 3') + len(b'"format": '))
    assert flipped(content, digit)[digit // 8 :][:1] == b"2"
    for bit in range(8 * (len(content) - 81), 8 * len(content), 3):
        path.write_bytes(flipped(flipped(content, digit), bit))
        with pytest.raises(ModelError):
            Recognizer(path)


@pytest.mark.parametrize("cut", [1, 40, 64, 81, 82, 300])
def test_model_file_that_is_cut_short_is_refused(cut: int, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(small_model()[:-cut])
    with pytest.raises(ModelError):
        Recognizer(tmp_path / "model.onnx")


def test_flipped_bits_of_the_default_are_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime is never shown them: it can crash."""
    content, path = model_path("default").read_bytes(), tmp_path / "model.onnx"
    monkeypatch.setattr("mien.models.artifact.open_session", lambda *_, **__: pytest.fail("it was opened"))
    for bit in np.random.default_rng(1).choice(8 * len(content), 12, replace=False).tolist():
        path.write_bytes(flipped(content, bit))
        with pytest.raises(ModelError):
            open_model(path)


def test_commands_say_it_in_one_line(mien: Mien, tmp_path: Path) -> None:
    content = model_path("default").read_bytes()
    (tmp_path / "model.onnx").write_bytes(flipped(content, 4 * len(content)))
    (tmp_path / "set").mkdir()
    for words in (
        ("predict", "x.png", "--model", "model.onnx"),
        ("evaluate", "model.onnx", "demo"),
        ("export", "model.onnx", "--out", "out.onnx"),
        ("app", "--api-only", "--model", "model.onnx"),
    ):
        outcome = mien(*words)
        assert (outcome.code, outcome.out) == (2, ""), outcome
        assert "checksum" in outcome.complaint
    assert not (tmp_path / "out.onnx").exists()


# -- what is written -----------------------------------------------------------------------------------------------


def test_default_carries_a_true_checksum() -> None:
    content = model_path("default").read_bytes()
    assert is_intact(content)
    assert metadata_of(content)[SEAL_KEY] == hashlib.sha256(content[:-81]).hexdigest()
    assert json.loads(metadata_of(content)[METADATA_KEY])["checksum"] == CHECKSUM


def test_file_with_a_checksum_is_still_an_onnx_file(tmp_path: Path) -> None:
    model = onnx.load(str(colour_model(tmp_path / "model.onnx")))
    onnx.checker.check_model(model)
    assert {entry.key for entry in model.metadata_props} == {METADATA_KEY, SEAL_KEY}


def test_file_written_again_by_another_program_is_refused(tmp_path: Path) -> None:
    path = colour_model(tmp_path / "model.onnx")
    model = onnx.load(str(path))
    model.graph.doc_string = "changed"
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match="checksum"):
        Recognizer(path)


@pytest.mark.parametrize("run", ["two-stream", "scratch"])
def test_whatever_a_study_and_an_export_write_has_one(run: str, mien: Mien, small_study: Study, tmp_path: Path) -> None:
    written = small_study.folder / "runs" / run / "model.onnx"
    assert is_intact(written.read_bytes())
    for precision in ("fp32", "fp16", "int8"):
        out = tmp_path / f"{precision}.onnx"
        assert mien("export", written, "--precision", precision, "--out", out).code == 0
        assert is_intact(out.read_bytes())
        assert open_model(out)[1] == open_model(written)[1]


def test_model_that_is_written_again_with_another_contract_has_one(tmp_path: Path) -> None:
    path = colour_model(tmp_path / "model.onnx")
    model, contract = onnx.load(str(path)), replace(open_model(path)[1], temperature=2.0)
    write_model(model, contract, path)
    assert open_model(path)[1] == contract
    assert [entry.key for entry in onnx.load(str(path)).metadata_props] == [METADATA_KEY, SEAL_KEY]


# -- files from before ---------------------------------------------------------------------------------------------


def from_before(path: Path, **changes: object) -> Path:
    """A model file as the version before checksums wrote it."""
    contract = json.loads(Contract(("a", "b", "c"), (View("photo", 32),), "colour").to_json())
    del contract["checksum"]
    model = onnx.load(str(colour_model(path, metadata=json.dumps(contract | {"format": 2} | changes))))
    kept = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, str(path))
    return path


def test_file_from_before_checksums_is_still_opened_and_gets_one(mien: Mien, tmp_path: Path) -> None:
    path = from_before(tmp_path / "model.onnx")
    assert Recognizer(path).labels == ("a", "b", "c")
    assert mien("export", path, "--out", tmp_path / "new.onnx").code == 0
    assert is_intact((tmp_path / "new.onnx").read_bytes())


@pytest.mark.parametrize("changes", [{"format": 3}, {"checksum": CHECKSUM}, {"format": 3, "checksum": CHECKSUM}])
def test_file_without_a_checksum_is_opened_only_if_it_says_that_it_is_from_before(
    changes: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(ModelError):
        Recognizer(from_before(tmp_path / "model.onnx", **changes))


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\x08\x01" * 10**5, bytes(range(256)) * 99, b"\x7a\xff" * 9])
def test_what_is_no_model_is_refused_without_being_opened(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.models.artifact.open_session", lambda *_, **__: pytest.fail("it was opened"))
    for each in (content, sealed(content)):
        (tmp_path / "model.onnx").write_bytes(each)
        with pytest.raises(ModelError, match="not a model file"):
            open_model(tmp_path / "model.onnx")


@pytest.mark.parametrize("text", ["[" * 10**5, "3", '"checksum"', '{"format": 3, "checksum": "sha256", "labels": 3}'])
def test_contract_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="contract"):
        Recognizer(colour_model(tmp_path / "model.onnx", metadata=text))


def test_model_whose_weights_stand_in_another_file_is_refused(tmp_path: Path) -> None:
    """That file could be a pipe."""
    path = colour_model(tmp_path / "model.onnx")
    model = onnx.load(str(path))
    (tmp_path / "weights").write_bytes(np.float32(25.5).tobytes())
    (scale,) = (tensor for tensor in model.graph.initializer if tensor.name == "scale")
    scale.CopyFrom(numpy_helper.from_array(np.array([1.0], np.float32), "scale"))
    scale.ClearField("raw_data")
    scale.data_location = TensorProto.EXTERNAL
    scale.external_data.add(key="location", value=str(tmp_path / "weights"))
    write_sealed(model, path)
    with pytest.raises(ModelError):
        Recognizer(path)


# -- what comes with mien ------------------------------------------------------------------------------------------


def damaged_copy(file: Path, folder: Path) -> Path:
    shutil.copytree(file.parent, folder)
    content = file.read_bytes()
    (folder / file.name).write_bytes(flipped(content, 4 * len(content)))
    return folder / file.name


def test_damaged_detector_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "DETECTOR", damaged_copy(DETECTOR, tmp_path / "weights"))
    with pytest.raises(ModelError, match="install mien again"):
        FaceDetector()


@pytest.mark.parametrize("name", ["expression.safetensors", "expression.hashes"])
def test_damaged_backbone_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = damaged_copy(shipped(name), tmp_path / "weights").parent
    monkeypatch.setattr(backbones, "shipped", lambda file: folder / file)
    with pytest.raises(ModelError, match="install mien again"):
        backbones.load_backbone("expression")


def test_damaged_backbone_of_another_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = (f for f in importlib.metadata.files(backbones.LITE0) or [] if f.suffix == ".pth")
    damaged = flipped(Path(str(file.locate())).read_bytes(), 10**6)
    (tmp_path / "x.pth").write_bytes(damaged)
    monkeypatch.setattr(type(file), "locate", lambda self: tmp_path / "x.pth")
    with pytest.raises(ModelError, match="reinstall"):
        backbones.load_backbone()


def test_damaged_features_are_made_again(tmp_path: Path) -> None:
    values = np.ones((1, 4), np.float32)
    FeatureParts(tmp_path, "x").append(["a" * 64], values)
    photos = pl.DataFrame({"sha256": ["a" * 64]})
    assert FeatureParts(tmp_path, "x").missing(photos).is_empty()
    (path,) = tmp_path.glob("x.*.npy")
    content = path.read_bytes()
    path.write_bytes(flipped(content, 8 * content.index(values.tobytes())))
    assert FeatureParts(tmp_path, "x").missing(photos).equals(photos)


def test_every_shipped_file_of_weights_has_a_checksum() -> None:
    folder = shipped("SHA256SUMS").parent
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: checksum for checksum, name in map(str.split, lines)}
    binaries = {
        path.name for path in folder.iterdir() if path.suffix in (".onnx", ".safetensors", ".hashes", ".msgpack")
    } | {"spreads.json"}
    assert set(sums) | {file for file, _ in SHIPPED.values()} == binaries
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum for name, checksum in sums.items())
