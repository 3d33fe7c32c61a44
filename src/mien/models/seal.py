"""A checksum that an ONNX file carries of itself, and what is looked at before the file is given to ONNX Runtime.

ONNX Runtime takes flipped bits for weights like any others, and can crash on those that are part of the graph. So the
last bytes of a file are a metadata entry, ``mien-sha256``, with the sha256 of every byte before it. An ONNX file is a
message of Protocol Buffers, to which fields may be appended, so it stays one that every program can read; a program
that changes the file and writes it again makes the entry untrue, or moves it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mien.system.files import open_regular, read_file, written_whole

__all__ = [
    "MAX_MODEL_BYTES",
    "SEAL_KEY",
    "checksum_of",
    "is_intact",
    "is_intact_file",
    "is_sealed",
    "metadata_of",
    "sealed",
    "write_sealed",
]

SEAL_KEY = "mien-sha256"
MAX_MODEL_BYTES = 2**31 - 1
"""More than that no message of Protocol Buffers may have."""
GRAPH, METADATA, KEY, VALUE = 7, 14, 1, 2
"""Numbers of the fields of ONNX's ``ModelProto`` and ``StringStringEntryProto``."""
MOST_FIELDS = 100_000
"""Of one message; files that other programs write have a few dozen, or as many as they have functions."""
DIGITS = 2 * hashlib.sha256().digest_size


def _field(number: int, content: bytes) -> bytes:
    """A field of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


_entry = _field(KEY, SEAL_KEY.encode()) + _field(VALUE, bytes(DIGITS))
START = _field(METADATA, _entry)[:-DIGITS]
"""What stands between the content and its checksum."""


def sealed(content: bytes) -> bytes:
    """A serialised ONNX model with its checksum behind it."""
    return content + START + hashlib.sha256(content).hexdigest().encode()


def is_sealed(content: bytes) -> bool:
    """Whether a file ends with a checksum, true or not."""
    return content[-len(START) - DIGITS : -DIGITS] == START


def is_intact(content: bytes) -> bool:
    """Whether a file ends with the checksum of all that stands before it; 10 to 20 ms for 14 MB."""
    if not is_sealed(content):
        return False
    found = hashlib.sha256(memoryview(content)[: -len(START) - DIGITS]).hexdigest()
    return content[-DIGITS:] == found.encode()


def checksum_of(path: Path) -> str:
    """The sha256 of a model file up to its seal, as that says; of the whole file where it has none.

    Raises:
        OSError: if it cannot be read.
    """
    with open_regular(path) as file:
        file.seek(0, io.SEEK_END)
        file.seek(max(0, file.tell() - len(START) - DIGITS))
        end = file.read()
    if is_sealed(end):
        return end[-DIGITS:].decode("ascii", "replace")
    return hashlib.sha256(read_file(path, MAX_MODEL_BYTES)).hexdigest()


def metadata_of(content: bytes) -> dict[str, str]:
    """The metadata of an ONNX file, read without ONNX Runtime.

    Raises:
        ValueError: if the file is no message of Protocol Buffers with a graph in it.
    """
    found, has_graph = dict[str, str](), False
    for number, value in _fields(memoryview(content)):
        has_graph |= number == GRAPH
        if number == METADATA:
            entry = {key: bytes(text).decode() for key, text in _fields(value)}
            found[entry.get(KEY, "")] = entry.get(VALUE, "")
    if not has_graph:
        raise ValueError("no ONNX file")
    return found


def write_sealed(model: Any, path: Path) -> None:
    """Write an ONNX model with its checksum, whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    for entry in [each for each in model.metadata_props if each.key == SEAL_KEY]:
        model.metadata_props.remove(entry)
    with written_whole(path) as partial:
        partial.write_bytes(sealed(model.SerializeToString()))


def is_intact_file(path: Path) -> bool:
    """Whether there is a file that ends with its true checksum."""
    try:
        return is_intact(read_file(path, MAX_MODEL_BYTES))
    except OSError:
        return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that have a length; the others are stepped over."""
    at = 0
    for _ in range(MOST_FIELDS):
        if at == len(message):
            return
        tag, at = _number(message, at)
        kind, size = tag & 7, 0
        if kind == 0:
            _, at = _number(message, at)
        elif kind == 2:
            size, at = _number(message, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        if kind not in (0, 1, 2, 5) or tag < 8 or at + size > len(message):
            raise ValueError("no message of Protocol Buffers")
        if kind == 2:
            yield tag >> 3, message[at : at + size]
        at += size
    raise ValueError("too many fields")


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = 0
    for place, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at + place + 1
    raise ValueError("a number without an end")
