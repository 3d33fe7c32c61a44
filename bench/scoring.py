"""The shipped recogniser and fer on FER2013's consensus faces, for docs/SCORING.md, which has the script of fer.

python bench/scoring.py DATA WORK      answers, scores, and stores bench/scoring.json; WORK holds fer.jsonl
python bench/scoring.py                writes the table of docs/SCORING.md
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

__all__ = ["page"]

PAGE = Path(__file__).parents[1] / "docs/SCORING.md"
STORED = Path(__file__).with_suffix(".json")
VOTED = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
REFUSED = ("unknown", "not_a_face")
KEPT = ("images", "accuracy", "accuracy_interval", "macro_f1", "interval")


def write_consensus(data: Path, work: Path) -> int:
    """The faces of ``PrivateTest`` on which most raters agree, by FER+'s rule: single votes do not count."""
    rows = []
    with (data / "fer2013-votes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            votes = {name: n for name in (*VOTED, *REFUSED) if (n := int(row[name])) > 1}
            best = max(votes, key=lambda name: votes[name], default="unknown")
            if "PrivateTest" in row["path"] and best in VOTED and votes[best] > 0.5 * sum(votes.values()):
                rows.append((row["path"], best))
    with (work / "consensus.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    with zipfile.ZipFile(data / "fer2013.zip") as archive:
        for path, _ in rows:
            archive.extract(path, work)
    return len(rows)


def page(text: str, stored: dict[str, Any]) -> str:
    """The page with its table written anew."""
    head, rest = text.split("<!-- scored -->\n")
    return f"{head}<!-- scored -->\n{_table(stored)}\n<!-- end -->{rest.split('<!-- end -->')[1]}"


def _table(stored: dict[str, Any]) -> str:
    lines = ["| answers | photos | accuracy | macro-F1 | calibration error |", "|---|---|---|---|---|"]
    for name, each in stored["scores"].items():
        accuracy, macro = _with_ends(each, "accuracy", "accuracy_interval"), _with_ends(each, "macro_f1", "interval")
        lines.append(f"| {name} | {each['images']:,} | {accuracy} | {macro} | {each['ece']:.2f} |")
    apart = stored["against"]
    low, high = apart["interval"]
    told = (
        f"{apart['difference']:.2f} [{low:.2f}, {high:.2f}], over {apart['over']['number']:,} {apart['over']['kind']}"
    )
    return "\n".join([*lines, "", f"Paired difference of macro-F1: {told}: `default` is {apart['verdict']}."])


def _with_ends(each: dict[str, Any], name: str, interval: str) -> str:
    low, high = each[interval]
    return f"{each[name]:.2f} [{low:.2f}, {high:.2f}]"


def _scored(work: Path, *words: str) -> dict[str, Any]:
    run = [sys.executable, "-m", "mien", "score", *words, "--json"]
    told: dict[str, Any] = json.loads(subprocess.run(run, cwd=work, check=True, capture_output=True).stdout)
    return told


def main(data: Path, work: Path) -> None:
    """Measure, and store."""
    faces = write_consensus(data, work)
    with (work / "default.csv").open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "mien", "predict", "consensus.csv", "--csv"], cwd=work, check=True, stdout=file
        )
    own = _scored(work, "default.csv", "consensus.csv", "--against", "fer.jsonl")
    other = _scored(work, "fer.jsonl", "consensus.csv")
    scores = {
        name: {key: each["target"]["shared"][key] for key in KEPT} | {"ece": each["target"]["sureness"]["ece"]}
        for name, each in (("`default`", own), ("`fer` 25.10.3", other))
    }
    stored = {"faces": faces, "mien": own["mien"], "scores": scores, "against": own["target"]["against"][0]}
    STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), json.loads(STORED.read_text())), encoding="utf-8")
