"""Knobs of training: schedule, balance, grey, averaged weights, and a backbone that goes on learning in part."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import timm
import torch

from mien.adapting.features import HeadModel
from mien.data.reading.preprocess import View
from mien.demo import draw_face
from mien.errors import ConfigError
from mien.models.artifact import model_path
from mien.models.backbones import BACKBONES, load_backbone
from mien.models.networks import IMAGENET_MEAN, IMAGENET_STD, EmotionCNN, PhotoNetwork
from mien.recognizer import Recognizer
from mien.settings.budget import Budget
from mien.settings.by_name import changed, made
from mien.settings.recipes import FINETUNE
from mien.settings.run import NetworkRun, read_run
from mien.settings.study import StudySettings
from mien.settings.training import TrainSettings
from mien.training.augment import augmentation
from mien.training.batches import EpochOrder, class_weights
from mien.training.finetune import FineTuned, parameter_groups
from mien.training.fit import ExpressionModule, cosine_rate, fit
from mien.training.history import History, read_history
from mien.training.recipes import resolve_run
from mien.training.run import fresh_network
from support.tiny_training import DrawnPixels, noise

pytestmark = pytest.mark.heavy  # trains
SETTINGS = TrainSettings(size=32, batch_size=8, budget=Budget(epochs=3), precision="fp32", augment="none")
TUNED = replace(FINETUNE, size=32, batch_size=8, budget=Budget(updates=3), precision="fp32", augment="none")


def train(network: torch.nn.Module, settings: TrainSettings, folder: Path, stop_after: int = 10**9) -> torch.nn.Module:
    """Train on noise; an interruption comes after so many updates."""
    done = [0]
    folder.mkdir(exist_ok=True)

    def advance(n: int) -> None:
        done[0] += n
        if done[0] == stop_after:
            raise KeyboardInterrupt

    return fit(network, noise(), settings, seed=1, n_classes=3, device="cpu", folder=folder, advance=advance)


def small() -> PhotoNetwork:
    torch.manual_seed(1)
    return PhotoNetwork(EmotionCNN(3), IMAGENET_MEAN, IMAGENET_STD)


def tuned(settings: TrainSettings = TUNED) -> PhotoNetwork:
    torch.manual_seed(1)
    backbone = load_backbone("expression")
    return PhotoNetwork(FineTuned(backbone, 3, settings), backbone.mean, backbone.std, is_grey=True)


def test_frozen_stages_stay_as_they_are_and_the_others_learn(tmp_path: Path) -> None:
    before = copy.deepcopy(tuned().state_dict())
    after = train(tuned(), replace(TUNED, ema_decay=None), tmp_path / "run").state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    stem = "body.backbone.network."
    frozen = tuple(f"{stem}{part}" for part in ("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2"))
    assert not [name for name in changed if name.startswith(frozen)]
    for part in ("blocks.3", "blocks.6", "conv_head"):
        assert [name for name in changed if name.startswith(stem + part)]
    assert "body.head.weight" in changed


def test_backbone_learns_at_a_share_of_the_heads_rate() -> None:
    network = tuned()
    head, backbone = parameter_groups(network, replace(TUNED, learning_rate=0.01, backbone_rate=0.1))
    assert (head["lr"], backbone["lr"]) == (0.01, pytest.approx(0.001))
    assert [tuple(each.shape) for each in head["params"]] == [(3, 2024), (3,)]
    assert len(backbone["params"]) == sum(
        each.requires_grad for each in network.get_submodule("body.backbone").parameters()
    )
    assert len(parameter_groups(small(), SETTINGS)) == 1


def test_fine_tuned_network_is_exported_like_any_other(finetuned: Path) -> None:
    run = read_run(finetuned / "config.toml")
    assert isinstance(run, NetworkRun)
    network = fresh_network(run).eval()
    network.load_state_dict(safetensors.torch.load_file(finetuned / "model.safetensors"))
    pixels = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    assert np.abs(Recognizer(finetuned).logits({"face-32": pixels}) - expected).max() < 1e-4


@pytest.mark.parametrize(("count", "said"), [(8, "frozen_stages 8: expression has 7"), (-1, "frozen_stages")])
def test_more_stages_than_there_are_cannot_be_frozen(count: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tuned(replace(TUNED, frozen_stages=count))


def test_cosine_rises_then_falls_to_a_hundredth() -> None:
    rates = [cosine_rate(spent, 0.1) for spent in (0, 0.05, 0.1, 0.55, 1)]
    assert rates == [0.01, 0.5, 1.0, pytest.approx(0.505), pytest.approx(0.01)]
    assert cosine_rate(0, 0) == 1.0


def test_cosine_follows_the_budget(tmp_path: Path) -> None:
    train(small(), replace(SETTINGS, schedule="cosine", warm_up=0.0, learning_rate=1e-3), tmp_path / "run")
    told = [row["learning_rate"] for row in read_history(tmp_path / "run" / "history.csv")]
    assert told == [pytest.approx(1e-3 * cosine_rate(step / 9, 0.0)) for step in (2, 5, 8)]


def test_averaged_weights_are_those_that_are_kept(tmp_path: Path) -> None:
    """The average begins with the first update; with next to nothing added later, it stays there: one step of Adam."""
    rate, name, start = 1e-3, "body.head.6.weight", small().state_dict()
    one_epoch = replace(SETTINGS, budget=Budget(epochs=1), learning_rate=rate)
    slow = train(small(), replace(one_epoch, ema_decay=1 - 1e-6), tmp_path / "slow").state_dict()
    plain = train(small(), one_epoch, tmp_path / "plain").state_dict()
    assert (slow[name] - start[name]).abs().max() == pytest.approx(rate, rel=0.05)
    assert (plain[name] - start[name]).abs().max() > 1.5 * rate


def test_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    settings = replace(SETTINGS, schedule="cosine", ema_decay=0.9, balance="sampler", grey_share=0.5)
    whole = train(small(), settings, tmp_path / "whole").state_dict()
    with pytest.raises(KeyboardInterrupt):
        train(small(), settings, tmp_path / "parts", stop_after=5)
    parts = train(small(), settings, tmp_path / "parts").state_dict()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_class_weights_are_the_inverse_of_the_photos_and_leave_an_empty_class_out() -> None:
    y = np.array([0] * 6 + [1] * 3 + [3] * 1)
    weights = class_weights(y, 4)
    assert weights[0] * 6 == pytest.approx(weights[1] * 3) == pytest.approx(weights[3])
    assert weights[y].mean() == pytest.approx(1)


def test_sampler_shows_each_class_as_often() -> None:
    y = np.array([0] * 900 + [1] * 90 + [2] * 10)
    order = EpochOrder(y, replace(SETTINGS, balance="sampler"), seed=0)
    drawn = np.concatenate([np.array(batch) for batch in order])
    counts = np.bincount(y[drawn])
    assert len(drawn) == 1000
    assert counts.min() > 250
    plain = np.concatenate([np.array(batch) for batch in EpochOrder(y, SETTINGS, seed=0)])
    assert sorted(plain) == list(range(1000))


def test_balanced_loss_weighs_the_classes() -> None:
    network, y = small().eval(), torch.tensor([0, 0, 0, 1])
    pixels = torch.from_numpy(DrawnPixels(4, 32).read(View("photo", 32), np.arange(4)))
    logits = network(pixels)
    for weights in (None, torch.tensor([0.5, 3.0, 1.0])):
        loss = ExpressionModule(network, SETTINGS, 1, 3, weights).training_step((pixels, y, y), 0)
        assert torch.allclose(loss, torch.nn.functional.cross_entropy(logits, y, weight=weights), atol=1e-5)


def test_share_of_photos_is_shown_without_colour() -> None:
    torch.manual_seed(0)
    images = torch.rand(400, 3, 4, 4)
    shown = augmentation("none", 4, 0.25)(images)
    grey = (shown.amax(1) - shown.amin(1)).amax((1, 2)) < 1e-6
    assert 0.15 < grey.float().mean() < 0.35
    assert torch.equal(shown[~grey], images[~grey])
    assert torch.equal(augmentation("none", 4)(images), images)


def test_training_whose_seconds_are_spent_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes between epochs, as while their files are written, counts as the seconds of a killed process too."""
    write = History.write

    def slowly(history: History, path: Path) -> None:
        time.sleep(0.3)
        write(history, path)

    monkeypatch.setattr(History, "write", slowly)
    settings = replace(SETTINGS, budget=Budget(seconds=0.6))
    before = train(small(), settings, tmp_path / "run").state_dict()
    history = read_history(tmp_path / "run" / "history.csv")
    assert history
    after = train(small(), settings, tmp_path / "run").state_dict()
    assert read_history(tmp_path / "run" / "history.csv") == history
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_only_networks_of_stages_can_be_parted() -> None:
    resnet = timm.create_model("resnet10t", num_classes=0)
    other = replace(load_backbone("expression"), build=lambda: resnet)
    assert not FineTuned(other, 3, replace(TUNED, frozen_stages=0)).has_stages
    assert FineTuned(load_backbone("expression"), 3, TUNED).has_stages


