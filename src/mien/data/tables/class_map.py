"""A person's decisions on the classes of photos from elsewhere: a TOML file, written to be edited and read again."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from mien.errors import LabelError, OutputError
from mien.labels import LabelChoices
from mien.system.files import not_written, read_text, why, write_text
from mien.system.paths import user_path

__all__ = ["check_named", "read_class_map", "write_class_map"]

KEYS = ("drop", "unknown", "classes")
HEAD = """\
# How the classes of the photos from elsewhere answer to those of the model, which knows
# {labels}.
# Photos of a class under `drop` take no part in any score. Those of a class under `unknown` count as wrong
# among all photos, and take no part in the other scores. A class that is not named here is matched by name
# and synonym.

"""
MEND = "write one to edit with --write-class-map"


def write_class_map(path: Path, model_labels: Sequence[str], choices: LabelChoices) -> None:
    """Write decisions as a file to edit.

    Raises:
        OutputError: if the file exists or cannot be written.
    """
    values = {"drop": list(choices.drop), "unknown": list(choices.unknown), "classes": choices.classes}
    text = HEAD.format(labels=", ".join(map(_on_one_line, model_labels))) + tomli_w.dumps(values)
    if path.exists():
        raise OutputError(f"{path}: exists already; give --write-class-map another name")
    try:
        write_text(text, path)
    except OSError as error:
        raise not_written(path, error, "give --write-class-map another name") from error


def read_class_map(given: str | Path) -> LabelChoices:
    """Read decisions on classes.

    Raises:
        LabelError: if the file cannot be read, is not TOML, has other keys or values than it may have, or decides twice
            on one class.
    """
    path = user_path(given, "--class-map")
    try:
        values = tomllib.loads(read_text(path, encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else f"not TOML: {error}"
        raise LabelError(f"{path}: cannot be read ({reason}); {MEND}") from error
    if other := [key for key in values if key not in KEYS]:
        raise LabelError(f"{path}: unknown key {other[0]!r}; expected {', '.join(KEYS)}; {MEND}")
    classes = values.get("classes", {})
    if not isinstance(classes, dict):
        raise LabelError(f'{path}: classes is not a table, as in [classes] and a line bored = "sad" under it')
    for name, label in classes.items():
        if not isinstance(label, str):
            raise LabelError(f"{path}: {name} = {label!r} is no name of a class; write it in quotes")
    choices = LabelChoices(classes, _names(values, "drop", path), _names(values, "unknown", path), str(path))
    for name in choices.named:
        if choices.named.count(name) > 1:
            raise LabelError(f"{path}: two decisions on {name!r}; keep one")
    return choices


def check_named(choices: LabelChoices, target_labels: Sequence[str]) -> None:
    """Check that every class that was decided on is there.

    Args:
        target_labels: of all targets together.

    Raises:
        LabelError: if one is not.
    """
    for name in choices.named:
        if name not in target_labels:
            raise LabelError(f"{choices.file}: no class {name!r}; the target has {', '.join(target_labels)}")


def _names(values: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    names = values.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LabelError(f'{path}: {key} = {names!r} is no list of classes, as in {key} = ["neutral"]')
    return tuple(names)


def _on_one_line(label: str) -> str:
    """A label for a comment; one that a stranger's model brings must not end it."""
    return label if label.isprintable() else repr(label)
