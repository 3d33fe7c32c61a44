"""What decides how one network, or one head, is trained; a recipe with what was asked in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mien.errors import ConfigError
from mien.settings.budget import Budget
from mien.settings.choices import Precision, augmentation_parts, check_choice, check_range, check_share

__all__ = ["HeadSettings", "TrainSettings"]


@dataclass(frozen=True, kw_only=True)
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
        plateau_factor: the learning rate is multiplied by this when the score stops rising.
        plateau_patience: epochs without improvement before it is.
        stop_patience: epochs without improvement before training ends; None trains the whole budget.
        dropout_scale: factor on the network's dropout rates, in [0, 1].
        precision: ``auto`` is replaced by what ``training/precision.py`` has for the processor and the network.
        schedule: ``plateau`` lowers the learning rate when the score stops rising; ``cosine`` follows the share of the
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


@dataclass(frozen=True, kw_only=True)
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
        prior: a recogniser that comes with mien, of the same features, towards whose weights the penalty draws those
            of the classes that both have; None draws them to zero.
        own_strengths: beside a prior, the C to choose from of a head that is not drawn to it.
        is_drawn: whether the head that was chosen is drawn to the prior; None until it is, and without one.
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
    prior: str | None = None
    own_strengths: tuple[float, ...] = ()
    is_drawn: bool | None = None

    def __post_init__(self) -> None:
        check_share("max-error", self.max_error)
        check_choice("context", self.context, ("photo", "scene"))
