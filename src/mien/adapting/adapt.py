"""From a model in its study and labelled photos from elsewhere to what each way of adapting gains and costs.

The target's photos are divided once, copies kept together: from one half labels and statistics may be taken, and the
other half is only scored. With labels, each number is a mean over draws of other photos.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.adapting.features import HeadModel
from mien.adapting.methods import Known, aligned, for_class_shares, new_head, self_trained
from mien.adapting.page import write_page
from mien.adapting.scoring import Side, judged
from mien.comparing.run import write_json
from mien.config import AdaptConfig, RunConfig, read_toml
from mien.data.collection import Collection, open_collection
from mien.data.prepare import Prepared, prepare
from mien.data.sources import TableColumns
from mien.errors import ConfigError, ModelError, OutputError, WorkFailedError
from mien.evaluation.altering import Views
from mien.evaluation.causes import like_the_target
from mien.evaluation.predictions import photos_of_study, view_batches
from mien.labels import match_labels
from mien.models.artifact import model_path
from mien.progress import Progress
from mien.recognizer import Recognizer
from mien.training.head import Head

__all__ = ["run_adaptation"]

FITTED_ANEW = ("made alike", "self-training", "labels")
LEAST_SCORED = 20
"""Photos of the target that must be left to score."""


@dataclass(frozen=True)
class _Target:
    """The photos from elsewhere, read and divided.

    Attributes:
        rows: usable photos of the shared classes.
        y: (N,) classes of the model.
        is_scored: (N,) those that are only scored.
    """

    name: str
    rows: pl.DataFrame
    y: NDArray[np.int64]
    is_scored: NDArray[np.bool_]
    prepared: Prepared


@dataclass(frozen=True)
class _Data:
    """Features of both sides.

    Attributes:
        model: whose head is exchanged.
        known: the source's training photos, made like the target's.
        own: features (M, D) of the same photos, only framed as the target's are.
        source: the source's test photos, framed likewise.
        pool: the target's photos that may be learnt from.
        target: those that are only scored.
        had: (K,) class shares of the source.
    """

    model: HeadModel
    known: Known
    own: NDArray[np.float32]
    source: Side
    pool: Side
    target: Side
    had: NDArray[np.float64]
    temperature: float


def run_adaptation(config: AdaptConfig, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """Measure every way, and write the model of one of them where asked.

    Args:
        folder: gets ``results.json``, ``adapt.html``, and with ``config.save`` ``model.onnx``; must not exist.

    Returns:
        The documented results.

    Raises:
        ModelError: if the model does not lie in its study, or has no head that could be exchanged.
        LabelError: if the target shares no class with it.
        WorkFailedError: if the target is too small to be divided.
    """
    path = model_path(config.model)
    recognizer, own = Recognizer(path), photos_of_study(path)
    if own is None:
        raise ModelError(f"{config.model}: lies in no study, whose photos adapting needs; give a study folder")
    run = read_toml(RunConfig, path.parent / "config.toml")
    if run.head is None or run.head.strength is None:
        raise ModelError(f"{config.model}: was trained from scratch; adapt takes two-stream or probe")
    columns = TableColumns(config.path_column, config.label_column, config.group_column, config.split_column)
    collection = open_collection([config.target], columns)
    names = match_labels(recognizer.labels, collection.labels).matched
    with _new_folder(folder), tempfile.TemporaryDirectory(prefix="mien-") as work:
        target = _read(recognizer, collection, names, Path(work), config.seed, progress)
        data = _features(recognizer, path, own, target, run.head.strength, progress)
        shots = _possible(config.shots, target)
        measured = _measured(data, shots, config)
        results = _results(config, recognizer, target, data, measured, shots)
        if config.save:
            _save(config, data, target, shots, folder)
            results["paths"]["model"] = str(folder / "model.onnx")
        results["paths"] |= {"run": str(folder), "page": str(folder / "adapt.html")}
        write_page(results, folder / "adapt.html")
        write_json(results, folder / "results.json")
    return results


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and take it away again where nothing came of it."""
    if folder.exists():
        raise OutputError(f"{folder}: exists already; give another --out")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); give another --out") from error
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise


