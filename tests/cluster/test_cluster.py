"""``--cluster``: the numbers are those of one machine, whatever dies on the way, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from support.clusters import Nodes, below, nodes
from support.outcomes import Outcome, numbers, strict_json
from support.processes import are_gone, begin, run, start

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

SECONDS = 600
TRAINED = ("--size", "32", "--precision", "fp32", "--device", "cpu")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


PORT = free_port()


@pytest.fixture(scope="module", autouse=True)
def ray_starts() -> None:
    """Nothing of mien is tested where Ray by itself starts no cluster, as without shared memory."""
    code = "import ray; ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20)"
    env = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    started = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=SECONDS)
    if started.returncode:
        pytest.skip(f"Ray starts no cluster on this machine: {started.stderr.strip().rpartition(chr(10))[2]}")


@pytest.fixture(scope="module")
def three() -> Iterator[Nodes]:
    """Three nodes with a processor each, of which the first also listens to clients."""
    with nodes(2, port=PORT) as found:
        yield found


@pytest.fixture(scope="module")
def set_of_photos(tmp_path_factory: pytest.TempPathFactory, small_set: Path) -> Path:
    """The drawn set under a path that no other test has."""
    return Path(shutil.copytree(small_set, tmp_path_factory.mktemp("clustered") / "faces"))


def done(cwd: Path, *argv: object) -> Outcome:
    outcome = run(cwd, *argv, seconds=SECONDS)
    assert outcome.code == 0, outcome.err
    return outcome


def found(results: Any) -> Any:
    """Results but for where they were computed."""
    plain = numbers(results)
    return {k: {n: v for n, v in v.items() if n != "workers"} if k == "config" else v for k, v in plain.items()}


def stored(folder: Path) -> Any:
    return found(strict_json((folder / "results.json").read_text(encoding="utf-8")))


def test_an_audit_finds_the_same(three: Nodes, tmp_path: Path, set_of_photos: Path) -> None:
    asked = ("audit", set_of_photos, "--json", "--check-labels")
    here = done(tmp_path, *asked, "--out", "here.csv")
    there = done(tmp_path, *asked, "--out", "there.csv", "--cluster", "auto")
    assert found(there.json) == found(here.json)
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert "3 nodes with 3 processors" in there.err
    assert "[" not in there.err, "Ray wrote to the terminal"


def test_a_model_is_judged_the_same(three: Nodes, tmp_path: Path, set_of_photos: Path) -> None:
    asked = ("evaluate", "default", set_of_photos, "--json")
    here, there = done(tmp_path, *asked), done(tmp_path, *asked, "--cluster", "auto")
    assert found(there.json) == found(here.json)


@pytest.mark.parametrize("address", ["auto", f"ray://127.0.0.1:{PORT}"], ids=["auto", "client"])
def test_answers_are_the_same_rows(three: Nodes, tmp_path: Path, set_of_photos: Path, address: str) -> None:
    whole = shutil.make_archive(str(tmp_path / "again"), "zip", set_of_photos)  # whose photos workers cannot read
    asked = ("predict", set_of_photos, whole, "--faces", "all", "--out")
    here, there = (
        run(tmp_path, *asked, "here", seconds=SECONDS),
        run(tmp_path, *asked, "there", "--cluster", address, seconds=SECONDS),
    )
    assert here.code == there.code == 1, there.err  # the set has photos that cannot be read
    rows = [pl.read_parquet(tmp_path / name / "part-000000.parquet") for name in ("here", "there")]
    assert rows[1].equals(rows[0])
    assert len(rows[0]) > 120
    summaries = [(tmp_path / name / "summary.json").read_text() for name in ("here", "there")]
    assert summaries[0] == summaries[1]


def test_folds_are_answered_the_same(three: Nodes, tmp_path: Path, set_of_photos: Path) -> None:
    asked = ("study", set_of_photos, "--folds", 3, "--recipe", "scratch", "--recipe", "probe", "--epochs", 2, *TRAINED)
    done(tmp_path, *asked, "--no-check-labels", "--out", "here")
    done(tmp_path, *asked, "--no-check-labels", "--out", "there", "--cluster", "auto")
    assert stored(tmp_path / "there") == stored(tmp_path / "here")
    for name in ("predictions.parquet", "manifest.parquet", "runs/probe/predictions.parquet"):
        assert pl.read_parquet(tmp_path / "there" / name).equals(pl.read_parquet(tmp_path / "here" / name)), name


def test_runs_of_a_comparison_are_the_same_though_a_node_dies(
    three: Nodes, tmp_path: Path, set_of_photos: Path
) -> None:
    asked = ("compare", set_of_photos, "--arm", "augment=none", "--arm", "augment=notebook", "--pairs", 2, "--folds", 2)
    budget = ("--epochs", 24, "--jobs", 1, *TRAINED)
    process = start(tmp_path, *asked, *budget, "--out", "there", "--cluster", "auto")
    deadline = time.monotonic() + SECONDS
    while len(list(tmp_path.glob("there/runs/*/history.csv"))) < 3:  # each node trains one
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    three.tell("kill")
    assert not list(tmp_path.glob("there/runs/*/cost.json")), "a run had ended before; train longer"
    _, err = process.communicate(timeout=SECONDS)
    three.tell("add")
    assert process.returncode == 0, err
    done(tmp_path, *asked, *budget, "--out", "here")
    keys = sorted(place.name for place in (tmp_path / "here" / "runs").iterdir())
    assert keys == sorted(place.name for place in (tmp_path / "there" / "runs").iterdir())
    assert len(keys) == 4
    for key in keys:
        one, other = (pl.read_parquet(tmp_path / name / "runs" / key / "predictions.parquet") for name in HERE_THERE)
        assert one.equals(other), key
    again = run(
        tmp_path, *asked, *budget, "--out", "there", "--resume"
    )  # without the cluster: every run is found by its hash
    assert again.code == 0, again.err
    assert sorted(place.name for place in (tmp_path / "there" / "runs").iterdir()) == keys


HERE_THERE = ("here", "there")
FAKES = {
    "import sys; raise ModuleNotFoundError(\"No module named 'mien'\", name='mien')": "no mien that it can load",
    "": "mien 0.0.1",
}


def test_a_node_without_the_package_or_with_another_is_told_of(tmp_path: Path, set_of_photos: Path) -> None:
    with nodes(0, cpus=0) as found_nodes:
        for i, (code, said) in enumerate(FAKES.items()):
            fake = tmp_path / str(i) / "mien"
            fake.mkdir(parents=True)
            (fake / "__init__.py").write_text(code)
            (fake / "version.py").write_text("__version__ = '0.0.1'")
            found_nodes.tell(f"add {fake.parent}")
            outcome = run(tmp_path, "audit", set_of_photos, "--cluster", "auto", seconds=SECONDS)
            found_nodes.tell("kill")
            assert outcome.code == 2
            assert said in outcome.complaint
            assert "127.0.0.1" in outcome.complaint


UNREACHED = """
from pathlib import Path
from mien.cluster.connecting import on_cluster
from mien.data.reading.intake import inspect_files
from mien.data.reading.processes import spread
from mien.data.sources.files import Source, SourceFile
from mien.errors import ClusterError
from mien.progress import Silent

