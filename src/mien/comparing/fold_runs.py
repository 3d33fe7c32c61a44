"""One recipe in every fold: fitted without it, its answers kept, and found again when a study goes on.

Frozen features do not depend on the fold and are computed once. Networks are trained in each fold.
"""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.fold_plan import divided_for
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.data.reading.processes import has_cluster, spread
from mien.errors import OutputError
from mien.evaluation.predictions import as_predictions, predict_rows, write_predictions
from mien.models.artifact import Threshold
from mien.progress import Progress, Silent
from mien.recognizer import BATCH, Recognizer
from mien.settings.run import HeadRun, NetworkRun, RunConfig, read_run
from mien.settings.toml import write_toml
from mien.system.files import read_text, regular
from mien.system.sums import check_kept, forget, keep, kept_whole
from mien.training.history import read_history
from mien.training.recipes import views_of, work_of
from mien.training.run import AnyStreams, LabelledPhotos, decided_run, fit_head, kept_streams, train_run

__all__ = ["FoldRun", "run_folds"]

AGAIN = "Go on with --resume"
NOT_KEPT = ("checkpoints", "tensorboard", "member-*", "model.*")
"""What a fold leaves that would take gigabytes together."""


@dataclass(frozen=True)
class FoldRun:
    """What one recipe did in one fold.

    Attributes:
        fold: that was held out, from 1.
        config: with what a rule or validation decided.
        thresholds: what its answers promise, from the photos outside the fold.
        predictions: of those held out, with the split ``test``, of those it validated on, and of a share of those it
            learnt from: the photos of the next fold that it did, so that over all folds each counts about once.
        history: a row an epoch; none for a head.
    """

    fold: int
    config: RunConfig
    thresholds: tuple[Threshold, ...]
    predictions: pl.DataFrame
    history: list[dict[str, float]]

    def split(self, name: str) -> pl.DataFrame:
        """The answers to the photos of one part."""
        return self.predictions.filter(pl.col("split") == name)


def run_folds(run: RunConfig, photos: LabelledPhotos, folder: Path, progress: Progress) -> tuple[FoldRun, ...]:
    """Fit a recipe as often as there are folds, each time without one of them, and answer all photos.

    Args:
        photos: with their folds.
        folder: gets a folder for each fold; what stands there is used again.
    """
    folds = range(1, int(photos.manifest["fold"].max()) + 1)  # type: ignore[arg-type]
    places = {fold: folder / f"{fold:03d}" / run.name for fold in folds}
    missing = {fold: place for fold, place in places.items() if not (place / "predictions.parquet").exists()}
    if missing:
        match run:
            case HeadRun():
                _fit_heads(run, photos, missing, progress)
            case NetworkRun():
                _train_networks(run, photos, missing, progress)
    for place in places.values():  # also of folds that a kill ended while this was done
        _tidy(place)
    return tuple(_read(fold, place) for fold, place in places.items())


def _read(fold: int, place: Path) -> FoldRun:
    mend = f"remove {place}, and --resume does this fold again"
    for name in ("config.toml", "thresholds.json", "predictions.parquet", "history.csv"):
        check_kept(place / name, mend)
    try:
        predictions = pl.read_parquet(regular(place / "predictions.parquet"), glob=False)
        thresholds = msgspec.json.decode(read_text(place / "thresholds.json"), type=tuple[Threshold, ...])
    except (OSError, ValueError, msgspec.MsgspecError, pl.exceptions.PolarsError) as error:
        raise OutputError(f"{place}: a fold that cannot be read ({error}); {mend}") from error
    return FoldRun(fold, read_run(place / "config.toml"), thresholds, predictions, read_history(place / "history.csv"))


def _write(run: RunConfig, thresholds: tuple[Threshold, ...], predictions: pl.DataFrame, place: Path) -> None:
    """Keep what a fold gave; the answers last, for they say that it is done."""
    place.mkdir(parents=True, exist_ok=True)
    forget(place / "config.toml")
    write_toml(run, place / "config.toml")
    keep(place / "config.toml")
    with kept_whole(place / "thresholds.json") as partial:
        partial.write_bytes(msgspec.json.encode(thresholds))
    write_predictions(predictions, place / "predictions.parquet")


def _without(fold: int, photos: LabelledPhotos, seed: int) -> LabelledPhotos:
    """The photos as they are divided while a fold is held out."""
    return dataclasses.replace(photos, manifest=divided_for(photos.manifest, fold, seed))


