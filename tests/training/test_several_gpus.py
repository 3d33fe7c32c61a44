"""Several GPUs train one network as one would, here by processes without GPUs: shares, refusals, equality, ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from mien.errors import ConfigError, WorkFailedError
from mien.models.backbones import load_backbone
from mien.settings.budget import Budget
from mien.settings.by_name import checked, made
from mien.settings.compare import CompareSettings
from mien.settings.devices import device_count, device_kind
from mien.settings.recipes import FINETUNE
from mien.settings.run import NetworkRun
from mien.settings.study import StudySettings
from mien.settings.training import TrainSettings
from mien.settings.unread import refuse_unread
from mien.training import fit as fitting
from mien.training import ranks
from mien.training.batches import EpochOrder
from mien.training.fit import batch_loss, cross_entropy, fit
from mien.training.history import read_history
from mien.training.recipes import device_for, resolve_run
from mien.training.run import fresh_network
from mien.training.side_by_side import _wait, side_by_side
from support.outcomes import Outcome, strict_json
from support.processes import are_gone, begin, signalled, wait_for_epochs
from support.ranks_at_work import all_normalized, chat, drawn, fail, pids
from support.tiny_training import noise, same_weights, trained

SECONDS_TO_END = 10

# -- what is asked ----------------------------------------------------------------------------------------------------


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)


def test_a_device_says_kind_and_count() -> None:
    told = {name: (device_kind(name), device_count(name)) for name in ("auto", "cpu", "cuda", "cuda:4", "cpu:2")}
    assert told == {
        "auto": ("auto", 1),
        "cpu": ("cpu", 1),
        "cuda": ("cuda", 1),
        "cuda:4": ("cuda", 4),
        "cpu:2": ("cpu", 2),
    }


@pytest.mark.parametrize("number", ["0", "1"])
def test_the_number_of_a_single_gpu_is_refused_with_the_way_to_choose_it(number: str) -> None:
    """In PyTorch ``cuda:1`` is GPU no. 1, and not one GPU."""
    for ask in (partial(made, StudySettings, data=("p",)), partial(_asked_in_python, StudySettings)):
        with pytest.raises(ConfigError, match=rf"--device cuda:{number}: .*how many.*CUDA_VISIBLE_DEVICES={number}"):
            ask(device=f"cuda:{number}")


@pytest.mark.parametrize("device", ["cuda:9", "cuda:-2", "cuda:", "cuda:two", "cuda:2.0", "cuda:02", "cpu:2", "CUDA:2"])
def test_what_is_no_number_of_gpus_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"--device {device}: choose one of auto, cpu, cuda"):
        made(StudySettings, data=("photos",), device=device)


def _asked_in_python(kind: type[Any], **asked: object) -> Any:
    return made(kind, data=("p",), **checked(kind, asked))


@pytest.mark.parametrize("device", ["cuda:0", "cuda:1", "cuda:9", "cuda:4"])
def test_a_command_refuses_in_one_line_and_leaves_nothing(
    mien: Callable[..., Outcome], small_set: Path, tmp_path: Path, device: str
) -> None:
    if torch.cuda.device_count() >= 4 and device == "cuda:4":
        pytest.skip("there are four")
    outcome = mien("train", small_set, "--recipe", "scratch", "--device", device, "--out", "out")
    assert outcome.code == 2
    assert f"--device {device}" in outcome.complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipes", [("two-stream",), ("probe", "from-default")])
def test_several_gpus_are_refused_where_no_network_is_trained(recipes: tuple[str, ...]) -> None:
    asked = made(StudySettings, data=("photos",), recipes=recipes, device="cuda:4")
    with pytest.raises(ConfigError, match=r"--device cuda:4: .*scratch.*finetune.*cuda"):
        refuse_unread(recipes, asked.training, asked.computing)
    refuse_unread((*recipes, "scratch"), asked.training, asked.computing)


def test_comparisons_and_folds_on_a_cluster_refuse_several_gpus() -> None:
    with pytest.raises(ConfigError, match=r"--device cuda:2: .*comparison"):
        made(CompareSettings, data=("photos",), arms=("augment=none", "augment=notebook"), device="cuda:2")
    with pytest.raises(ConfigError, match=r"--device cuda:2 .*--cluster local"):
        made(StudySettings, data=("photos",), folds=3, cluster="local", device="cuda:2")
    made(StudySettings, data=("photos",), folds=3, device="cuda:2")
    made(StudySettings, data=("photos",), cluster="local", device="cuda:2")


def test_more_gpus_than_there_are_and_gpus_that_cannot_speak_are_refused(
    four_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [device_for(name) for name in ("auto", "cuda", "cuda:2", "cuda:4")] == ["cuda", "cuda", "cuda:2", "cuda:4"]
    with pytest.raises(ConfigError, match=r"--device cuda:5: .*5.*4.*cuda:4"):
        device_for("cuda:5")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"--device cuda:2: .*give cuda,"):
        device_for("cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: False)
    with pytest.raises(ConfigError, match=r"--device cuda:2: .*NCCL"):
        device_for("cuda:2")


def test_heads_take_one_gpu_of_several_and_networks_all_with_the_same_settings(four_gpus: None) -> None:
    def resolved(device: str) -> list[Any]:
        asked = made(StudySettings, data=("photos",), recipes=("probe", "scratch", "finetune"), device=device)
        return [resolve_run(name, asked, ("happy", "sad")) for name in asked.training.recipes]

    one, several = resolved("cuda"), resolved("cuda:4")
    assert [run.device for run in several] == ["cuda", "cuda:4", "cuda:4"]
    assert [run.train for run in one[1:]] == [run.train for run in several[1:]], "size and batch are those of one GPU"


def test_a_group_of_the_callers_own_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a script under torchrun that calls mien."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert (ranks.ranks(), ranks.rank(), ranks.share([1, 2])) == (1, 0, [1, 2])


# -- shares of a batch ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize(("n", "batch"), [(20, 8), (17, 8), (5, 8), (64, 16)])
def test_shares_of_all_ranks_are_the_batches_of_one_process_in_its_order(
    monkeypatch: pytest.MonkeyPatch, count: int, n: int, batch: int
) -> None:
    settings = TrainSettings(size=32, batch_size=batch, budget=Budget(updates=7))
    whole = [list(each) for each in _order(n, settings, epoch=0)]
    monkeypatch.setattr(ranks, "ranks", lambda: count)
    parts = []
    for place in range(count):
        monkeypatch.setattr(ranks, "rank", lambda place=place: place)
        parts.append(list(_order(n, settings, epoch=0)))
    assert [[*chain(*shares)] for shares in zip(*parts, strict=True)] == whole
    sizes = [[len(each) for each in shares] for shares in zip(*parts, strict=True)]
    assert all(max(each) - min(each) <= 1 for each in sizes)


def _order(n: int, settings: TrainSettings, epoch: int) -> ranks.Shares:
    shares = ranks.Shares(EpochOrder(np.arange(n) % 3, settings, seed=5))
    shares.set_epoch(epoch)
    return shares


def test_shares_follow_the_epoch() -> None:
    settings = TrainSettings(size=32, batch_size=8, budget=Budget(epochs=3))
    first, again, second = (list(_order(20, settings, epoch)) for epoch in (0, 0, 1))
    assert first == again != second


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("cuts", [(4, 8), (1, 9), (0, 10)], ids=str)
def test_losses_of_unequal_shares_add_up_to_that_of_the_batch(
    monkeypatch: pytest.MonkeyPatch, weighted: bool, soft: bool, smoothing: float, cuts: tuple[int, int]
) -> None:
    """Also their gradients, and where a rank has no photo at all."""
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(10, 3, generator=draw, dtype=torch.float64, requires_grad=True)
    wanted = torch.rand(10, 3, generator=draw, dtype=torch.float64) if soft else torch.arange(10) % 3
    wanted = wanted / wanted.sum(1, keepdim=True) if soft else wanted
    weights = torch.tensor([0.2, 1.0, 5.0], dtype=torch.float64) if weighted else None
    whole = cross_entropy(logits, wanted, weights, smoothing=smoothing)
    (gradient,) = torch.autograd.grad(whole, logits)

    parts = [slice(0, cuts[0]), slice(cuts[0], cuts[1]), slice(cuts[1], 10)]
    kept = [wanted[part] for part in parts]
    monkeypatch.setattr(fitting, "ranks", lambda: 3)
    of_weights = sum(fitting._weight(each, weights) for each in kept)
    monkeypatch.setattr(fitting, "summed", lambda own: own.new_tensor([of_weights, 10]))
    found = [batch_loss(logits[part], wanted[part], weights, smoothing=smoothing) for part in parts]
    assert {photos for _, photos in found} == {10}
    total = sum((loss for loss, _ in found), torch.zeros(()))
    assert total.item() == pytest.approx(whole.item(), rel=1e-12)
    assert torch.allclose(torch.autograd.grad(total, logits)[0], gradient, rtol=1e-10, atol=1e-14)


def test_draws_differ_between_ranks_and_epochs_and_the_first_has_those_of_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = fitting._seed_of_epoch(7, 3)
    seeds = []
    for place in range(4):
        monkeypatch.setattr(fitting, "rank", lambda place=place: place)
        seeds += [fitting._seed_of_epoch(7, epoch) for epoch in (3, 4)]
    assert seeds[0] == alone
    assert len(set(seeds)) == len(seeds)


# -- processes that speak to each other -------------------------------------------------------------------------------

FORMS = [(5, 4, 3, 3), (6, 4), (2, 3, 2, 2)]


@pytest.mark.heavy
def test_normalisation_of_shares_is_that_of_the_batch(tmp_path: Path) -> None:
    """Forwards, backwards and in its running statistics; with unequal shares, single photos, and ranks without one."""
    found = side_by_side(partial(all_normalized, FORMS, tmp_path), 3, "gloo", lambda n: None)
    cases = [(form, each) for form in FORMS for each in (True, False)]
    for i, (form, is_affine) in enumerate(cases):
        batch, upstream, weight, bias, mean, var = drawn(form)
        learnt = [each.requires_grad_() for each in ((batch, weight, bias) if is_affine else (batch,))]
        scale, shift = (weight, bias) if is_affine else (None, None)
        y = functional.batch_norm(batch, mean, var, scale, shift, True, 0.3)
        gradients = torch.autograd.grad((y * upstream).sum(), learnt)
        of_ranks = [each[i] for each in found]
        assert [each["ranks"] for each in of_ranks] == [3, 3, 3]
        assert _close([*chain(*(each["y"] for each in of_ranks))], y)
        assert _close([*chain(*(each["gradient"] for each in of_ranks))], gradients[0])
        for each in of_ranks:
            assert each["running"] == of_ranks[0]["running"], "bit for bit on all"
            assert _close(each["running"][0], mean)
            assert _close(each["running"][1], var)
            assert all(_close(*pair) for pair in zip(each["affine"], gradients[1:], strict=True))


def _close(found: Any, expected: Any) -> bool:
    return bool(torch.allclose(torch.tensor(found), expected.detach(), rtol=1e-4, atol=1e-5))


@pytest.mark.heavy
def test_what_ranks_say_is_heard_by_nobody_but_progress_and_results(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[int] = []
    assert side_by_side(partial(chat, tmp_path), 2, "gloo", told.append) == [30, 31]
    assert sum(told) == 5, "of the first alone"
    assert capfd.readouterr() == ("", "")
    assert are_gone(pids(tmp_path), SECONDS_TO_END)


@pytest.mark.heavy
def test_two_processes_come_to_the_weights_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an update the gradient is that of one process, after more the history is, and both ranks are alike.

    Weights themselves differ by more: where a gradient is nothing but rounding, Adam makes a whole step of it.
    """
    digests = _digests_of(monkeypatch)
    asked = {"augment": "none", "dropout_scale": 0.0, "balance": "loss", "label_smoothing": 0.1}
    for folder, device in (("one", "cpu"), ("two", "cpu:2")):
        trained(tmp_path / folder, 1, device=device, budget=Budget(updates=1), **asked)
    assert (len(digests), len(set(digests))) == (2, 1), digests
    _assert_near(tmp_path / "one", tmp_path / "two")


