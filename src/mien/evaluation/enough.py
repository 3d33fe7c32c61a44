"""Is a model good enough for these photos? The level it reaches, whom it fails, and what it has no word for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.independence import independent
from mien.evaluation.predictions import probabilities
from mien.evaluation.sureness import promise_of
from mien.labels import class_indices
from mien.metrics import share_interval
from mien.models.artifact import Contract
from mien.quantiles import chi_squared_tail
from mien.results.behaviour import Promise
from mien.results.evaluation import GroupScore, GroupScores, UnknownClass
from mien.results.scores import Scores
from mien.results.target import GoodEnough, Level

__all__ = ["BOUNDS", "good_enough", "group_scores", "promise_of_all", "unknown_classes"]

BOUNDS: dict[Level, float] = {"very good": 0.85, "good": 0.7, "fair": 0.5, "poor": 0.0}
"""Level → the least that macro-F1 reaches for certain, highest first. At 0.7 every class is recognised in most photos;
below 0.5 most answers to some classes are wrong."""
LEAST_IMAGES = 5
"""Photos that a group must have to be looked at by itself."""
SHOWN = 3
LEVEL = 0.05


def good_enough(shared: Scores, *, is_new: bool) -> GoodEnough:
    """The level that the lower end of the interval of macro-F1 reaches, which further photos are unlikely to lower."""
    reached = shared.interval.low if shared.interval else None
    return GoodEnough(
        level=_level(shared, reached, is_new),
        reached=reached,
        bounds={str(level): bound for level, bound in BOUNDS.items()},
    )


def _level(shared: Scores, reached: float | None, is_new: bool) -> Level:
    if not is_new:
        return "not new"
    if reached is None:
        return "cannot tell"
    if not shared.beats_chance:
        return "no better than guessing"
    return next(level for level, bound in BOUNDS.items() if reached >= bound)


def unknown_classes(
    labels: Sequence[str], predictions: pl.DataFrame, extra: Sequence[str], promise: Promise | None
) -> tuple[UnknownClass, ...]:
    """What the photos of classes are called that the model, which answers ``labels``, has no word for."""
    answers = np.array(labels, np.str_)
    found = []
    for label in extra:
        probs = probabilities(predictions.filter(pl.col("label") == label), labels)
        names, counts = np.unique(answers[probs.argmax(1)], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        found.append(
            UnknownClass(
                label=label,
                images=len(probs),
                answers={str(names[i]): int(counts[i]) for i in order},
                sure=int((probs.max(1) >= promise.probability).sum()) if promise else None,
            )
        )
    return tuple(sorted(found, key=lambda each: -each.images))


def promise_of_all(
    contract: Contract,
    predictions: pl.DataFrame,
    names: Mapping[str, str],
    extra: Sequence[str],
    *,
    is_new: bool = True,
) -> Promise | None:
    """What becomes of the promise where photos of classes without a word, which are always wrong, count too."""
    rows = predictions.filter(pl.col("label").is_in([*names, *extra]))
    every = [*contract.labels, *(label for label in extra if label not in contract.labels)]
    truth = class_indices(rows["label"], every, dict(names) | {label: label for label in extra})
    return promise_of(contract, probabilities(rows, contract.labels), truth, rows, is_new=is_new)


def group_scores(
    rows: pl.DataFrame, predictions: pl.DataFrame, labels: Sequence[str], names: Mapping[str, str]
) -> GroupScores | None:
    """How the share of right answers differs between the groups that a table or folders name; None without two.

    Args:
        rows: of the manifest, for the groups.
        predictions: of the same photos, and perhaps of others.
        names: class of the target → class of the model; other photos are left out.
    """
    shared = predictions.filter(pl.col("label").is_in(list(names)))
    known = shared.join(rows.select("id", "source", "group", "near_group"), on="id").filter(
        pl.col("group").is_not_null()
    )
    if known.is_empty():
        return None
    right = probabilities(known, labels).argmax(1) == class_indices(known["label"], labels, names)
    several = known["source"].n_unique() > 1
    name = pl.concat_str("source", pl.lit("/"), "group") if several else pl.col("group")
    table = known.select(name.alias("name"), "near_group", pl.Series("right", right))
    every = [_group_score(*part) for part in table.partition_by("name", as_dict=True, maintain_order=True).items()]
    found = [each for each in every if each.images >= LEAST_IMAGES]
    if len(found) < 2:
        return None
    images, hits = (np.array([getattr(each, what) for each in found], np.float64) for what in ("images", "right"))
    ordered = sorted(found, key=lambda each: (each.right / each.images, each.group))
    p = _p_of_no_difference(images, hits)
    shares = hits / images
    shown = min(SHOWN, len(found) // 2)
    low, middle, high = np.quantile(shares, (0.25, 0.5, 0.75)).tolist()
    return GroupScores(
        kind=independent(rows).kind,
        number=len(found),
        of=len(every),
        least_images=LEAST_IMAGES,
        quartiles=(low, middle, high),
        spread=_spread(images, shares),
        p=p,
        differ=p < LEVEL,
        worst=tuple(ordered[:shown]),
        best=tuple(ordered[::-1][:shown]),
    )


def _group_score(name: tuple[object, ...], part: pl.DataFrame) -> GroupScore:
    right = part["right"].to_numpy()
    return GroupScore(
        group=str(name[0]),
        images=len(right),
        right=int(right.sum()),
        interval=share_interval(right, part["near_group"].to_numpy()),
    )


def _p_of_no_difference(images: NDArray[np.float64], hits: NDArray[np.float64]) -> float:
    """Pearson's chi-squared of a table of groups by right and wrong; 1 where all are right, or all wrong."""
    share = hits.sum() / images.sum()
    if share in (0, 1):
        return 1.0
    statistic = ((hits - images * share) ** 2 / (images * share * (1 - share))).sum()
    return chi_squared_tail(float(statistic), len(images) - 1)


def _spread(images: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Standard deviation of true shares, by moments: the variance seen less the mean of the groups' own, from 0."""
    own = shares * (1 - shares) / (images - 1)
    return float(np.sqrt(max(0.0, shares.var(ddof=1) - own.mean())))
