"""What is compared: arms given as ``key=value,key=value``, and budgets that are the same for all of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args, get_origin, get_type_hints

from msgspec import structs

from mien.data.sources.collection import Collection
from mien.data.sources.files import VOTES
from mien.errors import ConfigError
from mien.settings.budget import Budget
from mien.settings.choices import VotesAs, check_choice
from mien.settings.compare import CompareSettings
from mien.settings.devices import Device
from mien.settings.division import Randomness
from mien.settings.recipes import RECIPES
from mien.settings.run import HeadRun, NetworkRun, RunConfig
from mien.settings.study import StudySettings, Training
from mien.settings.training import HeadSettings, TrainSettings
from mien.training.recipes import device_for, resolve_run

__all__ = [
    "Arm",
    "budgets",
    "parse_arms",
    "primary_contrast",
    "refuse_votes",
    "resolve_arm",
    "side_by_side",
    "study_settings",
]

BACKBONE_KEYS = ("backbone", "frozen_stages", "backbone_rate")
"""Of recipes that start from one."""
UNEQUAL_KEYS = ("budget", "stop_patience", "members")
"""With these, arms would not get the same budget."""
NETWORK_KEYS = tuple(
    field.name for field in dataclasses.fields(TrainSettings) if field.name not in (*BACKBONE_KEYS, *UNEQUAL_KEYS)
)
PLATEAU_KEYS = ("plateau_factor", "plateau_patience")
HEAD_KEYS = ("context", "photo_size", "face_backbone", "face_size")
CORES_A_RUN = 4
"""A small network gains little from each: at 32 px a run took 15 s with two, and 19 s with one beside another run."""
VOTES_KEY = "votes"
"""Of all recipes, where photos come with raters' votes."""
KEYS = ("name", "recipe", VOTES_KEY, *BACKBONE_KEYS, *NETWORK_KEYS, *HEAD_KEYS)


def side_by_side(settings: CompareSettings) -> int:
    """How many runs train at a time."""
    if settings.comparison.jobs is not None:
        return settings.comparison.jobs
    alone = settings.budget.seconds is not None or device_for(settings.computing.device, settings.workers) != "cpu"
    return 1 if alone else max(1, (os.cpu_count() or 1) // CORES_A_RUN)


def study_settings(
    settings: CompareSettings, recipe: str, budget: Budget, seed: int, *, backbone: str | None = None
) -> StudySettings:
    """The study whose division of photos and whose recipes are compared."""
    device = cast(Device, device_for(settings.computing.device, settings.workers))
    return StudySettings(
        data=settings.data,
        columns=settings.columns,
        division=settings.division,
        randomness=Randomness(seed=seed),
        training=Training(recipes=(recipe,), backbone=backbone),
        budget=budget,
        computing=replace(settings.computing, device=device, precision=settings.computing.precision or "fp32"),
    )


@dataclass(frozen=True)
class Arm:  # type: ignore[explicit-any]  # settings of any type
    """One of the things compared: its name, and what it changes."""

    name: str
    settings: dict[str, Any]  # type: ignore[explicit-any]  # settings of any type


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
    settings: dict[str, Any] = {}  # type: ignore[explicit-any]  # settings of any type
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
    check_choice("arm votes", settings.get(VOTES_KEY), (None, *get_args(VotesAs)))
    return Arm(name, settings)


def _value(text: str, key: str, value: str) -> Any:  # type: ignore[explicit-any]  # settings of any type
    """A setting as the kind its field has; ``none`` is None where the field can be."""
    hints = get_type_hints(TrainSettings) | get_type_hints(HeadSettings)
    hint = hints.get(key, str) if key != "backbone" else str  # a recipe without one has no such key
    options = get_args(hint) if get_origin(hint) is not None else (hint,)
    if type(None) in options and value == "none":
        return None
    kind: Any = next((each for each in options if each in (int, float)), str)  # type: ignore[explicit-any]  # settings of any type
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"--arm {text}: {key} is a {'whole ' * (kind is int)}number, not {value!r}") from None


def refuse_votes(arms: Sequence[Arm], data: Collection) -> None:
    """Refuse arms that learn votes in some way where the photos have none.

    Raises:
        ConfigError: for the first such arm.
    """
    columns = [column for source in data.sources if source.own is not None for column in source.own.columns]
    if any(column.startswith(VOTES) for column in columns):
        return
    for arm in arms:
        if VOTES_KEY in arm.settings:
            raise ConfigError(f"--arm {arm.name}: {data.spec} has no votes of raters; leave {VOTES_KEY} out")


def budgets(asked: Budget) -> list[Budget]:
    """One budget for each limit that was given; a single empty one, which leaves the recipes theirs, for none."""
    return [Budget(**{name: value}) for name, value in vars(asked).items() if value is not None] or [Budget()]


def primary_contrast(text: str, n_arms: int) -> tuple[int, int]:
    """Places of the two arms of the contrast that matters, from ``1/2``."""
    first, slash, second = text.partition("/")
    if slash and first.isdigit() and second.isdigit():
        places = int(first) - 1, int(second) - 1
        if all(0 <= place < n_arms for place in places) and places[0] != places[1]:
            return places
    raise ConfigError(f"--primary {text}: expected the numbers of two of the {n_arms} arms, as in 1/2")


def resolve_arm(arm: Arm, settings: CompareSettings, labels: Sequence[str], budget: Budget, seed: int) -> RunConfig:
    """The settings of one run of an arm.

    Its name is the recipe's, whatever the arm's, so that equal settings are one run. It trains its whole budget.

    Raises:
        ConfigError: for settings out of range, or that this kind of recipe does not have.
    """
    recipe = arm.settings.get("recipe", settings.comparison.recipe)
    study = study_settings(settings, recipe, budget, seed, backbone=arm.settings.get("backbone"))
    run = resolve_run(recipe, study, labels)
    run = structs.replace(run, votes=arm.settings.get(VOTES_KEY, run.votes))
    changes = {key: value for key, value in arm.settings.items() if key not in ("recipe", "backbone", VOTES_KEY)}
    keys = _keys(run, changes)
    for key in arm.settings:
        if key not in (*keys, "recipe"):
            raise ConfigError(f"--arm {arm.name}: recipe {recipe} has no {key}; it has {', '.join(keys)}")
    match run:
        case NetworkRun():
            return structs.replace(run, train=replace(run.train, stop_patience=None, **changes))
        case HeadRun():
            return structs.replace(run, head=replace(run.head, **changes))


def _keys(run: RunConfig, changes: Mapping[str, Any]) -> tuple[str, ...]:  # type: ignore[explicit-any]  # settings of any type
    """What an arm of this recipe can change so that it makes a difference."""
    if isinstance(run, HeadRun):
        return (VOTES_KEY, "backbone", *HEAD_KEYS)
    idle = PLATEAU_KEYS if changes.get("schedule", run.train.schedule) == "cosine" else ("warm_up",)
    own = BACKBONE_KEYS if run.train.backbone else ()
    return (VOTES_KEY, *own, *(key for key in NETWORK_KEYS if key not in idle))
