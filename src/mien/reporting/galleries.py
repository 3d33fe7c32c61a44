"""Which photos the report shows, and what is said below each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from mien.data.face_audit import face_flags
from mien.data.manifest import usable
from mien.data.pixels import Pixels
from mien.reporting.numerals import count, percent, score
from mien.reporting.photos import Album, Photo

__all__ = ["Exhibit", "Group", "galleries"]

SAMPLE = 16
MOST_CONFLICTS = 24
MOST_DRAWN = 12
MOST_GROUPS, MOST_COPIES = 6, 4
"""Groups of copies or of one shoot that are shown, and photos of each."""
MOST_FLAGGED = 4
MOST_DOUBTS = 24

FLAGGED = {
    "no_face": "No face found",
    "tiny_face": "Tiny face",
    "cut_face": "Cut off by the frame",
    "blurred_face": "Blurred face",
}
"""Flags that are shown by examples → heading."""
WORST_FIRST = {
    "no_face": pl.col("row"),
    "tiny_face": pl.col("face_side"),
    "cut_face": -pl.col("face_cut"),
    "blurred_face": pl.col("face_focus"),
}


@dataclass(frozen=True)
class Exhibit:
    """A photo and what is said of it, in a few words; empty for nothing."""

    photo: Photo
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Photos to be seen side by side, and how many more there are."""

    exhibits: tuple[Exhibit, ...]
    more: int


def galleries(results: Mapping[str, Any], manifest: pl.DataFrame, pixels: Pixels) -> dict[str, Any]:
    """The photos of every gallery.

    Args:
        manifest: every file of the data and of the target.
        pixels: the decoded photos of the study.
    """
    view, face_view = pixels.largest("photo"), pixels.largest("face")
    assert view is not None  # a study keeps the photos themselves for the report
    album = Album(manifest, pixels, view)
    faces = Album(manifest, pixels, face_view) if face_view else album
    data = usable(manifest).filter(pl.col("source").is_in(results["data"]["names"]))
    flags = face_flags(data)
    target = results.get("target", {})
    return {
        "sample": album.photos(_sample(data, results["config"]["randomness"]["seed"])),
        "conflicts": _conflicts(data, album),
        "drawn": _drawn(data.filter(flags["drawn"]), album),
        "perhaps_drawn": _drawn(data.filter(flags["perhaps_drawn"]), album),
        "copies": _copies(data, album),
        "series": _series(data, album),
        "faces": {name: _flagged(data.filter(flags[name]), name, (album, faces)) for name in FLAGGED},
        "doubts": _doubts(results["data"]["doubtful_labels"], album),
        "test": _mistakes(results["mistakes"], album),
        "target": _mistakes(target.get("mistakes", []), album),
    }


def _mistakes(mistakes: Sequence[Mapping[str, Any]], album: Album) -> list[Photo]:
    """In the order of the results, with what each rests on where that was asked for."""
    return album.photos([each["row"] for each in mistakes], [each.get("rests_on") for each in mistakes])


def _sample(data: pl.DataFrame, seed: int) -> list[int]:
    """Up to sixteen photos drawn at random, the classes in turn."""
    rng = np.random.default_rng(seed)
    rows = data.sort("label", "row")
    decks = [rng.permutation(part["row"].to_numpy()) for part in rows.partition_by("label", maintain_order=True)]
    depth = max((len(deck) for deck in decks), default=0)
    drawn = [int(deck[i]) for i in range(min(depth, SAMPLE)) for deck in decks if i < len(deck)]
    return drawn[:SAMPLE]


def _conflicts(data: pl.DataFrame, album: Album) -> list[Group]:
    """The copies of each picture that stands under several labels, one of each label first."""
    labelled = data.filter(pl.col("label").is_not_null())
    mixed = labelled.filter(pl.col("label").n_unique().over("near_group") > 1)
    groups = []
    for part in mixed.partition_by("near_group", maintain_order=True)[:MOST_CONFLICTS]:
        turns = part.sort(pl.int_range(pl.len()).over("label"), "label", maintain_order=True)
        shown = turns["row"].head(max(MOST_COPIES, turns["label"].n_unique())).to_list()
        groups.append(Group(tuple(_exhibits(album, shown, [""] * len(shown))), len(turns) - len(shown)))
    return groups


def _drawn(drawn: pl.DataFrame, album: Album) -> list[Exhibit]:
    """The surest first, with the probability of a drawing."""
    rows = drawn.sort("drawn", "path", descending=[True, False]).head(MOST_DRAWN)
    return _exhibits(album, rows["row"].to_list(), [score(p) for p in rows["drawn"]])


def _copies(data: pl.DataFrame, album: Album) -> list[Group]:
    """Copies that are not the same file, those in several given splits first; what has several labels stands above."""
    distinct = data.unique("exact_group", keep="first", maintain_order=True)
    agree, several = pl.col("label").n_unique().over("near_group") == 1, pl.len().over("near_group") > 1
    is_across = pl.col("given_split").drop_nulls().n_unique().over("near_group") > 1
    shown = distinct.filter(agree & several).sort(~is_across, "near_group", "row")
    return _groups(shown.partition_by("near_group", maintain_order=True), album)


def _series(data: pl.DataFrame, album: Album) -> list[Group]:
    """Photos of one shoot, perhaps; one for each picture."""
    pictures = data.unique("near_group", keep="first", maintain_order=True)
    several = pictures.filter(pl.len().over("series") > 1).sort("series", "row")
    return _groups(several.partition_by("series", maintain_order=True), album)


def _groups(parts: Sequence[pl.DataFrame], album: Album) -> list[Group]:
    groups = []
    for part in parts[:MOST_GROUPS]:
        shown = part.head(MOST_COPIES)
        notes = [_file(row) for row in shown.iter_rows(named=True)]
        groups.append(Group(tuple(_exhibits(album, shown["row"].to_list(), notes)), len(part) - len(shown)))
    return groups


def _file(row: Mapping[str, Any]) -> str:
    """What tells copies apart: size, format and, where the data came with one, the split."""
    given = f", {row['given_split']}" if row["given_split"] else ""
    return f"{count(row['width'])} × {count(row['height'])} {row['format']}{given}"


def _flagged(flagged: pl.DataFrame, name: str, albums: tuple[Album, Album]) -> list[Exhibit]:
    """The worst ones; blur is judged by the face, all else by the whole photo."""
    whole, faces = albums
    rows = flagged.sort(WORST_FIRST[name], "row").head(MOST_FLAGGED)
    notes = {
        "tiny_face": [f"{count(side)} px" for side in rows["face_side"]],
        "cut_face": [f"{percent(share)} outside" for share in rows["face_cut"]],
    }.get(name, [""] * len(rows))
    return _exhibits(faces if name == "blurred_face" else whole, rows["row"].to_list(), notes)


def _doubts(doubtful: Mapping[str, Any], album: Album) -> list[Exhibit]:
    """In the order of the results, the most doubtful first."""
    entries = doubtful.get("list", [])[:MOST_DOUBTS]
    return _exhibits(album, [entry["row"] for entry in entries], [percent(e["label_quality"]) for e in entries])


def _exhibits(album: Album, rows: Sequence[int], notes: Sequence[str]) -> list[Exhibit]:
    return [Exhibit(photo, note) for photo, note in zip(album.photos(rows), notes, strict=True)]
