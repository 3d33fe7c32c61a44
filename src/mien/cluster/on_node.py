"""What happens on a machine of the cluster: a task is checked, done with its share of the cores, and answered.

Nothing here imports Ray or what computes at the start: threads are counted before a library that asks for their number
is loaded.
"""

from __future__ import annotations

import copy
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import MienError, WorkFailedError
from mien.system.threads import share_cores

__all__ = ["Reached", "Task", "Threads", "done_here", "size_of"]

MOST_CALLS = 4
"""Functions that a worker keeps, with what they have opened; a stage has one."""

_calls: OrderedDict[str, Callable[..., Any]] = OrderedDict()
Reached = tuple[str, int | None]
"""A path that a task needs, and how many bytes it has; None for a folder."""


@dataclass(frozen=True)
class Threads:
    """How many threads a task uses: as many as without the cluster, however many cores its machine has.

    Attributes:
        each: of libraries that ask the environment, such as PyTorch.
        blas: of linear algebra.
    """

    each: int
    blas: int


@dataclass(frozen=True)
class Task:
    """How something is to be done.

    Attributes:
        function: the name by which a worker knows the function that it has loaded.
        threads: that it may use.
        needs: what must be there under the same path as where the command runs.
        start: the folder that paths start from there.
    """

    function: str
    threads: Threads
    needs: Sequence[Reached]
    start: str


def done_here(
    task: Task, function: Callable[[], Callable[..., Any]], arguments: Callable[[], tuple[Any, ...]]
) -> tuple[str, Any]:
    """Do a task.

    Args:
        function: gives what is called, where this worker has not got it yet.
        arguments: gives its arguments.

    Returns:
        ``done`` and the result; ``unreached`` and the first path that is not there or another; or ``failed`` and a
        deliberate error.
    """
    for path, size in task.needs:
        if not _is_there(Path(path), size):
            return "unreached", path
    with suppress(OSError):  # where it is not there, no relative path is needed or all are told of
        os.chdir(task.start)
    with _threads(task.threads):
        try:
            return "done", _function(task.function, function)(*arguments())
        except MienError as error:
            return "failed", _sendable(error)


def size_of(path: Path) -> int | None:
    """Bytes of a file; None for a folder, and for what is not there."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _is_there(path: Path, size: int | None) -> bool:
    return path.exists() and size_of(path) == size


def _function(name: str, load: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A function, loaded once in each worker: it may hold a table of a million photos, or an open network."""
    if name not in _calls:
        _calls[name] = load()
        while len(_calls) > MOST_CALLS:
            _calls.popitem(last=False)
    _calls.move_to_end(name)
    return _calls[name]


@contextmanager
def _threads(threads: Threads) -> Iterator[None]:
    """Keep the work to its threads: libraries still to be loaded by the environment, the others by their own switch."""
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads.each)}
    share_cores(threads.each)
    from threadpoolctl import threadpool_limits

    with threadpool_limits({"blas": threads.blas, "openmp": threads.each}):
        yield


def _sendable(error: MienError) -> MienError:
    """The error, or what it says where it cannot be sent as it is."""
    try:
        copy.copy(error)  # is made anew as what is received is
    except Exception:
        return (WorkFailedError if error.exit_code == 1 else MienError)(error.typed)
    return error