def test_photos_from_elsewhere_are_grey_or_coarse_or_both_or_neither() -> None:
    torch.manual_seed(1)
    noise = torch.rand(200, 3, 96, 96)
    shown = augmentation("elsewhere", 96)(noise)
    assert shown.shape == noise.shape
    assert 0 <= shown.min() <= shown.max() <= 1
    is_grey = (shown.amax(1) - shown.amin(1)).amax((1, 2)) < 1e-5
    roughness = (shown[..., 1:] - shown[..., :-1]).abs().mean((1, 2, 3)) / shown.std((1, 2, 3))
    is_coarse = roughness < roughness.mean()
    for a in (is_grey, ~is_grey):
        for b in (is_coarse, ~is_coarse):
            assert 30 <= int((a & b).sum()) <= 75


def test_a_part_can_be_left_out_of_an_augmentation() -> None:
    torch.manual_seed(2)
    images = torch.rand(300, 3, 40, 40)
    mirrored = images.flip(3)
    only_flip = augmentation("notebook-crop-rotation-colour", 40)(images)
    is_flipped = (only_flip == mirrored).flatten(1).all(1)
    assert 110 < int(is_flipped.sum()) < 190
    assert torch.equal(only_flip[~is_flipped], images[~is_flipped])
    assert torch.equal(augmentation("notebook-crop-flip-rotation-colour", 40)(images), images)
    coloured = augmentation("elsewhere-grey", 40)(images)
    assert float((coloured.amax(1) - coloured.amin(1)).amax((1, 2)).min()) > 0.01


