"""Settings to TOML and back: a table for each group, and the version of mien that wrote it.

A setting that is None is left out of the file: TOML has no null, and every field that can be None defaults to it.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import tomli_w
from msgspec import inspect, structs

from mien.errors import ConfigError
from mien.system.files import read_text, written_whole
from mien.version import NUMBERS, __version__

__all__ = ["as_builtins", "check_writer", "read_toml", "read_union", "write_toml"]

T = TypeVar("T")
WRITER, STATE = "mien", "numbers"
"""Keys of the version that wrote a file, and of what else tells whether it gave the same numbers."""


def as_builtins(settings: object) -> dict[str, Any]:  # type: ignore[explicit-any]  # TOML has no types
    """Settings as plain dicts, lists, strings and numbers, as JSON has them; None stays."""
    values: dict[str, Any] = msgspec.to_builtins(settings)  # type: ignore[explicit-any]  # TOML has no types
    return values


def write_toml(settings: object, path: Path) -> None:
    """Write settings, whole or not at all.

    Raises:
        ConfigError: if a name in them is not UTF-8.
    """
    values = {WRITER: __version__, STATE: NUMBERS} | _without_none(as_builtins(settings))
    try:
        content = tomli_w.dumps(values).encode()
    except UnicodeEncodeError as error:
        name = error.object[max(0, error.start - 20) : error.end + 20]
        raise ConfigError(
            f"{name!r}: a name that is not UTF-8, which {path.name} cannot hold; rename it, or give a link to it"
        ) from error
    with written_whole(path) as partial:
        partial.write_bytes(content)


def read_toml(kind: type[T], path: Path) -> T:
    """Read settings of a kind, a dataclass.

    Raises:
        ConfigError: if the file is missing, is not TOML, or has a setting that is unknown, missing or out of range.
    """
    settings: T = read_union(kind, path, lambda values: values)
    return settings


def read_union(kind: Any, path: Path, upgrade: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:  # type: ignore[explicit-any]  # TOML has no types
    """Read settings of one of several kinds, a union of tagged ``msgspec.Struct``s; see ``read_toml``.

    Args:
        upgrade: turns what an earlier version wrote into what this one reads.
    """
    try:
        values = tomllib.loads(read_text(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not TOML: {error}"
        raise ConfigError(f"{path}: cannot be read ({reason})") from error
    writer, _ = values.pop(WRITER, None), values.pop(STATE, None)
    values = upgrade(values)
    try:
        _refuse_unknown(values, inspect.type_info(kind), "")
        return _complete(msgspec.convert(values, kind))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}{_written_by(writer)}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_said(error)}{_written_by(writer)}") from error


def check_writer(path: Path) -> None:
    """Refuse to go on with what another version began, unless the two differ in their last number alone.

    Such versions give the same numbers as long as ``NUMBERS`` is the same. Others may not, and a study whose parts were
    made by two of them is neither's.

    Raises:
        ConfigError: that names the version to go on with.
    """
    try:
        values = tomllib.loads(read_text(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return  # reading it says what is wrong
    writer = values.get(WRITER)
    is_alike = isinstance(writer, str) and _series(writer) == _series(__version__)
    if is_alike and values.get(STATE) == NUMBERS:
        return
    by = f"mien {writer}" if writer else "an earlier version of mien"
    by += " before its numbers changed" if is_alike else ""
    raise ConfigError(
        f"{path}: begun with {by}, and this is {__version__}, whose numbers may differ; go on with that version, or "
        "give another --out"
    )


def _series(version: str) -> tuple[str, ...]:
    """A version without its last number."""
    return tuple(version.split(".")[:2])


def _refuse_unknown(values: Any, kind: inspect.Type, where: str) -> None:  # type: ignore[explicit-any]  # TOML has no types
    """Refuse a key that no field has, at every level; msgspec does not for dataclasses.

    Raises:
        ConfigError: for the first one.
    """
    if isinstance(kind, inspect.UnionType):
        tagged = [each for each in kind.types if isinstance(each, inspect.StructType)]
        kind = next((each for each in tagged if each.tag == values.get(each.tag_field)), kind)
    if not isinstance(kind, inspect.DataclassType | inspect.StructType) or not isinstance(values, dict):
        return  # msgspec says what is wrong with it
    fields = {field.encode_name: field.type for field in kind.fields}
    known = {*fields, kind.tag_field} if isinstance(kind, inspect.StructType) else {*fields}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"{where}{name}: no such setting; choose from {', '.join(fields)}")
        if name in fields:
            _refuse_unknown(value, fields[name], f"{where}{name}.")


def _complete(value: Any) -> Any:  # type: ignore[explicit-any]  # TOML has no types
    """The same settings with every default an attribute of its own: msgspec leaves those of dataclasses to the class,
    where neither ``vars`` nor ``to_builtins`` sees them.
    """
    if isinstance(value, msgspec.Struct):
        return structs.replace(value, **{name: _complete(getattr(value, name)) for name in value.__struct_fields__})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return dataclasses.replace(value, **{field.name: _complete(getattr(value, field.name)) for field in fields})
    return value


def _said(error: msgspec.ValidationError) -> str:
    """What msgspec has against a value, with the key first."""
    said, _, place = str(error).partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(.+)`", said)
    if missing:
        return f"{place}.{missing[1]}: missing".lstrip(".")
    return f"{place or 'the file'}: {said[:1].lower()}{said[1:].replace('`', '')}"


def _written_by(writer: object) -> str:
    """What is said of a file that this version cannot read, where another version wrote it."""
    if writer == __version__:
        return ""
    by = f"mien {writer}" if writer else "an earlier version of mien"
    return f"; the file was written by {by}: go on with that version, or give another --out"


def _without_none(values: dict[str, Any]) -> dict[str, Any]:  # type: ignore[explicit-any]  # TOML has no types
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if value is not None
    }
