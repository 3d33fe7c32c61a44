"""What Ray costs on one machine: features by Ray's workers against two processes, and a small study.

    python bench/cluster.py [PICTURES [TURNS]]    5,000 pictures and 3 turns by default

Both ways take turns. Features are those of EfficientNet-lite0 at 224 px, each worker with one thread, of pictures of
noise; the numbers must be the same bit for bit. The study is of drawn faces, fitted with the recipe probe.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.cluster.connecting import on_cluster
from mien.data.reading.processes import processes, spread
from mien.data.reading.read_ahead import in_order
from mien.demo import draw_face
from mien.models.backbones import load_backbone
from mien.models.exports import exported
from mien.progress import Silent
from mien.system.threads import share_cores
from mien.training.features import Extractor

PICTURES, TURNS, SIZE, TOGETHER, WORKERS = 5000, 3, 224, 32, 2
CLASSES, PER_CLASS = ("anger", "happy", "sad"), 20


class OneThread:
    """The extractor in a process that shares the cores."""

    def __init__(self, extract: Extractor) -> None:
        self._extract = extract

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        share_cores(1)
        return self._extract(pixels)


def pictures(count: int) -> Iterator[NDArray[np.uint8]]:
    """As many pictures as are asked for, TOGETHER at a time."""
    rng = np.random.default_rng(0)
    for start in range(0, count, TOGETHER):
        yield rng.integers(0, 256, (min(TOGETHER, count - start), SIZE, SIZE, 3), np.uint8)


def hashed(parts: Iterator[NDArray[np.float32]], started: float) -> tuple[str, float, float]:
    """What the features are, and the seconds to the first of them and from there to the last."""
    found, first = hashlib.sha256(next(parts).tobytes()), time.perf_counter()
    for part in parts:
        found.update(part.tobytes())
    return found.hexdigest(), first - started, time.perf_counter() - first


def by_ray(extract: Extractor, count: int) -> tuple[str, float, float]:
    """By the workers of a local cluster."""
    started = time.perf_counter()
    with on_cluster("local", Silent()):
        return hashed(spread(extract, pictures(count), threads=1), started)


def by_processes(model: bytes, count: int) -> tuple[str, float, float]:
    """By two processes, which read the network from a file."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, processes(WORKERS, "") as pool:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model)
        return hashed(in_order(pool, FromFile(path), pictures(count), 4 * WORKERS), started)


class FromFile:
    """An extractor that each process opens once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._path not in _opened:
            _opened[self._path] = OneThread(Extractor(self._path.read_bytes()))
        return _opened[self._path](pixels)


_opened: dict[Path, OneThread] = {}


def study(photos: Path, out: Path, *options: str) -> float:
    """The seconds of a small study."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "mien", "study", str(photos), "--recipe", "probe", "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def features(count: int, turns: int) -> None:
    """Measure features both ways."""
    backbone = load_backbone("efficientnet-lite0")
    with tempfile.TemporaryDirectory() as folder:
        model = exported(backbone, SIZE, Path(folder)).read_bytes()
    extract, seconds = Extractor(model), dict[str, list[tuple[float, float]]]()
    for _ in range(turns):
        ours = by_ray(extract, count)
        theirs = by_processes(model, count)
        assert ours[0] == theirs[0], "other numbers"
        for name, (_, start, rest) in (("Ray", ours), ("processes", theirs)):
            seconds.setdefault(name, []).append((start, rest))
            print(f"{name}: {start:.1f} s to the first, {(count - TOGETHER) / rest:.1f} pictures a second", flush=True)
    ray, pool = (statistics.median(rest for _, rest in seconds[name]) for name in ("Ray", "processes"))
    print(f"{count:,} pictures: Ray does {pool / ray:.2f} of what two processes do")


def small_study(turns: int) -> None:
    """Measure a small study both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder, more = Path(name), list[float]()
        for label in CLASSES:
            (folder / "faces" / label).mkdir(parents=True)
            for i in range(PER_CLASS):
                draw_face(label, i + 1).save(folder / "faces" / label / f"{i}.png")
        for turn in range(turns):
            here = study(folder / "faces", folder / f"here-{turn}")
            there = study(folder / "faces", folder / f"there-{turn}", "--cluster", "local")
            more.append(there - here)
            print(
                f"study of {len(CLASSES) * PER_CLASS} faces: {here:.1f} s, on a local cluster {there:.1f} s", flush=True
            )
        print(f"a local cluster costs {statistics.median(more):.1f} s (median of {turns})")


if __name__ == "__main__":
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else TURNS
    small_study(turns)
    features(int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES, turns)
