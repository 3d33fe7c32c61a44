"""The photos of a review as the page shows them: what was found of each, what lies near it, and small copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from mien.auditing.findings import ranked_findings
from mien.data.reading.preprocess import View
from mien.evaluation.thumbnails import LONGER_SIDE, Album
from mien.reviewing.material import Material
from mien.telling.words.review import suggestion_sentence

__all__ = ["Photo", "PhotoAlbum", "Suggestion"]

LARGE = 448
"""Longer side of the photo that is decided on, px; none is enlarged."""
MOST_NEAR, MOST_COPIES = 4, 6
MOST_KEPT = 8192
"""Small copies that are kept in memory, some 5 kB each."""
ABOUT_LABELS = {"two_labels", "doubtful_label"}
"""Findings for which the probe is asked."""


@dataclass(frozen=True)
class Photo:
    """A photo with a finding.

    Attributes:
        row: in the manifest.
        label: its class in the source.
        findings: the keys of ``words.review.FINDINGS``.
        details: of the findings, as the table of the audit has them.
        copies: rows of the same picture.
        has_face: whether a face was found, so that there is a cut-out of it.
        has_suggestion: whether the probe was asked about its label.
    """

    row: int
    source: str
    path: str
    sha256: str
    label: str
    findings: tuple[str, ...]
    details: str
    copies: tuple[int, ...]
    has_face: bool
    has_suggestion: bool


@dataclass(frozen=True)
class Suggestion:
    """What the probe says of a label.

    Attributes:
        label: the class it finds likeliest.
        told: that in a sentence.
        near: rows of the nearest photos of that class; none where it agrees.
    """

    label: str
    told: str
    near: tuple[int, ...]


class PhotoAlbum:
    """What was found, the worst first, and what to show beside it."""

    def __init__(self, material: Material) -> None:
        """Order the findings of an audit."""
        self._material = material
        label = pl.coalesce("given_label", "label").fill_null("")
        table = ranked_findings(material.manifest).with_columns(label.alias("label"))
        groups = dict(material.shown.group_by("near_group").agg("row").iter_rows())
        self.photos = [
            Photo(
                row=row["row"],
                source=row["source"],
                path=row["path"],
                sha256=row["sha256"],
                label=row["label"],
                findings=tuple(row["findings"]),
                details=row["details"],
                copies=tuple(r for r in sorted(groups.get(row["near_group"], ())) if r != row["row"])[:MOST_COPIES],
                has_face=row["face_kind"] == "found",
                has_suggestion=bool(ABOUT_LABELS & set(row["findings"])) and row["suggested_label"] is not None,
            )
            for row in table.iter_rows(named=True)
        ]
        self.classes = sorted({*material.shown["label"], *(photo.label for photo in self.photos if photo.label)})
        shown = material.shown
        self._place = {row: i for i, row in enumerate(shown["row"])}
        self._rows, self._labels = shown["row"].to_numpy(), shown["label"].to_numpy()
        self._paths = shown["source"] + "/" + shown["path"]
        self._near, self._doubtful = shown["near_group"].to_numpy(), shown["is_doubtful"].to_numpy()
        self._judged = {row: (label, q) for row, label, q in self._judgements()}
        self._small: dict[int, str] = {}

    def nearest(self, photo: Photo, label: str) -> tuple[int, ...]:
        """Rows of the photos of a class that look most like a photo, without its copies and doubtful ones."""
        i = self._place.get(photo.row)
        if i is None:
            return ()
        of_class = (self._labels == label) & ~self._doubtful
        others = np.flatnonzero(of_class & (self._near != self._near[i]) & (self._rows != photo.row))
        alike = self._material.looks[others] @ self._material.looks[i]
        best = others[np.argsort(-alike, kind="stable")[: 2 * MOST_NEAR]]
        _, first = np.unique(self._near[best], return_index=True)  # no picture twice
        return tuple(int(row) for row in self._rows[best[np.sort(first)]][:MOST_NEAR])

    def label_of(self, row: int) -> str:
        """The class of a photo that is shown beside another."""
        return str(self._labels[self._place[row]])

    def path_of(self, row: int) -> str:
        """The file of a photo that is shown beside another, with its source."""
        return str(self._paths[self._place[row]])

    def suggestion(self, photo: Photo) -> Suggestion | None:
        """What the probe says of a photo's label; None where it was not asked."""
        if not photo.has_suggestion:
            return None
        label, quality = self._judged[photo.row]
        near = self.nearest(photo, label) if label != photo.label else ()
        return Suggestion(label, suggestion_sentence(label, photo.label, quality), near)

    def _judgements(self) -> Sequence[tuple[int, str, float]]:
        judged = self._material.manifest.filter(pl.col("suggested_label").is_not_null())
        return judged.select("row", "suggested_label", "label_quality").rows()

    def pictures(self, photo: Photo) -> tuple[str, ...]:
        """A photo to decide on as data URIs: all of it, and its face where one was found."""
        views = [self._view("photo", "face"), *([self._view("face", "photo")] if photo.has_face else [])]
        return tuple(self._album(view, LARGE).photos([photo.row])[0].uri for view in views)

    def small(self, rows: Sequence[int]) -> dict[int, str]:
        """Small copies of photos as data URIs, made once."""
        missing = [row for row in rows if row not in self._small]
        made = self._album(self._view("photo", "face"), LONGER_SIDE).photos(missing)
        self._small |= {row: each.uri for row, each in zip(missing, made, strict=True)}
        found = {row: self._small[row] for row in rows}
        if len(self._small) > MOST_KEPT:
            self._small.clear()
        return found

    def _view(self, *names: Literal["photo", "face"]) -> View:
        """The largest view of the first of these names that was kept."""
        view = next(filter(None, map(self._material.pixels.largest, names)), None)
        assert view is not None  # or the material would not have opened
        return view

    def _album(self, view: View, longer_side: int) -> Album:
        return Album(self._material.manifest, self._material.pixels, view, longer_side)
