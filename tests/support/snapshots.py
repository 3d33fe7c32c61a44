"""Texts that stand in tests/snapshots as they were when somebody last read them."""

from __future__ import annotations

import difflib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "snapshots"


def difference(before: str, after: str) -> str:
    """What was changed, line by line, without the lines around it and without line numbers."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("@@", "---", "+++"))) + "\n"


def hold(name: str, text: str, *, refresh: bool) -> None:
    """Compare a text with the one that is stored under this name, or store it anew.

    Raises:
        AssertionError: if they differ, with the lines that do.
    """
    path = FOLDER / f"{name}.txt"
    if refresh:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    assert path.exists(), f"{path.name} is not stored yet: make snapshots"
    stored = path.read_text(encoding="utf-8")
    assert stored == text, f"{path.name}: if this is meant, make snapshots\n{difference(stored, text)}"
