"""A sketch settles most pairs and loses none."""

from __future__ import annotations

import numpy as np
import pytest

from mien.data.grouping.sketches import Sketcher, agreeing

STEPS, SIZE = 127, 40


def unit_vectors(n: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Vectors (n, SIZE), more and more of them in few directions the larger the spread."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, SIZE)) * np.exp(-spread * np.arange(SIZE) / 8)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("rank", [1, 6, SIZE])
@pytest.mark.parametrize("least", [0.3, 0.7, 0.85])
def test_every_pair_that_agrees_is_found_and_no_other(rank: int, least: float) -> None:
    ours, theirs = unit_vectors(60, 1), unit_vectors(70, 2)
    theirs[:30] = ours[:30] + np.random.default_rng(3).normal(scale=0.06, size=(30, SIZE))
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    steps = np.rint(theirs * STEPS).astype(np.int8)
    sketcher = Sketcher.of(steps, rank)
    rounded = (steps / STEPS).astype(np.float32)
    found = agreeing((sketcher(ours), ours), (sketcher(rounded), steps), STEPS, least)
    product = ours @ rounded.T
    assert 20 < len(found.row) < product.size
    assert set(zip(found.row.tolist(), found.column.tolist(), strict=True)) == {
        *zip(*np.nonzero(product >= least), strict=True)
    }
    assert np.allclose(found.product, product[found.row, found.column], atol=1e-6)


def test_few_directions_settle_most_pairs() -> None:
    vectors = unit_vectors(300, 4, spread=2.0)
    sketch = Sketcher.of(np.rint(vectors * STEPS).astype(np.int8), 10)(vectors)
    bound = sketch @ sketch.T
    assert (bound >= vectors @ vectors.T - 1e-5).all()
    assert (bound - vectors @ vectors.T).mean() < 0.1
