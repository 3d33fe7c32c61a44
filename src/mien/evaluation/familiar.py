"""Do photos belong to a collection that a model learnt from? Judged by what they are, not by their folder's name.

Three degrees of certainty. Copies of pictures of the collection are **certain**. Files of its size and colour that are
named as its files are, and by themselves or by their light seem to be from it, are **likely**. Size, colour and light
alone, or a name alone, make it **possible**, which nobody is to be warned of as if it were known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.reading.pixels import Pixels
from mien.data.sources.split_words import as_split
from mien.data.tables.observed_traits import LOOKS, Named, kinds_of, names_of, picture_hashes_of
from mien.data.tables.traits import CollectionTraits
from mien.models.artifact import Contract
from mien.models.known_traits import known_traits
from mien.quantiles import binomial_tail
from mien.results.target import CollectionMatch, Counted, Sure

__all__ = ["familiar_collections", "is_known", "known_collections"]

CHANCE, LEVEL = 1e-3, 1e-4
"""Share of unrelated pictures, at most, that a hash takes for another; and how improbable so many such must be."""
MOST = 0.9
"""Share of the files that must be of the collection's kinds, and that these kinds must make up in it."""
HALF = 0.5
"""Share of the files that must be named as the collection's are, and of the pictures that make all of them its own."""
FEWEST_LOOKED_AT = 100
"""Photos from which on their light and sharpness say anything."""
SAME_LOOK = 0.1
"""How far a share of photos below a decile may be off where both are of one collection, beyond what chance does: parts
of a collection differ, as its classes do."""
KOLMOGOROV = 1.36
"""Over the root of the number: the largest such difference by chance, in 95 %."""


@dataclass(frozen=True)
class _Files:
    """What is looked at of N photos.

    Attributes:
        names: of their collections, as their folders are called.
        pictures: (N,) hashes; empty texts where there is none.
        kinds: (N,) width, height, whether grey.
        named: (N,) patterns of their names.
        look: property → its values.
    """

    names: tuple[str, ...]
    pictures: list[str]
    kinds: list[tuple[int, int, bool]]
    named: list[Named]
    look: dict[str, NDArray[np.float32]]


def familiar_collections(
    contract: Contract, rows: pl.DataFrame, pixels: Pixels, names: Sequence[str]
) -> tuple[CollectionMatch, ...]:
    """The collections that a model or its backbone learnt from and that photos are, or may be, of; the surest first.

    Args:
        rows: usable rows of the photos' manifest.
        pixels: hold the fingerprint of each.
        names: what the photos' sources are called.
    """
    if rows.is_empty():
        return ()
    files = _Files(
        tuple(names),
        picture_hashes_of(rows, pixels),
        kinds_of(rows),
        names_of(rows),
        {column: rows[column].drop_nulls().to_numpy() for column in LOOKS},
    )
    traits = known_traits(contract)
    unknown = [name for name in contract.collections if name not in {each.name for each in traits}]
    found = [_matched(each, files) for each in traits]
    found += [_named_so(name) for name in unknown if _is_called(name, files.names)]
    best: dict[str, CollectionMatch] = {}
    for match in sorted((each for each in found if each), key=_rank):
        best.setdefault(match.name, match)
    return tuple(best.values())


def known_collections(
    contracts: Iterable[Contract], rows: pl.DataFrame, pixels: Pixels, names: Sequence[str]
) -> tuple[CollectionMatch, ...]:
    """The collections that any of several models learnt from and that photos are known to be of.

    Args:
        rows: usable rows of the photos' manifest.
        pixels: hold the fingerprint of each.
        names: what the photos' sources are called.
    """
    found = (each for contract in contracts for each in familiar_collections(contract, rows, pixels, names))
    return tuple(each for each in found if is_known(each))


def is_known(match: CollectionMatch) -> bool:
    """Whether photos are taken to be of the collection."""
    return match.sure != "possible"


