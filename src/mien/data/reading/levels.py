"""Which number is white: told where it is certain, refused where it is not.

Pixels of more than 8 bits, and floats, carry numbers whose range nothing says: a camera of 12 bits writes files of 16,
and floats go up to 1 for one program and up to 255 for another. Read by the wrong range, a photo is all black or white.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["UnknownRangeError", "depth_note", "eight_bits", "white_of"]

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that sensors and files have; the fewest that hold a picture's largest number are taken for its range."""
SURELY_BRIGHT = 16
"""Below this, the largest number may be of a picture up to 1 that was overdrawn, of a mask, or black up to 255."""
WHITE_OF_32 = 2**31 - 1


class UnknownRangeError(ValueError):
    """Nothing says which number is white; the message is the reason, and what to do."""


def white_of(smallest: float, largest: float, *, are_floats: bool) -> float:
    """The number that stands for white: 1, or 2ⁿ − 1 for 8, 10, 12, 14, 16 or 31 bits.

    Args:
        smallest: finite number in the picture.
        largest: likewise.
        are_floats: whether the numbers are floats. Those count as 0 to 1 up to 1, as 0 to 255 from 16 to 255, and by
            more bits only where they reach the upper half of that range.

    Raises:
        UnknownRangeError: if it cannot be told.
    """
    if smallest < 0:
        raise UnknownRangeError(f"numbers down to {smallest:.4g}, so it was normalised or is no photo; {_mend(1)}")
    if are_floats and largest <= 1:
        return 1.0
    if not largest:
        return 255.0
    if largest < SURELY_BRIGHT:
        raise UnknownRangeError(f"numbers only up to {largest:.4g}: which of them is white is not known; {_mend(1)}")
    if largest > 65535:
        if not are_floats and 2**30 <= largest <= WHITE_OF_32:
            return WHITE_OF_32
        raise UnknownRangeError(f"numbers up to {largest:.6g}: which of them is white is not known; {_mend(65535)}")
    white = next(2.0**bits - 1 for bits in DEPTHS if largest <= 2**bits - 1)
    if are_floats and white > 255 and largest <= white / 2:
        raise UnknownRangeError(f"floats up to {largest:.6g}: which of them is white is not known; {_mend(255)}")
    return white


def eight_bits(values: NDArray[np.number], white: float) -> NDArray[np.uint8]:
    """Numbers as uint8 of the same shape, rounded: ``white`` becomes 255; no number becomes 0, infinity 255."""
    shares = np.nan_to_num(values.astype(np.float64) / white, nan=0.0, posinf=1.0, neginf=0.0)
    return np.asarray(np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8))


def depth_note(white: float, bits: int) -> str | None:
    """What a user should know where a file has more bits than its numbers use; None where it uses them."""
    used = round(math.log2(white + 1))
    return f"{bits} bits, of which it uses {used}: read as {used} bits" if 1 < used < bits else None


def _mend(white: int) -> str:
    scaled = "x * 255" if white == 1 else f"x / {white} * 255"
    return f"make it 8 bits, as with ({scaled}).round() where {white} is white"
