"""Settings are written once, come back from their file as they went in, and say what is out of range or unreadable."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import math
import pkgutil
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import mien
import mien.settings
from mien.cli import COMMANDS, app
from mien.errors import ConfigError
from mien.settings.adapt import AdaptSettings
from mien.settings.audit import AuditSettings
from mien.settings.budget import Budget
from mien.settings.by_name import changed, made, option_fields
from mien.settings.columns import Columns
from mien.settings.compare import CompareSettings
from mien.settings.evaluate import EvaluateSettings
from mien.settings.recipes import DEFAULT_RECIPES, RECIPES
from mien.settings.run import HeadRun, NetworkRun, RunConfig, read_run
from mien.settings.score import ScoreSettings
from mien.settings.study import StudySettings
from mien.settings.toml import as_builtins, read_toml, write_toml
from mien.settings.training import HeadSettings, TrainSettings
from support.outcomes import Outcome

TRAIN = TrainSettings(size=96, batch_size=32, budget=Budget(epochs=30))
LABELS = ("anger", "sad")

CONFIGS: dict[str, Any] = {
    "trained": NetworkRun(name="scratch", recipe="scratch", seed=42, device="cpu", labels=LABELS, train=TRAIN),
    "every train setting": NetworkRun(
        name='odd "name" é😀',
        recipe="notebook",
        seed=0,
        device="cuda",
        labels=("müde", "it's", 'so "sad"', "a=b"),
        train=TrainSettings(
            size=32,
            batch_size=1,
            budget=Budget(epochs=1, updates=2, seconds=0.5),
            learning_rate=1e-7,
            weight_decay=1e-5,
            label_smoothing=0.05,
            clip_norm=5.0,
            augment="none",
            monitor="accuracy",
            plateau_factor=0.1,
            plateau_patience=1,
            stop_patience=6,
            dropout_scale=0.0,
            precision="bf16",
        ),
    ),
    "probe": HeadRun(name="probe", recipe="probe", seed=1, device="cpu", labels=LABELS, head=HeadSettings()),
    "decided probe": HeadRun(
        name="probe", recipe="probe", seed=1, device="cpu", labels=LABELS, head=HeadSettings(strength=3e-4)
    ),
    "study": StudySettings(data=("photos",)),
    "full study": made(
        StudySettings,
        data=("C:\\photos\\mine", "demo"),
        target="demo::target",
        class_map="map.toml",
        corrections="findings.csv",
        path_column="file",
        label_column="emotion",
        split_column="part",
        group_column="subject",
        split="80/10/10",
        split_method="series",
        keep_splits="earlier",
        check_labels=False,
        leak_premium=True,
        seed=7,
        recipes=("probe", "scratch"),
        augment="elsewhere-flip",
        backbone="expression",
        members=3,
        size=64,
        device="cpu",
        precision="fp32",
        epochs=2,
        updates=3,
        seconds=1.5,
        max_error=0.1,
        explain_mistakes=True,
    ),
    "comparison": made(
        CompareSettings,
        data=("photos",),
        arms=("augment=none", "size=64"),
        recipe="notebook",
        pairs=3,
        folds=4,
        primary="2/1",
        sizes=(0.25, 1.0),
        jobs=1,
    ),
    "comparison of parts": made(CompareSettings, data=("photos",), leave_one_out="notebook", jobs=2),
    "adaptation": made(AdaptSettings, model="run", target="photos", shots=(0, 3), draws=2, save="labels, shares"),
    "audit": made(AuditSettings, data=("photos",), find_faces=False),
    "evaluation": made(EvaluateSettings, model="run", data=("photos",)),
    "score": made(ScoreSettings, answers="answers.csv", photos="photos"),
}
ASKED = (StudySettings, CompareSettings, AdaptSettings, AuditSettings, EvaluateSettings, ScoreSettings)
"""What a command is asked for as a whole."""


# -- written once -----------------------------------------------------------------------------------------------------


def setting_classes() -> dict[str, type[Any]]:
    """Every dataclass and Struct below ``mien.settings``, by name."""
    found = {}
    for info in pkgutil.iter_modules(mien.settings.__path__):
        module = importlib.import_module(f"mien.settings.{info.name}")
        for name, kind in vars(module).items():
            is_settings = dataclasses.is_dataclass(kind) or hasattr(kind, "__struct_fields__")
            if inspect.isclass(kind) and is_settings and kind.__module__ == module.__name__:
                found[name] = kind
    return found


CLASSES = setting_classes()
OF_RUNS = {"NetworkRun", "HeadRun", "_Run", "TrainSettings", "HeadSettings"}
"""What was decided for one run; everything else is what was asked."""
OF_ONE_OPTION = {"WayToAdapt"}
"""What the choices of a single option are."""
GROUPS = {name: kind for name, kind in CLASSES.items() if name not in OF_RUNS | OF_ONE_OPTION and kind not in ASKED}
WORKED_ON = {"data", "model", "target", "answers", "photos"}
"""Positional arguments, without which a command cannot run: ``model`` and ``target`` are options of other commands."""
REPLACED = {"size", "augment", "precision", "backbone", "members", "max_error"}
"""Asked for by option, where None takes the recipe's, and decided in ``TrainSettings`` or ``HeadSettings``."""
SHARED = {"folds", "port", "check_labels"}
"""What two commands ask of their own: a study for one test split or folds, a comparison for how many folds; a service
for a port that others know, a review for any that is free; an audit and a review for doubtful labels."""
OTHER_MEANING = {"folds", "seed", "device", "recipe", "votes"}
"""Asked of a whole study or comparison; what one run has by that name was decided for it."""


