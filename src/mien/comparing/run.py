"""One run of an arm on one fold: trained, its answers and costs kept, and found again by what it was made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.comparing.plan import PairPlan
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.data.reading.processes import NoProcessesError, has_cluster, processes, workers
from mien.data.reading.read_ahead import in_order
from mien.data.tables.manifest import vote_columns
from mien.errors import OutputError
from mien.evaluation.predictions import predict_rows, probabilities, write_predictions
from mien.recognizer import Recognizer
from mien.settings.run import NetworkRun, RunConfig
from mien.settings.toml import as_builtins
from mien.system.files import read_text, regular
from mien.system.sums import check_kept, kept_whole
from mien.training.history import read_history
from mien.training.run import LabelledPhotos, train_run
from mien.version import NUMBERS, __version__

__all__ = ["Finished", "run_all", "run_once"]

Row = dict[str, float]


@dataclass(frozen=True)
class Finished:
    """What is kept of a run.

    Attributes:
        key: hash of settings, photos and fold.
        predictions: of the outer fold.
        history: a row an epoch; none for a head.
        cost: ``seconds`` of training, ``images`` that passed, ``waiting`` seconds for pixels, ``updates``.
    """

    key: str
    predictions: pl.DataFrame
    history: list[Row]
    cost: dict[str, float]

    def answers(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """(N,) classes of the outer fold's photos."""
        return np.asarray(probabilities(self.predictions, labels).argmax(1), np.int64)


class _TimedPixels(Pixels):
    """Pixels that know how long they were waited for: batches are read between updates, in the same thread."""

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels._place)
        self.seconds = 0.0

    def read_views(  # type: ignore[explicit-any]  # NumPy's own
        self, views: Sequence[View], rows: NDArray[np.integer] | Sequence[int]
    ) -> dict[str, NDArray[np.uint8]]:
        start = time.perf_counter()
        try:
            return super().read_views(views, rows)
        finally:
            self.seconds += time.perf_counter() - start


def run_all(
    wanted: Sequence[tuple[RunConfig, PairPlan]], photos: LabelledPhotos, folder: Path, jobs: int
) -> Iterator[Finished]:
    """Each run in its order, ``jobs`` of them side by side in processes that share the cores.

    On a cluster there are as many as it has room for, each with the threads that it would have here.

    Equal ones, as those of heads under several budgets are, are one.

    Args:
        photos, folder: as for ``run_once``.

    Raises:
        WorkFailedError: if a process is ended from outside.
    """
    if jobs == 1 and not has_cluster():
        yield from (run_once(run, plan, photos, folder) for run, plan in wanted)
        return
    keys = [_key(run, plan) for run, plan in wanted]
    try:
        yield from _side_by_side(wanted, keys, photos, folder, jobs)
    except NoProcessesError:  # which comes before the first run
        yield from (run_once(run, plan, photos, folder) for run, plan in wanted)


def _side_by_side(
    wanted: Sequence[tuple[RunConfig, PairPlan]], keys: Sequence[str], photos: LabelledPhotos, folder: Path, jobs: int
) -> Iterator[Finished]:
    first, done = {key: keys.index(key) for key in keys}, dict[str, Finished]()
    with processes(jobs, "Go on with --resume and fewer --jobs", needs=[*photos.pixels.files, folder.parent]) as pool:
        work, most = partial(_run_apart, photos, folder), 2 * workers(jobs)
        finished = in_order(pool, work, [wanted[i] for i in first.values()], most)
        for key in keys:
            while key not in done:
                run = next(finished)
                done[run.key] = run
            yield done[key]


def _run_apart(photos: LabelledPhotos, folder: Path, wanted: tuple[RunConfig, PairPlan]) -> Finished:
    return run_once(*wanted, photos, folder)


def run_once(run: RunConfig, plan: PairPlan, photos: LabelledPhotos, folder: Path) -> Finished:
    """Train one run and answer its outer fold, or read what an equal run left.

    Args:
        photos: whose names, labels, pixels and features are used; the rows are the plan's.
        folder: gets a folder named by the run's key.
    """
    key = _key(run, plan)
    place = folder / key
    if not (place / "cost.json").exists():
        _train(run, plan, photos, place)
    mend = f"remove {place}, and --resume does this run again"
    for name in ("cost.json", "predictions.parquet", "history.csv"):
        check_kept(place / name, mend)
    try:
        cost = json.loads(read_text(place / "cost.json"))
        predictions = pl.read_parquet(regular(place / "predictions.parquet"), glob=False)
        return Finished(key, predictions, read_history(place / "history.csv"), cost)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise OutputError(f"{place}: a run that cannot be read ({error}); {mend}") from error


def _train(run: RunConfig, plan: PairPlan, photos: LabelledPhotos, place: Path) -> None:
    pixels = _TimedPixels(photos.pixels)
    used = dataclasses.replace(photos, manifest=plan.rows, pixels=pixels)
    start = time.monotonic()
    train_run(run, used, place, advance=lambda n: None)
    seconds, waiting = time.monotonic() - start, pixels.seconds
    rows = predict_rows(Recognizer(place), photos.pixels, plan.split("test"), lambda n: None)
    write_predictions(rows, place / "predictions.parquet")
    cost = _cost(run, read_history(place / "history.csv"), len(plan.split("train")), seconds, waiting)
    for leftover in ("checkpoints", "tensorboard"):  # a comparison has hundreds of runs, and keeps no models
        shutil.rmtree(place / leftover, ignore_errors=True)
    for model in ("model.onnx", "model.onnx.data", "model.safetensors"):
        (place / model).unlink(missing_ok=True)
    with kept_whole(place / "cost.json") as partial:
        partial.write_text(json.dumps(cost, indent=1), encoding="utf-8")


def _cost(run: RunConfig, history: list[Row], n: int, seconds: float, waiting: float) -> dict[str, float]:
    """What a run cost: of a network the epochs alone, of a head all of it."""
    if not isinstance(run, NetworkRun) or not history:
        return {"seconds": seconds, "images": n, "waiting": waiting, "updates": 0}
    updates = history[-1]["updates"]
    per_epoch = max(1, -(-n // run.train.batch_size) - (n % run.train.batch_size == 1))
    spent = sum(row["seconds"] for row in history)
    return {"seconds": spent, "images": updates * n / per_epoch, "waiting": waiting, "updates": updates}


def _key(run: RunConfig, plan: PairPlan) -> str:
    """Hash of everything that decides a run's numbers."""
    learnt = vote_columns(plan.rows).values() if run.votes == "soft" else ()
    photos = {
        name: plan.split(name).select("id", "sha256", "label", "split_group", *learnt).rows()
        for name in ("train", "val", "test")
    }
    text = json.dumps([__version__, NUMBERS, as_builtins(run), photos], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
