"""The named recipes.

``notebook``   EmotionCNN as in the course notebook: 224 px, Adam, plateau scheduler, best state by accuracy.
``scratch``    the same network with label smoothing, clipping, early stopping and selection by macro-F1, at a
               size that fits the machine.
``probe``      a logistic head on frozen ImageNet features of the whole photo and of the face.
``two-stream`` the same, with the face through a backbone that learnt expressions, learning from mirror images too, and
               able to do without a scene; the default.

``from-default`` ``two-stream`` drawn towards what ``default`` knows of the classes that both have, as far as answers
               out of fold are better for it: for a few hundred photos or less, which must not be photos that
               ``default`` learnt from.

``finetune``   the face through the backbone that learnt expressions, which goes on learning: stages near the pixels
               frozen, the others at a tenth of the head's rate, a cosine schedule, averaged weights, balanced classes.
               Another backbone, which has yet to learn what an expression is, learns whole and at the head's rate.

``-no-augmentation`` behind a trained recipe leaves its augmentation out.
"""

from __future__ import annotations

from dataclasses import replace

from mien.settings.budget import Budget
from mien.settings.training import HeadSettings, TrainSettings

__all__ = [
    "COURSE_RECIPES",
    "DEFAULT_RECIPES",
    "DRAWN",
    "FINETUNE",
    "NOTEBOOK",
    "PLAIN",
    "RECIPES",
    "SIZE_ON_GPU",
    "TRAINED_ALONE",
    "UNTUNED_BUDGET",
]

DEFAULT_RECIPES = ("two-stream", "probe")
COURSE_RECIPES = ("scratch", "scratch-no-augmentation")
"""The network of the course notebook, with and without its augmentation; ``mien study --course`` adds them."""
"""What a study compares unless told otherwise."""
TRAINED_ALONE = ("two-stream",)
"""What ``mien train`` trains unless told otherwise."""

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

UNTUNED_BUDGET = Budget(epochs=15)
"""``finetune`` from a backbone that has yet to learn what an expression is."""

PLAIN = "-no-augmentation"
"""What is appended to the name of a trained recipe without its augmentation."""
TWO_STREAM = HeadSettings(
    face_backbone="expression",
    context="scene",
    photo_size=288,
    face_size=128,
    mirrored=True,
    strengths=(3e-3, 1e-2, 3e-2),
)

_TRAINED = {"notebook": NOTEBOOK, "scratch": SCRATCH, "finetune": FINETUNE}
RECIPES: dict[str, TrainSettings | HeadSettings] = {
    "two-stream": TWO_STREAM,
    "from-default": replace(
        TWO_STREAM, strengths=(1e-5, 1e-4, 1e-3, 1e-2), prior="default@2", own_strengths=TWO_STREAM.strengths
    ),
    "probe": HeadSettings(),
    **_TRAINED,
    **{f"{name}{PLAIN}": replace(settings, augment="none", grey_share=0.0) for name, settings in _TRAINED.items()},
}

DRAWN = replace(SCRATCH, size=48, view="face", budget=Budget(epochs=30), schedule="cosine", stop_patience=None)
"""``scratch`` on the drawn demo, in some minutes and not ten. Whole pictures of 48 px, of which the face is a third,
taught it nothing; without a slow start some seeds learn nothing for ten epochs, and early stopping ended them
(docs/LOG.md)."""

SIZE_ON_GPU = 160
"""Side of ``scratch``'s input where there is a GPU, px; on a CPU an epoch would take minutes."""
