"""FER2013's faces with what ten raters said of each (FER+, Barsoum et al. 2016), and the rules that make classes of it.

What recurs in the test part, byte for byte or as a near copy, is left out of the train part, as mien's own splits do.
Everything that is fitted sees ``train`` alone; ``public`` is there to choose on, ``private`` to be read at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.splits import SplitShares, assign_splits
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import prepare
from mien.models.artifact import HASH_LENGTH
from mien.telling.terminal.summaries import TerminalProgress

__all__ = ["CLASSES", "Faces", "consensus", "distributions", "read_faces"]

VOTES = {
    "anger": "angry",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprise": "surprise",
}
"""Class → column of ``fer2013-votes.csv``."""
CLASSES = tuple(VOTES)
REFUSED = ("unknown", "not_a_face")
SHARES, SEED = SplitShares(0.94, 0.05, 0.01), 0
"""The test part is known by its folder, so these only say how the rest would be divided; nothing is held out of it."""


@dataclass(frozen=True)
class Faces:
    """Faces of one part.

    Attributes:
        grey: uint8 (N, 48, 48).
        votes: raters that said each of ``CLASSES``, then ``REFUSED``, int (N, 10).
        labels: FER2013's own class of each face, by the name of its folder.
        groups: (N,) near-duplicate groups, which intervals are over.
    """

    grey: NDArray[np.uint8]
    votes: NDArray[np.int64]
    labels: tuple[str, ...]
    groups: NDArray[np.int64]


def distributions(votes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Shares of the raters that said each class (N, K), single votes dropped, and which faces are to be used.

    A face is not used where more than half of what is left says that it is unknown or not a face, or where nothing
    is left of the classes.
    """
    kept = np.where(votes > 1, votes, 0)
    named, refused = kept[:, : len(CLASSES)].astype(np.float64), kept[:, len(CLASSES) :].sum(1)
    total = named.sum(1)
    usable = (total > 0) & (refused <= 0.5 * (total + refused))
    return named / np.maximum(total, 1)[:, None], usable


def consensus(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that most raters agree on (N,), by FER+'s rule; −1 where there is none.

    Single votes are dropped; the class must have more than half of the others. Faces that are then "unknown" or "not
    a face" have no class.
    """
    kept = np.where(votes > 1, votes, 0)
    first = kept.argmax(1)
    agreed = kept[np.arange(len(kept)), first] > 0.5 * kept.sum(1)
    return np.where(agreed & (first < len(CLASSES)), first, -1)


def read_faces(data: Path, folder: Path) -> dict[str, Faces]:
    """The parts ``train``, ``public`` and ``private``; kept in ``folder`` once read.

    Args:
        data: holds ``fer2013.zip`` and ``fer2013-votes.csv``.
    """
    path = folder / "votes.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        arrays, seen = _read(data, folder)
        (folder / "seen.json").write_text(json.dumps(seen), encoding="utf-8")
        np.savez(path, allow_pickle=False, **arrays)
    with np.load(path) as stored:
        return {part: _part(stored, part) for part in ("train", "public", "private")}


def _part(stored: Any, part: str) -> Faces:
    arrays = {name: stored[f"{part}_{name}"] for name in ("grey", "votes", "labels", "groups")}
    return Faces(arrays["grey"], arrays["votes"], tuple(arrays["labels"].tolist()), arrays["groups"])


def _read(data: Path, folder: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    collection = open_collection([str(data / "fer2013.zip")])
    view = View("photo", 48)
    prepared = prepare([collection], [view], folder / "data", progress=TerminalProgress())
    manifest = assign_splits(prepared.manifest, SHARES, SEED)
    votes = pl.read_csv(data / "fer2013-votes.csv").select("path", *VOTES.values(), *REFUSED)
    rows = manifest.join(votes, on="path", how="inner", maintain_order="left")
    is_private = pl.col("path").str.contains("PrivateTest")
    chosen = {
        "train": rows.filter(pl.col("split").is_in(["train", "val"])),
        "public": rows.filter((pl.col("split") == "test") & ~is_private),
        "private": rows.filter((pl.col("split") == "test") & is_private),
    }
    arrays: dict[str, NDArray[Any]] = {}
    for part, some in chosen.items():
        arrays[f"{part}_grey"] = prepared.pixels.read(view, some["row"].to_numpy())[..., 0]
        arrays[f"{part}_votes"] = some.select(*VOTES.values(), *REFUSED).to_numpy().astype(np.int64)
        arrays[f"{part}_labels"] = some["label"].to_numpy().astype(str)
        arrays[f"{part}_groups"] = some["near_group"].to_numpy()
    return arrays, sorted({sha[:HASH_LENGTH] for sha in chosen["train"]["sha256"]})
