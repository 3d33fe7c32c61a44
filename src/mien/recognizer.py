"""Image → faces → probabilities, with numpy, Pillow and ONNX Runtime; no torch.

Evaluation scores through this module too, so there is one path from pixels to probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.answer_list import Predictions
from mien.data.measuring.faces import DetectedFace, FaceDetector, Finding
from mien.data.measuring.focus import face_focus, is_low_quality
from mien.data.measuring.tracking import FaceTracker, glance
from mien.data.reading.given import Channels, Photo, given, path_of_video
from mien.data.reading.pictures import FRAMES_PER_SECOND, Film, Picture, open_film
from mien.data.reading.preprocess import Box, UnreadableImageError, render
from mien.data.reading.read_ahead import read_ahead
from mien.errors import ModelError, said_in_python
from mien.labels import canonical
from mien.models.artifact import (
    DEFAULT,
    Contract,
    Threshold,
    lasting_name,
    laxest_within,
    least_promise,
    model_path,
    open_model,
)
from mien.models.seal import checksum_of
from mien.results.prediction import STATUSES, Prediction, Status
from mien.smoothing import Smoother
from mien.system.addresses import is_address

__all__ = ["STATUSES", "Photo", "Prediction", "Recognizer", "Status", "smoothed", "softmax"]

BATCH = 32
"""Pictures that are read side by side and answered one after another."""
AT_ONCE = 8
"""Faces that go through the network together: 32 take 190 MB more, no less time, and give the same numbers."""


@dataclass(frozen=True)
class _Face:
    """A face, or the whole picture where there is none (``box`` None), rendered for the network."""

    box: Box | None
    is_low_quality: bool
    is_turned: bool
    views: dict[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class _Seen:
    """What was seen in one picture; ``faces`` is empty where it could not be read, or is a film still to be taken."""

    picture: Picture
    faces: tuple[_Face, ...] = ()
    finding: Finding | None = None
    reason: str | None = None
    film: Film | None = None
    glance: NDArray[np.float32] | None = None
    face_ids: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class _Opened:
    """How a recogniser was opened, by which it is opened again in another process.

    Attributes:
        model: its absolute path, or its name and version.
        checksum: of the file, which must be the same then.
        max_error: as it was asked for.
        classes: likewise.
    """

    model: str
    checksum: str
    max_error: float | None
    classes: tuple[str, ...] | None


class Recognizer:
    """A model ready to use.

    It can be copied and sent to other processes: what is pickled is where its file is and how it was opened, never
    weights, and the file is opened anew there. If it is gone or another by then, that is a ``ModelError``.
    """

    @said_in_python()
    def __init__(
        self, model: str | Path = DEFAULT, *, max_error: float | None = None, classes: Sequence[str] | None = None
    ) -> None:
        """Open a model.

        Args:
            model: a run folder, a study folder, a model file, or ``default``, the one that comes with mien.
            max_error: share of the answers that may be wrong on photos like those it was measured on, in (0, 1);
                answers that are less sure are ``unsure``. None takes what the model was trained with.
            classes: the only answers that may be given, at least two of the model's; all where None. What was promised
                of its errors is about all classes, so with these nothing is promised.

        Raises:
            ModelError: if it is none, cannot promise so few errors, or does not know the classes.
        """
        path = model_path(model)
        self._session, self.contract = open_model(path)
        self._opened = _Opened(
            lasting_name(model, path), checksum_of(path), max_error, None if classes is None else tuple(classes)
        )
        self._detector: FaceDetector | None = None
        self._places = _places(self.contract.labels, classes)
        if classes is not None and max_error is not None:
            raise ModelError("--max-error is a promise about all classes, which --classes makes void; give one of them")
        self.threshold = None if classes is not None else _threshold(self.contract, max_error, str(model))

    contract: Contract
    threshold: Threshold | None
    """From which probability on an answer is not ``unsure``; None where every answer is given."""

    def __repr__(self) -> str:
        return f"<Recognizer {self.model}: {', '.join(self.labels)}>"

    @property
    def model(self) -> str:
        """What it was opened from, by which commands find it: an absolute path, or a name and version."""
        return self._opened.model

    def __getstate__(self) -> dict[str, object]:
        return asdict(self._opened)

    def __setstate__(self, state: dict[str, object]) -> None:
        opened = _Opened(**state)  # type: ignore[arg-type]  # as it was written
        path = model_path(opened.model)
        if checksum_of(path) != opened.checksum:
            raise ModelError(f"{path}: not the model any more that this recogniser was opened from; open it anew")
        Recognizer.__init__(self, opened.model, max_error=opened.max_error, classes=opened.classes)

    @classmethod
    def default(cls) -> Recognizer:
        """The recogniser that comes with mien."""
        return cls(DEFAULT)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that it may answer, in the order of the probabilities."""
        return tuple(self.contract.labels[i] for i in self._places)

    def logits(self, views: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Logits (N, K) of pixels that were rendered before, of the classes that may be answered.

        Args:
            views: view key → uint8 (N, S, S, 3).
        """
        inputs = {view.name: views[view.key] for view in self.contract.views}
        n = len(next(iter(inputs.values())))
        parts = [
            np.asarray(self._session.run(None, {k: v[i : i + AT_ONCE] for k, v in inputs.items()})[0])
            for i in range(0, n, AT_ONCE)
        ]
        logits = np.concatenate(parts) if parts else np.zeros((0, len(self.contract.labels)), np.float32)
        return logits[:, self._places]

    def probabilities(self, views: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Probabilities (N, K); arguments as for ``logits``."""
        return softmax(self.logits(views) / self.contract.temperature)

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is an iterable of texts too, and fits here first
        self, photos: Photo, *, channels: Channels = "rgb"
    ) -> Prediction: ...
    @overload
    def predict(self, photos: Iterable[Photo], *, channels: Channels = "rgb") -> Predictions: ...
    @said_in_python()
    def predict(self, photos: Photo | Iterable[Photo], *, channels: Channels = "rgb") -> Prediction | Predictions:
        """Recognise the expression shown in one photo, or in several.

        Args:
            photos: one photo, for which one answer comes back, or several, for which a list does, in their order.
                A photo is one of

                - a path, as ``str`` or ``Path``; ``~`` is your home folder;
                - the bytes of an image file (``bytes``, ``bytearray``, ``memoryview``), or a file opened with ``"rb"``,
                  which is read from its start;
                - a Pillow image of any mode;
                - an array of grey (H, W) or (H, W, 1), colours (H, W, 3), or colours and alpha (H, W, 4), of uint8 from
                  0 to 255, bool, floats from 0 to 1 or up to 255, or integers of 10, 12, 14 or 16 bits; where the
                  numbers do not tell which of them is white, the array is refused;
                - a tensor of PyTorch, likewise or with channels first, (1, H, W), (3, H, W) or (4, H, W).

                Several are a list, a tuple, a generator or any other iterable, an array of paths, or an array (N, H, W,
                C), of tensors also (N, C, H, W). For checkers of types the latter is one photo; give them
                ``list(batch)``. All are held in memory, so give paths where they are many.
            channels: the order of colours in arrays and tensors: ``"bgr"`` for those of OpenCV. Pillow images and files
                know theirs.

        Returns:
            An answer for each photo; of several, a list with ``to_frame()`` for a table of Polars. A file that cannot
            be read, or is no image, has the status ``unreadable`` and a reason.

        Raises:
            PhotoError: if anything is no photo, or has no pixels: one error that names each by its place, as in
                ``photos[2]``, what came and what to do. Nothing is answered then.
        """
        taken = given(photos, channels)
        answers = Predictions(self.predict_pictures(taken.pictures))
        return answers[0] if taken.is_one else answers

    def predict_video(
        self,
        path: str | Path,
        *,
        frames_per_second: float = FRAMES_PER_SECOND,
        every_face: bool = False,
        smooth: float = 0.0,
    ) -> Iterator[Prediction]:
        """Recognise the frames of a video or an animation, one after the other, in constant memory.

        Of a file that is damaged or no video, an ``unreadable`` answer with the reason comes last.

        Args:
            frames_per_second: at most so many frames are looked at.
            every_face: an answer for each face, largest first, instead of one for each frame.
            smooth: seconds over which probabilities are averaged, as in ``smoothed``; 0 for no average.

        Raises:
            PhotoError: if no path was given: one video is taken at a time, and from a file.
            ValueError: if there is no such rate or time.
        """
        path = path_of_video(path)
        if not isinstance(frames_per_second, Real) or not frames_per_second > 0:
            raise ValueError(f"frames_per_second must be more than 0, got {frames_per_second!r}")
        pictures = open_film(path, frames_per_second=frames_per_second)
        answers = self.predict_pictures(pictures, every_face=every_face)
        return smoothed(answers, smooth) if smooth else answers

    def predict_pictures(self, pictures: Iterable[Picture], *, every_face: bool = False) -> Iterator[Prediction]:
        """Recognise pictures in their order, reading ahead and answering in batches.

        A video or an animation among them is answered frame by frame.

        Args:
            every_face: an answer for each face, largest first, instead of one for each picture.
        """
        self._detector = self._detector or FaceDetector()  # evaluation from stored pixels never needs one

        def see(some: Sequence[Picture]) -> list[_Seen]:
            return [self._see(picture, every_face) for picture in some]

        waiting: list[_Seen] = []
        for one in _tracked(read_ahead(see, pictures, _is_tiny)):
            if one.film is None:
                waiting.append(one)
            if one.film or len(waiting) == BATCH or sum(len(each.faces) for each in waiting) >= BATCH:
                yield from self._answer(waiting, every_face)
                waiting = []
            if one.film:
                yield from self.predict_pictures(one.film.pictures(), every_face=every_face)
        yield from self._answer(waiting, every_face)

    def _see(self, picture: Picture, every_face: bool) -> _Seen:
        assert self._detector is not None
        try:
            image = picture.load()
        except UnreadableImageError as error:
            return _Seen(picture, reason=str(error))
        except (OSError, ValueError) as error:  # of a path with a null byte
            return _Seen(picture, reason=getattr(error, "strerror", None) or str(error))
        if isinstance(image, Film):
            return _Seen(picture, film=image)
        finding = self._detector.find(image)
        if picture.look is not None:
            picture.look(image, finding)
        picture = replace(picture, load=_taken)  # or 32 decoded frames would wait for their answers
        found: Sequence[DetectedFace | None] = finding.faces or [None]
        faces = tuple(self._face(image, face, finding.kind) for face in (found if every_face else found[:1]))
        return _Seen(picture, faces, finding, glance=None if picture.frame is None else glance(image))

    def _face(self, image: Image.Image, face: DetectedFace | None, kind: str) -> _Face:
        box = face.box if face else None
        side = min(box[2] - box[0], box[3] - box[1]) if box else min(image.size)
        is_poor = kind != "none" and is_low_quality(side, face_focus(image, box), is_found=kind == "found")
        views = {view.key: render(image, view, box) for view in self.contract.views}
        return _Face(box, is_poor, face is not None and face.is_turned, views)

    def _answer(self, seen: Sequence[_Seen], every_face: bool) -> Iterator[Prediction]:
        faces = [face for one in seen for face in one.faces]
        keys = [view.key for view in self.contract.views]
        probs: Iterator[NDArray[np.float64]] = iter(())
        if faces:
            probs = iter(self.probabilities({key: np.stack([face.views[key] for face in faces]) for key in keys}))
        for one in seen:
            picture = one.picture
            if not one.faces:
                yield Prediction(picture.path, "unreadable", ("unreadable",), time=picture.time, reason=one.reason)
            for number, face in enumerate(one.faces):
                yield self._prediction(one, number, face, next(probs), every_face)

    def _prediction(
        self, seen: _Seen, number: int, face: _Face, probs: NDArray[np.float64], every_face: bool
    ) -> Prediction:
        assert seen.finding is not None
        label = self.labels[int(probs.argmax())]
        held = {
            "no_face": seen.finding.kind == "none",
            "several_faces": len(seen.finding.faces) > 1 and not every_face,
            "low_quality": face.is_low_quality,
            "turned": face.is_turned,
        } | self._doubts(label, float(probs.max()))
        flags = tuple(status for status in STATUSES if held.get(status))
        by_label = {label: float(p) for label, p in zip(self.labels, probs, strict=True)}
        return Prediction(
            seen.picture.path,
            flags[0] if flags else "ok",
            flags,
            label,
            by_label,
            face.box,
            seen.picture.time,
            frame=seen.picture.frame,
            seconds=seen.picture.seconds,
            face_id=seen.face_ids[number] if seen.face_ids else None,
        )

    def _doubts(self, label: str, probability: float) -> dict[str, bool]:
        """What of an answer itself should make one doubt it."""
        return {
            "unsure": self.threshold is not None and probability < self.threshold.probability,
            "unproven": label in self.contract.unproven,
        }


