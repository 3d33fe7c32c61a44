"""Files are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["whole_file", "write_text"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` once it is written; nothing stays of a failure."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def write_text(text: str, path: Path, newline: str | None = None) -> None:
    """Write text as UTF-8, whole or not at all; ``newline`` as for ``open``."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline=newline)
