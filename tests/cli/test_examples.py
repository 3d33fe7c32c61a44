"""The examples of every help are run: each as it stands, but for smaller budgets where it would train for minutes."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mien.cli.examples import EXAMPLES
from support.drawn_sets import draw_set
from support.outcomes import Outcome
from support.studies import Study

pytestmark = pytest.mark.heavy  # trains

Mien = Callable[..., Outcome]
TRAINS = ("mien compare", "mien adapt", "mien study demo", "mien train")
"""Examples that take more than some seconds here, whatever is left out."""
RUN = [
    pytest.param(command, line, marks=pytest.mark.slow if line.startswith(TRAINS) else ())
    for command, lines in EXAMPLES.items()
    for line, _ in lines
    if command not in ("app", "review")
]
SMALLER = {"--epochs 10": "--epochs 1", "--epochs 5": "--epochs 1", "--updates 500": "--updates 2"}
"""Budgets of the examples → those of the test."""
QUICK = {
    "study": "--recipe scratch --size 32 --epochs 1 --no-check-labels",
    "compare": "--size 32 --pairs 2 --folds 2",
    "adapt": "--shots 2 --draws 1",
}
"""What is added to the examples of a command."""


@pytest.fixture
def desk(small_study: Study, tmp_path: Path) -> Path:
    """A folder with everything that the examples name."""
    shutil.copytree(small_study.data, tmp_path / "photos")
    folders = {"Angry": "anger", "happiness": "happy", "neutral": "neutral"}
    draw_set(tmp_path / "others", folders, 45, style="grey")
    photos = sorted((tmp_path / "photos").glob("*/*.png"))
    shutil.copy(photos[0], tmp_path / "photo.jpg")
    readable = [path for path in photos if path.stat().st_size > 500]
    names = [path.relative_to(tmp_path).as_posix() for path in readable]
    rows = {
        "path": names,
        "label": [path.parent.name for path in readable],
        "person": [i % 12 for i in range(len(names))],
    }
    pl.DataFrame(rows).write_csv(tmp_path / "photos.csv")
    pl.DataFrame({"path": names, "answer": rows["label"]}).write_csv(tmp_path / "answers.csv")
    return tmp_path


def words_of(command: str, line: str) -> list[str]:
    """The words after ``mien``, with less to compute."""
    text = re.split("[>|]", line)[0]
    for often, once in SMALLER.items():
        text = text.replace(often, once)
    quick = QUICK.get(command, "")
    return shlex.split(f"{text} {quick}")[1:]


@pytest.mark.parametrize(("command", "line"), RUN)
def test_an_example_does_what_it_says(command: str, line: str, desk: Path, small_study: Study, mien: Mien) -> None:
    if command not in ("study", "train"):  # which would find the folder there
        shutil.copytree(small_study.folder, desk / "mien-photos")
    before = {path.name for path in desk.iterdir()}
    outcome = mien(*words_of(command, line))
    unreadable = command == "predict" and "unreadable" in outcome.err
    assert outcome.code == (1 if unreadable else 0), outcome.err
    assert outcome.out.strip()
    written = {path.name for path in desk.iterdir()} - before
    if command in ("study", "train", "compare", "adapt", "export"):
        assert written
    else:
        assert written <= {"findings.csv"}


@pytest.mark.parametrize("line", [line for line, _ in EXAMPLES["review"]])
def test_an_example_of_a_review_is_taken(line: str, mien: Mien, monkeypatch: pytest.MonkeyPatch) -> None:
    """What serves is left out; tests/reviewing does that."""
    asked: list[Any] = []
    monkeypatch.setattr("mien.reviewing.serve.review_photos", lambda *words: asked.append(words))
    assert mien(*words_of("review", line)).code == 0
    assert [words[1].resume for words in asked] == ["--resume" in line]


@pytest.mark.parametrize("line", [line for line, _ in EXAMPLES["app"]])
def test_an_example_of_the_app_serves_what_it_says(
    line: str, desk: Path, small_study: Study, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What serves is left out; a test of the service does that."""
    shutil.copytree(small_study.folder, desk / "mien-photos")
    served: list[dict[str, Any]] = []
    monkeypatch.setattr("mien.app.serve.serve", lambda recognizer, **settings: served.append(settings))
    outcome = mien(*words_of("app", line))
    assert outcome.code == 0, outcome.err
    assert [each["has_page"] for each in served] == ["--api-only" not in line]