def _rank(match: CollectionMatch) -> tuple[int, int]:
    return ("certain", "likely", "possible").index(match.sure), -match.copies.count


def _matched(traits: CollectionTraits, files: _Files) -> CollectionMatch | None:
    """How photos match one collection; None where nothing speaks for it."""
    copies, n = _copies(traits, files), len(files.kinds)
    typical = {(kind.width, kind.height, kind.is_grey) for kind in traits.kinds}
    is_uniform = sum(kind.share for kind in traits.kinds) >= MOST
    same_kind = sum(kind in typical for kind in files.kinds) / n if is_uniform else None
    alike = [each for each in files.named if each.pattern in traits.names]
    match = CollectionMatch(
        name=traits.name,
        sure="possible",
        copies=copies,
        is_whole=copies.count >= HALF * max(1, copies.of),
        same_kind=same_kind,
        same_names=len(alike) / n if traits.names else None,
        telling_names=sum(each.is_telling for each in alike) >= HALF * n,
        same_look=_looks_alike(traits, files),
        same_folder=_is_called(traits.name, files.names),
    )
    sure = _sure(match)
    return _with(match, sure) if sure else None


def _with(match: CollectionMatch, sure: Sure) -> CollectionMatch:
    return msgspec.structs.replace(match, sure=sure)


def _sure(match: CollectionMatch) -> Sure | None:
    """How sure it is that photos are of a collection; None where nothing says so."""
    copies = match.copies
    if copies.count and binomial_tail(copies.count, copies.of, CHANCE) < LEVEL:
        return "certain"
    is_kind = match.same_kind is not None and match.same_kind >= MOST
    is_other_kind = match.same_kind is not None and not is_kind
    is_named = (match.same_names or 0) >= HALF or match.same_folder
    if is_kind and (match.telling_names or (is_named and match.same_look)):
        return "likely"
    if match.telling_names or (match.same_folder and not is_other_kind) or (is_kind and match.same_look):
        return "possible"
    return None


def _copies(traits: CollectionTraits, files: _Files) -> Counted:
    """Photos whose hash is one of the collection's, of those whose hash would have been kept."""
    last = max(traits.pictures, default="") if traits.is_sample else "g"  # beyond every hexadecimal digit
    looked_at = [each for each in files.pictures if each and each <= last]
    return Counted(count=sum(each in traits.pictures for each in looked_at), of=len(looked_at))


def _looks_alike(traits: CollectionTraits, files: _Files) -> bool | None:
    """Whether light and sharpness are spread as in the collection; None for too few photos."""
    shared = [column for column in LOOKS if column in traits.look and len(files.look[column]) >= FEWEST_LOOKED_AT]
    return all(_off(files.look[each], traits.look[each]) <= 1 for each in shared) if shared else None


def _off(values: NDArray[np.float32], deciles: Sequence[float]) -> float:
    """The largest difference between the shares below the deciles and what they should be, over what is allowed."""
    below = (values[:, None] <= np.array(deciles)).mean(0)
    return float(np.abs(below - np.arange(1, 10) / 10).max() / (SAME_LOOK + KOLMOGOROV / len(values) ** 0.5))


def _named_so(name: str) -> CollectionMatch:
    """A collection of which only the name is known."""
    return CollectionMatch(
        name=name,
        sure="possible",
        copies=Counted(count=0, of=0),
        is_whole=False,
        same_kind=None,
        same_names=None,
        telling_names=False,
        same_look=None,
        same_folder=True,
    )


def _is_called(name: str, names: Sequence[str]) -> bool:
    """Whether a source has the name of a collection, or of another part of it."""
    return _plain(name) in map(_plain, names)


def _plain(name: str) -> str:
    """A name without what tells parts of a collection apart, as in ``faces-test`` and ``faces-2``; in small letters."""
    whole, mark, last = name.rpartition("-" if "-" in name else "_")
    if mark and whole and ((last.isdigit() and len(last) < 4) or as_split(last)):
        return _plain(whole)
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name
