"""What every source comes to: files with labels that can be read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, Literal

from mien.errors import ConfigError, SourceError
from mien.system.addresses import is_address
from mien.system.files import open_regular
from mien.system.paths import shown, user_path, why_no_file
from mien.system.streams import escaped

if TYPE_CHECKING:
    import polars as pl

    from mien.data.sources.store import Store

__all__ = [
    "NOT_GIVEN",
    "OWN",
    "RATERS",
    "ROW",
    "VOTES",
    "Source",
    "SourceFile",
    "Tables",
    "check_is_here",
    "existing_path",
    "is_parquet",
    "printable",
    "system_file",
]

NOT_GIVEN = ("nan", "na", "n/a", "#n/a", "<na>", "null")
"""What programs write into a cell that has no value, in lower case."""
OWN = "own."
"""Before the name of a column of the user's, where it travels on with the photos."""
ROW = "mien_row"
"""A column of mien's beside those of a table that lay in memory: which of the caller's rows each is, from 0. Messages
leave it out."""
VOTES = "votes."
"""Before the name of a class that raters voted for, likewise."""
RATERS = "raters."
"""Before the name of a rater whose own classes are known, likewise."""
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: printable path inside the source, with ``/``.
        location: what the source needs to read it; differs from ``path`` for names that are not UTF-8.
        label: class folder, or the label in a table, or None.
        split: ``train``, ``val`` or ``test`` where the source came divided, else None.
        ignored: why the file takes no part, or None.
        group: what must not be divided, for instance a person, as folders or a column say it, or None.
    """

    path: str
    location: str
    label: str | None = None
    split: str | None = None
    ignored: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Source:
    """A set of files that can be read one at a time, from several threads.

    Attributes:
        folder: where its paths start on this machine; None in an archive or a store.
        store: where its paths start in a store; None elsewhere.
        notes: how it was read, for a person to see before work starts.
        opened: opens a file that lies as it is on this machine, to be read piece by piece; None where files are taken
            out of something else.
        group_kind: what its groups are.
        roles: path, label, group or split → the column of a table that says it; none where no table does.
        own: a row for each of the files, with the columns of a table that play no role (``own.NAME``, text), votes
            (``votes.CLASS``, Float64) and what each rater said (``raters.NAME``, text); None where there are none.
    """

    name: str
    spec: str
    files: tuple[SourceFile, ...]
    read: Callable[[SourceFile], bytes]
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    own: pl.DataFrame | None = None
    opened: Callable[[SourceFile], BinaryIO] | None = None
    group_kind: Literal["people", "groups"] = "people"
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
    store: Store | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the files that take part, sorted by name."""
        return tuple(sorted({f.label for f in self.files if f.label is not None and f.ignored is None}))

    @property
    def groups(self) -> int:
        """Distinct groups of the files that take part."""
        return len({f.group for f in self.files if f.group is not None and f.ignored is None})

    @property
    def is_divided(self) -> bool:
        """Whether the source came divided into train and validation or test."""
        return any(f.split is not None for f in self.files)


@dataclass(frozen=True)
class Tables:
    """Tables that are read as one.

    Attributes:
        root: the folder that paths of files are given from; inside the store where there is one.
        files: the tables, relative to ``root``, with ``/``.
        part: the split that alone is wanted, or nothing.
        top: the folder that was given, where the tables are in one below it.
        confined: whether rows may name only files below ``root``, as those of a downloaded set may.
        store: what the tables, and the photos that they name, are in; None on this machine.
        copy: the one table on this machine, where it was fetched already.
    """

    name: str
    spec: str
    root: PurePath
    files: tuple[str, ...]
    part: str = ""
    confined: bool = False
    top: PurePath | None = None
    store: Store | None = None
    copy: Path | None = None

    def here(self, file: str) -> Path:
        """One of the tables as a file on this machine."""
        if self.copy is not None:
            return self.copy
        return Path(self.root / file) if self.store is None else self.store.fetched((self.root / file).as_posix())


def existing_path(given: str | Path) -> Path | None:
    """The path of a file or folder that there is, ``~`` put out; None where there is none, or no such name can be.

    An empty name is none, though ``Path`` takes it for the current folder.
    """
    try:
        path = user_path(given)
        return path if path.exists() else None
    except (OSError, ValueError, ConfigError):  # a name too long, or none that a file could have
        return None


def check_is_here(spec: str) -> None:
    """Refuse what names nothing here and in no store by what it is: nothing at all, a web page of a set, a camera.

    Args:
        spec: a path, which may be followed by ``::part``.

    Raises:
        SourceError: with what to do.
    """
    path = spec.partition("::")[0]
    if is_address(path):
        return
    if existing_path(spec) is None and existing_path(path) is None and (why := why_no_file(path)):
        raise SourceError(f"{shown(spec)}: {why}")


def printable(name: bytes) -> str:
    """A file's name for people: bytes that are not UTF-8, and characters that would act on a terminal, are escaped."""
    return escaped(name.decode("utf-8", "backslashreplace"))


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    try:
        with open_regular(path) as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False


def system_file(path: str) -> str | None:
    """Why a path is left out as hidden or as a system's own, or None."""
    parts = path.lower().split("/")
    if any(part in SYSTEM_FILES for part in parts) or any(part.startswith(".") for part in parts):
        return "hidden or system file"
    return None