def _read(
    recognizer: Recognizer, collection: Collection, names: dict[str, str], work: Path, seed: int, progress: Progress
) -> _Target:
    prepared = prepare([collection], recognizer.contract.views, work, progress=progress)
    is_shared = (pl.col("status") == "ok") & pl.col("label").is_in(list(names))
    rows = prepared.manifest.filter(is_shared).with_columns(pl.col("near_group").alias("split_group"))
    y = np.array([recognizer.labels.index(names[label]) for label in rows["label"]], np.int64)
    is_scored = _halved(rows, seed)
    if is_scored.sum() < LEAST_SCORED or (~is_scored).sum() < LEAST_SCORED:
        raise WorkFailedError(
            f"{collection.spec}: {len(rows)} usable photos of shared classes are too few to learn from one half "
            f"and to score the other; {2 * LEAST_SCORED} at least"
        )
    return _Target(collection.name, rows, y, is_scored, prepared)


def _halved(rows: pl.DataFrame, seed: int) -> NDArray[np.bool_]:
    """One half (N,) of the groups, drawn by what they hold, so that order and names do not matter."""
    first = rows.with_columns(pl.col("sha256").min().over("split_group").alias("first"))["first"]
    return np.array([hashlib.sha256(f"{seed} {sha}".encode()).digest()[0] < 128 for sha in first])


def _features(
    recognizer: Recognizer,
    path: Path,
    own: Prepared,
    target: _Target,
    strength: float,
    progress: Progress,
) -> _Data:
    pixels = own.pixels
    train, test = (own.manifest.filter(pl.col("split") == split) for split in ("train", "test"))
    place = {label: i for i, label in enumerate(recognizer.labels)}
    y, y_test = (np.array([place[label] for label in rows["label"]], np.int64) for rows in (train, test))
    are_crops = bool((target.rows["face_kind"] == "crop").mean() > 0.5)  # type: ignore[operator]
    model = HeadModel(path, recognizer.contract, is_for_crops=are_crops)
    framed = "crop" if are_crops else ""
    steps: list[tuple[pl.DataFrame, Callable[[], Iterable[Views]]]] = [
        (train, lambda: like_the_target(recognizer, pixels, train, target.rows)),
        (train, lambda: like_the_target(recognizer, pixels, train, target.rows, only=framed)),
        (test, lambda: like_the_target(recognizer, pixels, test, target.rows, only=framed)),
        (target.rows, lambda: (views for _, views in view_batches(recognizer, target.prepared.pixels, target.rows))),
    ]
    found = []
    with progress.step("features", sum(len(rows) for rows, _ in steps), "photos") as advance:
        for rows, batches in steps:
            found.append(model.features(batches()))
            advance(len(rows))
    alike, plain, source, there = found
    groups, scored = target.rows["split_group"].to_numpy(), target.is_scored
    return _Data(
        model,
        Known(alike, y, strength),
        plain,
        Side(source, y_test, test["split_group"].to_numpy()),
        Side(there[~scored], target.y[~scored], groups[~scored]),
        Side(there[scored], target.y[scored], groups[scored]),
        np.bincount(y, minlength=len(place)) / len(y),
        recognizer.contract.temperature,
    )


def _possible(shots: Sequence[int], target: _Target) -> list[int]:
    """The numbers of labelled photos a class that there are, and one more of every class is left."""
    counts = np.bincount(target.y[~target.is_scored])
    return [k for k in shots if 0 < k <= counts[counts > 0].min()]


