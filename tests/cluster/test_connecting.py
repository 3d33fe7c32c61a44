"""``--cluster`` where there is nothing to connect to, and what a worker checks before it works."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

from mien.cluster import executor
from mien.cluster.connecting import connected, on_cluster
from mien.cluster.on_node import Reached, Task, Threads, done_here
from mien.data.reading.processes import has_cluster, spread, workers
from mien.errors import ClusterError, ConfigError, MissingColumnError, MissingExtraError, SourceError
from mien.progress import Silent
from mien.settings.by_name import made
from mien.settings.compare import CompareSettings
from mien.settings.study import StudySettings
from mien.settings.workers import Workers
from mien.system.threads import share_cores, threads_here
from mien.version import __version__
from support.outcomes import Outcome

Mien = Callable[..., Outcome]
THREADS = Threads(1, 1)


@pytest.fixture
def own_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a task sets is set back."""
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    yield
    share_cores(0)


def refuse() -> None:
    raise MissingColumnError("no column", ("label",))


@pytest.mark.parametrize("address", ["", "LOCAL", "10.0.0.1", "10.0.0.1:6379", "ray://", "ray://host", "ray://h:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="local, auto") as refused:
        Workers(cluster=address)
    assert f"--cluster {address}" in str(refused.value)


@pytest.mark.parametrize("address", [None, "local", "auto", "ray://head-node:10001", "ray://[::1]:10001"])
def test_what_is_an_address_is_taken(address: str | None) -> None:
    assert Workers(cluster=address).cluster == address


@pytest.mark.parametrize("kind", [CompareSettings, StudySettings])
def test_a_budget_of_time_is_refused_where_machines_differ(kind: type[object]) -> None:
    several: dict[str, object] = {"arms": ("augment=none", "augment=notebook")} if kind is CompareSettings else {}
    asked: dict[str, object] = {"data": ("demo",), "cluster": "auto", "seconds": 5.0, "folds": 3} | several
    with pytest.raises(ConfigError, match="--seconds"):
        made(kind, **asked)
    made(kind, **asked | {"seconds": None, "epochs": 3})
    made(kind, **asked | {"cluster": None})


@pytest.mark.parametrize("command", ["audit", "study", "train", "compare", "evaluate", "predict"])
def test_every_command_refuses_a_wrong_address_before_it_begins(mien: Mien, tmp_path: Path, command: str) -> None:
    model = ["default"] if command == "evaluate" else []
    arms = ["--arm", "augment=none", "--arm", "augment=notebook"] if command == "compare" else []
    outcome = mien(command, *model, "demo", *arms, "--cluster", "elsewhere")
    assert outcome.code == 2
    assert "--cluster elsewhere" in outcome.complaint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["audit", "study", "predict"])
def test_without_ray_one_line_says_what_to_install(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    before = [name for name in os.environ if "RAY" in name]
    outcome = mien(command, "demo", "--cluster", "local")
    assert outcome.code == MissingExtraError.exit_code
    assert "pip install 'mien[cluster]'" in outcome.complaint
    assert not list(tmp_path.iterdir())
    assert [name for name in os.environ if "RAY" in name] == before


@pytest.mark.heavy
@pytest.mark.parametrize("place", ["ray._raylet.Config", "ray._private.worker.connect", "ray.init"])
def test_a_ray_whose_insides_are_others_is_told_of_in_one_line(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        def initialize(self) -> None:
            """Takes no settings, as in no version so far."""

        __call__ = initialize

    monkeypatch.setattr(place, Other())
    with pytest.raises(ClusterError, match=r"^--cluster local: no cluster that can be used") as told:
        on_cluster("local", Silent()).__enter__()
    assert "\n" not in str(told.value)
    assert connected() is None


def test_without_a_cluster_work_is_done_here() -> None:
    with on_cluster(None, Silent()):
        assert connected() is None
        assert not has_cluster()
        assert workers(3) == 3
        taken = []
        results = spread(lambda x: (x, os.getpid()), iter(range(3)), threads=1)
        taken.append(next(results))
        assert [*taken, *results] == [(x, os.getpid()) for x in range(3)]


@pytest.mark.usefixtures("own_threads")
def test_a_worker_sees_whether_what_it_needs_is_there_and_the_same(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"12345")
    folder, nothing = str(tmp_path), str(tmp_path / "not")
    cases: list[tuple[list[Reached], tuple[str, object]]] = [
        ([(str(model), 5), (folder, None)], ("done", 2)),
        ([(str(model), 6)], ("unreached", str(model))),
        ([(folder, None), (nothing, None)], ("unreached", nothing)),
    ]
    for needs, expected in cases:
        task = Task("len", THREADS, needs, str(Path.cwd()))
        assert done_here(task, lambda: len, lambda: ("ab",)) == expected


@pytest.mark.usefixtures("own_threads")
def test_a_task_uses_the_threads_it_is_given() -> None:
    def used() -> tuple[str | None, int]:
        return os.environ.get("OMP_NUM_THREADS"), threads_here()

    for threads, expected in [(Threads(3, 7), ("3", 3)), (Threads(1, 1), ("1", 1))]:
        task = Task(f"used-{threads.each}", threads, (), str(Path.cwd()))
        assert done_here(task, lambda: used, tuple) == ("done", expected)


@pytest.mark.usefixtures("own_threads")
def test_a_node_that_lacks_a_library_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the work cannot even be loaded without it, or asks for it when it is done."""
    lacking = ModuleNotFoundError("No module named 'torch'")

    def trains() -> None:
        raise lacking

    def cannot_be_loaded(reference: object) -> object:
        raise ray.exceptions.RaySystemError(lacking, "Traceback: many lines")

    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "10.0.0.7")
    for get in (cannot_be_loaded, {"function": trains, "arguments": ()}.get):
        monkeypatch.setattr(ray, "get", get)
        how = (f"lacking-{get}", 1, 1, (), str(Path.cwd()))
        kind, node, said = executor._task()(__version__, how, ["function", "arguments"])
        assert (kind, "10.0.0.7" in node, said) == ("lacks", True, str(lacking))


@pytest.mark.usefixtures("own_threads")
def test_a_deliberate_error_comes_back_as_one_that_can_be_sent() -> None:
    """Some cannot be pickled, for what they are made of is not their message alone."""
    kind, error = done_here(Task("refuse", THREADS, (), str(Path.cwd())), lambda: refuse, tuple)
    assert kind == "failed"
    sent = pickle.loads(pickle.dumps(error))
    assert str(sent) == "no column"
    assert sent.exit_code == SourceError.exit_code
