"""A cluster of this machine alone, which leaves nothing behind: no process, no folder, no token, however it ends."""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from mien.errors import ClusterError
from mien.system.files import open_regular
from mien.system.leftovers import undone_if_stopped
from mien.system.scratch import work_folder

__all__ = ["TOKEN", "local_cluster"]

TOKEN = secrets.token_hex(32)
"""What lets this process alone give the cluster work; Ray would keep one in the user's home."""
STORE_BYTES = 512 * 2**20
"""Memory for what tasks and results hold. What does not fit goes to the work folder."""
LONGEST = 10
"""Characters of a temporary folder's path: sockets deep in it have names of 107 characters at most."""
LOOPBACK = "127.0.0.1"
SECONDS_TO_END = 5
MOST_TOLD = 65_536
"""Bytes of what the system tells of a process; command lines may be longer."""


@contextmanager
def local_cluster() -> Iterator[None]:
    """Start Ray on this machine and connect to it; ended with the block.

    It answers on the loopback address alone, to who knows its token, and shows no dashboard.
    """
    import ray

    usual = Path(tempfile.gettempdir())
    with work_folder(usual if len(str(usual)) <= LONGEST else Path("/tmp")) as folder:
        place = folder / "r"  # Ray lets everyone write into its folder, but not into that above
        end = partial(_end, str(folder))
        with undone_if_stopped(end):
            try:
                ray.init(
                    address="local",
                    num_cpus=os.cpu_count() or 1,
                    object_store_memory=STORE_BYTES,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="critical",
                    _node_ip_address=LOOPBACK,
                    _temp_dir=str(place),
                )
                if any(node["NodeManagerAddress"] != LOOPBACK for node in ray.nodes()):
                    raise ClusterError(
                        "--cluster local: Ray was imported before, and would listen to other machines; start a new "
                        "Python, or set RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 before Ray is imported"
                    )
                yield
            finally:
                ray.shutdown()
                end()


def _end(folder: str) -> None:
    """End what belongs to the cluster in a folder at once, and wait until it is gone; without a lock that may be held.

    Ray's processes end with the one that started them, but a little later.
    """
    found = _processes(folder)
    for pid in found:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS_TO_END
    while any(map(_is_alive, found)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _processes(folder: str) -> list[int]:
    """Children of this process that were started for a folder, and all that these started, where the system tells."""
    parents = dict[int, int]()
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parents[int(place.parent.name)] = int(_told(place).rpartition(")")[2].split()[1])
    found = [pid for pid, parent in parents.items() if parent == os.getpid() and folder in _command(pid)]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _command(pid: int) -> str:
    with suppress(OSError):
        return _told(Path(f"/proc/{pid}/cmdline"))
    return ""


def _told(place: Path) -> str:
    """What the system tells of a process."""
    with open_regular(place) as file:
        return file.read(MOST_TOLD).decode("utf-8", "replace")


def _is_alive(pid: int) -> bool:
    """Whether a process is there; what is dead and has not been asked about is not."""
    with suppress(OSError):
        os.waitpid(pid, os.WNOHANG)  # a child's end is known to the system until someone asks
    with suppress(OSError, IndexError):
        return _told(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[0] not in "ZX"
    return False
