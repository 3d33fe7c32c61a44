"""Standard input, output and error: whatever their encoding and wherever they lead, no work is lost to them.

They are made safe once, before a command begins: a character that an encoding lacks is spelt out, what is closed is
opened to nothing, and an error of stderr ends nothing. An error of stdout is one line.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from mien.errors import OutputError, SourceError

__all__ = ["as_data", "draws_bars", "escaped", "listed_lines", "open_safely"]

FOR_PEOPLE, FOR_PROGRAMS = "mien-for-people", "mien-for-programs"
"""Names of the ways to spell out what an encoding lacks."""
IN_ASCII = {
    "→": "->", "←": "<-", "…": "...", "—": "-", "–": "-", "−": "-", "×": "x", "′": "'", "≤": "<=", "≥": ">=", "≈": "~",
    "±": "+-", "·": "-", "•": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "█": "#", "━": "-", "─": "-", "│": "|",
}  # fmt: skip  # one a line would take a page
"""What mien's own sentences and tables hold beyond ASCII."""
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def open_safely() -> None:
    """Make the three streams of this process safe; a second call changes nothing."""
    _open_closed()
    for name, spell in ((FOR_PEOPLE, _for_people), (FOR_PROGRAMS, _for_programs)):
        codecs.register_error(name, spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=FOR_PEOPLE)
    if not isinstance(sys.stdout, _Told):
        sys.stdout = cast(TextIO, _Told(sys.stdout))  # all that is used of a stream
    if not isinstance(sys.stderr, _Unheard):
        sys.stderr = cast(TextIO, _Unheard(sys.stderr))


def as_data(text: str) -> str:
    """Text for programs, as stdout can take it: what its encoding lacks is spelt as in JSON, ``\\u2192``."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, FOR_PROGRAMS).decode(encoding)
    except LookupError:  # streams that were not made safe, as in a program that calls this
        return text


def escaped(text: str) -> str:
    """A text with what would act on a terminal or end a line, and bytes that are no text, as Python writes them."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _in_python(c) for c in text)


def draws_bars(stream: TextIO) -> bool:
    """Whether a stream leads to a terminal that can move its cursor; the output of a notebook's cell cannot."""
    is_terminal = stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return is_terminal and "JPY_PARENT_PID" not in os.environ  # which Jupyter sets for all that a notebook starts


def listed_lines() -> TextIO:
    """Standard input as lines of names: Unicode by its mark, else bytes as the system has them in names of files.

    Raises:
        SourceError: if it is closed.
    """
    stream = sys.stdin
    if stream is None or stream.closed:
        raise SourceError("standard input: closed; give one path a line, as in: ls *.jpg | mien predict -")
    if isinstance(stream, io.TextIOWrapper):
        peek = getattr(stream.buffer, "peek", lambda n: b"")
        start = peek(4)[:4]
        encoding = next((name for mark, name in MARKS if start.startswith(mark)), sys.getfilesystemencoding())
        stream.reconfigure(encoding=encoding, errors="surrogateescape")
    return stream


def _in_python(character: str) -> str:
    byte = ord(character) - 0xDC00  # of a name that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else ascii(character)[1:-1]


def _for_people(error: UnicodeError) -> tuple[str | bytes, int]:
    return _spelt(error, IN_ASCII)


def _for_programs(error: UnicodeError) -> tuple[str | bytes, int]:
    return _spelt(error, {})


def _spelt(error: UnicodeError, known: dict[str, str]) -> tuple[str | bytes, int]:
    """What cannot be encoded, in characters of ASCII, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(known.get(character) or _in_units(character) for character in lacking), error.end


def _in_units(character: str) -> str:
    """A character as JSON has it: ``\\uXXXX`` for each unit of UTF-16."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _open_closed() -> None:
    """Open to nothing what is closed; otherwise the next file that is opened would get the number of a stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if number and getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


class _Stream:
    """A stream of text; what is not defined here is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # whatever a stream has
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what waits."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Send what follows, and what still waits, nowhere."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class _Told(_Stream):
    """Standard output, whose errors end the command, in one line or none."""

    def _failed(self, error: OSError) -> None:
        super()._failed(error)
        if error.errno == errno.EPIPE:  # the reader has what it wants
            raise BrokenPipeError(error.errno, error.strerror) from error
        raise OutputError(
            f"standard output: {error.strerror}; what follows could not be printed; files are written whole"
        ) from error


class _Unheard(_Stream):
    """Standard error, whose errors keep no work from being done."""
