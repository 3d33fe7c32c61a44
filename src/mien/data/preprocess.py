"""Photo → network input, one way for training, evaluation, ONNX and the app.

A file is decoded with Pillow, turned upright by its EXIF, flattened on white where it is transparent, and made
RGB. A *view* is a square uint8 array of it: the whole photo, or the face. Both are resized with Pillow's
antialiased bilinear filter, without keeping the aspect ratio, as the notebook did. Numbers are normalised
inside the networks, so there is nothing else that could differ.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["Box", "UnreadableImageError", "View", "decode", "render", "upright_rgb"]

MAX_PIXELS = 89_478_485
"""Largest picture that is decoded, in pixels: Pillow's own limit against decompression bombs."""

FACE_MARGIN = 1.2
"""Side of the square face view, as a multiple of the longer side of the face box."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class UnreadableImageError(Exception):
    """A file that Pillow cannot turn into pixels; the message is the reason. Becomes a row, never a stop."""


@dataclass(frozen=True)
class View:
    """One square uint8 input of a network.

    Attributes:
        name: ``photo`` is the whole picture; ``face`` the main face, or the whole picture where there is none.
        size: side in pixels.
    """

    name: Literal["photo", "face"]
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
        format: by content, not by extension, e.g. ``JPEG``.
        mode: Pillow's name of the stored pixels, e.g. ``CMYK``.
        note: what was done that a user should know, or None.
    """

    image: Image.Image
    format: str
    mode: str
    note: str | None


def decode(content: bytes) -> Decoded:
    """Decode the bytes of an image file; of an animation, the first frame.

    Raises:
        UnreadableImageError: with the reason, for anything that is not a whole image.
    """
    if not content:
        raise UnreadableImageError("empty file")
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadableImageError(f"too large: {width}×{height} pixels")
            note = "several frames: first frame used" if getattr(image, "n_frames", 1) > 1 else None
            file_format, mode = image.format or "", image.mode
            return Decoded(upright_rgb(image), file_format, mode, note)
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image that Pillow can read") from None
    except Image.DecompressionBombError:
        raise UnreadableImageError("too large: a decompression bomb") from None
    except UnreadableImageError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything inside a decoder
        raise UnreadableImageError(f"damaged: {error}" if str(error) else "damaged") from error


def upright_rgb(image: Image.Image) -> Image.Image:
    """An upright RGB copy: EXIF orientation applied, transparency on white, 16-bit greys scaled to 8."""
    image.load()
    with contextlib.suppress(Exception):  # a corrupt EXIF block says nothing about the pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits, or floats, as 8 bits; the range is told by the mode or by the largest value."""
    values = np.asarray(image, dtype=np.float64)
    largest = values.max(initial=0)
    if image.mode.startswith("I;16") or (image.mode == "I" and largest <= 65535):
        top = 65535.0 if largest > 255 else 255.0
    elif image.mode == "F" and largest <= 1:
        top = 1.0
    else:
        top = next(t for t in (255.0, 65535.0, 2.0**31 - 1, max(largest, 1)) if largest <= t)
    return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8))


def render(image: Image.Image, view: View, face: Box | None) -> NDArray[np.uint8]:
    """Make one view of an upright RGB picture.

    Args:
        face: box of the main face; without one, the face view shows the whole picture.

    Returns:
        uint8 array (size, size, 3).
    """
    box = _square_around(face, image.size) if view.name == "face" and face is not None else None
    resized = image.resize((view.size, view.size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)


def _square_around(face: Box, size: tuple[int, int]) -> Box:
    """A square around the face with a margin, moved into the picture, never stretched."""
    width, height = size
    left, top, right, bottom = face
    side = min(max(right - left, bottom - top) * FACE_MARGIN, width, height)
    x = min(max((left + right - side) / 2, 0.0), width - side)
    y = min(max((top + bottom - side) / 2, 0.0), height - side)
    return (x, y, min(x + side, width), min(y + side, height))