def _fit_heads(run: HeadRun, photos: LabelledPhotos, places: dict[int, Path], progress: Progress) -> None:
    """Fit heads on features of all photos, which are computed once.

    No promise may fail here: whether one can be made is seen from all folds together.
    """
    total, unit = work_of(run, len(_placed(photos)))
    with progress.step(f"features {run.name}", total, unit) as advance:
        streams = kept_streams(run, photos, _placed(photos), advance)
        is_blank = _blank(views_of(run)[0], photos.pixels, _placed(photos))
    heads = _Heads(run, photos, streams, is_blank)
    with progress.step(f"fit {run.name}", len(places), "folds") as advance:
        fits = spread(heads, places, threads=0, needs=streams.files)
        for place, fitted in zip(places.values(), fits, strict=True):
            _write(*fitted, place)
            advance(1)


@dataclass(frozen=True)
class _Heads:
    """Fits the head of one fold at a time, by itself and with all that it needs.

    Attributes:
        streams: of all photos that take part, in file order.
        is_blank: (N,) whether a photo has no scene.
    """

    run: HeadRun
    photos: LabelledPhotos
    streams: AnyStreams
    is_blank: NDArray[np.bool_]

    def __call__(self, fold: int) -> tuple[HeadRun, tuple[Threshold, ...], pl.DataFrame]:
        """What is kept of a fold: the settings with their penalty, the thresholds, and the answers."""
        run, photos = self.run, self.photos
        lenient = msgspec.structs.replace(run, head=dataclasses.replace(run.head, max_error=None))
        divided = _without(fold, photos, run.seed)
        rows = _placed(divided)
        learnt = self.streams.part((rows["split"] == "train").to_numpy())
        fitted = fit_head(lenient, divided, learnt, for_crops=bool(self.is_blank.any()))
        probs, kept = fitted.probabilities(self.streams.features, self.is_blank), _kept(rows, fold)
        predictions = as_predictions(rows.filter(kept), probs[kept.to_numpy()], photos.labels)
        chosen = fitted.run.head
        head = dataclasses.replace(run.head, strength=chosen.strength, is_drawn=chosen.is_drawn)
        config = msgspec.structs.replace(run, head=head)
        return config, fitted.sureness.thresholds, predictions


def _placed(photos: LabelledPhotos) -> pl.DataFrame:
    """The rows that take part, in file order."""
    return photos.manifest.filter(pl.col("fold").is_not_null())


def _kept(divided: pl.DataFrame, fold: int) -> pl.Series:
    """(N,) whether an answer is kept: to what was not learnt from, and to the next fold of what was.

    All would be as many as there are folds times photos.
    """
    learnt = sorted(divided.filter(pl.col("split") == "train")["fold"].unique())
    following = next((each for each in learnt if each > fold), learnt[0])
    return divided.select((pl.col("split") != "train") | (pl.col("fold") == following)).to_series()


def _blank(view: View, pixels: Pixels, rows: pl.DataFrame) -> NDArray[np.bool_]:
    """(N,) whether a picture is of one colour in a view, as the scene of a face crop is."""
    parts = [np.zeros(0, np.bool_)]
    for batch in rows.iter_slices(BATCH):
        seen = pixels.read(view, batch["row"].to_numpy())
        parts.append(seen.max((1, 2, 3)) == seen.min((1, 2, 3)))
    return np.concatenate(parts)


def _train_networks(run: NetworkRun, photos: LabelledPhotos, places: dict[int, Path], progress: Progress) -> None:
    if not has_cluster():
        for item in places.items():
            _train_network(run, photos, progress, item)
        return
    for place in places.values():
        place.parent.mkdir(parents=True, exist_ok=True)
    work = partial(_train_network, run, photos, Silent())
    needs = [*photos.pixels.files, *(place.parent for place in places.values())]
    with progress.step(f"train {run.name}", len(places), "folds") as advance:
        for _ in spread(work, places.items(), threads=0, needs=needs, advice=AGAIN):
            advance(1)


def _train_network(run: NetworkRun, photos: LabelledPhotos, progress: Progress, item: tuple[int, Path]) -> None:
    """Train the network of one fold, and keep what it answers."""
    fold, place = item
    divided = _without(fold, photos, run.seed)
    decided = decided_run(run, place)
    total, unit = work_of(decided, len(divided.split("train")))
    with progress.step(f"train {run.name} without fold {fold}", total, unit) as advance:
        config = train_run(decided, divided, place, advance=advance)
    rows = _placed(divided)
    rows = rows.filter(_kept(rows, fold))
    with progress.step(f"predict fold {fold}: {run.name}", len(rows), "photos") as advance:
        predictions = predict_rows(Recognizer(place), photos.pixels, rows, advance)
    _write(config, (), predictions, place)
    _tidy(place)


def _tidy(place: Path) -> None:
    """Remove what is not kept of a finished fold."""
    for pattern in NOT_KEPT:
        for leftover in place.glob(pattern):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