def _unlabelled(data: _Data) -> dict[str, Callable[[], Head]]:
    pool = data.pool.features
    return {
        "as it is": lambda: data.model.head,
        "class shares": lambda: for_class_shares(data.model.head, data.temperature, pool, data.had),
        "statistics": lambda: aligned(data.model.head, data.own, pool),
        "made alike": lambda: new_head(data.known, pool[:0], data.pool.y[:0]),
        "self-training": lambda: self_trained(data.known, pool),
    }


def _drawn(pool: Side, shots: int, seed: int, draw: int) -> NDArray[np.int64]:
    """Places of so many photos of each class of the pool."""
    rng = np.random.default_rng((seed, shots, draw))
    classes = np.unique(pool.y)
    return np.concatenate([rng.choice(np.flatnonzero(pool.y == label), shots, replace=False) for label in classes])


def _labelled(data: _Data, shots: int, seed: int, draw: int) -> Head:
    chosen = _drawn(data.pool, shots, seed, draw)
    return new_head(data.known, data.pool.features[chosen], data.pool.y[chosen])


def _measured(data: _Data, shots: Sequence[int], config: AdaptConfig) -> list[dict[str, Any]]:
    """Every way with its scores on both sides, the model as it is first."""
    ways = _unlabelled(data)
    before = ways["as it is"]()
    heads: list[tuple[str, int, list[Head]]] = [(name, 0, [make()]) for name, make in ways.items()]
    for k in shots:
        heads.append(("labels", k, [_labelled(data, k, config.seed, draw) for draw in range(config.draws)]))
    shared = np.unique(np.concatenate([data.pool.y, data.target.y]))
    every = np.arange(len(data.had))
    return [
        {
            "way": name,
            "shots": k,
            "draws": len(made),
            "target": judged(made, before, data.target, shared),
            "source": judged(made, before, data.source, every),
        }
        for name, k, made in heads
    ]


def _results(
    config: AdaptConfig,
    recognizer: Recognizer,
    target: _Target,
    data: _Data,
    measured: list[dict[str, Any]],
    shots: Sequence[int],
) -> dict[str, Any]:
    labels, y = recognizer.labels, target.y
    pool, scored = (np.bincount(y[part], minlength=len(labels)) for part in (~target.is_scored, target.is_scored))
    return {
        "config": dataclasses.asdict(config),
        "labels": list(labels),
        "shared": [labels[i] for i in np.unique(y)],
        "recipe": recognizer.contract.recipe,
        "target": target.name,
        "pool": dict(zip(labels, pool.tolist(), strict=True)),
        "scored": dict(zip(labels, scored.tolist(), strict=True)),
        "source_images": len(data.source.y),
        "are_crops": bool((target.rows["face_kind"] == "crop").mean() > 0.5),  # type: ignore[operator]
        "too_many_shots": [k for k in config.shots if k and k not in shots],
        "ways": measured,
        "paths": {"run": None, "model": None, "page": None},
    }


def _save(config: AdaptConfig, data: _Data, target: _Target, shots: Sequence[int], folder: Path) -> None:
    """Write the model of one way; that with labels learns from the most shots, in their first draw."""
    assert config.save is not None
    pool = target.rows.filter(~pl.Series(target.is_scored))
    if config.save != "labels":
        seen = pool["sha256"] if config.save != "made alike" else pool["sha256"][:0]
        head, way = _unlabelled(data)[config.save](), config.save
    else:
        if not shots:
            raise ConfigError("--save labels: no number of --shots can be had from this target")
        seen = pool["sha256"].gather(_drawn(data.pool, shots[-1], config.seed, 0))
        head, way = _labelled(data, shots[-1], config.seed, 0), f"{shots[-1]} labelled photos a class"
    if config.save in FITTED_ANEW:  # its logits need no temperature, but those of the file are divided by the old one
        head = (head[0] * np.float32(data.temperature), head[1] * np.float32(data.temperature))
    data.model.save(head, folder, way=way, target=target.name, seen=seen)
