"""Can what a file is, and how bright or framed its picture is, predict the class without looking at a face?

The tiny model is naive Bayes on properties cut into at most ten bins, with equal class priors. It has few ways to
fit noise in a few hundred photos, it scores one property alone and all together by the same rule, and it is mere
counting, so that the scoring can be repeated on a thousand permuted labels. What shows only in a combination of
properties it does not see: a larger model may find more, so its score is a lower bound.

One photo stands for each near-duplicate group, so that groups cannot straddle folds and labels can be permuted
freely. Folds are drawn without regard to labels, which makes the permutation test exact (Good 2005).

Left out are face boxes and sharpness: how near the camera came and how much texture a face has are part of what
an expression looks like. Brightness, contrast and saturation are in, for light should not tell an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import bdtrc

from mien.data.tables.manifest import usable
from mien.family import holm
from mien.metrics import macro_f1, wilson
from mien.results.audit import Culprit, PropertyScore, Shortcuts

__all__ = ["find_shortcuts"]

MAX_SCORED = 4000
"""Pictures that are scored, drawn at random from a larger set; culprits are counted over all."""
FOLDS = 5
PERMUTATIONS = 999
LEVEL = 0.01
"""Probability below which a result is not put down to chance."""
MAX_BINS, BIN_SIZE = 10, 20
"""Most bins of a number, and pictures wanted in each."""
LEAST_PICTURES = 20
"""Distinct pictures a class needs to take part."""
LEAST_SUPPORT = 10
"""Distinct pictures a value or range needs to be looked at by itself."""
LEAST_ODDS = 2.0
"""A culprit multiplies the odds of its label by at least so much: in a large set, less can be sure and no matter."""
MAX_OVERLAP = 0.5
"""Share of a culprit's photos of its label that stronger ones of the same label may have named already."""

CATEGORIES = ("format", "mode", "source", "is_grey")
MEASURED = ("bytes", "brightness", "contrast", "saturation", "border", "banner")
NUMBERS = {
    "width": pl.col("width"),
    "height": pl.col("height"),
    "aspect": pl.col("width") / pl.col("height"),
    "bytes_per_pixel": pl.col("bytes") / (pl.col("width").cast(pl.Int64) * pl.col("height")),
    **{name: pl.col(name) for name in MEASURED[1:]},
}

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class _Binned:
    """One property of N photos, cut into B bins.

    Attributes:
        codes: (N,) bin of each photo.
        ranges: bins that are looked at, as first and last; (i, i) for a single one.
        words: what each range is called.
    """

    name: str
    codes: IntArray
    ranges: tuple[tuple[int, int], ...]
    words: tuple[str, ...]

    @property
    def n_bins(self) -> int:
        return int(self.codes.max()) + 1


@dataclass(frozen=True)
class _Photos:
    """N labelled photos.

    Attributes:
        labels: the K classes, sorted.
        y: (N,) class of each.
        first: (N,) whether it stands for its near-duplicate group.
        binned: the properties that differ between photos.
    """

    labels: tuple[str, ...]
    y: IntArray
    first: BoolArray
    binned: tuple[_Binned, ...]


def find_shortcuts(manifest: pl.DataFrame, seed: int) -> Shortcuts:
    """Score what a set's properties give away, and name the culprits.

    Args:
        manifest: rows with groups; what counts are usable ones with a label and every property, of classes with
            enough distinct pictures.
        seed: of folds, permutations and the sample.
    """
    photos = _photos(manifest)
    if len(photos.labels) < 2:
        reason = f"needs two classes of at least {LEAST_PICTURES} distinct photos each"
        return Shortcuts(photos=len(photos.y), reason=reason)
    if not photos.binned:
        return Shortcuts(photos=len(photos.y), reason="all photos have the same properties")
    rng = np.random.default_rng(seed)
    scored = np.sort(rng.permutation(np.flatnonzero(photos.first))[:MAX_SCORED])
    real, null = _scores(photos, scored, rng)
    p = (1 + (null >= real).sum(0)) / (1 + len(null))
    alone = zip(photos.binned, real[1:], null[:, 1:].mean(0), holm(p[1:].tolist()), strict=True)
    scores = (
        PropertyScore(property=b.name, macro_f1=float(f1), chance=float(chance), p=float(q))
        for b, f1, chance, q in alone
    )
    culprits = tuple(_culprits(photos))
    tells_classes = bool(p[0] <= LEVEL)
    return Shortcuts(
        level=LEVEL,
        found=tells_classes or bool(culprits),
        tells_classes=tells_classes,
        macro_f1=float(real[0]),
        chance=float(null[:, 0].mean()),
        chance_high=float(np.quantile(null[:, 0], 0.95)),
        p=float(p[0]),
        pictures=len(scored),
        photos=len(photos.y),
        properties=tuple(sorted(scores, key=lambda s: s.chance - s.macro_f1)),
        culprits=culprits,
    )


