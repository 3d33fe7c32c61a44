"""What a command costs that keeps decoded photos, and one that makes their views again, in turns.

    python bench/streaming.py ROUNDS COMMAND PHOTOS [OPTIONS]   as in: 2 train crops.zip --recipe two-stream

Seconds are those of the clock and of all processors together; memory is the largest that the process held; disk is what
its folder takes for each photo, and the decoded photos in it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from scale import held

PARTS = ("pixels", "features", "")
"""Folders inside that of the results; all of it."""


def cost(words: list[str], keep: str) -> dict[str, float | str]:
    """Seconds, megabytes of memory, and kilobytes of disk for each photo."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        asked = [*words, "--keep-pixels", keep, "--out", str(out), "--device", "cpu"]
        code = f"import sys; from mien.cli import main; sys.argv = {['mien', *asked]!r}; main()"
        run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        largest = 0
        while run.poll() is None:
            largest = max(largest, held(run.pid))
            time.sleep(0.05)
        assert run.returncode == 0, asked
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        photos = len(pl.read_parquet(out / "manifest.parquet"))
        return {
            "keep": keep,
            "photos": photos,
            "seconds": round(time.perf_counter() - started, 1),
            "cpu": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
            "memory_mb": round(largest / 1024),
            **{
                f"{name or 'all'}_kb": round(taken(out / name) / photos / 1000, 1)
                for name in ("pixels", "features", "")
            },
        }


def taken(folder: Path) -> int:
    """Bytes of all files below a folder as they lie on the disk, where black pictures take no room."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    rounds, words = int(sys.argv[1]), sys.argv[2:]
    for number in range(rounds):
        for keep in ("yes", "no")[:: -1 if number % 2 else 1]:
            print(json.dumps(cost(words, keep)), flush=True)
