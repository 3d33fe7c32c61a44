"""Read every file of a source once: its properties, hashes, faces, and the pixels of the views wanted.

Files are read side by side in threads (decoding and detection release Python's lock) with a bounded number
under way, and results are taken in file order, so memory is flat and a second pass gives the same table.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mien.data.faces import FaceDetector, Finding
from mien.data.manifest import SCHEMA
from mien.data.pixels import PixelWriter
from mien.data.preprocess import Box, UnreadableImageError, View, decode, render
from mien.data.sources import Source, SourceFile

__all__ = ["Inspected", "inspect_file", "inspect_files", "take_in"]

SURVEY_SIDE = 256
"""Longer side of the reduced picture that properties are measured on, so that they compare across sizes."""
GREY_CHROMA = 3.0
"""Mean distance between the largest and smallest channel below which a photo counts as grey, of 255."""


@dataclass(frozen=True)
class Inspected:
    """What one file turned out to be.

    Attributes:
        row: values of the manifest's columns.
        views: view key → uint8 (S, S, 3); empty for a file that could not be read.
        finding: faces; None for a file that could not be read.
    """

    row: dict[str, Any]
    views: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    finding: Finding | None = None


def take_in(
    source: Source,
    views: Sequence[View],
    writer: PixelWriter | None,
    *,
    first_row: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> pl.DataFrame:
    """Inspect every file and write its views.

    Args:
        writer: where the pixels go, or None to keep none.
        first_row: row of the source's first file in the pixel arrays.
        advance: called with the number of files done since the last call.

    Returns:
        One row per file, in the order of ``source.files``, with every column of the manifest's schema;
        groups and splits are still null.
    """
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}
    for i, inspected in enumerate(inspect_files(source, source.files, views, FaceDetector())):
        for name, values in columns.items():
            values.append(inspected.row.get(name))
        columns["row"][i] = first_row + i
        if writer is not None and inspected.views:
            writer.put(first_row + i, inspected.views)
        advance(1)
    return pl.DataFrame(columns, schema=SCHEMA)


def inspect_files(
    source: Source, files: Iterable[SourceFile], views: Sequence[View], detector: FaceDetector
) -> Iterator[Inspected]:
    """Inspect files side by side, yielding in their order."""
    workers = max(1, min(8, os.cpu_count() or 1))
    pending: deque[Future[Inspected]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for file in files:
                pending.append(pool.submit(inspect_file, source, file, views, detector))
                if len(pending) >= 4 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def inspect_file(source: Source, file: SourceFile, views: Sequence[View], detector: FaceDetector) -> Inspected:
    """Inspect one file; one that cannot be used becomes a row with its reason."""
    row: dict[str, Any] = {
        "id": f"{source.name}/{file.path}",
        "source": source.name,
        "path": file.path,
        "label": file.label,
        "split": file.split,
    }
    if file.ignored is not None:
        return Inspected(row | {"status": "ignored", "reason": file.ignored})
    try:
        content = source.read(file)
    except OSError as error:
        return Inspected(row | {"status": "unreadable", "reason": error.strerror or str(error)})
    row |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    try:
        decoded = decode(content)
    except UnreadableImageError as error:
        return Inspected(row | {"status": "unreadable", "reason": str(error)})
    image = decoded.image
    finding = detector.find(image)
    box = finding.main.box if finding.main else None
    row |= {"status": "ok", "format": decoded.format, "mode": decoded.mode, "note": decoded.note}
    row |= {"width": image.width, "height": image.height}
    row |= _face_columns(finding, image) | _properties(image, box)
    return Inspected(row, {view.key: render(image, view, box) for view in views}, finding)


def _face_columns(finding: Finding, image: Image.Image) -> dict[str, Any]:
    columns: dict[str, Any] = {"face_kind": finding.kind, "face_count": len(finding.faces)}
    if finding.kind == "crop":
        columns |= {"face_count": 1, "face_side": min(image.size)}
    if finding.main:
        names = ("face_left", "face_top", "face_right", "face_bottom")
        columns |= dict(zip(names, finding.main.box, strict=True))
        columns |= {"face_score": finding.main.score, "face_side": finding.main.side}
    return columns


def _properties(image: Image.Image, face: Box | None) -> dict[str, Any]:
    survey = image.copy()
    survey.thumbnail((SURVEY_SIDE, SURVEY_SIDE), Image.Resampling.BILINEAR)
    rgb = np.asarray(survey, dtype=np.float32)
    luma = np.asarray(survey.convert("L"), dtype=np.float32) / 255
    return {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "sharpness": _sharpness(image, face),
        "is_grey": bool((rgb.max(2) - rgb.min(2)).mean() < GREY_CHROMA),
        "dhash": _difference_hash(survey),
    }


def _sharpness(image: Image.Image, face: Box | None) -> float:
    """Variance of the Laplacian at 96×96 (Pech-Pacheco et al. 2000), of the face where there is one."""
    small = image.resize((96, 96), Image.Resampling.BILINEAR, box=face).convert("L")
    g = np.asarray(small, dtype=np.float32) / 255
    laplacian = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    return float(laplacian.var())


def _difference_hash(image: Image.Image) -> bytes:
    """256 bits: whether each of 16×16 pixels is darker than its right neighbour (dHash, Krawetz 2013)."""
    small = np.asarray(image.convert("L").resize((17, 16), Image.Resampling.BILINEAR), dtype=np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()
