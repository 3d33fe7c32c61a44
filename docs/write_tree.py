"""Draw the tree of ARCHITECTURE.md, with the first line of each file's docstring: ``python docs/write_tree.py``."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

__all__ = ["page", "tree"]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
PLACE = re.compile(r"(<!-- tree -->\n).*?(<!-- end -->)", re.DOTALL)
WIDTH, COLUMN, ROOM_LEAST = 118, 34, 24
"""Columns of the drawing, where the comments begin, and the fewest letters that one may be cut to."""
WITHOUT_DOCSTRING = {
    "src/mien/telling/report/templates": "Jinja2: one template for each section of a report, and the style sheet.",
    "src/mien/models/weights": "What mien carries: recognisers, backbones, face detector, what was measured of them.",
    "pretraining": "Makes the weights that mien carries: make weights.",
    "bench": "What is measured rather than tested: speed, memory, recall on planted copies, simulations.",
    "docs": "These pages, what they are made from, and the scripts that write their tables.",
    "docs/decisions": "Why things are as they are, one page for each topic.",
    "tests": "The same rooms again; support/ is what several tests use, snapshots/ what pages and terminal say.",
}
"""Folders that are no packages."""


def page(text: str) -> str:
    """ARCHITECTURE.md with the tree as the files are."""
    return PLACE.sub(lambda found: f"{found[1]}```\n{tree()}\n```\n{found[2]}", text)


def tree() -> str:
    """The package with every module, then the scripts beside it."""
    lines = list(_drawn(ROOT / "src" / "mien", ""))
    for name in ("pretraining", "bench", "docs"):
        lines += ["", *_drawn(ROOT / name, "")]
    lines += ["", *_line("tests/", WITHOUT_DOCSTRING["tests"], "")]
    return "\n".join(lines)


def _drawn(folder: Path, before: str) -> Iterator[str]:
    """A folder and what is in it, files first; ``before`` is drawn left of all its lines but the first."""
    name = folder.relative_to(ROOT).as_posix()
    if not before:
        yield from _line(f"{name}/", _comment(folder), "│")
    inside = [path for path in sorted(folder.iterdir()) if _is_shown(path)]
    inside.sort(key=lambda path: path.is_dir())
    for i, path in enumerate(inside):
        last = i == len(inside) - 1
        corner, on = ("└── ", "    ") if last else ("├── ", "│   ")
        shown = f"{path.name}/" if path.is_dir() else path.name
        yield from _line(before + corner + shown, _comment(path), before + on)
        if path.is_dir():
            yield from _drawn(path, before + on)


def _is_shown(path: Path) -> bool:
    if path.is_dir():
        return path.relative_to(ROOT).as_posix() in WITHOUT_DOCSTRING or (path / "__init__.py").exists()
    return path.suffix == ".py" and path.name != "__init__.py"


def _comment(path: Path) -> str:
    """The first line of a module's docstring, or what a folder without one is for."""
    named = WITHOUT_DOCSTRING.get(path.relative_to(ROOT).as_posix())
    if named:
        return named
    file = path / "__init__.py" if path.is_dir() else path
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n\n")[0].replace("``", "")
    return " ".join(first.split())


def _line(name: str, comment: str, below: str) -> Iterator[str]:
    """A name with its comment beside it, which goes on in the next line where it is long.

    Args:
        below: what is drawn under the name.
    """
    room = WIDTH - COLUMN - 2
    first, *more = textwrap.wrap(_shortened(comment, room), room, break_on_hyphens=False) or [""]
    yield f"{name:{COLUMN - 1}} # {first}".rstrip(" #")
    for each in more:
        yield f"{below:{COLUMN - 1}}   {each}"


def _shortened(comment: str, room: int) -> str:
    """The first sentence, or what is before a colon or semicolon, where all is too long for a line."""
    if len(comment) <= room:
        return comment
    ends = [found.start() for found in re.finditer(r"[:;.](?= )", comment)]
    return comment[: max((end for end in ends if ROOM_LEAST <= end <= room), default=len(comment))]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
