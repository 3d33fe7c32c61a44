"""Place whole groups of photos into parts so that each class keeps its shares; folds for cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.errors import ConfigError, SplitError

__all__ = ["Groups", "check_folds", "dense", "kfold", "place_groups", "repeated_kfold"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOVES_SEARCHED = 2_000
"""Groups of several classes that the search may move; with more of them, an even sample of the ranking."""

SWAPS_SEARCHED = 200
"""Groups of several classes whose pairs the search may swap."""

TRIES = 20
"""Rankings from which the search may start while a class that could stand in every part does not."""


@dataclass(frozen=True)
class Groups:
    """Photos in groups that are placed whole.

    Attributes:
        label: (N,) class of each photo, 0 to C-1.
        group: (N,) group of each photo, 0 to G-1; every group has a photo.
        draw: (G,) drawn number of each group in [0, 1), which ranks it.
        source: (G,) source of each group, 0 to S-1.
    """

    label: Ints
    group: Ints
    draw: Floats
    source: Ints


@dataclass(frozen=True)
class _Stratum:
    """G groups that are ranked against each other: photos, draw and source of each."""

    size: Ints
    draw: Floats
    source: Ints


@dataclass(frozen=True)
class _Objective:
    """What the placement of groups of several classes minimises: Pearson's chi-square against the shares.

    Attributes:
        expected: (P, C) photos that the shares ask for, above 0.
        required: (C,) whether an empty part weighs more than any chi-square.
    """

    expected: Floats
    required: NDArray[np.bool_]

    def cost(self, counts: Ints, part: Ints) -> Floats:
        """Cost of parts (...) that hold ``counts`` (..., C) photos of each class."""
        expected = self.expected[part]
        misfit = ((counts - expected) ** 2 / expected).sum(-1)
        n_empty = ((counts == 0) & self.required).sum(-1)
        above_any_misfit = self.expected.sum() ** 2 / self.expected.min()
        return np.asarray(misfit + n_empty * above_any_misfit, np.float64)


def dense(values: pl.Series) -> Ints:
    """Number the distinct values 0, 1, ... in sorted order; (N,)."""
    return values.rank("dense").cast(pl.Int64).to_numpy() - 1


def kfold(
    labels: Sequence[str] | NDArray[np.str_],
    groups: Ints,
    k: int,
    seed: int,
    *,
    sources: Sequence[str] | NDArray[np.str_] | None = None,
) -> Ints:
    """Divide photos into k folds of equal shares of each class, with every group whole.

    Args:
        labels: (N,) class of each photo.
        groups: (N,) group of each photo, as in the manifest's ``split_group``.
        sources: (N,) source of each photo, where classes are to be spread by source too.

    Returns:
        (N,) fold of each photo, 0 to k-1.

    Raises:
        ConfigError: if k is below 2.
        SplitError: if a class stands in fewer groups than k.
    """
    if k < 2:
        raise ConfigError(f"folds: expected a whole number from 2 on, got {k}")
    label_names = pl.Series(labels, dtype=pl.String)
    label, group = dense(label_names), dense(pl.Series(groups))
    check_folds(label_names, label, group, k)
    first = np.unique(group, return_index=True)[1]
    source = dense(pl.Series(sources, dtype=pl.String))[first] if sources is not None else np.zeros_like(first)
    draw = np.random.default_rng(seed).random(len(first))
    standing = np.zeros((k, label.max(initial=-1) + 1), np.int64)
    part = place_groups(Groups(label, group, draw, source), np.full(k, 1 / k), standing)
    return part[group]


def repeated_kfold(
    labels: Sequence[str] | NDArray[np.str_],
    groups: Ints,
    k: int,
    seed: int,
    *,
    repeats: int,
    sources: Sequence[str] | NDArray[np.str_] | None = None,
) -> Iterator[Ints]:
    """Yield ``repeats`` different divisions by ``kfold``, with seeds derived from one.

    The first divisions are the same whatever the number of repeats.
    """
    for derived in np.random.SeedSequence(seed).generate_state(repeats).tolist():
        yield kfold(labels, groups, k, derived, sources=sources)


def place_groups(groups: Groups, shares: Floats, standing: Ints) -> Ints:
    """Place whole groups so that each class comes as close to its shares as the groups allow.

    Groups of several classes come first, by a search over all classes at once (``_place_mixed``). Then each class
    ranks its other groups by their draw and cuts the ranking where the shares of what is still wanted end: a
    group falls to the part in which its middle photo lies. So a class whose groups hold no other class differs
    from its shares by at most its largest group, and photos that are added move only groups near a cut. A class
    of at least P groups stands in every part, which a small class pays for with its shares.

    Args:
        shares: (P,) above 0, together 1.
        standing: (P, C) photos that stand in the parts already and count towards the shares.

    Returns:
        (G,) part of each group, 0 to P-1.
    """
    n_groups, n_classes = len(groups.draw), standing.shape[1]
    lowest, highest = np.full(n_groups, n_classes), np.zeros(n_groups, np.int64)
    np.minimum.at(lowest, groups.group, groups.label)
    np.maximum.at(highest, groups.group, groups.label)
    is_mixed = lowest != highest
    size = np.bincount(groups.group, minlength=n_groups)
    counts, part = standing.copy(), np.zeros(n_groups, np.int64)
    mixed = np.flatnonzero(is_mixed)
    if len(mixed):
        content = _content(groups, mixed, n_classes)
        n_pure = np.bincount(lowest[~is_mixed], minlength=n_classes)
        stratum = _Stratum(size[mixed], groups.draw[mixed], groups.source[mixed])
        part[mixed] = _place_mixed(stratum, content, shares, counts, n_pure)
        np.add.at(counts, part[mixed], content)
    for c in np.unique(lowest[~is_mixed]):
        of_class = np.flatnonzero(~is_mixed & (lowest == c))
        stratum = _Stratum(size[of_class], groups.draw[of_class], groups.source[of_class])
        part[of_class] = _cut(stratum, shares, counts[:, c])
    return part


def check_folds(names: pl.Series, label: Ints, group: Ints, k: int) -> None:
    """Refuse classes that stand in fewer groups than there are folds.

    Args:
        names: (N,) classes.
        label, group: (N,) both numbered from 0.

    Raises:
        SplitError: for the first such class.
    """
    pairs = pl.DataFrame({"label": label, "group": group}).unique()
    n_groups = np.bincount(pairs["label"].to_numpy())
    for c in np.flatnonzero(n_groups < k):
        photos = np.flatnonzero(label == c)
        raise SplitError(
            f"class {names[int(photos[0])]!r} has {_number(len(photos), 'photo')} in "
            f"{_number(int(n_groups[c]), 'group')} of near duplicates or people, too few for {k} folds; "
            "add photos or ask for fewer folds"
        )


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _content(groups: Groups, chosen: Ints, n_classes: int) -> Ints:
    """(M, C) photos of each class in the chosen groups."""
    place = np.full(len(groups.draw), -1)
    place[chosen] = np.arange(len(chosen))
    content = np.zeros((len(chosen), n_classes), np.int64)
    inside = place[groups.group] >= 0
    np.add.at(content, (place[groups.group[inside]], groups.label[inside]), 1)
    return content


def _cut(stratum: _Stratum, shares: Floats, standing: Ints) -> Ints:
    """Rank the groups of a stratum and cut the ranking where the shares of what is still wanted end; (G,) parts.

    The first part is cut from the middle of the ranking: of all orders, that with the largest part between the others
    moves fewest photos when some are added, and a photo that moves enters or leaves train.

    Args:
        standing: (P,) photos in the parts already.
    """
    total, new = standing.sum() + stratum.size.sum(), stratum.size.sum()
    wanted = np.maximum(shares * total - standing, 0)
    wanted *= new / wanted.sum()
    sequence = np.roll(np.arange(len(shares)), len(shares) // 2)
    order = _ranking(stratum, shares[sequence], is_large=stratum.size > shares.min() * total)
    middle = np.cumsum(stratum.size[order]) - stratum.size[order] / 2
    part = np.empty(len(order), np.int64)
    part[order] = sequence[np.searchsorted(np.cumsum(wanted[sequence])[:-1], middle, side="right")]
    _fill_empty_parts(part, stratum, wanted, standing)
    return part


def _ranking(stratum: _Stratum, shares: Floats, is_large: NDArray[np.bool_]) -> Ints:
    """Order of the groups: by draw within each source, and the sources evenly interleaved.

    Every stretch of the ranking so holds its share of each source, without rounding anew at each. Groups too
    large for the smallest part stand in the middle of the ranking, where the largest part is cut.
    """
    draw = np.where(is_large, shares[: len(shares) // 2].sum() + shares[len(shares) // 2] / 2, stratum.draw)
    order = np.lexsort((stratum.draw, draw, stratum.source))
    size, source = stratum.size[order], stratum.source[order]
    of_source = np.bincount(source, weights=size)
    before = np.cumsum(size) - size - (np.cumsum(of_source) - of_source)[source]
    place = (before + draw[order] * size) / of_source[source]
    return order[np.lexsort((stratum.draw[order], place))]


def _fill_empty_parts(part: Ints, stratum: _Stratum, wanted: Floats, standing: Ints) -> None:
    """Give each empty part the smallest group of the part that has most too much and keeps something."""
    for empty in range(len(standing)):
        held = np.bincount(part, minlength=len(standing))
        spare = held > (standing == 0)
        if held[empty] or standing[empty] or not spare.any():
            continue
        surplus = np.bincount(part, weights=stratum.size, minlength=len(standing)) - wanted
        giving = np.flatnonzero(part == np.where(spare, surplus, -np.inf).argmax())
        part[giving[np.lexsort((stratum.draw[giving], stratum.size[giving]))[0]]] = empty


def _place_mixed(stratum: _Stratum, content: Ints, shares: Floats, standing: Ints, n_pure: Ints) -> Ints:
    """Place groups that hold several classes, such as people who show every expression.

    The ranking is cut as for a single class; from there, the move of one group or the swap of two that lowers
    the objective most is made until none lowers it. If parts then lack a class and its pure groups are too few to
    fill them, the search starts again from the ranking shifted by a golden section.

    Args:
        content: (M, C) photos of each class in each group.
        standing: (P, C) photos in the parts already.
        n_pure: (C,) groups of each class that hold no other, and are placed later.
    """
    present = content.sum(axis=0) > 0
    content, standing, n_pure = content[:, present], standing[:, present], n_pure[present]
    objective = _Objective(shares[:, None] * (standing.sum(axis=0) + content.sum(axis=0)), n_pure < len(shares))
    best, lowest = np.zeros(len(content), np.int64), np.inf
    for turn in range(TRIES):
        turned = replace(stratum, draw=(stratum.draw + turn * 0.6180339887) % 1)
        part = _searched(turned, content, standing, objective)
        table = _table(part, content, standing)
        cost = float(objective.cost(table, np.arange(len(table))).sum())
        if cost < lowest:
            best, lowest = part, cost
        if ((table == 0).sum(axis=0) <= n_pure).all():
            break
    return best


def _searched(stratum: _Stratum, content: Ints, standing: Ints, objective: _Objective) -> Ints:
    """The cut ranking, improved; (M,) parts."""
    part = _cut(stratum, objective.expected[:, 0] / objective.expected[:, 0].sum(), standing.sum(axis=1))
    by_draw = np.argsort(stratum.draw)
    few = by_draw[:: -(-len(by_draw) // MOVES_SEARCHED)]
    part[few] = _improved(part[few], content[few], _table(part, content, standing), objective)
    return part


def _table(part: Ints, content: Ints, standing: Ints) -> Ints:
    """(P, C) photos in the parts, with M placed groups."""
    table = standing.copy()
    np.add.at(table, part, content)
    return table


def _improved(part: Ints, content: Ints, table: Ints, objective: _Objective) -> Ints:
    """Parts of M groups after the best moves and swaps, made in ``table`` (P, C) too."""
    part = part.copy()
    while True:
        step = _best_move(part, content, table, objective) or _best_swap(part, content, table, objective)
        if not step:
            return part
        for group, target in step:
            table[part[group]] -= content[group]
            table[target] += content[group]
            part[group] = target


def _best_move(part: Ints, content: Ints, table: Ints, objective: _Objective) -> list[tuple[int, int]]:
    """The group and its new part that lower the objective most; empty if none does."""
    parts = np.arange(len(table))
    now = objective.cost(table, parts)
    leaving = objective.cost(table[part] - content, part) - now[part]  # (M,)
    joining = objective.cost(table + content[:, None], parts) - now  # (M, P)
    change = leaving[:, None] + joining
    change[np.arange(len(part)), part] = 0
    group, target = np.unravel_index(change.argmin(), change.shape)
    return [(int(group), int(target))] if _lowers(change[group, target], now) else []


def _best_swap(part: Ints, content: Ints, table: Ints, objective: _Objective) -> list[tuple[int, int]]:
    """The two groups and their new parts that lower the objective most; empty if none do."""
    few = np.arange(0, len(part), -(-len(part) // SWAPS_SEARCHED))
    a, b = (few[i] for i in np.triu_indices(len(few), 1))
    a, b = a[part[a] != part[b]], b[part[a] != part[b]]
    if not len(a):
        return []
    now = objective.cost(table, np.arange(len(table)))
    p, q, more = part[a], part[b], content[b] - content[a]
    change = objective.cost(table[p] + more, p) + objective.cost(table[q] - more, q) - now[p] - now[q]
    best = int(change.argmin())
    return [(int(a[best]), int(q[best])), (int(b[best]), int(p[best]))] if _lowers(change[best], now) else []


def _lowers(change: float, now: Floats) -> bool:
    """Whether a change is more than rounding, so that the search comes to an end."""
    return bool(change < -1e-9 * (1 + now.sum()))
