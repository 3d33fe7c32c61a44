"""What is done to decoded pictures to see how a model takes it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Images", "Views", "resized", "saved_as_jpeg"]

Images = NDArray[np.uint8]
Views = dict[str, Images]
"""View key → uint8 (N, S, S, 3)."""


def resized(image: Images, size: int) -> Images:
    """A picture (S, S, 3) at another size, antialiased as ``render`` does it."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def saved_as_jpeg(image: Images, quality: int) -> Images:
    """A picture once it was saved as a JPEG and opened again."""
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        return np.asarray(opened.convert("RGB"))
