"""What mien says is plain English: no phrase of the kinds that readers stumbled over is left in a text or a help."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.checkout import ROOT, parsed

PACKAGE = ROOT / "src" / "mien"
STUMBLED_OVER = {
    r"\b(?:stands?|stood|standing)\b(?! for\b| out\b| apart\b|-in\b)": "is, are, lies",
    r"\btaught on\b": "trained further",
    r"\btold? from chance\b|\btell\w* from chance": "statistically significant",
    r"\b(?<!naive )flatter": "too high",
    r"\bspeaks? (?:against|for it)": "suggests",
    r"\bno way gains\b|\bno way without\b": "no method",
    r"\bto be expected\b": "expected",
    r"comes with how": "is explained by",
    r"\bwhich are to be\b|\bare to be wrong\b": "should be",
    r"\bclass there\b|\bof the model there\b|\bmissing there\b": "their class, the model's class, none in these photos",
    r"no sensible number": "no realistic number",
    r"answered rightly|rightly answered": "answered correctly",
    r"\bat home\b(?=.*\bstrangers\b)": "on its own photos",
}
"""Pattern → what a native writer says."""
OPTION_HELP = ("settings", "cli")
"""Where docstrings are shown as help."""


def said(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string in a module that is no docstring; of help also those."""
    tree = parsed(path)
    is_help = path.relative_to(PACKAGE).parts[0] in OPTION_HELP
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not is_help
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, " ".join(node.value.split())


@functools.cache
def texts() -> list[tuple[str, str]]:
    """Where, and what is said there."""
    found = [(f"{path.name}:{line}", text) for path in sorted(PACKAGE.rglob("*.py")) for line, text in said(path)]
    found += [(path.name, path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.j2"))]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return found + [(path.name, " ".join(path.read_text(encoding="utf-8").split())) for path in pages]


@pytest.mark.parametrize("pattern", STUMBLED_OVER)
def test_no_phrase_is_left_that_readers_stumbled_over(pattern: str) -> None:
    left = []
    for where, text in texts():
        left += [f"{where}: …{text[max(0, f.start() - 40) : f.end() + 30]}…" for f in re.finditer(pattern, text, re.I)]
    assert left == [], f"say: {STUMBLED_OVER[pattern]}"


def test_the_search_sees_what_is_said() -> None:
    """It would be no use if it saw nothing."""
    found = [text for _, text in texts()]
    assert len(found) > 3000
    assert any("It was not tested itself" in text for text in found)
    assert re.search(next(iter(STUMBLED_OVER)), "the numbers stand in the table")
    assert not re.search(next(iter(STUMBLED_OVER)), "what stands for a class; what stands out")
