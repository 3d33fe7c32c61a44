"""What is compared: arms given as ``key=value,key=value``, and budgets that are the same for all of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from mien.config import (
    Budget,
    HeadSettings,
    RunConfig,
    StudyConfig,
    TrainSettings,
    augmentation_parts,
    check_choice,
    check_range,
)
from mien.errors import ConfigError
from mien.training.recipes import RECIPES, device_for, resolve_run

__all__ = ["Arm", "CompareConfig", "budgets", "parse_arms", "primary_contrast", "resolve_arm"]

NETWORK_KEYS = (
    "size", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "clip_norm", "augment", "monitor",
    "plateau_factor", "plateau_patience", "dropout_scale", "precision", "schedule", "warm_up", "balance", "grey_share",
    "ema_decay", "view",
)  # fmt: skip
"""Of ``TrainSettings``. Early stopping is not among them: with it, arms would not get the same budget."""
PLATEAU_KEYS = ("plateau_factor", "plateau_patience")
BACKBONE_KEYS = ("backbone", "frozen_stages", "backbone_rate")
"""Of recipes that start from one."""
HEAD_KEYS = ("context", "photo_size", "face_backbone", "face_size")
CORES_A_RUN = 4
"""A small network gains little from each: at 32 px a run took 15 s with two, and 19 s with one beside another run."""
KEYS = ("name", "recipe", *BACKBONE_KEYS, *NETWORK_KEYS, *HEAD_KEYS)


@dataclass(frozen=True)
class CompareConfig:
    """What the user asked of a comparison; most fields mean what they mean in ``StudyConfig``.

    Attributes:
        arms: two or more, each as ``key=value,key=value``; none are needed beside ``leave_one_out``.
        leave_one_out: augmentation that is compared with itself less each of its parts.
        recipe: of arms that name none.
        epochs: first budget, for all arms.
        updates: another one.
        seconds: another one.
        pairs: runs of each arm under each budget; None takes the fewest that can tell.
        folds: outer folds of each repeat.
        primary: the contrast that matters, as ``1/2``, which it is by default; not with ``leave_one_out``.
        sizes: shares of the training photos of the learning curve; none for no curve.
        jobs: runs side by side, each with its share of the cores; None takes one for every four cores, but one on a GPU
            and with ``seconds``, which others would use up.
    """

    data: tuple[str, ...]
    arms: tuple[str, ...] = ()
    leave_one_out: str | None = None
    recipe: str = "scratch"
    epochs: int | None = None
    updates: int | None = None
    seconds: float | None = None
    pairs: int | None = None
    folds: int = 6
    primary: str | None = None
    sizes: tuple[float, ...] = ()
    jobs: int | None = None
    corrections: str | None = None
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    split: str = "70/15/15"
    split_method: str = "grouped"
    seed: int = 42
    size: int | None = None
    precision: str = "fp32"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("data: give a tuple of one or more sources")
        if len(self.all_arms) < 2:
            raise ConfigError(
                "compare: give two or more --arm, as in: --arm augment=none --arm augment=notebook; or --leave-one-out"
            )
        if self.pairs is not None and self.pairs < 2:
            raise ConfigError(f"--pairs {self.pairs}: a difference needs at least 2 pairs to have an interval")
        if self.folds < 2:
            raise ConfigError(f"--folds {self.folds}: must be at least 2")
        check_choice("recipe", self.recipe, tuple(RECIPES))
        for share in self.sizes:
            if not 0 < share <= 1:
                raise ConfigError(f"--sizes {share:g}: shares of the training photos lie above 0 and up to 1")
        if self.leave_one_out and self.primary:
            raise ConfigError(f"--primary {self.primary}: with --leave-one-out each part is compared with the whole")
        if self.jobs is not None:
            check_range("--jobs", self.jobs, 1, None)
        if self.jobs not in (None, 1) and self.seconds is not None:
            raise ConfigError(f"--jobs {self.jobs}: with --seconds runs must not share the machine; give 1")
        Budget(self.epochs, self.updates, self.seconds)

    @property
    def all_arms(self) -> tuple[str, ...]:
        """The arms, those of ``leave_one_out`` first: the whole augmentation, then without each part.

        Raises:
            ConfigError: if that augmentation is unknown or has no parts.
        """
        whole = self.leave_one_out
        if whole is None:
            return self.arms
        parts = augmentation_parts(whole, "leave-one-out")
        if not parts:
            raise ConfigError(f"--leave-one-out {whole}: has no parts; give notebook or elsewhere")
        without = [f"name={whole} without {part},augment={whole}-{part}" for part in parts]
        return (f"name={whole},augment={whole}", *without, *self.arms)

    @property
    def side_by_side(self) -> int:
        """How many runs train at a time."""
        if self.jobs is not None:
            return self.jobs
        alone = self.seconds is not None or device_for(self.device) == "cuda"
        return 1 if alone else max(1, (os.cpu_count() or 1) // CORES_A_RUN)

    @property
    def contrast(self) -> str:
        """The contrast that matters."""
        return self.primary or ("2/1" if self.leave_one_out else "1/2")

    def study(self, recipe: str, budget: Budget, seed: int) -> StudyConfig:
        """The study whose division of photos and whose recipes are compared."""
        return StudyConfig(
            data=self.data,
            split=self.split,
            split_method=self.split_method,  # type: ignore[arg-type]
            seed=seed,
            recipes=(recipe,),
            size=self.size,
            precision=self.precision,  # type: ignore[arg-type]
            device=self.device,
            budget=budget,
        )


@dataclass(frozen=True)
class Arm:
    """One of the things compared: its name, and what it changes."""

    name: str
    settings: dict[str, Any]


def parse_arms(texts: Sequence[str]) -> list[Arm]:
    """Read the arms; the text is the name where ``name=`` gives none.

    Raises:
        ConfigError: for unknown keys, values of a wrong kind, and arms of one name.
    """
    arms = [_parse_arm(text) for text in texts]
    for i, arm in enumerate(arms):
        if arm.name in [other.name for other in arms[:i]]:
            raise ConfigError(f"--arm {arm.name}: given twice; arms differ in their name and in what they change")
    return arms


def _parse_arm(text: str) -> Arm:
    settings: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = (each.strip() for each in part.partition("="))
        if not equals or not value:
            raise ConfigError(f"--arm {text}: expected key=value,key=value, as in augment=none,label_smoothing=0.1")
        if key not in KEYS:
            raise ConfigError(f"--arm {text}: unknown key {key!r}; choose from {', '.join(KEYS)}")
        if key in settings:
            raise ConfigError(f"--arm {text}: {key} is given twice")
        settings[key] = _value(text, key, value)
    name = settings.pop("name", text.strip())
    check_choice("arm recipe", settings.get("recipe"), (None, *RECIPES))
    return Arm(name, settings)


def _value(text: str, key: str, value: str) -> Any:
    """A setting as the kind its field has; ``none`` is None where the field can be."""
    hints = get_type_hints(TrainSettings) | get_type_hints(HeadSettings)
    hint = hints.get(key, str) if key != "backbone" else str  # a recipe without one has no such key
    options = get_args(hint) if get_origin(hint) is not None else (hint,)
    if type(None) in options and value == "none":
        return None
    kind: Any = next((each for each in options if each in (int, float)), str)
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"--arm {text}: {key} is a {'whole ' * (kind is int)}number, not {value!r}") from None


def budgets(config: CompareConfig) -> list[Budget]:
    """One budget for each limit that was given; a single empty one, which leaves the recipes theirs, for none."""
    asked: dict[str, Any] = {"epochs": config.epochs, "updates": config.updates, "seconds": config.seconds}
    return [Budget(**{name: value}) for name, value in asked.items() if value is not None] or [Budget()]


def primary_contrast(text: str, n_arms: int) -> tuple[int, int]:
    """Places of the two arms of the contrast that matters, from ``1/2``."""
    first, slash, second = text.partition("/")
    if slash and first.isdigit() and second.isdigit():
        places = int(first) - 1, int(second) - 1
        if all(0 <= place < n_arms for place in places) and places[0] != places[1]:
            return places
    raise ConfigError(f"--primary {text}: expected the numbers of two of the {n_arms} arms, as in 1/2")


def resolve_arm(arm: Arm, config: CompareConfig, labels: Sequence[str], budget: Budget, seed: int) -> RunConfig:
    """The settings of one run of an arm.

    Its name is the recipe's, whatever the arm's, so that equal settings are one run. It trains its whole budget.

    Raises:
        ConfigError: for settings out of range, or that this kind of recipe does not have.
    """
    recipe = arm.settings.get("recipe", config.recipe)
    study = replace(config.study(recipe, budget, seed), backbone=arm.settings.get("backbone"))
    run = resolve_run(recipe, study, labels)
    changes = {key: value for key, value in arm.settings.items() if key not in ("recipe", "backbone")}
    keys = _keys(run, changes)
    for key in arm.settings:
        if key not in (*keys, "recipe"):
            raise ConfigError(f"--arm {arm.name}: recipe {recipe} has no {key}; it has {', '.join(keys)}")
    if run.train:
        return replace(run, train=replace(run.train, stop_patience=None, **changes))
    assert run.head is not None
    return replace(run, head=dataclasses.replace(run.head, **changes))


def _keys(run: RunConfig, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """What an arm of this recipe can change so that it makes a difference."""
    if run.train is None:
        return ("backbone", *HEAD_KEYS)
    idle = PLATEAU_KEYS if changes.get("schedule", run.train.schedule) == "cosine" else ("warm_up",)
    own = BACKBONE_KEYS if run.train.backbone else ()
    return (*own, *(key for key in NETWORK_KEYS if key not in idle))
