"""The answer for one photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["STATUSES", "Prediction", "Status"]

Status = Literal["unreadable", "no_face", "several_faces", "low_quality", "unsure", "unproven", "ok"]
STATUSES: tuple[Status, ...] = ("unreadable", "no_face", "several_faces", "low_quality", "unsure", "unproven", "ok")


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo, or for one face of it.

    Attributes:
        path: as it was given; empty for a picture from memory.
        status: the first of its flags, or ``ok``.
        flags: all that hold of ``unreadable``, ``no_face`` (judged by the whole photo alone), ``several_faces`` (the
            largest is judged, unless all are), ``low_quality`` (the face is too small or too blurred to tell),
            ``unsure`` (the probability is below that from which answers are given), and ``unproven`` (how often the
            model is right with this class was never measured on people from elsewhere), in this order.
        label: the likeliest class; None for an unreadable file.
        probabilities: class → probability, in the model's order; they add up to 1.
        face: left, top, right, bottom of the judged face, px; None where none was searched or found.
        time: of a video's frame, in seconds from its start.
        reason: why a file could not be read.
    """

    path: str
    status: Status
    flags: tuple[Status, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    face: tuple[float, float, float, float] | None = None
    time: float | None = None
    reason: str | None = None
