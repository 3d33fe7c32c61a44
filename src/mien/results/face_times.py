"""For how long each face of a video showed what: shares of time, from the answers to its frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mien.results.prediction import Prediction

__all__ = ["FaceTime", "FaceTimes", "face_times"]


@dataclass(frozen=True)
class FaceTime:
    """One face of a video.

    Attributes:
        path: of the video.
        face_id: which face; None for the frames in which none was found.
        frames: in which it was judged.
        start: time of the first of them, in seconds.
        end: when the last of them ends.
        seconds: for how long they stand together.
        shares: class → share of this time with that answer, the longest first; they add up to 1. Empty where there is
            no face: what is then answered goes by the whole picture.
        doubtful: share of this time with any flag, such as ``unsure``.
    """

    path: str
    face_id: int | None
    frames: int
    start: float
    end: float
    seconds: float
    shares: dict[str, float]
    doubtful: float


@dataclass
class _Tally:
    start: float
    frames: int = 0
    end: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    doubtful: float = 0.0


class FaceTimes:
    """Adds up answers as they come; what it keeps grows with the number of faces, not of frames."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, int | None], _Tally] = {}

    def add(self, answer: Prediction) -> None:
        """Count an answer to a frame; of smoothed answers, the smoothed one. Other answers count for nothing."""
        label = answer.smoothed_label or answer.label
        if answer.frame is None or answer.time is None or answer.seconds is None or label is None:
            return
        tally = self._tallies.setdefault((answer.path, answer.face_id), _Tally(answer.time))
        tally.frames += 1
        tally.end = answer.time + answer.seconds
        tally.seconds[label] = tally.seconds.get(label, 0.0) + answer.seconds
        tally.doubtful += answer.seconds if answer.flags else 0.0

    def faces(self) -> list[FaceTime]:
        """Each face of each video, in the order of their coming; frames without a face are last of their video."""
        places = {path: place for place, path in enumerate(dict.fromkeys(path for path, _ in self._tallies))}
        keys = sorted(self._tallies, key=lambda key: (places[key[0]], key[1] is None, key[1] or 0))
        return [_face_time(*key, self._tallies[key]) for key in keys]


def face_times(answers: Iterable[Prediction]) -> list[FaceTime]:
    """For how long each face of a video showed what.

    Args:
        answers: to the frames of one or several videos.
    """
    times = FaceTimes()
    for answer in answers:
        times.add(answer)
    return times.faces()


def _face_time(path: str, face_id: int | None, tally: _Tally) -> FaceTime:
    whole = sum(tally.seconds.values())
    shown = {} if face_id is None else tally.seconds
    longest = sorted(shown, key=lambda label: (-tally.seconds[label], label))
    shares = {label: tally.seconds[label] / whole if whole else 1 / len(longest) for label in longest}
    doubtful = tally.doubtful / whole if whole else 0.0
    return FaceTime(path, face_id, tally.frames, tally.start, tally.end, whole, shares, doubtful)
