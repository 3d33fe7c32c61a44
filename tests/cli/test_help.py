"""Help is in the order of use, short before what is rarely needed, and its examples are commands that exist."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable

import pytest
from rich.console import Console

from mien.cli import COMMANDS, app
from mien.cli.examples import EXAMPLES
from support.outcomes import Outcome

Mien = Callable[..., Outcome]
ALL_EXAMPLES = [(command, line) for command, lines in EXAMPLES.items() for line, _ in lines]
SCREENS = 100
"""Lines of two screens."""


def test_commands_come_in_the_order_of_use(mien: Mien) -> None:
    page = mien("--help").out
    places = [re.search(rf"^\W+{name}  +[A-Z]", page, re.MULTILINE) for name in COMMANDS]
    starts = [found.start() for found in places if found]
    assert len(starts) == len(COMMANDS)
    assert starts == sorted(starts)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_two_screens_before_what_is_rarely_needed(command: str) -> None:
    console = Console(file=io.StringIO(), width=80)
    app.help_print([command], console=console)
    page = console.file.getvalue()  # type: ignore[attr-defined]
    often = re.split(r"^╭─ .*arely needed", page, maxsplit=1, flags=re.MULTILINE)[0]
    assert len(often.splitlines()) + len(EXAMPLES[command]) * 2 + 4 <= SCREENS
    assert max(map(len, page.splitlines())) <= 80
    shown = " ".join(page.split())
    assert all(" ".join(line.split()) in shown for line, _ in EXAMPLES[command])
    assert command == "schema" or not re.search("─ (Parameters|Arguments) ", page.replace("Arguments", "", 1))


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    assert {len(lines) for lines in EXAMPLES.values()} <= {2, 3}


@pytest.mark.parametrize(("command", "line"), ALL_EXAMPLES)
def test_examples_are_taken_by_the_parser(command: str, line: str) -> None:
    words = shlex.split(re.split("[>|]", line)[0])
    assert words[:2] == ["mien", command]
    function, *_ = app.parse_args(words[1:], exit_on_error=False, print_error=False)  # raises for what it does not know
    assert function is app[command].default_command


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("app", "schema")])
def test_a_missing_argument_is_told_with_an_example(command: str, mien: Mien) -> None:
    outcome = mien(command)
    assert outcome.code == 2
    assert EXAMPLES[command][0][0] in outcome.complaint


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--group", "--group-column"), ("--class", "--class-map or --class-names"), ("--epoch", "--epochs")],
)
def test_an_option_that_begins_so_is_suggested_first(typed: str, meant: str, mien: Mien) -> None:
    outcome = mien("study", "photos", typed, "x")
    assert outcome.code == 2
    assert f"Did you mean {meant}?" in outcome.complaint


WHOLE = [
    (command, argument.name)
    for command in COMMANDS
    for argument in app[command].assemble_argument_collection()
    if argument.hint in (int, int | None) and argument.name.startswith("--")
]


@pytest.mark.parametrize("word", ["2.5", "1e1", "two"])
@pytest.mark.parametrize(("command", "option"), WHOLE)
def test_a_whole_number_is_never_rounded_from_another(command: str, option: str, word: str, mien: Mien) -> None:
    given = {"adapt": ("model", "photos"), "app": ()}.get(command, ("photos",))
    outcome = mien(command, *given, option, word)
    assert outcome.code == 2
    assert f"{option} {word}" in outcome.complaint


def test_there_are_whole_numbers_to_ask_for() -> None:
    assert {"--members", "--epochs", "--seed", "--jobs", "--draws", "--port"} <= {option for _, option in WHOLE}
