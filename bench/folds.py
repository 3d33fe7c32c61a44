"""What leaving out each person costs, and what parting people would add: ``python bench/folds.py [OUT.json]``.

Draws 25 people of 24 pictures each, in six expressions, and does two studies with ``two-stream``: one with a single
split, one with ``--folds group``. Both are processes of their own with an empty folder; exported backbones are those of
the cache, made before the first. Prints and writes processor and wall seconds of each, and what they found.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien.demo import draw_face
from mien.results.reading import open_results
from mien.results.study import StudyResults

PEOPLE, EACH = 25, 24
EXPRESSIONS = ("anger", "disgust", "fear", "happy", "pain", "sad")
STUDIES = {"warm up": (), "one split": (), "folds": ("--folds", "group")}


def draw(root: Path) -> Path:
    """A folder for each person, and in it one for each expression."""
    for person in range(1, PEOPLE + 1):
        for i in range(EACH):
            expression = EXPRESSIONS[i % len(EXPRESSIONS)]
            folder = root / f"subject{person:02d}" / expression
            folder.mkdir(parents=True, exist_ok=True)
            draw_face(expression, 1000 * person + i, person=person).save(folder / f"{i:02d}.png")
    return root


def study(data: Path, out: Path, options: tuple[str, ...]) -> dict[str, float]:
    """Do a study; its seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "mien", "study", str(data), "--recipe", "two-stream", "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"processor_seconds": round(used, 1), "wall_seconds": round(wall, 1)}


def found(folder: Path) -> dict[str, object]:
    """What a study says of its test photos, and of parting people."""
    results = open_results(folder)
    assert isinstance(results, StudyResults)
    test, leakage = results.test, results.data.leakage
    premium = leakage.premium.get("people") if leakage else None
    return {
        "images": test.images,
        "macro_f1": test.macro_f1,
        "interval": test.interval,
        "leak_premium_by_person": {"value": premium.value, "interval": premium.interval} if premium else None,
    }


def main() -> None:
    """Measure, print, and write."""
    with tempfile.TemporaryDirectory() as made:
        data = draw(Path(made) / "people")
        told = {}
        for name, options in STUDIES.items():
            out = Path(made) / name.replace(" ", "-")
            told[name] = study(data, out, options) | found(out)
            print(name, told[name], flush=True)
    single, folds = told["one split"], told["folds"]
    ratios = {key: round(folds[key] / single[key], 2) for key in ("processor_seconds", "wall_seconds")}  # type: ignore[operator]
    result = {"people": PEOPLE, "each": EACH, "one_split": single, "folds": folds, "ratio": ratios}
    print(json.dumps(result, indent=1))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
