"""The ``mien`` command, which listens to signals before it imports anything that takes time."""

from __future__ import annotations

import gc

from mien.system.signals import ended_by_signals

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``mien`` command, and of ``python -m mien``."""
    with ended_by_signals(for_good=True):
        from mien import cli

        try:
            cli.main()
        finally:
            gc.freeze()  # nothing is searched for garbage at the end, which takes a tenth of an answer for one photo


if __name__ == "__main__":
    main()
