"""What a service counts, for Prometheus: calls, answers and how photos look, and nothing of any one photo.

Means are told in whole blocks of ``BLOCK`` photos: who asks after each photo learns means of ten, never one value.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial

import prometheus_client as prometheus
from PIL import Image

from mien.app.batching import Batcher
from mien.data.measuring.faces import Finding
from mien.data.measuring.look import look_of
from mien.data.tables.spreads import PROPERTIES, Spread, scaled
from mien.models.shipped_spreads import known_spreads
from mien.recognizer import Prediction, Recognizer

__all__ = ["BLOCK", "MOST_BLOCKS", "Meters"]

BLOCK = 10
"""Photos whose mean is the least that is told."""
MOST_BLOCKS = 100
"""Blocks that a mean is over: what was sent long ago says nothing of today."""


class _Recent:
    """The mean of the last values, in whole blocks; NaN before the first is full."""

    def __init__(self) -> None:
        self._open: list[float] = []
        self._blocks: deque[float] = deque(maxlen=MOST_BLOCKS)

    def add(self, value: float) -> None:
        """Take a value."""
        self._open.append(value)
        if len(self._open) == BLOCK:
            self._blocks.append(math.fsum(self._open) / BLOCK)
            self._open.clear()

    @property
    def mean(self) -> float:
        """Of the full blocks."""
        return math.fsum(self._blocks) / len(self._blocks) if self._blocks else math.nan


def _drift(spread: Spread, recent: _Recent) -> float:
    return spread.standardised(recent.mean)


class Meters:
    """What is counted. Safe to use from several threads."""

    def __init__(self, recognizer: Recognizer, batcher: Batcher) -> None:
        """Begin to count what the worker answers, whether the page or a program asked."""
        self.registry = prometheus.CollectorRegistry()
        self.calls = prometheus.Counter("mien_calls", "Calls of /v1/predict", ["code"], registry=self.registry)
        self.pictures = prometheus.Counter("mien_pictures", "Pictures answered", ["status"], registry=self.registry)
        self.seconds = prometheus.Histogram("mien_seconds", "Seconds a call took", registry=self.registry)
        waiting = prometheus.Gauge("mien_waiting_pictures", "Pictures waiting for an answer", registry=self.registry)
        waiting.set_function(lambda: batcher.waiting)
        self._lock = threading.Lock()
        self._add_answers(recognizer)
        self._add_drift(recognizer)
        batcher.watch(self)

    def _add_answers(self, recognizer: Recognizer) -> None:
        said = "Answers of service and page by their likeliest class, doubtful ones too"
        self._answers = prometheus.Counter("mien_answers", said, ["label"], registry=self.registry)
        for label in recognizer.labels:
            self._answers.labels(label)
        self._confidence = _Recent()
        said = (
            f"Mean probability of the likeliest class, of the last {BLOCK * MOST_BLOCKS} answers in blocks of {BLOCK}"
        )
        gauge = prometheus.Gauge("mien_mean_confidence", said, registry=self.registry)
        gauge.set_function(lambda: self._confidence.mean)

    def _add_drift(self, recognizer: Recognizer) -> None:
        spreads = known_spreads(recognizer.contract, recognizer.model)
        self._look = {name: _Recent() for name in PROPERTIES if name in spreads}
        said = (
            f"Mean of the last {BLOCK * MOST_BLOCKS} photos (blocks of {BLOCK}) less that of the training photos, in "
            "standard deviations of these; sharpness and face_side by their logarithms"
        )
        gauge = prometheus.Gauge("mien_drift", said, ["property"], registry=self.registry)
        for name, recent in self._look.items():
            gauge.labels(name).set_function(partial(_drift, spreads[name], recent))

    def looked(self, image: Image.Image, finding: Finding) -> None:
        """Measure a picture whose faces were looked for."""
        if not self._look:
            return
        found = look_of(image, finding)
        with self._lock:
            for name, recent in self._look.items():
                if (value := scaled(name, found[name])) is not None:
                    recent.add(value)

    def answered(self, answers: Sequence[Prediction]) -> None:
        """Count answers."""
        with self._lock:
            for each in answers:
                if each.label is not None and each.probabilities is not None:
                    self._answers.labels(each.label).inc()
                    self._confidence.add(each.probabilities[each.label])
