"""The weights that adapting goes on from are a regular file, which is asked before anything is opened."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mien.adapting.blocks import LastBlocks
from mien.errors import ModelError
from mien.settings.recipes import FINETUNE
from mien.settings.run import NetworkRun

RUN = NetworkRun(name="a", recipe="finetune", seed=1, device="cpu", labels=("x", "y"), train=replace(FINETUNE, size=32))


@pytest.mark.parametrize("kind", ["a pipe", "a directory", "a device"])
def test_weights_that_are_no_file_are_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    weights = tmp_path / "model.safetensors"
    if kind == "a pipe":
        os.mkfifo(weights)
    elif kind == "a directory":
        weights.mkdir()
    else:
        weights.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match=f"not the weights of this run .*{kind}"):
        LastBlocks(RUN, tmp_path)
