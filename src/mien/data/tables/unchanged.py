"""Whether the photos of a study that is resumed are those it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from mien.data.reading.read_ahead import read_ahead
from mien.data.sources import Source, SourceFile
from mien.data.sources.collection import Collection
from mien.data.tables.manifest import vote_columns
from mien.errors import SourceError
from mien.progress import Progress
from mien.system.paths import shown

__all__ = ["not_as_before", "refuse_changed"]

MOST_NAMED = 3


def refuse_changed(collections: Sequence[Collection], manifest: pl.DataFrame, progress: Progress) -> None:
    """Refuse photos that were changed, removed, added, labelled or voted on otherwise since the manifest was made.

    Raises:
        SourceError: that names the first of each kind.
    """
    known: dict[str, str | None] = dict(manifest.select("id", "sha256").iter_rows())
    labels = dict(manifest.select("id", pl.coalesce("given_label", "label")).iter_rows())
    sources = [source for collection in collections for source in collection.sources]
    ids = {f"{source.name}/{file.path}" for source in sources for file in source.files}
    changed: list[str] = []
    relabelled: list[str] = []
    with progress.step("check photos", len(ids), "files") as advance:
        for source in sources:
            for file, sha256 in _hashes(source):
                name = f"{source.name}/{file.path}"
                if name in known and known[name] != sha256:
                    changed.append(name)
                if name in known and file.ignored is None and file.label != labels[name]:
                    relabelled.append(name)
                advance(1)
    kinds = {
        "changed": changed,
        "labelled otherwise": relabelled,
        "voted on otherwise": [each for source in sources for each in _voted_otherwise(source, manifest)],
        "removed": [each for each in known if each not in ids],
    }
    kinds["added"] = [each for each in ids if each not in known]
    if any(kinds.values()):
        raise not_as_before(kinds)


def not_as_before(kinds: Mapping[str, Sequence[str]]) -> SourceError:
    """What is said of photos that are others than those that were read.

    Args:
        kinds: what happened to photos → their names.
    """
    told = [f"{what}: {_named(sorted(names))}" for what, names in kinds.items() if names]
    return SourceError(
        f"photos are not as they were when this began ({'; '.join(told)}); put them back, or give another --out"
    )


def _voted_otherwise(source: Source, manifest: pl.DataFrame) -> list[str]:
    """Files of which raters said otherwise, by the votes for each class."""
    before = manifest.filter(pl.col("source") == source.name)
    now = pl.DataFrame({"id": [f"{source.name}/{file.path}" for file in source.files]})
    now = now if source.own is None else now.hstack(source.own)
    votes = sorted({*vote_columns(before).values(), *vote_columns(now).values()})
    if not votes:
        return []
    both = _votes(now, votes).join(_votes(before, votes), on="id", suffix=" before")
    return both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"{name} before") for name in votes))["id"].to_list()


def _votes(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The id and the votes of rows; 0 where there are none."""
    told = [pl.col(name) if name in rows.columns else pl.lit(0.0).alias(name) for name in columns]
    return rows.select("id", *(each.cast(pl.Float64).fill_null(0.0) for each in told))


def _hashes(source: Source) -> Iterator[tuple[SourceFile, str | None]]:
    """Each file with the hash of its bytes; None where they take no part or are not to be had."""

    def work(files: Sequence[SourceFile]) -> list[tuple[SourceFile, str | None]]:
        return [(file, _hash(source, file)) for file in files]

    return read_ahead(work, source.files, lambda result: False, at_once=8)


def _hash(source: Source, file: SourceFile) -> str | None:
    if file.ignored is not None:
        return None
    try:
        return hashlib.sha256(source.read(file)).hexdigest()
    except OSError:
        return None


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(map(shown, names[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
