"""From a recipe and what was asked to the settings of a run."""

from __future__ import annotations

import pytest
import torch

from mien.comparing.arms import parse_arms, resolve_arm
from mien.errors import ConfigError
from mien.settings.budget import Budget
from mien.settings.by_name import made
from mien.settings.compare import CompareSettings
from mien.settings.recipes import COURSE_RECIPES
from mien.settings.run import NetworkRun
from mien.settings.study import StudySettings
from mien.training.recipes import resolve_run

ARMS = ("augment=none", "augment=notebook")


def test_network_of_the_course_looks_at_the_faces_of_the_drawn_set_and_at_whole_photos_of_others() -> None:
    """Its layers, and what is done to the photos, are the recipe's either way."""
    for name in COURSE_RECIPES:
        drawn, other = (
            resolve_run(name, made(StudySettings, data=(data,), recipes=(name,), device="cpu"), ("happy", "sad"))
            for data in ("demo", "photos")
        )
        assert isinstance(drawn, NetworkRun)
        assert isinstance(other, NetworkRun)
        assert (drawn.train.view, other.train.view) == ("face", "photo")
        assert (drawn.train.size, drawn.train.budget) == (48, Budget(epochs=30))
        assert drawn.train.stop_patience is None, "a slow start would end it"
        layers = ("backbone", "dropout_scale", "augment", "grey_share", "label_smoothing", "monitor")
        assert all(getattr(drawn.train, name) == getattr(other.train, name) for name in layers)


def test_recipe_without_augmentation_stays_without() -> None:
    names = ("scratch", "scratch-no-augmentation")
    study = made(StudySettings, data=("photos",), recipes=names, augment="elsewhere", device="cpu")
    runs = [resolve_run(name, study, ("happy", "sad")) for name in names]
    assert [run.train.augment for run in runs if isinstance(run, NetworkRun)] == ["elsewhere", "none"]


def test_a_gpu_here_says_nothing_of_machines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    labels, recipes = ("happy", "sad"), ("scratch", "probe")

    def devices(**asked: object) -> list[str]:
        study = made(StudySettings, data=("photos",), recipes=recipes, **asked)
        return [resolve_run(name, study, labels).device for name in recipes]

    def compared(**asked: object) -> str:
        settings = made(CompareSettings, data=("photos",), arms=ARMS, **asked)
        return resolve_arm(parse_arms(settings.comparison.all_arms)[0], settings, labels, Budget(epochs=1), 0).device

    for cluster in ("auto", "ray://head:10001"):
        assert devices(folds=3, cluster=cluster) == ["cpu", "cuda"], "features are computed here"
        assert devices(cluster=cluster) == ["cuda", "cuda"], "so is a single training"
        assert compared(cluster=cluster) == "cpu"
        with pytest.raises(ConfigError, match=r"--device cuda: .*--cluster"):
            compared(cluster=cluster, device="cuda")
        with pytest.raises(ConfigError, match=r"--device cuda: .*--cluster"):
            devices(folds=3, cluster=cluster, device="cuda")
    assert devices(folds=3, cluster="local") == ["cuda", "cuda"]
    assert compared(cluster="local") == compared() == "cuda"
