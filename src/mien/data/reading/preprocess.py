"""Photo → network input, one way for training, evaluation, ONNX and the app.

A file is decoded with Pillow, turned upright by its EXIF, flattened on white where it is transparent, and made
RGB. A *view* is a square uint8 array of it: the whole photo, or the face. Both are resized with Pillow's
antialiased bilinear filter, without keeping the aspect ratio, as the notebook did. Numbers are normalised
inside the networks, so there is nothing else that could differ.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.data.reading.compression import jpeg_quality
from mien.data.reading.levels import UnknownRangeError, depth_note, eight_bits, white_of
from mien.data.reading.signatures import is_heic, why_no_image
from mien.data.reading.tiff import is_negative, why_unread_tiff

__all__ = [
    "Box",
    "UnreadableImageError",
    "View",
    "as_grey",
    "decode",
    "is_face_crop",
    "load_pixels",
    "render",
    "square_around",
    "upright_rgb",
]

MAX_PIXELS = 89_478_485
"""Largest picture that is decoded, in pixels: Pillow's own limit against decompression bombs."""
SCALE_DOWN = f"scale it down to at most {MAX_PIXELS // 10**6} million"

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
"""What Pillow may take a file for. Its many other readers start programs (Ghostscript), only know a file by its first
bytes (MPEG), or take chance bytes for a picture (TGA)."""

BAND_PIXELS = 2**22
"""Pixels that are converted at a time, so that a large picture needs no large copies."""

DARKEST_DEEP = 64
"""Of 255: what the brightest of colours of 16 bits must reach. Those of a sensor of 14 bits or fewer stay below."""

MAX_CROP_SIDE = 112
MAX_CROP_ASPECT = 1.25

FACE_MARGIN = 1.0
"""Side of the square face view, as a multiple of the longer side of the face box. In FER2013, on which the expression
backbone was trained, it is 1.02 (median of 295 crops that the detector was shown on a larger ground)."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class UnreadableImageError(Exception):
    """A file that Pillow cannot turn into pixels; the message is the reason. Becomes a row, never a stop."""


@dataclass(frozen=True)
class View:
    """One square uint8 input of a network.

    Attributes:
        name: ``photo`` is the whole picture; ``face`` the main face, or the whole picture where there is none;
            ``scene`` the whole picture, or nothing but black where the picture is a face crop (``is_face_crop``).
        size: side in pixels.
    """

    name: Literal["photo", "face", "scene"]
    size: int

    @property
    def key(self) -> str:
        """Name and size, as in ``face-112``."""
        return f"{self.name}-{self.size}"


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file was.

    Attributes:
        image: upright RGB.
        size: upright width and height of the whole picture, px; that of ``image`` unless it was decoded smaller.
        format: by content, not by extension, e.g. ``JPEG``.
        mode: Pillow's name of the stored pixels, e.g. ``CMYK``.
        note: what was done that a user should know, or None.
        quality: of a JPEG, as ``jpeg_quality`` tells it; else None.
    """

    image: Image.Image
    size: tuple[int, int]
    format: str
    mode: str
    note: str | None
    quality: int | None


