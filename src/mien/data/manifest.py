"""The table of images: what a row says, reading it, writing it."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from mien.errors import SourceError

__all__ = ["SCHEMA", "read_manifest", "usable", "write_manifest"]

SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),  # source name and path
    "source": pl.String(),
    "path": pl.String(),  # inside the source
    "row": pl.Int64(),  # place of its pixels in the arrays on disk
    "label": pl.String(),  # class folder
    "status": pl.String(),  # ok, unreadable or ignored
    "reason": pl.String(),  # why it is not ok
    "note": pl.String(),  # what a user should know of an image that is ok
    "sha256": pl.String(),
    "bytes": pl.Int64(),
    "format": pl.String(),  # by content
    "mode": pl.String(),
    "width": pl.Int32(),  # px, upright
    "height": pl.Int32(),  # px, upright
    "brightness": pl.Float32(),  # mean luma, 0 to 1
    "contrast": pl.Float32(),  # standard deviation of luma
    "sharpness": pl.Float32(),  # variance of the Laplacian of the face, or of the photo where there is none
    "is_grey": pl.Boolean(),
    "dhash": pl.Binary(),  # 256-bit difference hash
    "exact_group": pl.Int64(),  # the same bytes
    "near_group": pl.Int64(),  # the same picture, perhaps re-encoded or resized
    "face_kind": pl.String(),  # found, crop or none
    "face_count": pl.Int32(),
    "face_left": pl.Float32(),
    "face_top": pl.Float32(),
    "face_right": pl.Float32(),
    "face_bottom": pl.Float32(),
    "face_score": pl.Float32(),
    "face_side": pl.Float32(),  # px, shorter side of the box; of the photo for a crop
    "split": pl.String(),  # train, val, test, target; null for a row that is not used
    "split_reason": pl.String(),  # why a usable image stands in no split
}


def write_manifest(manifest: pl.DataFrame, path: Path) -> None:
    """Write the table as Parquet, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    manifest.write_parquet(partial)
    os.replace(partial, path)


def read_manifest(path: Path) -> pl.DataFrame:
    """Read a table that mien wrote.

    Raises:
        SourceError: if the file is missing or lacks columns.
    """
    try:
        manifest = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path}: not a manifest that can be read ({error}); run the study again") from error
    missing = [name for name in SCHEMA if name not in manifest.columns]
    if missing:
        raise SourceError(f"{path}: a manifest of another version, without {', '.join(missing)}; run the study again")
    return manifest


def usable(manifest: pl.DataFrame) -> pl.DataFrame:
    """The rows whose image could be read."""
    return manifest.filter(pl.col("status") == "ok")
