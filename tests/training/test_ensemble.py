"""Several networks of a recipe make one model, whose logits are the mean of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from mien.jobs.study import run_training
from mien.models.networks import Ensemble
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.settings.by_name import made
from mien.settings.run import NetworkRun, read_run
from mien.settings.study import StudySettings
from mien.training import run as training_run
from mien.training.fit import fit
from mien.training.run import fresh_network
from support.drawn_sets import draw_set
from support.outcomes import Outcome

pytestmark = pytest.mark.heavy  # trains
Mien = Callable[..., Outcome]
OPTIONS = ("--recipe", "scratch", "--epochs", 1, "--size", 32, "--precision", "fp32", "--device", "cpu", "--json")
RUN = Path("runs", "scratch")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("ensemble") / "faces", {"happy": "happy", "sad": "sad"}, 12)


@pytest.fixture(scope="module")
def two(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training of two members."""
    settings: dict[str, Any] = {"size": 32, "epochs": 1, "precision": "fp32", "device": "cpu", "members": 2}
    asked = made(StudySettings, data=(str(faces),), recipes=("scratch",), **settings)
    out = tmp_path_factory.mktemp("two") / "out"
    run_training(asked, out, resume=False, progress=Silent())
    return out


def weights(out: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(out / RUN / "model.safetensors")


def test_logits_are_the_mean_of_the_members_and_the_first_is_the_network_alone(
    mien: Mien, faces: Path, two: Path, tmp_path: Path
) -> None:
    assert mien("train", faces, *OPTIONS, "--out", "one").code == 0
    run = read_run(two / RUN / "config.toml")
    assert isinstance(run, NetworkRun)
    ensemble = Ensemble([fresh_network(run) for _ in range(2)]).eval()
    ensemble.load_state_dict(weights(two))
    alone = weights(tmp_path / "one")
    for place, member in enumerate(ensemble.members):
        same = [torch.equal(value, alone[name]) for name, value in member.state_dict().items() if "weight" in name]
        assert all(same) if place == 0 else not any(same)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        members = [member(torch.from_numpy(pixels)).numpy() for member in ensemble.members]
        assert np.allclose(ensemble(torch.from_numpy(pixels)), np.mean(members, axis=0), atol=1e-5)
    said = Recognizer(two).logits({"photo-32": pixels})
    assert np.allclose(said, np.mean(members, axis=0), atol=1e-4)
    assert not np.allclose(said, members[0], atol=1e-2)


def test_interrupted_ensemble_goes_on_where_it_stopped(
    mien: Mien, faces: Path, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ("train", faces, *OPTIONS, "--members", 2, "--out")
    begun = list[Path]()

    def interrupted(*args: Any, folder: Path, **rest: Any) -> torch.nn.Module:
        begun.append(folder)
        if folder.name == "member-2":
            raise KeyboardInterrupt
        return fit(*args, folder=folder, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(training_run, "fit", interrupted)
        assert mien(*argv, "torn").code == 130
    first = tmp_path / "torn" / RUN / "history.csv"
    before = first.read_text()
    assert mien(*argv, "torn", "--resume").code == 0
    assert first.read_text() == before  # the seconds of its epochs too: the first was not trained again
    torn, whole = weights(tmp_path / "torn"), weights(two)
    assert torn.keys() == whole.keys()
    assert all(torch.equal(torn[name], whole[name]) for name in whole)


def test_members_that_make_no_ensemble_are_refused(mien: Mien, faces: Path, tmp_path: Path) -> None:
    none, heads = mien("train", faces, *OPTIONS, "--members", 0), mien("train", faces, "--members", 3)
    assert (none.code, heads.code, list(tmp_path.iterdir())) == (2, 2, [])
    assert "members 0: must be at least 1" in none.complaint
    assert "--members 3: is for notebook, scratch and finetune; two-stream does not" in heads.complaint
