"""What Python users hand over → pictures: the one place where it is taken, or refused by what it is.

A photo is a path, the bytes of a file, an open file, a Pillow image, an array or a tensor; several are a list, a tuple,
any other iterable, an array of paths, or an array of four axes. All are looked at before the first is answered, and one
error says of each that is refused which it is, what came, and what to do.
"""

from __future__ import annotations

import array
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, TypeGuard, runtime_checkable

from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.arrays import Channels, RefusedArrayError, as_array, batch, image_of, is_list_of_things
from mien.data.reading.pictures import Picture
from mien.data.reading.preprocess import UnreadableImageError, decode, load_pixels, upright_rgb
from mien.data.sources.files import existing_path
from mien.data.sources.store import read_address
from mien.errors import ConfigError, PhotoError
from mien.system.addresses import is_address, kept_aside
from mien.system.files import MAX_FILE_BYTES, read_file
from mien.system.paths import shown, user_path, why_no_file

__all__ = ["Channels", "Given", "Photo", "Readable", "Tensor", "given", "in_memory", "path_of_video"]

GIVE = "give a path, the bytes of a file, an open file, a Pillow image, or an array"
MOST_REASONS = 20
"""Reasons that an error tells, each with the photos that it is true of."""
MOST_RUNS = 50
"""Places, or runs of them, that are told of one reason; the error's ``refused`` has all."""


@runtime_checkable
class Readable(Protocol):
    """A file opened for reading bytes, as by ``open(path, "rb")``, or ``io.BytesIO``."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes."""


class Tensor(Protocol):
    """What PyTorch calls a tensor; told by these methods, so that mien need not import it."""

    def detach(self) -> Any: ...  # noqa: D102
    def cpu(self) -> Any: ...  # noqa: D102
    def numpy(self) -> Any: ...  # noqa: D102


Photo = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Image.Image | NDArray[Any] | Tensor
"""One photo, as ``Recognizer.predict`` takes it."""


@dataclass(frozen=True)
class Given:
    """What was handed over.

    Attributes:
        pictures: in its order.
        is_one: whether it was one photo, and no list of any length.
    """

    pictures: list[Picture]
    is_one: bool


class _RefusedError(Exception):
    """One thing is no photo; the message says what came, and what to do."""


def given(photos: Photo | Iterable[Photo], channels: Channels = "rgb") -> Given:
    """Take one photo or several.

    Args:
        photos: what was handed over.
        channels: the order of colours in arrays and tensors; Pillow images and files know theirs.

    Raises:
        PhotoError: if any of it is no photo; says of each which it is, what came and what to do.
        ConfigError: if there is no such order.
    """
    if channels not in ("rgb", "bgr"):
        raise ConfigError(f"channels={channels!r}: give 'rgb', or 'bgr' for pictures of OpenCV")
    try:
        several = _several(photos)
        if several is None:
            return Given([_picture(photos, channels, keep=False)], True)
    except (_RefusedError, RefusedArrayError) as error:
        raise PhotoError(str(error), {0: str(error)}) from None
    items, keep = several
    pictures, refused = list[Picture](), dict[int, str]()
    for i, item in enumerate(items):
        try:
            pictures.append(_picture(item, channels, keep=keep))
        except (_RefusedError, RefusedArrayError) as error:
            refused[i] = str(error)
    if refused:
        raise PhotoError(_told(refused, len(refused) + len(pictures)), refused)
    return Given(pictures, False)


def in_memory(photos: Iterable[Photo], channels: Channels = "rgb") -> list[Picture]:
    """Pictures of several photos.

    Raises:
        PhotoError: as ``given`` does.
    """
    return given(photos if isinstance(photos, Sequence) else list(photos), channels).pictures


def _several(photos: object) -> tuple[Iterable[object], bool] | None:
    """The items of what holds several photos, and whether each has to be copied as it comes; None for one."""
    if isinstance(photos, str | os.PathLike | bytes | bytearray | Image.Image) or _is_file(photos):
        return None
    unrolled = _unrolled(photos)
    if isinstance(unrolled, bytes):
        return None
    if found := as_array(unrolled):
        pixels, is_tensor = found
        if is_list_of_things(pixels):
            return list(pixels), False
        return (batch(pixels, is_tensor=is_tensor), False) if pixels.ndim == 4 else None
    if isinstance(photos, list | tuple):
        return photos, False
    if isinstance(photos, Mapping | Set | type) or hasattr(photos, "iter_content") or not isinstance(photos, Iterable):
        return None
    return photos, True  # many yield one buffer or one Pillow image again and again, filled anew


