"""Drawings are told by their look: the head is small and safe, and ranks real drawings above photos."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.auditing.drawings import HEAD, WIDTH, drawn_by_look
from mien.data.reading.preprocess import View, decode, render
from mien.data.sources import open_source
from mien.demo import draw_face

PHOTO = View("photo", 224)
DRAWN = ("f66d7a910171", "8214227495af", "884131736b4f", "76bb1f24d38f", "78cc9eab4746", "76370ecc6c44")
"""First digits of the sha256 of the drawings among the real photos; none was trained on."""


class Look:
    """Features of the whole photo twice over, as wide as those of a probe with two views."""

    def __init__(self) -> None:
        from mien.models.backbones import load_backbone
        from mien.models.networks import PhotoNetwork

        backbone = load_backbone()
        self._network = PhotoNetwork(backbone.module, backbone.mean, backbone.std).eval()

    def features(self, images: list[Image.Image]) -> NDArray[np.float32]:
        import torch

        views = [torch.tensor(render(image, PHOTO, None))[None] for image in images]
        with torch.inference_mode():
            features = torch.cat([self._network(view) for view in views]).numpy()
        return np.hstack([features, features])


@pytest.fixture(scope="module")
def look() -> Look:
    pytest.importorskip("timm")
    return Look()


def random_features(n: int, width: int = 2 * WIDTH) -> NDArray[np.float32]:
    return np.random.default_rng(0).gamma(1, 0.3, (n, width)).astype(np.float32)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_there_is_one_probability_for_each_photo(n: int) -> None:
    probabilities = drawn_by_look(random_features(n))
    assert probabilities.shape == (n,)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_extreme_features_give_probabilities_without_a_warning() -> None:
    with np.errstate(all="raise"):
        probabilities = drawn_by_look(np.concatenate([random_features(3) * 1e6, -random_features(3) * 1e6]))
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_only_the_whole_photo_counts() -> None:
    both = random_features(4)
    other = both.copy()
    other[:, WIDTH:] = 0
    np.testing.assert_array_equal(drawn_by_look(both), drawn_by_look(other))
    np.testing.assert_array_equal(drawn_by_look(both), drawn_by_look(both[:, :WIDTH]))
    assert not np.allclose(drawn_by_look(both), drawn_by_look(np.roll(both, 1, axis=1)))


def test_the_head_is_small_and_needs_no_pickle() -> None:
    assert HEAD.stat().st_size < 8192
    with np.load(HEAD, allow_pickle=False) as stored:
        assert {name: stored[name].shape for name in stored} == {"weight": (WIDTH,), "bias": ()}
        assert all(stored[name].dtype == np.float32 and np.isfinite(stored[name]).all() for name in stored)


@pytest.mark.heavy
def test_faces_of_the_demo_are_drawn(look: Look) -> None:
    faces = [draw_face(label, 9000 + i) for i, label in enumerate(("anger", "happy", "pain", "sad"))]
    assert (drawn_by_look(look.features(faces)) >= 0.5).all()


@pytest.mark.data
def test_real_drawings_stand_above_nearly_all_real_photos(look: Look, real_data: Path) -> None:
    """Every fifth photo of the collection, and all of the drawings in it."""
    source = open_source(str(real_data / "six-emotions.zip"))
    images, is_drawn = [], []
    for i, file in enumerate(file for file in source.files if file.ignored is None):
        content = source.read(file)
        drawn = hashlib.sha256(content).hexdigest()[:12] in DRAWN
        if drawn or i % 5 == 0:
            images.append(decode(content).image)
            is_drawn.append(drawn)
    probabilities, drawings = drawn_by_look(look.features(images)), np.array(is_drawn)
    assert drawings.sum() == len(DRAWN)
    above = [(probabilities[~drawings] > probability).mean() for probability in probabilities[drawings]]
    assert max(above) < 0.05, above
    assert (probabilities[~drawings] >= 0.1).mean() < 0.02
