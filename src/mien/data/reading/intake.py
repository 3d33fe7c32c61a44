"""Read every file of a source once: its properties, hashes, faces, and the pixels of the views wanted.

Files are read side by side in threads (decoding and detection release Python's lock), with a bounded number under way.
Small ones are inspected many at once without, and many thousands of them in processes of their own, since threads would
wait for the lock more than they work. A cluster does it all: each machine reads files by their paths, and is given the
bytes of what is taken out of something else or lies in a store. Results are taken in file order, so memory is flat and
a second pass gives the same table.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import polars as pl

from mien.cluster.executor import can_be_sent, no_such_path
from mien.data.measuring.faces import FaceDetector
from mien.data.measuring.inspection import Content, Inspected, inspect, inspect_apart
from mien.data.reading.pixels import PixelWriter
from mien.data.reading.preprocess import View
from mien.data.reading.processes import NoProcessesError, has_cluster, processes, spread
from mien.data.reading.read_ahead import SAMPLE, TOGETHER, in_order, read_ahead, side_by_side
from mien.data.sources import Source, SourceFile
from mien.data.tables.manifest import SCHEMA

__all__ = ["inspect_files", "inspect_together", "take_in"]

SMALL_FILE = 8192
"""Bytes below which a file is small."""
AT_ONCE, MOST_AT_ONCE = 8, 32
"""Files that a thread inspects in one go, so that it waits less often for Python's lock; at most so many of a large set
where neither faces nor views are wanted, since then little is kept of each."""
MANY = 10_000
"""Small files from which on processes pay, which take a second to start."""
MOST_PROCESSES = 8
CHUNK = 1000
"""Rows that are kept as Python objects before they become part of the table, which is ten times smaller."""


def take_in(
    source: Source,
    views: Sequence[View],
    writer: PixelWriter,
    detector: FaceDetector | None,
    *,
    first_row: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> pl.DataFrame:
    """Inspect every file, and write its views and its fingerprint.

    Args:
        detector: finds faces; with None, none are looked for.
        first_row: row of the source's first file in the pixel arrays.
        advance: called with the number of files done since the last call.

    Returns:
        One row per file, in the order of ``source.files``, with every column of the manifest's schema;
        groups and splits are still null; then the user's own columns and votes.
    """
    parts, rows = list[pl.DataFrame](), []
    for i, inspected in enumerate(inspect_files(source, source.files, views, detector)):
        rows.append(inspected.row | {"row": first_row + i})
        if inspected.fingerprint is not None:
            main = inspected.finding.main if inspected.finding else None
            writer.put(first_row + i, inspected.views, inspected.fingerprint, main.box if main else None)
        if len(rows) == CHUNK or i + 1 == len(source.files):
            parts.append(_table(rows))
            rows = []
        advance(1)
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    table = pl.concat(parts, how="diagonal")
    nulls = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in table.columns]
    table = table.with_columns(nulls).select(*SCHEMA)
    return table if source.own is None else table.hstack(source.own)


def _table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What is known of some files: of many files, columns of nulls would take a third of the memory."""
    columns = {name: [row.get(name) for row in rows] for name in SCHEMA}
    known = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return pl.DataFrame(known, schema={name: SCHEMA[name] for name in known})


