"""How fast ``mien predict`` is: against a bare loop over the same work, and from a cold start.

``python bench/predict.py PHOTOS.zip``. The bare loop decodes with Pillow, runs the detector's session on the reduced
photo and the recogniser's session on batches, in as many threads as there are cores, and does nothing else. Both run in
turns in this one process, so that a busy machine slows them alike.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from mien import Recognizer
from mien.data.measuring.faces import DETECTION_SIZE, FaceDetector
from mien.data.reading.pictures import open_pictures

ROUNDS, MOST = 3, 1000


def unpacked(zip_file: str, folder: Path) -> list[Path]:
    """Up to 1,000 photos as files."""
    paths = []
    with zipfile.ZipFile(zip_file) as archive:
        names = [n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".jfif"))]
        for i, name in enumerate(names[:MOST]):
            paths.append(folder / f"{i:04d}{Path(name).suffix}")
            paths[-1].write_bytes(archive.read(name))
    return paths


def bare(paths: list[Path], recognizer: Recognizer, detector: FaceDetector) -> None:
    """The same decoding and the same sessions, and nothing else."""
    sizes = {view.name: view.size for view in recognizer.contract.views}
    session, found = recognizer._session, detector._session

    def work(path: Path) -> dict[str, np.ndarray]:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            rgb = image.convert("RGB")
        scale = min(1.0, DETECTION_SIZE / max(rgb.size))
        small = rgb.resize([max(32, int(side * scale) // 32 * 32) for side in rgb.size], Image.Resampling.BILINEAR)
        found.run(None, {"input.1": np.asarray(small, np.float32).transpose(2, 0, 1)[None]})
        return {name: np.asarray(rgb.resize((size, size), Image.Resampling.BILINEAR)) for name, size in sizes.items()}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for i in range(0, len(paths), 32):
            views = list(pool.map(work, paths[i : i + 32]))
            session.run(None, {name: np.stack([view[name] for view in views]) for name in sizes})


def main() -> None:
    """Print rates, their ratio, and the seconds of a cold start."""
    recognizer, detector = Recognizer.default(), FaceDetector()
    with tempfile.TemporaryDirectory() as name:
        paths = unpacked(sys.argv[1], Path(name))
        ratios = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            bare(paths, recognizer, detector)
            middle = time.perf_counter()
            n = sum(1 for _ in recognizer.predict_pictures(open_pictures(name)))
            end = time.perf_counter()
            ratios.append((middle - start) / (end - middle))
            print(f"bare loop {n / (middle - start):.1f}/s, predict {n / (end - middle):.1f}/s, ratio {ratios[-1]:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f} of {ROUNDS} rounds, {len(paths)} photos")
        command = [sys.executable, "-c", "from mien.cli import main; main()", "predict", str(paths[0])]
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        print(f"one photo from a cold start: {min(seconds):.2f} to {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
