"""Frames of moving pictures: which of them are looked at, how long each is shown, and where some are missing."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from PIL import Image

from mien.data.reading.preprocess import UnreadableImageError

__all__ = ["Frame", "Pace", "complaint"]

LATE = 4
"""Times what frames usually are apart, from which on some are missing."""
SEVERAL = 1.5
"""Times what looked-at frames are to be apart, up to which none counts as missing."""
RECENT = 15
"""Frames by which it is told how far they usually are apart."""


@dataclass(frozen=True)
class Frame:
    """One frame that is looked at.

    Attributes:
        load: gives it upright in RGB, from any thread; raises ``UnreadableImageError`` where the film is damaged.
        number: its place among all frames of the film, from 0; None for what only tells of damage.
        time: seconds since the first frame.
        seconds: for how long it stands: until the next that is looked at, or as long as frames usually are apart where
            some are missing.
        follows: whether none is missing between it and the one that was looked at before.
    """

    load: Callable[[], Image.Image]
    number: int | None
    time: float
    seconds: float = 0.0
    follows: bool = False


class Pace:
    """Takes every frame of a film in order, and gives those that are looked at.

    Each comes once it is known for how long it stands. One frame is held, so memory does not grow.
    """

    def __init__(self, frames_per_second: float, usual: float = 0.0) -> None:
        """Begin a film.

        Args:
            frames_per_second: at most so many are looked at.
            usual: seconds that frames are apart, as the file says; 0 where it does not.
        """
        self._rate = frames_per_second
        self._said, self._apart = usual, deque[float](maxlen=RECENT)
        self._held: Frame | None = None
        self._due, self._until = 0.0, 0.0
        self._last: float | None = None
        self._is_broken = True

    def take(self, frame: Frame, lasts: float, *, is_sure: bool = False) -> Iterator[Frame]:
        """Take the next frame; the one that is held comes out where this one is looked at in its turn.

        Args:
            lasts: seconds that it is shown, as far as the file says.
            is_sure: whether that is what the film means, so that nothing is missing after it, however long it is.
        """
        if self._last is not None:
            self._move_on(frame.time - self._last, is_sure)
        if not self._is_broken:
            self._until = frame.time
        self._last = frame.time
        if frame.time + 1e-6 >= self._due:
            yield from self.end()
            self._due = (math.floor(frame.time * self._rate + 1e-6) + 1) / self._rate
            self._held, self._is_broken = replace(frame, follows=not self._is_broken), False
        if not self._is_broken:
            self._until = frame.time + lasts

    def skip(self) -> None:
        """Some frames are missing after the last one."""
        self._is_broken = True
        if self._last is not None:
            self._until = min(self._until, self._last + self.usual)

    def end(self) -> Iterator[Frame]:
        """The frame that is held, if there is one."""
        if self._held is not None:
            yield replace(self._held, seconds=max(0.0, self._until - self._held.time))
        self._held = None

    def finish(self) -> Iterator[Frame]:
        """The frame that is held when the film is over; the last one stands for as long as frames usually do."""
        if not self._is_broken:
            self._until = max(self._until, self.ended)
        yield from self.end()

    @property
    def usual(self) -> float:
        """What frames usually are apart, in seconds; 0 where that is not known yet."""
        return statistics.median(self._apart) if self._apart else self._said

    @property
    def ended(self) -> float:
        """When the last frame ends, in seconds; 0 before the first."""
        return 0.0 if self._last is None else self._last + self.usual

    def _move_on(self, apart: float, is_sure: bool) -> None:
        is_long = not is_sure and apart > SEVERAL / self._rate
        if is_long and 0 < LATE * self.usual < apart:
            self.skip()
        elif apart > 0:
            self._apart.append(apart)


def complaint(reason: str, time: float) -> Frame:
    """What is wrong with a film, as the last thing that comes of it."""

    def load() -> Image.Image:
        raise UnreadableImageError(reason)

    return Frame(load, None, time)
