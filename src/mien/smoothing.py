"""Probabilities over time, averaged so that the last moments count most: pure functions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

__all__ = ["Smoother"]

_Averages = dict[Hashable, tuple[float, Mapping[str, float]]]


class Smoother:
    """An exponential average of each face's probabilities, as long as the face is there in every frame."""

    def __init__(self, seconds: float) -> None:
        """Begin.

        Args:
            seconds: time constant: what is so long past counts 1/e of what is there now.
        """
        self._seconds = seconds
        self._frame: int | None = None
        self._before: _Averages = {}
        self._now: _Averages = {}

    def turn_to(self, frame: int) -> None:
        """Go on to a frame, unless it is the one at hand; a face that was not in the last one begins anew."""
        if frame != self._frame:
            self._frame, self._before, self._now = frame, self._now, {}

    def mix(self, face: Hashable, time: float, probabilities: Mapping[str, float]) -> dict[str, float]:
        """The probabilities of a face in this frame, averaged with its earlier ones.

        Args:
            face: which face.
            time: of the frame, in seconds.
            probabilities: class → probability.
        """
        then, old = self._before.get(face, (math.inf, probabilities))
        fresh = 1 - math.exp(-(time - then) / self._seconds) if then < time else 1.0
        mixed = {label: fresh * p + (1 - fresh) * old[label] for label, p in probabilities.items()}
        self._now[face] = (time, mixed)
        return mixed