def _picture(photo: object, channels: Channels, *, keep: bool) -> Picture:
    """The picture of one photo.

    Args:
        keep: whether pixels have to be copied now, since they may be others later.
    """
    if isinstance(photo, str | os.PathLike):
        return _of_path(_path_text(photo))
    if isinstance(photo, bytes | bytearray):
        return Picture("", _decoder(bytes(photo)))
    if isinstance(photo, Image.Image):
        return _of_image(photo, keep=keep)
    if _is_file(photo):
        return Picture("", _decoder(_content(photo)))
    unrolled = _unrolled(photo)
    if isinstance(unrolled, bytes):
        return Picture("", _decoder(unrolled))
    if found := as_array(unrolled):
        return _of_array(*found, channels, keep=keep)
    raise _RefusedError(_why_no_photo(photo))


def _of_array(pixels: NDArray[Any], is_tensor: bool, channels: Channels, *, keep: bool) -> Picture:
    image = image_of(pixels, channels, is_tensor=is_tensor)
    if keep or pixels.dtype.itemsize > 1:
        return Picture("", lambda: upright_rgb(image))
    return Picture("", lambda: upright_rgb(image_of(pixels, channels, is_tensor=is_tensor)))  # many need no second copy


def _of_path(text: str) -> Picture:
    if is_address(text):
        read = read_address(told := kept_aside(text))
        return Picture(told, lambda: decode(read()).image)
    if existing_path(text) is None and (why := why_no_file(text)):
        raise _RefusedError(f"{shown(text)}: {why}")
    try:
        path = user_path(text)
    except ConfigError as error:
        raise _RefusedError(str(error).removeprefix("path ")) from None
    return Picture(text, lambda: decode(read_file(path)).image)


def _path_text(path: str | os.PathLike[str]) -> str:
    try:
        return os.fsdecode(path)
    except Exception as error:  # of whatever it is
        said = " ".join(str(error).split())[:200]
        raise _RefusedError(f"a {_kind(path)} that gives no path ({said}); give the path as a text") from error


def path_of_video(video: object) -> str:
    """The path of a video, as a text.

    Raises:
        PhotoError: if it is none, which says what came and what to do.
    """
    try:
        if isinstance(video, str | os.PathLike):
            return _path_text(video)
        raise _RefusedError(_why_no_video(video))
    except _RefusedError as error:
        raise PhotoError(str(error), {0: str(error)}) from None


def _why_no_video(video: object) -> str:
    if isinstance(video, bytes | bytearray | memoryview) or _is_file(video):
        return (
            f"a {_kind(video)}, where the path of a video was expected; save what it holds as a file, and give its path"
        )
    if isinstance(video, bool | int | float):
        return f"a number ({_kind(video)}); cameras are not read: record some seconds, and give the path of the video"
    if isinstance(video, Iterable):
        return f"a {_kind(video)}, where the path of one video was expected; give one at a time, and frames to predict"
    return f"{video if video is None else f'a {_kind(video)}'}, where the path of a video was expected"


def _of_image(image: Image.Image, *, keep: bool) -> Picture:
    if not image.width or not image.height:
        raise _RefusedError(f"a Pillow image without pixels, {image.width} × {image.height}; look where it was cropped")
    try:
        # Here, and not in threads: a list may hold one image twice, and its file has one position.
        load_pixels(image)
        kept = upright_rgb(image) if keep else None
    except Exception as error:  # a damaged file can raise nearly anything
        return Picture("", _refuser(_why_unread(error, image)))
    return Picture("", lambda: _upright(image) if kept is None else kept)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return upright_rgb(image)
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImageError(_why_unread(error, image)) from error


def _why_unread(error: Exception, image: Image.Image) -> str:
    if isinstance(error, UnreadableImageError):
        return str(error)
    said = " ".join(str(error).split())[:200]
    return f"a Pillow image ({image.mode}) whose pixels cannot be had: {said}; open it anew, or convert it to RGB"


