"""The tables of COMPARE.md, from the stored results of a comparison and the stored output of the simulation.

python docs/compare_tables.py mien-compare-six-emotions/results.json SIMULATION.md     stores them, and the curves
python docs/compare_tables.py                                                          writes COMPARE.md's tables
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from mien.comparing.wording import answer, arm_lines, comparison_rows, cost_rows, doubt_lines

HERE = Path(__file__).parent
STORED, SIMULATED, PAGE, CURVES = (
    HERE / name for name in ("compare.json", "compare-simulated.md", "COMPARE.md", "compare.svg")
)
KEPT = ("mien", "data", "pairs", "primary", "budgets", "comparisons", "seconds", "sizes")


def store(results: dict[str, Any], simulated: str) -> None:
    """Keep what the tables are made of, without paths and single runs."""
    kept = {key: results[key] for key in KEPT}
    kept["arms"] = {name: {"budgets": arm["budgets"]} for name, arm in results["arms"].items()}
    STORED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    SIMULATED.write_text(simulated, encoding="utf-8")
    page = Path(results["paths"]["page"]).read_text(encoding="utf-8")
    drawing = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    CURVES.write_text(drawing + "\n", encoding="utf-8")


def markdown(rows: list[list[str]]) -> str:
    """A Markdown table."""
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def tables() -> dict[str, str]:
    """Mark → what stands under it."""
    results = json.loads(STORED.read_text(encoding="utf-8"))
    notes = [*arm_lines(results), *doubt_lines(results)]
    took = f"It took {results['seconds']['training'] / 60:.0f} minutes of training."
    measured = [answer(results), took, markdown(comparison_rows(results)), "\n".join(f"- {note}" for note in notes)]
    return {
        "measured": "\n\n".join([*measured, markdown(cost_rows(results))]),
        "simulated": SIMULATED.read_text(encoding="utf-8").strip(),
    }


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for mark, table in tables().items():
        pattern = rf"(<!-- {mark} -->\n).*?(\n<!-- end -->)"
        text = re.sub(pattern, lambda found, table=table: found[1] + table + found[2], text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    if len(sys.argv) > 1:
        stored = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        store(stored, Path(sys.argv[2]).read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