def smoothed(predictions: Iterable[Prediction], seconds: float) -> Iterator[Prediction]:
    """The same, with averages over time beside the probabilities of a video's faces.

    Nothing is averaged across a gap, a frame without this face, or another face.

    Args:
        seconds: time constant, more than 0: what is so long past counts 1/e of what is there now.

    Raises:
        ValueError: if it is not.
    """
    if not 0 < seconds < float("inf"):
        raise ValueError(f"smooth must be a time in seconds, got {seconds}")
    return _with_averages(predictions, Smoother(seconds))


def _with_averages(predictions: Iterable[Prediction], smoother: Smoother) -> Iterator[Prediction]:
    for each in predictions:
        if each.frame is not None:
            smoother.turn_to(each.frame)
        if each.face_id is None or each.probabilities is None or each.time is None:
            yield each
            continue
        mixed = smoother.mix((each.path, each.face_id), each.time, each.probabilities)
        yield replace(each, smoothed=mixed, smoothed_label=max(mixed, key=mixed.__getitem__))


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities (N, K) of logits (N, K)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _tracked(seen: Iterable[_Seen]) -> Iterator[_Seen]:
    """The same, the faces of videos numbered."""
    tracker, path, last = FaceTracker(), "", -1
    for one in seen:
        picture, finding = one.picture, one.finding
        if picture.frame is None or finding is None or one.glance is None:
            yield one
            continue
        if picture.path != path or picture.frame <= last:
            tracker = FaceTracker()
        path, last = picture.path, picture.frame
        boxes: list[Box] = [face.box for face in finding.faces]
        if finding.kind == "crop":
            boxes = [(0.0, 0.0, 1.0, 1.0)]  # the whole picture is the face
        face_ids = tracker.follow(boxes, one.glance, follows=picture.follows)
        yield replace(one, face_ids=tuple(face_ids[: len(one.faces)]))


