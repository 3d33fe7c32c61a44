"""Small copies of photos for the report, made of the decoded pixels alone: nothing else of the file is in them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from mien.data.manifest import usable
from mien.data.pixels import Pixels
from mien.data.preprocess import View

__all__ = ["Photo", "conflict_photos", "largest_photo_view", "mistake_photos", "sample_photos"]

LONGER_SIDE = 160
"""Longer side of an embedded photo, px; a smaller original is not enlarged."""
QUALITY = 70
SAMPLE = 16
MOST_CONFLICTS = 24


@dataclass(frozen=True)
class Photo:
    """A photo to show.

    Attributes:
        uri: the JPEG as a data URI.
        width: px.
        height: px.
        focus: where the face is, as CSS ``object-position`` of a square cut-out.
        name: file name, without its folders.
        label: its class.
    """

    uri: str
    width: int
    height: int
    focus: str
    name: str
    label: str


def largest_photo_view(runs: Mapping[str, Any]) -> View:
    """The largest whole-photo view that the runs keep on disk."""
    sizes = [
        run["config"]["probe"]["photo_size"] if run["config"]["probe"] else run["config"]["train"]["size"]
        for run in runs.values()
    ]
    return View("photo", max(sizes))


def sample_photos(manifest: pl.DataFrame, pixels: Pixels, view: View, seed: int) -> list[Photo]:
    """Up to sixteen photos drawn at random, the classes in turn."""
    rng = np.random.default_rng(seed)
    rows = usable(manifest).sort("label", "row")
    decks = [rng.permutation(part["row"].to_numpy()) for part in rows.partition_by("label", maintain_order=True)]
    depth = max((len(deck) for deck in decks), default=0)
    drawn = [int(deck[i]) for i in range(min(depth, SAMPLE)) for deck in decks if i < len(deck)]
    return _read(manifest, pixels, view, drawn[:SAMPLE])


def mistake_photos(
    mistakes: Sequence[Mapping[str, Any]], manifest: pl.DataFrame, pixels: Pixels, view: View
) -> list[Photo]:
    """The photos of the mistakes, in their order."""
    return _read(manifest, pixels, view, [mistake["row"] for mistake in mistakes])


def conflict_photos(
    conflicts: Sequence[Mapping[str, Any]], manifest: pl.DataFrame, pixels: Pixels, view: View
) -> list[list[Photo]]:
    """The copies of each picture that stands under several labels; of many pictures, the first ones."""
    row_of = dict(zip(manifest["path"], manifest["row"], strict=True))
    shown = conflicts[:MOST_CONFLICTS]
    return [_read(manifest, pixels, view, [row_of[path] for path in conflict["paths"]]) for conflict in shown]


def _read(manifest: pl.DataFrame, pixels: Pixels, view: View, rows: Sequence[int]) -> list[Photo]:
    if not rows:
        return []
    about = {row["row"]: row for row in manifest.filter(pl.col("row").is_in(list(rows))).iter_rows(named=True)}
    return [_photo(about[row], square) for row, square in zip(rows, pixels.read(view, rows), strict=True)]


def _photo(row: Mapping[str, Any], square: np.ndarray[Any, np.dtype[np.uint8]]) -> Photo:
    """Undo the squashing of a view."""
    longer = max(row["width"], row["height"])
    scale = min(LONGER_SIDE, len(square), longer) / longer
    size = (max(1, round(row["width"] * scale)), max(1, round(row["height"] * scale)))
    image = Image.fromarray(square).resize(size, Image.Resampling.BICUBIC)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY, optimize=True)
    uri = "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")
    return Photo(uri, *size, _focus(row), row["path"].rsplit("/", 1)[-1], row["label"] or "")


def _focus(row: Mapping[str, Any]) -> str:
    """The ``object-position`` that puts the face in the middle of a square cut-out, as far as the photo goes."""
    if row["face_left"] is None:
        return "50% 50%"
    shorter = min(row["width"], row["height"])
    places = []
    for side, low, high in (("width", "face_left", "face_right"), ("height", "face_top", "face_bottom")):
        room = row[side] - shorter
        start = (row[low] + row[high] - shorter) / 2
        places.append(50 if room <= 0 else round(100 * min(max(start / room, 0), 1)))
    return f"{places[0]}% {places[1]}%"
