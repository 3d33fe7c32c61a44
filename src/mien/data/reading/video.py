"""Videos, frame by frame, through FFmpeg.

Damage is never passed over: what cannot be decoded is left out, with all that was made of it, up to the next frame that
stands for itself (a key frame); and the last thing that comes of a damaged video is a frame that says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from mien.data.reading.endings import is_cut_short
from mien.data.reading.frames import Frame, Pace, complaint
from mien.data.reading.orientation import upright
from mien.data.reading.preprocess import MAX_PIXELS, SCALE_DOWN, UnreadableImageError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.sidedata.sidedata import SideData
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["video_frames"]

FILES_THEMSELVES = {
    "format_whitelist": "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,asf,flv,ogg,mxf,dv,ivf,yuv4mpegpipe,nut,h264,hevc",
    "protocol_whitelist": "none",
}
"""What FFmpeg may take them for. Some of its other formats are lists of further files to open, which can be pipes."""
TOO_EARLY = 0.5
"""Seconds by which a video may end before its file says it does."""
JITTER = 5
"""Frames by which a clock may go back without being set back."""
ANY = -(2**62)
"""Before every place in a video."""


def video_frames(opened: Callable[[], BinaryIO], frames_per_second: float) -> Iterator[Frame]:
    """Frames of a video, at most so many a second; of a damaged one, what is wrong comes last.

    Args:
        opened: opens the file.
    """
    import av  # takes a while, and only videos need it

    reading: _Reading | None = None
    is_cut, reason = False, None
    try:
        with opened() as file:
            is_cut = is_cut_short(file)
            file.seek(0)
            # Titles and the like may be of any encoding, and are not wanted.
            with av.open(file, "r", metadata_errors="replace", container_options=FILES_THEMSELVES) as container:
                reading = _Reading(container, _moving(container), frames_per_second)
                yield from reading.frames()
                reason = reading.fault(is_cut=is_cut)
    except UnreadableImageError as error:
        reason = str(error)
    except Exception as error:  # a damaged file can raise nearly anything
        why = getattr(error, "strerror", None) or str(error)
        reason = f"{'cut short: ' if is_cut else ''}no video that can be read: {why}"
    if reason:
        yield complaint(reason, reading.pace.ended if reading else 0.0)


def _moving(container: InputContainer) -> VideoStream:
    """The stream of frames: neither the cover of a song nor the small pictures that a camera puts beside them.

    Raises:
        UnreadableImageError: if there is none.
    """
    from av.stream import Disposition

    beside = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & beside]
    if not moving:
        raise UnreadableImageError(
            "a video file without video" if not container.streams.audio else "sound without video"
        )
    stream = max(moving, key=lambda each: bool(each.disposition & Disposition.default))
    if stream.codec_context is None:
        raise UnreadableImageError("its video is coded in a way that is not known here; convert it to MP4")
    if stream.width * stream.height > MAX_PIXELS:
        raise UnreadableImageError(f"too large: frames of {stream.width}×{stream.height} pixels; {SCALE_DOWN}")
    return stream


class _Reading:
    """A video while it is read.

    Attributes:
        pace: which of its frames are looked at.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, frames_per_second: float) -> None:
        # FFmpeg paints over damage in silence unless it is to fail there. In one thread it reports damage at the frame
        # that it is in; several lose whole frames around it.
        stream.codec_context.options = {"err_detect": "explode"}
        stream.codec_context.thread_count = 1
        self._container, self._stream = container, stream
        rate = stream.average_rate
        self._apart = 1 / float(rate) if rate else 0.0
        self.pace = Pace(frames_per_second, self._apart)
        self._number, self._lost = 0, 0
        self._start: float | None = None
        self._shift, self._clock = 0.0, 0.0
        self._bad_from: int | None = None
        self._damaged_at: float | None = None
        self._end = -math.inf

    def frames(self) -> Iterator[Frame]:
        """Those frames that are looked at."""
        shown = _Shown(float(self._stream.sample_aspect_ratio or 1))
        for packet in self._packets():
            for frame in self._decoded(packet):
                if self._is_sound(frame):
                    lasts = float((frame.duration or 0) * (frame.time_base or 0))
                    yield from self.pace.take(Frame(partial(shown, frame), self._number, self._time(frame)), lasts)
                else:
                    self._lost += 1
                    self.pace.skip()
                self._number += 1
        yield from self.pace.finish()

    def fault(self, *, is_cut: bool) -> str | None:
        """What was wrong with the video, if anything was.

        Args:
            is_cut: whether the end of the file is missing.
        """
        said = (self._container.duration or 0) / 1e6
        if is_cut or (self._end > -math.inf and said - self._reached() > TOO_EARLY):
            # FFmpeg goes by the size of what is left of an AVI; its header has the number of frames.
            said = self._stream.frames * self._apart if self._container.format.name == "avi" else said
            whole = f" of {said:.2f} s" if said > self.pace.ended else ""
            return f"cut short: it ends after {self.pace.ended:.2f} s{whole}"
        if self._damaged_at is not None:
            lost = f"{self._lost} frames" if self._lost > 1 else "a frame"
            return f"damaged: {lost} from {self._damaged_at:.2f} s on could not be read"
        return None if self._number else "a video without a single frame"

    def _reached(self) -> float:
        """Seconds that were read. A file that starts late may count what it lasts from its start or from before."""
        return self._end - min(0.0, (self._container.start_time or 0) / 1e6)

    def _packets(self) -> Iterator[Packet[Stream]]:
        """Packets of the video; of the sound beside it only the ends are noted, since it may last longer."""
        import av

        try:
            for packet in self._container.demux():
                place = packet.pts if packet.pts is not None else packet.dts
                if place is not None and packet.time_base is not None:
                    self._end = max(self._end, float((place + (packet.duration or 0)) * packet.time_base))
                if packet.stream.index == self._stream.index:
                    yield packet
        except av.error.FFmpegError:
            self._note_damage(None)

    def _decoded(self, packet: Packet[Stream]) -> list[VideoFrame]:
        import av

        place = packet.pts if packet.pts is not None else packet.dts
        if packet.is_corrupt:
            self._note_damage(place)
        try:
            return packet.decode()  # type: ignore[return-value]  # of the stream of video
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self._note_damage(place)
            self._lost += 1
            return []

    def _is_sound(self, frame: VideoFrame) -> bool:
        """Whether a frame is whole, and so is what it was made of."""
        if frame.is_corrupt:
            self._note_damage(frame.pts)
            return False
        if self._bad_from is None or (frame.pts is not None and frame.pts < self._bad_from):
            return True
        if frame.key_frame and (frame.pts is None or frame.pts > self._bad_from):
            self._bad_from = None
        return self._bad_from is None

    def _note_damage(self, place: int | None) -> None:
        """From here on frames are bad; where is not known, all that come now."""
        if self._damaged_at is None:
            self._damaged_at = self.pace.ended
            if place is not None and self._stream.time_base is not None and self._start is not None:
                self._damaged_at = max(0.0, float(place * self._stream.time_base) - self._start)
        place = ANY if place is None else place
        self._bad_from = place if self._bad_from is None else min(place, self._bad_from)

    def _time(self, frame: VideoFrame) -> float:
        """Seconds since the first frame, never less than those of the frame before.

        Where the file's own clock is missing or set back, it goes on. Where its frames are only a little out of order,
        as in AVIs that do not name their times, it waits.
        """
        said = self._unsaid() if frame.time is None else float(frame.time)
        if self._start is None:
            self._start = said
        elif said < self._clock:
            step = self._step()
            if said < self._clock - JITTER * step:
                self._shift += self._clock - said + step
                self.pace.skip()
            else:
                said = self._clock
        self._clock = said
        return said - self._start + self._shift

    def _unsaid(self) -> float:
        return 0.0 if self._start is None else self._clock + self._step()

    def _step(self) -> float:
        return self.pace.usual or self._apart


