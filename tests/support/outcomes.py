"""How a command ended, and what two results have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one strict JSON object on stdout."""
        return strict_json(self.out)

    @property
    def complaint(self) -> str:
        """The one line that says what went wrong; progress may stand before it."""
        assert "Traceback" not in self.err, self.err
        lines = self.err.splitlines()
        said = [line for line in lines if line.startswith("mien: ")]
        assert len(said) == 1, self.err
        assert lines[-1] == said[0], f"something follows the message: {self.err}"
        return said[0]


def strict_json(text: str) -> Any:
    """Parse JSON as its standard has it, without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def numbers(results: Any) -> Any:
    """Results without what no two studies can share: seconds and paths."""
    if isinstance(results, Mapping):
        return {k: numbers(v) for k, v in results.items() if k not in ("seconds", "paths", "mien")}
    if isinstance(results, list | tuple):
        return [numbers(v) for v in results]
    return results


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with its size and time of change."""
    return {
        str(path.relative_to(folder)): (0, 0) if path.is_dir() else (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }
