"""Results are read back as what they were written as."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mien.errors import ConfigError, ResultsError, said_in_python
from mien.results.adaptation import AdaptResults
from mien.results.commands import AuditResults, ClassMapResults, EvaluateResults, ExportResults, PairedResults
from mien.results.comparison import CompareResults
from mien.results.document import READABLE
from mien.results.outline import OutlineResults
from mien.results.study import StudyResults, TrainResults
from mien.system.files import read_file, why
from mien.system.paths import user_path

__all__ = ["DOCUMENTS", "AnyResults", "open_results"]

AnyResults = (
    StudyResults
    | TrainResults
    | AuditResults
    | EvaluateResults
    | PairedResults
    | ClassMapResults
    | CompareResults
    | AdaptResults
    | ExportResults
    | OutlineResults
)
DOCUMENTS = (
    StudyResults,
    TrainResults,
    CompareResults,
    AdaptResults,
    AuditResults,
    EvaluateResults,
    PairedResults,
    ClassMapResults,
    ExportResults,
    OutlineResults,
)
"""Every kind of results, in the order in which they are documented."""


class _Header(msgspec.Struct):
    """What tells versions apart; the other keys are not looked at."""

    schema_version: int | None = None
    mien: str | None = None


@said_in_python()
def open_results(path: str | Path) -> AnyResults:
    """Read the results of a command: the ``results.json`` of a folder, or a file that ``--json`` was saved to.

    Args:
        path: a folder that a command wrote, or the file itself.

    Returns:
        The typed results, as the command had them.

    Raises:
        ResultsError: if there are none, or if they are damaged or of another version of mien.
    """
    try:
        file = user_path(path, "results")
        file = file / "results.json" if file.is_dir() else file
        content = read_file(file)
    except ConfigError as error:
        raise ResultsError(str(error)) from error
    except ValueError as error:
        raise ResultsError(f"{path}: no file can have this name") from error
    except OSError as error:
        raise ResultsError(f"{file}: cannot be read ({why(error)}); give a folder that mien has finished") from error
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.schema_version not in READABLE:
            raise ResultsError(
                f"{file}: written by mien {header.mien or 'of unknown version'}, whose results this version does not "
                "read; run the command again"
            )
        found: AnyResults = msgspec.json.decode(content, type=AnyResults)
    except (msgspec.MsgspecError, ConfigError, UnicodeDecodeError, RecursionError) as error:
        raise ResultsError(f"{file}: no results of mien that can be read ({error})") from error
    return found
