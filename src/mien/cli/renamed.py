"""Options that have a new name: the old one is accepted for one release, with a line that says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mien.errors import ConfigError

__all__ = ["RENAMED", "with_new_names"]

RENAMED = {
    "adapt": {"--labels": "--class-map"},
    "evaluate": {"--labels": "--class-map", "--write-labels": "--write-class-map"},
    "study": {"--target-labels": "--class-map"},
}
"""Command → old name → new name."""
GONE_WITH = "0.3"
"""Version that no longer knows the old names."""


def with_new_names(words: Sequence[str]) -> list[str]:
    """The words of a command line with options by their new names; says on stderr which were old.

    Raises:
        ConfigError: if an option is given by both names.
    """
    command, *rest = words or [""]
    new_names, renamed = RENAMED.get(command, {}), list[str]()
    end = rest.index("--") if "--" in rest else len(rest)  # behind it nothing is an option
    given = {_name(word) for word in rest[:end]}
    for word in rest[:end]:
        name = _name(word)
        new = new_names.get(name)
        if new in given:
            raise ConfigError(f"{name} is the old name of {new}; give {new} alone")
        renamed.append(word if new is None else new + word[word.find("=") :] * ("=" in word))
    for name in dict.fromkeys(map(_name, rest[:end])):
        if name in new_names:
            print(f"mien: {name} is now {new_names[name]}; the old name goes with version {GONE_WITH}", file=sys.stderr)
    return [*words[:1], *renamed, *rest[end:]]


def _name(word: str) -> str:
    """The option that a word gives, ``--a_b=c`` and ``--a-b`` being one; the word itself where it gives none."""
    return word.partition("=")[0].replace("_", "-") if word.startswith("--") else word
