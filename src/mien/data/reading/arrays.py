"""Numbers in memory → RGB pixels, or a reason: arrays of NumPy and of what turns into them, tensors of PyTorch.

Arrays have their channels last, tensors first or last; numbers are told apart as 0 to 1, 0 to 255 and more bits only
where that is certain (``levels.py``). Nothing is imported for what nobody uses.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.levels import UnknownRangeError, eight_bits, white_of

__all__ = ["Channels", "RefusedArrayError", "as_array", "batch", "image_of", "is_list_of_things"]

Channels = Literal["rgb", "bgr"]
COUNTS = (1, 3, 4)
"""Channels that a picture may have: grey, RGB, and RGB with alpha."""
FLATTEST = 16
"""Times that a grey picture may be wider than high or higher than wide; beyond, its rows are flattened pictures."""


class RefusedArrayError(ValueError):
    """Numbers that are no photo; the message says what came, and what to do."""


def as_array(given: object) -> tuple[NDArray[Any], bool] | None:
    """The array of what is one or turns into one, and whether it was a tensor; None for anything else.

    Raises:
        RefusedArrayError: if it says that it turns into one, and does not.
    """
    if isinstance(given, np.ndarray):
        return given, False
    is_tensor = all(callable(getattr(given, name, None)) for name in ("detach", "cpu", "numpy"))
    kind = type(given)
    if not is_tensor and not hasattr(kind, "__array__") and not hasattr(kind, "__array_interface__"):
        return None
    try:
        return np.asarray(_numbers_of(given) if is_tensor else given), is_tensor
    except Exception as error:  # of whatever library it comes from
        said = " ".join(str(error).split())[:200]
        raise RefusedArrayError(
            f"{_name(kind)} that gives no array ({said}); give it as a NumPy array, uint8 (H, W, 3)"
        ) from error


def _numbers_of(tensor: Any) -> Any:
    """A tensor's numbers; of kinds that NumPy does not have, such as bfloat16, as 32-bit floats."""
    here = tensor.detach().cpu()
    try:
        return here.numpy()
    except TypeError:
        return here.float().numpy()


def is_list_of_things(array: NDArray[Any]) -> bool:
    """Whether an array is a list of paths or pictures, and no pixels."""
    return array.ndim == 1 and array.dtype.kind in "OUST"


def image_of(array: NDArray[Any], channels: Channels, *, is_tensor: bool) -> Image.Image:
    """A picture of one array, which shares nothing with it.

    Args:
        array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); of a tensor also (1, H, W), (3, H, W) or (4, H, W).
        channels: the order of colours, before alpha.

    Raises:
        RefusedArrayError: if it is no such picture, or if nobody can tell how bright it is.
    """
    _check_kind(array)
    placed = _channels_last(array, is_tensor=is_tensor)
    if not placed.size:
        raise RefusedArrayError(f"an array without pixels, {_what(array)}; look where it was cropped")
    pixels = _eight_bits(placed, array)
    if pixels.shape[-1] > 1 and channels == "bgr":
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[-1])]]
    pixels = np.ascontiguousarray(pixels)
    return Image.fromarray(pixels[..., 0].copy() if pixels.shape[-1] == 1 else pixels.copy())


def batch(array: NDArray[Any], *, is_tensor: bool) -> list[NDArray[Any]]:
    """The pictures of an array of four axes, in one range of numbers, for ``image_of``.

    Args:
        array: (N, H, W, C); of a tensor also (N, C, H, W).

    Raises:
        RefusedArrayError: if no picture of it could be told.
    """
    _check_kind(array)
    placed = _channels_last(array, is_tensor=is_tensor)
    is_certain = array.dtype in (np.uint8, np.bool_)
    if is_certain or not placed.size or (array.dtype.kind == "f" and not np.isfinite(placed).all()):
        return list(placed)
    return list(_eight_bits(placed, array))  # a dark picture beside bright ones goes by their range


