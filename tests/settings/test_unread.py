"""An option that none of the chosen recipes reads is refused in one line, and one that some recipe reads is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.errors import ConfigError
from mien.settings.budget import Budget
from mien.settings.by_name import made, option_fields
from mien.settings.computing import Computing, Promise
from mien.settings.recipes import RECIPES
from mien.settings.study import StudySettings, Training
from mien.settings.training import HeadSettings
from mien.settings.unread import refuse_unread
from mien.training.recipes import resolve_run
from support.outcomes import Outcome

Mien = Callable[..., Outcome]
NETWORK_OPTIONS: dict[str, object] = {
    "epochs": 3,
    "updates": 7,
    "seconds": 9.0,
    "size": 64,
    "augment": "elsewhere",
    "precision": "bf16",
    "members": 2,
}
OPTIONS = NETWORK_OPTIONS | {"backbone": "efficientnet-lite0", "max_error": 0.1}
HEADS = [name for name, settings in RECIPES.items() if isinstance(settings, HeadSettings)]
NETWORKS = [name for name in RECIPES if name not in HEADS]


def asked(recipes: tuple[str, ...], **options: object) -> StudySettings:
    return made(StudySettings, data=("photos",), device="cpu", recipes=recipes, **options)


def refuse(settings: StudySettings) -> None:
    refuse_unread(settings.training.recipes, settings.training, settings.budget, settings.computing, settings.promise)


def is_refused(settings: StudySettings) -> bool:
    try:
        refuse(settings)
    except ConfigError:
        return True
    return False


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_an_option_is_refused_where_it_would_change_nothing(recipe: str, option: str) -> None:
    """And taken where it does: the settings of the run are the witness."""
    plain, with_option = (
        resolve_run(recipe, asked((recipe,), **given), "ab") for given in ({}, {option: OPTIONS[option]})
    )
    reads_nothing = plain == with_option
    if option == "backbone":  # which may be the recipe's own already
        reads_nothing = recipe.startswith(("scratch", "notebook", "from-default"))
    assert is_refused(asked((recipe,), **{option: OPTIONS[option]})) == reads_nothing


@pytest.mark.parametrize("option", NETWORK_OPTIONS)
def test_one_recipe_that_reads_an_option_is_enough(option: str) -> None:
    refuse(asked(("two-stream", "scratch"), **{option: NETWORK_OPTIONS[option]}))
    with pytest.raises(ConfigError, match=f"--{option} .*notebook, scratch and finetune; two-stream and probe do not"):
        refuse(asked(("two-stream", "probe"), **{option: NETWORK_OPTIONS[option]}))


def test_no_option_about_training_is_left_out() -> None:
    """A new one is either read by all recipes or refused where it is not: this list says which are which."""
    groups = (Training, Budget, Computing, Promise)
    names = {field.name for group in groups for field in dataclasses.fields(group)}
    assert names - {*OPTIONS} == {"recipes", "device"}
    assert names <= {*option_fields(StudySettings)}


@pytest.mark.parametrize("command", ["study", "train"])
@pytest.mark.parametrize(
    ("option", "value"),
    [*NETWORK_OPTIONS.items(), ("max-error --recipe scratch", 0.1), ("backbone --recipe scratch", "expression")],
)
def test_commands_say_so_in_one_line_and_write_nothing(
    mien: Mien, tmp_path: Path, command: str, option: str, value: object
) -> None:
    name, *recipe = option.split()
    out = mien(command, "demo", f"--{name}={value}", *recipe)
    assert (out.code, list(tmp_path.iterdir())) == (2, [])
    assert f"--{name} {value}: is for " in out.complaint


@pytest.mark.parametrize("option", [("--epochs", 3), ("--size", 64), ("--precision", "bf16")])
def test_a_comparison_of_heads_alone_takes_no_option_of_networks(
    mien: Mien, tmp_path: Path, option: tuple[str, object]
) -> None:
    heads = ("--arm", "recipe=probe", "--arm", "recipe=two-stream")
    out = mien("compare", "demo", *heads, *option)
    assert (out.code, list(tmp_path.iterdir())) == (2, [])
    assert "two-stream do not read it" in out.complaint