def inspect_files(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> Iterator[Inspected]:
    """Inspect files, yielding in their order."""
    if has_cluster():
        return _on_cluster(source, files, views, finds_faces=detector is not None)
    if len(files) >= MANY and _cores() > 1 and all(_is_small(_read(source, file)) for file in files[:SAMPLE]):
        return _apart_if_possible(source, files, views, detector)
    return _in_threads(source, files, views, detector)


def _apart_if_possible(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> Iterator[Inspected]:
    """Inspect files in processes, or in threads where no process can be started."""
    try:
        contents = (_read(source, file) for file in files)
        yield from _in_processes(contents, views, finds_faces=detector is not None)
    except NoProcessesError:  # which comes before the first result
        yield from _in_threads(source, files, views, detector)


def _on_cluster(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], *, finds_faces: bool
) -> Iterator[Inspected]:
    """Inspect files on the machines of a cluster, which read them by their paths where that can be."""
    if not can_be_sent(source.read):
        work = partial(inspect_apart, views=views, finds_faces=finds_faces)
        for some in spread(work, _chunks(_contents(source, files), most=AT_ONCE), threads=1):
            yield from some
        return
    small = all(_is_small(_read(source, file)) for file in files[:SAMPLE])
    lean = dataclasses.replace(source, files=(), notes=(), own=None, opened=None)
    rest, needs = iter(files), [source.folder] if source.folder else []
    work_there = partial(_inspect_there, lean, views, finds_faces)
    chunks = iter(lambda: list(islice(rest, TOGETHER if small else AT_ONCE)), [])
    read = iter(files)
    for node, there in spread(work_there, chunks, threads=1, needs=needs):
        for inspected in there:
            file = next(read)
            yield _unread_here(source, file, node) if _is_unread(inspected) else inspected


def _inspect_there(
    source: Source, views: Sequence[View], finds_faces: bool, files: Sequence[SourceFile]
) -> tuple[str, list[Inspected]]:
    """Read and inspect files on the machine of a cluster that this is; with its name."""
    return platform.node(), inspect_apart([_read(source, file) for file in files], views, finds_faces)


def _is_unread(inspected: Inspected) -> bool:
    return inspected.row.get("status") == "unreadable" and "sha256" not in inspected.row


def _unread_here(source: Source, file: SourceFile, node: str) -> Inspected:
    """What is said of a file that a machine of the cluster could not read: the same, if it cannot be read here.

    Raises:
        ClusterError: if it can.
    """
    row, content = _read(source, file)
    if content is not None:
        no_such_path(node, str(source.folder / file.path if source.folder else file.path))
    return Inspected(row)


def _in_threads(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> Iterator[Inspected]:
    def work(some: Sequence[SourceFile]) -> list[Inspected]:
        return inspect_together(source, some, views, detector)

    # Of a large set as many as leave every core enough chunks for all to end together.
    share = AT_ONCE if views or detector else len(files) // (8 * _cores())
    at_once = min(MOST_AT_ONCE, max(AT_ONCE, share))

    def is_small(inspected: Inspected) -> bool:  # those of a store are waited for, however small
        return source.store is None and inspected.row.get("bytes", 0) < SMALL_FILE

    return read_ahead(work, files, is_small, at_once=at_once)


def _cores() -> int:
    return min(MOST_PROCESSES, os.cpu_count() or 1)


def _is_small(content: Content) -> bool:
    return len(content[1] or b"") < SMALL_FILE


def _in_processes(contents: Iterable[Content], views: Sequence[View], *, finds_faces: bool) -> Iterator[Inspected]:
    work = partial(inspect_apart, views=views, finds_faces=finds_faces)
    with processes(_cores(), "Run this again with less beside it") as pool:
        for some in in_order(pool, work, _chunks(contents), 4 * _cores()):
            yield from some


def _chunks(contents: Iterable[Content], *, most: int = TOGETHER) -> Iterator[list[Content]]:
    """Files for one process at a time: many small ones, but few where larger ones stand among them."""
    some, size = list[Content](), 0
    for content in contents:
        some.append(content)
        size += len(content[1] or b"")
        if len(some) >= most or size >= TOGETHER * SMALL_FILE:
            yield some
            some, size = [], 0
    if some:
        yield some


def inspect_together(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> list[Inspected]:
    """Read and inspect files, one row each."""
    return inspect((_read(source, file) for file in files), views, detector)


def _contents(source: Source, files: Sequence[SourceFile]) -> Iterator[Content]:
    """Files as they are read here: those of a store side by side, for each is waited for."""
    if source.store is None:
        return (_read(source, file) for file in files)
    return side_by_side(lambda some: [_read(source, file) for file in some], files)


def _read(source: Source, file: SourceFile) -> Content:
    """What is known of a file, and its bytes; None where they are not to be had, for which the row has the reason."""
    row: dict[str, Any] = {
        "id": f"{source.name}/{file.path}",
        "source": source.name,
        "path": file.path,
        "label": file.label,
        "group": file.group,
        "group_kind": source.group_kind if file.group is not None else None,
        "given_split": file.split,
    }
    if file.ignored is not None:
        return row | {"status": "ignored", "reason": file.ignored}, None
    try:
        return row, source.read(file)
    except OSError as error:
        return row | {"status": "unreadable", "reason": error.strerror or str(error)}, None
