"""Complaints of the server's libraries, each at most once in a while: a flood of calls makes no flood of lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["OncePerWhile", "bound_logs"]

LOGGERS = ("asyncio", "concurrent.futures", "gradio", "starlette", "uvicorn.error")
"""Those that complain of single connections and calls; a filter holds for the very logger that it is added to."""
SECONDS = 10.0
MOST_KINDS = 50
"""Different messages within ``SECONDS``; what goes beyond is withheld too."""


def bound_logs() -> None:
    """Let each of ``LOGGERS`` say the same at most once in ``SECONDS``; a second call changes nothing."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, OncePerWhile) for each in logger.filters):
            logger.addFilter(OncePerWhile())


@dataclass
class _Said:
    at: float
    withheld: int = 0


class OncePerWhile(logging.Filter):
    """Withholds a record that is like one of the last seconds; the next to be let through says how many there were.

    Two records are alike if they have the same level, the same first line before its values are put in, and the same
    type of exception: what follows the first line names the single connection.
    """

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds, self._clock = seconds, clock
        self._said: dict[tuple[object, ...], _Said] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        kind = type(record.exc_info[1]) if record.exc_info else None
        key = (record.levelno, str(record.msg).strip().partition("\n")[0], kind)
        now, before = self._clock(), self._said.get(key)
        if before is not None and now - before.at < self._seconds:
            before.withheld += 1
            return False
        if before is None and not self._has_room(now):
            return False
        self._said[key] = _Said(now)
        if before is not None and before.withheld:
            record.msg, record.args = f"{record.getMessage().rstrip()} ({before.withheld} more like it before)", ()
        return True

    def _has_room(self, now: float) -> bool:
        if len(self._said) >= MOST_KINDS:
            self._said = {key: said for key, said in self._said.items() if now - said.at < self._seconds}
        return len(self._said) < MOST_KINDS