def _is_file(photo: object) -> TypeGuard[Readable]:
    return callable(getattr(photo, "read", None)) and not isinstance(photo, type | Image.Image)


def _content(file: Readable) -> bytes:
    """The bytes of an open file from its start, as Pillow reads it; its position is left as it was."""
    try:
        before = _rewound(file)
        content = file.read(MAX_FILE_BYTES + 1)
        if before is not None:
            file.seek(before)  # type: ignore[attr-defined]
    except Exception as error:  # of whatever it is
        said = " ".join(str(error).split())[:200]
        raise _RefusedError(f"a {_kind(file)} that cannot be read ({said}); open it anew, with 'rb'") from error
    if inspect.iscoroutine(content):
        content.close()
    if isinstance(content, str):
        raise _RefusedError(f"a {_kind(file)} opened as text; open it with 'rb'")
    if not isinstance(content, bytes | bytearray | memoryview):
        raise _RefusedError(f"a {_kind(file)} whose read() gives no bytes but a {_kind(content)}; {GIVE}")
    if len(content) > MAX_FILE_BYTES:
        raise _RefusedError(f"a {_kind(file)} of more than {MAX_FILE_BYTES >> 20} MB; scale the photo down")
    return bytes(content)


def _rewound(file: Any) -> int | None:
    """Go to the start of a file; its position before, or None where it has none."""
    seekable = getattr(file, "seekable", None)
    if not callable(seekable) or not seekable():
        return None
    before = int(file.tell())
    file.seek(0)
    return before


def _unrolled(photo: object) -> object:
    """The bytes of a memoryview or ``array`` of bytes, the rows and columns of another, and anything else as it is."""
    if isinstance(photo, array.array):
        photo = memoryview(photo)
    if isinstance(photo, memoryview):
        import numpy as np

        return photo.tobytes() if photo.ndim <= 1 and photo.itemsize == 1 else np.asarray(photo)
    return photo


def _decoder(content: bytes) -> Callable[[], Image.Image]:
    return lambda: decode(content).image


def _refuser(reason: str) -> Callable[[], Image.Image]:
    def load() -> Image.Image:
        raise UnreadableImageError(reason)

    return load


def _why_no_photo(photo: object) -> str:
    """What something is that is no photo, and what to do."""
    if photo is None:
        return f"None, where a photo was expected (cv2.imread gives it for a file that it cannot read); {GIVE}"
    if isinstance(photo, bool | int | float | complex):
        return f"a number ({_kind(photo)}); {GIVE}; cameras are not read, but pictures taken from them are"
    if isinstance(photo, list | tuple):
        return f"a {_kind(photo)} inside of what was given; give one list without others in it, or numbers as an array"
    if isinstance(photo, Mapping):
        return f"a {_kind(photo)}; give its values, as in list(d.values())"
    if isinstance(photo, Set):
        return f"a {_kind(photo)}, which has no order; give a list"
    if hasattr(photo, "iter_content"):
        return f"a {_kind(photo)}; give its content"
    if isinstance(photo, Iterable):
        return f"a {_kind(photo)} inside of what was given; give one list without others in it"
    return f"a {_kind(photo)}; {GIVE}"


def _kind(thing: object) -> str:
    kind = type(thing)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _told(refused: Mapping[int, str], count: int) -> str:
    """All refusals in one line, those of one reason together."""
    by_reason: dict[str, list[int]] = {}
    for i, reason in refused.items():
        by_reason.setdefault(reason, []).append(i)
    told = [f"photos[{_ranges(places)}]: {reason}" for reason, places in by_reason.items()]
    more = [f"and {len(told) - MOST_REASONS} more reasons"] if len(told) > MOST_REASONS else []
    return f"{len(refused)} of {count} photos cannot be taken: " + "; ".join(told[:MOST_REASONS] + more)


def _ranges(places: Sequence[int]) -> str:
    """Numbers in order, as in ``0, 3–5``."""

    def runs() -> Iterator[str]:
        for _, pairs in groupby(enumerate(places), lambda pair: pair[1] - pair[0]):
            run = [place for _, place in pairs]
            yield str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}"

    told = list(runs())
    more = [f"and {len(told) - MOST_RUNS} more"] if len(told) > MOST_RUNS else []
    return ", ".join(told[:MOST_RUNS] + more)
