"""What the faces of videos showed over time, as lines and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import groupby

from mien.results.face_times import FaceTime
from mien.telling.words.numerals import percent, plural

__all__ = ["face_lines", "face_table"]

MOST_FACES, MOST_CLASSES = 10, 3
"""Faces of a video and classes of a face that are told in the terminal; the table has all."""


def face_lines(faces: Sequence[FaceTime]) -> Iterator[str]:
    """Lines for the terminal: each video, and below it its faces with the classes that they showed longest."""
    for path, group in groupby(faces, key=lambda face: face.path):
        of_path = list(group)
        known = [face for face in of_path if face.face_id is not None]
        longest = sorted(known, key=lambda face: -face.seconds)[:MOST_FACES]
        yield f"{path}:"
        for face in known:
            if face in longest:
                yield f"  face {face.face_id}, {face.start:.1f} to {face.end:.1f} s: {_shares(face)}"
        if rest := [face for face in known if face not in longest]:
            yield f"  {plural(len(rest), 'more face')}, {sum(face.seconds for face in rest):.1f} s in all"
        for face in of_path:
            if face.face_id is None:
                yield f"  no face found for {face.seconds:.1f} s"


def _shares(face: FaceTime) -> str:
    shown = list(face.shares.items())[:MOST_CLASSES]
    told = [f"{label} {percent(share)}" for label, share in shown]
    rest = 1 - sum(share for _, share in shown)
    told += [f"others {percent(rest)}"] if len(face.shares) > MOST_CLASSES else []
    return ", ".join(told) + (f"; doubtful {percent(face.doubtful)}" if face.doubtful else "")


def face_table(faces: Sequence[FaceTime], labels: Sequence[str]) -> str:
    """A CSV with a row for each face, and a column for each class with its share of the time."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "face_id", "start", "end", "seconds", "frames", "doubtful", *labels])
    for face in faces:
        times = (round(value, 3) for value in (face.start, face.end, face.seconds))
        shares = (round(face.shares.get(label, 0.0), 4) if face.shares else "" for label in labels)
        number = "" if face.face_id is None else face.face_id
        rows.writerow([face.path, number, *times, face.frames, round(face.doubtful, 4), *shares])
    return text.getvalue()
