"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from mien.leftovers import written_whole

__all__ = ["write_text", "written_whole"]


def write_text(text: str, path: Path, newline: str | None = None) -> None:
    """Write text as UTF-8, whole or not at all; ``newline`` as for ``open``."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline=newline)