def _photos(manifest: pl.DataFrame) -> _Photos:
    """The photos that take part, with their properties cut into bins."""
    needed = manifest.select("status", "label", "near_group", "width", "height", *MEASURED, *CATEGORIES)
    rows = usable(needed).drop_nulls(["label", "near_group", "width", "height", *MEASURED])
    pictures = rows.group_by("label").agg(pl.col("near_group").n_unique())
    enough = pictures.filter(pl.col("near_group") >= LEAST_PICTURES)["label"]
    rows = rows.filter(pl.col("label").is_in(enough.to_list()))
    labels, y = np.unique(rows["label"].to_numpy().astype(str), return_inverse=True)
    first = rows["near_group"].is_first_distinct().to_numpy()
    binned = [_categories(name, rows[name].cast(pl.String).fill_null("unknown"), first) for name in CATEGORIES]
    numbers = rows.select(**NUMBERS).cast(pl.Float64)
    binned += [_ranges(name, numbers[name].to_numpy(), first) for name in NUMBERS]
    differing = tuple(b for b in binned if len(rows) and b.n_bins > 1)
    return _Photos(tuple(labels.tolist()), y.astype(np.int64), first, differing)


def _categories(name: str, values: pl.Series, first: BoolArray) -> _Binned:
    """A bin for each value with enough distinct pictures, and one that is not looked at for the rest."""
    counts = values.filter(pl.Series(first)).value_counts()
    common = sorted(counts.filter(pl.col("count") >= LEAST_SUPPORT)[values.name])
    place = {value: i for i, value in enumerate(common)}
    codes = np.array([place.get(value, len(common)) for value in values], np.int64)
    words = {"true": "grey", "false": "in colour"} if name == "is_grey" else {}
    return _Binned(name, codes, tuple((i, i) for i in place.values()), tuple(words.get(v, v) for v in common))


def _ranges(name: str, values: FloatArray, first: BoolArray) -> _Binned:
    """Bins of about equally many pictures, and every run of neighbouring bins as a range to be looked at."""
    starts = _bin_starts(np.sort(values[first]))
    codes = np.searchsorted(starts[1:], values, side="right").astype(np.int64)
    last = len(starts) - 1
    ranges = tuple((i, j) for i, j in combinations_with_replacement(range(last + 1), 2) if (i, j) != (0, last))
    order = np.sort(values)
    edges = np.searchsorted(np.sort(codes), np.arange(last + 2))  # where each bin begins in that order
    lows, highs = order[edges[:-1]], order[edges[1:] - 1]
    unit = " px" if name in ("width", "height") else ""
    words = tuple(_range_words((lows, highs), run, unit) for run in ranges)
    return _Binned(name, codes, ranges, words)