def _beside(frame: VideoFrame) -> Iterable[SideData]:
    return frame.side_data  # type: ignore[return-value]  # which is called a mapping, and goes over its values


class _Shown:
    """Makes upright RGB pictures of a video's frames, from any thread."""

    def __init__(self, aspect: float) -> None:
        """Pictures of one video.

        Args:
            aspect: width of a stored pixel, as a multiple of its height.
        """
        from av.video.reformatter import VideoReformatter

        # Each frame's own would prepare its tables anew, which takes as long as the conversion.
        self._aspect, self._reformatter, self._lock = aspect, VideoReformatter(), Lock()

    def __call__(self, frame: VideoFrame) -> Image.Image:
        """One frame's picture.

        Raises:
            UnreadableImageError: if it cannot be turned into pixels.
        """
        width = max(1, round(frame.width * self._aspect))
        try:
            with self._lock:
                made = self._reformatter.reformat(frame, width, frame.height, "rgb24", threads=1)
            pixels = made.to_ndarray()
        except Exception as error:
            raise UnreadableImageError(f"a frame that cannot be turned into pixels ({error})") from error
        matrix = next((bytes(data) for data in _beside(frame) if data.type.name == "DISPLAYMATRIX"), None)
        return Image.fromarray(np.ascontiguousarray(upright(pixels, matrix)))