def _check_kind(array: NDArray[Any]) -> None:
    kind = array.dtype.kind
    if kind not in "buif" or array.dtype == np.int8:
        raise RefusedArrayError(f"{_what(array)}: no numbers of pixels; give uint8 (H, W, 3), or floats from 0 to 1")
    if np.ma.is_masked(array):
        raise RefusedArrayError(f"{_what(array)} with masked pixels; fill them first, as with array.filled(0)")


def _channels_last(array: NDArray[Any], *, is_tensor: bool) -> NDArray[Any]:
    """The array as (H, W, C) or (N, H, W, C)."""
    pixels = np.asarray(np.ma.getdata(array, subok=False))  # a matrix stays one whatever axis it is given
    shape = pixels.shape
    if pixels.ndim == 2:
        _refuse_flat(array)
        return pixels[..., None]
    if pixels.ndim == 1 and pixels.dtype == np.uint8:
        raise RefusedArrayError(f"{_what(array)}: one axis; if it is the content of a file, give array.tobytes()")
    if pixels.ndim not in (3, 4):
        raise RefusedArrayError(f"{_what(array)}: no picture has such axes; give (H, W, 3), or (N, H, W, 3) for many")
    is_last, is_first = shape[-1] in COUNTS, shape[-3] in COUNTS
    if is_last and not (is_tensor and is_first):
        return pixels
    if is_tensor and is_first and not is_last:
        return np.moveaxis(pixels, -3, -1)
    if is_last:
        raise RefusedArrayError(f"{_what(array)}: channels first or last? Give it as a NumPy array with channels last")
    axes = "1, 2, 0" if pixels.ndim == 3 else "0, 2, 3, 1"
    if not is_first:
        hint = f", or as {shape[0]} grey pictures array[..., None]" if pixels.ndim == 3 else ""
        raise RefusedArrayError(f"{_what(array)}: no axis of 1, 3 or 4 channels; give (H, W, 3){hint}")
    greys = f", or if these are {shape[0]} grey pictures array[..., None]" if pixels.ndim == 3 else ""
    raise RefusedArrayError(f"{_what(array)}: channels first, it seems; give array.transpose({axes}){greys}")


def _refuse_flat(array: NDArray[Any]) -> None:
    height, width = array.shape
    if min(height, width) and max(height, width) > FLATTEST * min(height, width):
        raise RefusedArrayError(
            f"{_what(array)}: too long for a picture; if its rows are pictures, give array.reshape(-1, H, W, 1)"
        )


def _eight_bits(placed: NDArray[Any], array: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels as uint8 of the same shape."""
    if placed.dtype == np.uint8:
        return placed
    if placed.dtype.kind == "b":
        return placed.astype(np.uint8) * np.uint8(255)
    if placed.dtype.kind == "f" and not np.isfinite(placed).all():
        raise RefusedArrayError(f"{_what(array)} with NaN or infinity; fill them first, as with numpy.nan_to_num")
    colours = placed[..., :3] if placed.shape[-1] == 4 else placed
    white = _white(colours, array)
    if placed.shape[-1] == 4 and _white(placed[..., 3], array) != white and placed[..., 3].any():
        raise RefusedArrayError(f"{_what(array)}: colours and alpha are of different ranges; give uint8")
    return eight_bits(placed, white)


def _white(values: NDArray[Any], array: NDArray[Any]) -> float:
    try:
        white = white_of(float(values.min()), float(values.max()), are_floats=values.dtype.kind == "f")
    except UnknownRangeError as error:
        raise RefusedArrayError(f"{_what(array)}: {error}") from error
    if white > 255 and values.dtype.kind == "i" and values.dtype.itemsize == 2:
        raise RefusedArrayError(f"{_what(array)} up to {values.max()}: which is white is not known; give uint8")
    return white


def _what(array: NDArray[Any]) -> str:
    return f"an array {array.dtype} {array.shape}"


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
