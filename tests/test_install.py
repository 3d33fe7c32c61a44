"""The base installation, made from nothing: it recognises without torch, without training and without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from mien.demo import draw_face
from support.checkout import ROOT

MOST_BYTES = 0.8e9


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with mien's wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "env", with_pip=True)
    pip = [str(folder / "env/bin/pip"), "--disable-pip-version-check"]
    for command in (["wheel", "--no-deps", "-q", "-w", str(folder), str(ROOT)], ["install", "-q"]):
        wheels = [str(path) for path in folder.glob("*.whl")] if command[0] == "install" else []
        done = subprocess.run([*pip, *command, *wheels], capture_output=True, text=True, check=False)
        if "No matching distribution" in done.stderr or "NewConnectionError" in done.stderr:
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stderr
    return folder / "env"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the environment's layout is that of Linux and macOS")
def test_base_installation_recognises_a_drawn_face(bare: Path, tmp_path: Path) -> None:
    draw_face("fear", 0).save(tmp_path / "drawn.png")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(bare / "bin/mien"), "predict", "drawn.png", "--jsonl"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "fear"
    command = [str(bare / "bin/mien"), "audit", "demo", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["copies"]["near"]["groups"] >= 1
    (packages,) = (bare / "lib").glob("python*/site-packages")
    installed = {path.name.split("-")[0].lower() for path in packages.iterdir()}
    assert not installed & {"torch", "torchvision", "lightning", "timm", "sklearn", "kornia"}
    assert sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) <= MOST_BYTES
