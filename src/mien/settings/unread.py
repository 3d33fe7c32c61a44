"""Options that none of the chosen recipes reads are refused, not ignored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from mien.errors import ConfigError
from mien.settings.budget import Budget
from mien.settings.computing import Computing, Promise
from mien.settings.devices import device_count
from mien.settings.recipes import PLAIN, RECIPES
from mien.settings.study import Training
from mien.settings.training import HeadSettings, TrainSettings

__all__ = ["read_by", "refuse_unread"]


def _names(*groups: type) -> frozenset[str]:
    return frozenset(field.name for group in groups for field in fields(group))


ASKED = _names(Training, Computing, Promise)
OF_NETWORKS = _names(Budget) | (ASKED & _names(TrainSettings)) - {"backbone"}
OF_HEADS = (ASKED & _names(HeadSettings)) | {"backbone"}
"""Options by the names of the settings that they replace; a backbone is also what some networks start from."""


def read_by(recipe: str) -> frozenset[str]:
    """The options, among those that not all recipes read, that this one reads."""
    settings = RECIPES[recipe]
    if isinstance(settings, HeadSettings):
        return OF_HEADS - ({"backbone"} if settings.prior else set())
    read = OF_NETWORKS | ({"backbone"} if settings.backbone else set())
    return read - {"augment"} if recipe.endswith(PLAIN) else read


def refuse_unread(recipes: Iterable[str], *groups: Budget | Training | Computing | Promise) -> None:
    """Refuse what was asked for in vain.

    Args:
        recipes: those that were chosen; it is enough if one of them reads an option.
        groups: what was asked for.

    Raises:
        ConfigError: for the first option that was given and that none of the recipes reads.
    """
    chosen = tuple(dict.fromkeys(recipes))
    read = frozenset[str]().union(*map(read_by, chosen))
    for group in groups:
        if isinstance(group, Computing):
            _refuse_several(chosen, group.device)
        for field in fields(group):
            value = getattr(group, field.name)
            if field.name not in OF_NETWORKS | OF_HEADS or field.name in read or value == field.default:
                continue
            others = [name for name in RECIPES if field.name in read_by(name) and not name.endswith("-no-augmentation")]
            raise ConfigError(
                f"--{field.name.replace('_', '-')} {value}: is for {_listed(others)}; {_listed(chosen)} "
                f"{'does' if len(chosen) == 1 else 'do'} not read it: leave it out, or choose one of those"
            )


def _refuse_several(chosen: tuple[str, ...], device: str) -> None:
    """Refuse several GPUs where no network is trained."""
    if device_count(device) == 1 or not all(isinstance(RECIPES[name], HeadSettings) for name in chosen):
        return
    trained = [name for name, recipe in RECIPES.items() if isinstance(recipe, TrainSettings) and PLAIN not in name]
    raise ConfigError(
        f"--device {device}: several GPUs train {_listed(trained)}; {_listed(chosen)} "
        f"{'trains' if len(chosen) == 1 else 'train'} no network: give cuda, or choose one of those"
    )


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
