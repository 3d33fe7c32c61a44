"""Settings by the plain names of their options, wherever these are: every name occurs in one group alone."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.devices import Device, check_device

__all__ = ["changed", "checked", "made", "option_fields", "option_name"]

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
        raise ConfigError(_no_such(min(unknown), list(option_fields(kind))))
    return kind(**given)


def changed(settings: T, **values: object) -> T:
    """The settings with others in place of some, by their plain names; see ``made``."""
    return made(type(settings), **(vars(settings) | values))


def checked(kind: type[Any], values: Mapping[str, object]) -> dict[str, object]:  # type: ignore[explicit-any]  # classes are looked into
    """Values for ``made`` as a person gives them in Python, each of the type that its setting has.

    A list serves for a tuple, one text for a tuple of texts, a path for its text, and the name of an option, as in
    ``recipe`` for ``--recipe``, for that of its field.

    Raises:
        ConfigError: for a name that is no setting, for one given twice, or for a value of another type.
    """
    fields = option_fields(kind)
    hints = {name: get_type_hints(group, include_extras=True)[name] for name, group in fields.items()}
    by_option = {option_name(name, hint): name for name, hint in hints.items()}
    found: dict[str, object] = {}
    for given, value in values.items():
        name = given if given in fields else by_option.get(given)
        if name is None:
            raise ConfigError(_no_such(given, [*fields, *by_option]))
        if name in found:
            raise ConfigError(f"{given}: given twice, by the names of its field and of its option; give one of them")
        found[name] = _converted(given, value, hints[name])
    return found


def option_fields(kind: type[Any]) -> dict[str, type[Any]]:  # type: ignore[explicit-any]  # classes are looked into
    """Plain name of each setting of a kind → the class that it is a field of."""
    groups = _groups(kind)
    own = {field.name: kind for field in dataclasses.fields(kind) if field.name not in groups}
    return own | {field.name: group for group in groups.values() for field in dataclasses.fields(group)}


def _groups(kind: type[Any]) -> dict[str, type[Any]]:  # type: ignore[explicit-any]  # classes are looked into
    """Fields that are groups of settings → their classes."""
    hints: dict[str, Any] = get_type_hints(kind)  # type: ignore[explicit-any]  # classes are looked into
    return {name: hint for name, hint in hints.items() if isinstance(hint, type) and dataclasses.is_dataclass(hint)}


def option_name(name: str, hint: object) -> str:
    """What the option of a field is called, with underscores."""
    named = [each.name for each in getattr(hint, "__metadata__", ()) if isinstance(each, Parameter)]
    option = next((next(iter(each)) for each in named if each), name)
    return option.removeprefix("--").replace("-", "_")


def _no_such(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"{name}: no such setting; did you mean {near[0]}?"
    return f"{name}: no such setting; choose from {', '.join(dict.fromkeys(known))}"


def _converted(name: str, value: Any, hint: Any) -> object:  # type: ignore[explicit-any]  # classes are looked into
    """A value as the type that its setting has."""
    plain = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(value, str) and get_origin(plain) is tuple and get_args(plain)[0] is str:
        value = (value,)
    if plain == Device and isinstance(value, str):
        check_device(value)  # which says more than that it is none of the choices
    try:
        converted: object = msgspec.convert(value, plain)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {str(error)[:1].lower()}{str(error)[1:].replace('`', '')}") from error
    return converted
