"""How many threads a process may use that shares the cores with others, for libraries that no variable tells."""

from __future__ import annotations

__all__ = ["share_cores", "threads_here"]

_of_this_process: list[int] = []


def threads_here() -> int:
    """Threads that a library is to use which does not ask the environment; 0 where it may decide by itself."""
    return _of_this_process[0] if _of_this_process else 0


def share_cores(threads: int) -> None:
    """Keep this process to so many threads from here on; 0 for as many as its libraries like."""
    _of_this_process[:] = [threads]
