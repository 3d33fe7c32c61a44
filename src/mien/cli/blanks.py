"""An empty word on a command line is a variable that was not set, and never means the current folder or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from mien.errors import ConfigError

__all__ = ["refuse_blanks"]


def refuse_blanks(words: Sequence[str]) -> None:
    """Refuse words and values of options that are empty or blank, wherever they are given.

    Raises:
        ConfigError: that says behind which word.
    """
    for i, word in enumerate(words):
        name, is_set, value = word.partition("=") if word.startswith("--") else ("", "", word)
        if (is_set or not name) and not value.strip():
            where = name or (f"after {words[i - 1]}" if i else "as command")
            raise ConfigError(f"{where}: an empty argument ({value!r}); give one, or leave it out (a variable unset?)")
