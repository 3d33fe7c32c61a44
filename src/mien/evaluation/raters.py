"""How far raters agree with each other, and a model beside them.

One rater against the majority of the others is the human ceiling: what can be asked of a model on these photos. The
model is held against the same majorities, so that both numbers are of the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.agreement import Estimate, cohen, fleiss, krippendorff, one_against_others, rater_apart, share_difference
from mien.data.grouping.independence import independent
from mien.data.sources.votes import UNDECIDED, is_no_class
from mien.data.tables.manifest import rater_columns, usable, vote_columns
from mien.evaluation.predictions import as_results, kind_of, over, probabilities
from mien.labels import class_indices, class_places
from mien.metrics import score, share_interval
from mien.results.raters import (
    Agreement,
    AgreementMeasure,
    BesideRaters,
    Disputed,
    NamedRater,
    RaterPair,
    Raters,
    ShareOf,
)
from mien.results.scores import GroupKind, Over

__all__ = ["measure_agreement", "measure_raters"]

FLOOR = 1e-4
"""Probabilities below count as this: tables of answers round them to two or four digits."""
MOST_DISPUTED = 24
MOST_PAIRS = 45
"""Pairs of raters that are looked at: ten raters have as many."""
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class _Votes:
    """Votes of N photos.

    Attributes:
        rows: of the manifest.
        classes: the K classes.
        shares: (N, K) votes as the table has them, which may be shares.
        counts: (N, K) whole votes; None where they are shares.
        groups: (N,) what is independent.
        kind: what the groups are.
    """

    rows: pl.DataFrame
    classes: tuple[str, ...]
    shares: NDArray[np.float64]
    counts: Ints | None
    groups: Ints
    kind: GroupKind


def measure_raters(
    manifest: pl.DataFrame,
    predictions: pl.DataFrame,
    labels: Sequence[str],
    names: Mapping[str, str] | None = None,
    *,
    has_probabilities: bool = True,
) -> Raters | None:
    """What the raters of photos say, and a model beside them; None where there are no votes on what it answered.

    Args:
        manifest: every row, photos without a majority included.
        predictions: of the photos that were answered.
        labels: the model's classes.
        names: class of the photos → class of the model; photos of other classes are left out. Equal names where None.
        has_probabilities: whether the probabilities are more than the answer.
    """
    known = names if names is not None else {label: label for label in labels}
    scored = predictions.filter(pl.col("label").is_in(list(known)))
    voted = _voted(manifest.join(scored.select("row"), on="row", how="inner", maintain_order="left"))
    if voted is None:
        return None
    answered = voted.rows.select("row").join(scored, on="row", how="left", maintain_order="left")
    beside = _Beside(voted, answered, tuple(labels), known)
    return Raters(agreement=measure_agreement(manifest), model=_beside(beside, has_probabilities=has_probabilities))


def measure_agreement(manifest: pl.DataFrame) -> Agreement | None:
    """How far raters agree; None where no photo has two whole votes.

    Args:
        manifest: every row; those that have no label only because raters part count as well.
    """
    is_undecided = pl.any_horizontal(pl.col("reason").str.starts_with(each) for each in UNDECIDED).fill_null(False)
    voted = _voted(manifest.filter((pl.col("status") == "ok") | ((pl.col("status") == "ignored") & is_undecided)))
    if voted is None or voted.counts is None or not (voted.counts.sum(1) >= 2).any():
        return None
    counts, n = voted.counts, voted.counts.sum(1)
    several = n >= 2
    alike = several & (counts.max(1) == n)
    ratings = one_against_others(counts)
    is_class = np.array([not is_no_class(name) for name in voted.classes])[ratings.truth]
    found = score(
        ratings.truth[is_class], ratings.said[is_class], voted.classes, groups=voted.groups[ratings.photo[is_class]]
    )
    said = _said(voted)
    return Agreement(
        photos=len(counts),
        unanimous=int(alike.sum()),
        split=int((several & ~alike).sum()),
        least_votes=int(n.min()),
        most_votes=int(n.max()),
        fleiss=_measure(fleiss(counts, voted.groups)),
        krippendorff=_measure(krippendorff(counts, voted.groups)),
        ceiling=as_results(found, voted.kind),
        pairs=_pairs(said, len(voted.classes), voted.groups),
        raters=_named(said, voted),
        disputed=_disputed(voted),
        over=Over.counted(len(np.unique(voted.groups)), voted.kind),
    )


def _voted(rows: pl.DataFrame) -> _Votes | None:
    """The rows that have votes; None without any."""
    columns = vote_columns(rows)
    if not columns:
        return None
    voted = rows.filter(pl.sum_horizontal(pl.col(name).fill_null(0) for name in columns.values()) > 0)
    if voted.is_empty():
        return None
    shares = voted.select(pl.col(name).fill_null(0).cast(pl.Float64) for name in columns.values()).to_numpy()
    whole = bool((shares == np.round(shares)).all())
    groups, kind = _groups(voted)
    return _Votes(voted, tuple(columns), shares, shares.astype(np.int64) if whole else None, groups, kind)


def _groups(rows: pl.DataFrame) -> tuple[Ints, GroupKind]:
    """What photos depend on: as where they are scored; of those that are not, their person, or each by itself."""
    read = usable(rows)
    if read.is_empty():
        return np.arange(len(rows)), "pictures"
    groups = independent(read)
    of_row = dict(zip(read["row"].to_list(), groups.of.tolist(), strict=True))
    people = [(source, group) for source, group in read.select("source", "group").iter_rows()]
    of_person = dict(zip(people, groups.of.tolist(), strict=True))
    found, free = [], int(rows["row"].max() or 0) + 1  # type: ignore[arg-type]  # a column of integers
    for row, source, group in rows.select("row", "source", "group").iter_rows():
        own = of_row.get(row)
        if own is None and group is not None:
            own = of_person.setdefault((source, group), free)
        found.append(free if own is None else own)
        free += 1
    return np.array(found, np.int64), groups.kind


def _said(voted: _Votes) -> dict[str, Ints]:
    """Named rater → (N,) the place of what the rater said among the classes; −1 for nothing."""
    place = class_places(voted.classes)
    return {
        name: np.array([place.get(each, -1) if each is not None else -1 for each in voted.rows[column]], np.int64)
        for name, column in rater_columns(voted.rows).items()
    }


def _measure(found: Estimate) -> AgreementMeasure:
    return AgreementMeasure(value=found.value, interval=found.interval, photos=found.n)


def _pairs(said: Mapping[str, Ints], k: int, groups: Ints) -> tuple[RaterPair, ...]:
    pairs = list(combinations(said, 2))
    if len(pairs) > MOST_PAIRS:
        return ()
    told = []
    for first, second in pairs:
        found = cohen(said[first], said[second], k, groups)
        told.append(RaterPair(first=first, second=second, photos=found.n, kappa=found.value, interval=found.interval))
    return tuple(told)


def _named(said: Mapping[str, Ints], voted: _Votes) -> tuple[NamedRater, ...]:
    """Each named rater against the majority of the others, and whether the rater parts from them."""
    if len(said) < 2:
        return ()
    assert voted.counts is not None
    every = np.column_stack(list(said.values()))
    found = []
    for i, (name, own) in enumerate(said.items()):
        agrees = _agrees(voted.counts, own, voted.classes)
        kept = ~np.isnan(agrees)
        apart = rater_apart(every, i, voted.groups, len(said))
        share = _share(agrees[kept].astype(bool), voted.groups[kept])
        found.append(
            NamedRater(
                name=name,
                rated=int((own >= 0).sum()),
                photos=share.images,
                agrees=share.share,
                interval=share.interval,
                difference=apart.value,
                verdict=apart.verdict,
            )
        )
    return tuple(sorted(found, key=lambda each: (each.difference or 0.0, each.name)))


def _agrees(counts: Ints, place: Ints, classes: Sequence[str]) -> NDArray[np.float64]:
    """Whether a rater says what most of the others say (N,); NaN where the rater or the others say nothing."""
    told = np.flatnonzero(place >= 0)
    others = counts[told].copy()
    others[np.arange(len(told)), place[told]] -= 1
    most = others.max(1, initial=0)
    is_class = np.array([not is_no_class(name) for name in classes])[others.argmax(1)]
    single = ((others == most[:, None]).sum(1) == 1) & (most > 0) & is_class
    found = np.full(len(counts), np.nan)
    found[told[single]] = others[single].argmax(1) == place[told][single]
    return found


def _disputed(voted: _Votes) -> tuple[Disputed, ...]:
    """The photos on which raters agree least: the smallest share of the first class, then the most votes."""
    n = voted.shares.sum(1)
    first = voted.shares.max(1) / n
    order = [i for i in np.lexsort((voted.rows["row"].to_numpy(), -n, first)) if first[i] < 1 and n[i] >= 2]
    return tuple(
        Disputed(path=voted.rows["path"][int(i)], row=voted.rows["row"][int(i)], votes=_told(voted, int(i)))
        for i in order[:MOST_DISPUTED]
    )


def _told(voted: _Votes, i: int) -> dict[str, float]:
    votes = voted.shares[i]
    return {voted.classes[k]: float(votes[k]) for k in np.argsort(-votes, kind="stable") if votes[k]}


@dataclass(frozen=True)
class _Beside:
    """Votes on N photos with a model's answers.

    Attributes:
        answered: rows of the table of predictions, in the order of the votes.
        labels: the model's classes.
        names: class of the photos → class of the model.
    """

    voted: _Votes
    answered: pl.DataFrame
    labels: tuple[str, ...]
    names: Mapping[str, str]

    @property
    def groups(self) -> Ints:
        """(N,) what is independent, as the scores have it."""
        return self.answered["split_group"].to_numpy()

    @property
    def answers(self) -> Ints:
        """(N,) places among the model's classes."""
        return np.asarray(probabilities(self.answered, self.labels).argmax(1))

    def merged(self) -> NDArray[np.float64]:
        """Votes (N, L + M): of the model's L classes, and behind them of the M that it has no word for."""
        place = class_places(self.labels)
        own = [self.names.get(name) for name in self.voted.classes]
        extra = [name for name, mine in zip(self.voted.classes, own, strict=True) if mine is None]
        out = np.zeros((len(self.voted.shares), len(self.labels) + len(extra)))
        for k, (name, mine) in enumerate(zip(self.voted.classes, own, strict=True)):
            out[:, place[mine] if mine is not None else len(self.labels) + extra.index(name)] += self.voted.shares[:, k]
        return out


