"""Where work that can be divided is done: in processes of this machine, on a cluster, or here.

Stages ask here for workers, and take what there is: of a cluster under ``--cluster``, else of this machine. Those that
divide their work otherwise on a cluster ask ``has_cluster()``; none knows what a cluster is made of.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

from mien.cluster.connecting import connected
from mien.cluster.on_node import Threads
from mien.data.reading.read_ahead import in_order
from mien.errors import WorkFailedError
from mien.system.leftovers import SIGNALS, undone_if_stopped

__all__ = ["NoProcessesError", "has_cluster", "processes", "processes_here", "spread", "workers"]

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Items for each worker that are under way or wait to be taken."""
SECONDS_TO_END = 5
SECONDS_BETWEEN_LOOKS = 0.2


class NoProcessesError(WorkFailedError):
    """This system starts no processes now; the work can be done without."""


def has_cluster() -> bool:
    """Whether workers are those of a cluster, which may be on other machines and start in no time."""
    return connected() is not None


def workers(count: int) -> int:
    """How many tasks can be under way: one for each processor of the cluster, or ``count`` where there is none."""
    cluster = connected()
    return count if cluster is None else cluster.cpus


def spread(
    work: Callable[[T], R], items: Iterable[T], *, threads: int, needs: Sequence[Path] = (), advice: str = ""
) -> Iterator[R]:
    """Results of work in the order of the items: done by the cluster where there is one, else here, one by one.

    Args:
        work: a function that can be sent, as ``processes`` takes them.
        threads: that each piece is to use on a cluster; 0 for as many as here.
        needs: files and folders that the work uses under the same path as here.
        advice: what to do where workers are ended from outside.
    """
    if not has_cluster():
        yield from map(work, items)
        return
    with _on_cluster(threads, advice, needs) as pool:
        yield from in_order(pool, work, items, AHEAD * workers(1))


@contextmanager
def processes(count: int, advice: str, *, needs: Sequence[Path] = ()) -> Iterator[Executor]:
    """Workers that share the cores, and that end with the context: of the cluster where there is one, else processes.

    Args:
        count: processes; on a cluster, as many threads are for each piece of work as they would have.
        advice: what to do where one of them is ended from outside.
        needs: files and folders that the work uses under the same path as here.

    Raises:
        ClusterError: where a machine of the cluster cannot do the work.
        WorkFailedError: where a worker is ended from outside.
        NoProcessesError: where none can be started, as without shared memory or free file handles.
    """
    if has_cluster():
        with _on_cluster(0 if count == 1 else _share(count), advice, needs) as workers_there:
            yield workers_there
        return
    with processes_here(count, advice) as pool:
        yield pool


def _share(count: int) -> int:
    """Threads for each of ``count`` workers; ``OMP_NUM_THREADS`` takes precedence."""
    return _said() or max(1, (os.cpu_count() or 1) // count)


def _said() -> int:
    """Threads that the environment allows; 0 where it says nothing."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() else 0


@contextmanager
def _on_cluster(threads: int, advice: str, needs: Sequence[Path]) -> Iterator[Executor]:
    """Workers of the cluster, each with so many threads; 0 for as many as libraries use here."""
    from mien.cluster.executor import ClusterExecutor

    cluster = connected()
    assert cluster is not None
    each = _threads_here() if threads == 0 else Threads(threads, threads)
    cpus = max(1, min(each.each, cluster.largest))
    pool = ClusterExecutor(each, cpus, needs=needs, advice=advice)
    try:
        yield pool
    finally:
        pool.shutdown()


def _threads_here() -> Threads:
    """How many threads libraries use in this process: what the environment says, or what each has decided."""
    from threadpoolctl import threadpool_info

    if said := _said():
        return Threads(said, said)
    cores = os.cpu_count() or 1
    blas = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    torch = sys.modules.get("torch")  # where it is not loaded, nothing is trained
    return Threads(torch.get_num_threads() if torch else cores, max(blas, default=cores))


@contextmanager
def processes_here(count: int, advice: str, *, variables: Mapping[str, str] | None = None) -> Iterator[Executor]:
    """Processes of this machine, also where there is a cluster; see ``processes``.

    loky's, since Python's own would run the script of a caller again that has no guard of its main part.

    Args:
        variables: of their environment, beside those that share the cores.
    """
    from loky import ProcessPoolExecutor  # here, for nothing else needs it
    from loky.process_executor import TerminatedWorkerError

    # A worker that is gone is replaced; nobody needs to be told.
    warnings.filterwarnings("ignore", r"A worker (stopped|was restarted) while some jobs", UserWarning)
    cores = {"OMP_NUM_THREADS": str(_share(count)), "OMP_WAIT_POLICY": "PASSIVE"}
    # Where psutil is installed, as by Jupyter, loky would replace each worker that loads PyTorch, for having grown.
    grown = {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"}
    try:
        _start_trackers()
        pool = ProcessPoolExecutor(
            count, env=cores | grown | dict(variables or {}), initializer=_end_with, initargs=(os.getpid(),)
        )
    except OSError as error:
        raise NoProcessesError(f"no processes can be started here ({error.strerror})") from error
    try:
        with undone_if_stopped(_kill_children):
            try:
                with _blocked(SIGNALS):  # deaf to the signals that end a command, which ends them itself
                    pool.submit(os.getpid)  # starts them all
            except OSError as error:
                raise NoProcessesError(f"no processes can be started here ({error.strerror})") from error
            yield pool
            pool.shutdown()
    except TerminatedWorkerError as error:
        raise WorkFailedError(f"a process was ended from outside; is memory short? {advice}") from error
    finally:
        pool.shutdown(kill_workers=True)  # what was under way when something failed is not waited for


def _start_trackers() -> None:
    """Start the processes that clear up when all others are gone, for them to do so without a warning.

    They would be started with the first pool. By then signals may be blocked, which some versions of Python undo here.
    """
    from loky.backend import resource_tracker as of_loky

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker:UserWarning"]))
    try:
        with _blocked(set(SIGNALS) - {signal.SIGINT, signal.SIGTERM}):  # those two they ignore by themselves
            resource_tracker.ensure_running()
            of_loky.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextmanager
def _blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Signals wait until the end of the block; processes and threads that are started in it never hear them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill_children() -> None:
    """End the processes at once and wait until they are gone, without a lock that someone may hold."""
    children = [(child.pid, child.sentinel) for child in multiprocessing.active_children() if child.pid]
    for pid, _ in children:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    for pid, sentinel in children:
        with suppress(OSError, ValueError):
            if wait([sentinel], SECONDS_TO_END):
                os.waitpid(pid, 0)


def _end_with(parent: int) -> None:
    """Let this process end with the one that started it, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
