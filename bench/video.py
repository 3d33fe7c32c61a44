"""How much longer a video takes than its frames as stills: ``python bench/video.py [FILE.json]``.

A drawn face moves over a drawn ground for 60 s, 25 frames a second. The video is looked at five times a second; the
same 300 frames lie as JPEG files in a folder. Both are answered in turns in this one process, so that a busy machine
slows them alike.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image

from mien import Recognizer
from mien.data.reading.pictures import open_pictures
from mien.demo import draw_face

SECONDS, RATE, LOOKED_AT, ROUNDS = 60, 25, 5, 3
SIZES = ((640, 360), (1280, 720))


def frames(size: tuple[int, int]) -> Iterator[Image.Image]:
    """A face that wanders over a coarse ground."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (9, 16, 3), dtype=np.uint8)
    ground = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    side = size[1] // 2
    faces = [draw_face(kind, 3).resize((side, side)) for kind in ("happy", "sad", "fear")]
    for number in range(SECONDS * RATE):
        frame = ground.copy()
        place = int((size[0] - side) * (0.5 + 0.4 * np.sin(number / 60)))
        frame.paste(faces[number // 100 % 3], (place, size[1] // 4))
        yield frame


def write(folder: Path, size: tuple[int, int]) -> tuple[Path, Path]:
    """The video, and the folder of those of its frames that are looked at."""
    video, stills = folder / "film.mp4", folder / "stills"
    stills.mkdir()
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, frame in enumerate(frames(size)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")))
            if number % (RATE // LOOKED_AT) == 0:
                frame.save(stills / f"{number:05d}.jpg", quality=90)
        container.mux(stream.encode())
    return video, stills


def costs(recognizer: Recognizer, path: Path) -> tuple[float, float]:
    """Seconds that it takes to answer all: by the clock, and of processor time."""
    start, busy = time.perf_counter(), time.process_time()
    answers = list(recognizer.predict_pictures(open_pictures(str(path), frames_per_second=LOOKED_AT)))
    assert len(answers) == SECONDS * LOOKED_AT, len(answers)
    assert all(answer.label for answer in answers)
    return time.perf_counter() - start, time.process_time() - busy


def main() -> None:
    """Print the ratios of each size, and store them."""
    recognizer = Recognizer.default()
    found: dict[str, object] = {"cores": os.cpu_count(), "seconds": SECONDS, "looked_at": SECONDS * LOOKED_AT}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            video, stills = write(Path(name), size)
            rounds = [(costs(recognizer, video), costs(recognizer, stills)) for _ in range(ROUNDS)]
        ratios = {
            kind: [round(film[place] / still[place], 3) for film, still in rounds]
            for place, kind in enumerate(("clock", "processor"))
        }
        for kind, each in ratios.items():
            print(f"{size[0]}×{size[1]}, {kind}: {statistics.median(each):.2f}, {min(each):.2f} to {max(each):.2f}")
        found[f"{size[0]}x{size[1]}"] = ratios
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
