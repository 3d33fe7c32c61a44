"""The table of dependencies in ARCHITECTURE.md, from dependencies.json.

python docs/write_dependencies.py            writes the table
python docs/write_dependencies.py measure    measures what is installed first, and stores it
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

__all__ = ["declared", "page", "table"]

HERE = Path(__file__).parent
PAGE, STORED = HERE / "ARCHITECTURE.md", HERE / "dependencies.json"
WIDTH = 118
PLACE = re.compile(r"(<!-- dependencies -->\n).*?(<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """ARCHITECTURE.md with the table as it is stored."""
    return PLACE.sub(lambda found: f"{found[1]}{table(stored())}\n{found[2]}", text)


def stored() -> dict[str, Any]:
    """What each library is for, its licence and its size."""
    found: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return found


def table(about: dict[str, Any]) -> str:
    """The table as Markdown, with where the sizes were measured."""
    rows = ["| part | library | licence | MB | why this one |", "|---|---|---|---|---|"]
    for each in about["libraries"]:
        names = each.get("file") or ", ".join(f"`{name}`" for name in each["names"])
        size = "—" if each["mb"] is None else f"{max(each['mb'], 0.1):,.1f}"
        rows.append(f"| {each['part']} | {names} | {each['licence']} | {size} | {each['why']} |")
    return "\n".join([*rows, "", textwrap.fill(f"Sizes: {about['measured']}.", WIDTH)])


def declared(about: dict[str, Any]) -> set[str]:
    """The names of all libraries in the table, as package indexes spell them."""
    return {re.sub(r"[-_.]+", "-", name).lower() for each in about["libraries"] for name in each["names"]}


def measure(about: dict[str, Any]) -> dict[str, Any]:
    """The same with the sizes of what is installed, MB, without what the libraries bring along."""
    for each in about["libraries"]:
        sizes = [_megabytes(name) for name in [*each["names"], *each.get("with", [])]]
        known = [size for size in sizes if size is not None]
        each["mb"] = round(sum(known), 1) if known else each["mb"]
    return about


def _megabytes(name: str) -> float | None:
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        STORED.write_text(json.dumps(measure(stored()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
