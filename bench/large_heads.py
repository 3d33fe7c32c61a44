"""What a head's fit to many photos costs: to features in memory, and in pieces to features of 16 bits on the disk.

    python bench/large_heads.py PHOTOS [WIDTH]     as in: 20000 2560

Features are made up: seven classes, a mirror image of each photo. Each way runs in a process of its own, whose largest
memory is told with that before the fit; seconds are those of the clock and of all processors together.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.settings.training import HeadSettings
from mien.training.feature_parts import PHOTOS_A_PART, FeatureParts, StoredFeatures
from mien.training.head import cross_validate, fit_heads

CLASSES = 7
STRENGTH = 0.01


def made_up(y: NDArray[np.int64], width: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Features of some photos at a time, never negative, as those of a network are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(0, 0.15, (CLASSES, width))
    for first in range(0, len(y), PHOTOS_A_PART):
        some = y[first : first + PHOTOS_A_PART]
        yield np.maximum(centres[some] + rng.normal(0, 1, (len(some), width)), 0).astype(np.float32)


def written(folder: Path, y: NDArray[np.int64], width: int, way: str) -> list[StoredFeatures]:
    """Features of photos and of their mirror images, on the disk."""
    found, names = [], pl.Series([f"{i:064d}" for i in range(len(y))])
    for seed in (1, 2):
        parts = FeatureParts(folder, str(seed), in_half=way == "pieces")
        for i, some in enumerate(made_up(y, width, seed)):
            if len(parts.missing(pl.DataFrame({"sha256": names[i * PHOTOS_A_PART : (i + 1) * PHOTOS_A_PART]}))):
                parts.append(names[i * PHOTOS_A_PART : (i + 1) * PHOTOS_A_PART].to_list(), some)
        found.append(parts.stored(names))
    return found


def held() -> int:
    """The largest memory of this process so far, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(way: str, folder: Path, photos: int, width: int) -> dict[str, float | str]:
    """What the search for a penalty and the fit cost, as ``fit_head`` does both."""
    y = np.random.default_rng(3).integers(0, CLASSES, photos)
    both = written(folder, y, width, way)
    before = held()
    features, mirrored = both if way == "pieces" else [each.read() for each in both]
    read, clock, cpu = held(), time.perf_counter(), time.process_time()
    cross_validate(HeadSettings(strength=STRENGTH), features, y, np.arange(photos), 0, mirrored)
    searched, start, start_cpu = held(), time.perf_counter(), time.process_time()
    ((weight, bias),) = fit_heads([STRENGTH], features, y, mirrored)
    np.savez(folder / f"{way}.npz", weight=weight, bias=bias)
    return {
        "way": way,
        "photos": photos,
        "before_mb": before,
        "read_mb": read,
        "search_mb": searched,
        "largest_mb": held(),
        "search_s": round(start - clock, 1),
        "search_cpu_s": round(start_cpu - cpu, 1),
        "fit_s": round(time.perf_counter() - start, 1),
        "fit_cpu_s": round(time.process_time() - start_cpu, 1),
    }


def difference(folder: Path, width: int) -> dict[str, float]:
    """How far the two heads differ on 2,000 other photos."""
    y = np.random.default_rng(4).integers(0, CLASSES, PHOTOS_A_PART)
    (rows,) = made_up(y, width, 5)
    heads = [np.load(folder / f"{way}.npz") for way in ("memory", "pieces")]
    one, other = (rows @ each["weight"].T + each["bias"] for each in heads)
    one, other = (each - each.mean(1, keepdims=True) for each in (one, other))
    return {
        "largest_difference_of_a_logit": round(float(np.abs(one - other).max()), 5),
        "spread_of_logits": round(float(one.std()), 3),
        "same_class": round(float((one.argmax(1) == other.argmax(1)).mean()), 5),
    }


if __name__ == "__main__":
    if len(sys.argv) == 5:
        print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))), flush=True)
        raise SystemExit
    photos, width = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2560
    with tempfile.TemporaryDirectory() as place:
        for way in ("pieces", "memory"):
            words = [sys.executable, __file__, way, place, str(photos), str(width)]
            subprocess.run(words, check=True)
        print(json.dumps(difference(Path(place), width)))
