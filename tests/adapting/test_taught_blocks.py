"""A fine-tuned network whose last blocks learn on: in part as in whole, measured and written, or refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mien.adapting.blocks import LastBlocks, shifted
from mien.adapting.methods import Known
from mien.evaluation.predictions import photos_of_study
from mien.models.export import save_weights
from mien.models.networks import as_one
from mien.recognizer import Recognizer
from mien.settings.recipes import FINETUNE
from mien.settings.run import NetworkRun
from mien.training.run import fresh_network
from support.outcomes import Outcome

pytestmark = pytest.mark.heavy  # trains
Mien = Callable[..., Outcome]


@pytest.fixture
def few_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to learn a class; all of them take half a minute on one core."""
    monkeypatch.setattr("mien.adapting.blocks.UPDATES", 15)


@pytest.mark.parametrize(("name", "members"), [("expression", 1), ("efficientnet-lite0", 2)])
def test_two_parts_of_a_network_answer_as_the_whole(tmp_path: Path, name: str, members: int, few_updates: None) -> None:
    train = replace(FINETUNE, size=64, backbone=name, members=members)
    run = NetworkRun(name="a", recipe="finetune", seed=1, device="cpu", labels=("x", "y", "z"), train=train)
    torch.manual_seed(0)
    whole = as_one([fresh_network(run) for _ in range(members)]).eval()
    save_weights(whole, tmp_path)
    blocks = LastBlocks(run, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    features = blocks.features({"face-64": pixels})
    with torch.no_grad():
        assert np.allclose(blocks.logits(blocks.networks, features), whole(torch.from_numpy(pixels)), atol=1e-4)
    said = blocks.logits(blocks.networks, features)
    least = int(said.mean(0).argmin())
    known, y = Known(np.tile(features, (4, 1)), np.arange(20) % 3, 0.1), np.full(5, least)
    before = {key: value.clone() for key, value in whole.state_dict().items()}
    taught = blocks.taught(known, features, y, seed=1)
    changed = {key for key, value in as_one(taught).state_dict().items() if not torch.equal(value, before[key])}
    assert not [key for key in changed if "running" in key or "conv_stem" in key or "blocks.4." in key]
    assert [key for key in changed if "blocks.5." in key and "conv_pw." in key]
    assert not [key for key in changed if "conv_dw" in key]
    assert [key for key in changed if "conv_head" in key]
    assert (blocks.logits(taught, features).argmax(1) == least).all() > (said.argmax(1) == least).any()
    shift = np.array([0.5, 0, -2], np.float32)
    assert np.allclose(
        blocks.logits(shifted(taught, shift), features), blocks.logits(taught, features) + shift, atol=1e-5
    )
    again = blocks.taught(known, features, y, seed=1)
    written = as_one(again).state_dict()
    assert all(torch.equal(value, written[key]) for key, value in as_one(taught).state_dict().items())


def test_taught_blocks_are_measured_and_written(
    mien: Mien, finetuned: Path, elsewhere: Path, tmp_path: Path, few_updates: None
) -> None:
    way, shots = "blocks, shares", "1,2"
    out = mien("adapt", finetuned, elsewhere, "--shots", shots, "--draws", 1, "--save", way, "--json")
    assert out.code == 0, out.err
    ways = [(each["way"], each["shots"]) for each in out.json["ways"]]
    assert ways[-7:-3] == [("blocks, self-taught", 0), ("labels", 1), ("labels", 2), ("labels, shares", 2)]
    assert ways[-3:] == [("blocks", 1), ("blocks", 2), ("blocks, shares", 2)]
    written, before = Recognizer(tmp_path / "mien-adapt-elsewhere" / "model.onnx"), Recognizer(finetuned)
    assert (
        written.contract.recipe
        == "finetune, adapted to elsewhere: 2 labelled photos a class, last blocks, class shares"
    )
    learnt = written.contract.training_hashes - before.contract.training_hashes
    assert len(learnt) == sum(out.json["pool"].values())
    own = photos_of_study(finetuned / "model.onnx")
    assert own is not None
    (view,), rows = before.contract.views, own.manifest.filter(pl.col("split") == "val")["row"].to_numpy()
    views = {view.key: own.pixels.read(view, rows)}
    assert np.abs(written.logits(views) - before.logits(views)).max() > 0.01
    home = next(each for each in out.json["ways"] if (each["way"], each["shots"]) == (way, 2))["home"]
    y = own.manifest.filter(pl.col("split") == "val")["label"].to_list()
    said = [written.labels[i] for i in written.logits(views).argmax(1)]
    assert home["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(said, y, strict=True)]))


def test_weights_that_are_not_the_runs_are_refused(
    mien: Mien, finetuned: Path, elsewhere: Path, tmp_path: Path
) -> None:
    study = Path(shutil.copytree(finetuned.parent.parent, tmp_path / "copy"))
    weights = study / "runs" / "finetune" / "model.safetensors"
    weights.unlink()
    for content in (None, b"no weights"):
        if content:
            weights.write_bytes(content)
        out = mien("adapt", study, elsewhere)
        assert "model.safetensors: not the weights of this run" in out.complaint
        assert "train it again" in out.complaint
        assert (out.code, list(tmp_path.glob("mien-adapt-*"))) == (2, [])
