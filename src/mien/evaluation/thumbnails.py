"""Small copies of photos for a report, made of the decoded pixels alone: nothing else of the file is in them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.evaluation.attention import with_heat
from mien.results.exhibits import Thumbnail

__all__ = ["LONGER_SIDE", "Album"]

Falls = tuple[tuple[float, ...], ...]
"""How far an answer's probability falls by patch, in rows."""

LONGER_SIDE = 160
"""Longer side of an embedded photo, px; a smaller original is not enlarged."""
QUALITY = 70


@dataclass(frozen=True)
class Album:
    """Where photos are taken from.

    Attributes:
        manifest: every file of the data and of the target.
        pixels: the decoded photos.
        view: what to show of each.
        longer_side: of a shown photo at most, px.
    """

    manifest: pl.DataFrame
    pixels: Pixels
    view: View
    longer_side: int = LONGER_SIDE

    def photos(self, rows: Sequence[int], falls: Sequence[Falls | None] | None = None) -> tuple[Thumbnail, ...]:
        """The photos of the given rows, in their order.

        Args:
            falls: what an answer rests on in each photo, as rows of patches; None where that is not known.
        """
        if not rows:
            return ()
        wanted = self.manifest.filter(pl.col("row").is_in(list(rows)))
        about = {row["row"]: row for row in wanted.iter_rows(named=True)}
        squares = self.pixels.read(self.view, rows)
        falls = falls or [None] * len(rows)
        return tuple(_thumbnail(about[r], square, self, f) for r, square, f in zip(rows, squares, falls, strict=True))


def _thumbnail(row: Mapping[str, Any], square: NDArray[np.uint8], album: Album, falls: Falls | None) -> Thumbnail:  # type: ignore[explicit-any]  # a row of Polars
    image = Image.fromarray(square).resize(_size(row, album.view, album.longer_side), Image.Resampling.BICUBIC)
    is_whole = album.view.name == "photo"
    return Thumbnail(
        jpeg=_jpeg(image),
        width=image.width,
        height=image.height,
        focus=_focus(row) if is_whole else "50% 50%",
        face=_face(row) if is_whole else None,
        path=row["path"],
        label=row["label"] or "",
        heat_jpeg=_jpeg(with_heat(image, np.array(falls))) if falls else None,
    )


def _jpeg(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY, optimize=True)
    return content.getvalue()


def _size(row: Mapping[str, Any], view: View, most: int) -> tuple[int, int]:  # type: ignore[explicit-any]  # a row of Polars
    """Width and height that undo the squashing of a view; that of the face is square."""
    if view.name == "face":
        return (min(most, view.size),) * 2
    longer = max(row["width"], row["height"])
    scale = min(most, view.size, longer) / longer
    return max(1, round(row["width"] * scale)), max(1, round(row["height"] * scale))


def _focus(row: Mapping[str, Any]) -> str:  # type: ignore[explicit-any]  # a row of Polars
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


def _face(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:  # type: ignore[explicit-any]  # a row of Polars
    if row["face_left"] is None:
        return None
    left, right = (100 * min(max(row[f"face_{side}"] / row["width"], 0), 1) for side in ("left", "right"))
    top, bottom = (100 * min(max(row[f"face_{side}"] / row["height"], 0), 1) for side in ("top", "bottom"))
    return left, top, right - left, bottom - top
