"""How the frames of a video are to be shown: turned or mirrored, as the display matrix beside them says."""

from __future__ import annotations

import struct
from typing import Any

from numpy.typing import NDArray

__all__ = ["upright"]


def upright(pixels: NDArray[Any], matrix: bytes | None) -> NDArray[Any]:
    """The pixels (H, W, 3) as they are to be shown: one of eight ways to turn and mirror them.

    Args:
        matrix: nine integers of 32 bits in the machine's order, as FFmpeg's ``AV_FRAME_DATA_DISPLAYMATRIX``: a stored
            point (x, y) is shown at (a·x + c·y, b·x + d·y) for a, b, _, c, d, … Angles between are taken for the
            nearest right one. None or a damaged one changes nothing.
    """
    if matrix is None or len(matrix) < 36:
        return pixels
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    across, down = a, d
    if abs(b) + abs(c) > abs(a) + abs(d):  # columns become rows
        pixels, across, down = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
