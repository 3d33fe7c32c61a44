"""Divide photos into train, validation and test: near-duplicate groups stay together, classes keep their shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.manifest import usable
from mien.errors import ConfigError, SplitError

__all__ = ["SPLITS", "SplitShares", "assign_splits", "divide", "parse_shares"]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitShares:
    """Shares of the photos, each in (0, 1), together 1."""

    train: float = 0.70
    val: float = 0.15
    test: float = 0.15

    @property
    def values(self) -> tuple[float, float, float]:
        """The shares in the order of ``SPLITS``."""
        return (self.train, self.val, self.test)


def parse_shares(text: str) -> SplitShares:
    """Read ``70/15/15``.

    Raises:
        ConfigError: unless these are three positive numbers that add up to 100.
    """
    parts = re.fullmatch(r"\s*(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)\s*", text)
    numbers = [float(p) for p in parts.groups()] if parts else []
    if not numbers or min(numbers) <= 0 or abs(sum(numbers) - 100) > 1e-6:
        raise ConfigError(
            f"--split {text!r}: expected train/validation/test in per cent, three positive numbers that "
            "add up to 100, as in 70/15/15"
        )
    return SplitShares(*(n / 100 for n in numbers))


def assign_splits(manifest: pl.DataFrame, shares: SplitShares, seed: int) -> pl.DataFrame:
    """Fill ``split`` and ``split_reason`` of the usable rows.

    Where the source came with ``train/``, ``val/`` and ``test/`` folders, these are kept, less the train (and
    validation) pictures that recur in a later split. A missing part is taken out of train.

    Raises:
        SplitError: if a class has too few photos to stand in every split.
    """
    rows = usable(manifest).select("row", "label", "near_group", "split")
    given = set(rows["split"].drop_nulls())
    reasons: dict[int, str] = {}
    if given:
        placed = _keep_given(rows, reasons)
        missing = [name for name in SPLITS if name not in given]
        if missing:
            placed |= _fill_missing(rows, placed, missing, shares, seed)
    else:
        names = divide(rows["label"].to_list(), rows["near_group"].to_numpy(), shares.values, seed)
        placed = dict(zip(rows["row"], (SPLITS[i] for i in names), strict=True))
    _check_every_class(rows, placed)
    row = manifest["row"].to_list()
    return manifest.with_columns(
        pl.Series("split", [placed.get(i) for i in row], dtype=pl.String),
        pl.Series("split_reason", [reasons.get(i) for i in row], dtype=pl.String),
    )


def divide(labels: Sequence[str], groups: NDArray[np.integer], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Place whole groups so that each class comes as close to its shares as the groups allow.

    Groups are placed one by one, large ones first, otherwise in seeded order, each where the photos of its
    classes are missing most. Large groups first leaves the small ones to even out what they upset.

    Args:
        labels: (N,) class of each photo.
        groups: (N,) group of each photo.
        shares: S shares that add up to 1.

    Returns:
        (N,) index of the part, 0 to S-1.
    """
    classes, y = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    content = np.zeros((len(names), len(classes)), int)
    np.add.at(content, (group, y), 1)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(names))
    order = shuffled[np.argsort(-content[shuffled].sum(1), kind="stable")]
    wanted = np.asarray(shares)[:, None] * content.sum(0)
    placed = np.zeros_like(wanted)
    part = np.zeros(len(names), np.int64)
    for g in order:
        lack = (wanted - placed) @ content[g]
        part[g] = int(np.argmax(lack))
        placed[part[g]] += content[g]
    _fill_empty_parts(part, content, len(shares))
    return part[group]


def _fill_empty_parts(part: NDArray[np.int64], content: NDArray[np.int64], n_parts: int) -> None:
    """Give each part that lacks a class its smallest group from the part that has most of it, where that has two."""
    for c in range(content.shape[1]):
        for empty in range(n_parts):
            holders = np.flatnonzero(content[:, c] > 0)
            if (part[holders] == empty).any():
                continue
            richest = int(np.bincount(part[holders], minlength=n_parts).argmax())
            spare = holders[part[holders] == richest]
            if len(spare) > 1:
                part[spare[content[spare].sum(1).argmin()]] = empty


def _keep_given(rows: pl.DataFrame, reasons: dict[int, str]) -> dict[int, str]:
    """Given splits, with what recurs in a later split taken out of the earlier one."""
    latest: dict[int, int] = {}
    for group, split in zip(rows["near_group"], rows["split"], strict=True):
        latest[group] = max(latest.get(group, 0), SPLITS.index(split))
    placed: dict[int, str] = {}
    for row, group, split in rows.select("row", "near_group", "split").iter_rows():
        if SPLITS[latest[group]] == split:
            placed[row] = split
        else:
            reasons[row] = f"recurs in {SPLITS[latest[group]]}"
    return placed


def _fill_missing(
    rows: pl.DataFrame, placed: dict[int, str], missing: list[str], shares: SplitShares, seed: int
) -> dict[int, str]:
    """Take the missing splits out of train, each with its share of all photos."""
    train = rows.filter(pl.col("row").is_in([r for r, s in placed.items() if s == "train"]))
    wanted = ["train", *missing]
    weights = np.array([dict(zip(SPLITS, shares.values, strict=True))[name] for name in wanted])
    part = divide(train["label"].to_list(), train["near_group"].to_numpy(), (weights / weights.sum()).tolist(), seed)
    return dict(zip(train["row"], (wanted[i] for i in part), strict=True))


def _check_every_class(rows: pl.DataFrame, placed: dict[int, str]) -> None:
    counts: dict[str, dict[str, int]] = {label: dict.fromkeys(SPLITS, 0) for label in sorted(set(rows["label"]))}
    for row, label in rows.select("row", "label").iter_rows():
        if row in placed:
            counts[label][placed[row]] += 1
    for label, count in counts.items():
        empty = [name for name in SPLITS if count[name] == 0]
        if empty:
            of_class = rows.filter(pl.col("label") == label)
            total, pictures = len(of_class), of_class["near_group"].n_unique()
            copies = f" of {pictures} different picture{'s' * (pictures != 1)}" if pictures < total else ""
            raise SplitError(
                f"class {label!r} has {total} usable photo{'s' * (total != 1)}{copies}, too few for train, "
                f"validation and test (none left for {' and '.join(empty)}); add photos or remove the class folder"
            )
