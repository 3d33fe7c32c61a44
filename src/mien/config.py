"""Settings as frozen dataclasses; TOML in, resolved TOML out.

A setting that is None is left out of the file: TOML has no null, and every field that can be None defaults to it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import tomli_w

from mien.errors import ConfigError

__all__ = [
    "AUGMENTATIONS",
    "COURSE_RECIPES",
    "DEFAULT_RECIPES",
    "Budget",
    "HeadSettings",
    "Precision",
    "RunConfig",
    "StudyConfig",
    "TrainSettings",
    "augmentation_parts",
    "check_choice",
    "check_max_error",
    "check_range",
    "read_toml",
    "write_toml",
]

T = TypeVar("T")

Precision = Literal["auto", "fp32", "bf16"]
SplitMethod = Literal["grouped", "series", "naive"]
AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "notebook": ("crop", "flip", "rotation", "colour"),
    "elsewhere": ("flip", "rotation", "crop", "colour", "grey", "coarse"),
}
"""What can be done to training photos: names with their parts, in order. ``notebook-flip`` is all of it but one."""


DEFAULT_RECIPES = ("two-stream", "probe")
COURSE_RECIPES = ("scratch", "scratch-no-augmentation")
"""The network of the course notebook, with and without its augmentation; ``mien study --course`` adds them."""


@dataclass(frozen=True)
class Budget:
    """How long to train; what comes first ends it. At least one is set.

    Attributes:
        epochs: passes over the training photos.
        updates: optimiser steps.
        seconds: wall-clock seconds, validation included. The one setting that is not reproducible bit for bit.
    """

    epochs: int | None = None
    updates: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None and not 0 < value < math.inf:  # NaN is neither
                raise ConfigError(f"--{name} {value}: must be a number more than 0")


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained by gradient descent.

    Attributes:
        size: side of the square input, px; at least 32.
        batch_size: photos an update.
        budget: when to stop.
        learning_rate: Adam's step size.
        weight_decay: Adam's L2 penalty.
        label_smoothing: share of the target spread over all classes, in [0, 1).
        clip_norm: largest gradient norm; None leaves gradients as they are.
        augment: what is done to training photos, a name of ``AUGMENTATIONS`` with ``-PART`` behind for parts left out;
            validation and test are never augmented.
        monitor: validation score that the scheduler, the best state and early stopping go by.
        plateau_factor: the learning rate is multiplied by this when the score stands still.
        plateau_patience: epochs without improvement before it is.
        stop_patience: epochs without improvement before training ends; None trains the whole budget.
        dropout_scale: factor on the network's dropout rates, in [0, 1].
        precision: ``auto`` is replaced by a rule: bf16 where the processor multiplies it and no convolution is
            depthwise, else fp32.
        schedule: ``plateau`` lowers the learning rate when the score stands still; ``cosine`` follows the share of the
            budget that is spent, from nothing up to ``learning_rate`` and down to a hundredth of it.
        warm_up: share of the budget in which ``cosine`` rises, in [0, 1).
        balance: ``loss`` weighs each class by the inverse of its photos; ``sampler`` draws each class as often as the
            others; ``none`` leaves them as they are.
        grey_share: share of the training photos that are shown without colour, in [0, 1].
        ema_decay: what is validated and kept is the moving average of the weights, of which each update keeps so
            much, in (0, 1); None keeps the weights themselves.
        view: what the network looks at, the whole ``photo`` or the ``face``.
        backbone: pretrained network to start from; None trains EmotionCNN from nothing.
        frozen_stages: of the backbone, counted from the pixels, that stay as they are, normalisation included.
        backbone_rate: the rest of the backbone learns at this share of ``learning_rate``.
        members: networks to train, each from its own seed and with the whole budget; the model averages their logits.
    """

    size: int
    batch_size: int
    budget: Budget
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    augment: str = "notebook"
    monitor: Literal["accuracy", "macro_f1"] = "macro_f1"
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    stop_patience: int | None = None
    dropout_scale: float = 1.0
    precision: Precision = "auto"
    schedule: Literal["plateau", "cosine"] = "plateau"
    warm_up: float = 0.1
    balance: Literal["none", "loss", "sampler"] = "none"
    grey_share: float = 0.0
    ema_decay: float | None = None
    view: Literal["photo", "face"] = "photo"
    backbone: str | None = None
    frozen_stages: int = 0
    backbone_rate: float = 0.1
    members: int = 1

    def __post_init__(self) -> None:
        if self.size < 32:
            raise ConfigError(f"--size {self.size}: the network halves its input four times; give at least 32 px")
        augmentation_parts(self.augment)
        check_choice("precision", self.precision, get_args(Precision))
        check_choice("monitor", self.monitor, ("accuracy", "macro_f1"))
        check_choice("schedule", self.schedule, ("plateau", "cosine"))
        check_choice("balance", self.balance, ("none", "loss", "sampler"))
        check_choice("view", self.view, ("photo", "face"))
        check_range("batch_size", self.batch_size, 1, None)
        check_range("label_smoothing", self.label_smoothing, 0, 0.999)
        for name in ("dropout_scale", "grey_share", "backbone_rate"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("warm_up", self.warm_up, 0, 0.999)
        check_range("frozen_stages", self.frozen_stages, 0, None)
        check_range("members", self.members, 1, None)
        if self.ema_decay is not None:
            check_range("ema_decay", self.ema_decay, 1e-6, 1 - 1e-6)
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} {value}: must be more than 0")


