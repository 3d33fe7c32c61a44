"""Write COMMANDS.md, the reference of the command line, from the help: ``python docs/write_commands.py``."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from pathlib import Path

from cyclopts import App
from cyclopts.argument import Argument

from mien.cli import COMMANDS, HELP, app
from mien.cli.examples import EXAMPLES

__all__ = ["reference"]

HEAD = """# Commands

What the help of each command says, on one page. `docs/write_commands.py` writes it.
"""
WIDTH = 118


def reference() -> str:
    """The page."""
    parts, group = [HEAD], ""
    for name in COMMANDS:
        place, told = HELP[name]
        if place.name != group:
            group = str(place.name)
            parts.append(f"## {group}\n")
        parts += [f"### mien {name}\n", textwrap.fill(" ".join(told.split()), WIDTH), ""]
        parts += ["```", *(f"{line}  # {what}" for line, what in EXAMPLES[name]), "```", ""]
        parts += _options(app[name])
    return "\n".join(parts)


def _options(command: App) -> list[str]:
    """The arguments and options of a command, group by group, as in its help."""
    groups: dict[str, list[Argument]] = defaultdict(list)
    order: dict[str, float] = {}
    for each in command.assemble_argument_collection(parse_docstring=True):
        if each.show and not each.children:
            group = each.parameter.group[0]
            groups[str(group.name)].append(each)
            order[str(group.name)] = float(group.sort_key or 0)
    lines = []
    for name in sorted(groups, key=order.__getitem__):
        lines += [f"**{name}**", "", *map(_line, groups[name]), ""]
    return lines


def _line(argument: Argument) -> str:
    names = ", ".join(f"`{name}`" for name in argument.names)
    text = f"- {names}: {' '.join((argument.parameter.help or '').split())}"
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    Path(__file__).with_name("COMMANDS.md").write_text(reference(), encoding="utf-8")
