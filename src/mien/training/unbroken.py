"""What keeps a training that is stopped in order: checkpoints that are whole, and signals that nobody swallows."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from mien.system.sums import kept_whole

__all__ = ["WholeCheckpoints", "restore_handlers", "signal_handlers"]


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it, so that a kill never leaves half of one.

    Lightning's own writes to the temporary folder and moves it, which is a copy where that is another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write all of a checkpoint, or nothing."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with kept_whole(path) as partial:
            torch.save(checkpoint, partial)


def signal_handlers() -> dict[signal.Signals, Any]:
    """What SIGINT and SIGTERM do now."""
    return {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}


def restore_handlers(handlers: Mapping[signal.Signals, Any]) -> None:
    """Have signals do what they did before Lightning took them over.

    Args:
        handlers: as ``signal_handlers`` gave them.
    """
    if threading.current_thread() is threading.main_thread():
        for each, handler in handlers.items():
            if handler is not None:  # one that was not set by Python cannot be set again
                signal.signal(each, handler)
