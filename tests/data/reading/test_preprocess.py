"""Any image file becomes the same upright RGB pixels, or a reason; every view is a square uint8 array."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import types
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.data.reading import intake, preprocess
from mien.data.reading.intake import inspect_together
from mien.data.reading.preprocess import UnreadableImageError, View, decode, render
from mien.data.sources import Source, open_images
from mien.errors import WorkFailedError
from mien.recognizer import softmax
from support.pictures import BLUE, RED, WHITE, detector, encoded, grainy, halves, pattern, png, png_header, write_files

ORIENTATION = 0x0112


def reason(content: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(UnreadableImageError) as error:
            decode(content)
    return str(error.value)


def exif(orientation: int) -> Image.Exif:
    values = Image.Exif()
    values[ORIENTATION] = orientation
    return values


def close(pixel: object, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(np.array(pixel, int) - colour).max() <= tolerance)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_files_keep_their_pixels(format: str) -> None:
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    decoded = decode(encoded(pattern(1), format, **options))
    assert (decoded.format, decoded.mode, decoded.note) == (format, "RGB", None)
    assert np.array_equal(np.asarray(decoded.image), np.asarray(pattern(1)))


def test_decoding_twice_gives_the_same_pixels() -> None:
    content = encoded(pattern(1), "JPEG")
    assert decode(content).image.tobytes() == decode(content).image.tobytes()


def test_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    root = write_files(tmp_path, {"a.jfif": encoded(pattern(1), "JPEG"), "b.jpg": png(2)})
    source = open_images(str(root))
    rows = [inspected.row for inspected in inspect_together(source, source.files, [], detector())]
    assert [(row["status"], row["format"]) for row in rows] == [("ok", "JPEG"), ("ok", "PNG")]


def raw_png(depth: int, colour: int, samples: np.ndarray) -> bytes:
    """A PNG of samples (H, W, C) in a depth and a colour type that Pillow does not write."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2" if depth == 16 else np.uint8).tobytes() for row in samples)
    chunks = {b"IHDR": struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0), b"IDAT": zlib.compress(rows)}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (chunks | {b"IEND": b""}).items()
    )