def _taken() -> Image.Image:
    raise UnreadableImageError("its pixels were taken already")


def _is_tiny(seen: _Seen) -> bool:
    """Whether threads would wait for each other; those of a store are waited for, however small they are."""
    return seen.finding is not None and seen.finding.kind == "crop" and not is_address(seen.picture.path)


def _places(labels: Sequence[str], classes: Sequence[str] | None) -> list[int]:
    """Where the classes that may be answered stand among the model's, in its order."""
    if classes is None:
        return list(range(len(labels)))
    known = {canonical(label): label for label in labels} | {label: label for label in labels}
    found = {name: known.get(name, known.get(canonical(name))) for name in classes}
    unknown = [name for name, label in found.items() if label is None]
    if unknown:
        raise ModelError(f"--classes {','.join(unknown)}: the model answers {', '.join(labels)}; choose among these")
    if len(set(found.values())) < 2:
        raise ModelError("--classes: give at least two classes, or every answer is the same")
    return [i for i, label in enumerate(labels) if label in found.values()]


def _threshold(contract: Contract, max_error: float | None, model: str) -> Threshold | None:
    """The laxest threshold that keeps the error."""
    wanted = contract.max_error if max_error is None else max_error
    if wanted is None:
        return None
    if kept := laxest_within(contract.thresholds, wanted):
        return kept
    unmeasured = "nothing was measured when it was trained; train a recipe with a head, such as two-stream"
    can = least_promise(contract.thresholds, unmeasured)
    raise ModelError(f"--max-error {wanted:g}: {model} cannot promise so few errors; {can}")
