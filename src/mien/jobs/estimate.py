"""What an audit or a study would take: some of its photos go through the real work, and the rest is worked out.

Reading, faces and features grow with the number of photos, and so do the small fits; the search for copies is timed
among pictures made by chance, in two sizes, for it grows faster. What a processor did is told from how long it
took: the least is for a machine on which nothing else runs, the most for one as busy as it is now.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec
import numpy as np
import polars as pl

from mien.auditing.examine import judges_labels
from mien.auditing.features import SETTINGS as PROBE
from mien.auditing.features import VIEWS
from mien.data.grouping import cells
from mien.data.grouping.duplicates import find_pairs
from mien.data.grouping.splits import parse_shares
from mien.data.measuring.faces import FaceDetector
from mien.data.measuring.fingerprints import SIDE
from mien.data.reading.intake import MANY, MOST_PROCESSES, SMALL_FILE, take_in
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import UnreadableImageError, View, decode, render
from mien.data.sources import Source, SourceFile
from mien.data.sources.collection import Collection, open_collection, open_with_target
from mien.data.tables.manifest import usable
from mien.data.tables.outline import outline, outline_study
from mien.errors import MissingExtraError
from mien.extras import extra
from mien.models.backbones import Backbone, load_backbone
from mien.progress import Progress
from mien.results.outline import OutlineResults, WorkEstimate
from mien.settings.audit import AuditSettings
from mien.settings.run import HeadRun, RunConfig
from mien.settings.study import StudySettings
from mien.system.scratch import work_folder

__all__ = ["outlined_audit", "outlined_study"]

LEAST, SAMPLE, AT_A_TIME = 100, 200, 20
"""Photos from which on an estimate is made, photos that are timed, and how many of them together."""
PATIENCE = 20.0
"""Seconds after which no more photos are timed."""
SHOWN_TO_NETWORKS = 40
SEARCHED, COARSE = (500, 1500), 8
"""Pictures among which copies are looked for, to time it."""
START = {"audit": 4.0, "study": 14.0}
"""Seconds of one processor that libraries take to be there, and a report to be written."""
FIT = {"judge": 1.3e-3, "head": 3e-3}
"""Seconds of one processor for each photo that labels are judged by, or that a head is fitted to in all its folds."""
WORSE = 16
"""Ways and degrees in which test photos are made worse, of which as many are looked at as ``MOST_PIXELS`` allows."""
MOST_PIXELS = 6_000_000
COVERED = 2
"""How often the test photos are looked at once they were answered: whole faces and backgrounds are covered."""
ROW_BYTES, FEATURE_BYTES, FEATURES = 2_500, 4, 1_280
IN_PIECES = 300
"""MB that the search for a penalty and a fit in pieces take, of however many photos."""
LATER = 70
"""MB of libraries that a dry run does not load."""
MARGIN = 1.15
CORES = (4, 16)
Key = tuple[str, str]
"""A backbone and a view, by name."""


@dataclass(frozen=True)
class Timed:
    """What something took: seconds of the clock, and of all processors together."""

    wall: float
    cpu: float

    def times(self, factor: float) -> Timed:
        """The same, so many times."""
        return Timed(self.wall * factor, self.cpu * factor)


@dataclass
class Work:
    """The parts of the work that were timed, or are known.

    Attributes:
        spread: stage → what it takes; its work can be done by several cores at once.
        alone: stage → seconds of one processor.
        left_out: what is not known.
    """

    spread: dict[str, Timed] = field(default_factory=dict)
    alone: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def seconds(self, cores: int, *, is_busy: bool = False) -> float:
        """How long it takes on a machine with so many cores, idle or as busy as this one is now."""
        spread = sum(each.wall if is_busy else each.cpu / min(cores, MOST_PROCESSES) for each in self.spread.values())
        busy = self._busy() if is_busy else 1.0
        return spread + busy * sum(self.alone.values())

    def _busy(self) -> float:
        """How many times longer work takes now than on an idle machine."""
        cpu = sum(each.cpu for each in self.spread.values())
        wall = sum(each.wall for each in self.spread.values())
        return max(1.0, wall * _cores() / cpu) if cpu else 1.0


@dataclass(frozen=True)
class Sample:
    """Photos that were read.

    Attributes:
        manifest: a row each.
        pixels: their views and fingerprints.
        took: for one of them.
        decoded: what decoding one again takes.
        n: how many there are in all.
    """

    manifest: pl.DataFrame
    pixels: Pixels
    took: Timed
    decoded: Timed
    n: int


def outlined_audit(settings: AuditSettings, progress: Progress) -> OutlineResults:
    """What an audit would read, and what it would take.

    Raises:
        SourceError: as ``open_collection`` does.
    """
    collection = open_collection(settings.data, settings.columns)
    found, checks = outline(collection), settings.checks
    n = sum(len(source.files) for source in collection.sources)
    unjudged = judges_labels(checks.leak_premium or checks.check_labels, n)
    sample = _sampled([collection], () if unjudged else VIEWS, settings.face_search.find_faces, progress)
    if sample is None:
        return found
    work = _read_and_searched(sample, START["audit"])
    if unjudged is None:
        _judged(work, sample, progress)
    if checks.leak_premium:
        work.left_out.append("scores of divisions that leak")
    return _with(found, work, sample, () if unjudged else VIEWS)


def outlined_study(settings: StudySettings, progress: Progress) -> OutlineResults:
    """What a study would read, and what it would take; the former alone without what training needs.

    Raises:
        SourceError: as ``open_with_target`` does.
    """
    data, target = open_with_target(settings.data, settings.elsewhere.target, settings.columns)
    found = outline_study(settings, data, target)
    try:
        with extra("train", "an estimate of what a study takes"):
            from mien.training.recipes import resolve_run, views_of
    except MissingExtraError as error:
        progress.tell(str(error))
        return found
    runs = [resolve_run(name, settings, data.labels) for name in dict.fromkeys(settings.training.recipes)]
    n = sum(len(source.files) for source in data.sources)
    is_judged = judges_labels(settings.checks.leak_premium or settings.checks.check_labels, n) is None
    views = {view.key: view for run in runs for view in views_of(run)}
    views |= {view.key: view for view in (VIEWS if is_judged else VIEWS[:1])}
    sets = [data, *([target] if target else [])]
    n_files = sum(len(source.files) for collection in sets for source in collection.sources)
    keeps = settings.keeping.keeps([run.name for run in runs if not isinstance(run, HeadRun)], n_files)
    sample = _sampled(sets, tuple(views.values()), True, progress)
    if sample is None:
        return found
    work = _read_and_searched(sample, START["study"])
    if is_judged:
        probed = any(isinstance(run, HeadRun) and run.head.photo_backbone == PROBE.photo_backbone for run in runs)
        _judged(work, sample, progress, parse_shares(settings.division.split).train if probed else 0.0)
    _trained(work, sample, runs, settings, progress)
    if not keeps:
        work.spread["decode again"] = sample.decoded.times(sample.n * _looks(len(runs), settings, is_judged=is_judged))
    fits_heads = any(isinstance(run, HeadRun) for run in runs)
    looked_at = tuple(views.values())
    return _with(found, work, sample, looked_at, keeps_pixels=keeps, fits_heads=fits_heads, is_judged=is_judged)


def _looks(n_runs: int, settings: StudySettings, *, is_judged: bool) -> float:
    """How often a photo is decoded again that is not kept: to learn from, to be answered, and to judge its label."""
    shares = parse_shares(settings.division.split)
    return n_runs * (1 + shares.train) + COVERED * shares.test + is_judged


def _sampled(
    collections: Sequence[Collection], views: Sequence[View], find_faces: bool, progress: Progress
) -> Sample | None:
    """Read photos that lie evenly among all, until there are enough or patience ends; None where that says nothing."""
    sources = [source for collection in collections for source in collection.sources]
    files = [(source, file) for source in sources for file in source.files if file.ignored is None]
    if len(files) < LEAST:
        return None
    chosen = files[:: max(1, len(files) // SAMPLE)][:SAMPLE]
    detector = FaceDetector() if find_faces else None
    tables, took, done = list[pl.DataFrame](), Timed(0.0, 0.0), 0
    with (
        PixelWriter(None, views, len(chosen)) as writer,
        progress.step("time a sample", len(chosen), "photos") as advance,
    ):
        _take_into([], chosen[:2], views, writer, detector)  # what is made ready once counts for no photo
        started = time.perf_counter()
        for start in range(0, len(chosen), AT_A_TIME):
            some = chosen[start : start + AT_A_TIME]
            one = _timed(partial(_take_into, tables, some, views, writer, detector))
            took, done = Timed(took.wall + one.wall, took.cpu + one.cpu), done + len(some)
            advance(len(some))
            if time.perf_counter() - started > PATIENCE:
                break
    manifest = pl.concat(tables, how="diagonal")
    if len(usable(manifest)) < LEAST // 10:
        return None
    each = took.times(1 / done)
    if len(files) >= MANY and _are_small(chosen):  # which are read in processes then, for threads wait for each other
        each = Timed(each.cpu / min(_cores(), MOST_PROCESSES) * max(1.0, each.wall / each.cpu), each.cpu)
    decoded = _timed(lambda: _decode(chosen[:done][:AT_A_TIME], views)).times(1 / min(done, AT_A_TIME))
    return Sample(manifest, writer.pixels, each, decoded, len(files))


def _decode(some: Sequence[tuple[Source, SourceFile]], views: Sequence[View]) -> None:
    """Make views of photos whose faces are known."""
    for source, file in some:
        with suppress(OSError, UnreadableImageError):
            image = decode(source.read(file)).image
            for view in views:
                render(image, view, None)


def _take_into(
    tables: list[pl.DataFrame],
    some: Sequence[tuple[Source, SourceFile]],
    views: Sequence[View],
    writer: PixelWriter,
    detector: FaceDetector | None,
) -> None:
    """Read photos as the work itself does, behind those that were read before."""
    for source in {id(source): source for source, _ in some}.values():
        alone = replace(source, files=tuple(file for each, file in some if each is source), own=None)
        tables.append(take_in(alone, views, writer, detector, first_row=sum(map(len, tables))))


def _are_small(chosen: Sequence[tuple[Source, SourceFile]]) -> bool:
    with suppress(OSError):
        return all(len(source.read(file)) < SMALL_FILE for source, file in chosen[:8])
    return False


def _read_and_searched(sample: Sample, start: float) -> Work:
    work = Work(alone={"start": start})
    work.spread["read"] = sample.took.times(sample.n)
    work.spread["find copies"] = _search(sample)
    return work


def _search(sample: Sample) -> Timed:
    """What the search for copies among all photos takes: timed among pictures by chance, in two sizes."""
    ok = usable(sample.manifest)
    crops = len(ok.filter(pl.col("face_kind") == "crop")) / len(ok)
    chance = np.random.default_rng(0)

    def searched(n: int) -> Timed:
        coarse = chance.integers(0, 256, (n, COARSE, COARSE), np.uint8)
        pictures = coarse.repeat(SIDE // COARSE, 1).repeat(SIDE // COARSE, 2)
        is_crop = chance.random(n) < crops
        return _timed(lambda: find_pairs(lambda some: pictures[some], is_crop))

    few, many = (searched(n) for n in SEARCHED)
    a, b = SEARCHED

    def at(one: float, other: float) -> float:
        square = max(0.0, (other / b - one / a) / (b - a))
        linear = max(0.0, one / a - square * a)
        reach = min(sample.n, cells.FROM) if crops > 0.5 else sample.n  # from there on cells are searched
        return linear * sample.n + square * sample.n * reach

    return Timed(at(few.wall, many.wall), at(few.cpu, many.cpu))


def _judged(work: Work, sample: Sample, progress: Progress, known: float = 0.0) -> None:
    """Add what judging labels takes; ``known`` is the share of the photos whose features a recipe computes anyway."""
    backbone = load_backbone(PROBE.photo_backbone)
    passes = {(backbone.name, view.key): (backbone, view) for view in VIEWS}
    took = _through(sample, passes, progress)
    work.spread["look at photos and faces"] = _sum(each.times(sample.n * (1 - known)) for each in took.values())
    work.alone["judge labels"] = FIT["judge"] * sample.n


def _trained(
    work: Work, sample: Sample, runs: Sequence[RunConfig], settings: StudySettings, progress: Progress
) -> None:
    """Add what training and scoring take: frozen features, heads; networks that are trained are not timed."""
    from mien.training.recipes import views_of

    shares = parse_shares(settings.division.split)
    heads = [run for run in runs if isinstance(run, HeadRun)]
    others = [run.name for run in runs if not isinstance(run, HeadRun)]
    if others:
        work.left_out.append(f"training of {', '.join(others)}")
    if settings.crossing.folds is not None:
        work.left_out.append("what folds add")
    passes, often = dict[Key, tuple[Backbone, View]](), Counter[Key]()
    test = shares.test
    for run in heads:
        names = (run.head.photo_backbone, run.head.face_backbone)
        worse = min(test * sample.n, MOST_PIXELS / sum(view.size**2 for view in views_of(run)))
        for name, view in zip(names, views_of(run), strict=True):
            passes[name, view.key] = (load_backbone(name), view)
            learnt = shares.train * sample.n * (1 + run.head.mirrored)
            scored = (1 + COVERED * test / len(heads)) * sample.n + WORSE * worse / len(heads)
            often[name, view.key] += round(learnt + scored)
    took = _through(sample, passes, progress)
    work.spread["train and score"] = _sum(took[key].times(often[key]) for key in took)
    work.alone["fit heads"] = FIT["head"] * shares.train * sample.n * sum(1 + run.head.mirrored for run in heads)


def _through(sample: Sample, passes: Mapping[Key, tuple[Backbone, View]], progress: Progress) -> dict[Key, Timed]:
    """What each backbone takes for one photo."""
    from mien.models.exports import export_backbones
    from mien.training.features import FeatureCache

    photos = usable(sample.manifest).select("row", "sha256").unique("sha256", maintain_order=True)
    photos = photos.head(SHOWN_TO_NETWORKS)
    took = {}
    with work_folder() as folder:
        export_backbones([(backbone, view.size) for backbone, view in passes.values()], folder, progress)
        for key, (backbone, view) in passes.items():
            FeatureCache(folder / "first", sample.pixels).of(backbone, view, photos.head(2))
            cache = FeatureCache(folder / "rest", sample.pixels)
            one = _timed(partial(cache.of, backbone, view, photos))
            took[key] = one.times(1 / len(photos))
    return took


def _with(
    found: OutlineResults,
    work: Work,
    sample: Sample,
    views: Sequence[View],
    *,
    keeps_pixels: bool = True,
    fits_heads: bool = False,
    is_judged: bool = True,
) -> OutlineResults:
    here = _cores()
    low, high = sorted((work.seconds(here) / MARGIN, work.seconds(here, is_busy=True) * MARGIN))
    pixels = (sum(view.size**2 * 3 for view in views) if keeps_pixels else 0) + SIDE * SIDE
    in_memory, on_disk = _features(sample.n, len(views), fits_heads=fits_heads, is_judged=is_judged)
    estimate = WorkEstimate(
        sampled=len(sample.manifest),
        photos=sample.n,
        seconds=(round(low, 1), round(high, 1)),
        by_cores={str(n): (round(work.seconds(n) / MARGIN, 1), round(work.seconds(n) * MARGIN**2, 1)) for n in CORES},
        stages={name: round(each.cpu, 1) for name, each in work.spread.items()}
        | {name: round(each, 1) for name, each in work.alone.items()},
        memory_mb=round(_megabytes() + LATER + sample.n * ROW_BYTES / 2**20 + in_memory, 0),
        disk_mb=round(sample.n * pixels / 2**20 + on_disk, 0),
        left_out=tuple(work.left_out),
    )
    return msgspec.structs.replace(found, estimate=estimate)


def _features(n: int, views: int, *, fits_heads: bool, is_judged: bool) -> tuple[float, float]:
    """MB of features in memory and on the disk; those by which labels are judged are always read whole."""
    from mien.training.feature_parts import MANY

    one = n * FEATURES * FEATURE_BYTES / 2**20
    if not fits_heads or n < MANY:
        return 2 * views * one, 2 * views * one  # mirror images, or copies in a fit
    judged = len(VIEWS) * one if is_judged else 0.0
    return IN_PIECES + 2 * judged, views * one + judged


def _sum(parts: Iterable[Timed]) -> Timed:
    some = list(parts)
    return Timed(sum(each.wall for each in some), sum(each.cpu for each in some))


def _timed(work: Callable[[], object]) -> Timed:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timed(time.perf_counter() - wall, time.process_time() - cpu)


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _megabytes() -> float:
    """The most that this process has held; 0 where the system does not say it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10
