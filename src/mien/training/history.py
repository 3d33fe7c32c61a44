"""What happened in each epoch of a training."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from mien.errors import OutputError
from mien.system.files import MAX_FILE_BYTES, read_text
from mien.system.sums import kept_whole

__all__ = ["COLUMNS", "History", "read_history"]

COLUMNS = (
    "epoch",
    "updates",  # optimiser steps so far
    "seconds",  # of this epoch, validation included
    "learning_rate",
    "train_loss",
    "train_accuracy",  # on augmented photos, with dropout, while the weights change
    "train_macro_f1",
    "val_loss",
    "val_accuracy",
    "val_macro_f1",
)


class History:
    """The rows of ``history.csv``, and which of them is the best so far."""

    def __init__(self, monitor: str, rows: Sequence[Mapping[str, float]] = ()) -> None:
        self._monitor = monitor
        self.rows: list[dict[str, float]] = [dict(row) for row in rows]
        self._taken = len(self.rows)

    def add(
        self,
        *,
        epoch: int,
        updates: int,
        seconds: float,
        learning_rate: float,
        train: Mapping[str, float],
        val: Mapping[str, float],
    ) -> None:
        """Append an epoch; ``train`` and ``val`` hold loss, accuracy and macro_f1."""
        row: dict[str, float] = {"epoch": epoch, "updates": updates, "seconds": seconds, "learning_rate": learning_rate}
        row |= {f"train_{name}": value for name, value in train.items()}
        row |= {f"val_{name}": value for name, value in val.items()}
        self.rows.append(row)

    @property
    def epochs_since_best(self) -> int:
        """Epochs after the first one with the highest monitored score."""
        if not self.rows:
            return 0
        scores = [row[f"val_{self._monitor}"] for row in self.rows]
        return len(scores) - 1 - scores.index(max(scores))

    @property
    def seconds(self) -> float:
        """Seconds spent so far."""
        return sum(row["seconds"] for row in self.rows)

    def take_new(self) -> list[dict[str, float]]:
        """The rows added since the last call."""
        new = self.rows[self._taken :]
        self._taken = len(self.rows)
        return new

    def write(self, path: Path) -> None:
        """Write the table, whole or not at all."""
        with kept_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a ``history.csv``; none if there is no such file.

    Raises:
        OutputError: if it holds no such rows.
    """
    if not path.exists():
        return []
    try:
        rows = csv.DictReader(io.StringIO(read_text(path, MAX_FILE_BYTES)))
        return [{name: float(row[name]) for name in COLUMNS} for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise OutputError(
            f"{path}: no history that can be read ({error}); remove {path.parent}, and --resume trains this run again"
        ) from error
