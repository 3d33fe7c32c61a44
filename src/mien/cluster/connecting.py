"""--cluster: connect to a Ray cluster for as long as a command works, and say where workers come from meanwhile."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from mien.cluster.local_cluster import TOKEN, local_cluster
from mien.errors import ClusterError, MienError
from mien.extras import extra, without_warnings
from mien.progress import Progress
from mien.system.leftovers import undone_if_stopped

__all__ = ["Connected", "connected", "on_cluster"]

P = ParamSpec("P")
T = TypeVar("T")
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_task_oom_retries": "5",
}
"""What Ray is told before it is imported: to report to nobody, to leave the terminal alone, and to give up a task that
takes more memory than there is, which it would try for ever."""
OWN = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_worker_niceness": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
"""What a cluster of this machine alone is told besides. Its workers have the priority of any other process, which Ray
would lower. By the last, Ray's processes listen at the loopback address alone; otherwise it puts the machine's own in
place of it, also where it is told."""
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Connected:
    """A cluster that this process is connected to.

    Attributes:
        cpus: processors of all its machines.
        largest: of the machine that has the most.
    """

    cpus: int
    largest: int


_current: ContextVar[Connected | None] = ContextVar("cluster", default=None)


def connected() -> Connected | None:
    """The cluster that does the work which can be divided; None without one."""
    return _current.get()


@contextmanager
def on_cluster(address: str | None, progress: Progress) -> Iterator[None]:
    """Have a cluster do the work of the block that can be divided.

    Args:
        address: ``local``, ``auto`` or ``ray://HOST:PORT``; None for no cluster.

    Raises:
        MissingExtraError: if Ray is not installed.
        ClusterError: if there is no such cluster, or it cannot be used.
    """
    if address is None:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(_environment(QUIET | (OWN if address == "local" else {})))
        with progress.step(f"{'start' if address == 'local' else 'connect to'} the cluster", None, "nodes"):
            _connect(address, stack)
            found, nodes = _described()
        progress.tell(f"--cluster {address}: {nodes} node{'s' * (nodes > 1)} with {found.cpus} processors together")
        token = _current.set(found)
        try:
            yield
        finally:
            _current.reset(token)


def _connect(address: str, stack: ExitStack) -> None:
    """Connect, and have the stack disconnect."""
    with extra("cluster", f"--cluster {address}"), without_warnings():
        import ray
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        raise ClusterError(f"--cluster {address}: this process is connected to a cluster already; end that first")
    try:
        _forget_tokens()
        with _terminal_kept(), without_warnings():
            if address == "local":
                stack.enter_context(local_cluster())
                return
            _check_answers(address, _found() if address == "auto" else address.removeprefix("ray://"))
            ray.init(address, log_to_driver=False, logging_level="critical")
        stack.callback(ray.shutdown)
    except MienError:
        raise
    except Exception as error:  # Ray raises errors of many kinds
        raise ClusterError(f"--cluster {address}: {_why(address, error)}") from error


def _why(address: str, error: Exception) -> str:
    if isinstance(error, ConnectionError) and address == "auto":
        return "no cluster is running that this machine belongs to; start one with 'ray start --head', or give local"
    said = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return f"no cluster that can be used ({said[:200]})"


def _found() -> str:
    """Where Ray would look for the cluster of this machine, as HOST:PORT; empty where it knows of none."""
    from ray._private import services, utils

    named: str = os.environ.get("RAY_ADDRESS") or utils.read_ray_address() or ""
    if not named or named.startswith("ray://"):
        return named.removeprefix("ray://")
    return str(services.canonicalize_bootstrap_address(named))


def _check_answers(address: str, place: str) -> None:
    """See quickly whether anything listens at a place, for which Ray takes minutes and many lines.

    Raises:
        ClusterError: if nothing does.
    """
    host, _, port = place.rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ClusterError(
            f"--cluster {address}: nothing answers at {place} ({error.strerror or error}); is the cluster running, and "
            "that port open to this machine?"
        ) from error


def _described() -> tuple[Connected, int]:
    """What the cluster has, and how many machines that is.

    Raises:
        ClusterError: if it has no processor for tasks.
    """
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    cpus = [int(node["Resources"].get("CPU", 0)) for node in alive]
    if not any(cpus):
        raise ClusterError("--cluster: the cluster has no processors for tasks; start its nodes with --num-cpus")
    return Connected(sum(cpus), max(cpus)), len(alive)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Variables for the block; what Ray adds to them is gone after it, too."""
    before = {name: value for name, value in os.environ.items() if _is_of_ray(name)}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in [name for name in os.environ if _is_of_ray(name)]:
            del os.environ[name]
        os.environ.update(before)


def _is_of_ray(name: str) -> bool:
    return name.startswith("RAY_") or name == "PYTHONBREAKPOINT"


def _forget_tokens() -> None:
    """Have Ray ask anew for the token, which an earlier cluster of this process may have had another of."""
    import ray

    inside: Any = ray._raylet
    with suppress(AttributeError):  # of a Ray that has none
        inside.AuthenticationTokenLoader.instance().reset_cache()
        inside.Config.initialize("")


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Keep Ray from taking over the signal that ends a command, also while it starts, and from a line on the terminal.

    It says on standard error that it was told to say nothing there.
    """
    import ray._private.utils
    import ray._private.worker

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None
    with (
        _replaced(ray._private.utils, "set_sigterm_handler", lambda taken: lambda handler: None),
        _replaced(ray._private.worker, "connect", _muted),
    ):
        try:
            yield
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)


@contextmanager
def _replaced(module: Any, name: str, by: Callable[[Any], Any]) -> Iterator[None]:
    """A function of Ray's made anew from what it was; nothing where there is no such function."""
    was = getattr(module, name, None)
    if was is not None:
        setattr(module, name, by(was))
    try:
        yield
    finally:
        if was is not None:
            setattr(module, name, was)


def _muted(function: Callable[P, T]) -> Callable[P, T]:
    """The same, with nothing on standard error meanwhile, whatever language writes there."""

    def quiet(*words: P.args, **named: P.kwargs) -> T:
        kept = os.dup(2)

        def restore() -> None:
            os.dup2(kept, 2)

        with undone_if_stopped(restore), Path(os.devnull).open("wb") as nowhere:
            try:
                os.dup2(nowhere.fileno(), 2)
                return function(*words, **named)
            finally:
                restore()
                os.close(kept)

    return quiet
