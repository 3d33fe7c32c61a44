"""The checkout and the modules in it."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import mien

SRC = Path(mien.__file__).parent
ROOT = Path(__file__).parents[2]
MODULES = {path.relative_to(SRC.parent).as_posix(): path for path in sorted(SRC.rglob("*.py"))}


@functools.cache
def parsed(path: Path) -> ast.Module:
    """A source file, parsed once for all tests that look at it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def tree(name: str) -> ast.Module:
    return parsed(MODULES[name])
