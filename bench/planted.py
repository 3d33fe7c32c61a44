"""Copies of real photos, changed in the ways that files change: what the search for copies is measured on."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from mien.data.grouping.components import connected_components
from mien.data.grouping.duplicates import COPY_SIMILARITY, Pairs, find_pairs
from mien.data.measuring.fingerprints import SIDE, fingerprint
from mien.data.measuring.properties import survey
from mien.data.reading.preprocess import UnreadableImageError, decode, is_face_crop
from mien.data.sources import Source, SourceFile

__all__ = ["CHANGES", "HARDER", "KINDS", "Pictures", "Score", "cropped", "marked", "plant", "printed", "score"]

Rng = np.random.Generator
Change = Callable[[Image.Image, Rng], Image.Image]
LARGEST = 1024
"""Longer side of the photos that copies are made of, px."""
THREADS = max(1, min(8, os.cpu_count() or 1))


@dataclass(frozen=True)
class Pictures:
    """Fingerprints (N, SIDE, SIDE), and which are of face crops (N,)."""

    prints: NDArray[np.uint8]
    is_crop: NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """How the search did on one kind of copy.

    Attributes:
        found: copies that were paired with their original, of ``planted``.
        false: pairs of a copy with a photo that is no copy of its original.
    """

    planted: int
    found: int
    false: int


def printed(image: Image.Image) -> NDArray[np.uint8]:
    """The fingerprint as intake takes it."""
    return fingerprint(survey(image.convert("RGB")).grey)


def cropped(image: Image.Image, share: float, place: tuple[float, float]) -> Image.Image:
    """This share of either side; the place says which share of the rest is cut off on the left and above."""
    width, height = round(image.width * share), round(image.height * share)
    left, top = round((image.width - width) * place[0]), round((image.height - height) * place[1])
    return image.crop((left, top, left + width, top + height))


def marked(image: Image.Image, place: float, *, height: float, opacity: float = 1.0) -> Image.Image:
    """With a black strip and white text over it, 0 at the top and 1 at the bottom."""
    rows, over = round(image.height * height), image.copy()
    top = round((image.height - rows) * place)
    draw = ImageDraw.Draw(over)
    draw.rectangle((0, top, image.width, top + rows), fill="black")
    draw.text((image.width * 0.1, top), "an agency · 1234567", fill="white", font_size=max(1, 0.7 * rows))
    return Image.blend(image, over, opacity)


def jpeg(image: Image.Image, quality: int = 50) -> Image.Image:
    """Re-encoded."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _anywhere(rng: Rng) -> tuple[float, float]:
    return float(rng.random()), float(rng.random())


KINDS: dict[str, Change] = {
    "JPEG at quality 50": lambda image, rng: jpeg(image),
    "half size": lambda image, rng: image.resize((max(1, image.width // 2), max(1, image.height // 2))),
    "mirror": lambda image, rng: ImageOps.mirror(image),
    "10 % crop": lambda image, rng: cropped(image, 0.9, _anywhere(rng)),
    "watermark strip": lambda image, rng: marked(
        image, float(rng.random()), height=rng.uniform(0.05, 0.1), opacity=rng.uniform(0.4, 1)
    ),
    "brightness ±25 %": lambda image, rng: ImageEnhance.Brightness(image).enhance(float(rng.choice([0.75, 1.25]))),
}
"""The six kinds that must be found."""
HARDER: dict[str, Change] = {
    "15 % crop": lambda image, rng: cropped(image, 0.85, _anywhere(rng)),
    "20 % crop": lambda image, rng: cropped(image, 0.8, _anywhere(rng)),
    "mirrored 10 % crop": lambda image, rng: ImageOps.mirror(cropped(image, 0.9, _anywhere(rng))),
    "black strip at top": lambda image, rng: marked(image, 0, height=0.12),
    "black strip in the middle": lambda image, rng: marked(image, 0.5, height=0.12),
    "grey": lambda image, rng: image.convert("L").convert("RGB"),
}
CHANGES = KINDS | HARDER


def plant(source: Source, changes: Sequence[str], *, count: int, seed: int = 0) -> tuple[Pictures, dict[str, Pictures]]:
    """Read every photo once; change some.

    Returns:
        The photos that can be read, and for each kind of change the changed copies of the first ``count`` of them,
        in an order that depends on the seed alone.
    """
    files = [file for file in source.files if file.ignored is None]
    files = [files[i] for i in np.random.default_rng(seed).permutation(len(files))]

    def read(number: int, file: SourceFile) -> list[tuple[NDArray[np.uint8], bool]]:
        try:
            photo = decode(source.read(file)).image
        except UnreadableImageError:
            return []
        reduced = photo.copy()
        reduced.thumbnail((LARGEST, LARGEST))
        rng = np.random.default_rng((seed, number))
        copies = [CHANGES[name](reduced, rng) for name in changes] if number < count else []
        return [(printed(image), is_face_crop(*image.size)) for image in (photo, *copies)]

    with ThreadPoolExecutor(THREADS) as pool:
        made = [pictures for pictures in pool.map(read, range(len(files)), files) if pictures]
    copied = [pictures for pictures in made if len(pictures) > 1]
    copies = {name: _pictures([pictures[k + 1] for pictures in copied]) for k, name in enumerate(changes)}
    return _pictures([pictures[0] for pictures in made]), copies


def score(photos: Pictures, copies: Pictures) -> Score:
    """Search for copies planted among the photos, of which they are the first ones."""
    n, planted = len(photos.prints), len(copies.prints)
    prints = np.concatenate([photos.prints, copies.prints])
    found = _copies(find_pairs(lambda some: prints[some], np.concatenate([photos.is_crop, copies.is_crop])))
    # Photos that are copies of one another as they came stand for the same picture.
    picture = connected_components(n, found[found[:, 1] < n])
    picture = np.concatenate([picture, picture[:planted]])
    pairs = set(map(tuple, found.tolist()))
    false = int((picture[found[:, 0]] != picture[found[:, 1]]).sum())
    return Score(planted, sum((i, n + i) in pairs for i in range(planted)), false)


def _pictures(made: Sequence[tuple[NDArray[np.uint8], bool]]) -> Pictures:
    prints = np.array([fingerprint for fingerprint, _ in made], np.uint8).reshape(-1, SIDE, SIDE)
    return Pictures(prints, np.array([is_crop for _, is_crop in made], np.bool_))


def _copies(found: Pairs) -> NDArray[np.int64]:
    return found.indices[found.similarity >= COPY_SIMILARITY]
