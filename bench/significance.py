"""Do the test and the interval of ``mien compare`` hold? Simulated comparisons, with everything that makes it hard.

Each comparison draws a pool of photos, divides it into overlapping folds, and trains real, if small, learners (ridge
regression) on it. Two arms see different noise of the same photos, so they err on different ones, and each run draws
its own features and weights, as a seed does. Arms without a gap are equal by symmetry, over pools; nothing is known
but the pool. Printed for each kind of learner and number of pairs: how often equal arms (a family of two contrasts,
Holm) get a verdict, and how often one of their classes does; how often a true difference of five points does (one
contrast); how often the 95 % interval of a difference holds the truth; and what the usual paired t-test and Nadeau and
Bengio's would say of equal arms.

    python bench/significance.py [COMPARISONS] [PROCESSES]      default: 1000 2; about 10 minutes
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool as Processes
from multiprocessing.pool import Pool as Workers

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from mien.family import holm
from mien.significance import Estimate, estimate, fewest_pairs, paired, verdict

Floats = NDArray[np.float64]
PHOTOS, CLASSES, FOLDS = 850, 6, 6
PAIRS = (6, 7, 12, 24)
Tested = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int, NDArray[np.int64], int]
"""What ``paired`` takes: truth, both arms' answers, classes, photos, how many were learnt from."""
SEED = 40_000  # not that of the simulations which LEARNT_FROM was chosen by
HEADER = """\
| learner | pairs | wrong verdicts, two contrasts | one contrast | on any class of two contrasts \
| intervals that hold: equal arms, different arms \
| true difference, points | power | wrong by the usual t-test | by Nadeau and Bengio's |
|---|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Learner:
    """How the simulated procedure behaves.

    Attributes:
        features: numbers it sees of a photo; the more, the more the photos it learns from matter.
        kept: share of the features that a run draws.
        weighted: whether a run also draws weights of its photos.
        gap: relative advantage of the first arm that makes about five points of macro-F1.
    """

    name: str
    features: int
    kept: float
    weighted: bool
    gap: float


LEARNERS = (
    Learner("runs differ little", 24, 1.0, False, 0.135),
    Learner("as much as photos", 24, 0.85, True, 0.13),
    Learner("more than photos", 24, 0.7, True, 0.125),
    Learner("learns from each photo", 64, 0.8, False, 0.12),
    Learner("the same, no seed", 64, 1.0, False, 0.12),
)


def centres(learner: Learner) -> Floats:
    """(C, D) means of the classes, the same for all pools."""
    drawn = np.random.default_rng(99).standard_normal((CLASSES, learner.features))
    return np.asarray(drawn * 0.5 / np.sqrt(learner.features / 24))


def answers(
    x: Floats, y: NDArray[np.int64], fold: NDArray[np.bool_], learner: Learner, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Train one run on the photos outside a fold, and answer those in it."""
    kept = np.flatnonzero(rng.random(x.shape[1]) < learner.kept)
    weight = rng.exponential(size=int((~fold).sum())) if learner.weighted else np.ones(int((~fold).sum()))
    seen = x[~fold][:, kept]
    weighted = seen * weight[:, None]
    ridge = weighted.T @ seen + 5 * np.eye(len(kept))
    solved = np.linalg.solve(ridge, weighted.T @ (np.eye(CLASSES)[y[~fold]] - 1 / CLASSES))
    return np.asarray((x[fold][:, kept] @ solved).argmax(1))


def folds(rng: np.random.Generator, n: int) -> Iterator[NDArray[np.bool_]]:
    """The first n folds of repeated divisions."""
    for i in range(n):
        if i % FOLDS == 0:
            part = rng.permutation(PHOTOS) % FOLDS
        yield part == i % FOLDS


