"""The named recipes.

``notebook``   EmotionCNN as in the course notebook: 224 px, Adam, plateau scheduler, best state by accuracy.
``scratch``    the same network with label smoothing, clipping, early stopping and selection by macro-F1, at a
               size that fits the machine.
``probe``      a logistic head on frozen ImageNet features of the whole photo and of the face.
``two-stream`` the same, with the face through a backbone that learnt expressions, learning from mirror images too, and
               able to do without a scene; the default.

``finetune``   the face through the backbone that learnt expressions, which goes on learning: stages near the pixels
               frozen, the others at a tenth of the head's rate, a cosine schedule, averaged weights, balanced classes.
               Another backbone, which has yet to learn what an expression is, learns whole and at the head's rate.

``-no-augmentation`` behind a trained recipe leaves its augmentation out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from mien.config import Budget, HeadSettings, RunConfig, StudyConfig, TrainSettings
from mien.data.preprocess import View
from mien.errors import ConfigError
from mien.models.backbones import view_size

__all__ = ["RECIPES", "device_for", "resolve_run", "views_of"]

NOTEBOOK = TrainSettings(
    size=224,
    batch_size=32,
    budget=Budget(epochs=25),
    weight_decay=1e-5,
    monitor="accuracy",
    precision="fp32",
)

SCRATCH = TrainSettings(
    size=96,
    batch_size=32,
    budget=Budget(epochs=30),
    weight_decay=1e-5,
    label_smoothing=0.05,
    clip_norm=5.0,
    stop_patience=6,
    dropout_scale=0.2,
)

FINETUNE = TrainSettings(
    size=128,
    batch_size=32,
    budget=Budget(epochs=12),
    label_smoothing=0.05,
    clip_norm=5.0,
    schedule="cosine",
    balance="loss",
    ema_decay=0.98,
    view="face",
    backbone="expression",
    frozen_stages=3,
)

_TRAINED = {"notebook": NOTEBOOK, "scratch": SCRATCH, "finetune": FINETUNE}
RECIPES: dict[str, TrainSettings | HeadSettings] = {
    "two-stream": HeadSettings(
        face_backbone="expression",
        context="scene",
        photo_size=288,
        face_size=128,
        mirrored=True,
        strengths=(3e-3, 1e-2, 3e-2),
    ),
    "probe": HeadSettings(),
    **_TRAINED,
    **{
        f"{name}-no-augmentation": replace(settings, augment="none", grey_share=0.0)
        for name, settings in _TRAINED.items()
    },
}

DRAWN_SIZE, DRAWN_BUDGET = 48, Budget(epochs=15)
"""``scratch`` on the drawn demo, so that a look at the whole way takes a minute and not ten."""

SIZE_ON_GPU = 160
"""Side of ``scratch``'s input where there is a GPU, px; on a CPU an epoch would take minutes."""


def device_for(name: str) -> str:
    """``cuda`` or ``cpu`` for ``auto``, ``cuda`` or ``cpu``.

    Raises:
        ConfigError: for ``cuda`` if there is no GPU that PyTorch can use.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: PyTorch sees no CUDA device here; use --device cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def resolve_run(name: str, study: StudyConfig, labels: Sequence[str]) -> RunConfig:
    """The settings of one recipe in a study, with everything decided but what ``auto`` precision comes to.

    Raises:
        ConfigError: for an unknown recipe or settings out of range.
    """
    if name not in RECIPES:
        raise ConfigError(f"--recipe {name}: unknown; choose from {', '.join(RECIPES)}")
    settings = RECIPES[name]
    device = device_for(study.device)
    run = RunConfig(name, name, study.seed, device, tuple(labels))
    if isinstance(settings, HeadSettings):
        if study.members > 1 and all(isinstance(RECIPES.get(each), HeadSettings) for each in study.recipes):
            raise ConfigError(
                f"--members {study.members}: {name} is one head on frozen features; give scratch or finetune"
            )
        return replace(run, head=_head(settings, study))
    if name.startswith("scratch"):
        if all(spec.partition("::")[0] == "demo" for spec in study.data):
            settings = replace(settings, size=DRAWN_SIZE, budget=DRAWN_BUDGET)
        elif device == "cuda":
            settings = replace(settings, size=SIZE_ON_GPU)
    if settings.backbone and study.backbone:
        settings = replace(settings, backbone=study.backbone, size=view_size(study.backbone, settings.size))
        if study.backbone != FINETUNE.backbone:
            settings = replace(settings, frozen_stages=0, backbone_rate=1.0, budget=Budget(epochs=15))
    return replace(
        run,
        train=replace(
            settings,
            size=settings.size if study.size is None else study.size,
            augment=study.augment or settings.augment,
            precision=study.precision or settings.precision,
            members=study.members,
            budget=_override(settings.budget, study.budget),
        ),
    )


def views_of(run: RunConfig) -> tuple[View, ...]:
    """The views a run's network looks at, in the order of its inputs."""
    if run.head is not None:
        return (View(run.head.context, run.head.photo_size), View("face", run.head.face_size))
    assert run.train is not None
    return (View(run.train.view, run.train.size),)


def _head(recipe: HeadSettings, study: StudyConfig) -> HeadSettings:
    """With the backbone that the user asked for, at the size it was made for."""
    recipe = replace(recipe, max_error=study.max_error)
    if study.backbone is None:
        return recipe
    return replace(recipe, photo_backbone=study.backbone, photo_size=view_size(study.backbone, recipe.photo_size))


def _override(recipe: Budget, asked: Budget) -> Budget:
    """What the user asked for replaces the recipe's budget as a whole."""
    return recipe if asked == Budget() else asked
