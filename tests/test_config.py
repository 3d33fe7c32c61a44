"""Settings come back from their file as they went in; what is out of range or unreadable says so."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from mien.config import Budget, HeadSettings, RunConfig, StudyConfig, TrainSettings, read_toml, write_toml

from mien.errors import ConfigError

TRAIN = TrainSettings(size=96, batch_size=32, budget=Budget(epochs=30))

CONFIGS = {
    "trained": RunConfig("scratch", "scratch", 42, "cpu", ("anger", "sad"), train=TRAIN),
    "every train setting": RunConfig(
        'odd "name" é😀',
        "notebook",
        0,
        "cuda",
        ("müde", "it's", 'so "sad"', "a=b"),
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
    "probe": RunConfig("probe", "probe", 1, "cpu", ("a", "b"), head=HeadSettings()),
    "decided probe": RunConfig("probe", "probe", 1, "cpu", ("a", "b"), head=HeadSettings(strength=3e-4)),
    "study": StudyConfig(("photos",)),
    "full study": StudyConfig(
        ("C:\\photos\\mine", "demo"),
        target="demo::target",
        corrections="findings.csv",
        group_column="subject",
        split="80/10/10",
        split_method="series",
        keep_splits="earlier",
        check_labels=False,
        leak_premium=True,
        seed=7,
        recipes=("probe",),
        size=64,
        device="cpu",
        budget=Budget(updates=3),
        augment="none",
        precision="fp32",
        photos=False,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config_survives_its_file(name: str, tmp_path: Path) -> None:
    config, path = CONFIGS[name], tmp_path / "config.toml"
    write_toml(config, path)
    assert read_toml(type(config), path) == config
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


def test_every_setting_that_can_be_none_defaults_to_it() -> None:
    """TOML has no null, so None is told by absence."""
    for kind in (Budget, HeadSettings, RunConfig, StudyConfig, TrainSettings):
        for field in dataclasses.fields(kind):
            assert ("None" in str(field.type)) == (field.default is None), f"{kind.__name__}.{field.name}"


@pytest.mark.parametrize("kind", [Budget, HeadSettings, RunConfig, StudyConfig, TrainSettings])
def test_settings_cannot_be_changed_and_are_all_explained(kind: type) -> None:
    fields = [field.name for field in dataclasses.fields(kind)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(object.__new__(kind), fields[0], 1)
    explained = [line.strip() for line in (kind.__doc__ or "").splitlines()]
    for name in fields:
        assert any(line.startswith(f"{name}: ") for line in explained), name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml",
        'data = "x"\ndata = "y"',
        'data = "x"\nunknown = 1',
        'data = "x"\nbudget = 3',
        'data = "x"\n[budget]\nhours = 1',
        'data = "x"\n[budget]\nepochs = "many"',
        'data = "x"\ndevice = "toaster"',
        'data = "x"\nrecipes = 5',
        'data = "x"\nseed = "x"',
        "data = 5",
    ],
)
def test_file_that_is_no_config_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_toml(StudyConfig, path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_missing_or_binary_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_toml(RunConfig, path)
    assert str(path) in str(error.value)
    assert "RunConfig" in str(error.value)


@pytest.mark.parametrize("name", ["epochs", "updates", "seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_budget_must_be_more_than_nothing(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"--{name}"):
        Budget(**{name: value})


def test_smallest_budget_and_none() -> None:
    assert Budget(epochs=1).updates is None
    assert Budget(seconds=1e-3).seconds == 1e-3
    assert Budget() == Budget(None, None, None)


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
def test_train_setting_outside_its_documented_range(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change)).split("_")[0]):
        dataclasses.replace(TRAIN, **change)


@pytest.mark.parametrize("change", [{"device": "tpu"}, {"augment": "cutmix"}, {"precision": "fp8"}], ids=str)
def test_unknown_choice_is_named_with_the_known_ones(change: dict[str, str]) -> None:
    ((name, value),) = change.items()
    with pytest.raises(ConfigError, match=rf"--{name} {value}: choose one of "):
        StudyConfig(("photos",), **change)