def tiff_of_16_bits(image: Image.Image) -> bytes:
    """An RGB TIFF of 16 bits a sample, in one strip."""
    samples = (np.asarray(image, np.uint16) * 257).tobytes()
    tags = {256: image.width, 257: image.height, 258: 8 + 2 + 10 * 12 + 4, 259: 1, 262: 2, 273: 140, 277: 3}
    tags |= {278: image.height, 279: len(samples), 284: 1}
    entries = b"".join(struct.pack("<HHII", t, 3 if t == 258 else 4, 3 if t == 258 else 1, v) for t, v in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + b"\0" * 4 + struct.pack("<HHH", 16, 16, 16)
    return (b"II*\0" + struct.pack("<I", 8) + directory) + samples


def ycck(image: Image.Image) -> bytes:
    """A JPEG as Photoshop writes CMYK: inverted, as luma, chroma and black."""
    *colours, black = image.convert("CMYK").split()
    luma = Image.merge("RGB", colours).convert("YCbCr").split()
    stored = Image.merge("CMYK", [*(channel.point(lambda v: 255 - v) for channel in luma), black])
    content = bytearray(encoded(stored, "JPEG", quality=95, subsampling=0))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


def with_alpha(image: Image.Image) -> Image.Image:
    opaque = image.copy()
    opaque.putalpha(255)
    return opaque


def in_every_format() -> dict[str, tuple[str, str, bytes]]:
    """Kind → format, mode and content of a picture whose left half is red and whose right half is blue."""
    picture = halves((64, 32))
    deep = np.asarray(picture, np.uint16) * 257
    full = np.full((32, 64, 1), 65535)
    return {
        "JPEG": ("JPEG", "RGB", encoded(picture, "JPEG", quality=95)),
        "progressive JPEG": ("JPEG", "RGB", encoded(picture, "JPEG", quality=95, progressive=True)),
        "CMYK JPEG": ("JPEG", "CMYK", encoded(picture.convert("CMYK"), "JPEG", quality=95)),
        "YCCK JPEG": ("JPEG", "CMYK", ycck(picture)),
        "PNG": ("PNG", "RGB", encoded(picture)),
        "palette PNG": ("PNG", "P", encoded(picture.quantize(2))),
        "1-bit palette PNG": ("PNG", "P", encoded(picture.quantize(2), bits=1)),
        "RGBA PNG": ("PNG", "RGBA", encoded(with_alpha(picture))),
        "16-bit RGB PNG": ("PNG", "RGB", raw_png(16, 2, deep)),
        "16-bit RGBA PNG": ("PNG", "RGBA", raw_png(16, 6, np.concatenate([deep, full], 2))),
        "WebP": ("WEBP", "RGB", encoded(picture, "WEBP", quality=95)),
        "lossless WebP": ("WEBP", "RGB", encoded(picture, "WEBP", lossless=True)),
        "GIF": ("GIF", "P", encoded(picture, "GIF")),
        "TIFF": ("TIFF", "RGB", encoded(picture, "TIFF")),
        "LZW TIFF": ("TIFF", "RGBA", encoded(with_alpha(picture), "TIFF", compression="tiff_lzw")),
        "JPEG in TIFF": ("TIFF", "RGB", encoded(picture.copy(), "TIFF", compression="jpeg", quality=95)),
        "CMYK TIFF": ("TIFF", "CMYK", encoded(picture.convert("CMYK"), "TIFF")),
        "palette TIFF": ("TIFF", "P", encoded(picture.quantize(2), "TIFF")),
        "16-bit RGB TIFF": ("TIFF", "RGB", tiff_of_16_bits(picture)),
        "BMP": ("BMP", "RGB", encoded(picture, "BMP")),
        "palette BMP": ("BMP", "P", encoded(picture.quantize(2), "BMP")),
        "AVIF": ("AVIF", "RGB", encoded(picture, "AVIF", quality=95)),
        "JPEG 2000": ("JPEG2000", "RGB", encoded(picture, "JPEG2000")),
        "PPM": ("PPM", "RGB", encoded(picture, "PPM")),
    }


@pytest.mark.parametrize(("kind", "file"), in_every_format().items(), ids=in_every_format())
def test_colours_come_out_right(kind: str, file: tuple[str, str, bytes]) -> None:
    file_format, mode, content = file
    decoded = decode(content)
    assert (decoded.format, decoded.mode, decoded.note) == (file_format, mode, None)
    assert decoded.image.mode == "RGB"
    assert decoded.image.size == (64, 32)
    for y in (4, 28):
        assert close(decoded.image.getpixel((8, y)), RED), kind
        assert close(decoded.image.getpixel((56, y)), BLUE), kind


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_turns_every_format_upright_once(format: str) -> None:
    options = {"quality": 95} if format in ("JPEG", "WEBP", "AVIF") else {}
    image = decode(encoded(halves((64, 32)), format, exif=exif(6), **options)).image
    assert image.size == (32, 64)
    assert close(image.getpixel((16, 8)), RED, 40)
    assert close(image.getpixel((16, 56)), BLUE, 40)


def test_16_bit_grey_with_alpha_lies_on_white() -> None:
    samples = np.zeros((10, 20, 2), int)
    samples[:, 10:, 1] = 65535
    image = decode(raw_png(16, 4, samples)).image
    assert (image.getpixel((2, 5)), image.getpixel((17, 5))) == (WHITE, (0, 0, 0))


def test_1_bit_picture_is_black_and_white() -> None:
    image = Image.new("1", (20, 10), 0)
    image.paste(1, (10, 0, 20, 10))
    for format in ("PNG", "TIFF", "BMP"):
        decoded = decode(encoded(image, format))
        assert decoded.mode == "1"
        assert (decoded.image.getpixel((2, 5)), decoded.image.getpixel((17, 5))) == ((0, 0, 0), WHITE)


def test_float_picture_with_holes_keeps_the_rest() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(32, 0)
    ramp[0, 0], ramp[1, 0] = np.nan, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = np.asarray(decode(encoded(Image.fromarray(ramp), "TIFF")).image)[..., 0]
    assert pixels[5].tolist() == [round(v * 255) for v in ramp[5].astype(np.float64)]
    assert (pixels[0, 0], pixels[1, 0]) == (0, 255)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette", "16-bit", "float"])
def test_a_picture_converted_in_bands_is_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pictures are; the bound on memory must not show."""
    random = np.random.default_rng(0).integers(0, 65536, (50, 70))
    clear = pattern(1, (70, 50))
    clear.putalpha(Image.fromarray((random >> 8).astype(np.uint8)))
    content = {
        "RGBA": lambda: encoded(clear),
        "LA": lambda: encoded(clear.convert("LA")),
        "palette": lambda: encoded(clear.convert("RGB").convert("P"), transparency=bytes(range(256))),
        "16-bit": lambda: encoded(Image.fromarray(random.astype(np.uint16))),
        "float": lambda: encoded(Image.fromarray(random.astype(np.float32)), "TIFF"),
    }[kind]()
    whole = decode(content).image
    monkeypatch.setattr(preprocess, "BAND_PIXELS", 70 * 7)
    assert decode(content).image.tobytes() == whole.tobytes()


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA"])
def test_every_common_mode_becomes_rgb(mode: str) -> None:
    decoded = decode(encoded(pattern(1).convert(mode)))
    assert (decoded.image.mode, decoded.image.size) == ("RGB", (40, 30))


def test_grey_stays_grey() -> None:
    grey = pattern(1).convert("L")
    pixels = np.asarray(decode(encoded(grey)).image)
    assert all(np.array_equal(pixels[..., c], np.asarray(grey)) for c in range(3))


def test_transparent_palette_is_flattened_on_white() -> None:
    image = Image.new("P", (20, 10), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (10, 0, 20, 10))
    decoded = decode(encoded(image, transparency=0))
    assert decoded.image.getpixel((2, 5)) == WHITE
    assert decoded.image.getpixel((17, 5)) == RED


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_flattened_on_white(mode: str) -> None:
    image = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (10, 0, 20, 10))
    decoded = decode(encoded(image.convert(mode)))
    assert decoded.image.getpixel((2, 5)) == WHITE
    assert decoded.image.getpixel((17, 5)) == (0, 0, 0)


def test_transparent_colour_of_an_rgb_png_is_flattened_on_white() -> None:
    decoded = decode(encoded(halves(), transparency=BLUE))
    assert decoded.image.getpixel((2, 5)) == RED
    assert decoded.image.getpixel((38, 5)) == WHITE


def test_16_bit_grey_is_scaled_to_8() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    decoded = decode(encoded(Image.fromarray(ramp)))
    assert decoded.mode.startswith("I")
    assert np.array_equal(np.asarray(decoded.image)[0, :, 0], np.arange(256))


def test_float_picture_does_not_become_black_without_a_word() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(32, 0)
    try:
        decoded = decode(encoded(Image.fromarray(ramp), "TIFF"))
    except UnreadableImageError:
        return
    assert np.asarray(decoded.image).max() > 128


def test_32_bit_picture_does_not_become_white_without_a_word() -> None:
    ramp = np.linspace(0, 2**31 - 1, 64).astype(np.int32)[None].repeat(32, 0)
    try:
        decoded = decode(encoded(Image.fromarray(ramp), "TIFF"))
    except UnreadableImageError:
        return
    assert np.asarray(decoded.image).mean() < 200


@pytest.mark.parametrize(
    ("orientation", "red_at"), [(1, (2, 10)), (3, (38, 10)), (6, (10, 2)), (8, (10, 38)), (2, (38, 10)), (5, (10, 2))]
)
def test_exif_rotated_jpeg_is_turned_upright(orientation: int, red_at: tuple[int, int]) -> None:
    decoded = decode(encoded(halves(), "JPEG", quality=95, exif=exif(orientation)))
    assert decoded.image.size == ((20, 40) if orientation >= 5 else (40, 20))
    assert close(decoded.image.getpixel(red_at), RED, 40)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_exif_rotated_16_bit_picture_is_turned_upright(format: str) -> None:
    deep = Image.fromarray(np.asarray(halves().convert("L"), np.uint16) * 257)
    assert decode(encoded(deep, format, exif=exif(6))).image.size == (20, 40)


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
        b"Exif\0\0",
    ],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_corrupt_exif_does_not_spoil_the_picture(block: bytes) -> None:
    decoded = decode(encoded(halves(), "JPEG", quality=95, exif=block))
    assert decoded.image.size == (40, 20)
    assert close(decoded.image.getpixel((2, 10)), RED, 40)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_several_frames_or_pages_the_first_is_used_and_said_so(format: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE, WHITE)]
    decoded = decode(encoded(frames[0], format, save_all=True, append_images=frames[1:]))
    assert decoded.format == format
    assert close(decoded.image.getpixel((5, 5)), RED)
    assert decoded.note == "several frames: first frame used"


def test_phone_jpeg_that_holds_more_pictures_is_a_plain_jpeg() -> None:
    """MPO: the second picture is a depth map, a preview or another eye's view, not an animation."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]
    content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:], exif=exif(6))
    decoded = decode(content)
    assert Image.open(io.BytesIO(content)).format == "MPO", "the test has lost its subject"
    assert (decoded.format, decoded.note, decoded.image.size) == ("JPEG", None, (30, 40))
    assert close(decoded.image.getpixel((5, 5)), RED)


