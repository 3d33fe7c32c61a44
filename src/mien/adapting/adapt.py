"""From a model in its study and labelled photos from elsewhere to what each way of adapting gains and costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.adapting.blocks import LastBlocks
from mien.adapting.features import HeadModel, adapted_contract
from mien.adapting.scoring import Side, judged, likeliest
from mien.adapting.sides import Sides, Target, open_sides, read_target
from mien.adapting.ways import FITTED_WAYS, ClassShares, FittedWay, Material, TaughtBlocks, drawn
from mien.data.grouping.fold_plan import is_cross_validated
from mien.data.sources.collection import Collection, open_collection
from mien.data.tables.class_map import check_named, read_class_map
from mien.data.tables.observed_traits import traits_of
from mien.data.tables.prepare import Prepared
from mien.errors import ConfigError, ModelError, WorkFailedError
from mien.evaluation.familiar import familiar_collections, is_known
from mien.evaluation.predictions import photos_of_study
from mien.labels import NOTHING_CHOSEN, LabelMap, match_labels
from mien.models.artifact import model_path
from mien.models.export import export_model
from mien.progress import Advance, Progress
from mien.recognizer import Recognizer
from mien.results.adaptation import AdaptPaths, AdaptResults, LeftOut, Way
from mien.results.document import write_results
from mien.results.scores import GroupKind, Over
from mien.results.target import CollectionMatch
from mien.settings.adapt import AdaptSettings
from mien.settings.run import HeadRun, NetworkRun, RunConfig, read_run
from mien.settings.training import HeadSettings
from mien.settings.ways import WayToAdapt
from mien.system.new_folders import new_folder

__all__ = ["adapt_model"]

WRITTEN_BEFORE_RESULTS = (
    *("model.onnx", "model.onnx.partial", "model.safetensors", "model.partial"),
    *("adapt.html", "adapt.html.partial", "results.json.partial"),
)
ScoredSide = Literal["target", "home"]
SCORED: tuple[ScoredSide, ...] = ("target", "home")
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
    model, save, seed = HeadModel(path, recognizer.contract), config.adaptation.saved, config.randomness.seed
    settings = run.head if isinstance(run, HeadRun) else FINETUNED
    last = _last_blocks(run, path.parent)
    if save and save.in_blocks and last is None:
        raise ConfigError(f"--save {save.name}: {config.model} has no blocks that could learn on; only finetune has")
    collection, label_map = _opened(config, recognizer)
    with new_folder(folder, WRITTEN_BEFORE_RESULTS):
        target = read_target(model, recognizer, own, collection, label_map, work=None, seed=seed, progress=progress)
        shots = _possible(config.adaptation.shots, target)
        if save and save.takes_labels and not shots:
            raise WorkFailedError(f"--save {save.name}: the target has too few photos of a class for any of --shots")
        opened = partial(open_sides, recognizer=recognizer, own=own, target=target, head=settings, progress=progress)
        sides = opened(model, votes=run.votes)
        blocks = (last, opened(last, votes=run.votes)) if last else None
        is_balanced = isinstance(run, NetworkRun) and run.train.balance != "none"
        adaptation = _Adaptation(config, model, recognizer, target, sides, shots, blocks, is_balanced)
        model_file = str(folder / "model.onnx") if save else None
        paths = AdaptPaths(run=str(folder), page=str(folder / "adapt.html"), model=model_file)
        results = adaptation.results(paths, progress)
        if save:
            adaptation.save(save, folder)
        tell(results)
        write_results(results, folder)
    return results


def _study_of(model: str, path: Path) -> tuple[Prepared, RunConfig]:
    """The photos of the study that a model lies in, and how it was trained."""
    own = photos_of_study(path)
    if own is None:
        raise ModelError(f"{model}: lies in no study, whose photos adapting needs; give a study folder")
    if is_cross_validated(own.manifest):
        raise ModelError(
            f"{model}: of a study with folds, whose model learnt from all photos, so that none is left to show what "
            "adapting costs at home; give a study without --folds"
        )
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
    choices = read_class_map(class_map) if class_map is not None else NOTHING_CHOSEN
    collection = open_collection([config.target], config.columns, is_known=True)
    check_named(choices, collection.labels)
    return collection, match_labels(recognizer.labels, collection.labels, choices)


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
    """

    config: AdaptSettings
    model: HeadModel
    recognizer: Recognizer
    target: Target
    sides: Sides
    shots: list[int]
    blocks: tuple[LastBlocks, Sides] | None
    is_balanced: bool

    @property
    def _name(self) -> str:
        return "face_head" if self.target.are_crops else "head"

    @cached_property
    def _material(self) -> Material:
        return Material(
            head=self.model.heads[self._name],
            sides=self.sides,
            blocks=self.blocks,
            classes=np.unique(self.target.y),
            temperature=self.recognizer.contract.temperature,
            is_balanced=self.is_balanced,
            seed=self.config.randomness.seed,
        )

    def _tried(self) -> list[tuple[FittedWay, int]]:
        """Every way with its labelled photos a class, the model as it is first."""
        able = [each for each in FITTED_WAYS if self.blocks or not each.way.in_blocks]
        without = [(each, 0) for each in able if not each.way.takes_labels]
        shots = {each: self.shots[-1:] if each.way.moves else self.shots for each in able if each.way.takes_labels}
        return without + [(each, k) for each, numbers in shots.items() for k in numbers]

    def _answers(self, advance: Advance) -> dict[tuple[FittedWay, int], dict[ScoredSide, list[NDArray[np.int64]]]]:
        """What every way that is tried answers about the scored photos of each side, in each draw.

        What a way comes to is used at once for the one that goes on from it, and not kept: networks are large.
        """
        classes = {"target": self._material.classes, "home": np.arange(len(self.sides.had))}
        said = {tried: {side: list[NDArray[np.int64]]() for side in SCORED} for tried in self._tried()}

        def note(tried: tuple[FittedWay, int], logits: Mapping[ScoredSide, NDArray[np.float32]]) -> None:
            for side in SCORED:
                said[tried][side].append(likeliest(logits[side], classes[side]))
            advance(1)

        for each, shots in said:
            if isinstance(each, ClassShares):
                continue
            goes_on = [one for one, k in said if isinstance(one, ClassShares) and one.of == each and k == shots]
            for draw in range(self.config.adaptation.draws if shots else 1):
                fitted = each.fit(self._material, shots, draw)
                logits = {side: fitted.logits(side) for side in SCORED}
                note((each, shots), logits)
                for one in goes_on:
                    shift = one.shift(fitted, self._material, shots)
                    note((one, shots), {side: logits[side] + shift for side in SCORED})
        return said

    def _measured(self, advance: Advance) -> tuple[Way, ...]:
        """Every way with its scores on both sides."""
        said, k = self._answers(advance), len(self.sides.had)
        unchanged = next(iter(said.values()))
        measured = []
        for (each, shots), answers in said.items():
            scores = {
                side: judged(answers[side], unchanged[side][0], getattr(self.sides, side), k, len(said) - 1)
                for side in SCORED
            }
            measured.append(Way(way=each.way.name, shots=shots, draws=len(answers["home"]), **scores))
        return tuple(measured)

    def results(self, paths: AdaptPaths, progress: Progress) -> AdaptResults:
        """Everything that was measured."""
        labels, target = self.recognizer.labels, self.target
        pool, scored = (
            dict(zip(labels, np.bincount(target.y[part], minlength=len(labels)).tolist(), strict=True))
            for part in (~target.is_scored, target.is_scored)
        )
        with progress.step(
            "adapt", sum(self.config.adaptation.draws if k else 1 for _, k in self._tried()), "models"
        ) as advance:
            measured = self._measured(advance)
        return AdaptResults(
            config=self.config,
            labels=labels,
            recipe=self.recognizer.contract.recipe,
            target=target.name,
            known_collections=tuple(each.name for each in self._familiar() if is_known(each)),
            shared=tuple(labels[i] for i in np.unique(target.y)),
            pool=pool,
            scored=scored,
            home_images=len(self.sides.home.y),
            target_over=self._over(self.sides.target, self.target.kind),
            home_over=self._over(self.sides.home, self.sides.home_kind),
            are_crops=target.are_crops,
            left_out=LeftOut(copies=target.copies, other_kind=target.others),
            too_many_shots=tuple(k for k in self.config.adaptation.shots if k and k not in self.shots),
            ways=measured,
            paths=paths,
        )

    def _familiar(self) -> tuple[CollectionMatch, ...]:
        target = self.target
        return familiar_collections(self.recognizer.contract, target.rows, target.prepared.pixels, (target.name,))

    @staticmethod
    def _over(side: Side, kind: GroupKind) -> Over:
        return Over.counted(len(np.unique(side.groups)), kind)

    def save(self, way: WayToAdapt, folder: Path) -> None:
        """Write the model of one way; that with labels learns from the most shots, in their first draw."""
        shots = self.shots[-1] if way.takes_labels else 0
        seen, told = self.target.pool["sha256"], way.name
        if shots and not way.moves:  # shares are told by the whole pool
            seen = seen.gather(drawn(self.sides.pool, shots, self._material.seed, 0))
        if shots:
            ends = (", last blocks" * way.in_blocks, ", class shares" * (way.moves is not None))
            told = f"{shots} labelled photos a class{''.join(ends)}"
        before = self.recognizer.contract
        traits = traits_of(self.target.name, self.target.rows, self.target.prepared.pixels)
        contract = adapted_contract(before, told, traits, seen)
        fitted = next(each for each in FITTED_WAYS if each.way == way).fit(self._material, shots, 0)
        if isinstance(fitted, TaughtBlocks):
            export_model(fitted.networks, contract, folder)
            return
        # A head that was fitted anew needs no temperature, but the file divides by the one it has.
        ratio = np.float32(before.temperature / fitted.temperature)
        weight, bias = fitted.head
        self.model.save(self._name, (weight * ratio, bias * ratio), contract, folder)
