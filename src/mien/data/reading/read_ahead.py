"""Work on many files or pictures in their order, side by side in threads where that pays."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["SAMPLE", "TOGETHER", "in_order", "read_ahead", "side_by_side"]

T = TypeVar("T")
R = TypeVar("R")

SAMPLE = 8
"""First items, by which it is told whether all are small."""
TOGETHER = 64
"""Small ones that are worked on at once, without threads."""


def read_ahead(
    work: Callable[[Sequence[T]], list[R]], items: Iterable[T], is_small: Callable[[R], bool], *, at_once: int = 1
) -> Iterator[R]:
    """Work on items, a bounded number at a time, side by side in threads where that pays, yielding in their order.

    Args:
        work: is given so many items in a thread, or many without one.
        is_small: whether a result was of a tiny picture. Threads that decode those wait for Python's lock more than
            they work, so where the first few all are, the others are worked on without.
        at_once: items that a thread takes, after the first few.
    """
    items, are_small = iter(items), []
    for result in side_by_side(work, islice(items, SAMPLE), 1):
        are_small.append(is_small(result))
        yield result
    if not all(are_small):
        yield from side_by_side(work, items, at_once)
    for some in _chunks(items, TOGETHER):
        yield from work(some)


def side_by_side(work: Callable[[Sequence[T]], list[R]], items: Iterable[T], at_once: int = 1) -> Iterator[R]:
    """Work on items in threads that are given so many at a time, a bounded number ahead, yielding in their order."""
    workers = max(1, min(8, os.cpu_count() or 1))
    with ThreadPoolExecutor(workers) as pool:
        try:
            for some in in_order(pool, work, _chunks(items, at_once), 4 * workers):
                yield from some
        finally:
            pool.shutdown(cancel_futures=True)


def in_order(pool: Executor, work: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """Results in the order of the items, of which at most so many are under way or wait to be taken.

    What is under way when this is left early is the pool's to end.
    """
    pending = deque[Future[R]]()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= most:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    items = iter(items)
    while some := list(islice(items, size)):
        yield some