def test_single_frame_gif_has_no_note() -> None:
    assert decode(encoded(pattern(1), "GIF")).note is None


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_truncated_file_is_unreadable(format: str, keep: float) -> None:
    content = encoded(pattern(1, (120, 90)), format)
    assert reason(content[: int(len(content) * keep)]).startswith("damaged")


def test_file_cut_inside_its_header_is_unreadable() -> None:
    assert reason(png()[:10])


def test_empty_file() -> None:
    assert reason(b"") == "empty file"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "JPEG2000"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_an_image_broken_in_its_header_is_called_by_its_format(format: str) -> None:
    content = encoded(pattern(1), format)
    said = reason(content[:24])
    assert said.startswith("damaged")
    assert format.lower() in said.lower().replace(" ", "") or "cut short" in said


NO_IMAGES = {
    b"<!DOCTYPE html><title>404</title>": "a web page (HTML)",
    b"\xef\xbb\xbf\n <html><body>404</body></html>": "a web page (HTML)",
    b'<?xml version="1.0"?><!DOCTYPE html><html/>': "a web page (HTML)",
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>': "an SVG drawing",
    b"<svg/>": "an SVG drawing",
    b"to do: more photos\n": "text",
    "é".encode() * 600 + b"x": "text",
    b"x" + "é".encode() * 600: "text",
    b'{"error": "not found"}': "text",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "only a pointer of Git LFS",
    b"%PDF-1.7\n": "a PDF document",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n": "a PostScript drawing",
    b"8BPS\0\1": "a Photoshop document",
    b"PK\x03\x04": "a zip archive or an office document",
    b"Rar!\x1a\x07": "an archive",
    b"\x1f\x8b\x08": "an archive",
    b"\0\0\0\x18ftypmp42\0\0": "a video (MP4 or QuickTime)",
    b"\0\0\0\x14ftypqt  \0\0": "a video (MP4 or QuickTime)",
    b"\x1a\x45\xdf\xa3": "a video (Matroska or WebM)",
    b"RIFF\0\0\0\0AVI LIST": "a video (AVI)",
    b"\x47".ljust(188, b"\xff") * 4: "a video, not a photo",
    b"FLV\1\5\0\0\0\x09": "a video, not a photo",
    b"old/free/1.jpg\nnew/free/2.jpg\n": "text",
    b"ID3\3": "a sound",
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "HEIC: Pillow here cannot read it; convert it to JPEG",
    b"\0\0\0\x1cftypavif\0\0\0\0": "AVIF: ",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\0\0\1\0\1\0": "an icon",
    b"\0" * 5000: "zeros only",
    b"\0" * 5000 + b"\1": "not an image, or of a format that is not read",
    b"\x93\x01\xfe\x80" * 300: "not an image, or of a format that is not read",
}


