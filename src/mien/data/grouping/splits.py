"""Divide photos into train, validation and test: what belongs together stays together, classes keep their shares."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.components import connected_components
from mien.data.grouping.folds import Groups, dense, place_groups
from mien.data.tables.manifest import usable
from mien.errors import ConfigError, SplitError
from mien.settings.choices import SplitMethod

__all__ = [
    "READ",
    "SPLITS",
    "SplitShares",
    "as_target",
    "assign_splits",
    "content_groups",
    "count_moved",
    "parse_shares",
    "with_split_group",
]

SPLITS = ("train", "val", "test")
TRAIN = 0

READ = ("row", "label", "source", "sha256", "near_group", "group", "series")
"""Columns that decide, beside ``split`` as the folders gave it."""

LINKS: dict[SplitMethod, tuple[tuple[str, ...], ...]] = {
    "grouped": (("near_group",), ("source", "group")),
    "series": (("near_group",), ("source", "group"), ("series",)),
    "naive": (),
}
"""Columns whose equal values keep photos together; a group's name counts within its source."""


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


def assign_splits(
    manifest: pl.DataFrame,
    shares: SplitShares,
    seed: int,
    *,
    method: SplitMethod = "grouped",
    earlier: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Fill ``split``, ``split_reason`` and ``split_group`` of the usable rows.

    A split group holds what ``method`` keeps together, also by way of other photos, and is named by its smallest
    row: near duplicates and the user's groups (grouped), photos of one series too (series), or each photo by
    itself (naive, for comparison only). Where a group stands depends on the content of its photos and the seed.

    Where the source came with ``train/``, ``val/`` and ``test/`` folders, these are kept, less what belongs
    together with photos of a later folder. A missing part is taken out of train. Photos without a folder are
    divided by the shares among themselves.

    Args:
        earlier: manifest of an earlier study. Its photos, known by their bytes, keep their split, and new ones
            fill what lacks. A new photo goes where its group stands; a group that it joins from two splits goes
            to the later of them (``count_moved``). Given folders come first.

    Raises:
        SplitError: if a class has too few photos to stand in every split.
    """
    photos = usable(manifest).select(*READ, pl.col("given_split").alias("given"))
    rows = with_split_group(photos.filter(pl.col("label").is_not_null()), method)
    given = set(rows["given"].drop_nulls())
    missing = [i for i, name in enumerate(SPLITS) if given and name not in given]
    rows = _with_reasons(_settled(rows, _known_splits(earlier), missing), missing)
    rows = _place(rows, pl.col("given").is_not_null(), sorted({TRAIN, *missing}), shares, seed)
    rows = _place(rows, pl.col("given").is_null(), list(range(len(SPLITS))), shares, seed)
    _check_every_class(rows, is_grouped=method != "naive")
    written = rows.select("row", _name("place").alias("split"), "split_reason", "split_group")
    unlabelled = photos.filter(pl.col("label").is_null()).select("row", pl.lit("no label").alias("split_reason"))
    written = pl.concat([written, unlabelled], how="diagonal")
    columns = [*manifest.columns, *(c for c in written.columns if c not in manifest.columns)]
    rest = manifest.drop("split", "split_reason", "split_group", strict=False)
    return rest.join(written, on="row", how="left", maintain_order="left").select(columns)


def as_target(manifest: pl.DataFrame) -> pl.DataFrame:
    """The usable rows as the split ``target``, with copies, and the user's groups, in one ``split_group``."""
    rows = with_split_group(usable(manifest))
    joined = manifest.drop("split_group").join(
        rows.select("row", "split_group"), on="row", how="left", maintain_order="left"
    )
    target = pl.when(pl.col("status") == "ok").then(pl.lit("target")).alias("split")
    return joined.with_columns(target).select(manifest.columns)


def count_moved(manifest: pl.DataFrame, earlier: pl.DataFrame) -> int:
    """Number of photos that stand in another split than the same bytes in an earlier manifest."""
    both = manifest.filter(pl.col("split").is_in(SPLITS)).join(_known_splits(earlier), on="sha256")
    return both.filter(_index("split") != pl.col("known")).height


def with_split_group(rows: pl.DataFrame, method: SplitMethod = "grouped") -> pl.DataFrame:
    """The rows sorted by ``row``, with ``split_group``: connected components of what is kept together."""
    rows = rows.sort("row")
    numbered = rows.with_columns(pl.Series("position", np.arange(len(rows))))
    edges = [np.zeros((0, 2), np.int64)]
    for columns in LINKS[method]:
        same = numbered.filter(pl.col(columns[-1]).is_not_null())
        edges.append(same.select(pl.col("position").min().over(*columns).alias("first"), "position").to_numpy())
    names = rows["row"].gather(connected_components(len(rows), np.concatenate(edges)))
    return rows.with_columns(names.alias("split_group"))


def _index(column: str) -> pl.Expr:
    """Names of splits as their place in ``SPLITS``, in the order train, val, test."""
    return pl.col(column).replace_strict({name: i for i, name in enumerate(SPLITS)}, return_dtype=pl.Int64)


def _name(column: str) -> pl.Expr:
    """The splits that ``_index`` numbered, as names."""
    return pl.col(column).replace_strict(dict(enumerate(SPLITS)), return_dtype=pl.String)


def _known_splits(earlier: pl.DataFrame | None) -> pl.DataFrame:
    """Columns ``sha256`` and ``known``: the latest split in which these bytes stand in an earlier manifest."""
    if earlier is None:
        return pl.DataFrame(schema={"sha256": pl.String, "known": pl.Int64})
    placed = earlier.filter(pl.col("split").is_in(SPLITS))
    return placed.group_by("sha256").agg(_index("split").max().alias("known"))


def _settled(rows: pl.DataFrame, known: pl.DataFrame, missing: list[int]) -> pl.DataFrame:
    """Add ``settled``, where folders or an earlier study put a row, and ``latest``, the latest such of its group."""
    rows = rows.with_columns(_index("given")).join(known, on="sha256", how="left", maintain_order="left")
    allowed = pl.when(pl.col("known").is_in([TRAIN, *missing])).then("known")
    is_train_to_divide = (pl.col("given") == TRAIN) & pl.lit(bool(missing))
    settled = pl.when(pl.col("given").is_null()).then("known").when(is_train_to_divide).then(allowed).otherwise("given")
    rows = rows.with_columns(settled.alias("settled"))
    return rows.with_columns(pl.col("settled").max().over("split_group").alias("latest"))


def _with_reasons(rows: pl.DataFrame, missing: list[int]) -> pl.DataFrame:
    """Add ``place``, null where it is still open, and ``split_reason`` of rows taken out of their folder."""
    given, latest = pl.col("given"), pl.col("latest")
    stays = given.is_null() | (given == latest) | latest.is_in(missing)
    is_out = latest.is_not_null() & ~stays
    name = _name("latest")
    recurs = pl.col("settled").max().over("near_group") == latest
    of_group = pl.col("group").is_not_null() & (pl.col("settled").max().over("source", "group") == latest)
    reason = (
        pl.when(recurs)
        .then(pl.format("recurs in {}", name))
        .when(of_group)
        .then(pl.format("its group '{}' is in {}", "group", name))
        .otherwise(pl.format("belongs together with photos in {}", name))
    )
    return rows.with_columns(
        pl.when(is_out).then(None).otherwise(latest).alias("place"), pl.when(is_out).then(reason).alias("split_reason")
    )


def _place(rows: pl.DataFrame, chosen: pl.Expr, parts: list[int], shares: SplitShares, seed: int) -> pl.DataFrame:
    """Divide the open groups of chosen rows among parts; chosen rows that have a place count towards the shares."""
    is_open = pl.col("latest").is_null() & pl.col("place").is_null() & chosen.any().over("split_group")
    label = dense(rows["label"])
    rows = rows.with_columns(pl.Series("label_index", label), is_open.alias("is_open"))
    photos = rows.filter("is_open")
    if photos.is_empty():
        return rows.drop("label_index", "is_open")
    standing = np.zeros((len(SPLITS), label.max() + 1), np.int64)
    stands = rows.filter(chosen & pl.col("place").is_not_null())
    np.add.at(standing, (stands["place"].to_numpy(), stands["label_index"].to_numpy()), 1)
    weights = np.array(shares.values)[parts]
    groups = content_groups(photos, str(seed))
    part = place_groups(groups, weights / weights.sum(), standing[parts])[groups.group]
    placed = photos.select("row", pl.Series("drawn", np.array(parts)[part]))
    joined = rows.join(placed, on="row", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("place", "drawn").alias("place")).drop("drawn", "label_index", "is_open")


def content_groups(photos: pl.DataFrame, key: str) -> Groups:
    """The split groups, each ranked by a hash of the key and its smallest content hash, and of that photo's source.

    Args:
        photos: with ``split_group``, ``sha256``, ``source`` and ``label_index``.
        key: such as the seed; another gives another ranking.
    """
    first = photos.sort("sha256", "source").unique("split_group", keep="first", maintain_order=True).sort("split_group")
    return Groups(
        label=photos["label_index"].to_numpy(),
        group=dense(photos["split_group"]),
        draw=_draws(first["sha256"], key),
        source=dense(first["source"]),
    )


def _draws(contents: pl.Series, key: str) -> NDArray[np.float64]:
    """A number in [0, 1) for each content hash, the same on every machine; (G,)."""
    digests = (hashlib.blake2b(content.encode(), key=key.encode(), digest_size=8).digest() for content in contents)
    bits = np.frombuffer(b"".join(digests), "<u8")
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53, np.float64)


def _check_every_class(rows: pl.DataFrame, *, is_grouped: bool) -> None:
    """Refuse a class that does not stand in every split."""
    for (label,), photos in rows.group_by("label", maintain_order=True):
        filled = set(photos["place"].drop_nulls())
        empty = " and ".join(name for i, name in enumerate(SPLITS) if i not in filled)
        if not empty:
            continue
        total, groups = len(photos), photos["split_group"].n_unique()
        noun = "group" if is_grouped and photos["group"].null_count() < total else "picture"
        copies = f" of {groups} different {noun}{'s' * (groups != 1)}" if groups < total else ""
        why = (
            f"too few for train, validation and test (none left for {empty})"
            if groups < len(SPLITS)
            else f"but none that may be in {empty}, as its folders and groups divide it"
        )
        raise SplitError(
            f"class {label!r} has {total} usable photo{'s' * (total != 1)}{copies}, {why}; "
            "add photos or remove the class folder"
        )
