"""The parts of mien that are installed on request: ``pip install 'mien[train]'``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mien.errors import MissingExtraError

__all__ = ["extra"]


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Turn a missing library into a line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "mien":
            raise
        raise MissingExtraError(
            f"{what} needs {error.name}, which is not installed; run: pip install 'mien[{name}]'"
        ) from error
