"""The tables of COMPARE.md, from the stored results of comparisons and the stored output of the simulation.

python docs/compare_tables.py measured mien-compare-six-emotions/results.json    stores a comparison and its curves
python docs/compare_tables.py simulated SIMULATION.md                            stores bench/significance.py's table
python docs/compare_tables.py                                                    writes COMPARE.md's tables
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import msgspec

from mien.results.comparison import CompareResults
from mien.results.document import decode
from mien.significance import fewest_pairs
from mien.telling.words.comparison import (
    answer,
    arm_lines,
    class_note,
    class_rows,
    comparison_rows,
    cost_rows,
    doubt_lines,
)

HERE = Path(__file__).parent
PAGE, SIMULATED = HERE / "COMPARE.md", HERE / "compare-simulated.md"
COMPARISONS = {"measured": HERE / "compare.json", "longer": HERE / "compare-longer.json"}
"""Mark in the page → the results of the comparison that stands there; its curves bear the same name."""
KEPT = ("mien", "data", "labels", "pairs", "primary", "budgets", "comparisons", "seconds", "sizes", "jobs")


UNTOLD = {
    "recipe": {"kind": "head", "name": "", "recipe": "", "seed": 0, "device": "", "labels": [], "head": {}},
    "paths": {"run": "", "page": ""},
}
"""What no table tells of and no file here keeps: resolved settings of arms, and paths."""


def store(results: CompareResults, path: Path) -> None:
    """Keep what the tables are made of, without paths and single runs, and the drawing of the curves."""
    told = msgspec.to_builtins(results)
    kept = {key: told[key] for key in KEPT}
    kept["config"] = {"comparison": {"leave_one_out": results.config.comparison.leave_one_out}}
    kept["arms"] = {name: {"budgets": arm["budgets"]} for name, arm in told["arms"].items()}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    page = Path(results.paths.page).read_text(encoding="utf-8")
    drawing = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    path.with_suffix(".svg").write_text(drawing + "\n", encoding="utf-8")


def stored(path: Path) -> CompareResults:
    """What was kept, with blanks for what was not; the oldest file is from before classes were compared as well."""
    kept: dict[str, Any] = {"labels": [], "jobs": 1, "config": {}} | json.loads(path.read_text(encoding="utf-8"))
    names = list(kept["arms"])
    blank = {"settings": {}, "config": UNTOLD["recipe"]}
    judged = sum(each is not None for entry in kept["comparisons"] for each in entry.get("per_class", {}).values())
    kept["pairs"] = {"fewest_for_classes": fewest_pairs(max(1, judged))} | kept["pairs"]
    whole = kept["config"].get("comparison", kept["config"]).get("leave_one_out")
    kept |= {
        "config": {"data": [kept["data"]["name"]], "comparison": {"arms": names, "leave_one_out": whole}},
        "arms": {name: blank | arm for name, arm in kept["arms"].items()},
        "comparisons": [{"per_class": {}} | entry for entry in kept["comparisons"]],
    }
    return msgspec.convert(kept | {"corrections": None, "curves": [], "paths": UNTOLD["paths"]}, CompareResults)


def markdown(rows: list[list[str]]) -> str:
    """A Markdown table."""
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def measured(results: CompareResults) -> str:
    """All that is told of one comparison."""
    notes = [*arm_lines(results), *doubt_lines(results)]
    side_by_side = f", {results.jobs} runs at a time" if results.jobs > 1 else ""
    took = f"It took {results.seconds.training / 60:.0f} minutes of training{side_by_side}."
    parts = [answer(results), took, markdown(comparison_rows(results)), "\n".join(f"- {note}" for note in notes)]
    if all(entry.per_class for entry in results.comparisons):
        parts += [markdown(class_rows(results)), textwrap.fill(class_note(results), 118)]
    return "\n\n".join([*parts, markdown(cost_rows(results))])


def tables() -> dict[str, str]:
    """Mark → what stands under it."""
    compared = {mark: measured(stored(path)) for mark, path in COMPARISONS.items()}
    return compared | {"simulated": SIMULATED.read_text(encoding="utf-8").strip()}


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for mark, table in tables().items():
        pattern = rf"(<!-- {mark} -->\n).*?(\n<!-- end -->)"
        text = re.sub(pattern, lambda found, table=table: found[1] + table + found[2], text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["simulated", printed]:
            SIMULATED.write_text(Path(printed).read_text(encoding="utf-8"), encoding="utf-8")
        case [mark, found]:
            store(decode(CompareResults, Path(found).read_bytes()), COMPARISONS[mark])
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
