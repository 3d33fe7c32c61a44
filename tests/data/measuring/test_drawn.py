"""Drawn pictures are told from photographs, whatever was done to the file, and never at a photo's expense."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.data.measuring.drawn import drawn_probabilities
from mien.data.reading.preprocess import Box

SURELY = 0.5


def drawn(picture: NDArray[np.uint8], face: Box | None = None) -> float:
    return float(drawn_probabilities([Image.fromarray(picture).convert("L")], [face])[0])


def cartoon(seed: int, size: int = 220) -> Image.Image:
    """A flat face: a few colours with hard edges."""
    colours = np.random.default_rng(seed).integers(40, 216, (5, 3)).tolist()
    ground, skin, hair, lips, cloth = (tuple(colour) for colour in colours)
    image = Image.new("RGB", (4 * size, 4 * size), ground)
    pen, unit = ImageDraw.Draw(image), 4 * size / 10
    for colour, box in ((cloth, (1, 8, 9, 14)), (hair, (2, 1, 8, 7)), (skin, (2.5, 2, 7.5, 9)), (lips, (4, 7, 6, 8))):
        pen.ellipse([unit * edge for edge in box], fill=colour)
    for x in (3.7, 5.6):
        pen.ellipse([unit * x, unit * 4, unit * (x + 0.8), unit * 4.8], fill="white", outline="black", width=8)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def camera_like(seed: int, shape: tuple[int, int] = (170, 256)) -> NDArray[np.uint8]:
    """What a photo has in common with others: detail at every scale (a 1/f spectrum), shading and sensor noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), indexing="ij")
    spectrum = np.fft.fft2(rng.normal(size=(3, *shape))) / np.maximum(np.hypot(rows, columns), 1 / max(shape))
    scene = np.fft.ifft2(spectrum).real.transpose(1, 2, 0)
    scene = 128 + 45 * (scene - scene.mean()) / scene.std() + rng.normal(0, 2, scene.shape)
    return np.asarray(scene.clip(0, 255), np.uint8)


def reencoded(image: Image.Image, quality: int = 50) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def changed(image: Image.Image, how: str) -> NDArray[np.uint8]:
    if how == "jpeg":
        image = reencoded(image)
    if how == "grey":
        image = image.convert("L").convert("RGB")
    if how == "resized":
        image = image.resize((150, 150), Image.Resampling.BILINEAR)
    return np.asarray(image)


@pytest.mark.parametrize("how", ["as it is", "jpeg", "grey", "resized"])
def test_cartoons_are_drawn_whatever_was_done_to_the_file(how: str) -> None:
    probabilities = np.array([drawn(changed(cartoon(seed), how)) for seed in range(20)])
    assert (probabilities > SURELY).mean() >= 0.9, probabilities.round(2)


@pytest.mark.parametrize("shape", [(170, 256), (256, 170), (96, 96)])
def test_pictures_with_the_statistics_of_photos_are_not_drawn(shape: tuple[int, int]) -> None:
    assert max(drawn(camera_like(seed, shape)) for seed in range(10)) < 0.1


def test_a_photographed_face_before_a_wall_of_one_colour_is_not_drawn() -> None:
    picture = np.full((200, 256, 3), (90, 140, 200), np.uint8)
    picture[60:180, 90:170] = camera_like(1, (120, 80)) // 2 + 60
    whole = drawn(picture)
    assert drawn(picture, (95.2, 70.0, 165.7, 150.0)) < 0.1 < whole


def test_a_drawn_face_stays_drawn_where_its_box_is_known() -> None:
    assert drawn(np.asarray(cartoon(3)), (40, 30, 180, 200)) > SURELY


@pytest.mark.parametrize("box", [(10, 10, 12, 12), (-5, -5, -1, -1), (240, 200, 260, 220)])
def test_a_face_too_small_to_judge_changes_nothing(box: tuple[int, int, int, int]) -> None:
    picture = np.asarray(cartoon(4))
    assert drawn(picture, box) == drawn(picture)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 256), (48, 48), (256, 171)])
def test_nothing_is_drawn_on_a_blank_picture(level: int, shape: tuple[int, int]) -> None:
    assert drawn(np.full((*shape, 3), level, np.uint8)) == 0


def test_pictures_judged_together_are_judged_as_each_alone() -> None:
    pictures = [cartoon(seed).convert("L") for seed in range(5)] + [Image.new("L", (220, 220), 90)]
    faces = [None, (40, 30, 180, 200), None, (-5, -5, 300, 300), (10, 10, 12, 12), None]
    together = drawn_probabilities(pictures, faces)
    alone = [drawn_probabilities([picture], [face])[0] for picture, face in zip(pictures, faces, strict=True)]
    assert together.tolist() == alone
    assert together[-1] == 0


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_are_probabilities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (rng.integers(2, 257), rng.integers(2, 257), 3), dtype=np.uint8)
    two_tones = (rng.random((60, 60, 1)) < 0.5).repeat(3, 2).astype(np.uint8) * 255
    assert all(0 <= drawn(picture) <= 1 for picture in (noise, two_tones))


def test_it_costs_little_beside_decoding() -> None:
    """At most 1.5 ms for a survey of 256 px; a quarter of that was measured."""
    picture = cartoon(6, 256).convert("L")
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        drawn_probabilities([picture], [(60, 60, 200, 220)])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.5e-3
