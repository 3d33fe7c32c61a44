"""What users name, one picture at a time: images, folders, patterns, archives, tables, videos, a list.

A video is known by how it begins, wherever it lies, and an animation by its frames. Each becomes the pictures of its
frames when its turn comes.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from PIL import Image

from mien.data.reading.animation import animation_frames, is_animation
from mien.data.reading.frames import Frame
from mien.data.reading.preprocess import UnreadableImageError, decode
from mien.data.reading.signatures import START, is_video
from mien.data.reading.video import video_frames
from mien.data.sources import Source, SourceFile, open_images
from mien.data.sources.files import check_is_here, existing_path
from mien.data.sources.folder import VIDEO_SUFFIXES
from mien.data.sources.store import is_pattern, matching_addresses, read_address
from mien.errors import SourceError
from mien.system.addresses import is_address, kept_aside, told_of
from mien.system.files import irregular, open_regular, read_file
from mien.system.paths import user_path, why_no_file
from mien.system.streams import listed_lines

if TYPE_CHECKING:
    from mien.data.measuring.faces import Finding  # measuring reads

__all__ = ["FRAMES_PER_SECOND", "Film", "Picture", "called", "open_film", "open_pictures", "with_bytes"]

FRAMES_PER_SECOND = 5.0
"""Frames of a video that are looked at, a second, where nothing else is asked for."""
MAX_LINE = 2**15
"""Characters of a path in a list."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        path: where the user finds it; empty for a picture from memory.
        load: gives it upright in RGB, or the film that it turns out to be, from any thread; raises
            ``UnreadableImageError`` or ``OSError``.
        time: of a video's frame, in seconds from the first one; None for a still picture.
        frame: its number among all frames of the video, from 0; None for what only tells of damage.
        seconds: for how long the frame stands.
        follows: whether no frame is missing between it and the picture before.
        look: is called with the upright picture and its faces once these were looked for, from any thread.
    """

    path: str
    load: Callable[[], Image.Image | Film]
    time: float | None = None
    frame: int | None = None
    seconds: float | None = None
    follows: bool = False
    look: Callable[[Image.Image, Finding], None] | None = None


@dataclass(frozen=True)
class Film:
    """Moving pictures, of which nothing has been decoded yet.

    Attributes:
        pictures: those of its frames, in order, as the file is read.
    """

    pictures: Callable[[], Iterator[Picture]]


def open_pictures(spec: str, *, frames_per_second: float = FRAMES_PER_SECOND) -> Iterable[Picture]:
    """List pictures; each is read when its turn comes.

    Args:
        spec: an image, a folder at any depth, a pattern such as ``photos/*.jpg``, a zip, a tar, a table with a column
            of paths, a video, any of these in a store (``s3://bucket/faces``), or ``-`` for one path a line on
            standard input (UTF-8, Latin-1, or UTF-16 with its mark).
        frames_per_second: of videos: at most so many frames are taken.

    Raises:
        SourceError: if there is no such thing.
    """
    if spec == "-":
        return _listed(listed_lines(), frames_per_second)
    check_is_here(spec)
    if is_address(spec):
        return _in_store(spec, frames_per_second)
    if glob.has_magic(spec) and existing_path(spec) is None:
        paths = sorted(glob.glob(str(user_path(spec)), recursive=True))  # noqa: PTH207 (absolute patterns)
        if not paths:
            raise SourceError(f"{spec}: no file has a name like this; give a file, a folder or another pattern")
        return _matching(paths, frames_per_second)
    if kind := _irregular(spec):
        raise SourceError(f"{spec}: {kind}; save what it gives as a file, or give - for paths on standard input")
    if _is_video(spec):
        return open_film(spec, frames_per_second=frames_per_second)
    return _of_source(open_images(spec), spec, frames_per_second)


def _of_source(source: Source, spec: str, frames_per_second: float) -> Iterator[Picture]:
    files = (file for file in source.files if file.ignored is None)
    shown = ((file, _as_given(spec, file.path, source)) for file in files)
    return (Picture(path, _loader(source, file, path, frames_per_second)) for file, path in shown)


def _in_store(address: str, frames_per_second: float) -> Iterable[Picture]:
    """What an address, or a pattern of addresses, leads to."""
    told, mark, part = address.partition("::")
    spec = told_of(told).rstrip("/") + mark + part
    if not is_pattern(told):
        return _of_source(open_images(address), spec, frames_per_second)
    found = matching_addresses(told)
    return (Picture(each, _Loader(read_address(each), None, each, frames_per_second)) for each in found)


def open_film(path: str | Path, *, frames_per_second: float = FRAMES_PER_SECOND) -> Iterator[Picture]:
    """The frames of a video or an animation, in order; what is wrong with it comes last.

    Args:
        frames_per_second: at most so many frames are taken.
    """
    found, why = existing_path(path), why_no_file(str(path))
    if why and found is None:
        yield Picture(str(path), _refuse(why))
        return
    where = found or Path(path)
    try:
        with open_regular(where) as file:
            start = file.read(START)
        film = _film(str(path), start, lambda: open_regular(where), frames_per_second)
        film = film or _animation(str(path), _only_animation(read_file(where)), frames_per_second)
    except UnreadableImageError as error:
        yield Picture(str(path), _refuse(str(error)))
    except (OSError, ValueError) as error:
        yield Picture(str(path), _refuse(getattr(error, "strerror", None) or str(error)))
    else:
        yield from film.pictures()


def _as_given(spec: str, path: str, source: Source) -> str:
    """The path of a photo as the user can find it: behind the folder, archive or table it is in."""
    if "://" in path:
        return path
    found = existing_path(spec)
    is_folder = source.folder is not None or (source.store is not None and not source.roles)
    if "::" in spec or is_folder or (found is not None and found.is_dir()):
        return f"{spec.rstrip('/')}/{path}"
    is_itself = len(source.files) == 1 and spec.rpartition("/")[2] == path
    return spec if is_itself or Path(spec).name == path else f"{spec}::{path}"


def _is_video(spec: str) -> bool:
    """Whether a path leads to a video."""
    path = existing_path(spec)
    try:
        if path is None or path.is_dir():
            return False
        with open_regular(path) as file:
            return is_video(file.read(START), path.name)
    except OSError:
        return False


def _only_animation(content: bytes) -> Callable[[], bytes]:
    """What gives the bytes of an animation again.

    Raises:
        UnreadableImageError: if they are none.
    """
    if not is_animation(content):
        decode(content)  # which says why, where it is no picture either
        raise UnreadableImageError("a still picture, not a video")
    return lambda: content


@dataclass(frozen=True)
class _Loader:
    """Gives a file of a source as a picture or a film. A film lies open only while its frames are taken.

    Attributes:
        read: gives its bytes.
        opened: opens it where it lies as it is on this machine; None where it is taken out of something else.
        path: where the user finds it.
        frames_per_second: of a film.
    """

    read: Callable[[], bytes]
    opened: Callable[[], BinaryIO] | None
    path: str
    frames_per_second: float

    def __call__(self) -> Image.Image | Film:
        """The picture, or the film."""
        if self.opened is not None:
            return _loaded(self.path, self.opened, self.read, self.frames_per_second)
        content = self.read()
        film = _film(self.path, content[:START], lambda: io.BytesIO(self.read()), self.frames_per_second)
        return film or _shown(self.path, content, self.read, self.frames_per_second)


def called(picture: Picture, path: str) -> Picture:
    """The picture, and the film that it may be, by another path that ends alike."""
    load = replace(picture.load, path=path) if isinstance(picture.load, _Loader) else picture.load
    return replace(picture, path=path, load=load)


def with_bytes(picture: Picture) -> Picture:
    """The picture with the bytes of its file, read now, for a process that cannot reach it; else as it is.

    Raises:
        OSError: if it cannot be read.
    """
    if not isinstance(picture.load, _Loader):
        return picture
    content = picture.load.read()
    return replace(picture, load=replace(picture.load, read=partial(_given, content), opened=None))


def _given(content: bytes) -> bytes:
    return content


def _loader(source: Source, file: SourceFile, path: str, frames_per_second: float) -> Callable[[], Image.Image | Film]:
    # A far photo is asked for once, and a video in pieces.
    is_near = source.store is None or path.lower().endswith(VIDEO_SUFFIXES)
    opened = partial(source.opened, file) if source.opened is not None and is_near else None
    return _Loader(partial(source.read, file), opened, path, frames_per_second)


def _path_loader(path: Path, given: str, frames_per_second: float) -> Callable[[], Image.Image | Film]:
    return _Loader(partial(read_file, path), partial(open_regular, path), given, frames_per_second)


def _loaded(
    path: str, opened: Callable[[], BinaryIO], read: Callable[[], bytes], frames_per_second: float
) -> Image.Image | Film:
    """A picture or a film from a file on this machine, of which a video is never read whole."""
    with opened() as file:
        start = file.read(START)
    return _film(path, start, opened, frames_per_second) or _shown(path, read(), read, frames_per_second)


def _film(path: str, start: bytes, opened: Callable[[], BinaryIO], frames_per_second: float) -> Film | None:
    """The video that a file is by its first bytes, if it is one."""
    if not is_video(start, path):
        return None
    return Film(lambda: _pictures(path, video_frames(opened, frames_per_second)))


def _shown(path: str, content: bytes, read: Callable[[], bytes], frames_per_second: float) -> Image.Image | Film:
    """A still picture, or an animation."""
    return _animation(path, read, frames_per_second) if is_animation(content) else decode(content).image


def _animation(path: str, read: Callable[[], bytes], frames_per_second: float) -> Film:
    return Film(lambda: _pictures(path, animation_frames(read(), frames_per_second)))


def _pictures(path: str, frames: Iterator[Frame]) -> Iterator[Picture]:
    for frame in frames:
        yield Picture(path, frame.load, frame.time, frame.number, frame.seconds, frame.follows)


def _file_reader(path: Path) -> Callable[[], Image.Image]:
    return lambda: decode(read_file(path)).image


def _matching(paths: Iterable[str], frames_per_second: float) -> Iterator[Picture]:
    """What a pattern leads to; what is neither file nor folder is a picture with a reason."""
    for path in paths:
        if _irregular(path):
            yield Picture(path, _file_reader(Path(path)))
        else:
            yield from open_pictures(path, frames_per_second=frames_per_second)


def _irregular(path: str) -> str | None:
    """What a path leads to where that is neither a file nor a folder."""
    where = existing_path(path)
    return None if where is None or where.is_dir() else irregular(where)


def _listed(lines: TextIO, frames_per_second: float) -> Iterator[Picture]:
    while line := lines.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise SourceError(f"standard input: a line of more than {MAX_LINE:,} characters; give one path a line")
        path = line.rstrip("\r\n")
        if is_address(path):
            told = kept_aside(path)
            yield Picture(told, _Loader(read_address(told), None, told, frames_per_second))
        elif path.strip():
            where, why = existing_path(path) or _by_older_name(path), why_no_file(path)
            if why and where is None:
                yield Picture(path, _refuse(why))
            else:
                yield Picture(path, _path_loader(where or Path(path), path, frames_per_second))


def _by_older_name(path: str) -> Path | None:
    """Where a path of a list leads that was written in Latin-1, or in Windows' form of it."""
    if path.isprintable():
        return None
    with suppress(UnicodeError):
        return existing_path(os.fsencode(path).decode("cp1252"))
    with suppress(UnicodeError):
        return existing_path(os.fsencode(path).decode("latin-1"))
    return None


def _refuse(reason: str) -> Callable[[], Image.Image]:
    def load() -> Image.Image:
        raise UnreadableImageError(reason)

    return load
