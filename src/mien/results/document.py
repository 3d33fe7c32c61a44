"""The door of ``results.json``: what goes out is checked against its type; what comes in and differs is refused.

Numbers are Python's own: a NumPy scalar is refused when a result is encoded, and NaN becomes null, which the check
then refuses wherever a number must be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from mien.results.exhibits import Exhibits
from mien.results.file_names import RESULTS, THUMBNAILS
from mien.results.record import Record, about
from mien.system.files import read_file, write_text, written_whole
from mien.system.streams import escaped
from mien.version import __version__

__all__ = [
    "READABLE",
    "SCHEMA_VERSION",
    "Document",
    "decode",
    "encode",
    "printable",
    "read_exhibits",
    "write_exhibits",
    "write_results",
]

SCHEMA_VERSION = 3
"""Of all documents; raised by every change that a reader of the version before would stumble over."""
READABLE = (2, SCHEMA_VERSION)
"""Versions that are read: what came since has a value that stands for results of before."""

D = TypeVar("D", bound="Document")


class Document(Record, tag_field="command"):
    """The results of one command."""

    schema_version: Annotated[int, about("Of this layout.")] = SCHEMA_VERSION
    mien: Annotated[str, about("Version that wrote it.")] = __version__


def encode(document: Document) -> str:
    """A document as JSON in one line.

    Raises:
        TypeError: if it holds what is no plain data, such as a NumPy scalar.
        msgspec.ValidationError: if a value is not of the type of its field.
    """
    try:
        content = msgspec.json.encode(document)
    except UnicodeEncodeError:  # a name that is not UTF-8, which JSON cannot hold
        content = msgspec.json.encode(printable(document))
    msgspec.json.decode(content, type=type(document))
    return content.decode()


def printable(document: D) -> D:
    """A document whose texts, such as names of files, hold nothing that acts on a terminal or ends a line."""
    plain = msgspec.to_builtins(document)
    shown = _printable(plain)
    return document if shown == plain else msgspec.convert(shown, type(document))


def _printable(value: Any) -> Any:  # type: ignore[explicit-any]  # JSON has no types
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {_printable(name): _printable(each) for name, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list | tuple) else value


def decode(kind: type[D], content: str | bytes) -> D:
    """A document of the given kind.

    Raises:
        msgspec.MsgspecError: if the JSON is damaged, or of another layout.
    """
    return msgspec.json.decode(content, type=kind)


def write_results(document: Document, folder: Path) -> None:
    """Write a document as ``results.json`` into a folder, whole or not at all, a line for each field."""
    write_text(msgspec.json.format(encode(document), indent=1), folder / RESULTS)


def write_exhibits(exhibits: Exhibits, folder: Path) -> None:
    """Write the photos of a report as ``thumbnails.msgpack`` into a folder, whole or not at all."""
    with written_whole(folder / THUMBNAILS) as partial:
        partial.write_bytes(msgspec.msgpack.encode(exhibits))


def read_exhibits(folder: Path) -> Exhibits | None:
    """The photos of a report; None where none were kept.

    Raises:
        msgspec.MsgspecError: if the file is damaged.
    """
    path = folder / THUMBNAILS
    return msgspec.msgpack.decode(read_file(path), type=Exhibits) if path.exists() else None
