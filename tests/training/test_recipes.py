"""From a recipe and what was asked to the settings of a run."""

from __future__ import annotations

from mien.settings.by_name import made
from mien.settings.run import NetworkRun
from mien.settings.study import StudySettings
from mien.training.recipes import resolve_run


def test_recipe_without_augmentation_stays_without() -> None:
    names = ("scratch", "scratch-no-augmentation")
    study = made(StudySettings, data=("photos",), recipes=names, augment="elsewhere", device="cpu")
    runs = [resolve_run(name, study, ("happy", "sad")) for name in names]
    assert [run.train.augment for run in runs if isinstance(run, NetworkRun)] == ["elsewhere", "none"]
