"""How well the audit finds copies, how fast it reads, and how much memory it needs.

Copies of 200 photos are planted among all of a set, one kind of change at a time. Reading is compared with the bare
rate at which Pillow decodes the same files in as many threads, in turns, in one process.

    python bench/audit.py [DATA [LARGE]]     DATA: default the real photos beside the checkout, or else the demo;
                                             LARGE: a set of many small photos, timed as a whole and at about 1,000
                                             of its files
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
from PIL import Image

from mien.data.grouping.duplicates import COPY_SIMILARITY, assign_groups, find_pairs
from mien.data.reading.intake import take_in
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.sources import Source, open_source
from mien.data.tables.manifest import usable
from planted import HARDER, KINDS, THREADS, Pictures, plant, score

PLANTED, ROUNDS, FEW = 200, 5, 1000
REAL = Path("../shared/data/six-emotions.zip")


def print_recall(source: Source) -> None:
    """How many copies of each kind are found, and what is found among the photos as they came."""
    photos, copies = plant(source, [*KINDS, *HARDER], count=PLANTED)
    print(f"{len(photos.prints)} photos, {pairs_among(photos)} pairs of copies among them as they came")
    print(f"{'planted copies':<28}{'found':>14}{'recall':>8}{'false pairs':>13}")
    for name, pictures in copies.items():
        result = score(photos, pictures)
        found = f"{result.found} of {result.planted}"
        print(f"{name:<28}{found:>14}{result.found / result.planted:>8.3f}{result.false:>13}")


def pairs_among(photos: Pictures) -> int:
    found = find_pairs(lambda some: photos.prints[some], photos.is_crop)
    return int((found.similarity >= COPY_SIMILARITY).sum())


def audited(source: Source) -> pl.DataFrame:
    """The audit's reading, without faces and labels."""
    with tempfile.TemporaryDirectory() as folder:
        with PixelWriter(Path(folder), [], len(source.files)) as writer:
            table = take_in(source, [], writer, None)
        return assign_groups(table, Pixels(Path(folder)))


def decoding_seconds(contents: list[bytes]) -> float:
    """Seconds in which Pillow decodes files that are in memory already."""
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda content: Image.open(io.BytesIO(content)).convert("RGB").size, contents):
            pass
    return time.perf_counter() - started


def print_throughput(source: Source) -> None:
    """The audit's rate as a share of the bare decoding rate."""
    ok = set(usable(audited(source))["path"])
    source = replace(source, files=tuple(file for file in source.files if file.path in ok))
    contents = [source.read(file) for file in source.files]
    ratios = []
    for number in range(ROUNDS):
        bare = decoding_seconds(contents)
        started = time.perf_counter()
        audited(source)
        audit = time.perf_counter() - started
        ratios.append(bare / audit)
        rates = f"decoding {len(contents) / bare:.1f} photos/s, audit {len(contents) / audit:.1f} photos/s"
        print(f"round {number + 1}: {rates}, ratio {ratios[-1]:.2f}")
    print(f"ratio: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


def print_cost(spec: str) -> None:
    """Seconds and peak memory of a large set, each size in a process of its own."""
    few, everything = (measured(spec, most) for most in (FEW, sys.maxsize))
    for cost in (few, everything):
        print(f"{cost['files']} files: {cost['seconds']:.1f} s, at most {cost['megabytes']:.0f} MB")
    print(f"memory: {everything['megabytes'] / few['megabytes']:.2f} times as much for all")


def measured(spec: str, most: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--cost", spec, str(most)]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def print_own_cost(spec: str, most: int) -> None:
    """Audit at most so many files, evenly chosen, and say what this process needed."""
    started = time.perf_counter()
    source = open_source(spec)
    table = audited(replace(source, files=source.files[:: -(-len(source.files) // most)]))
    seconds = time.perf_counter() - started
    # Not ru_maxrss: a process takes that over from the one that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    megabytes = int(status["VmHWM"].removesuffix("kB")) / 1024
    print(json.dumps({"files": len(table), "seconds": seconds, "megabytes": megabytes}))


def main() -> None:
    if sys.argv[1:2] == ["--cost"]:
        print_own_cost(sys.argv[2], int(sys.argv[3]))
        return
    source = open_source(sys.argv[1] if len(sys.argv) > 1 else str(REAL) if REAL.exists() else "demo")
    print_recall(source)
    print_throughput(source)
    if len(sys.argv) > 2:
        print_cost(sys.argv[2])


if __name__ == "__main__":
    main()