def test_every_option_is_a_field_of_one_group_alone() -> None:
    for kinds in (GROUPS.values(), (TrainSettings, HeadSettings)):
        names = Counter(field.name for kind in kinds for field in dataclasses.fields(kind))
        assert len(names) > 30
        assert {name for name, count in names.items() if count > 1} <= SHARED


def test_composed_settings_define_no_option_themselves() -> None:
    """They are made of groups, and of what a command works on."""
    for kind in ASKED:
        own = {name for name, owner in option_fields(kind).items() if owner is kind}
        assert own <= WORKED_ON, (kind, own)
        groups = {owner for owner in option_fields(kind).values() if owner is not kind}
        assert groups <= set(GROUPS.values())


def test_what_is_asked_and_what_is_decided_have_no_other_name_in_common() -> None:
    asked = {field.name for kind in GROUPS.values() for field in dataclasses.fields(kind)}
    decided = {field.name for kind in (TrainSettings, HeadSettings) for field in dataclasses.fields(kind)}
    decided |= {name for kind in (NetworkRun, HeadRun) for name in kind.__struct_fields__}
    assert asked & decided == REPLACED | OTHER_MEANING


def test_what_replaces_a_recipes_setting_is_of_its_type() -> None:
    hints = {name: hint for kind in GROUPS.values() for name, hint in get_type_hints(kind).items()}
    decided = get_type_hints(TrainSettings) | get_type_hints(HeadSettings)
    for name in REPLACED:
        asked = {each for each in get_args(hints[name]) or (hints[name],) if each is not type(None)}
        assert asked <= {decided[name], *get_args(decided[name])}, name


def test_every_group_is_an_option_group_of_some_command(mien: Callable[..., Outcome]) -> None:
    shown: dict[str, str] = {}
    for command in COMMANDS:
        page = mien(command, "--help").out
        for argument in app[command].assemble_argument_collection():
            if any(name in page for name in argument.names):
                shown[argument.field_info.name] = command
    for group in GROUPS.values():
        assert {field.name for field in dataclasses.fields(group)} <= set(shown), group.__name__