def decode(content: bytes, least_side: int | None = None) -> Decoded:
    """Decode the bytes of an image file; of an animation or several pages, the first.

    Args:
        least_side: what the longer side must keep, px; a JPEG is then decoded at a half, a quarter or an eighth of
            its size where that leaves enough, for those who measure a photo but do not recognise anything in it.

    The further pictures that phones keep in a JPEG (MPO), such as a depth map, are no animation: it is called a JPEG.

    Raises:
        UnreadableImageError: with the reason, for anything that is not a whole image.
    """
    if not content:
        raise UnreadableImageError("empty file")
    formats = (*FORMATS, "HEIF") if is_heic(content) and _can_open_heic() else FORMATS
    file_format = ""
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            file_format, mode = (image.format or "").replace("MPO", "JPEG"), image.mode
            width, height = image.size
            quality = jpeg_quality(image)
            if width < 1 or height < 1:
                raise UnreadableImageError("damaged: it has no pixels")
            if width * height > MAX_PIXELS:
                raise UnreadableImageError(f"too large: {width}×{height} pixels; {SCALE_DOWN}")
            has_more = file_format != "JPEG" and getattr(image, "is_animated", False)
            note = "several frames: first frame used" if has_more else None
            if least_side is not None and file_format == "JPEG":
                scale = min(1.0, least_side / max(width, height))
                image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
            before = image.size
            upright, depth = _upright(image, is_ours=True)
            note = "; ".join(said for said in (note, depth) if said) or None
            size = (width, height) if upright.size == before else (height, width)
            return Decoded(upright, size, file_format, mode, note, quality)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        raise UnreadableImageError(why_unread_tiff(content) or why_no_image(content)) from None
    except Exception as error:  # a damaged file can raise nearly anything inside a decoder
        raise UnreadableImageError(_damage(error, file_format) or why_no_image(content)) from error


