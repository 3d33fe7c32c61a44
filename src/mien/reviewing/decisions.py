"""The decisions of a review: a table of corrections that is written whole at every step."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.auditing.findings import as_csv
from mien.data.tables.corrections import COLUMNS, is_writable_class, read_rows, relabelled_to
from mien.errors import CorrectionsError, OutputError
from mien.reviewing.album import Photo
from mien.system.files import not_written, write_text

__all__ = ["Decision", "Decisions", "Step"]


@dataclass(frozen=True)
class Decision:
    """What to do with a photo.

    Attributes:
        kind: keep, drop or relabel; empty while nobody has decided.
        label: the class that a relabelled photo gets.
    """

    kind: str = ""
    label: str | None = None

    @property
    def action(self) -> str:
        """As the table has it."""
        return f"relabel to {self.label}" if self.kind == "relabel" else self.kind


@dataclass(frozen=True)
class Step:
    """A decision that was written: the place of its photo, and what holds of it now."""

    place: int
    decision: Decision


class Decisions:
    """The table, and what was decided in this session."""

    def __init__(self, path: Path, photos: Sequence[Photo], classes: Sequence[str], earlier: Path | None) -> None:
        """Begin a table, or go on with one; it is not written yet.

        Args:
            path: of the table.
            photos: with a finding, in the order of the table.
            earlier: a table with decisions to begin from; rows on other photos stay, behind those with a finding.

        Raises:
            CorrectionsError: if that cannot be read.
        """
        self._path, self._classes, self._lock = path, set(classes), threading.Lock()
        known = {(row["source"], row["path"]): row for row in (read_rows(earlier) if earlier else ())}
        extra = [name for row in [*known.values()][:1] for name in row if name not in COLUMNS]
        self._header = [*COLUMNS, *extra]
        self._rows = [_row(photo) for photo in photos]
        for row in self._rows:
            before = known.pop((row["source"], row["path"]), {})
            is_same = before.get("sha256") == row["sha256"]
            row |= {name: before[name] for name in ("action", *extra) if is_same and name in before}
        self._rows += known.values()
        self._lines = [self._line(row) for row in self._rows]
        self.of = [_decision(row["action"]) for row in self._rows[: len(photos)]]
        self._own = [photo.label for photo in photos]
        self._undo: list[Step] = []
        self._stamp = _stamp(path)

    @property
    def path(self) -> Path:
        """Where the table is."""
        return self._path

    @property
    def decided(self) -> int:
        """How many of the photos with a finding are decided."""
        return sum(bool(decision.kind) for decision in self.of)

    def decide(self, place: int, decision: Decision) -> Step:
        """Write a decision on the photo at a place; to give a photo the label it has is to keep it.

        Raises:
            CorrectionsError: if there is no such photo, action or class.
            OutputError: if the table cannot be written, or was changed by something else.
        """
        if not 0 <= place < len(self.of):
            raise CorrectionsError(f"there is no photo {place + 1}")
        if decision.kind not in ("keep", "drop", "relabel"):
            raise CorrectionsError(f"unknown action {decision.kind!r}")
        if decision.kind == "relabel" and decision.label not in self._classes:
            raise CorrectionsError(f"no class {decision.label!r}")
        if decision.kind == "relabel" and not is_writable_class(decision.label or ""):
            raise CorrectionsError(f"class {decision.label!r} has blanks around its name; rename it, then audit again")
        if decision.kind != "relabel" or decision.label == self._own[place]:
            decision = Decision("keep" if decision.kind == "relabel" else decision.kind)
        with self._lock:
            before = Step(place, self.of[place])
            self._write(place, decision)
            self._undo.append(before)
        return Step(place, decision)

    def undo(self) -> Step | None:
        """Take the latest decision of this session back; None where there is none."""
        with self._lock:
            if not self._undo:
                return None
            step = self._undo[-1]
            self._write(step.place, step.decision)
            self._undo.pop()
            return step

    def write(self) -> None:
        """Write the table as it is.

        Raises:
            OutputError: as ``decide`` does.
        """
        if _stamp(self._path) != self._stamp:
            raise OutputError(
                f"{self._path}: changed by another program meanwhile; close that, end this review and go on with "
                "--resume"
            )
        try:
            write_text(as_csv(self._header, ()) + "".join(self._lines), self._path)
        except OSError as error:
            raise not_written(self._path, error) from error
        self._stamp = _stamp(self._path)

    def _write(self, place: int, decision: Decision) -> None:
        """Write the table with another decision; where that fails the old one holds, in the table and here."""
        line = self._lines[place]
        self._lines[place] = self._line(self._rows[place] | {"action": decision.action})
        try:
            self.write()
        except BaseException:
            self._lines[place] = line
            raise
        self.of[place] = decision

    def _line(self, row: dict[str, str]) -> str:
        return as_csv((), [[row.get(name, "") for name in self._header]])


def _row(photo: Photo) -> dict[str, str]:
    said = {"label": photo.label, "findings": " ".join(photo.findings), "details": photo.details}
    return {"action": "", **said, "source": photo.source, "path": photo.path, "sha256": photo.sha256}


def _decision(action: str) -> Decision:
    label = relabelled_to(action)
    return Decision("relabel", label) if label is not None else Decision(action.strip().lower())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells whether a file was changed; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
