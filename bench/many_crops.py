"""As many distinct face crops as are asked for: blends of FER2013's faces, in a zip with a folder for each class.

    python bench/many_crops.py FER2013 NUMBER OUT.zip

Each blend takes between 35 and 65 % of two faces, one of them mirrored half of the time; the class is the first one's.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.sources import Source, open_source

__all__ = ["blends", "faces_of", "write_blends"]

SIDE, SEED, QUALITY = 48, 0, 90
LEAST, MOST = 0.35, 0.65


def faces_of(source: Source) -> tuple[NDArray[np.uint8], list[str]]:
    """Greys (N, 48, 48) and classes (N,) of a set of such faces."""
    faces = [Image.open(io.BytesIO(source.read(file))).convert("L").resize((SIDE, SIDE)) for file in source.files]
    return np.stack([np.asarray(face) for face in faces]), [str(file.label) for file in source.files]


def blends(faces: NDArray[np.uint8], number: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Blends (48, 48) of two random faces, each with the place of the first; the same ones in every run."""
    rng = np.random.default_rng(SEED)
    for _ in range(number):
        one, other = rng.choice(len(faces), 2, replace=False)
        share = rng.uniform(LEAST, MOST)
        second = faces[other][:, ::-1] if rng.random() < 0.5 else faces[other]
        yield int(one), np.rint(share * faces[one] + (1 - share) * second).astype(np.uint8)


def write_blends(source: Source, number: int, path: Path) -> None:
    """Write a zip of blends."""
    faces, labels = faces_of(source)
    with zipfile.ZipFile(path, "w") as archive:
        for i, (one, blend) in enumerate(blends(faces, number)):
            content = io.BytesIO()
            Image.fromarray(blend).save(content, "JPEG", quality=QUALITY)
            archive.writestr(f"{labels[one]}/{i:07d}.jpg", content.getvalue())


if __name__ == "__main__":
    write_blends(open_source(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
