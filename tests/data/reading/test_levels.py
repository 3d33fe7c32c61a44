"""Which number is white: files of more than 8 bits, and of floats, are shown right or refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.levels import UnknownRangeError, white_of
from mien.data.reading.preprocess import UnreadableImageError, decode, upright_rgb
from mien.demo import draw_face
from support.pictures import encoded

GREY = np.asarray(draw_face("happy", 0).convert("L"))
RGB = np.asarray(draw_face("happy", 0).convert("RGB"))


def shown(content: bytes) -> NDArray[np.uint8]:
    """Grey pixels (H, W) of a file."""
    return np.asarray(decode(content).image)[..., 0]


def near(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> bool:
    return found.shape == expected.shape and int(np.abs(found.astype(int) - expected.astype(int)).max()) <= 1


def deep_png(samples: NDArray[np.uint16], colour_type: int) -> bytes:
    """A PNG with 16 bits a sample, (H, W) or (H, W, C)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff(samples: NDArray[np.generic], kind: int, photometric: int) -> bytes:
    """A TIFF without compression. ``kind``: 1 for integers, 2 for signed ones, 3 for floats."""
    height, width = samples.shape[:2]
    count = samples.shape[2] if samples.ndim == 3 else 1
    bits = samples.dtype.itemsize * 8
    after = 8 + 2 + 10 * 12 + 4
    extra = struct.pack(f"<{2 * count}H", *[bits] * count, *[kind] * count)
    many = [(258, after), (339, after + 2 * count)] if count > 2 else [(258, bits), (339, kind)]
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, count, many[0][1]), (259, 3, 1, 1)]
    tags += [(262, 3, 1, photometric), (273, 4, 1, after + len(extra)), (277, 3, 1, count), (278, 4, 1, height)]
    tags += [(279, 4, 1, samples.nbytes), (339, 3, count, many[1][1])]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + extra + samples.tobytes()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "32-bit TIFF"])
def test_greys_of_fewer_bits_than_their_file_are_as_bright_as_they_should(bits: int, kind: str) -> None:
    samples = np.rint(GREY / 255 * (2**bits - 1)).astype(np.uint16)
    content = {
        "PNG": lambda: deep_png(samples, 0),
        "TIFF": lambda: encoded(Image.fromarray(samples), "TIFF"),
        "32-bit TIFF": lambda: encoded(Image.fromarray(samples.astype(np.int32)), "TIFF"),
    }[kind]()
    assert near(shown(content), GREY)
    told = decode(content).note
    assert (told is None) == (bits == 16)
    assert told is None or f"{bits} bits" in told


@pytest.mark.parametrize("bits", [8, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "PNG with alpha", "TIFF"])
def test_colours_of_fewer_bits_than_their_file_are_refused_not_black(bits: int, kind: str) -> None:
    samples = np.rint(RGB / 255 * (2**bits - 1)).astype(np.uint16)
    clear = np.full((*GREY.shape, 1), 65535, np.uint16)
    content = {
        "PNG": lambda: deep_png(samples, 2),
        "PNG with alpha": lambda: deep_png(np.concatenate([samples, clear], axis=2), 6),
        "TIFF": lambda: tiff(samples, 1, 2),
    }[kind]()
    if bits == 16:
        assert near(np.asarray(decode(content).image), RGB)
        return
    with pytest.raises(UnreadableImageError, match="16 bits"):
        decode(content)
    with Image.open(io.BytesIO(content)) as opened, pytest.raises(UnreadableImageError, match="16 bits"):
        upright_rgb(opened)


FLOATS: dict[str, Callable[[], NDArray[np.generic]]] = {
    "to 1": lambda: (GREY / 255).astype(np.float32),
    "to 255": lambda: GREY.astype(np.float32),
    "of 12 bits": lambda: (GREY / GREY.max() * 4095).astype(np.float32),
    "of 16 bits": lambda: (GREY / GREY.max() * 65535).astype(np.float32),
    "of 64 bits": lambda: GREY / 255,
}


@pytest.mark.parametrize("kind", FLOATS)
def test_float_files_are_shown_right_or_refused_as_what_they_are(kind: str) -> None:
    values = FLOATS[kind]()
    try:
        pixels = shown(tiff(values, 3, 1))
    except UnreadableImageError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert "TIFF of 1 × 64 bits (floats)" in said
        assert kind == "of 64 bits"
        return
    assert near(pixels, np.rint(GREY / GREY.max() * 255).astype(np.uint8) if "bits" in kind else GREY)


@pytest.mark.parametrize(
    "values",
    [GREY / 255 - 0.5, GREY / 255 * 1.1, GREY * 1.1, GREY * 2.0, GREY / 255 * 9, GREY * 1e5, (GREY > 99) * 2.0],
    ids=["normalised", "overdrawn", "beyond 255", "beyond 511", "to 9", "to millions", "mask"],
)
def test_floats_of_no_certain_range_are_refused(values: NDArray[np.float64]) -> None:
    with pytest.raises(UnreadableImageError, match="float"):
        decode(tiff(values.astype(np.float32), 3, 1))


def test_colours_as_floats_are_refused_by_what_they_are() -> None:
    with pytest.raises(UnreadableImageError, match="3 × 32 bits"):
        decode(tiff((RGB / 255).astype(np.float32), 3, 2))


@pytest.mark.parametrize("kind", ["16 bits", "floats"])
def test_a_file_whose_zero_is_white_is_no_negative(kind: str) -> None:
    content = {
        "16 bits": lambda: tiff(GREY.astype(np.uint16) * 257, 1, 0),
        "floats": lambda: tiff((GREY / 255).astype(np.float32), 3, 0),
    }[kind]()
    assert near(shown(content), 255 - GREY)
    with Image.open(io.BytesIO(content)) as opened:
        assert near(np.asarray(upright_rgb(opened))[..., 0], 255 - GREY)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_a_wholly_transparent_picture_is_refused_not_white(mode: str) -> None:
    with pytest.raises(UnreadableImageError, match="transparent"):
        upright_rgb(Image.new(mode, (20, 20)))


def test_a_black_file_of_16_bits_is_black() -> None:
    assert not shown(deep_png(np.zeros((20, 20), np.uint16), 0)).any()


def test_a_range_that_is_told_holds_the_numbers() -> None:
    for largest in np.geomspace(0.01, 1e7, 500):
        for are_floats in (False, True):
            try:
                white = white_of(0, float(largest), are_floats=are_floats)
            except UnknownRangeError:
                continue
            assert largest <= white
            assert largest >= min(white, 255) / 17 or white == 1
