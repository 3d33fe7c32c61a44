"""What a long step reports to while it works. The CLI draws it; a library caller sees nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Advance", "Progress", "Silent"]

Advance = Callable[[int], None]
"""Called with the number of units done since the last call."""


class Progress(Protocol):
    """Where steps are announced."""

    def tell(self, line: str) -> None:
        """Say something that a person should know before work goes on."""

    def step(self, title: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Announce a step of ``total`` units (None: unknown); the context ends with the step."""


class Silent:
    """Reports nothing."""

    def tell(self, line: str) -> None:
        """Say nothing."""

    @contextmanager
    def step(self, title: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Announce nothing."""
        yield lambda n: None
