"""From a model in its study and labelled photos from elsewhere to what each way of adapting gains and costs."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.adapting.features import HeadModel
from mien.adapting.methods import aligned, for_class_shares, new_head, self_trained
from mien.adapting.page import write_page
from mien.adapting.scoring import Side, judged
from mien.adapting.sides import Sides, Target, open_sides, read_target
from mien.comparing.run import write_json
from mien.config import AdaptConfig, HeadSettings, RunConfig, read_toml
from mien.data.collection import Collection, open_collection
from mien.data.label_file import check_named, read_label_file
from mien.data.prepare import Prepared
from mien.data.sources import TableColumns
from mien.errors import ModelError, OutputError, WorkFailedError
from mien.evaluation.predictions import photos_of_study
from mien.evaluation.shift import known_collections
from mien.labels import NOTHING_CHOSEN, LabelMap, match_labels
from mien.models.artifact import model_path
from mien.progress import Progress
from mien.recognizer import Recognizer
from mien.training.head import Head

__all__ = ["run_adaptation"]

FITTED_ANEW = ("made alike", "self-training", "labels")


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
    recognizer, own, settings = Recognizer(path), *_study_of(config.model, path)
    model = HeadModel(path, recognizer.contract)
    collection, label_map = _opened(config, recognizer)
    with _new_folder(folder), tempfile.TemporaryDirectory(prefix="mien-") as work:
        target = read_target(
            model, recognizer, own, collection, label_map, work=Path(work), seed=config.seed, progress=progress
        )
        shots = _possible(config.shots, target)
        if config.save == "labels" and not shots:
            raise WorkFailedError("--save labels: the target has too few photos of a class for any of --shots")
        sides = open_sides(model, recognizer, own, target, settings, progress)
        adaptation = _Adaptation(config, model, recognizer, target, sides, shots)
        results = adaptation.results()
        if config.save:
            adaptation.save(folder)
            results["paths"]["model"] = str(folder / "model.onnx")
        results["paths"] |= {"run": str(folder), "page": str(folder / "adapt.html")}
        write_page(results, folder / "adapt.html")
        write_json(results, folder / "results.json")
    return results


def _study_of(model: str, path: Path) -> tuple[Prepared, HeadSettings]:
    """The photos of the study that a model lies in, and how its head was made."""
    own = photos_of_study(path)
    if own is None:
        raise ModelError(f"{model}: lies in no study, whose photos adapting needs; give a study folder")
    head = read_toml(RunConfig, path.parent / "config.toml").head
    if head is None or head.strength is None:
        raise ModelError(f"{model}: was trained by gradient descent; adapt takes two-stream or probe")
    return own, head


def _opened(config: AdaptConfig, recognizer: Recognizer) -> tuple[Collection, LabelMap]:
    """The target, with its classes matched."""
    choices = read_label_file(Path(config.labels)) if config.labels else NOTHING_CHOSEN
    columns = TableColumns(config.path_column, config.label_column, config.group_column, config.split_column)
    collection = open_collection([config.target], columns)
    check_named(choices, collection.labels)
    return collection, match_labels(recognizer.labels, collection.labels, choices)


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


def _possible(shots: Sequence[int], target: Target) -> list[int]:
    """The numbers of labelled photos that every class of the pool has, and one more, so that draws can differ."""
    counts = np.bincount(target.y[~target.is_scored])
    return [k for k in shots if 0 < k < counts[counts > 0].min()]


@dataclasses.dataclass(frozen=True)
class _Adaptation:
    """Everything that the ways need; ``shots`` are those that can be had."""

    config: AdaptConfig
    model: HeadModel
    recognizer: Recognizer
    target: Target
    sides: Sides
    shots: list[int]

    @property
    def _name(self) -> str:
        return "face_head" if self.target.are_crops else "head"

    def _unlabelled(self) -> dict[str, Callable[[], Head]]:
        """Ways without labels, by their names."""
        head, sides, temperature = self.model.heads[self._name], self.sides, self.recognizer.contract.temperature
        pool = sides.pool.features
        return {
            "as it is": lambda: head,
            "class shares": lambda: for_class_shares(head, temperature, pool, sides.had),
            "statistics": lambda: aligned(head, sides.own, pool),
            "made alike": lambda: new_head(sides.known, pool[:0], sides.pool.y[:0]),
            "self-training": lambda: self_trained(sides.known, pool),
        }

    def _labelled(self, shots: int, draw: int) -> Head:
        chosen = _drawn(self.sides.pool, shots, self.config.seed, draw)
        return new_head(self.sides.known, self.sides.pool.features[chosen], self.sides.pool.y[chosen])

    def _measured(self) -> list[dict[str, Any]]:
        """Every way with its scores on both sides, the model as it is first."""
        heads: list[tuple[str, int, list[Head]]] = [(name, 0, [make()]) for name, make in self._unlabelled().items()]
        for k in self.shots:
            heads.append(("labels", k, [self._labelled(k, draw) for draw in range(self.config.draws)]))
        before, sides = self.model.heads[self._name], self.sides
        shared, every = np.unique(self.target.y), np.arange(len(sides.had))
        return [
            {
                "way": name,
                "shots": k,
                "draws": len(made),
                "target": judged(made, before, sides.target, shared, len(heads) - 1),
                "home": judged(made, before, sides.home, every, len(heads) - 1),
            }
            for name, k, made in heads
        ]

    def results(self) -> dict[str, Any]:
        """The documented results, but for the paths."""
        labels, target = self.recognizer.labels, self.target
        pool, scored = (
            dict(zip(labels, np.bincount(target.y[part], minlength=len(labels)).tolist(), strict=True))
            for part in (~target.is_scored, target.is_scored)
        )
        return {
            "config": dataclasses.asdict(self.config),
            "labels": list(labels),
            "recipe": self.recognizer.contract.recipe,
            "target": target.name,
            "known_collections": known_collections(self.recognizer.contract, (target.name,)),
            "shared": [labels[i] for i in np.unique(target.y)],
            "pool": pool,
            "scored": scored,
            "home_images": len(self.sides.home.y),
            "are_crops": target.are_crops,
            "left_out": {"copies": target.copies, "other_kind": target.others},
            "too_many_shots": [k for k in self.config.shots if k and k not in self.shots],
            "ways": self._measured(),
            "paths": {"run": None, "model": None, "page": None},
        }

    def save(self, folder: Path) -> None:
        """Write the model of one way; that with labels learns from the most shots, in their first draw."""
        pool, way = self.target.pool["sha256"], str(self.config.save)
        if way == "labels":
            way = f"{self.shots[-1]} labelled photos a class"
            head = self._labelled(self.shots[-1], 0)
            pool = pool.gather(_drawn(self.sides.pool, self.shots[-1], self.config.seed, 0))
        else:
            head = self._unlabelled()[way]()
        if self.config.save in FITTED_ANEW:  # needs no temperature, but the file divides by the one it has
            temperature = np.float32(self.recognizer.contract.temperature)
            head = head[0] * temperature, head[1] * temperature
        self.model.save(self._name, head, folder, way=way, target=self.target.name, seen=pool)


def _drawn(pool: Side, shots: int, seed: int, draw: int) -> NDArray[np.int64]:
    """Places of so many photos of each class of the pool."""
    rng = np.random.default_rng((seed, shots, draw))
    classes = np.unique(pool.y)
    return np.concatenate([rng.choice(np.flatnonzero(pool.y == label), shots, replace=False) for label in classes])
