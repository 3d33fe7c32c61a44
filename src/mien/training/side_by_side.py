"""Start the processes that train one network together, and end them all as soon as one of them fails.

They are started by this process and not by Lightning, which would start the user's command or script again, and wait
for ever where one of several fails. They meet in a file, find each other at 127.0.0.1, say nothing, hear no signal, and
end with this process however it ends. Nothing that they learn comes back but through the files that they write.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from mien.data.reading.processes import processes_here
from mien.errors import MienError
from mien.progress import Advance
from mien.system.files import read_file
from mien.system.scratch import work_folder

__all__ = ["side_by_side"]

T = TypeVar("T")

ADVICE = "Go on with --resume; if it happens again, begin anew on one GPU: --device cuda with another --out"
SECONDS_BETWEEN_LOOKS, SECONDS_FOR_OTHERS = 0.2, 2.0
"""How often progress is looked at, and how long others have to fail too, of which one may know why."""
QUIET = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
LOST = re.compile(r"connection (was )?(closed|reset|refused)|broken pipe|timed out", re.IGNORECASE)
"""What gloo and NCCL say where another rank is gone."""
DONE, MEETING = "done", "meeting"


def side_by_side(work: Callable[[Advance], T], count: int, backend: str, advance: Advance) -> list[T]:
    """What a function gives in each of several processes, which are ranks of one group while they run it.

    Args:
        work: can be sent to another process, and gives something small.
        count: processes.
        backend: by which they speak to each other: ``nccl`` for GPUs, ``gloo`` for processors.
        advance: is told what the first of them tells.

    Raises:
        WorkFailedError: if one of them is ended from outside; else what one of them raised.
    """
    with work_folder() as folder, processes_here(count, ADVICE, variables=QUIET | _kept_here()) as pool:
        futures = [pool.submit(_as_rank, work, place, count, backend, folder) for place in range(count)]
        _wait(futures, folder / DONE, advance)
        return [future.result() for future in futures]


def _kept_here() -> dict[str, str]:
    """Variables that keep the ranks' connections on this machine, where the user has not set them."""
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    loopback = next((name for name in ("lo", "lo0") if name in names), None)
    wanted = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") if loopback else ()
    return {each: os.environ.get(each, str(loopback)) for each in wanted}


def _wait(futures: Sequence[Future[T]], done: Path, advance: Advance) -> None:
    """Until all are done, or one has failed.

    Raises:
        Exception: of those that failed, the one that knows most.
    """
    told, waiting = 0, set(futures)
    while waiting:
        ended, waiting = wait(waiting, SECONDS_BETWEEN_LOOKS, FIRST_EXCEPTION)
        with suppress(OSError):
            now = int.from_bytes(read_file(done), "little")
            advance(now - told)
            told = now
        if any(future.exception() for future in ended):
            wait(waiting, SECONDS_FOR_OTHERS)
            errors = [error for future in futures if future.done() and (error := future.exception())]
            raise min(errors, key=_is_echo)


def _is_echo(error: BaseException) -> int:
    """How likely an error comes of another rank's: of those that are known to, the connection was closed."""
    if isinstance(error, MienError):
        return 0
    if type(error).__name__.startswith("Dist") or LOST.search(str(error)):
        return 3
    return 2 if type(error) is RuntimeError else 1


def _as_rank(work: Callable[[Advance], T], rank: int, count: int, backend: str, folder: Path) -> T:
    """Do the work as one of several ranks."""
    from torch import cuda, device, distributed

    from mien.training.ranks import become

    _fall_silent()
    store = distributed.FileStore(str(folder / MEETING), count)  # type: ignore[attr-defined]  # but it is documented
    where = device("cuda", rank) if backend == "nccl" else None
    if where is not None:
        cuda.set_device(where)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=count, device_id=where)
    become(rank, count)
    given = work(_Told(folder / DONE) if rank == 0 else _ignored)
    distributed.destroy_process_group()  # where one has failed, the others may never come to it
    return given


def _fall_silent() -> None:
    """Print nothing from here on, as libraries do that find each other: the command's output is another's."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


class _Told:
    """Notes how much is done in a file that the other process looks at."""

    def __init__(self, path: Path) -> None:
        self._path, self._done = path, 0

    def __call__(self, n: int) -> None:
        self._done += n
        beside = self._path.with_suffix(".new")
        beside.write_bytes(self._done.to_bytes(8, "little"))
        beside.replace(self._path)


def _ignored(n: int) -> None:
    """Of ranks that have nothing to tell."""