@pytest.mark.parametrize("kind", ASKED)
def test_every_option_of_composed_settings_is_in_their_file(kind: type[Any], tmp_path: Path) -> None:
    groups = {name: hint for name, hint in get_type_hints(kind).items() if dataclasses.is_dataclass(hint)}
    settings = next(config for config in CONFIGS.values() if isinstance(config, kind))
    for name, group in groups.items():
        assert set(as_builtins(settings)[name]) == {field.name for field in dataclasses.fields(group)}
    write_toml(settings, tmp_path / "settings.toml")
    text = (tmp_path / "settings.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)) == set(groups), "a table for each group"
    assert f'mien = "{mien.__version__}"' in text


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_settings_cannot_be_changed_and_are_all_explained(kind: type[Any]) -> None:
    names = getattr(kind, "__struct_fields__", None) or [field.name for field in dataclasses.fields(kind)]
    told = "__dataclass_params__" if dataclasses.is_dataclass(kind) else "__struct_config__"
    assert getattr(kind, told).frozen
    said = "\n".join(parent.__doc__ or "" for parent in kind.__mro__)
    explained = [line.strip() for line in said.splitlines()]
    for name in names:
        assert any(line.startswith(f"{name}: ") for line in explained), name


def test_nothing_in_settings_is_cast() -> None:
    for path in Path(mien.settings.__path__[0]).glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert not [call for call in calls if ast.unparse(call.func) in ("cast", "typing.cast")], path


# -- by plain names ---------------------------------------------------------------------------------------------------


def test_settings_are_made_and_changed_by_the_names_of_options() -> None:
    settings = made(StudySettings, data=("photos",), epochs=3, seed=7, recipes=("probe",))
    assert (settings.budget, settings.randomness.seed, settings.training.recipes) == (Budget(epochs=3), 7, ("probe",))
    other = changed(settings, seed=8, columns=Columns(group_column="person"))
    assert (other.randomness.seed, other.columns.group_column, other.budget) == (8, "person", Budget(epochs=3))
    assert made(StudySettings, data=("photos",)).training.recipes == DEFAULT_RECIPES
    with pytest.raises(ConfigError, match="hours: no such setting"):
        made(StudySettings, data=("photos",), hours=1)


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_settings_survive_their_file(name: str, tmp_path: Path) -> None:
    config, path = CONFIGS[name], tmp_path / "config.toml"
    write_toml(config, path)
    read = read_run(path) if isinstance(config, NetworkRun | HeadRun) else read_toml(type(config), path)
    assert read == config
    assert as_builtins(read) == as_builtins(config), "a default that is read is as much there as one that is made"
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


def test_every_setting_that_can_be_none_defaults_to_it() -> None:
    """TOML has no null, so None is told by absence."""
    for kind in CLASSES.values():
        if dataclasses.is_dataclass(kind):
            for field in dataclasses.fields(kind):
                assert ("None" in str(field.type)) == (field.default is None), f"{kind.__name__}.{field.name}"


@pytest.mark.parametrize("kind", ["train", "head"])
def test_a_run_of_the_version_before_is_read(kind: str, tmp_path: Path) -> None:
    """It did not say of which kind it is, nor who wrote it."""
    run: RunConfig = CONFIGS["trained" if kind == "train" else "probe"]
    write_toml(run, tmp_path / "new.toml")
    lines = (tmp_path / "new.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    old = "".join(line for line in lines if not line.startswith(("kind =", "mien =")))
    (tmp_path / "old.toml").write_text(old, encoding="utf-8")
    assert len(old.splitlines()) == len(lines) - 2
    assert read_run(tmp_path / "old.toml") == run


def test_a_study_of_the_version_before_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('data = ["photos"]\nsplit = "70/15/15"\nseed = 42\n[budget]\n', encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_toml(StudySettings, path)
    said = str(error.value)
    assert said.startswith(f"{path}: s")
    assert "earlier version" in said
    assert "--out" in said
    assert "\n" not in said


def test_a_file_of_another_version_is_read_where_it_can_be_and_named_where_not(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('mien = "9.0"\ndata = ["photos"]\n', encoding="utf-8")
    assert read_toml(StudySettings, path) == StudySettings(data=("photos",))
    path.write_text('mien = "9.0"\ndata = ["photos"]\n[budget]\nhours = 1\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"budget\.hours: .*mien 9\.0"):
        read_toml(StudySettings, path)


BAD_FILES = {
    "": "data: missing",
    "not toml": "not TOML",
    'data = ["x"]\ndata = ["y"]': "not TOML",
    'data = ["x"]\nunknown = 1': "unknown: no such setting",
    'data = ["x"]\nbudget = 3': "budget: ",
    'data = ["x"]\n[budget]\nhours = 1': "budget.hours: no such setting",
    'data = ["x"]\n[budget]\nepochs = "many"': "budget.epochs: ",
    'data = ["x"]\n[budget]\nepochs = true': "budget.epochs: ",
    'data = ["x"]\n[budget]\nepochs = 0': "--epochs 0",
    'data = ["x"]\n[computing]\ndevice = "toaster"': "computing.device: ",
    'data = ["x"]\n[training]\nrecipes = 5': "training.recipes: ",
    'data = ["x"]\n[training]\nrecipes = ["magic"]': "--recipe magic",
    'data = ["x"]\n[randomness]\nseed = "x"': "randomness.seed: ",
    'data = ["x"]\n[columns.group_column]\nname = "x"': "columns.group_column: ",
    "data = 5": "data: ",
    "data = []": "data: ",
}


@pytest.mark.parametrize(("text", "said"), BAD_FILES.items(), ids=repr)
def test_a_file_that_holds_no_settings_is_an_error_that_names_file_and_key(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f'mien = "{mien.__version__}"\n{text}')
    with pytest.raises(ConfigError) as error:
        read_toml(StudySettings, path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing"),
        ('kind = "forest"', "forest"),
        ('kind = "head"\n[train]\nsize = 96', "train: no such setting"),
        ('kind = "network"\n[train]\nbatch = 96', "train.batch: no such setting"),
        ("kind = 3", "kind: "),
    ],
    ids=repr,
)
def test_a_file_that_holds_no_run_is_an_error(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_run(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_missing_or_binary_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_run(path)
    assert str(error.value).startswith(f"{path}: cannot be read")


# -- ranges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["epochs", "updates", "seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_budget_must_be_more_than_nothing(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"--{name}"):
        dataclasses.replace(Budget(epochs=1), **{name: value})  # type: ignore[arg-type]  # of no use, as it should be


def test_smallest_budget_and_none() -> None:
    assert Budget(epochs=1).updates is None
    assert Budget(seconds=1e-3).seconds == 1e-3
    assert Budget() == Budget(epochs=None, updates=None, seconds=None)


@pytest.mark.parametrize("size", [31, 0, -224])
def test_input_too_small_for_the_network(size: int) -> None:
    with pytest.raises(ConfigError, match=rf"--size {size}.*32"):
        dataclasses.replace(TRAIN, size=size)


def test_smallest_input() -> None:
    assert dataclasses.replace(TRAIN, size=32).size == 32


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
        {"dropout_scale": 2.0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"clip_norm": 0.0},
        {"augment": "cutmix"},
        {"monitor": "loss"},
        {"precision": "fp8"},
    ],
    ids=str,
)
def test_train_setting_outside_its_documented_range(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change)).split("_")[0]):
        dataclasses.replace(TRAIN, **change)


@pytest.mark.parametrize(
    "change",
    [{"device": "tpu"}, {"augment": "cutmix"}, {"precision": "fp8"}, {"split_method": "coin"}, {"recipes": ("magic",)}],
    ids=str,
)
def test_unknown_choice_is_named_with_the_known_ones(change: dict[str, Any]) -> None:
    ((name, value),) = change.items()
    option = {"recipes": "recipe"}.get(name, name).replace("_", "-")
    said = value[0] if isinstance(value, tuple) else value
    with pytest.raises(ConfigError, match=rf"--{option} {said}: choose one of "):
        made(StudySettings, data=("photos",), **change)


def test_recipes_are_named_in_the_help_of_a_study(mien: Callable[..., Outcome]) -> None:
    said = " ".join(mien("study", "--help").out.replace("│", " ").split())
    for name in RECIPES:
        assert name.removesuffix("-no-augmentation") in said