@pytest.mark.parametrize(("content", "words"), NO_IMAGES.items(), ids=list(NO_IMAGES.values()))
def test_what_is_no_image_is_called_what_it_is(content: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "_can_open_heic", lambda: False)
    assert reason(content).startswith(words)


def test_no_program_is_started_for_a_postscript_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*args: object, **kwargs: object) -> None:
        raise AssertionError("Pillow was about to run Ghostscript")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(subprocess, "check_call", started)
    assert reason(encoded(halves(), "EPS")).startswith("a PostScript drawing")


def test_heic_is_read_where_pillow_heif_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the library, which reads one PNG behind the header of the container."""
    header = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"

    def opened(fp: Any, name: object) -> Any:
        picture = Image.open(io.BytesIO(fp.read()[len(header) :]))
        picture.format = "HEIF"
        return picture

    def register() -> None:
        Image.register_open("HEIF", opened, lambda prefix: prefix[4:12] == b"ftypheic")

    Image.init()
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    preprocess._can_open_heic.cache_clear()
    try:
        decoded = decode(header + encoded(halves()))
    finally:
        preprocess._can_open_heic.cache_clear()
    assert decoded.format == "HEIF"
    assert decoded.image.tobytes() == halves().tobytes()


@pytest.mark.heavy
def test_damaged_files_of_every_format_end_as_pixels_or_a_reason() -> None:
    """Nothing else is raised, nothing hangs, and no header makes a picture beyond the limit."""
    command = [sys.executable, "-m", "support.mutations", "300", "0"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    assert came["wrong"] == []
    assert came["n"] > 300
    assert 30 < came["outcomes"]["ok"] < 300
    assert came["slowest"][1] < 20
    assert came["grown_bytes"] < 2 * 2**30  # a WebP just below the limit is decoded into three canvases
    assert max(map(len, came["outcomes"])) < 120


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (10_000, 10_000), (2_000_000_000, 1)])
def test_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    assert reason(png_header(width, height)).startswith("too large")


def test_png_that_holds_less_than_it_claims_is_unreadable() -> None:
    assert reason(png_header(64, 64)).startswith("damaged")


def test_one_pixel_is_a_picture() -> None:
    decoded = decode(encoded(Image.new("RGB", (1, 1), RED)))
    assert decoded.image.size == (1, 1)
    for name in ("photo", "face"):
        pixels = render(decoded.image, View(name, 32), None)
        assert (pixels == RED).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
def test_extreme_shapes_are_inspected_without_a_stop(size: tuple[int, int], tmp_path: Path) -> None:
    source = open_images(str(write_files(tmp_path, {"a.png": encoded(Image.new("RGB", size, RED))})))
    (inspected,) = inspect_together(source, source.files, [View("photo", 32)], detector())
    assert inspected.row["status"] == "ok"
    assert (inspected.row["width"], inspected.row["height"]) == size
    assert inspected.views["photo-32"].shape == (32, 32, 3)


def test_files_inspected_together_are_what_each_is_alone(tmp_path: Path) -> None:
    pictures = {f"{i:02d}.png": encoded(grainy(i)) for i in range(3)}
    pictures |= {f"{i:02d}.png": encoded(pattern(i, (60 + i % 2, 40))) for i in range(3, 8)}
    pictures |= {"08.png": b"no picture", "09.png": encoded(Image.new("RGB", (1, 90), RED)), "10.png": b""}
    source = open_images(str(write_files(tmp_path, pictures)))
    together = inspect_together(source, source.files, [View("photo", 32)], detector())
    for file, one in zip(source.files, together, strict=True):
        (alone,) = inspect_together(source, [file], [View("photo", 32)], detector())
        assert one.row.keys() == alone.row.keys()
        numbers = {name: value for name, value in alone.row.items() if isinstance(value, float)}
        assert {name: one.row[name] for name in numbers} == pytest.approx(numbers, rel=1e-6, abs=1e-12)
        assert {**one.row, **numbers} == alone.row
        assert (one.fingerprint is None) == (alone.fingerprint is None) == (one.row["status"] == "unreadable")
        assert all(np.array_equal(view, alone.views[key]) for key, view in one.views.items())
    assert [one.row["status"] for one in together].count("unreadable") == 2


@pytest.fixture
def many_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """So many that they are read in processes; two are no pictures."""
    pictures = {f"{i:03d}.png": encoded(pattern(i, (48, 48)).convert("L")) for i in range(150)}
    source = open_images(str(write_files(tmp_path / "set", pictures | {"010.png": b"no picture", "149.png": b""})))
    monkeypatch.setattr(intake, "MANY", 100)
    monkeypatch.setattr(intake, "_cores", lambda: 2)
    return source


@pytest.mark.parametrize("finds_faces", [False, True])
def test_many_small_files_are_read_in_processes_and_are_the_same(
    many_small_files: Source, monkeypatch: pytest.MonkeyPatch, finds_faces: bool
) -> None:
    views, faces = [View("photo", 32)], detector() if finds_faces else None
    with monkeypatch.context() as patch:
        patch.setattr(intake, "read_ahead", None)
        apart = list(intake.inspect_files(many_small_files, many_small_files.files, views, faces))
    monkeypatch.setattr(intake, "MANY", 1000)
    here = list(intake.inspect_files(many_small_files, many_small_files.files, views, faces))
    assert len(apart) == len(here) == 150
    for one, other in zip(apart, here, strict=True):
        assert (one.row, one.finding) == (other.row, other.finding)
        assert np.array_equal(one.fingerprint, other.fingerprint)  # type: ignore[arg-type]
        assert all(np.array_equal(view, other.views[key]) for key, view in one.views.items())


def test_a_reading_process_that_is_killed_is_one_line(
    many_small_files: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*words: object, **more: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(intake, "inspect_apart", killed)
    with pytest.raises(WorkFailedError, match="ended from outside; is memory short"):
        list(intake.inspect_files(many_small_files, many_small_files.files, [], None))


def test_size_in_the_table_is_the_upright_one(tmp_path: Path) -> None:
    content = encoded(halves(), "JPEG", exif=exif(6))
    source = open_images(str(write_files(tmp_path, {"a.jpg": content})))
    row = inspect_together(source, source.files[:1], [], detector())[0].row
    assert (row["width"], row["height"], row["bytes"]) == (20, 40, len(content))


@pytest.mark.parametrize("size", [32, 48, 97])
@pytest.mark.parametrize("name", ["photo", "face"])
def test_render_gives_a_square_of_bytes(name: Any, size: int) -> None:
    pixels = render(pattern(1), View(name, size), (10, 5, 25, 20))
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8


def test_face_view_is_the_photo_view_where_there_is_no_face() -> None:
    image = pattern(1)
    assert np.array_equal(render(image, View("face", 48), None), render(image, View("photo", 48), None))


def test_photo_view_does_not_look_at_the_face() -> None:
    image = pattern(1)
    assert np.array_equal(render(image, View("photo", 48), (10, 5, 25, 20)), render(image, View("photo", 48), None))


def test_face_view_shows_the_face() -> None:
    image = Image.new("RGB", (200, 100), BLUE)
    image.paste(RED, (120, 20, 190, 90))
    pixels = render(image, View("face", 32), (140, 40, 170, 70))
    assert (pixels == RED).all()


@settings(deadline=None, max_examples=200)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.tuples(*[st.floats(0, 1)] * 4),
)
def test_face_view_stays_in_the_picture_and_is_not_stretched(width: int, height: int, box: tuple[float, ...]) -> None:
    """A gradient in each direction tells which part is shown."""
    left, right = sorted((box[0] * width, box[2] * width))
    top, bottom = sorted((box[1] * height, box[3] * height))
    if min(right - left, bottom - top) < 1:  # the detector drops such boxes
        return
    x, y = np.meshgrid(np.linspace(0, 250, width), np.linspace(0, 250, height))
    image = Image.fromarray(np.stack([x, y, np.full_like(x, 255)], 2).astype(np.uint8))
    pixels = render(image, View("face", 16), (left, top, right, bottom))
    assert (pixels[..., 2] == 255).all()  # nothing from beyond the border
    shown = np.ptp(pixels[..., :2].astype(float), axis=(0, 1)) / 250 * (width, height)
    side = min(max(right - left, bottom - top) * 1.2, width, height)
    assert (shown <= side + 2 + 0.02 * max(width, height)).all()


@pytest.mark.parametrize("box", [(0, 0, 30, 30), (170, 70, 200, 100), (-5, -5, 20, 20), (0, 0, 200, 100)])
def test_face_at_the_border_is_moved_into_the_picture(box: tuple[int, int, int, int]) -> None:
    pixels = render(Image.new("RGB", (200, 100), WHITE), View("face", 32), box)
    assert (pixels == 255).all()


def test_softmax_adds_up_and_stands_large_logits() -> None:
    probs = softmax(np.array([[1e4, 0.0, -1e4], [1.0, 1.0, 1.0]], np.float32))
    assert probs.sum(1).tolist() == pytest.approx([1, 1])
    assert probs[0].tolist() == [1, 0, 0]
