"""Read every file of a source once: its properties, hashes, faces, and the pixels of the views wanted.

Files are read side by side in threads (decoding and detection release Python's lock) with a bounded number
under way, and results are taken in file order, so memory is flat and a second pass gives the same table.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mien.data.drawn import drawn_probability
from mien.data.face_audit import face_focus
from mien.data.faces import FaceDetector, Finding, unsearched
from mien.data.fingerprints import fingerprint
from mien.data.manifest import SCHEMA
from mien.data.pixels import PixelWriter
from mien.data.preprocess import Box, UnreadableImageError, View, decode, render
from mien.data.properties import SURVEY_SIDE, measure, survey
from mien.data.sources import Source, SourceFile

__all__ = ["Inspected", "inspect_file", "inspect_files", "read_ahead", "take_in"]

T = TypeVar("T")
R = TypeVar("R")

SAMPLE, SMALL_FILE = 8, 8192
"""First files that are looked at, and bytes below which all of them are small: then one thread reads the rest."""
CHUNK = 1000
"""Rows that are kept as Python objects before they become part of the table, which is ten times smaller."""


@dataclass(frozen=True)
class Inspected:
    """What one file turned out to be.

    Attributes:
        row: values of the manifest's columns.
        views: view key → uint8 (S, S, 3); empty for a file that could not be read.
        finding: faces; None for a file that could not be read.
        fingerprint: what copies are found by, (SIDE, SIDE); None for a file that could not be read.
    """

    row: dict[str, Any]
    views: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    finding: Finding | None = None
    fingerprint: NDArray[np.uint8] | None = None


def take_in(
    source: Source,
    views: Sequence[View],
    writer: PixelWriter,
    detector: FaceDetector | None,
    *,
    first_row: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> pl.DataFrame:
    """Inspect every file, and write its views and its fingerprint.

    Args:
        detector: finds faces; with None, none are looked for.
        first_row: row of the source's first file in the pixel arrays.
        advance: called with the number of files done since the last call.

    Returns:
        One row per file, in the order of ``source.files``, with every column of the manifest's schema;
        groups and splits are still null.
    """
    parts, rows = [pl.DataFrame(schema=SCHEMA)], []
    for i, inspected in enumerate(inspect_files(source, source.files, views, detector)):
        rows.append(inspected.row | {"row": first_row + i})
        if inspected.fingerprint is not None:
            writer.put(first_row + i, inspected.views, inspected.fingerprint)
        if len(rows) == CHUNK or i + 1 == len(source.files):
            parts.append(_table(rows))
            rows = []
        advance(1)
    return pl.concat(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    columns = {name: [row.get(name) for row in rows] for name in SCHEMA}
    return pl.DataFrame(columns, schema=SCHEMA)


def inspect_files(
    source: Source, files: Iterable[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> Iterator[Inspected]:
    """Inspect files side by side, yielding in their order."""
    return read_ahead(
        lambda file: inspect_file(source, file, views, detector),
        files,
        lambda inspected: inspected.row.get("bytes", 0) < SMALL_FILE,
    )


def read_ahead(work: Callable[[T], R], items: Iterable[T], is_small: Callable[[R], bool]) -> Iterator[R]:
    """Work on items side by side in threads, a bounded number at a time, yielding in their order.

    Args:
        is_small: whether a result was of a tiny picture. Threads that decode those wait for Python's lock more than
            they work, so where the first few all are, the rest is done without any.
    """
    items, many = iter(items), max(1, min(8, os.cpu_count() or 1))
    are_small = []
    for result in _side_by_side(work, islice(items, SAMPLE), many):
        are_small.append(is_small(result))
        yield result
    # A thread of its own for one worker would cost a third more than the work: the two take turns at Python's lock.
    yield from map(work, items) if all(are_small) else _side_by_side(work, items, many)


def _side_by_side(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= 4 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def inspect_file(source: Source, file: SourceFile, views: Sequence[View], detector: FaceDetector | None) -> Inspected:
    """Inspect one file; one that cannot be used becomes a row with its reason."""
    row: dict[str, Any] = {
        "id": f"{source.name}/{file.path}",
        "source": source.name,
        "path": file.path,
        "label": file.label,
        "group": file.group,
        "given_split": file.split,
    }
    if file.ignored is not None:
        return Inspected(row | {"status": "ignored", "reason": file.ignored})
    try:
        content = source.read(file)
    except OSError as error:
        return Inspected(row | {"status": "unreadable", "reason": error.strerror or str(error)})
    row |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    try:
        decoded = decode(content, least_side=None if views or detector else SURVEY_SIDE)
    except UnreadableImageError as error:
        return Inspected(row | {"status": "unreadable", "reason": str(error)})
    image = decoded.image
    finding = detector.find(image) if detector else unsearched(*decoded.size)
    box = finding.main.box if finding.main else None
    row |= {"status": "ok", "format": decoded.format, "mode": decoded.mode, "note": decoded.note}
    row["jpeg_quality"] = decoded.quality
    row |= dict(zip(("width", "height"), decoded.size, strict=True))
    reduced = survey(image)
    row |= _face_columns(finding, image) | measure(image, reduced, box)
    row["drawn"] = _drawn(image, reduced.grey, box)
    rendered = {view.key: render(image, view, box) for view in views}
    return Inspected(row, rendered, finding, fingerprint(reduced.grey))


def _face_columns(finding: Finding, image: Image.Image) -> dict[str, Any]:
    columns: dict[str, Any] = {"face_kind": finding.kind, "face_count": len(finding.faces)}
    if finding.kind == "crop":
        columns |= {"face_count": 1, "face_side": min(image.size), "face_focus": face_focus(image, None)}
    if finding.main:
        names = ("face_left", "face_top", "face_right", "face_bottom")
        columns |= dict(zip(names, finding.main.box, strict=True))
        columns |= {"face_score": finding.main.score, "face_side": finding.main.side, "face_cut": finding.main.cut}
        columns |= {"face_focus": face_focus(image, finding.main.box)}
    return columns


def _drawn(image: Image.Image, grey: Image.Image, box: Box | None) -> float:
    if box is None:
        return drawn_probability(grey)
    scale = max(grey.size) / max(image.size)
    left, top, right, bottom = (edge * scale for edge in box)
    return drawn_probability(grey, (left, top, right, bottom))
