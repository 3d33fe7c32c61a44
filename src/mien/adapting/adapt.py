"""From a model in its study and labelled photos from elsewhere to what each way of adapting gains and costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.adapting.blocks import LastBlocks, shifted
from mien.adapting.features import HeadModel, adapted_contract
from mien.adapting.methods import (
    PRIOR,
    PRIOR_OF_BLOCKS,
    aligned,
    new_head,
    self_trained,
    shares_shift,
    weight_of_target,
)
from mien.adapting.scoring import Side, judged, likeliest
from mien.adapting.sides import Sides, Target, open_sides, read_target
from mien.data.sources.collection import Collection, open_collection
from mien.data.tables.class_map import check_named, read_class_map
from mien.data.tables.prepare import Prepared
from mien.errors import ConfigError, ModelError, OutputError, WorkFailedError
from mien.evaluation.predictions import photos_of_study
from mien.evaluation.shift import known_collections
from mien.labels import NOTHING_CHOSEN, LabelMap, match_labels
from mien.models.artifact import model_path
from mien.models.export import export_model
from mien.models.networks import PhotoNetwork
from mien.progress import Advance, Progress
from mien.recognizer import Recognizer
from mien.results.adaptation import AdaptPaths, AdaptResults, LeftOut, Way
from mien.results.document import write_results
from mien.settings.adapt import IN_BLOCKS, SHIFTED, WAYS_TO_ADAPT, WITH_LABELS, AdaptSettings
from mien.settings.run import HeadRun, NetworkRun, RunConfig, read_run
from mien.settings.training import HeadSettings
from mien.system.leftovers import Lock, is_free, locked_anew, made_by, take_back, undone_if_stopped
from mien.training.head import Head

__all__ = ["adapt_model"]

UNFINISHED = ".unfinished"
"""Lies in the folder, locked, until the results are written."""
WRITTEN_BEFORE_RESULTS = (
    UNFINISHED,
    *("model.onnx", "model.onnx.partial", "model.safetensors", "model.partial"),
    *("adapt.html", "adapt.html.partial", "results.json.partial"),
)
FITTED_ANEW = ("made alike", "self-training", "labels")
FINETUNED = HeadSettings(mirrored=True, strength=1e-4)
"""How a new head is fitted to features that were trained: on their own training photos every penalty looks right, so
a strong one is given. On photos of FER2013's training part it was the best of 1e-4, 1e-3, 1e-2 and 1e-1, by 0.01 to
0.02 of macro-F1."""


def adapt_model(
    config: AdaptSettings, folder: Path, *, progress: Progress, tell: Callable[[AdaptResults], None]
) -> AdaptResults:
    """Measure every way, and write the model of one of them where asked.

    Args:
        folder: gets ``results.json``, ``adapt.html``, and with ``save`` ``model.onnx``; new, or empty.
        tell: writes the page, before the results stand.

    Raises:
        ModelError: if the model does not lie in its study, or has no head that could be exchanged.
        LabelError: if the target shares no class with it.
        WorkFailedError: if the target is too small to be divided.
    """
    path = model_path(config.model)
    recognizer, (own, run) = Recognizer(path), _study_of(config.model, path)
    model, save, seed = HeadModel(path, recognizer.contract), config.adaptation.save, config.randomness.seed
    settings = run.head if isinstance(run, HeadRun) else FINETUNED
    last = _last_blocks(run, path.parent)
    if save in IN_BLOCKS and last is None:
        raise ConfigError(f"--save {save}: {config.model} has no blocks that could learn on; only finetune has")
    collection, label_map = _opened(config, recognizer)
    with _new_folder(folder):
        target = read_target(model, recognizer, own, collection, label_map, work=None, seed=seed, progress=progress)
        shots = _possible(config.adaptation.shots, target)
        if save in WITH_LABELS and not shots:
            raise WorkFailedError(f"--save {save}: the target has too few photos of a class for any of --shots")
        sides = open_sides(model, recognizer, own, target, settings, progress)
        blocks = (last, open_sides(last, recognizer, own, target, settings, progress)) if last else None
        is_balanced = isinstance(run, NetworkRun) and run.train.balance != "none"
        adaptation = _Adaptation(config, model, recognizer, target, sides, shots, blocks, is_balanced)
        model_file = str(folder / "model.onnx") if save else None
        paths = AdaptPaths(run=str(folder), page=str(folder / "adapt.html"), model=model_file)
        results = adaptation.results(paths, progress)
        if save:
            adaptation.save(folder)
        tell(results)
        write_results(results, folder)
    return results


def _study_of(model: str, path: Path) -> tuple[Prepared, RunConfig]:
    """The photos of the study that a model lies in, and how it was trained."""
    own = photos_of_study(path)
    if own is None:
        raise ModelError(f"{model}: lies in no study, whose photos adapting needs; give a study folder")
    return own, read_run(path.parent / "config.toml")


def _last_blocks(run: RunConfig, folder: Path) -> LastBlocks | None:
    """The last blocks of a fine-tuned network, where these can learn on; None of any other run."""
    if not isinstance(run, NetworkRun) or run.train.backbone is None:
        return None
    blocks = LastBlocks(run, folder)
    return blocks if blocks.can_learn else None


def _opened(config: AdaptSettings, recognizer: Recognizer) -> tuple[Collection, LabelMap]:
    """The target, with its classes matched."""
    class_map = config.classes.class_map
    choices = read_class_map(Path(class_map)) if class_map else NOTHING_CHOSEN
    collection = open_collection([config.target], config.columns)
    check_named(choices, collection.labels)
    return collection, match_labels(recognizer.labels, collection.labels, choices)


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and take it away again where nothing came of it.

    An empty one is used, and so is what a run left that was killed.
    """
    unfinished, made = folder / UNFINISHED, made_by(folder)
    if not is_free(folder) and not _was_killed(folder):
        raise OutputError(f"{folder}: exists already; give another --out")
    undo = partial(take_back, folder, made)
    with undone_if_stopped(undo):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            take_back(folder, ())
            lock = locked_anew(unfinished)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror}); give another --out") from error
        try:
            with lock:
                yield
            unfinished.unlink()
        except BaseException:
            undo()
            raise