@functools.cache
def _can_open_heic() -> bool:
    """Register pillow-heif with Pillow where it is installed."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except Exception:  # not installed, or not for this machine
        return False
    return True


def _damage(error: Exception, file_format: str) -> str | None:
    """Pillow's many messages in the words of someone who has the file, not the library; None if it says nothing."""
    said = str(error).lower()
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: more than {2 * MAX_PIXELS // 10**6} million pixels; {SCALE_DOWN}"
    if isinstance(error, MemoryError):
        return "too large for the memory of this machine; scale it down"
    if isinstance(error, EOFError) or "truncated" in said or "unexpected end" in said:
        return "damaged: the file is cut short"
    if "max_text" in said:
        return "damaged: a text beside the pixels unpacks to more than a megabyte"
    return f"damaged: its {file_format} data cannot be decoded" if file_format else None


def upright_rgb(image: Image.Image) -> Image.Image:
    """A copy of the picture, upright and in RGB.

    EXIF orientation is applied, transparency laid on white, greys of more than 8 bits and floats are scaled to 8.

    Raises:
        UnreadableImageError: if it has no pixels, none that can be seen, or numbers of which nobody can tell how bright
            they are.
    """
    return _upright(image, is_ours=False)[0]


def _upright(image: Image.Image, *, is_ours: bool) -> tuple[Image.Image, str | None]:
    """The picture upright and in RGB, and what was done that a user should know.

    Args:
        is_ours: whether the picture itself may be changed, and given back.
    """
    load_pixels(image)
    note, is_inverted = None, is_negative(image)
    image = image if is_ours else image.copy()
    with contextlib.suppress(Exception):  # a corrupt EXIF block says nothing about the pixels
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image, note = _eight_bits(image, is_inverted=is_inverted)
    if image.mode == "LAB":
        raise UnreadableImageError("colours in L*a*b*, which are not read; save it in RGB")
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        return _on_white(image), note
    # A copy of a large photo costs as much as a decode.
    return (image if image.mode == "RGB" else image.convert("RGB")), note


def as_grey(image: Image.Image) -> Image.Image:
    """The luma of a picture (ITU-R 601), mode ``L``; the picture itself where it is that, as Pillow would copy it."""
    return image if image.mode == "L" else image.convert("L")


def load_pixels(image: Image.Image) -> None:
    """Decode a picture that was only opened.

    Raises:
        UnreadableImageError: if it has no pixels, or colours of 16 bits of which only the lower bits are used.
    """
    if not image.width or not image.height:
        raise UnreadableImageError("it has no pixels")
    stored = _deep_colours(image)  # which is not known any more once it is decoded
    image.load()
    if stored is not None:
        _refuse_unused_depth(image, has_greys="LA" in stored)


def _deep_colours(image: Image.Image) -> str | None:
    """How a file that was opened and not yet read stores colours of 16 bits, of which Pillow keeps the upper 8."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA"):
        return None
    return next((str(tile[3]) for tile in getattr(image, "tile", ()) if "16" in str(tile[3])), None)


def _refuse_unused_depth(image: Image.Image, *, has_greys: bool) -> None:
    """Refuse colours that leave the upper bits unused, as those of a camera of 12 bits do: they would be black."""
    highest = [float(high) for _, high in image.getextrema()]  # type: ignore[misc]  # of a picture of several bands
    brightest = max(highest[: 1 if image.mode == "LA" else 3])
    is_black_shape = has_greys and not brightest and any(highest)
    if brightest < DARKEST_DEEP and not is_black_shape:
        raise UnreadableImageError(
            "colours of 16 bits of which only the lower are used, so how bright it is is not known; save it with 8 bits"
        )


def _on_white(image: Image.Image) -> Image.Image:
    """A picture with transparency, in RGB on white."""
    flat, is_visible = Image.new("RGB", image.size), False
    for top, bottom in _bands(image):
        band = image.crop((0, top, image.width, bottom)).convert("RGBA")
        is_visible = is_visible or band.getchannel("A").getbbox() is not None
        white = Image.new("RGBA", band.size, "white")
        flat.paste(Image.alpha_composite(white, band).convert("RGB"), (0, top))
    if not is_visible:
        raise UnreadableImageError("wholly transparent: nothing of it can be seen")
    return flat


def _eight_bits(image: Image.Image, *, is_inverted: bool) -> tuple[Image.Image, str | None]:
    """Greys of 16 or 32 bits, or floats, as 8 bits, and what was done that a user should know."""
    values = np.asarray(image)
    are_floats, is_known = image.mode == "F", np.isfinite(values)
    smallest = float(values.min(initial=0, where=is_known))
    largest = float(values.max(initial=0, where=is_known))
    try:
        white = white_of(smallest, largest, are_floats=are_floats)
    except UnknownRangeError as error:
        raise UnreadableImageError(f"{'float' if are_floats else '16- or 32-bit'} greys: {error}") from error
    grey = np.empty(values.shape, np.uint8)
    for first, end in _bands(image):
        grey[first:end] = eight_bits(values[first:end], white)
    if is_inverted:
        grey = 255 - grey
    note = None if are_floats else depth_note(white, 16 if white <= 65535 else 32)
    return Image.fromarray(grey), note


def _bands(image: Image.Image) -> list[tuple[int, int]]:
    """First row and end of bands of so many pixels, from top to bottom."""
    rows = max(1, BAND_PIXELS // image.width)
    return [(top, min(top + rows, image.height)) for top in range(0, image.height, rows)]


def render(image: Image.Image, view: View, face: Box | None) -> NDArray[np.uint8]:
    """Make one view of an upright RGB picture.

    Args:
        face: box of the main face; without one, the face view shows the whole picture.

    Returns:
        uint8 array (size, size, 3).
    """
    if view.name == "scene" and is_face_crop(*image.size):
        return np.zeros((view.size, view.size, 3), np.uint8)
    box = square_around(face, image.size) if view.name == "face" and face is not None else None
    resized = image.resize((view.size, view.size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)


def is_face_crop(width: int, height: int) -> bool:
    """Whether a photo is taken as an already cropped face.

    The rule: no side longer than 112 px and neither side more than 1.25 times the other, as in FER2013 (48×48).
    Such pictures are too small to search; face and photo are then the same pixels.
    """
    return max(width, height) <= MAX_CROP_SIDE and max(width, height) <= MAX_CROP_ASPECT * min(width, height)


def square_around(face: Box, size: tuple[int, int]) -> Box:
    """A square around the face with a margin, moved into the picture, never stretched."""
    width, height = size
    left, top, right, bottom = face
    side = min(max(right - left, bottom - top) * FACE_MARGIN, width, height)
    x = min(max((left + right - side) / 2, 0.0), width - side)
    y = min(max((top + bottom - side) / 2, 0.0), height - side)
    return (x, y, min(x + side, width), min(y + side, height))