def _bin_starts(values: FloatArray) -> FloatArray:
    """Lowest value of each bin; a value that would fill a bin has one of its own.

    Args:
        values: sorted, of distinct pictures.
    """
    distinct, counts = np.unique(values, return_counts=True)
    size = max(BIN_SIZE, -(-len(values) // MAX_BINS))
    starts, filled, left = [distinct[:1]], 0, len(values)
    for value, count in zip(distinct, counts, strict=True):
        is_full = filled >= size or (count >= size and filled >= LEAST_SUPPORT)
        if is_full and left >= LEAST_SUPPORT:
            starts.append(np.array([value]))
            filled = 0
        filled, left = filled + count, left - count
    return np.concatenate(starts)


def _range_words(bins: tuple[FloatArray, FloatArray], run: tuple[int, int], unit: str) -> str:
    """Name a run of bins.

    Args:
        bins: lowest and highest value found in each.
        run: first and last bin.
    """
    (lows, highs), (first, last) = bins, run
    low, high = f"{_number(lows[first])}{unit}", f"{_number(highs[last])}{unit}"
    is_highest = last == len(highs) - 1
    if is_highest and first > 0 and highs[first - 1] == 0:
        return "any"
    if lows[first] == highs[last]:
        return "none" if highs[last] == 0 else high
    if first == 0:
        return f"up to {high}"
    return f"{low} or more" if is_highest else f"{_number(lows[first])} to {high}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _scores(photos: _Photos, scored: IntArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Cross-validated macro-F1 of all properties and of each alone.

    Returns:
        (1 + P,) with the real labels, and (R, 1 + P) with permuted ones.
    """
    y = photos.y[scored]
    sizes = [b.n_bins for b in photos.binned]
    columns = np.stack([b.codes[scored] for b in photos.binned], axis=1) + np.cumsum([0, *sizes[:-1]])
    x = np.zeros((len(y), sum(sizes)))
    np.put_along_axis(x, columns, 1, axis=1)
    folds = np.array_split(rng.permutation(len(y)), FOLDS)
    n_classes = len(photos.labels)
    null = [_cross_validate(x, np.eye(n_classes)[rng.permutation(y)], folds, sizes) for _ in range(PERMUTATIONS)]
    return _cross_validate(x, np.eye(n_classes)[y], folds, sizes), np.array(null)


def _cross_validate(x: FloatArray, y: FloatArray, folds: Sequence[IntArray], sizes: Sequence[int]) -> FloatArray:
    """Macro-F1 (1 + P,) of naive Bayes on all properties and on each alone.

    Args:
        x: (N, B) one-hot bins of P properties side by side.
        y: (N, K) one-hot labels.
        sizes: bins of each property; they add up to B.
    """
    n_classes = y.shape[1]
    starts = np.cumsum([0, *sizes[:-1]])
    held_out = np.stack([x[fold].T @ y[fold] for fold in folds])  # (F, B, K) pictures
    evidence = _log_likelihood(held_out.sum(0) - held_out, starts, sizes)
    together = np.zeros((n_classes, n_classes))
    for fold, weights in zip(folds, evidence, strict=True):
        together += y[fold].T @ np.eye(n_classes)[(x[fold] @ weights).argmax(1)]
    answers = np.eye(n_classes)[evidence.argmax(2)]  # (F, B, K) what a bin alone says
    by_bin = np.einsum("fbk,fbl->bkl", held_out, answers)
    return macro_f1(np.concatenate([together[None], np.add.reduceat(by_bin, starts)])).astype(np.float64)


def _log_likelihood(counts: FloatArray, starts: IntArray, sizes: Sequence[int]) -> FloatArray:
    """Log probability of each bin given the class, with one picture added to each bin.

    Args:
        counts: (F, B, K) training pictures of each fold.
    """
    totals = np.add.reduceat(counts + 1, starts, axis=1)  # (F, P, K)
    return np.asarray(np.log((counts + 1) / np.repeat(totals, sizes, axis=1)))


def _culprits(photos: _Photos) -> Iterator[Culprit]:
    """The ranges too full of one label, strongest first, less those that mostly repeat stronger ones.

    The strength is by how much the share of the label exceeds what is expected, taken at the lower end of its
    95 % interval, so that few pictures are no strong case.
    """
    ranges = [(b, *bounds, what) for b in photos.binned for bounds, what in zip(b.ranges, b.words, strict=True)]
    expected = np.bincount(photos.y) / len(photos.y)
    named = np.zeros(len(photos.y), np.bool_)  # every photo has one label, so one array serves all labels
    for r, k, p in _too_frequent(photos):
        binned, low, high, what = ranges[r]
        inside = (binned.codes >= low) & (binned.codes <= high)
        hits = inside & (photos.y == k)
        if (hits & named).sum() <= MAX_OVERLAP * hits.sum():
            named |= hits
            label, of = photos.labels[k], int(inside.sum())
            yield Culprit(
                property=binned.name,
                what=what,
                label=label,
                count=int(hits.sum()),
                of=of,
                expected=float(expected[k]),
                p=p,
            )


def _too_frequent(photos: _Photos) -> list[tuple[int, int, float]]:
    """Range, label and corrected probability where a label is too frequent, strongest first."""
    hits = _looked_at(photos, photos.first)
    of = hits.sum(1, keepdims=True)
    share = np.bincount(photos.y[photos.first], minlength=len(photos.labels)) / photos.first.sum()
    looked_at = np.broadcast_to(of >= LEAST_SUPPORT, hits.shape)
    p = np.ones(hits.shape)
    p[looked_at] = holm(_binomial_tail(hits, of, share)[looked_at].tolist())
    has_odds = hits * (1 - share) >= LEAST_ODDS * share * (of - hits)
    found = []
    for r, k in np.argwhere((p <= LEVEL) & has_odds).tolist():
        interval = wilson(int(hits[r, k]), int(of[r, 0]))
        found.append(((interval.low if interval else 0.0) - share[k], r, k, float(p[r, k])))
    return [(r, k, q) for _, r, k, q in sorted(found, key=lambda item: (-item[0], *item[1:]))]


def _looked_at(photos: _Photos, chosen: BoolArray) -> IntArray:
    """Count the labels (R, K) of the chosen photos in every range of every property."""
    n_classes = len(photos.labels)
    tables = []
    for binned in photos.binned:
        cell = binned.codes[chosen] * n_classes + photos.y[chosen]
        counts = np.bincount(cell, minlength=binned.n_bins * n_classes).reshape(-1, n_classes)
        below = np.concatenate([np.zeros((1, n_classes), np.int64), counts.cumsum(0)])
        tables += [below[high + 1] - below[low] for low, high in binned.ranges]
    return np.array(tables, np.int64).reshape(-1, n_classes)


def _binomial_tail(successes: IntArray, of: IntArray, share: FloatArray) -> FloatArray:
    """Probability of at least so many successes."""
    return np.asarray(np.where(successes > 0, bdtrc(np.maximum(successes - 1.0, 0), of.astype(np.intp), share), 1.0))
