"""Settings by the plain names of their options, wherever these are: every name occurs in one group alone."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

from mien.errors import ConfigError

__all__ = ["changed", "made", "option_fields"]

T = TypeVar("T")


def made(kind: type[T], **values: object) -> T:
    """Settings of a kind from plain names, as in ``made(StudySettings, data=("photos",), epochs=3)``.

    Raises:
        ConfigError: for a name that none of the groups has, or a value out of range.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given: dict[str, Any] = {name: value for name, value in values.items() if name in fields}  # type: ignore[explicit-any]  # classes are looked into
    for name, group in _groups(kind).items():
        given.setdefault(name, fields[name].default)
        inside = {field.name: values[field.name] for field in dataclasses.fields(group) if field.name in values}
        if inside:
            given[name] = replace(given[name], **inside)
    unknown = set(values) - {*fields} - {*option_fields(kind)}
    if unknown:
        raise ConfigError(f"{min(unknown)}: no such setting; choose from {', '.join(option_fields(kind))}")
    return kind(**given)


def changed(settings: T, **values: object) -> T:
    """The settings with others in place of some, by their plain names; see ``made``."""
    return made(type(settings), **(vars(settings) | values))


def option_fields(kind: type[Any]) -> dict[str, type[Any]]:  # type: ignore[explicit-any]  # classes are looked into
    """Plain name of each setting of a kind → the class that it is a field of."""
    groups = _groups(kind)
    own = {field.name: kind for field in dataclasses.fields(kind) if field.name not in groups}
    return own | {field.name: group for group in groups.values() for field in dataclasses.fields(group)}


def _groups(kind: type[Any]) -> dict[str, type[Any]]:  # type: ignore[explicit-any]  # classes are looked into
    """Fields that are groups of settings → their classes."""
    hints: dict[str, Any] = get_type_hints(kind)  # type: ignore[explicit-any]  # classes are looked into
    return {name: hint for name, hint in hints.items() if isinstance(hint, type) and dataclasses.is_dataclass(hint)}
