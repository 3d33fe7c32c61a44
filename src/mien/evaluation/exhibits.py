"""Which photos a report shows, and what is said below each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mien.data.measuring.face_audit import face_flags
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import usable
from mien.evaluation.thumbnails import Album
from mien.results.audit import DoubtfulLabels, ExaminedAudit
from mien.results.behaviour import Mistake
from mien.results.exhibits import Exhibit, ExhibitGroup, Exhibits, Thumbnail

__all__ = ["exhibits"]

SAMPLE = 16
MOST_CONFLICTS = 24
MOST_DRAWN = 12
MOST_GROUPS, MOST_COPIES = 6, 4
"""Groups of copies or of one shoot that are shown, and photos of each."""
MOST_FLAGGED = 4
MOST_DOUBTS = 24

FLAGGED = {
    "no_face": pl.col("row"),
    "tiny_face": pl.col("face_side"),
    "cut_face": -pl.col("face_cut"),
    "blurred_face": pl.col("face_focus"),
}
"""Flags that are shown by examples → what the worst have least of."""


def exhibits(
    data: ExaminedAudit,
    mistakes: Sequence[Mistake],
    target_mistakes: Sequence[Mistake],
    manifest: pl.DataFrame,
    pixels: Pixels,
    *,
    seed: int,
) -> Exhibits:
    """The photos of every gallery.

    Args:
        manifest: every file of the data and of the target.
        pixels: the decoded photos of the study.
        seed: of the sample.
    """
    view, face_view = pixels.largest("photo"), pixels.largest("face")
    if view is None:
        raise ValueError("whole photos were not decoded, so none can be shown")
    album = Album(manifest, pixels, view)
    faces = Album(manifest, pixels, face_view) if face_view else album
    rows = usable(manifest).filter(pl.col("source").is_in(data.names))
    flags = face_flags(rows)
    return Exhibits(
        sample=album.photos(_sample(rows, seed)),
        conflicts=_conflicts(rows, album),
        drawn=_drawn(rows.filter(flags["drawn"]), album),
        perhaps_drawn=_drawn(rows.filter(flags["perhaps_drawn"]), album),
        copies=_copies(rows, album),
        series=_series(rows, album),
        faces={name: _flagged(rows.filter(flags[name]), name, (album, faces)) for name in FLAGGED},
        doubts=_doubts(data.doubtful_labels, album),
        test=_mistakes(mistakes, album),
        target=_mistakes(target_mistakes, album),
    )


def _mistakes(mistakes: Sequence[Mistake], album: Album) -> tuple[Thumbnail, ...]:
    """In the order of the results, with what each rests on where that was asked for."""
    return album.photos([each.row for each in mistakes], [each.rests_on for each in mistakes])


def _sample(data: pl.DataFrame, seed: int) -> list[int]:
    """Up to sixteen photos drawn at random, the classes in turn."""
    rng = np.random.default_rng(seed)
    rows = data.sort("label", "row")
    decks = [rng.permutation(part["row"].to_numpy()) for part in rows.partition_by("label", maintain_order=True)]
    depth = max((len(deck) for deck in decks), default=0)
    drawn = [int(deck[i]) for i in range(min(depth, SAMPLE)) for deck in decks if i < len(deck)]
    return drawn[:SAMPLE]


def _conflicts(data: pl.DataFrame, album: Album) -> tuple[ExhibitGroup, ...]:
    """The copies of each picture that stands under several labels, one of each label first."""
    labelled = data.filter(pl.col("label").is_not_null())
    mixed = labelled.filter(pl.col("label").n_unique().over("near_group") > 1)
    groups = []
    for part in mixed.partition_by("near_group", maintain_order=True)[:MOST_CONFLICTS]:
        turns = part.sort(pl.int_range(pl.len()).over("label"), "label", maintain_order=True)
        shown = turns["row"].head(max(MOST_COPIES, turns["label"].n_unique())).to_list()
        exhibits = _exhibits(album, shown, [""] * len(shown))
        groups.append(ExhibitGroup(exhibits=exhibits, more=len(turns) - len(shown)))
    return tuple(groups)


def _drawn(drawn: pl.DataFrame, album: Album) -> tuple[Exhibit, ...]:
    """The surest first, with the probability of a drawing."""
    rows = drawn.sort("drawn", "path", descending=[True, False]).head(MOST_DRAWN)
    return _exhibits(album, rows["row"].to_list(), [f"{p:.2f}" for p in rows["drawn"]])


def _copies(data: pl.DataFrame, album: Album) -> tuple[ExhibitGroup, ...]:
    """Copies that are not the same file, those in several given splits first; what has several labels stands above."""
    distinct = data.unique("exact_group", keep="first", maintain_order=True)
    agree, several = pl.col("label").n_unique().over("near_group") == 1, pl.len().over("near_group") > 1
    is_across = pl.col("given_split").drop_nulls().n_unique().over("near_group") > 1
    shown = distinct.filter(agree & several).sort(~is_across, "near_group", "row")
    return _groups(shown.partition_by("near_group", maintain_order=True), album)


def _series(data: pl.DataFrame, album: Album) -> tuple[ExhibitGroup, ...]:
    """Photos of one shoot, perhaps; one for each picture."""
    pictures = data.unique("near_group", keep="first", maintain_order=True)
    several = pictures.filter(pl.len().over("series") > 1).sort("series", "row")
    return _groups(several.partition_by("series", maintain_order=True), album)


def _groups(parts: Sequence[pl.DataFrame], album: Album) -> tuple[ExhibitGroup, ...]:
    groups = []
    for part in parts[:MOST_GROUPS]:
        shown = part.head(MOST_COPIES)
        notes = [_file(row) for row in shown.iter_rows(named=True)]
        exhibits = _exhibits(album, shown["row"].to_list(), notes)
        groups.append(ExhibitGroup(exhibits=exhibits, more=len(part) - len(shown)))
    return tuple(groups)


def _file(row: Mapping[str, Any]) -> str:  # type: ignore[explicit-any]  # a row of Polars
    """What tells copies apart: size, format and, where the data came with one, the split."""
    given = f", {row['given_split']}" if row["given_split"] else ""
    return f"{row['width']:,} × {row['height']:,} {row['format']}{given}"


def _flagged(flagged: pl.DataFrame, name: str, albums: tuple[Album, Album]) -> tuple[Exhibit, ...]:
    """The worst ones; blur is judged by the face, all else by the whole photo."""
    whole, faces = albums
    rows = flagged.sort(FLAGGED[name], "row").head(MOST_FLAGGED)
    notes = [_how_far(name, row) for row in rows.iter_rows(named=True)]
    return _exhibits(faces if name == "blurred_face" else whole, rows["row"].to_list(), notes)


def _how_far(name: str, row: Mapping[str, Any]) -> str:  # type: ignore[explicit-any]  # a row of Polars
    """How far a flag applies, where a number tells it."""
    if name == "tiny_face":
        return f"{row['face_side']:,.0f} px"
    return f"{_percent(row['face_cut'])} outside" if name == "cut_face" else ""


def _doubts(doubtful: DoubtfulLabels, album: Album) -> tuple[Exhibit, ...]:
    """In the order of the results, the most doubtful first."""
    entries = doubtful.list[:MOST_DOUBTS]
    return _exhibits(album, [entry.row for entry in entries], [_percent(entry.label_quality) for entry in entries])


def _exhibits(album: Album, rows: Sequence[int], notes: Sequence[str]) -> tuple[Exhibit, ...]:
    return tuple(Exhibit(photo=photo, note=note) for photo, note in zip(album.photos(rows), notes, strict=True))


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