@dataclass(frozen=True)
class HeadSettings:
    """A logistic head on frozen features of the whole photo and of the face.

    Attributes:
        photo_backbone: name of the pretrained network that the whole photo goes through.
        face_backbone: name of the one that the face goes through.
        context: what the first of them sees: the whole ``photo``, or the ``scene``, which is blank for pictures that
            are face crops; a second head, fitted to faces alone, then answers for these.
        photo_size: side of the photo or scene view, px.
        face_size: side of the face view, px.
        mirrored: whether the head learns from the mirror image of each training photo as well.
        strengths: inverse L2 penalties C to choose from, by grouped cross-validation inside the training split.
        folds: of that cross-validation, from whose answers the temperature and the thresholds are made as well.
        max_error: wanted share of wrong answers among those given, in (0, 1); None asks for none.
        strength: the C that was chosen; None until it is.
    """

    photo_backbone: str = "efficientnet-lite0"
    face_backbone: str = "efficientnet-lite0"
    context: Literal["photo", "scene"] = "photo"
    photo_size: int = 224
    face_size: int = 160
    mirrored: bool = False
    strengths: tuple[float, ...] = (3e-4, 3e-3, 3e-2)
    folds: int = 5
    max_error: float | None = None
    strength: float | None = None

    def __post_init__(self) -> None:
        check_max_error(self.max_error)
        check_choice("context", self.context, ("photo", "scene"))


def check_max_error(value: float | None) -> None:
    """Refuse a wanted error that is no share.

    Raises:
        ConfigError: unless it is None or in (0, 1).
    """
    if value is not None and not 0 < value < 1:
        raise ConfigError(f"--max-error {value}: must be a share between 0 and 1, as in 0.1")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides one run.

    Attributes:
        name: of the run and its folder.
        recipe: the named recipe it came from.
        seed: of weights, order, augmentation and dropout.
        device: ``cpu`` or ``cuda``.
        labels: the classes in the order of the network's outputs.
        train: settings, for a network trained by gradient descent.
        head: settings, for a head on frozen features.
    """

    name: str
    recipe: str
    seed: int
    device: str
    labels: tuple[str, ...]
    train: TrainSettings | None = None
    head: HeadSettings | None = None


@dataclass(frozen=True)
class StudyConfig:
    """What the user asked of a study.

    Attributes:
        data: labelled photos, one or more sources, as ``open_source`` takes them.
        target: labelled photos from elsewhere, or None.
        target_labels: file that says how their classes answer to those of ``data``, or None.
        corrections: table of decisions on single photos of ``data``, or None.
        path_column: of tables: where the photos are; None takes a column with a usual name.
        label_column: of tables: their classes; None as above.
        split_column: of tables: train, val or test; None as above.
        group_column: of tables: what must not straddle splits, such as a subject; None for none.
        split: train/validation/test, per cent.
        split_method: what stays together: ``grouped`` copies and groups, ``series`` photos of one shoot as well,
            ``naive`` nothing, for comparison only.
        keep_splits: an earlier study whose photos keep their splits, or None.
        seed: of the split and of every run.
        recipes: names of the recipes to train.
        size: input side of the trained networks, px; None takes the recipe's.
        device: ``auto``, ``cpu`` or ``cuda``.
        budget: overrides the recipes' budgets where set.
        augment: overrides the recipes' augmentation where set.
        precision: overrides the recipes' precision where set; each run's ``config.toml`` has what ``auto`` came to.
        backbone: overrides what the whole photo goes through in recipes with a frozen backbone, where set.
        members: networks of each trained recipe, whose logits are averaged.
        max_error: wanted share of wrong answers among those given, in (0, 1), or None.
        check_labels: whether to judge labels; None does for a few thousand photos.
        leak_premium: whether to measure what copies across a split would be worth.
        explain_mistakes: whether to find out on which part of each shown mistake its answer rests.
        photos: whether the report may show photos.
    """

    data: tuple[str, ...]
    target: str | None = None
    target_labels: str | None = None
    corrections: str | None = None
    path_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    split: str = "70/15/15"
    split_method: SplitMethod = "grouped"
    keep_splits: str | None = None
    seed: int = 42
    recipes: tuple[str, ...] = DEFAULT_RECIPES
    size: int | None = None
    device: str = "auto"
    budget: Budget = Budget()
    augment: str | None = None
    precision: Precision | None = None
    backbone: str | None = None
    members: int = 1
    max_error: float | None = None
    check_labels: bool | None = None
    leak_premium: bool = False
    explain_mistakes: bool = False
    photos: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.data, str) or not self.data:
            raise ConfigError("data: give a tuple of one or more sources")
        if self.target_labels and not self.target:
            raise ConfigError("--target-labels is for the classes of photos from elsewhere; give them with --target")
        if self.explain_mistakes and not self.photos:
            raise ConfigError("--explain-mistakes is drawn over photos; give it without --no-photos")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"--seed {self.seed}: must be from 0 to {2**32 - 1}")
        check_range("members", self.members, 1, None)
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        check_choice("split-method", self.split_method, get_args(SplitMethod))
        if self.augment is not None:
            augmentation_parts(self.augment)
        check_choice("precision", self.precision, (None, *get_args(Precision)))
        check_max_error(self.max_error)


def write_toml(config: Any, path: Path) -> None:
    """Write a config, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(tomli_w.dumps(_without_none(dataclasses.asdict(config))), encoding="utf-8")
    os.replace(partial, path)


