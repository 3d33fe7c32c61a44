"""What an audit of very many face crops costs, and what the search by cells misses.

    python bench/scale.py [FER2013 [SIZES [OLDER]]]   SIZES: 36000,144000 by default; OLDER: a checkout to compare with

Each size is audited without faces in a process of its own, in turns with the older checkout. Seconds are those of the
clock and of all processors together; memory is the largest that one process held.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from many_crops import blends, faces_of, write_blends
from mien.data.grouping import cells
from mien.data.grouping.duplicates import COPY_SIMILARITY, Pairs, find_pairs
from mien.data.sources import open_source
from planted import KINDS, plant, printed

REAL = Path("../shared/data")
SIZES = (36_000, 144_000)
PLANTED = 200
AUDIT = (
    "import sys; from mien.cli import main; sys.argv = ['mien', 'audit', sys.argv[1], '--no-faces', '--json']; main()"
)


def audit_cost(photos: Path, checkout: Path) -> dict[str, float]:
    """Seconds and megabytes of one audit."""
    code = f"import resource, json; exec({json.dumps(AUDIT)})"
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(photos)],
        env=os.environ | {"PYTHONPATH": str(checkout / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    largest = 0
    while run.poll() is None:
        largest = max(largest, held(run.pid))
        time.sleep(0.05)
    assert run.returncode == 0, photos
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.perf_counter() - started, "cpu": cpu, "megabytes": largest / 1024}


def held(pid: int) -> int:
    """Most kilobytes that a process has held so far; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def print_costs(fer: Path, sizes: list[int], checkouts: list[Path]) -> None:
    source = open_source(str(fer))
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            photos = Path(folder) / f"crops-{size}.zip"
            write_blends(source, size, photos)
            for checkout in checkouts:
                cost = audit_cost(photos, checkout)
                told = f"{cost['seconds']:.1f} s, {cost['cpu']:.1f} s of processors, {cost['megabytes']:.0f} MB"
                print(
                    f"{size} crops, {'this one' if checkout == checkouts[0] else 'the older one'}: {told}", flush=True
                )
            photos.unlink()


def print_recall(name: str, prints: np.ndarray) -> None:
    """What cells miss of the pairs that a search of each with each finds."""
    found = dict[str, dict[tuple[int, int], float]]()
    for how, first in (("cells", 0), ("each with each", sys.maxsize)):
        cells.FROM, started = first, time.process_time()
        found[how] = as_pairs(find_pairs(lambda some: prints[some], np.ones(len(prints), np.bool_)))
        print(
            f"{name}: {how}, {len(found[how])} pairs, {time.process_time() - started:.1f} s of processors", flush=True
        )
    exact, quick = found["each with each"], found["cells"]
    missed, new = set(exact) - set(quick), set(quick) - set(exact)
    copies = {pair for pair, alike in exact.items() if alike >= COPY_SIMILARITY}
    print(
        f"{name}: {len(missed)} of {len(exact)} missed, {len(missed & copies)} of {len(copies)} copies; {len(new)} new"
    )


def as_pairs(found: Pairs) -> dict[tuple[int, int], float]:
    return {(i, j): alike for (i, j), alike in zip(found.indices.tolist(), found.similarity.tolist(), strict=True)}


def main() -> None:
    fer = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL / "fer2013.zip"
    sizes = [int(size) for size in sys.argv[2].split(",")] if len(sys.argv) > 2 else list(SIZES)
    print_costs(fer, sizes, [Path(), *map(Path, sys.argv[3:4])])
    faces, _ = faces_of(open_source(str(fer)))
    print_recall("FER2013", np.stack([printed(Image.fromarray(face)) for face in faces]))
    photos, copies = plant(open_source(str(REAL / "six-emotions.zip")), [*KINDS], count=PLANTED)
    print_recall("six-emotions, planted", np.concatenate([photos.prints, *(each.prints for each in copies.values())]))
    some = (printed(Image.fromarray(blend)) for _, blend in blends(faces, max(sizes)))
    print_recall(f"{max(sizes)} blends", np.stack(list(some)))


if __name__ == "__main__":
    main()
