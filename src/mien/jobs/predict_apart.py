"""Answers for pictures on the machines of a cluster: the same, in the same order, as one machine gives.

Each takes some pictures at a time, reads them by their paths and answers them. What stands in an archive or a table is
read here, and so is what lies in a store, whose credentials stay here. A film among them is answered by one machine;
one that was named by itself is answered here.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import NoReturn

from mien.cluster.executor import can_be_sent, no_such_path
from mien.data.reading.pictures import Picture, called, with_bytes
from mien.data.reading.processes import spread
from mien.data.reading.read_ahead import side_by_side
from mien.models.artifact import model_path
from mien.recognizer import BATCH, Recognizer
from mien.results.prediction import Prediction

__all__ = ["predict_apart"]

Answered = tuple[str, list[list[Prediction]]]
"""The machine, and what it answered of each picture."""


class _Answering:
    """Answers some pictures at a time, wherever it is sent."""

    def __init__(self, recognizer: Recognizer, *, every_face: bool) -> None:
        self._recognizer, self._every_face = recognizer, every_face

    def __call__(self, pictures: Sequence[Picture]) -> Answered:
        """The answers to each picture; a film has one for each frame."""
        numbered = [called(picture, f"{i}:{picture.path}") for i, picture in enumerate(pictures)]  # one may come twice
        found: list[list[Prediction]] = [[] for _ in pictures]
        for each in self._recognizer.predict_pictures(numbered, every_face=self._every_face):
            number, _, path = each.path.partition(":")
            found[int(number)].append(replace(each, path=path))
        return platform.node(), found


def predict_apart(recognizer: Recognizer, pictures: Iterable[Picture], *, every_face: bool) -> Iterator[Prediction]:
    """Answer pictures in their order, as ``Recognizer.predict_pictures`` does.

    Raises:
        ClusterError: if a machine does not reach a photo or the model as this one does.
    """
    answering = _Answering(recognizer, every_face=every_face)
    path = model_path(recognizer.model)
    needs = [path.absolute()] if Path(recognizer.model).is_absolute() else []
    for is_frame, some in groupby(pictures, lambda picture: picture.time is not None):
        if is_frame:
            yield from recognizer.predict_pictures(some, every_face=every_face)
        else:
            yield from _stills(answering, some, needs)


def _stills(answering: _Answering, pictures: Iterable[Picture], needs: Sequence[Path]) -> Iterator[Prediction]:
    under_way: list[list[Picture]] = []

    def sent() -> Iterator[list[Picture]]:
        ready = side_by_side(lambda some: [(each, _sendable(each)) for each in some], pictures)
        while some := list(islice(ready, BATCH)):
            under_way.append([picture for picture, _ in some])
            yield [to_send for _, to_send in some]

    for node, answers in spread(answering, sent(), threads=1, needs=needs):
        for picture, of_one in zip(under_way.pop(0), answers, strict=True):
            yield from _checked(answering, picture, of_one, node)


def _sendable(picture: Picture) -> Picture:
    """A picture that another machine can read; one that cannot be read here says so there."""
    if can_be_sent(picture.load):
        return picture
    try:
        return with_bytes(picture)
    except OSError as error:
        return replace(picture, load=_Unread(error.strerror or str(error)))


class _Unread:
    """Stands in for a picture that could not be read."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __call__(self) -> NoReturn:
        """Fail as reading did."""
        raise OSError(self._reason)


def _checked(answering: _Answering, picture: Picture, answers: list[Prediction], node: str) -> list[Prediction]:
    """The answers of another machine; of what it could not read, what is said of it here.

    Raises:
        ClusterError: if it can be read here.
    """
    if any(each.status != "unreadable" for each in answers) or not answers:
        return answers
    _, (here,) = answering([picture])
    if any(each.status != "unreadable" for each in here):
        no_such_path(node, picture.path)
    return here
