"""What the photos of a collection have in common: their pictures, kinds of files, names and light."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.measuring.fingerprints import picture_hashes
from mien.data.reading.pixels import Pixels
from mien.data.tables.traits import CollectionTraits, FileKind
from mien.labels import is_expression

__all__ = ["LOOKS", "Named", "kinds_of", "named", "names_of", "picture_hashes_of", "traits_of"]

MIN_CONTRAST = 0.02
"""Flatter pictures are alike whatever they show."""
MOST_PICTURES = 4096
"""Hashes of pictures that are kept: the smallest, so that it is known which of other photos would be among them."""
MOST_KINDS, LEAST_KIND = 5, 0.05
MOST_NAMES, LEAST_NAME = 10, 0.02
"""How many kinds of files and patterns of names are kept, and the share of the photos that each must have."""
LOOKS = ("brightness", "contrast", "sharpness")
"""Columns of the manifest whose deciles are kept."""
HASH_LENGTH = 12
LEAST_LETTERS = 3
"""Letters, beside words for expressions and for photos, of a pattern that hardly any other collection has."""
USUAL_WORDS = frozenset(
    (
        *("dsc", "dscf", "dscn", "face", "faces", "file", "frame", "frames", "im", "image", "images", "img", "imgs"),
        *("pic", "picture", "pictures", "photo", "photos", "pxl", "sample", "scan", "screenshot"),
    )
)


@dataclass(frozen=True)
class Named:
    """The pattern of a file's name.

    Attributes:
        pattern: truncated hash.
        is_telling: whether hardly any other collection would name its files so.
    """

    pattern: str
    is_telling: bool


def traits_of(
    name: str, rows: pl.DataFrame, pixels: Pixels, most_pictures: int | None = MOST_PICTURES
) -> CollectionTraits:
    """The traits of a collection.

    Args:
        rows: usable rows of its manifest, one or more.
        pixels: hold the fingerprint of each row.
        most_pictures: hashes to keep; None keeps all.
    """
    pictures = sorted({each for each in picture_hashes_of(rows, pixels) if each})
    kinds = Counter(kinds_of(rows))
    names = Counter(each.pattern for each in names_of(rows) if each.is_telling)
    n = len(rows)
    frequent = [(kind, times / n) for kind, times in kinds.most_common(MOST_KINDS) if times >= LEAST_KIND * n]
    return CollectionTraits(
        name=name,
        photos=n,
        pictures=frozenset(pictures[:most_pictures]),
        is_sample=most_pictures is not None and len(pictures) > most_pictures,
        kinds=tuple(FileKind(*kind, share) for kind, share in frequent),
        names={each: times / n for each, times in names.most_common(MOST_NAMES) if times >= LEAST_NAME * n},
        look={column: _deciles(rows[column].drop_nulls().to_numpy()) for column in LOOKS if rows[column].count()},
    )


def picture_hashes_of(rows: pl.DataFrame, pixels: Pixels) -> list[str]:
    """Truncated hash of each picture; an empty text for a flat one, which says nothing."""
    found = list[str]()
    for some in rows.iter_slices(4096):
        hashes = picture_hashes(pixels.fingerprints(some["row"].to_numpy()))
        is_flat = (some["contrast"] < MIN_CONTRAST).fill_null(value=True)
        found += ["" if flat else each[:HASH_LENGTH] for each, flat in zip(hashes, is_flat, strict=True)]
    return found


def kinds_of(rows: pl.DataFrame) -> list[tuple[int, int, bool]]:
    """Width, height, and whether it is grey, of each photo."""
    return list(rows.select("width", "height", "is_grey").iter_rows())


def names_of(rows: pl.DataFrame) -> list[Named]:
    """The pattern of each file's name: numbers and words for expressions may differ."""
    return [named(PurePosixPath(path).stem) for path in rows["path"]]


def named(stem: str) -> Named:
    """The pattern of one name, without its ending."""
    parts = re.findall(r"[^\W\d_]+|\d+|[\W_]", stem.lower())
    parts = ["#" if part.isdigit() else "@" if is_expression(part) else part for part in parts]
    letters = sum(len(part) for part in parts if part.isalpha() and part not in USUAL_WORDS)
    digest = hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return Named(digest[:HASH_LENGTH], letters >= LEAST_LETTERS)


def _deciles(values: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(round(float(each), 6) for each in np.quantile(values, np.arange(1, 10) / 10))
