"""What is wrong with a command line, in one line with what to type instead."""

from __future__ import annotations

from itertools import chain

from cyclopts import CycloptsError, MissingArgumentError, UnknownOptionError

from mien.cli.examples import EXAMPLES

__all__ = ["complaint"]

MOST_SHOWN = 4


def complaint(error: CycloptsError) -> str:
    """The line for an error of the parser."""
    command = " ".join(error.command_chain or ())
    see = f"See: mien {command} --help" if command in EXAMPLES else "See: mien --help"
    if isinstance(error, MissingArgumentError) and command in EXAMPLES and not _is_option(error):
        name = error.argument.name if error.argument else "an argument"
        return f"{command}: {name} is missing, as in: {EXAMPLES[command][0][0]}. {see}"
    if isinstance(error, UnknownOptionError) and (alike := _longer(error)):
        return f"Unknown option: {_word(error)}. Did you mean {alike}? {see}"
    return f"{error} {see}"


def _is_option(error: MissingArgumentError) -> bool:
    return error.keyword is not None or (error.argument is not None and error.argument.name.startswith("-"))


def _word(error: UnknownOptionError) -> str:
    return (error.token.keyword or error.token.value).partition("=")[0]


def _longer(error: UnknownOptionError) -> str:
    """The options that begin with what was typed, which is likelier meant than what looks alike."""
    names = chain.from_iterable(argument.names for argument in error.argument_collection if argument.parse)
    word = _word(error)
    found = sorted({name for name in names if word.startswith("--") and len(word) > 3 and name.startswith(word)})
    return " or ".join(found[:MOST_SHOWN])