def _assert_near(folder: Path, other: Path) -> None:
    """Trainings of one update had the same gradient, running statistics and history, but for rounding."""
    one, two = (_checkpoint(each) for each in (folder, other))
    first, second = (_gradients(each) for each in (one, two))
    whole = torch.linalg.vector_norm(torch.cat([each.ravel() for each in first]))
    for a, b in zip(first, second, strict=True):
        assert torch.linalg.vector_norm(a - b) <= 5e-4 * torch.linalg.vector_norm(a) + 1e-6 * whole
    for name, value in one["state_dict"].items():
        if "running" in name:
            assert torch.allclose(value, two["state_dict"][name], rtol=1e-4, atol=1e-6), name
    rows = [read_history(each / "history.csv")[0] for each in (folder, other)]
    for name in rows[0].keys() - {"seconds"}:
        assert rows[0][name] == pytest.approx(rows[1][name], abs=2e-3), name


def _digests_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hashes of the weights that each rank ends with, of every training from here on."""
    digests: list[str] = []

    def spy(*args: Any) -> list[str]:
        found: list[str] = side_by_side(*args)
        digests.extend(found)
        return found

    monkeypatch.setattr(fitting, "side_by_side", spy)
    return digests


def _checkpoint(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    return found


def _gradients(checkpoint: dict[str, Any]) -> list[torch.Tensor]:
    """Of the first update, as Adam remembers them."""
    return [each["exp_avg"] / 0.1 for each in checkpoint["optimizer_states"][0]["state"].values()]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("refuses", WorkFailedError, "the loss is no longer a number"),
        ("is killed", WorkFailedError, "ended from outside.*--resume"),
    ],
)
def test_one_that_fails_ends_all_and_says_why(tmp_path: Path, how: str, kind: type[Exception], said: str) -> None:
    """While the other waits for it, which it would do for half an hour."""
    with pytest.raises(kind, match=said):
        side_by_side(partial(fail, how, tmp_path), 2, "gloo", lambda n: None)
    assert len(pids(tmp_path)) == 2
    assert are_gone(pids(tmp_path), SECONDS_TO_END)
    assert not multiprocessing.active_children()


ECHO = RuntimeError("Connection closed by peer")
CAUSES = [
    WorkFailedError("the loss is no longer a number"),
    OSError(28, "No space left on device"),
    MemoryError(),
    LookupError("a bug"),
    RuntimeError("shapes do not fit"),
]


@pytest.mark.parametrize("cause", CAUSES, ids=repr)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_told_is_the_cause_and_not_that_others_lost_the_connection(
    tmp_path: Path, cause: Exception, order: tuple[int, int]
) -> None:
    futures = [Future[None](), Future[None](), Future[None]()]  # the last still waits
    for place, error in zip(order, (ECHO, cause), strict=True):
        futures[place].set_exception(error)
    with pytest.raises(type(cause)) as raised:
        _wait(futures, tmp_path / "done", lambda n: None)
    assert raised.value is cause


BEGUN = """
from support.ranks_at_work import begin_to_last
import mien.system.signals as signals
with signals.ended_by_signals(for_good=True):
    notes = sys.argv.pop(1)
    sys.argv[1:] = ["train"]
    begin_to_last(notes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_behind(tmp_path: Path, sign: signal.Signals) -> None:
    outcome = signalled(begin(BEGUN, tmp_path), sign, group=sign == signal.SIGINT)
    assert are_gone(pids(tmp_path), SECONDS_TO_END)
    if sign == signal.SIGKILL:
        return
    assert outcome.code == 128 + sign
    assert "--resume" in outcome.complaint


TRAINED = """
from pathlib import Path
import torch
from support.tiny_training import trained
trained(Path(sys.argv[1]), 400, device="cpu:3", stop_patience=None, plateau_patience=0, ema_decay=0.9)
"""


@pytest.mark.slow
def test_a_backbone_whose_first_stages_are_frozen_learns_as_in_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layers bring an activation along; the statistics of frozen ones stay as they are."""
    digests = _digests_of(monkeypatch)
    settings = replace(
        FINETUNE, size=64, batch_size=8, budget=Budget(updates=1), augment="none", dropout_scale=0.0, precision="fp32"
    )
    run = NetworkRun(name="f", recipe="finetune", seed=1, device="cpu", labels=("a", "b", "c"), train=settings)
    before = load_backbone("expression").module.state_dict()
    for name, device in (("one", "cpu"), ("two", "cpu:2")):
        (tmp_path / name).mkdir()
        torch.manual_seed(1)
        fit(
            fresh_network(run),
            noise(64),
            settings,
            seed=1,
            n_classes=3,
            device=device,
            folder=tmp_path / name,
            advance=lambda n: None,
        )
    assert (len(digests), len(set(digests))) == (2, 1), digests
    _assert_near(tmp_path / "one", tmp_path / "two")
    after = _checkpoint(tmp_path / "two")["current_model_state"]
    frozen = [name for name in before if "running" in name and ("network.bn1." in name or "blocks.0." in name)]
    assert frozen
    for name in frozen:
        assert torch.equal(before[name], after[f"network.body.backbone.{name}"]), name


@pytest.mark.slow
def test_killed_and_resumed_is_as_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With augmentation and dropout, scheduler and averaged weights, three ranks, and batches that one has no part in.

    Sums of three depend on their order, which must therefore be the same after a stop.
    """
    process = begin(TRAINED, tmp_path / "parts")
    wait_for_epochs(process, tmp_path / "parts" / "history.csv", 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = len(read_history(tmp_path / "parts" / "history.csv"))
    assert done < 390, "the kill came too late"
    digests = _digests_of(monkeypatch)
    usual: dict[str, Any] = {"device": "cpu:3", "stop_patience": None, "plateau_patience": 0, "ema_decay": 0.9}
    networks = [trained(tmp_path / name, done + 3, **usual) for name in ("parts", "whole")]
    assert (len(digests), len(set(digests))) == (6, 1), digests
    assert same_weights(*networks)
    one, other = (read_history(tmp_path / name / "history.csv") for name in ("parts", "whole"))
    assert [row | {"seconds": 0} for row in one] == [row | {"seconds": 0} for row in other]
    assert len(one) == done + 3


@pytest.mark.slow
def test_a_command_trains_on_several_and_prints_one_object(
    mien: Callable[..., Outcome], small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are those of one process."""
    monkeypatch.setattr("mien.training.recipes.device_for", lambda *_: "cpu:2")
    words = ("train", small_set, "--recipe", "scratch", "--size", "32", "--epochs", "2", "--precision", "fp32")
    outcome = mien(*words, "--out", "out", "--json")
    assert outcome.code == 0, outcome
    assert strict_json(outcome.out)["selected"] == "scratch"
    run = tmp_path / "out" / "runs" / "scratch"
    assert 'device = "cpu:2"' in (run / "config.toml").read_text()
    assert [row["epoch"] for row in read_history(run / "history.csv")] == [1, 2]
    assert len(list((run / "tensorboard").glob("events*"))) == 1
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"SHA256SUMS", "best.ckpt", "last.ckpt"}
    assert not list(tmp_path.rglob("*.partial"))
    assert (run / "model.onnx").exists()


@pytest.mark.slow
def test_seconds_end_all_ranks_at_the_same_update(tmp_path: Path) -> None:
    """None waits for another that has stopped, though their clocks differ."""
    began = time.monotonic()
    trained(tmp_path / "run", 1, device="cpu:2", budget=Budget(seconds=2.0), schedule="cosine", stop_patience=None)
    assert time.monotonic() - began < 200
    rows = read_history(tmp_path / "run" / "history.csv")
    assert rows[-1]["learning_rate"] < 1e-3
