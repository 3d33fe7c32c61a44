"""One thread that recognises the pictures of all clients, as many at once as are waiting.

A network answers 32 pictures in far less than 32 times what one takes, so calls that come together are answered
together. The recogniser is used from this thread alone.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from PIL import Image

from mien.data.measuring.faces import Finding
from mien.data.reading.pictures import Picture
from mien.recognizer import BATCH, Prediction, Recognizer

__all__ = ["Batcher", "BusyError", "Watch"]

Answers = list[Prediction]


class BusyError(Exception):
    """No more pictures are taken now: too many wait, the service is closing, or its worker has died."""


class Watch(Protocol):
    """Is told what is seen and answered, from several threads."""

    def looked(self, image: Image.Image, finding: Finding) -> None:
        """A picture whose faces were looked for."""

    def answered(self, answers: Sequence[Prediction]) -> None:
        """Answers, whatever they are called."""


@dataclass(frozen=True)
class _Job:
    pictures: Sequence[Picture]
    every_face: bool
    answers: Future[Answers] = field(default_factory=Future)


class Batcher:
    """A queue of pictures and the thread that answers them."""

    def __init__(self, recognizer: Recognizer, *, most_waiting: int) -> None:
        """Start the thread.

        Args:
            most_waiting: pictures that may wait for their turn.
        """
        self._recognizer, self._most_waiting = recognizer, most_waiting
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting, self._is_closed = 0, False
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._work, name="mien-recogniser", daemon=True)
        self._thread.start()

    def watch(self, watch: Watch) -> None:
        """Tell what is seen and answered from now on."""
        self._watch = watch

    @property
    def is_ready(self) -> bool:
        """Whether pictures are taken and answered."""
        return self._thread.is_alive() and not self._is_closed

    @property
    def waiting(self) -> int:
        """Pictures that were taken and not yet answered."""
        return self._waiting

    def submit(self, pictures: Sequence[Picture], *, every_face: bool = False) -> Future[Answers]:
        """Ask for answers, in the order of the pictures.

        Raises:
            BusyError: if they cannot be taken now.
        """
        job = _Job(pictures, every_face)
        with self._lock:
            if not self.is_ready:
                raise BusyError("the service is not answering; see /readyz")
            if self._waiting + len(pictures) > self._most_waiting:
                raise BusyError(f"{self._waiting} pictures are waiting already; try again in a second")
            self._waiting += len(pictures)
            self._jobs.put(job)
        return job.answers

    def close(self) -> None:
        """Take no more pictures, answer those that were taken, and end."""
        with self._lock:
            self._is_closed = True
            self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        jobs: list[_Job] = []
        try:
            while jobs := self._next():
                for every_face in (False, True):
                    self._answer([job for job in jobs if job.every_face == every_face], every_face)
        finally:
            self._fail_the_rest(jobs)

    def _next(self) -> list[_Job]:
        """Wait for a job, and take those that wait with it, up to a batch; none at the end."""
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if sum(len(each.pictures) for each in jobs) >= BATCH or self._jobs.empty():
                return jobs
            job = self._jobs.get()
        if jobs:
            self._jobs.put(None)  # the end comes after these
        return jobs

    def _answer(self, jobs: Sequence[_Job], every_face: bool) -> None:
        # Who was cancelled, as when its connection was cut, gets no answer, and from here on nobody can be.
        left = [job for job in jobs if not job.answers.set_running_or_notify_cancel()]
        with self._lock:
            self._waiting -= sum(len(job.pictures) for job in left)
        jobs = [job for job in jobs if job not in left]
        pictures = [picture for job in jobs for picture in job.pictures]
        if not jobs:
            return
        try:
            # Numbered instead of named, so that answers for several faces find back to their picture.
            look = self._watch.looked if self._watch else None
            numbered = [Picture(str(i), picture.load, look=look) for i, picture in enumerate(pictures)]
            answers = list(self._recognizer.predict_pictures(numbered, every_face=every_face))
            if self._watch:
                self._watch.answered(answers)
        except BaseException as error:
            is_dying = not isinstance(error, Exception)
            if is_dying:  # the thread ends: nobody is told before /readyz says so
                with self._lock:
                    self._is_closed = True
            for job in jobs:
                job.answers.set_exception(BusyError("these pictures could not be answered"))
            if is_dying:
                raise
            return
        finally:
            with self._lock:
                self._waiting -= len(pictures)
        first = 0
        for job in jobs:
            end = first + len(job.pictures)
            own = [answer for answer in answers if first <= int(answer.path) < end]
            job.answers.set_result([replace(each, path=pictures[int(each.path)].path) for each in own])
            first = end

    def _fail_the_rest(self, at_hand: Sequence[_Job]) -> None:
        """Whoever waits is told that no answer will come."""
        left = list(at_hand)
        while not self._jobs.empty():
            job = self._jobs.get()
            left += [job] if job is not None else []
        for job in left:
            if not job.answers.done() and (job.answers.running() or job.answers.set_running_or_notify_cancel()):
                job.answers.set_exception(BusyError("the service is not answering; see /readyz"))
