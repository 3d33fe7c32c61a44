"""Which pictures are copies of one another: same bytes, or re-encoded, resized, mirrored, cropped, marked, recoloured.

Every picture is compared with every other one in three steps, each much dearer and much surer than the last:
descriptors (one matrix product for each window that a copy may have been cropped to), the pictures themselves
through that window, and the same after aligning the window. Pictures that are face crops already are not
searched for cropped copies, only for whole and mirrored ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mien.data.grouping import cells
from mien.data.grouping.candidates import BLOCK, WINDOWS, Candidates, Described, Prints, candidates
from mien.data.grouping.components import connected_components
from mien.data.grouping.series import named_alike
from mien.data.measuring.fingerprints import SIDE, align, halved, look_in, similarity
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import usable

__all__ = ["COPY_SIMILARITY", "Pairs", "assign_groups", "find_pairs", "is_copy_of"]

COPY_SIMILARITY = 0.92
"""From here on two pictures are copies. Chosen on planted copies, and on pairs looked at while the measure was
somewhat laxer: those of the photos mien was built with, and 64 of FER2013's."""
FINE_SIMILARITY = 0.88
"""Least similarity of copies at the full side of a fingerprint, which shows more of what portraits differ in."""
KIN_SIMILARITY = 0.85
"""From here on two pictures may be of one shoot; between the two, about half of the pairs looked at were."""
ALIGNABLE = (0.6, 0.95)
"""Similarities through a window as it stands between which aligning it may change the answer."""
MIN_CONTRAST = 0.02
"""Flatter pictures have no gradients to compare; only exact copies of them are grouped."""
MAX_GROUP_SHARE, MIN_GROUP_CAP = 0.02, 24
"""Largest share of all pictures that one group may hold, unless the files are the same, and what it may always hold."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """Pictures that are alike.

    Attributes:
        indices: (M, 2) positions i < j, sorted, each pair once.
        similarity: (M,) from ``KIN_SIMILARITY`` to 1.
    """

    indices: IntArray
    similarity: FloatArray


def assign_groups(manifest: pl.DataFrame, pixels: Pixels) -> pl.DataFrame:
    """Fill ``exact_group``, ``near_group`` and ``series`` of the usable rows.

    Groups are transitive: a is a copy of b and b of c puts all three together. A group is named by the first
    row in it.

    Args:
        pixels: hold the fingerprint of each row.
    """
    ok = usable(manifest.select("status", "row", "source", "path", "sha256", "contrast", "face_kind"))
    n, rows = len(ok), ok["row"].to_numpy()
    exact = _first_with_same(ok["sha256"])
    is_first = exact == np.arange(n)
    compared = np.flatnonzero(is_first & (ok["contrast"].to_numpy() >= MIN_CONTRAST))
    is_crop = (ok["face_kind"] == "crop").to_numpy()[compared]
    found = find_pairs(lambda some: pixels.fingerprints(rows[compared[some]]), is_crop)
    alike = Pairs(compared[found.indices], found.similarity)
    near = _capped_components(n, alike, max(MIN_GROUP_CAP, round(MAX_GROUP_SHARE * int(is_first.sum()))))[exact]
    links = [alike.indices, named_alike(ok), np.stack([near, np.arange(n)], axis=1)]
    series = connected_components(n, np.concatenate(links))
    groups = pl.DataFrame(
        {"row": rows, "exact_group": rows[exact], "near_group": rows[near], "series": rows[series]},
        schema_overrides=dict.fromkeys(("row", "exact_group", "near_group", "series"), pl.Int64),
    )
    of_rows = manifest.select("row").join(groups, on="row", how="left", maintain_order="left")
    return manifest.with_columns(of_rows.drop("row"))


def _first_with_same(values: pl.Series) -> IntArray:
    """Place (N,) of the first that has the value of each; without Polars, whose windows over texts take more room."""
    first = dict[str, int]()
    return np.array([first.setdefault(value, i) for i, value in enumerate(values)], np.int64)


def is_copy_of(rows: pl.DataFrame, pixels: Pixels, *, own: pl.DataFrame, own_pixels: Pixels) -> NDArray[np.bool_]:
    """Which usable photos (N,) are copies, byte for byte or near, of any of our own.

    Args:
        rows: of the photos in question.
        own: rows of ours.
    """
    known = rows["sha256"].is_in(own["sha256"].to_list()).to_numpy()
    theirs = rows.with_row_index("place").filter(~pl.Series(known) & (pl.col("contrast") >= MIN_CONTRAST))
    ours = own.filter(pl.col("contrast") >= MIN_CONTRAST).unique("sha256", maintain_order=True)
    n, places = len(ours), np.concatenate([ours["row"].to_numpy(), theirs["row"].to_numpy()])
    is_crop = np.concatenate([(part["face_kind"] == "crop").to_numpy() for part in (ours, theirs)])

    def read(some: IntArray) -> NDArray[np.uint8]:
        prints = np.empty((len(some), SIDE, SIDE), np.uint8)
        for is_side, source in ((some < n, own_pixels), (some >= n, pixels)):
            prints[is_side] = source.fingerprints(places[some[is_side]])
        return prints

    found = find_pairs(read, is_crop, np.arange(len(places)) < n)
    copies = found.indices[found.similarity >= COPY_SIMILARITY, 1] - n  # of a pair across, the first is ours
    known[theirs["place"].to_numpy()[copies]] = True
    return np.asarray(known)


def find_pairs(
    read: Callable[[IntArray], NDArray[np.uint8]],
    is_crop: NDArray[np.bool_],
    is_ours: NDArray[np.bool_] | None = None,
) -> Pairs:
    """All pairs of pictures that are alike.

    Args:
        read: gives the fingerprints (P, SIDE, SIDE) of the pictures at positions (P,).
        is_crop: (N,) which pictures are face crops.
        is_ours: (N,) which of two sets each is of; then only pairs of one of each are looked for.
    """
    order = np.argsort(is_crop, kind="stable")  # photos first, so that both kinds are slices
    n_photos, sides = int((~is_crop).sum()), None if is_ours is None else is_ours[order]
    prints = Prints(lambda some: read(order[some]), len(order), n_photos, sides)
    best: dict[tuple[int, int], float] = {}
    # Blocks in threads use the cores better than one product in several, which would wait for each other.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        for near in _near(prints, Described.of(prints), pool):
            for whole, part, alike in near:
                i, j = sorted((int(order[whole]), int(order[part])))
                best[i, j] = max(best.get((i, j), 0.0), alike)
    pairs = sorted(best)
    return Pairs(np.array(pairs, np.int64).reshape(-1, 2), np.array([best[pair] for pair in pairs], np.float32))


def _near(prints: Prints, described: Described, pool: Executor) -> Iterator[list[tuple[int, int, float]]]:
    """Pairs that are alike and how much, some at a time: each with each, but very many face crops by their cells."""
    has_cells = prints.n - prints.n_photos >= cells.FROM

    def of_block(start: int) -> list[tuple[int, int, float]]:
        return [pair for some in candidates(prints, start, described) for pair in _alike(prints, some)]

    yield from pool.map(of_block, range(0, prints.n_photos if has_cells else prints.n, BLOCK))
    if has_cells:
        work = partial(_alike_in_cells, prints, described)
        yield from pool.map(work, cells.candidates_in_cells(prints, described, pool))


def _alike_in_cells(prints: Prints, described: Described, some: Candidates) -> list[tuple[int, int, float]]:
    return _alike(prints, cells.confirmed(prints, described, some))


def _alike(prints: Prints, some: Candidates) -> list[tuple[int, int, float]]:
    """Those that are alike, and how much."""
    found = _compared(prints, some)
    rows = np.flatnonzero(found >= KIN_SIMILARITY)
    return list(zip(some.whole[rows].tolist(), some.part[rows].tolist(), found[rows].tolist(), strict=True))


def _compared(prints: Prints, asked: Candidates) -> FloatArray:
    """How alike candidates are (P,), through windows that are aligned where that may help."""
    parts, wholes = (prints.read(some).astype(np.float32) for some in (asked.part, asked.whole))
    if asked.mirrored:
        parts = parts[:, :, ::-1]
    is_moved = (asked.windows != WINDOWS[0]).any(1)
    found, moved = _likeness(parts, wholes), np.flatnonzero(is_moved)
    if len(moved):
        seen = look_in(wholes[moved], asked.windows[moved])
        found[moved] = np.maximum(found[moved], _likeness(parts[moved], seen))
    low, high = ALIGNABLE
    # The best window by the descriptors may be a wrong one, where something was added to a whole copy.
    uncropped = np.broadcast_to(WINDOWS[0], asked.windows.shape)
    # Only photos are looked for in other windows than the whole, so whatever was moved is one.
    for windows, among in ((asked.windows, asked.part < prints.n_photos), (uncropped, is_moved)):
        rows = np.flatnonzero(among & (found >= low) & (found < high))
        if len(rows):
            aligned = align(parts[rows], wholes[rows], windows[rows])
            found[rows] = np.maximum(found[rows], _likeness(parts[rows], look_in(wholes[rows], aligned)))
    return found


def _likeness(parts: FloatArray, seen: FloatArray) -> FloatArray:
    """Similarity at half the side, which forgives more; less than a copy's where the full side shows other detail."""
    found = similarity(halved(parts), halved(seen))
    rows = np.flatnonzero(found >= COPY_SIMILARITY)
    other = rows[similarity(parts[rows], seen[rows]) < FINE_SIMILARITY]
    found[other] = np.nextafter(COPY_SIMILARITY, 0, dtype=np.float32)
    return found


def _capped_components(n: int, alike: Pairs, cap: int) -> IntArray:
    """Connected components of copies, each of at most ``cap`` pictures.

    A chain of pictures, each like the next, could else join a whole class. Where a component is too large, the
    surest links are taken first, and those that would join too many are left out.
    """
    is_copy = alike.similarity >= COPY_SIMILARITY
    links, strength = alike.indices[is_copy], alike.similarity[is_copy]
    component = connected_components(n, links)
    too_large = np.bincount(component, minlength=n)[component[links[:, 0]]] > cap
    kept = links[~too_large].tolist()
    members = {node: [node] for node in np.unique(links[too_large]).tolist()}
    for i, j in links[too_large][np.argsort(-strength[too_large], kind="stable")].tolist():
        if members[i] is not members[j] and len(members[i]) + len(members[j]) <= cap:
            kept.append((i, j))
            members[i] += members[j]
            for node in members[j]:
                members[node] = members[i]
    return connected_components(n, np.array(kept, np.int64).reshape(-1, 2))