def _beside(beside: _Beside, *, has_probabilities: bool) -> BesideRaters:
    votes, answers, groups = beside.merged(), beside.answers, beside.groups
    truth = class_indices(beside.answered["label"], beside.labels, beside.names)
    right, n = answers == truth, votes.sum(1)
    is_voted = n >= 2 if beside.voted.counts is not None else n > 0
    alike = is_voted & (votes.max(1) >= n * (1 - 1e-6))
    kind = kind_of(beside.answered)
    shared = np.array([label in beside.names.values() for label in beside.labels])
    against = _against_majorities(votes, answers, groups, shared) if beside.voted.counts is not None else None
    losses = _log_losses(beside, votes, shared) if has_probabilities else (None, None, None)
    nobody = ShareOf(images=0, share=None, interval=None)
    return BesideRaters(
        votes=against.votes if against else 0,
        rater=against.rater if against else nobody,
        model=against.model if against else nobody,
        difference=against.apart.value if against else None,
        interval=against.apart.interval if against else None,
        verdict=against.apart.verdict if against else "cannot tell",
        unanimous=_share(right[alike], groups[alike]),
        split=_share(right[is_voted & ~alike], groups[is_voted & ~alike]),
        against_each=_against_each(beside, answers, groups),
        log_loss=losses[0],
        least_log_loss=losses[1],
        uniform_log_loss=losses[2],
        floor=FLOOR,
        over=Over.counted(len(np.unique(groups)), kind) if len(groups) else over(beside.answered),
    )