own = os.getpid()
def read(file):
    if os.getpid() != own:
        raise FileNotFoundError(2, "No such file or directory")
    return b"no picture"

def gone(file):
    raise FileNotFoundError(2, "No such file or directory")

files = tuple(SourceFile(f"a/{i}.jpg", f"a/{i}.jpg", "a") for i in range(3))
with on_cluster("auto", Silent()):
    try:
        list(inspect_files(Source("photos", "photos", files, read, Path("/tmp")), files, (), None))
    except ClusterError as error:
        print(error)
    print([each.row["reason"] for each in inspect_files(Source("photos", "photos", files, gone), files, (), None)])
    sys.argv[1] and Path(sys.argv[1]).write_text("here")
    tasks = spread(len, iter(["ab"] * 100), threads=1, needs=[Path(sys.argv[1])])
    print(next(tasks))
    Path(sys.argv[1]).write_text("another")
    try:
        print(list(tasks))
    except ClusterError as error:
        print(error)
"""


def test_a_photo_that_a_node_does_not_reach_is_no_photo_that_cannot_be_read(three: Nodes, tmp_path: Path) -> None:
    """A node that lacks the folder must not make a set of unreadable photos."""
    process = begin(UNREACHED, tmp_path / "model.onnx")
    out, err = process.communicate(timeout=SECONDS)
    first, reasons, one, last = out.splitlines()
    assert "/tmp/a/0.jpg" in first, err
    assert "node" in first
    assert reasons == str(["No such file or directory"] * 3)  # neither here nor there
    assert one == "2"
    assert str(tmp_path / "model.onnx") in last


LISTENING = """
import json
from mien.cluster.connecting import on_cluster
from mien.progress import Silent

before = dict(os.environ)
with on_cluster("local", Silent()):
    import ray
    from support.clusters import listening
    folder = ray._private.worker._global_node.get_session_dir_path()
    mode = os.stat(os.path.dirname(os.path.dirname(folder))).st_mode & 0o777
    print(json.dumps([folder, listening(os.getpid()), mode]))
assert dict(os.environ) == before
"""


def test_a_local_cluster_listens_to_this_machine_alone_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    process = begin(LISTENING)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    folder, addresses, mode = strict_json(out)
    assert len(addresses) > 3
    assert {address for address in addresses if not address.startswith("127.")} == set()
    assert not Path(folder).parent.parent.exists()
    assert mode == 0o700
    assert not (tmp_path / ".ray").exists()


def test_ctrl_c_ends_all_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, "audit", "demo", "--cluster", "local")
    deadline = time.monotonic() + SECONDS
    while not (started := workers_of(process.pid)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    outcome = Outcome(process.returncode, out, err)
    assert outcome.code == 130
    assert "interrupted" in outcome.complaint
    assert are_gone(started, 1)
    assert not list(Path("/tmp").glob(f"mien-{process.pid}-*"))


def workers_of(pid: int) -> list[int]:
    """Ray's processes below a process, once a worker is among them."""
    started = below(pid)
    return list(started) if any(name.startswith("ray::run") for name in started.values()) else []
