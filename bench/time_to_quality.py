"""From a zip to a recogniser: ``mien train`` beside the course notebook's procedure, in time and in score.

``python bench/time_to_quality.py PHOTOS.zip``. ``mien train`` runs as a user would run it, from the zip to the model,
with nothing cached. Of the notebook's procedure some training steps are timed, in the same minutes; its time is that of
25 such epochs over 70 % of the photos, its validation and the unpacking of the zip not counted. Its score is the best
that it reached (``NOTEBOOK``), ours is of the validation photos: training leaves the test photos unread.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mien.data.sources import open_source
from training_speed import notebook_rate, unpack

ROUNDS, EPOCHS, TRAINED = 3, 25, 0.7
NOTEBOOK = 0.28
"""Its best macro-F1 on its own 180 test photos, with augmentation."""


def trained(zip_file: str) -> tuple[float, dict[str, Any]]:
    """Seconds that ``mien train`` took, and its validation score."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from mien.cli import main; main()", "train", zip_file, "--json"]
        start = time.perf_counter()
        run = subprocess.run([*command, "--out", f"{folder}/out"], check=True, capture_output=True)
        seconds = time.perf_counter() - start
    results = json.loads(run.stdout)
    return seconds, results["runs"][results["selected"]]["val"]


def main() -> None:
    """Print seconds, scores and their ratios."""
    zip_file = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        photos = unpack(open_source(zip_file), Path(folder))
        n, ratios = round(TRAINED * len(photos)), []
        for i in range(ROUNDS):
            theirs = EPOCHS * n / notebook_rate(photos)
            ours, score = trained(zip_file)
            ratios.append(theirs / ours)
            print(f"round {i + 1}: notebook {theirs:.0f} s, mien train {ours:.0f} s, {ratios[-1]:.1f} times quicker")
    f1, (low, high) = score["macro_f1"], score["interval"]
    print(f"median {statistics.median(ratios):.1f} times quicker, from {min(ratios):.1f} to {max(ratios):.1f}")
    print(
        f"macro-F1 {f1:.2f} [{low:.2f}, {high:.2f}] of {score['images']} photos, {f1 / NOTEBOOK:.1f} times {NOTEBOOK}"
    )


if __name__ == "__main__":
    main()
