"""The examples of the public names run, and every public name is documented."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import mien as package
from mien.demo import draw_face
from mien.jobs import handles
from support.checkout import ROOT
from support.drawn_sets import draw_set
from support.own_networks import own_network
from support.studies import Study as Made

LABELS = ("anger", "happy", "sad")
WITH_EXAMPLES: dict[str, Any] = {
    "wrap": lambda: package.wrap,
    "FaceDataset": lambda: package.FaceDataset,
    "figure": lambda: handles.Study.figure,
}


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_an_example_runs(name: str, small_study: Made, study_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study_copy.parent
    monkeypatch.chdir(folder)
    own_network(folder / "net.onnx")
    draw_face("happy", 0).save(folder / "photo.png")
    scope = {"mien": package, "torch": torch, "study": package.Study.open(study_copy)}
    (test,) = doctest.DocTestFinder(recurse=False).find(WITH_EXAMPLES[name](), name, globs=scope)
    assert test.examples
    told: list[str] = []
    found = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
    assert found.failed == 0, "".join(told)


@pytest.mark.heavy
def test_a_network_of_ones_own_is_made_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/PYTHON.md").read_text(encoding="utf-8")
    section = text.partition("## A network of your own")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    draw_set(tmp_path / "photos", dict(zip(LABELS, LABELS, strict=True)), 12)
    draw_set(tmp_path / "elsewhere", dict(zip(LABELS, LABELS, strict=True)), 6, style="grey")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec(block, scope)
    assert scope["model"].labels == LABELS
    assert scope["model"].contract.views[0].key == "face-64"
    learnt = scope["model"].contract.training_hashes
    assert len(learnt) == sum(len(package.FaceDataset(scope["study"], split)) for split in ("train", "val"))


def test_every_public_name_is_on_both_pages() -> None:
    reference = (ROOT / "docs/API.md").read_text(encoding="utf-8")
    guide = (ROOT / "docs/PYTHON.md").read_text(encoding="utf-8")
    for name in set(package.__all__) - {"__version__"}:
        assert re.search(rf"::\s*mien\.{name}$", reference, re.MULTILINE), name
        assert re.search(rf"\b{name}\b", guide), name
        assert getattr(package, name).__doc__
