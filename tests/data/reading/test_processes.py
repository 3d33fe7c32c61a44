"""Processes that work side by side."""

from __future__ import annotations

import os
import time

import pytest

from mien.data.reading.processes import processes

KEPT: list[bytearray] = []


def grow(size: int) -> int:
    """Take memory and keep it, as whoever loads PyTorch does."""
    KEPT.append(bytearray(os.urandom(1)) * size)
    return os.getpid()


@pytest.mark.heavy
def test_a_worker_that_has_grown_is_kept() -> None:
    """loky measures workers where psutil is installed, once a second."""
    pytest.importorskip("psutil")
    with processes(1, "") as pool:
        first = pool.submit(grow, 1).result()
        time.sleep(1.1)
        grown = pool.submit(grow, 350 * 2**20).result()
        time.sleep(1.1)
        assert pool.submit(grow, 1).result() == grown == first
