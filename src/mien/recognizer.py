"""Image → faces → probabilities, with numpy, Pillow and ONNX Runtime; no torch.

Evaluation scores through this module too, so there is one path from pixels to probabilities.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.faces import FaceDetector
from mien.data.intake import Inspected, inspect_files
from mien.data.sources import Source, SourceFile
from mien.models.artifact import Contract, model_path, open_model

__all__ = ["Photo", "Prediction", "Recognizer", "Status", "softmax"]

BATCH = 32

Photo = str | Path | Image.Image | NDArray[np.uint8]
"""A path, a Pillow image, or a uint8 array (H, W, 3) RGB."""

Status = Literal["unreadable", "no_face", "several_faces", "ok"]


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo.

    Attributes:
        path: as it was given; empty for a picture from memory.
        status: the first that holds of ``unreadable``, ``no_face`` (judged by the whole photo alone),
            ``several_faces`` (the largest is judged), ``ok``.
        label: the likeliest class; None for an unreadable file.
        probabilities: class → probability, in the model's order; they add up to 1.
        face: left, top, right, bottom of the judged face, px; None where none was searched or found.
        reason: why a file could not be read.
    """

    path: str
    status: Status
    label: str | None = None
    probabilities: dict[str, float] | None = None
    face: tuple[float, float, float, float] | None = None
    reason: str | None = None


class Recognizer:
    """A model ready to use."""

    def __init__(self, model: str | Path) -> None:
        """Open a run folder or a model file.

        Raises:
            ModelError: if it is none.
        """
        self._session, self.contract = open_model(model_path(model))
        self._detector: FaceDetector | None = None

    contract: Contract

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        return self.contract.labels

    def logits(self, views: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Logits (N, K) of pixels that were rendered before.

        Args:
            views: view key → uint8 (N, S, S, 3).
        """
        inputs = {view.name: views[view.key] for view in self.contract.views}
        n = len(next(iter(inputs.values())))
        parts = [
            np.asarray(self._session.run(None, {k: v[i : i + BATCH] for k, v in inputs.items()})[0])
            for i in range(0, n, BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.labels)), np.float32)

    def probabilities(self, views: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Probabilities (N, K); arguments as for ``logits``."""
        return softmax(self.logits(views) / self.contract.temperature)

    @overload
    def predict(self, photos: Photo) -> Prediction: ...
    @overload
    def predict(self, photos: list[Photo] | tuple[Photo, ...]) -> list[Prediction]: ...
    def predict(self, photos: Photo | list[Photo] | tuple[Photo, ...]) -> Prediction | list[Prediction]:
        """Recognise one photo, or several; one in, one out; many in, a list out."""
        if isinstance(photos, list | tuple):
            return list(self.predict_files(_in_memory(photos)))
        return next(self.predict_files(_in_memory([photos])))

    def predict_files(self, source: Source) -> Iterator[Prediction]:
        """Recognise every file of a source, in its order, reading ahead and answering in batches."""
        files = [file for file in source.files if file.ignored is None]
        batch: list[Inspected] = []
        self._detector = self._detector or FaceDetector()  # evaluation from stored pixels never needs one
        for inspected in inspect_files(source, files, self.contract.views, self._detector):
            batch.append(inspected)
            if len(batch) == BATCH:
                yield from self._answer(batch)
                batch = []
        yield from self._answer(batch)

    def _answer(self, batch: Iterable[Inspected]) -> Iterator[Prediction]:
        batch = list(batch)
        readable = [i for i in batch if i.views]
        keys = [view.key for view in self.contract.views]
        probs = iter(())
        if readable:
            probs = iter(self.probabilities({key: np.stack([i.views[key] for i in readable]) for key in keys}))
        for inspected in batch:
            yield self._prediction(inspected, next(probs) if inspected.views else None)

    def _prediction(self, inspected: Inspected, probs: NDArray[np.float64] | None) -> Prediction:
        path = inspected.row["path"]
        finding = inspected.finding
        if probs is None or finding is None:
            return Prediction(path, "unreadable", reason=inspected.row["reason"])
        faces = {"none": 0, "crop": 1}.get(finding.kind, len(finding.faces))
        status: Status = "no_face" if faces == 0 else "several_faces" if faces > 1 else "ok"
        by_label = {label: float(p) for label, p in zip(self.labels, probs, strict=True)}
        box = finding.main.box if finding.main else None
        return Prediction(path, status, self.labels[int(probs.argmax())], by_label, box)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities (N, K) of logits (N, K)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _in_memory(photos: Sequence[Photo]) -> Source:
    """A source of photos that are paths, Pillow images or arrays; the latter two travel as lossless PNG."""
    names = [str(p) if isinstance(p, str | Path) else "" for p in photos]
    files = tuple(SourceFile(name, str(i)) for i, name in enumerate(names))
    return Source("", "", files, lambda file: _content(photos[int(file.location)]))


def _content(photo: Photo) -> bytes:
    if isinstance(photo, str | Path):
        return Path(photo).read_bytes()
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise TypeError(f"expected a uint8 array (H, W, 3), got {photo.dtype} {photo.shape}")
        photo = Image.fromarray(photo)
    exif = photo.getexif()
    if photo.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):  # what a PNG can hold
        photo = photo.convert("RGB")
    buffer = io.BytesIO()
    photo.save(buffer, "PNG", compress_level=0, exif=exif)
    return buffer.getvalue()