def comparison(learner: Learner, n: int, gap: float, seed: tuple[int, int]) -> list[list[Tested]]:
    """The pairs of two contrasts of three equal arms, or of the one of a better arm and another."""
    rng = np.random.default_rng(seed)
    mean = centres(learner)
    y = rng.integers(0, CLASSES, PHOTOS)
    hard, shape = np.exp(0.5 * rng.standard_normal((PHOTOS, 1))), (PHOTOS, learner.features)
    common = rng.standard_normal(shape)
    noise = [hard * (common + rng.standard_normal(shape)) / np.sqrt(2) for _ in range(2 if gap else 3)]
    arms = [mean[y] * (1 + (gap if i == 0 else 0)) + each for i, each in enumerate(noise)]
    contrasts: list[list[Tested]] = [[] for _ in arms[1:]]
    for fold in folds(rng, n):
        said = [answers(x, y, fold, learner, rng) for x in arms]
        for pairs, other in zip(contrasts, said[1:], strict=True):
            pairs.append((y[fold], said[0], other, CLASSES, np.flatnonzero(fold), int((~fold).sum())))
    return contrasts


@dataclass(frozen=True)
class Judged:
    """A simulated comparison.

    Attributes:
        found: estimates of the contrasts.
        of_classes: those of each class in each contrast; of equal arms.
        others: p of the usual and the corrected resampled t-test of the first.
    """

    found: list[Estimate]
    of_classes: list[Estimate]
    others: list[float]


def judged(learner: Learner, n: int, gap: float, seed: tuple[int, int]) -> Judged:
    """One comparison, judged in every way."""
    contrasts = comparison(learner, n, gap, seed)
    found = [estimate([paired(*each) for each in tested]) for tested in contrasts]
    classes = range(0 if gap else CLASSES)
    of_classes = [estimate([paired(*each, of) for each in tested]) for tested in contrasts for of in classes]
    values = np.array([paired(*each).difference for each in contrasts[0]])
    variance = values.var(ddof=1)
    errors = (np.sqrt(variance / n), np.sqrt(variance * (1 / n + 1 / (FOLDS - 1))))
    return Judged(found, of_classes, [float(2 * stdtr(n - 1, -abs(values.mean()) / error)) for error in errors])


def family_verdicts(found: list[Estimate]) -> list[str]:
    """Verdicts of a family, as ``mien compare`` gives them."""
    corrected = holm([each.p for each in found])
    return [verdict(each, p, len(found)) for each, p in zip(found, corrected, strict=True)]


def row(learner: Learner, n: int, comparisons: int, processes: Workers, seed: int) -> str:
    """One line of the table."""
    seeds = [(SEED + seed, i) for i in range(comparisons)]
    null = processes.map(partial(judged, learner, n, 0.0), seeds, chunksize=20)
    gap = processes.map(partial(judged, learner, n, learner.gap), seeds, chunksize=20)
    wrong, starred = (
        float(np.mean([any(v != "cannot tell" for v in family_verdicts(family)) for family in families]))
        for families in ([each.found for each in null], [each.of_classes for each in null])
    )
    first = [each.found[0] for each in gap]
    truth = float(np.mean([each.difference for each in first]))
    covered = np.mean([_holds(each, truth) for each in first])
    covered_null = np.mean([_holds(each.found[0], 0.0) for each in null])
    power = np.mean([verdict(each, each.p, 1) == "better" for each in first])
    usual, corrected = np.mean([np.array(each.others) <= 0.05 for each in null], axis=0)
    shown = [
        f"{learner.name} | {n} | {_shown(wrong, n, 2)} | {1 - covered_null:.1%} | {_shown(starred, n, 2 * CLASSES)}",
        f"{covered_null:.1%}, {covered:.1%} | {truth * 100:.1f} | {power:.0%} | {usual:.1%} | {corrected:.1%}",
    ]
    return f"| {' | '.join(shown)} |"


def _holds(found: Estimate, truth: float) -> bool:
    return found.interval is not None and found.interval.low <= truth <= found.interval.high


def _shown(share: float, n: int, family: int) -> str:
    return f"{share:.1%}" if n >= fewest_pairs(family) else f"{share:.1%} (too few)"


def main() -> None:
    comparisons = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(HEADER)
    with Processes(int(sys.argv[2]) if len(sys.argv) > 2 else 2) as processes:
        for number, learner in enumerate(LEARNERS):
            for n in PAIRS:
                print(row(learner, n, comparisons, processes, 1000 * (number + 1) + n), flush=True)


if __name__ == "__main__":
    main()
