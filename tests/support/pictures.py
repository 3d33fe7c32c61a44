"""Small pictures, folders, zips and models that several test files draw from. No photo of a person."""

from __future__ import annotations

import functools
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mien.data.measuring.faces import FaceDetector
from mien.data.reading.preprocess import View
from mien.models.artifact import METADATA_KEY, Contract
from mien.models.seal import write_sealed

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@functools.cache
def detector() -> FaceDetector:
    """The face detector, opened once."""
    return FaceDetector()


def pattern(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A smooth random RGB picture; another seed gives a picture that is no near duplicate."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def grainy(seed: int, size: tuple[int, int] = (48, 48)) -> Image.Image:
    """Random pixels: as sharp as a picture can be."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(seed: int = 0, size: tuple[int, int] = (40, 30)) -> bytes:
    """A small PNG file."""
    return encoded(pattern(seed, size))


def halves(size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its few bytes of data do not hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 64)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def write_files(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def class_files(*folders: str, each: int = 2, first_seed: int = 0) -> dict[str, bytes]:
    """Path → a distinct small PNG, ``each`` a folder."""
    names = [f"{folder}/{i}.png" for folder in folders for i in range(each)]
    return {name: png(first_seed + seed) for seed, name in enumerate(names)}


def write_zip(path: Path, files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write a zip with these members."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def colour_model(
    path: Path, labels: Sequence[str] = ("anger", "fear", "sad"), *, size: int = 32, metadata: str | None = None
) -> Path:
    """A model file whose logits are 10 times the mean red, green and blue of the photo, made without torch.

    Args:
        labels: what red, green and blue stand for.
        metadata: in place of the contract.
    """
    contract = Contract(labels=tuple(labels), views=(View("photo", size),), recipe="colour")
    constants = [
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        numpy_helper.from_array(np.array(25.5, np.float32), "scale"),
    ]
    nodes = [
        helper.make_node("Cast", ["photo"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "scale"], ["logits"]),
    ]
    photo = helper.make_tensor_value_info("photo", TensorProto.UINT8, ["n", size, size, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "colour", [photo], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model.metadata_props.add(key=METADATA_KEY, value=contract.to_json() if metadata is None else metadata)
    write_sealed(model, path)
    return path
