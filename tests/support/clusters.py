"""A Ray cluster of several nodes on this machine, in a process of its own that does what it is told."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OWN = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_worker_niceness": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # or 127.0.0.1 would not be taken for an address
    "PYTHONWARNINGS": "ignore",
}
SCRIPT = """
import sys
from ray.cluster_utils import Cluster

def node(**named):
    args = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"} | named
    return cluster.add_node(**args)

cluster = Cluster()
cpus, others, port = map(int, sys.argv[1:])
node(num_cpus=cpus, include_dashboard=False, **({"ray_client_server_port": port} if port else {}))
workers = [node() for _ in range(others)]
print(cluster.address, flush=True)
for line in sys.stdin:
    word, _, path = line.strip().partition(" ")
    if word == "kill":
        cluster.remove_node(workers.pop(), allow_graceful=False)
    elif word == "add":
        workers.append(node(**({"env_vars": {"PYTHONPATH": path}} if path else {})))
    print("done", flush=True)
cluster.shutdown()
"""


class Nodes:
    """The nodes; the address is known to whatever this process starts, as to commands with --cluster auto."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, order: str) -> None:
        """Have the last node killed (``kill``), or one added, by itself or with a PYTHONPATH of its own (``add``)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@contextmanager
def nodes(others: int, *, cpus: int = 1, port: int = 0) -> Iterator[Nodes]:
    """A head with so many processors, and other nodes with one each.

    Args:
        port: of clients, for ray://127.0.0.1:PORT; none without.
    """
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a short path, for sockets have short names
    before = dict(os.environ)
    os.environ.update(OWN | {"RAY_TMPDIR": folder, "HOME": folder})
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(cpus), str(others), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            os.environ["RAY_ADDRESS"] = process.stdout.readline().strip()
            yield Nodes(process)
            process.stdin.close()
            process.wait(60)
        finally:
            process.kill()  # which its nodes notice
            process.wait()
            process.stdin.close()
            process.stdout.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def below(pid: int) -> dict[int, str]:
    """The processes that a process has started, and those that these have, with their commands."""
    parents, names = dict[int, int](), dict[int, str]()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(place.name)] = int((place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            names[int(place.name)] = (place / "cmdline").read_text("utf-8", "replace")
    found = [child for child, parent in parents.items() if parent == pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return {one: names.get(one, "") for one in found}


def listening(pid: int) -> list[str]:
    """The addresses that a process, and those that it has started, listen at."""
    sockets = set[str]()
    for one in [pid, *below(pid)]:
        for place in Path(f"/proc/{one}/fd").glob("*"):
            with suppress(OSError):
                sockets.add(str(place.readlink()))
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text("ascii").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                found.append(_address(words[1].partition(":")[0]))
    return found


def _address(digits: str) -> str:
    """An address as the system's table has it, in words of four bytes from the last to the first."""
    packed = b"".join(bytes.fromhex(digits[i : i + 8])[::-1] for i in range(0, len(digits), 8))
    address = ipaddress.ip_address(packed)
    return str(getattr(address, "ipv4_mapped", None) or address)
