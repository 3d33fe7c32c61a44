"""What the audit says of the face in each photo: none, several, tiny, cut off, blurred, or drawn.

Flags come from the manifest's columns alone. A photo can bear several, and whether one is a fault depends on the use:
the audit names them and leaves every photo in. The thresholds were set by looking at the faces on both sides of each
among 1,020 stock photos, and at the 35,887 crops of FER2013.

A picture that is already a face crop is one face that nobody searched for: it is never without a face, shared, tiny
or cut off, since being small and tight is what it was made to be. It can be blurred, drawn or blank.
"""

from __future__ import annotations

import polars as pl

from mien.data.measuring.focus import LEAST_FOCUS, LEAST_FOCUS_SMALL, SMALL_SIDE, TINY_SIDE

__all__ = ["FLAGS", "PERHAPS_DRAWN", "SURELY_DRAWN", "face_flags"]

CUT_SHARE = 0.05
"""Share of the face's box outside the picture from which on it is cut off. From there up the frame cut 18 of 20
heads, 12 of them through forehead or chin; from 0.02 to 0.05 mostly through hair."""
SURELY_DRAWN = 0.5
"""Probability from which a picture counts as drawn. Both opinions are scaled to it: of photos left out of the fit and
poorer copies of them, 2 in 1,000 reach it."""
PERHAPS_DRAWN = 0.1
"""Probability from which a picture is perhaps drawn; 1 in 100 of such photos reaches it."""
BLANK_CONTRAST = 0.02
"""Contrast below which a picture shows nothing; nothing else is then said of it."""

FLAGS = ("no_face", "several_faces", "tiny_face", "cut_face", "blurred_face", "drawn", "perhaps_drawn", "blank")


def face_flags(manifest: pl.DataFrame) -> pl.DataFrame:
    """Flags of every usable photo.

    Args:
        manifest: with ``face_cut`` (share of the face's box outside the picture), ``face_focus`` (see ``focus``) and
            ``drawn`` (probability) beside the other columns of the face; each may be null.

    Returns:
        ``id`` and one boolean column for each of ``FLAGS``, never null; one row for each photo with status ``ok``.
    """
    is_blank = pl.col("contrast") < BLANK_CONTRAST
    is_found = pl.col("face_kind") == "found"
    is_tiny = is_found & (pl.col("face_side") < TINY_SIDE)
    least_focus = pl.when(pl.col("face_side") < SMALL_SIDE).then(LEAST_FOCUS_SMALL).otherwise(LEAST_FOCUS)
    drawn = pl.col("drawn")
    flags = {
        "no_face": pl.col("face_kind") == "none",
        "several_faces": is_found & (pl.col("face_count") > 1),
        "tiny_face": is_tiny,
        "cut_face": is_found & (pl.col("face_cut") >= CUT_SHARE),
        "blurred_face": (pl.col("face_kind") != "none") & ~is_tiny & (pl.col("face_focus") < least_focus),
        "drawn": drawn >= SURELY_DRAWN,
        "perhaps_drawn": (drawn >= PERHAPS_DRAWN) & (drawn < SURELY_DRAWN),
    }
    said = [(flag & ~is_blank).fill_null(False).alias(name) for name, flag in flags.items()]
    return manifest.filter(pl.col("status") == "ok").select("id", *said, is_blank.fill_null(False).alias("blank"))
