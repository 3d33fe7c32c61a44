"""``from-default``: what the shipped recogniser knows of shared classes, as far as few photos do not say otherwise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from mien.errors import ConfigError, WorkFailedError
from mien.models.artifact import model_path, open_model
from mien.recognizer import softmax
from mien.settings.by_name import made
from mien.settings.run import HeadRun
from mien.settings.study import StudySettings
from mien.training.head import fit_heads
from mien.training.linear import Head
from mien.training.prior import Prior, prior_of, refuse_seen
from mien.training.recipes import resolve_run


def prior_for(*labels: str) -> Prior | None:
    return prior_of(run_for(*labels).head, labels)


def run_for(*labels: str) -> HeadRun:
    run = resolve_run("from-default", made(StudySettings, data=("photos",), device="cpu"), labels)
    assert isinstance(run, HeadRun)
    return run


def test_classes_that_both_have_start_from_the_shipped_weights_and_others_from_nothing() -> None:
    prior = prior_for("Angry", "boredom", "happiness")
    assert prior is not None
    labels = prior.contract.labels
    shipped = prior_for(*labels)
    assert shipped is not None
    for own, theirs in ((prior.head, shipped.head), (prior.face_head, shipped.face_head)):
        assert np.array_equal(own[0][[0, 2]], theirs[0][[labels.index("anger"), labels.index("happy")]])
        assert np.array_equal(own[1][[0, 2]], theirs[1][[labels.index("anger"), labels.index("happy")]])
        assert not own[0][1].any()
        assert own[0][0].any()
    assert prior.of_face(1280)[0].shape[1] == prior.head[0].shape[1] - 1280


def test_classes_that_it_does_not_know_are_refused() -> None:
    with pytest.raises(ConfigError, match="two-stream"):
        prior_for("boredom", "interest")


def test_photos_that_it_learnt_from_are_refused() -> None:
    run = run_for("anger", "sad")
    assert run.head.prior is not None
    seen = sorted(open_model(model_path(run.head.prior))[1].training_hashes)[0]
    photos = pl.DataFrame({"sha256": ["f" * 64, seen + "0" * 52, None]})
    with pytest.raises(WorkFailedError, match="1 of these 2 photos"):
        refuse_seen([run], photos)
    refuse_seen([run], photos.head(1))
    other = resolve_run("two-stream", made(StudySettings, data=("photos",), device="cpu"), ("anger", "sad"))
    refuse_seen([other], photos)


CORNERS = 2 * np.eye(3, 12)


def blobs(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    y = np.arange(n) % 3
    return (CORNERS[y] + np.random.default_rng(seed).normal(0, 1.2, (n, 12))).astype(np.float32), y


def right(head: Head, seed: int = 9) -> float:
    features, y = blobs(3000, seed)
    return float(((features @ head[0].T + head[1]).argmax(1) == y).mean())


def test_few_photos_are_helped_by_what_was_known_and_change_little_of_it() -> None:
    features, y = blobs(6, 1)
    known = CORNERS.astype(np.float32), np.zeros(3, np.float32)
    (alone,) = fit_heads([0.01], features, y)
    timid, free = fit_heads([1e-6, 1e3], features, y, prior=known)
    assert right(timid) > right(alone) + 0.03
    assert np.allclose(timid[0], known[0], atol=1e-3)
    assert not np.allclose(free[0], known[0], atol=0.1)


def test_many_photos_overrule_what_was_known() -> None:
    features, y = blobs(3000, 2)
    wrong = np.roll(CORNERS, 1, axis=0).astype(np.float32), np.zeros(3, np.float32)
    (head,) = fit_heads([1.0], features, y, prior=wrong)
    (alone,) = fit_heads([1.0], features, y)
    assert right(wrong) < 0.1
    assert right(head) == pytest.approx(right(alone), abs=0.02)


def test_without_anything_known_it_is_the_usual_head() -> None:
    features, y = blobs(90, 3)
    nothing = np.zeros((3, 12), np.float32), np.zeros(3, np.float32)
    ((weight, bias),) = fit_heads([0.1], features, y, prior=nothing)
    ((usual, usual_bias),) = fit_heads([0.1], features, y)
    apart = softmax(features @ weight.T + bias) - softmax(features @ usual.T + usual_bias)
    assert np.abs(apart).max() < 1e-3
