"""What answering very many photos costs, and whether each is answered once where the command is killed.

    python bench/bulk.py [FER2013 [SIZES [KILLS]]]    SIZES: 1000,100000 by default; KILLS: 3 by default

Memory is the largest that the process held. The last size is also answered by commands that are killed (SIGKILL) and
gone on with, and compared with the answers of one that was left alone.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from many_crops import write_blends
from mien.data.sources import open_source
from scale import REAL, held

SIZES, KILLS, SEED = (1000, 100_000), 3, 0


def predict(photos: Path, out: Path, *options: str, seconds: float | None = None) -> tuple[int, float, int]:
    """Run one command, and kill it after ``seconds``: its exit code, how long it ran (s), and the most it held (kB)."""
    started, largest = time.perf_counter(), 0
    run = subprocess.Popen(
        [sys.executable, "-m", "mien", "predict", str(photos), "--out", str(out), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while run.poll() is None:
        largest = max(largest, held(run.pid))
        if seconds is not None and time.perf_counter() - started > seconds:
            run.kill()
        time.sleep(0.05)
    return run.returncode, time.perf_counter() - started, largest


def answers(folder: Path) -> pl.DataFrame:
    """All parts of a folder, in order."""
    return pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))])


def main() -> None:
    fer = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL / "fer2013.zip"
    sizes = [int(size) for size in sys.argv[2].split(",")] if len(sys.argv) > 2 else list(SIZES)
    kills, rng = int(sys.argv[3]) if len(sys.argv) > 3 else KILLS, random.Random(SEED)
    with tempfile.TemporaryDirectory() as name:
        folder, took, photos, alone = Path(name), 0.0, Path(), Path()
        for size in sizes:
            photos, alone = folder / f"{size}.zip", folder / f"answers-{size}"
            write_blends(open_source(str(fer)), size, photos)
            code, took, kilobytes = predict(photos, alone)
            assert code == 0, size
            print(f"{size} crops: {took:.0f} s, at most {kilobytes / 1024:.0f} MB", flush=True)
        killed = folder / "killed"
        for _ in range(kills):
            code, _, _ = predict(photos, killed, "--resume", seconds=rng.uniform(0.1, 0.9) * took / kills)
            print(f"killed with {len(list(killed.glob('part-*')))} parts kept, exit code {code}", flush=True)
        assert predict(photos, killed, "--resume")[0] == 0
        ours, theirs = answers(killed), answers(alone)
        assert ours["photo"].to_list() == list(range(sizes[-1]))
        print("the answers are the same" if ours.equals(theirs) else "the answers DIFFER")


if __name__ == "__main__":
    main()
