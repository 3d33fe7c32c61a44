"""Every deliberate error of mien.

    MienError                 what the user can mend; the CLI prints one line and exits 2
    ├── SourceError           a path, zip or folder that cannot serve as a set of images
    │   └── MissingColumnError   a column that was named is not there
    ├── PhotoError            what Python code handed over is no photo
    ├── CorrectionsError      a table of corrections that cannot be read, or that is of other data
    ├── AnswersError          a table of answers that cannot be read, or that is of other photos
    ├── LabelError            classes that cannot be used or matched
    ├── SplitError            too few photos to divide as asked
    ├── ConfigError           a setting out of range, or settings that contradict each other
    ├── ModelError            a file that is no mien model, or one that cannot be used here
    ├── ResultsError          results that cannot be read back
    ├── OutputError           a run folder that exists, or a place that cannot be written
    │   └── DiskError         a file that could not be written whole, as on a full disk
    ├── ClusterError          a cluster that cannot be reached, or a machine of it that cannot do the work
    ├── MissingExtraError     a part of mien that was not installed (``pip install 'mien[train]'``)
    └── WorkFailedError       the work itself failed, for instance a loss that is no number; exit 1

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = [
    "AnswersError",
    "ClusterError",
    "ConfigError",
    "CorrectionsError",
    "DiskError",
    "LabelError",
    "MienError",
    "MissingColumnError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "PhotoError",
    "ResultsError",
    "SourceError",
    "SplitError",
    "WorkFailedError",
    "said_in_python",
]


class MienError(Exception):
    """Something the user can mend. The message says what was wanted, what came, where, and what to do.

    Attributes:
        is_for_python: whether it names arguments where that for the command line names options.
    """

    exit_code = 2
    is_for_python = False

    @property
    def typed(self) -> str:
        """The message for people who type commands."""
        return super().__str__()

    def __str__(self) -> str:
        if not self.is_for_python:
            return self.typed
        from mien.python_words import in_python  # its patterns are of no use to a command that starts

        return in_python(self.typed)

    def _render_traceback_(self) -> list[str]:
        """One line in place of the traceback, which IPython asks for by this name."""
        return [f"mien: {self}"]


class SourceError(MienError):
    """A path, zip or folder cannot serve as a set of images."""


class PhotoError(MienError, TypeError, ValueError):
    """What Python code handed over is no photo; the message says which, what came and what to do.

    It is a ``TypeError`` and a ``ValueError`` too, as which NumPy and Pillow refuse such things.

    Attributes:
        refused: place in what was handed over, from 0 → the reason.
    """

    def __init__(self, message: str, refused: Mapping[int, str] | None = None) -> None:
        super().__init__(message)
        self.refused = dict(refused or {})


class MissingColumnError(SourceError):
    """A column that was named is not there.

    Attributes:
        roles: what the columns that lack were to say: path, label, group or split.
    """

    def __init__(self, message: str, roles: tuple[str, ...]) -> None:
        super().__init__(message)
        self.roles = roles


class CorrectionsError(MienError):
    """A table of corrections cannot be read, or is of other data."""


class AnswersError(MienError):
    """A table of answers cannot be read, or is of other photos."""


class LabelError(MienError):
    """Classes cannot be used or matched."""


class SplitError(MienError):
    """There are too few photos to divide them as asked."""


class ConfigError(MienError):
    """A setting is out of range, or settings contradict each other."""


class ModelError(MienError):
    """A file is no mien model, or it cannot be used here."""


class ResultsError(MienError):
    """Results are damaged, of another version, or not there."""


class OutputError(MienError):
    """A run folder exists already, or a place cannot be written."""


class DiskError(OutputError, OSError):
    """A file could not be written whole: the disk is full, the folder is gone, or a limit is reached."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno, self.strerror = errno, message

    @property
    def typed(self) -> str:
        """The message alone, without the number."""
        return str(self.args[0])


class ClusterError(MienError):
    """A cluster cannot be reached, or a machine of it cannot do the work."""


class MissingExtraError(MienError):
    """A part of mien was not installed."""


class WorkFailedError(MienError):
    """The work itself failed although the input was in order."""

    exit_code = 1


@contextmanager
def said_in_python() -> Iterator[None]:
    """Errors that come out of the block, or of a function that this decorates, name arguments and not options."""
    try:
        yield
    except MienError as error:
        error.is_for_python = True
        raise
