"""The parts of mien that are installed on request: ``pip install 'mien[train]'``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mien.errors import MissingExtraError

__all__ = ["extra", "without_warnings"]


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


@contextmanager
def without_warnings() -> Iterator[None]:
    """Import a library without what it, or a part of it, warns of meanwhile.

    Several draw bars with tqdm, which warns in a notebook that lacks Jupyter's widgets, whether or not a bar is drawn.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
