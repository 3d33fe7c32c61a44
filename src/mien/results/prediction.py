"""The answer for one photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["STATUSES", "Prediction", "Status"]

Status = Literal["unreadable", "no_face", "several_faces", "low_quality", "turned", "unsure", "unproven", "ok"]
STATUSES: tuple[Status, ...] = (
    "unreadable",
    "no_face",
    "several_faces",
    "low_quality",
    "turned",
    "unsure",
    "unproven",
    "ok",
)


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo, or for one face of it.

    Attributes:
        path: as it was given; empty for a picture from memory.
        status: the first of its flags, or ``ok``.
        flags: all that hold of ``unreadable``, ``no_face`` (judged by the whole photo alone), ``several_faces`` (the
            largest is judged, unless all are), ``low_quality`` (the face is too small or too blurred to tell),
            ``turned`` (the face lies on its side or stands on its head in the picture),
            ``unsure`` (the probability is below that from which answers are given), and ``unproven`` (how often the
            model is right with this class was never measured on people from elsewhere), in this order.
        label: the likeliest class; None for an unreadable file.
        probabilities: class → probability, in the model's order; they add up to 1.
        face: left, top, right, bottom of the judged face, px; None where none was searched or found.
        time: of a video's frame, in seconds from the first frame.
        reason: why a file could not be read, or how a video is damaged.
        frame: number of a video's frame among all its frames, from 0; None for a still, or where only damage is told.
        seconds: for how long the frame stands: until the next one that was looked at.
        face_id: which face of a video it is, from 1: the same as in the frame looked at before whose box overlaps, so a
            place in the picture that is followed, not a person that is known. None for a still or without a face.
        smoothed: class → probability averaged over time, where that was asked for; ``probabilities`` stay as they are.
        smoothed_label: the likeliest class by these.
    """

    path: str
    status: Status
    flags: tuple[Status, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    face: tuple[float, float, float, float] | None = None
    time: float | None = None
    reason: str | None = None
    frame: int | None = None
    seconds: float | None = None
    face_id: int | None = None
    smoothed: dict[str, float] | None = None
    smoothed_label: str | None = None
