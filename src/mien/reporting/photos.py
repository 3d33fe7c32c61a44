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

from mien.data.pixels import Pixels
from mien.data.preprocess import View
from mien.evaluation.attention import with_heat

__all__ = ["Album", "Photo"]

LONGER_SIDE = 160
"""Longer side of an embedded photo, px; a smaller original is not enlarged."""
QUALITY = 70


@dataclass(frozen=True)
class Photo:
    """A photo to show.

    Attributes:
        uri: the JPEG as a data URI.
        width: px.
        height: px.
        focus: where the face is, as CSS ``object-position`` of a square cut-out.
        face: left, top, width and height of the face as per cent of the photo, cut at its edges, or None.
        path: inside its source.
        label: its class.
        heat: the photo with what an answer rests on in red, as a data URI, or None.
    """

    uri: str
    width: int
    height: int
    focus: str
    face: tuple[float, float, float, float] | None
    path: str
    label: str
    heat: str | None = None

    @property
    def name(self) -> str:
        """File name, without its folders."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Album:
    """Where photos are taken from.

    Attributes:
        manifest: every file of the data and of the target.
        pixels: the decoded photos.
        view: what to show of each.
    """

    manifest: pl.DataFrame
    pixels: Pixels
    view: View

    def photos(self, rows: Sequence[int], falls: Sequence[Any] | None = None) -> list[Photo]:
        """The photos of the given rows, in their order.

        Args:
            falls: what an answer rests on in each photo, as rows of patches; None where that is not known.
        """
        if not rows:
            return []
        wanted = self.manifest.filter(pl.col("row").is_in(list(rows)))
        about = {row["row"]: row for row in wanted.iter_rows(named=True)}
        squares = self.pixels.read(self.view, rows)
        falls = falls or [None] * len(rows)
        return [_photo(about[r], square, self.view, f) for r, square, f in zip(rows, squares, falls, strict=True)]


def _photo(row: Mapping[str, Any], square: np.ndarray[Any, np.dtype[np.uint8]], view: View, falls: Any) -> Photo:
    image = Image.fromarray(square).resize(_size(row, view), Image.Resampling.BICUBIC)
    heat = _uri(with_heat(image, np.array(falls))) if falls else None
    is_whole = view.name == "photo"
    focus, face = (_focus(row), _face(row)) if is_whole else ("50% 50%", None)
    return Photo(_uri(image), *image.size, focus, face, row["path"], row["label"] or "", heat)


def _uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _size(row: Mapping[str, Any], view: View) -> tuple[int, int]:
    """Width and height that undo the squashing of a view; that of the face is square."""
    if view.name == "face":
        return (min(LONGER_SIDE, view.size),) * 2
    longer = max(row["width"], row["height"])
    scale = min(LONGER_SIDE, view.size, longer) / longer
    return max(1, round(row["width"] * scale)), max(1, round(row["height"] * scale))


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


def _face(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    if row["face_left"] is None:
        return None
    left, right = (100 * min(max(row[f"face_{side}"] / row["width"], 0), 1) for side in ("left", "right"))
    top, bottom = (100 * min(max(row[f"face_{side}"] / row["height"], 0), 1) for side in ("top", "bottom"))
    return left, top, right - left, bottom - top