@dataclass(frozen=True)
class _Against:
    """A model and single raters against the same majorities of the other raters."""

    votes: int
    rater: ShareOf
    model: ShareOf
    apart: Estimate


def _against_majorities(votes: NDArray[np.float64], answers: Ints, groups: Ints, shared: Bools) -> _Against | None:
    """None where no photo of a shared class has a majority without one of its raters."""
    ratings = one_against_others(votes.astype(np.int64))
    known = np.concatenate([shared, np.zeros(votes.shape[1] - len(shared), np.bool_)])
    kept = known[ratings.truth]
    photo, said, truth = ratings.photo[kept], ratings.said[kept], ratings.truth[kept]
    if not len(photo):
        return None
    rater, model = said == truth, answers[photo] == truth
    return _Against(
        votes=len(photo),
        rater=_share(rater, groups[photo], len(np.unique(photo))),
        model=_share(model, groups[photo], len(np.unique(photo))),
        apart=share_difference(model.astype(float), rater.astype(float), groups[photo]),
    )


def _share(hits: Bools, groups: Ints, images: int | None = None) -> ShareOf:
    n = len(hits) if images is None else images
    share = float(hits.mean()) if len(hits) else None
    return ShareOf(images=n, share=share, interval=share_interval(hits, groups) if len(hits) else None)


def _against_each(beside: _Beside, answers: Ints, groups: Ints) -> dict[str, ShareOf]:
    """Named rater → how often the model says what the rater said, where that is a shared class."""
    place = class_places(beside.labels)
    own = np.array([place[beside.names[name]] if name in beside.names else -1 for name in beside.voted.classes])
    found = {}
    for name, said in _said(beside.voted).items():
        meant = np.where(said >= 0, own[said], -1)
        kept = meant >= 0
        found[name] = _share((answers == meant)[kept], groups[kept])
    return found


def _log_losses(
    beside: _Beside, votes: NDArray[np.float64], shared: Bools
) -> tuple[float | None, float | None, float | None]:
    """Of the model's probabilities, of the raters' own shares, and of the same for each class."""
    wanted = votes[:, : len(shared)][:, shared]
    probs = probabilities(beside.answered, beside.labels)[:, shared]
    kept = (wanted.sum(1) > 0) & (probs.sum(1) > 0)  # a photo without an answer has none
    if not kept.any():
        return None, None, None
    q = wanted[kept] / wanted[kept].sum(1, keepdims=True)
    p = np.maximum(probs[kept], FLOOR)
    entropy = -(q * np.log(np.where(q > 0, q, 1.0))).sum(1)
    return float(-(q * np.log(p)).sum(1).mean()), float(entropy.mean()), float(np.log(shared.sum()))
