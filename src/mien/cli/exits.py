"""How a command ends: a result printed, or one line that says what was wrong, and an exit code.

Exit codes: 0 done; 1 the work found a failure (for ``predict``: a file that could not be read); 2 something the
user can mend; 128 and the signal's number where one ended it: 130 Ctrl-C, 143 SIGTERM, 129 a terminal that was closed.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

from mien.errors import MienError
from mien.system.leftovers import system_error
from mien.system.signals import interrupted, one_line
from mien.system.streams import as_data, draws_bars

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mien.results.document import Document

__all__ = ["finish", "plain_ending"]

MENDED_BY = {
    errno.ENOSPC: "; make room, and go on with --resume where the command has it",
    errno.EFBIG: "; this shell limits the size of files (ulimit -f): raise that",
    errno.EMFILE: "; this shell limits the number of open files (ulimit -n): raise that",
    errno.ENFILE: "; the machine has no file handle left: close other programs",
    errno.ENOENT: "; was it removed or renamed while the command worked?",
}
"""What to do about errors of the system that nothing nearer to them has told."""

D = TypeVar("D", bound="Document")


@contextmanager
def plain_ending() -> Iterator[None]:
    """Turn what a user can mend into one line and an exit code; anything else is a bug, with its traceback."""
    from cyclopts import CycloptsError  # here, for signals are listened to before it is imported

    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except MienError as error:
        _fail(error.typed, error.exit_code)
    except CycloptsError as error:
        from mien.cli.complaints import complaint

        _fail(complaint(error), 2)
    except KeyboardInterrupt:
        _fail(interrupted(signal.SIGINT), 128 + signal.SIGINT)
    except MemoryError:
        _fail("memory is short; close other programs, or give fewer photos or --jobs", 1)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.exit(1)
    except Exception as error:
        found = system_error(error)
        if found is None:
            raise
        _fail(_of_system(found), 2)


def _of_system(error: OSError) -> str:
    """What the system refused, and to do about it."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    what = f"{' → '.join(names)}: " if names else ""
    return f"{what}{error.strerror or error}{MENDED_BY.get(error.errno or 0, '')}"


def finish(results: D, summary: Callable[[D], RenderableType], *, json: bool) -> None:
    """Print results, as one JSON object or as a summary for people."""
    if json:
        from mien.results.document import encode

        print(as_data(encode(results)))
        return
    from rich.console import Console

    from mien.results.document import printable

    # In a notebook stdout is said to be a terminal, and rich would mark what is bold for one.
    as_terminal = None if draws_bars(sys.stdout) or not sys.stdout.isatty() else False
    Console(force_terminal=as_terminal).print(summary(printable(results)))


def _fail(message: str, code: int) -> NoReturn:
    print(one_line(message), end="", file=sys.stderr)
    sys.exit(code)
