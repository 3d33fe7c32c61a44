"""The precision of a training follows from processor and network alone: equal on a busy machine and an idle one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch

import mien.training.precision as precision
import mien.training.run as running
from mien.comparing.arms import budgets, parse_arms
from mien.comparing.compare import _Comparison
from mien.errors import ConfigError
from mien.models.networks import EmotionCNN
from mien.settings.by_name import changed, made
from mien.settings.compare import CompareSettings
from mien.settings.run import NetworkRun, RunConfig, read_run
from mien.settings.study import StudySettings
from mien.settings.toml import write_toml
from mien.training.precision import is_dense, multiplies_bf16, precision_by_rule, processor_features
from mien.training.recipes import resolve_run
from mien.training.run import decided_run, with_precision
from support.drawn_sets import draw_set
from support.outcomes import Outcome

ASKED = made(StudySettings, data=("photos",), device="cpu")
LABELS = ("happy", "sad")


def of(run: RunConfig) -> str:
    assert isinstance(run, NetworkRun)
    return run.train.precision


def able(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(running, "multiplies_bf16", lambda device: answer)


def test_bf16_needs_both_a_processor_and_a_network_for_it() -> None:
    found = {(p, d): precision_by_rule(bf16_units=p, dense=d) for p in (True, False) for d in (True, False)}
    assert [key for key, value in found.items() if value == "bf16"] == [(True, True)]
    assert set(found.values()) == {"bf16", "fp32"}


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx2", "avx512_bf16"}, True),
        ({"amx_tile", "amx_bf16"}, True),
        ({"avx2", "avx512_f", "avx512_vnni", "amx_tile", "amx_int8"}, False),
        ({"neon", "bf16", "sve_bf16"}, False),
        (set(), False),
    ],
)
def test_processors_that_multiply_bf16(features: set[str], expected: bool) -> None:
    assert multiplies_bf16("cpu", features) is (expected and torch.backends.mkldnn.is_available())


def test_without_onednn_bf16_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not multiplies_bf16("cpu", {"avx512_bf16"})


def test_gpu_that_only_emulates_bf16_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not multiplies_bf16("cuda", {"avx512_bf16"})


def test_networks_with_depthwise_convolutions_are_not_dense() -> None:
    assert is_dense(EmotionCNN(6))
    assert is_dense(timm.create_model("resnet10t", num_classes=0))
    for name in ("tf_efficientnet_lite0", "mobilenetv3_small_050", "convnext_atto"):
        assert not is_dense(timm.create_model(name, num_classes=0)), name


def test_older_torch_and_unreadable_processors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: avx512_bf16 by name\nflags\t\t: fpu avx2 amx_bf16\n\nflags : x\n")
    assert processor_features(info) == {"fpu", "avx2", "amx_bf16"}
    info.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert processor_features(info) == frozenset()
    assert processor_features(tmp_path / "none") == frozenset()


def test_both_ways_to_ask_this_processor_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not precision.CPU_INFO.exists() or told.get("architecture") != "x86_64":
        pytest.skip("neither Linux on x86 nor a PyTorch that tells")
    by_torch = multiplies_bf16("cpu")
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert multiplies_bf16("cpu") is by_torch


@pytest.mark.parametrize(("can", "dense"), [(True, "bf16"), (False, "fp32")])
def test_recipes_are_decided_by_their_network(monkeypatch: pytest.MonkeyPatch, can: bool, dense: str) -> None:
    able(monkeypatch, can)
    expected = {"scratch": dense, "scratch-no-augmentation": dense, "finetune": "fp32", "notebook": "fp32"}
    assert {name: of(with_precision(resolve_run(name, ASKED, LABELS))) for name in expected} == expected
    head = resolve_run("probe", ASKED, LABELS)
    assert with_precision(head) == head


def test_what_is_asked_for_outright_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    able(monkeypatch, True)
    for asked in ("fp32", "bf16"):
        for name in ("scratch", "finetune"):
            assert of(with_precision(resolve_run(name, changed(ASKED, precision=asked), LABELS))) == asked


def test_run_goes_on_in_the_precision_it_began_with_wherever_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    able(monkeypatch, True)
    run = resolve_run("scratch", ASKED, LABELS)
    write_toml(decided_run(run, tmp_path), tmp_path / "config.toml")
    able(monkeypatch, False)
    assert of(decided_run(run, tmp_path)) == "bf16"
    assert of(decided_run(run, tmp_path / "new")) == "fp32"


def test_run_in_another_precision_than_asked_for_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    able(monkeypatch, True)
    write_toml(decided_run(resolve_run("scratch", ASKED, LABELS), tmp_path), tmp_path / "config.toml")
    with pytest.raises(ConfigError, match="other settings"):
        decided_run(resolve_run("scratch", changed(ASKED, precision="fp32"), LABELS), tmp_path)


def test_runs_of_a_comparison_are_told_apart_by_their_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    arms = ("augment=none", "augment=notebook")
    config = made(CompareSettings, data=("photos",), arms=arms, epochs=1, precision="auto", device="cpu")
    data: Any = SimpleNamespace(labels=LABELS)
    parsed = parse_arms(config.comparison.all_arms)
    asked = _Comparison(config, data, None, parsed, budgets(config.budget), (0, 1))
    found = []
    for can in (True, False):
        able(monkeypatch, can)
        found.append(of(asked.run(parsed[0], asked.budgets[0], 1)))
    assert found == ["bf16", "fp32"]


@pytest.mark.heavy
def test_decided_precision_is_said_and_written_down(
    mien: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    able(monkeypatch, True)
    faces = draw_set(tmp_path / "faces", {"happy": "happy", "sad": "sad"}, 12)
    options: tuple[Any, ...] = ("--epochs", 1, "--size", 32, "--device", "cpu")
    outcome = mien("train", faces, "--recipe", "scratch", *options, "--precision", "auto", "--out", "out")
    assert outcome.code == 0, outcome.err
    assert "train scratch in bf16" in outcome.err
    assert of(read_run(tmp_path / "out" / "runs" / "scratch" / "config.toml")) == "bf16"
