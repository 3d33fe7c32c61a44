"""Tiny videos and animations, drawn and coded as tests need them. No photo of a person."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container.core import Flags
from PIL import Image

__all__ = ["RATE", "animation", "drawn_frames", "film", "silence", "with_matrix"]

RATE = 44100
"""Of sound, in samples a second."""

CODECS = {".mp4": "libx264", ".mkv": "libx264", ".flv": "libx264", ".webm": "libvpx-vp9", ".wmv": "wmv2"}


def film(
    path: Path,
    frames: Sequence[Image.Image],
    rate: int = 20,
    *,
    codec: str | None = None,
    times: Sequence[float] | None = None,
    aspect: Fraction | None = None,
    kind: str | None = None,
    options: dict[str, str] | None = None,
    keys: int = 12,
    title: str = "",
    sound: float = 0.0,
) -> Path:
    """A video of these frames, which are all of one size.

    Args:
        codec: how it is coded; goes by the ending of the name where none is given.
        times: of the frames, in seconds; at ``rate`` where none are given.
        aspect: width of a pixel by its height.
        kind: of container, where the ending does not say it.
        options: of the container.
        keys: frames from one that stands for itself to the next.
        title: is written into the file.
        sound: seconds of silence beside.
    """
    suffix = path.suffix.lower() if kind is None else kind
    codec = codec or CODECS.get(suffix, "mpeg2video" if kind == "mpegts" or suffix in (".ts", ".mpg") else "mpeg4")
    with av.open(str(path), "w", format=kind, options=options or {}) as container:
        container.flags |= cast(int, Flags.bitexact.value)  # no random ids: the same bytes each time
        if title:
            container.metadata["title"] = title
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt, stream.bit_rate, stream.gop_size = "yuv420p", 4_000_000, keys
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        beside = container.add_stream("aac", rate=RATE) if sound else None
        for number, frame in enumerate(frames):
            coded = av.VideoFrame.from_ndarray(np.asarray(frame.convert("RGB")), format="rgb24")
            coded.time_base = stream.codec_context.time_base
            coded.pts = round(times[number] * 1000) if times else number
            container.mux(stream.encode(coded))
        container.mux(stream.encode())
        container.mux(silence(beside, sound))
    return path


def silence(stream: Any, seconds: float) -> list[Any]:
    """Packets of silence, for a stream of sound."""
    packets = []
    for number in range(int(seconds * RATE / 1024)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 1024 * number
        packets += stream.encode(frame)
    return [*packets, *stream.encode()] if packets else []


def with_matrix(content: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """An MP4 whose track has another display matrix; a stored (x, y) is then shown at (a·x + c·y, b·x + d·y)."""
    place = content.index(b"tkhd") + 4 + 40
    one = 2**16
    return (
        content[:place]
        + struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 2**30)
        + content[place + 36 :]
    )


def animation(frames: Sequence[Image.Image], format: str, milliseconds: int | list[int]) -> bytes:
    """An animated GIF, WebP, PNG or AVIF."""
    buffer = io.BytesIO()
    exact = {"lossless": True} if format == "WEBP" else {}
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, **exact)
    return buffer.getvalue()


def drawn_frames(n: int, size: tuple[int, int] = (64, 64)) -> list[Image.Image]:
    """Frames in which something moves, with grain, so that each takes some room in a file."""
    rng = np.random.default_rng(1)
    frames = []
    for number in range(n):
        values = rng.integers(90, 160, (size[1], size[0], 3), dtype=np.uint8)
        values[10:40, number % 30 : number % 30 + 20] = 230
        frames.append(Image.fromarray(values))
    return frames
