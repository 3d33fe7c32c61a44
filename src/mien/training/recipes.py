"""From a recipe and what was asked to the settings of one run, for the machine that it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch

from mien.data.reading.preprocess import View
from mien.errors import ConfigError
from mien.models.backbones import view_size
from mien.settings.budget import Budget
from mien.settings.choices import check_choice
from mien.settings.devices import device_count, device_kind
from mien.settings.recipes import DRAWN, FINETUNE, PLAIN, RECIPES, SIZE_ON_GPU, UNTUNED_BUDGET
from mien.settings.run import HeadRun, NetworkRun, RunConfig
from mien.settings.study import StudySettings
from mien.settings.training import HeadSettings, TrainSettings
from mien.settings.workers import Workers

__all__ = ["device_for", "resolve_run", "views_of", "work_of"]


def device_for(name: str, workers: Workers | None = None) -> str:
    """What a device that was asked for is here: ``cpu``, ``cuda``, or ``cuda:4`` for four GPUs.

    Args:
        workers: which machines train, where it may not be this one; a GPU here says nothing of others, whose GPUs are
            not used.

    Raises:
        ConfigError: for ``cuda`` if there is no GPU that PyTorch can use, and for more GPUs than there are.
    """
    kind, count = device_kind(name), device_count(name)
    if workers is not None and workers.are_elsewhere:
        if kind == "cuda":
            raise ConfigError(
                f"--device {name}: GPUs of other machines are not used; give cpu or leave --cluster {workers.cluster} "
                "out"
            )
        return "cpu"
    has_gpu = torch.cuda.is_available()
    if kind == "cuda" and not has_gpu:
        raise ConfigError(f"--device {name}: PyTorch sees no CUDA device here; use --device cpu")
    if count > 1:
        _check_several(name, count)
        return name
    return "cuda" if kind != "cpu" and has_gpu else "cpu"


def _check_several(name: str, count: int) -> None:
    """Refuse several GPUs that are not there, or that cannot work together."""
    found = torch.cuda.device_count()
    if found < count:
        raise ConfigError(
            f"--device {name}: asks for {count} GPUs, and PyTorch sees {found} here; give "
            f"{'cuda' if found == 1 else f'cuda:{found}'}, and look at CUDA_VISIBLE_DEVICES where there should be more"
        )
    if not (torch.distributed.is_available() and torch.distributed.is_nccl_available()):
        raise ConfigError(f"--device {name}: this PyTorch lacks NCCL, by which GPUs work together; give cuda")


def resolve_run(name: str, study: StudySettings, labels: Sequence[str]) -> RunConfig:
    """The settings of one recipe in a study, with everything decided but what ``auto`` precision comes to.

    Raises:
        ConfigError: for an unknown recipe or settings out of range.
    """
    check_choice("recipe", name, tuple(RECIPES))
    recipe = RECIPES[name]
    seed, votes = study.randomness.seed, study.columns.votes_learnt
    if isinstance(recipe, HeadSettings):
        head = _head(recipe, study)
        device = device_kind(device_for(study.computing.device))  # one GPU computes features, however many there are
        return HeadRun(name=name, recipe=name, seed=seed, device=device, labels=tuple(labels), votes=votes, head=head)
    is_sent = study.crossing.folds is not None  # all else is trained where the command runs
    device = device_for(study.computing.device, study.workers if is_sent else None)
    train = _asked(_fitting(name, recipe, study, device), study, is_plain=name.endswith(PLAIN))
    return NetworkRun(name=name, recipe=name, seed=seed, device=device, labels=tuple(labels), votes=votes, train=train)


def views_of(run: RunConfig) -> tuple[View, ...]:
    """The views a run's network looks at, in the order of its inputs."""
    match run:
        case HeadRun(head=head):
            return (View(head.context, head.photo_size), View("face", head.face_size))
        case NetworkRun(train=train):
            return (View(train.view, train.size),)


def work_of(run: RunConfig, n: int) -> tuple[int | None, str]:
    """How much there is to do in a run on ``n`` training photos, None where time alone ends it; and its unit."""
    match run:
        case HeadRun(head=head):
            return (4 if head.mirrored else 2) * n, "views"
        case NetworkRun(train=train):
            limits = [train.budget.updates] if train.budget.updates else []
            if train.budget.epochs:
                limits.append(train.budget.epochs * -(-n // train.batch_size))
            return train.members * min(limits) if limits else None, "updates"


def _head(recipe: HeadSettings, study: StudySettings) -> HeadSettings:
    """With the backbone that the user asked for, at the size it was made for."""
    recipe = replace(recipe, max_error=study.promise.max_error)
    backbone = study.training.backbone
    if backbone is None or recipe.prior:
        return recipe
    return replace(recipe, photo_backbone=backbone, photo_size=view_size(backbone, recipe.photo_size))


def _fitting(name: str, recipe: TrainSettings, study: StudySettings, device: str) -> TrainSettings:
    """The recipe as it fits the photos, the machine and the backbone that was asked for."""
    if name.startswith("scratch"):
        if all(spec.partition("::")[0] == "demo" for spec in study.data):
            return replace(DRAWN, augment=recipe.augment, grey_share=recipe.grey_share)
        return replace(recipe, size=SIZE_ON_GPU) if device_kind(device) == "cuda" else recipe
    backbone = study.training.backbone
    if recipe.backbone is None or backbone is None:
        return recipe
    recipe = replace(recipe, backbone=backbone, size=view_size(backbone, recipe.size))
    if backbone != FINETUNE.backbone:
        recipe = replace(recipe, frozen_stages=0, backbone_rate=1.0, budget=UNTUNED_BUDGET)
    return recipe


def _asked(recipe: TrainSettings, study: StudySettings, *, is_plain: bool) -> TrainSettings:
    """The recipe with what was asked in place of its settings of the same name, and of its budget as a whole.

    Args:
        is_plain: whether it is there to do without augmentation, whatever the others do.
    """
    asked = vars(study.training) | vars(study.computing)
    own = {field.name for field in fields(TrainSettings)} - {"backbone"}
    if is_plain:
        own -= {"augment"}
    budget = recipe.budget if study.budget == Budget() else study.budget
    return replace(
        recipe, budget=budget, **{name: value for name, value in asked.items() if name in own and value is not None}
    )
