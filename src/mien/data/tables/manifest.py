"""The table of images: what a row says, reading it, writing it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mien.data.sources.files import OWN, RATERS, VOTES
from mien.errors import SourceError
from mien.system.files import regular
from mien.system.sums import check_kept, kept_whole

__all__ = ["SCHEMA", "own_columns", "rater_columns", "read_manifest", "usable", "vote_columns", "write_manifest"]

SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),  # source name and path
    "source": pl.String(),
    "path": pl.String(),  # inside the source
    "row": pl.Int64(),  # place of its pixels in the arrays on disk
    "label": pl.String(),  # class, after corrections
    "given_label": pl.String(),  # class in the source, where a correction changed it
    "group": pl.String(),  # the user's own group, such as a subject or a session
    "group_kind": pl.String(),  # people, or groups of another kind; null without one
    "status": pl.String(),  # ok, unreadable, dropped (by a correction) or ignored
    "reason": pl.String(),  # why it is not ok
    "note": pl.String(),  # what a user should know of an image that is ok
    "sha256": pl.String(),
    "bytes": pl.Int64(),
    "format": pl.String(),  # by content
    "mode": pl.String(),
    "jpeg_quality": pl.Int32(),  # 1 to 100, by the quantisation table; null for other formats
    "width": pl.Int32(),  # px, upright
    "height": pl.Int32(),  # px, upright
    "brightness": pl.Float32(),  # mean luma, 0 to 1
    "contrast": pl.Float32(),  # standard deviation of luma
    "sharpness": pl.Float32(),  # variance of the Laplacian of the face, or of the photo where there is none
    "saturation": pl.Float32(),  # 0 to 1
    "is_grey": pl.Boolean(),
    "border": pl.Float32(),  # share of the area in bars or a frame of one colour
    "banner": pl.Float32(),  # share of the height in strips with text at the upper or lower edge
    "drawn": pl.Float32(),  # probability that it is drawn rather than photographed
    "exact_group": pl.Int64(),  # the same bytes
    "near_group": pl.Int64(),  # the same picture, perhaps re-encoded, resized, mirrored, cropped or marked
    "series": pl.Int64(),  # of one shoot or person, perhaps
    "split_group": pl.Int64(),  # what never stands in two splits
    "face_kind": pl.String(),  # found, crop or none
    "face_count": pl.Int32(),
    "face_left": pl.Float32(),
    "face_top": pl.Float32(),
    "face_right": pl.Float32(),
    "face_bottom": pl.Float32(),
    "face_score": pl.Float32(),
    "face_side": pl.Float32(),  # px, shorter side of the box; of the photo for a crop
    "face_cut": pl.Float32(),  # share of the box beyond the edge of the photo
    "face_focus": pl.Float32(),  # of the main face, from 0; see data/focus.py
    "suggested_label": pl.String(),  # what a probe trained on the other photos would say, where it was asked
    "label_quality": pl.Float32(),  # probability that probe gives to the label, 0 to 1
    "is_doubtful": pl.Boolean(),  # whether the label is to be looked at again
    "given_split": pl.String(),  # of the folder or column it came with
    "split": pl.String(),  # train, val, test, target; null for a row that is not used
    "split_reason": pl.String(),  # why a usable image stands in no split
}
"""Behind these, ``own.NAME`` (text) for each column of the user's table that plays no role, ``votes.CLASS`` (Float64)
for each class that raters could choose, and ``raters.NAME`` (text) for the class that each named rater chose."""


def write_manifest(manifest: pl.DataFrame, path: Path) -> None:
    """Write the table as Parquet, whole or not at all."""
    with kept_whole(path) as partial:
        manifest.write_parquet(partial)


def read_manifest(path: Path) -> pl.DataFrame:
    """Read a table that mien wrote.

    Raises:
        OutputError: if it is not as mien wrote it.
        SourceError: if the file is missing, lacks columns or has them of other types.
    """
    try:
        manifest = pl.read_parquet(regular(check_kept(path)), glob=False)  # a name may hold brackets
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path}: not a manifest that can be read ({error}); run the study again") from error
    if "group_kind" not in manifest.columns and "group" in manifest.columns:  # of before
        kind = pl.when(pl.col("group").is_not_null()).then(pl.lit("groups"))
        manifest = manifest.with_columns(kind.alias("group_kind"))
    missing = [name for name in SCHEMA if name not in manifest.columns]
    if missing:
        raise SourceError(f"{path}: a manifest of another version, without {', '.join(missing)}; run the study again")
    other = [name for name, kind in SCHEMA.items() if manifest.schema[name] not in (kind, pl.Null())]
    if other:
        raise SourceError(
            f"{path}: not a manifest as mien writes it, {', '.join(other)} of another type; run the study again"
        )
    return manifest


def own_columns(manifest: pl.DataFrame) -> dict[str, str]:
    """Name of a column in the user's table → column of the manifest."""
    return {name.removeprefix(OWN): name for name in manifest.columns if name.startswith(OWN)}


def vote_columns(manifest: pl.DataFrame) -> dict[str, str]:
    """Class → column of the manifest with its votes."""
    return {name.removeprefix(VOTES): name for name in manifest.columns if name.startswith(VOTES)}


def rater_columns(manifest: pl.DataFrame) -> dict[str, str]:
    """Name of a rater → column of the manifest with what that rater said."""
    return {name.removeprefix(RATERS): name for name in manifest.columns if name.startswith(RATERS)}


def usable(manifest: pl.DataFrame) -> pl.DataFrame:
    """The rows whose image could be read; the table itself where all could, since a copy of a large one takes room."""
    is_ok = manifest.select(pl.col("status") == "ok").to_series()
    return manifest if is_ok.all(ignore_nulls=False) else manifest.filter(is_ok)
