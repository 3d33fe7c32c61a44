"""The table of results in README.md, from what is stored beside the weights: ``python docs/readme_table.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mien.models.artifact import shipped

README = Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(<!-- results -->\n).*?(<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """README.md with the table as it is stored."""
    return PLACE.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", text)


def table() -> str:
    """The table as Markdown."""
    default, six = (json.loads(shipped(f"{name}.json").read_text("utf-8")) for name in ("default", "six"))
    rows = [
        ("`two-stream` on stock photos in six classes, five folds", six["two-stream"]["grouped"]["seeds"][0]),
        ("`default` on FER2013's test faces, labelled by raters", default["fer"]["private"]),
        ("a stand-in for `default` on another collection", default["strangers"]),
    ]
    head = ["| what was scored | photos | macro-F1 | accuracy | always the most frequent |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(what, scores) for what, scores in rows)])


def _row(what: str, scores: dict[str, Any]) -> str:
    cells = [what, f"{sum(scores['support'].values()):,}"]
    for name, ends in (("macro_f1", scores["interval"]), ("accuracy", scores["accuracy_interval"])):
        cells.append(f"{scores[name]:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]")
    return "| " + " | ".join([*cells, f"{scores['majority_accuracy']:.2f}"]) + " |"


if __name__ == "__main__":
    README.write_text(page(README.read_text(encoding="utf-8")), encoding="utf-8")
