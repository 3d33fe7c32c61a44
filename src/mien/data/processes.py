"""Work in processes of their own, for what waits in threads for Python's lock more than it works."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from mien.errors import WorkFailedError

__all__ = ["processes"]


@contextmanager
def processes(count: int, advice: str) -> Iterator[Executor]:
    """Processes that share the cores, and that end with the context.

    loky's, since Python's own would run the script of a caller again that has no guard of its main part.

    Args:
        advice: what to do where one of them is ended from outside.

    Raises:
        WorkFailedError: where that happens.
    """
    from loky import ProcessPoolExecutor  # here, for nothing else needs it
    from loky.process_executor import TerminatedWorkerError

    # A worker that has grown is replaced; nobody needs to be told.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    share = str(max(1, (os.cpu_count() or 1) // count))
    cores = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", share), "OMP_WAIT_POLICY": "PASSIVE"}
    pool = ProcessPoolExecutor(count, env=cores)
    try:
        yield pool
        pool.shutdown()
    except TerminatedWorkerError as error:
        raise WorkFailedError(f"a process was ended from outside; is memory short? {advice}") from error
    finally:
        pool.shutdown(kill_workers=True)  # what was under way when something failed is not waited for
