"""Any image file becomes the same upright RGB pixels, or a reason; every view is a square uint8 array."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.data.intake import inspect_file
from mien.data.preprocess import UnreadableImageError, View, decode, render
from mien.data.sources import open_images
from mien.recognizer import softmax
from pictures import BLUE, RED, WHITE, detector, encoded, halves, pattern, png, png_header, write_files

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
    rows = [inspect_file(source, file, [], detector()).row for file in source.files]
    assert [(row["status"], row["format"]) for row in rows] == [("ok", "JPEG"), ("ok", "PNG")]


def test_cmyk_jpeg_keeps_its_colours() -> None:
    decoded = decode(encoded(halves((64, 32)).convert("CMYK"), "JPEG", quality=95))
    assert (decoded.mode, decoded.image.mode) == ("CMYK", "RGB")
    assert close(decoded.image.getpixel((8, 16)), RED)
    assert close(decoded.image.getpixel((56, 16)), BLUE)


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


def test_animation_gives_its_first_frame_and_a_note() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]
    decoded = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert decoded.image.getpixel((5, 5)) == RED
    assert decoded.note is not None
    assert "first frame" in decoded.note


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


@pytest.mark.parametrize("content", [b"<html><body>404</body></html>", b"\0" * 1000, b"PK\x03\x04", "é".encode()])
def test_what_is_no_image_says_so(content: bytes) -> None:
    assert reason(content) == "not an image that Pillow can read"


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
    inspected = inspect_file(source, source.files[0], [View("photo", 32)], detector())
    assert inspected.row["status"] == "ok"
    assert (inspected.row["width"], inspected.row["height"]) == size
    assert inspected.views["photo-32"].shape == (32, 32, 3)


def test_size_in_the_table_is_the_upright_one(tmp_path: Path) -> None:
    content = encoded(halves(), "JPEG", exif=exif(6))
    source = open_images(str(write_files(tmp_path, {"a.jpg": content})))
    row = inspect_file(source, source.files[0], [], detector()).row
    assert (row["width"], row["height"], row["bytes"]) == (20, 40, len(content))


@pytest.mark.parametrize("size", [32, 48, 97])
@pytest.mark.parametrize("name", ["photo", "face"])
def test_render_gives_a_square_of_bytes(name: str, size: int) -> None:
    pixels = render(pattern(1), View(name, size), (10, 5, 25, 20))
    assert (pixels.shape, pixels.dtype) == ((size, size, 3), np.uint8)


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
