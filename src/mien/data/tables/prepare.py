"""Collections → one manifest with groups, and their pixels on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from mien.data.grouping.duplicates import assign_groups
from mien.data.measuring.faces import FaceDetector
from mien.data.reading.intake import take_in
from mien.data.reading.pixels import Pixels, PixelWriter, pixels_are_whole
from mien.data.reading.preprocess import View
from mien.data.sources.collection import Collection
from mien.data.tables.corrections import Corrections, apply_corrections
from mien.data.tables.manifest import read_manifest, usable, write_manifest
from mien.data.tables.streamed import Streamed, note_streamed, sets_of_study
from mien.data.tables.unchanged import refuse_changed
from mien.errors import SourceError
from mien.progress import Progress

__all__ = ["Prepared", "further_view", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Photos that were read once.

    Attributes:
        manifest: every file of every collection.
        pixels: the views asked for, and fingerprints.
    """

    manifest: pl.DataFrame
    pixels: Pixels

    def of(self, collection: Collection) -> pl.DataFrame:
        """The rows of one collection."""
        return self.manifest.filter(pl.col("source").is_in(collection.names))


def prepare(
    collections: Sequence[Collection],
    views: Sequence[View],
    folder: Path | None,
    *,
    corrections: Corrections | None = None,
    find_faces: bool = True,
    keep_views: bool = True,
    progress: Progress,
) -> Prepared:
    """Read all files once, and group copies over all collections.

    What stands in the folder from an earlier call with the same collections and views is used again.

    Args:
        views: what to keep of each photo.
        keep_views: without, only fingerprints are kept, and views are made of the photos whenever they are asked for;
            the folder must be a study's then. Views that an earlier call kept are used all the same.
        folder: gets ``manifest.parquet`` and ``pixels/``; None keeps nothing, and the pixels have no name anywhere.
        corrections: of the first collection.
        find_faces: without, every photo is taken to show none.

    Raises:
        SourceError: if a collection, or a class of one, holds no image that can be read; if the photos are not those
            that the folder's manifest was made of.
        OutputError: if that manifest is damaged, or the disk is full.
    """
    distinct = sorted({view.key: view for view in views}.values(), key=lambda v: v.key)
    kept, streamed = (distinct, None) if keep_views else ([], distinct)
    if folder and (folder / "manifest.parquet").exists():
        manifest, pixels = read_manifest(folder / "manifest.parquet"), folder / "pixels"
        refuse_changed(collections, manifest, progress)
        if pixels_are_whole(pixels, distinct, len(manifest)):
            return Prepared(manifest, Pixels(pixels))
        if keep_views or not pixels_are_whole(pixels, [], len(manifest)):
            _read_again(collections, kept, pixels, find_faces=find_faces, progress=progress)
        return _of_folder(collections, manifest, folder, streamed)
    for line in dict.fromkeys(note for collection in collections for note in collection.notes):
        progress.tell(line)
    if folder:
        shutil.rmtree(folder / "pixels", ignore_errors=True)  # of a reading that was interrupted
    detector = FaceDetector() if find_faces else None
    tables, written = _read_all(collections, kept, folder, corrections, detector, progress)
    with progress.step("find copies", None, "pictures"):
        manifest = assign_groups(pl.concat(tables, how="diagonal"), written)
    if folder is None:
        return Prepared(manifest, written)
    write_manifest(manifest, folder / "manifest.parquet")
    return _of_folder(collections, manifest, folder, streamed)


def _read_all(
    collections: Sequence[Collection],
    views: Sequence[View],
    folder: Path | None,
    corrections: Corrections | None,
    detector: FaceDetector | None,
    progress: Progress,
) -> tuple[list[pl.DataFrame], Pixels]:
    """Read all files: a table for each collection, and what was kept of the pixels."""
    tables: list[pl.DataFrame] = []
    n_files = sum(len(source.files) for collection in collections for source in collection.sources)
    with PixelWriter(folder / "pixels" if folder else None, views, n_files) as writer:
        for number, collection in enumerate(collections):
            read: list[pl.DataFrame] = []
            for source in collection.sources:
                first_row = sum(len(table) for table in [*tables, *read])
                with progress.step(f"read {source.name}", len(source.files), "files") as advance:
                    read.append(take_in(source, views, writer, detector, first_row=first_row, advance=advance))
            table = pl.concat(read, how="diagonal")
            if corrections is not None and number == 0:
                table = apply_corrections(table, corrections)
            _check_readable(collection, table, corrections if number == 0 else None)
            tables.append(table)
    return tables, writer.pixels


def _of_folder(
    collections: Sequence[Collection], manifest: pl.DataFrame, folder: Path, streamed: Sequence[View] | None
) -> Prepared:
    """Photos whose pixels stand in a folder, or, but for their fingerprints, are made of the photos.

    Args:
        streamed: the views that are made; None where they are kept.
    """
    pixels = folder / "pixels"
    if streamed is None:
        return Prepared(manifest, Pixels(pixels))
    note_streamed(streamed, pixels)
    return Prepared(manifest, Pixels(Streamed(pixels, manifest, partial(sets_of_study, folder), collections)))


def further_view(
    collections: Sequence[Collection], prepared: Prepared, view: View, folder: Path, *, progress: Progress
) -> Pixels:
    """Pixels of a view that was not kept when photos were prepared: the same files, read the same way.

    Args:
        collections: all that were prepared, in their order.
        folder: gets the pixels; what lies there from an earlier call is used again.

    Raises:
        SourceError: if the photos are not those that were prepared.
        OutputError: if the disk is full.
    """
    if not pixels_are_whole(folder, [view], len(prepared.manifest)):
        refuse_changed(collections, prepared.manifest, progress)
        _read_again(collections, [view], folder, find_faces=True, progress=progress)
    return Pixels(folder)


def _read_again(
    collections: Sequence[Collection], views: Sequence[View], pixels: Path, *, find_faces: bool, progress: Progress
) -> None:
    """Decode photos once more, whose pixels are damaged or gone; what is known of them stays as it is."""
    shutil.rmtree(pixels, ignore_errors=True)
    sources = [source for collection in collections for source in collection.sources]
    detector, first_row = FaceDetector() if find_faces else None, 0
    with PixelWriter(pixels, views, sum(len(source.files) for source in sources)) as writer:
        for source in sources:
            with progress.step(f"read {source.name} again", len(source.files), "files") as advance:
                take_in(source, views, writer, detector, first_row=first_row, advance=advance)
            first_row += len(source.files)


def _check_readable(collection: Collection, table: pl.DataFrame, corrections: Corrections | None) -> None:
    images = usable(table)
    if images.is_empty():
        reasons = table.filter(pl.col("status") == "unreadable").select("path", "reason").rows()
        first = f"; the first: {reasons[0][0]}: {reasons[0][1]}" if reasons else ""
        raise SourceError(f"{collection.spec}: none of its {len(table)} files can be read as an image{first}")
    for label in collection.labels:
        if images.filter(pl.col("label") == label).is_empty():
            mend = f"change the corrections in {corrections.file}" if corrections else "repair its files"
            tried = table.filter((pl.col("label") == label) & (pl.col("status") == "unreadable"))["reason"]
            why = f" ({len(tried)} tried; {tried[0]})" if len(tried) else ""
            raise SourceError(
                f"{collection.spec}: class {label!r} has no image that can be used{why}; {mend} or remove the folder"
            )
