"""What a dry run shows is what would be read, in at most 40 lines of 80 columns; it opens and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.layouts import CLASSES, grid, plant
from support.outcomes import Outcome, snapshot

Mien = Callable[..., Outcome]
PERSONS = tuple(f"subject{i:02d}" for i in range(4))


@pytest.mark.parametrize("command", ["audit", "study"])
def test_a_dry_run_shows_what_was_read_and_does_nothing_else(command: str, mien: Mien, tmp_path: Path) -> None:
    names = grid("{split}/{person}/{label}/{i}.png", split=("train", "test"), person=PERSONS, label=CLASSES)
    root = plant(tmp_path / "photos", dict.fromkeys(names, b"no photo"))
    (root / "readme.txt").write_text("x", encoding="utf-8")
    before = snapshot(tmp_path)
    outcome = mien(command, root, "--dry-run")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert any("3 classes from the third folder" in line for line in lines)
    assert any(line.split() == ["anger", "16", "8", "8"] for line in lines)
    assert any("groups: 4" in line for line in lines)
    assert snapshot(tmp_path) == before
    told = mien(command, root, "--dry-run", "--json").json
    assert told["command"] == "dry run"
    assert told["sources"][0]["splits"] == {s: dict.fromkeys(CLASSES, 8) for s in ("train", "test")}
    assert told["sources"][0]["ignored"] == {"not in a class folder": 1}
    assert snapshot(tmp_path) == before


def test_a_dry_run_of_much_stays_short(mien: Mien, tmp_path: Path) -> None:
    labels = [f"class {chr(97 + i)} {'with a long name ' * 6}" for i in range(18)]
    roots = [plant(tmp_path / f"set{n}", grid("{label}/{i}.png", n=1, label=labels)) for n in range(3)]
    outcome = mien("audit", *roots, "--dry-run", "--layout", "LABEL/*")
    lines = outcome.out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert [len(source["classes"]) for source in mien("audit", *roots, "--dry-run", "--json").json["sources"]] == [
        18
    ] * 3


def test_a_refusal_of_a_layout_is_one_line_and_exit_code_2(mien: Mien, tmp_path: Path) -> None:
    root = plant(tmp_path / "photos", grid("{a}/{b}/{i}.png", a=("anna", "ben"), b=("ok", "bad")))
    for command in ("audit", "study"):
        outcome = mien(command, root, "--dry-run")
        assert outcome.code == 2
        assert "--layout 'GROUP/LABEL/*'" in outcome.complaint
        assert mien(command, root, "--dry-run", "--layout", "GROUP/LABEL/*").code == 0


def test_what_was_read_is_said_before_work_starts(mien: Mien, tmp_path: Path) -> None:
    root = plant(tmp_path / "photos", grid("{person}/{label}/{i}.png", person=PERSONS, label=CLASSES))
    outcome = mien("audit", root, "--no-faces", "--no-check-labels")
    assert outcome.code == 0
    first = outcome.err.splitlines()[0]
    assert first.startswith("3 classes from the second folder, 4 groups from the first folder")