def _was_killed(folder: Path) -> bool:
    """Whether a folder holds what a run left that came to no end: no process works in it, and nothing else is there."""
    if not (folder / UNFINISHED).is_file() or not is_free(folder, WRITTEN_BEFORE_RESULTS):
        return False
    try:
        Lock(folder / UNFINISHED).release()
    except OSError:
        return False
    return True


def _possible(shots: Sequence[int], target: Target) -> list[int]:
    """The numbers of labelled photos that every class of the pool has, and one more, so that draws can differ."""
    counts = np.bincount(target.y[~target.is_scored])
    return [k for k in shots if 0 < k < counts[counts > 0].min()]


@dataclasses.dataclass(frozen=True)
class _Adaptation:
    """Everything that the ways need.

    Attributes:
        shots: those that can be had.
        blocks: the last blocks of a fine-tuned network and what the others make of both sides; None for other models.
        is_balanced: whether the model learnt as if every class had as many photos.
        cached: way, shots and draw → logits (N, K) of the photos of each side, once they are there.
    """

    config: AdaptSettings
    model: HeadModel
    recognizer: Recognizer
    target: Target
    sides: Sides
    shots: list[int]
    blocks: tuple[LastBlocks, Sides] | None
    is_balanced: bool
    cached: dict[tuple[str, int, int], dict[str, NDArray[np.float32]]] = dataclasses.field(default_factory=dict)

    @property
    def _seed(self) -> int:
        return self.config.randomness.seed

    @property
    def _name(self) -> str:
        return "face_head" if self.target.are_crops else "head"

    def _made(self, way: str, shots: int, draw: int) -> Head | list[PhotoNetwork]:
        """The head, or the networks, that one way comes to."""
        if way in SHIFTED:
            made, shift = self._made(SHIFTED[way], shots, draw), self._shift(way, shots, draw)
            return shifted(made, shift) if isinstance(made, list) else (made[0], made[1] + shift)
        if way in IN_BLOCKS:
            assert self.blocks is not None
            blocks, sides = self.blocks
            if way == "blocks, self-taught":
                return blocks.self_taught(sides.known, sides.pool.features, np.unique(self.target.y), self._seed)
            chosen = _drawn(sides.pool, shots, self._seed, draw)
            return blocks.taught(sides.known, sides.pool.features[chosen], sides.pool.y[chosen], draw)
        head, sides = self.model.heads[self._name], self.sides
        chosen, pool = _drawn(sides.pool, shots, self._seed, draw), sides.pool.features
        ways: dict[str, Callable[[], Head]] = {
            "as it is": lambda: head,
            "statistics": lambda: aligned(head, sides.own, pool),
            "made alike": lambda: new_head(sides.known, pool[:0], sides.pool.y[:0]),
            "self-training": lambda: self_trained(sides.known, pool),
            "labels": lambda: new_head(sides.known, pool[chosen], sides.pool.y[chosen]),
        }
        return ways[way]()

    def _shift(self, way: str, shots: int, draw: int) -> NDArray[np.float32]:
        """What a way adds to the logits (K,) of the one that it goes on from."""
        classes, had = np.unique(self.target.y), self.sides.had
        if shots:  # learnt without a temperature, from as many photos of each class of the target
            temperature, weight = 1.0, weight_of_target(len(self.sides.known.y), shots * len(classes))
            had = (1 - weight) * had + weight * np.isin(np.arange(len(had)), classes) / len(classes)
        else:
            temperature = self.recognizer.contract.temperature
            had = np.full(len(had), 1 / len(had)) if self.is_balanced else had
        logits = self._logits(SHIFTED[way], shots, draw)["pool"] / temperature
        prior = PRIOR_OF_BLOCKS if way in IN_BLOCKS else PRIOR
        return temperature * shares_shift(logits, had, classes, prior)

    def _logits(self, way: str, shots: int, draw: int) -> dict[str, NDArray[np.float32]]:
        """Logits (N, K) of the scored photos of each side, and of the pool's where another way goes on from them."""
        key = (way, shots, draw)
        if way in SHIFTED:
            shift = self._shift(way, shots, draw)
            return {side: each + shift for side, each in self._logits(SHIFTED[way], shots, draw).items()}
        if key not in self.cached:
            made = self._made(way, shots, draw)
            goes_on = way in SHIFTED.values() and shots in (0, *self.shots[-1:])
            sides = ("target", "home", "pool") if goes_on else ("target", "home")
            self.cached[key] = {side: self._logits_by(made, side) for side in sides}
        return self.cached[key]

    def _logits_by(self, made: Head | list[PhotoNetwork], side: str) -> NDArray[np.float32]:
        if isinstance(made, list):
            assert self.blocks is not None
            blocks, sides = self.blocks
            return blocks.logits(made, getattr(sides, side).features)
        weight, bias = made
        logits: NDArray[np.float32] = getattr(self.sides, side).features @ weight.T + bias
        return logits

    def _ways(self) -> list[tuple[str, int]]:
        """Every way with its labelled photos a class, the model as it is first."""
        able = [way for way in WAYS_TO_ADAPT if self.blocks or way not in IN_BLOCKS]
        without = [(way, 0) for way in able if way not in WITH_LABELS]
        shots = {way: self.shots[-1:] if way in SHIFTED else self.shots for way in able if way in WITH_LABELS}
        return without + [(way, k) for way, numbers in shots.items() for k in numbers]

    def _measured(self, advance: Advance) -> tuple[Way, ...]:
        """Every way with its scores on both sides."""
        ways, k = self._ways(), len(self.sides.had)
        classes = {"target": np.unique(self.target.y), "home": np.arange(k)}
        before, measured = dict[str, NDArray[np.int64]](), []
        for way, shots in ways:
            said: dict[str, list[NDArray[np.int64]]] = {"target": [], "home": []}
            for draw in range(self.config.adaptation.draws if shots else 1):
                logits = self._logits(way, shots, draw)
                for side in said:
                    said[side].append(likeliest(logits[side], classes[side]))
                advance(1)
            before = before or {side: answers[0] for side, answers in said.items()}
            scores = {
                side: judged(said[side], before[side], getattr(self.sides, side), k, len(ways) - 1) for side in said
            }
            measured.append(Way(way=way, shots=shots, draws=len(said["home"]), **scores))
        return tuple(measured)

    def results(self, paths: AdaptPaths, progress: Progress) -> AdaptResults:
        """Everything that was measured."""
        labels, target = self.recognizer.labels, self.target
        pool, scored = (
            dict(zip(labels, np.bincount(target.y[part], minlength=len(labels)).tolist(), strict=True))
            for part in (~target.is_scored, target.is_scored)
        )
        with progress.step(
            "adapt", sum(self.config.adaptation.draws if k else 1 for _, k in self._ways()), "models"
        ) as advance:
            measured = self._measured(advance)
        return AdaptResults(
            config=self.config,
            labels=labels,
            recipe=self.recognizer.contract.recipe,
            target=target.name,
            known_collections=tuple(known_collections(self.recognizer.contract, (target.name,))),
            shared=tuple(labels[i] for i in np.unique(target.y)),
            pool=pool,
            scored=scored,
            home_images=len(self.sides.home.y),
            are_crops=target.are_crops,
            left_out=LeftOut(copies=target.copies, other_kind=target.others),
            too_many_shots=tuple(k for k in self.config.adaptation.shots if k and k not in self.shots),
            ways=measured,
            paths=paths,
        )

    def save(self, folder: Path) -> None:
        """Write the model of one way; that with labels learns from the most shots, in their first draw."""
        asked, seen = str(self.config.adaptation.save), self.target.pool["sha256"]
        shots = self.shots[-1] if asked in WITH_LABELS else 0
        if shots and asked not in SHIFTED:  # shares are told by the whole pool
            seen = seen.gather(_drawn(self.sides.pool, shots, self._seed, 0))
        way = asked
        if shots:
            ends = (", last blocks" * (asked in IN_BLOCKS), ", class shares" * (asked in SHIFTED))
            way = f"{shots} labelled photos a class{''.join(ends)}"
        contract = adapted_contract(self.recognizer.contract, way, self.target.name, seen)
        made = self._made(asked, shots, 0)
        if isinstance(made, list):
            export_model(made, contract, folder)
            return
        if SHIFTED.get(asked, asked) in FITTED_ANEW:  # needs no temperature, but the file divides by the one it has
            temperature = np.float32(self.recognizer.contract.temperature)
            made = made[0] * temperature, made[1] * temperature
        self.model.save(self._name, made, contract, folder)


def _drawn(pool: Side, shots: int, seed: int, draw: int) -> NDArray[np.int64]:
    """Places of so many photos of each class of the pool."""
    rng = np.random.default_rng((seed, shots, draw))
    classes = np.unique(pool.y)
    return np.concatenate([rng.choice(np.flatnonzero(pool.y == label), shots, replace=False) for label in classes])