def read_toml(kind: type[T], path: Path) -> T:
    """Read a config of the given kind.

    Raises:
        ConfigError: if the file is missing, is not TOML, or has unknown or missing settings.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return _build(kind, values)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise ConfigError(f"{path}: not a {kind.__name__} that can be read ({error})") from error


_NESTED: dict[str, type[Any]] = {"budget": Budget, "train": TrainSettings, "head": HeadSettings}


def _build(kind: type[T], values: dict[str, Any]) -> T:
    for name in set(values) & set(_NESTED):
        if not isinstance(values[name], dict):
            raise TypeError(f"{name} is not a table")
    built = {
        name: _build(_NESTED[name], value) if name in _NESTED else tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
    hints = get_type_hints(kind)
    for name, value in built.items():
        if name in hints and not _fits(value, hints[name]):
            raise TypeError(f"{name} = {value!r} is not of the right type")
    return kind(**built)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from TOML is of a field's type; 3 will do for a float."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inside
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, inside[0]) for item in value)
    if inside:  # a union
        return any(_fits(value, option) for option in inside)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))


def augmentation_parts(text: str, option: str = "augment") -> tuple[str, ...]:
    """The parts of an augmentation, in order.

    Args:
        text: a name of ``AUGMENTATIONS``, with ``-PART`` behind it for each part that is left out.
        option: what to call it where it is none.

    Raises:
        ConfigError: if there is no such augmentation, or it has no such part.
    """
    name, *without = text.split("-")
    check_choice(option, name, tuple(AUGMENTATIONS))
    parts = AUGMENTATIONS[name]
    for part in without:
        if part not in parts:
            had = ", ".join(parts) or "none"
            raise ConfigError(f"--{option} {text}: {name} has no part {part!r} to leave out; it has {had}")
    if len(set(without)) < len(without):
        raise ConfigError(f"--{option} {text}: leaves a part out twice")
    return tuple(part for part in parts if part not in without)


def check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ConfigError: if it is not among them.
    """
    if value not in choices:
        raise ConfigError(f"--{name} {value}: choose one of {', '.join(c for c in choices if c)}")


def check_range(name: str, value: float, low: float, high: float | None) -> None:
    """Refuse a number out of its range.

    Raises:
        ConfigError: unless it lies from ``low`` to ``high``; None is no limit.
    """
    if not value >= low or (high is not None and value > high):
        limits = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise ConfigError(f"{name} {value}: must be {limits}")


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if value is not None
    }
