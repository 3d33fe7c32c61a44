"""How strongly a JPEG file was compressed, told from its quantisation table."""

from __future__ import annotations

import functools

from PIL import Image

__all__ = ["jpeg_quality"]

LUMA_TABLE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""Of ITU-T T.81 (1992), annex K.1; libjpeg's at quality 50."""


def _scaled_sum(quality: int) -> int:
    """Sum of the table that libjpeg makes for a quality from 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (step * scale + 50) // 100)) for step in LUMA_TABLE)


_SUMS = {quality: _scaled_sum(quality) for quality in range(100, 0, -1)}


def jpeg_quality(image: Image.Image) -> int | None:
    """The quality, 1 to 100, at which libjpeg steps as coarsely in luma as this file does.

    For files that libjpeg wrote it is the quality that was asked for; cameras and some programs have tables of their
    own, for which it is the nearest. What was done to the pixels before they were saved last leaves no trace in it.

    Returns:
        None for a picture that was not opened from a JPEG.
    """
    tables = getattr(image, "quantization", None)
    if not tables or 0 not in tables:
        return None
    return _nearest(sum(tables[0]))


@functools.cache
def _nearest(total: int) -> int:
    """The quality whose table sums to most nearly so much; a set of photos knows few sums."""
    return min(_SUMS, key=lambda quality: abs(_SUMS[quality] - total))
