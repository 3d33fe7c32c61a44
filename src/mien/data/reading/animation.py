"""Animated GIF, WebP, PNG and AVIF, frame by frame."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

from PIL import Image

from mien.data.reading.endings import is_cut_short
from mien.data.reading.frames import Frame, Pace, complaint
from mien.data.reading.preprocess import MAX_PIXELS, SCALE_DOWN, UnreadableImageError, upright_rgb

__all__ = ["animation_frames", "is_animation"]

UNSAID = 0.1
"""Seconds that a frame is shown where its file says next to nothing, as browsers have it."""
LEAST_SAID = 0.01
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")


def is_animation(content: bytes) -> bool:
    """Whether a file is a picture with several frames that follow each other in time."""
    if not _may_be_animation(content):
        return False
    try:
        with Image.open(io.BytesIO(content), formats=ANIMATED) as image:
            return len(range(_first(image), getattr(image, "n_frames", 1))) > 1
    except Exception:  # a damaged file can raise nearly anything; as a still it says what is wrong
        return False


def _may_be_animation(content: bytes) -> bool:
    """What a file's first bytes say, so that stills need not be opened twice."""
    return (
        content.startswith(b"GIF8")
        or (content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X" and bool(content[20] & 2))
        or (content.startswith(b"\x89PNG") and b"acTL" in content[: content.find(b"IDAT")])
        or (content[4:8] == b"ftyp" and b"avis" in content[8:64])
    )


def animation_frames(content: bytes, frames_per_second: float) -> Iterator[Frame]:
    """Frames of an animation, at most so many a second; of a damaged one, what is wrong comes last."""
    pace, clock, number = Pace(frames_per_second), 0.0, 0
    reason = None
    try:
        with Image.open(io.BytesIO(content), formats=ANIMATED) as film:
            if film.width * film.height > MAX_PIXELS:
                raise UnreadableImageError(f"too large: {film.width}×{film.height} pixels; {SCALE_DOWN}")
            for place in range(_first(film), getattr(film, "n_frames", 1)):
                film.seek(place)
                film.load()
                lasts = _shown(film)
                yield from pace.take(Frame(_upright(film.copy()), number, clock), lasts, is_sure=True)
                clock, number = clock + lasts, number + 1
    except UnreadableImageError as error:
        reason = str(error)
    except Exception:  # a damaged file can raise nearly anything inside a decoder
        reason = f"damaged: what comes after {clock:.2f} s cannot be decoded"
    yield from pace.end()
    if is_cut_short(io.BytesIO(content)):
        reason = f"cut short: it ends after {clock:.2f} s"
    if reason:
        yield complaint(reason, clock)


def _first(image: Image.Image) -> int:
    """The first frame of the animation; before it a PNG may have a picture for those who show no animation."""
    return 1 if image.info.get("default_image") else 0


def _shown(image: Image.Image) -> float:
    """Seconds that the frame at hand is shown."""
    said = float(image.info.get("duration") or 0) / 1000
    return said if said > LEAST_SAID else UNSAID


def _upright(image: Image.Image) -> Callable[[], Image.Image]:
    return lambda: upright_rgb(image)
