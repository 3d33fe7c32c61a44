"""Tasks of a Ray cluster in the interface of futures, in which every stage that divides its work asks for workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

from mien.cluster.on_node import Reached, Threads, size_of
from mien.errors import ClusterError, WorkFailedError
from mien.version import __version__

__all__ = ["ClusterExecutor", "can_be_sent", "no_such_path"]

P = ParamSpec("P")
T = TypeVar("T")
RETRIES = 5
"""How often Ray does a task again whose worker or machine died."""


class ClusterExecutor(Executor):
    """Does tasks on the machines of the cluster that this process is connected to.

    What dies with its machine is done again on another by Ray. Tasks that fail by themselves are not.
    """

    def __init__(self, threads: Threads, cpus: int, *, needs: Sequence[Path], advice: str) -> None:
        """Have tasks done.

        Args:
            threads: that each may use.
            cpus: processors that Ray keeps for each.
            needs: files and folders that the tasks use under the same path as this process.
            advice: what to do where their workers die again and again.
        """
        import ray

        self._ray, self._threads, self._advice = ray, threads, advice
        self._needs: list[Reached] = [(str(path.absolute()), size_of(path.absolute())) for path in needs]
        self._remote = ray.remote(num_cpus=cpus, max_retries=RETRIES)(_task())
        self._functions: dict[int, tuple[Callable[..., Any], str, Any]] = {}
        self._pending: set[Any] = set()
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function of the package called with arguments by their place.

        The function goes into the object store once, from where every machine takes it once.
        """
        assert not kwargs
        name, function = self._stored(fn)
        how = (name, self._threads.each, self._threads.blas, self._needs, str(Path.cwd()))
        reference = self._remote.remote(__version__, how, [function, self._ray.put(args)])
        result: Future[T] = Future()
        result.set_running_or_notify_cancel()
        with self._lock:
            self._pending.add(reference)
        reference.future().add_done_callback(lambda answer: self._answered(reference, answer, result))
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Have what is still under way ended; a block that took all results leaves nothing."""
        with self._lock:
            pending, self._pending = self._pending, set()
        for reference in pending:
            with suppress(Exception):  # it may have ended, or the cluster
                self._ray.cancel(reference, force=True)

    def _stored(self, fn: Callable[..., Any]) -> tuple[str, Any]:
        if id(fn) not in self._functions:
            stored = self._ray.put(fn)
            self._functions[id(fn)] = (fn, stored.hex(), stored)  # with the function, or its id could be another's
        return self._functions[id(fn)][1:]

    def _answered(self, reference: Any, answer: Future[Any], result: Future[Any]) -> None:
        """Hand on what came of a task."""
        with self._lock:
            self._pending.discard(reference)
        try:
            result.set_result(self._taken(answer.result()))
        except self._ray.exceptions.RayTaskError as error:  # a bug, which keeps its traceback
            result.set_exception(error.as_instanceof_cause())
        except self._ray.exceptions.RayError as error:
            said = f"tasks of the cluster ended from outside ({type(error).__name__}); is memory short?"
            failed = WorkFailedError(f"--cluster: {said} {self._advice}".rstrip())
            failed.__cause__ = error
            result.set_exception(failed)
        except BaseException as error:
            result.set_exception(error)

    def _taken(self, answer: tuple[str, str, Any]) -> Any:
        """The result of a task.

        Raises:
            ClusterError: where its machine cannot do it.
            MienError: that the task raised.
        """
        kind, node, value = answer
        match kind:
            case "done":
                return value
            case "failed":
                raise value
            case "unreached":
                no_such_path(node, value)
            case "lacks":
                raise ClusterError(
                    f"--cluster: node {node} has no mien that it can load, or not all that this command needs "
                    f"({value}); install mien {__version__} there, with the same extras as here"
                )
        raise ClusterError(f"--cluster: node {node} has mien {value}, not {__version__}; install that one there")


def can_be_sent(function: Callable[..., Any]) -> bool:
    """Whether a function reaches a machine of the cluster with all that it needs, which open files and locks do not."""
    from ray import cloudpickle

    try:
        cloudpickle.dumps(function)
    except Exception:  # of many kinds; what cannot be sent is read here
        return False
    return True


def no_such_path(node: str, path: str) -> NoReturn:
    """Say that a machine lacks what the others have."""
    raise ClusterError(
        f"--cluster: node {node} does not reach {path} as this machine does; share it under the same path on every node"
    )


def _task() -> Callable[..., tuple[str, str, Any]]:
    """What Ray calls on a machine: sent as it is written, for the machine may lack the package that it is from."""

    def run(version: str, how: tuple[Any, ...], stored: list[Any]) -> tuple[str, str, Any]:
        import platform

        import ray

        def loaded(reference: Any) -> Any:
            try:
                return ray.get(reference)
            except ray.exceptions.RaySystemError as error:  # what it says of anything that cannot be made anew
                if isinstance(error.client_exc, ImportError):
                    raise error.client_exc from None
                raise

        node = f"{platform.node()} ({ray.util.get_node_ip_address()})"
        try:
            from mien.version import __version__ as own

            if own != version:
                return "other", node, own
            from mien.cluster.on_node import Task, Threads, done_here

            name, each, blas, needs, start = how
            task = Task(name, Threads(each, blas), needs, start)
            kind, value = done_here(task, lambda: loaded(stored[0]), lambda: loaded(stored[1]))
        except ImportError as error:  # of mien, or of what the work needs besides, as PyTorch
            return "lacks", node, str(error)
        return kind, node, value

    return run
