"""Which part of a picture an answer rests on: patches are painted over one by one, and the answer's fall is mapped.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import Box, UnreadableImageError, decode, render
from mien.data.sources.collection import Collection
from mien.progress import Advance
from mien.recognizer import Recognizer
from mien.results.behaviour import Mistake

__all__ = ["explained", "occlusion_map", "with_heat"]

GRID = 8
"""Patches a side."""
LONGEST = 480
"""Side to which a picture is reduced before it is painted over, px."""
GREY = (127, 127, 127)


def occlusion_map(
    recognizer: Recognizer, image: Image.Image, face: Box | None, answer: str | None = None
) -> NDArray[np.float64]:
    """How far the probability of the answer falls when a patch is covered: (GRID, GRID), from the top left, at least 0.

    Args:
        image: upright RGB.
        face: box of the judged face; it stays where it is, so that only what is seen changes.
        answer: the class that was answered; None takes what the picture gets at the size that is painted over.
    """
    scale = min(1.0, LONGEST / max(image.size))
    small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    box = (face[0] * scale, face[1] * scale, face[2] * scale, face[3] * scale) if face else None
    pictures = [small, *(_covered(small, i, j) for i in range(GRID) for j in range(GRID))]
    views = recognizer.contract.views
    probs = recognizer.probabilities({v.key: np.stack([render(each, v, box) for each in pictures]) for v in views})
    place = int(probs[0].argmax()) if answer is None else recognizer.labels.index(answer)
    return np.asarray(np.maximum(probs[0, place] - probs[1:, place], 0).reshape(GRID, GRID))


def explained(
    mistakes: Sequence[Mistake],
    recognizer: Recognizer,
    collection: Collection,
    manifest: pl.DataFrame,
    advance: Advance,
) -> tuple[Mistake, ...]:
    """Mistakes with ``rests_on`` filled in, unless the file can no longer be read.

    Args:
        collection: which the photos are of.
        manifest: of that collection.
    """
    files = {f"{source.name}/{file.path}": (source, file) for source in collection.sources for file in source.files}
    about = manifest.filter(pl.col("id").is_in([mistake.id for mistake in mistakes]))
    rows, told = {row["id"]: row for row in about.iter_rows(named=True)}, []
    for mistake in mistakes:
        source, file = files[mistake.id]
        left, top, right, bottom = (rows[mistake.id][f"face_{side}"] for side in ("left", "top", "right", "bottom"))
        face = None if left is None else (left, top, right, bottom)
        try:
            image = decode(source.read(file)).image
        except (OSError, UnreadableImageError):
            told.append(mistake)
        else:
            falls = occlusion_map(recognizer, image, face, mistake.predicted).round(4)
            told.append(msgspec.structs.replace(mistake, rests_on=tuple(tuple(row) for row in falls.tolist())))
        advance(1)
    return tuple(told)


def with_heat(image: Image.Image, falls: NDArray[np.float64]) -> Image.Image:
    """The picture in grey, with red laid over what the answer rests on; the strongest patch is the reddest."""
    strength = falls / max(falls.max(), 1e-9)
    heat = Image.fromarray((200 * strength).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    grey = image.convert("L").convert("RGB")
    return Image.composite(Image.new("RGB", image.size, (214, 40, 30)), grey, heat)


def _covered(image: Image.Image, row: int, column: int) -> Image.Image:
    covered = image.copy()
    x, y = (np.linspace(0, side, GRID + 1).round().astype(int) for side in image.size)
    covered.paste(GREY, (int(x[column]), int(y[row]), int(x[column + 1]), int(y[row + 1])))
    return covered