def test_backbone_that_knows_no_expressions_learns_whole() -> None:
    asked = made(StudySettings, data=("demo",), device="cpu")
    runs = [resolve_run("finetune", changed(asked, backbone=name), ("happy", "sad")) for name in BACKBONES]
    own, other = (run.train for run in runs if isinstance(run, NetworkRun))
    assert (own.frozen_stages, own.backbone_rate) == (0, 1.0)
    assert (other.frozen_stages, other.backbone_rate) == (FINETUNE.frozen_stages, FINETUNE.backbone_rate)


def test_recipe_is_trained_from_photos_and_knows_what_it_is_made_of(finetuned: Path) -> None:
    recognizer = Recognizer(finetuned)
    backbone = load_backbone("expression")
    assert [origin.name for origin in recognizer.contract.backbones] == ["expression"]
    assert backbone.training_hashes <= recognizer.contract.training_hashes
    assert recognizer.contract.views == (View("face", 32),)
    model, pixels = HeadModel(model_path(finetuned), recognizer.contract), np.zeros((3, 32, 32, 3), np.uint8)
    weight, bias = model.heads["head"]
    views = {"face-32": pixels + np.arange(3, dtype=np.uint8)[:, None, None, None] * 90}
    assert np.allclose(recognizer.logits(views), model.features(views) @ weight.T + bias, atol=1e-4)
    probabilities = recognizer.predict(draw_face("sad", 99)).probabilities
    assert probabilities is not None
    assert sum(probabilities.values()) == pytest.approx(1)
