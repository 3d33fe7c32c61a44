"""What users name, one picture at a time: images, folders, patterns, archives, tables, videos, a list."""

from __future__ import annotations

import glob
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from PIL import Image

from mien.data.reading.preprocess import UnreadableImageError, decode, upright_rgb
from mien.data.sources import Source, SourceFile, open_images
from mien.data.sources.files import check_is_here, existing_path
from mien.errors import SourceError
from mien.system.files import irregular, open_regular, read_file
from mien.system.paths import why_no_file

__all__ = ["FRAMES_PER_SECOND", "Picture", "open_pictures"]

FRAMES_PER_SECOND = 5.0
"""Frames of a video that are looked at, a second, where nothing else is asked for."""
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv")
FILES_THEMSELVES = {
    "format_whitelist": "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,asf,flv,ogg",
    "protocol_whitelist": "none",
}
"""What FFmpeg may take them for. Some of its other formats are lists of further files to open, which can be pipes."""
MAX_LINE = 2**15
"""Characters of a path in a list."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        path: where the user finds it; empty for a picture from memory.
        load: gives it upright in RGB, from any thread; raises ``UnreadableImageError`` or ``OSError``.
        time: of a video's frame, in seconds from its start; None for a still picture.
    """

    path: str
    load: Callable[[], Image.Image]
    time: float | None = None


def open_pictures(spec: str, *, frames_per_second: float = FRAMES_PER_SECOND) -> Iterable[Picture]:
    """List pictures; each is read when its turn comes.

    Args:
        spec: an image, a folder at any depth, a pattern such as ``photos/*.jpg``, a zip, a tar, a table with a column
            of paths, a video, or ``-`` for one path a line on standard input.
        frames_per_second: of videos: at most so many frames are taken.

    Raises:
        SourceError: if there is no such thing.
    """
    if spec == "-":
        return _listed(sys.stdin)
    check_is_here(spec)
    if _is_video(spec):
        return _frames(spec, frames_per_second)
    if glob.has_magic(spec) and existing_path(spec) is None:
        paths = sorted(glob.glob(str(Path(spec).expanduser()), recursive=True))  # noqa: PTH207 (absolute patterns)
        if not paths:
            raise SourceError(f"{spec}: no file has a name like this; give a file, a folder or another pattern")
        return _matching(paths, frames_per_second)
    if kind := _irregular(spec):
        raise SourceError(f"{spec}: {kind}; save what it gives as a file, or give - for paths on standard input")
    source = open_images(spec)
    files = (file for file in source.files if file.ignored is None)
    return (Picture(_as_given(spec, file.path), _reader(source, file)) for file in files)


def _as_given(spec: str, path: str) -> str:
    """The path of a photo as the user can find it: behind the folder or archive it is in."""
    if "::" in spec or Path(spec).expanduser().is_dir():
        return f"{spec.rstrip('/')}/{path}"
    return spec if Path(spec).name == path else f"{spec}::{path}"


def _is_video(spec: str) -> bool:
    path = existing_path(spec) if spec.lower().endswith(VIDEO_SUFFIXES) else None
    return path is not None and path.is_file()


def _reader(source: Source, file: SourceFile) -> Callable[[], Image.Image]:
    return lambda: decode(source.read(file)).image


def _file_reader(path: Path) -> Callable[[], Image.Image]:
    return lambda: decode(read_file(path)).image


def _copy_maker(image: Image.Image) -> Callable[[], Image.Image]:
    return lambda: upright_rgb(image.copy())


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


def _listed(lines: TextIO) -> Iterator[Picture]:
    while line := lines.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise SourceError(f"standard input: a line of more than {MAX_LINE:,} characters; give one path a line")
        path = line.rstrip("\r\n")
        if path.strip():
            where, why = existing_path(path), why_no_file(path)
            yield Picture(path, _refuse(why) if why and where is None else _file_reader(where or Path(path)))


def _frames(path: str, frames_per_second: float) -> Iterator[Picture]:
    """Frames of a video at a steady rate, each with its own time; what cannot be read is a picture with a reason."""
    import av  # takes a while, and only videos need it

    due = 0.0
    try:
        with (
            open_regular(Path(path).expanduser()) as file,
            av.open(file, "r", container_options=FILES_THEMSELVES) as container,
        ):
            if not container.streams.video:
                yield Picture(path, _refuse("a video file without pictures"))
                return
            for frame in container.decode(container.streams.video[0]):
                time = float(frame.time or 0.0)
                if time + 1e-6 < due:
                    continue
                due = (math.floor(time * frames_per_second + 1e-6) + 1) / frames_per_second
                image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
                image = image.rotate(frame.rotation, expand=True)
                yield Picture(path, _copy_maker(image), time)
    except (av.error.FFmpegError, OSError) as error:
        yield Picture(path, _refuse(f"no video that can be read on: {getattr(error, 'strerror', None) or error}"))


def _refuse(reason: str) -> Callable[[], Image.Image]:
    def load() -> Image.Image:
        raise UnreadableImageError(reason)

    return load
