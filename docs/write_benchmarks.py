"""The tables of BENCHMARKS.md, from stored measurements with their origin: ``python docs/write_benchmarks.py``."""

from __future__ import annotations

import json
import re
import statistics
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["page", "stored", "tables"]

HERE = Path(__file__).parent
PAGE, STORED = HERE / "BENCHMARKS.md", HERE / "benchmarks.json"
WIDTH = 118
NONE = ""
Stored = dict[str, Any]


def page(text: str) -> str:
    """BENCHMARKS.md with its tables as they are stored."""
    for mark, table in tables().items():
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)
    return text


def stored() -> dict[str, Stored]:
    """Mark in the page → a measurement: when, where and by what it was made, and its rows."""
    found: dict[str, Stored] = json.loads(STORED.read_text(encoding="utf-8"))
    return found


def tables() -> dict[str, str]:
    """Mark → its table, and a line on its origin where no other table has said it."""
    return {mark: _table(about) for mark, about in stored().items()}


def _table(about: Stored) -> str:
    measured = READERS[about["as"]](about["from"]) if "from" in about else about["rows"]
    rows = [[_cell(cell) for cell in row] for row in measured]
    lines = ["| " + " | ".join(row) + " |" for row in (about["columns"], ["---"] * len(about["columns"]), *rows)]
    if "same_as" in about:
        return "\n".join(lines)
    then = f"; {about['then']}" if "then" in about else ""
    origin = f"Measured on {about['date']} ({about['machine']}) by `{about['command']}`{then}."
    return "\n".join([*lines, "", textwrap.fill(origin, WIDTH, break_long_words=False, break_on_hyphens=False)])


def _cell(cell: Any) -> str:
    """Words as they are, a count, or a score with its 95 % interval."""
    if cell is None or isinstance(cell, str):
        return cell or NONE
    if "count" in cell:
        return f"{cell['count']:,}"
    digits, sign = cell.get("digits", 2), "+" if cell.get("signed") else ""
    text = f"{cell['value']:{sign}.{digits}f}"
    if ends := cell.get("interval"):
        text += f" [{ends[0]:.2f}, {ends[1]:.2f}]"
    return text.replace("-", "−")


def _videos(name: str) -> list[list[Any]]:
    """How many times as long a video takes as its frames: the median of the rounds, the least and the most."""
    found = json.loads((HERE / name).read_text(encoding="utf-8"))
    sizes = [size for size, each in found.items() if isinstance(each, dict) and "clock" in each]
    return [
        [size.replace("x", "×"), *(_spread(found[size][kind]) for kind in ("clock", "processor"))] for size in sizes
    ]


def _votes(name: str) -> list[list[Any]]:
    """What the shares of votes teach, and the class with most of them, a row for each number of faces."""
    rows: list[list[Any]] = []
    for each in json.loads((HERE / name).read_text(encoding="utf-8"))["sizes"]:
        scores = [statistics.fmean(draw["macro_f1"] for draw in each[way]) for way in ("soft", "majority")]
        rows.append([{"count": each["faces"]}])
        for what, digits in (("log_loss", 3), ("accuracy", 3)):
            found = each[what]
            rows[-1] += [{"value": found[way], "digits": digits} for way in ("soft", "majority")]
            rows[-1].append(_difference(found["difference"], found["interval"]))
        rows[-1].append(", ".join(f"{score:.3f}" for score in scores))
    return rows


def _prior(name: str) -> list[list[Any]]:
    """What starting from ``default`` gains, a row for each number of photos per class."""
    rows: list[list[Any]] = []
    for each in json.loads((HERE / name).read_text(encoding="utf-8")):
        rows.append([{"count": each["per_class"]}, {"value": each["two-stream"]["macro_f1"], "digits": 3}])
        for arm in ("from-default", "drawn"):
            found = each[arm]
            rows[-1].append({"value": found["macro_f1"], "digits": 3})
            rows[-1].append(_difference(found["gain"], found["interval"]))
        rows[-1].append(f"{each['chose_default']} of {each['draws']}")
    return rows


def _difference(value: float, ends: Sequence[float]) -> str:
    low, high = ends
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")


def _spread(rounds: Sequence[float]) -> str:
    return f"{statistics.median(rounds):.2f}, {min(rounds):.2f} to {max(rounds):.2f}"


READERS: dict[str, Callable[[str], list[list[Any]]]] = {"videos": _videos, "votes": _votes, "prior": _prior}
"""How measurements stored in a file of their own become rows."""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
