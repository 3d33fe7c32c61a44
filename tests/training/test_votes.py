"""What raters said of a photo is learnt as shares of the classes, unless the class with most votes was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image

from mien.data.reading.preprocess import View
from mien.data.tables.vote_shares import vote_shares
from mien.models.networks import IMAGENET_MEAN, IMAGENET_STD, EmotionCNN, PhotoNetwork
from mien.progress import Silent
from mien.recognizer import Recognizer, softmax
from mien.settings.budget import Budget
from mien.settings.choices import VotesAs
from mien.settings.run import read_run
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.settings.training import TrainSettings
from mien.stages import open_study
from mien.training.batches import PhotoBatches, TrainingSet
from mien.training.fit import ExpressionModule
from mien.training.head import fit_heads
from mien.training.linear import Head
from mien.training.run import LabelledPhotos, train_run
from support.studies import Study
from support.tiny_training import DrawnPixels

CLASSES = ("anger", "fear", "sad")
SETTINGS = TrainSettings(size=32, batch_size=8, budget=Budget(epochs=3), precision="fp32", augment="none")


def rows(**columns: object) -> pl.DataFrame:
    label = pl.Series(["anger", "anger", "sad", "fear"])
    return pl.DataFrame({"label": label, "given_label": [None, None, None, "sad"], **columns})


def test_shares_are_those_of_the_classes_among_the_votes_that_name_one() -> None:
    votes = {"votes.anger": [3.0, None, 0.0, 0.0], "votes.sad": [1.0, None, 5.0, 9.0], "votes.unknown": [4.0] * 4}
    shares = vote_shares(rows(**votes), CLASSES)
    assert shares is not None
    assert shares.tolist() == [
        [0.75, 0.0, 0.25],
        [1.0, 0.0, 0.0],  # of another source, which has no votes
        [0.0, 0.0, 1.0],
        [0.0, 1.0, 0.0],  # a person corrected it, whatever raters said
    ]


@pytest.mark.parametrize("votes", [{}, {"votes.unknown": [1.0] * 4}, {"votes.fear": [None, None, 0.0, 7.0]}])
def test_photos_without_a_vote_that_counts_are_learnt_by_their_labels(votes: dict[str, object]) -> None:
    assert vote_shares(rows(**votes), CLASSES) is None


def blobs(n: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    y = np.arange(n) % 3
    features = 2 * np.eye(3, width)[y] + np.random.default_rng(0).normal(0, 1, (n, width))
    return features.astype(np.float32), y


def assert_alike(one: Head, other: Head, atol: float = 1e-3) -> None:
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a, b, atol=atol)


@pytest.mark.parametrize("width", [4, 80])
def test_head_of_undivided_votes_is_that_of_the_labels(width: int) -> None:
    """With more photos than features, and with fewer."""
    features, y = blobs(60, width)
    shares = np.eye(3, dtype=np.float32)[y]
    for mirrored in (None, features[:, ::-1]):
        by_labels, by_votes = (fit_heads([0.1], features, y, mirrored, shares=each)[0] for each in (None, shares))
        assert_alike(by_labels, by_votes, 1e-5)


def test_head_answers_with_the_shares_that_raters_gave() -> None:
    features, y = blobs(600, 8)
    shares = np.full((600, 3), 0.2, np.float32)
    shares[np.arange(600), y] = 0.6
    ((weight, bias),) = fit_heads([100.0], features, y, shares=shares)
    told = softmax(features @ weight.T + bias)
    assert told.mean(0) == pytest.approx(shares.mean(0), abs=0.01)
    assert np.sort(told, 1)[:, -1].mean() == pytest.approx(0.5, abs=0.1)  # labels alone would teach 0.8
    ((weight, bias),) = fit_heads([100.0], features, y)
    assert np.sort(softmax(features @ weight.T + bias), 1)[:, -1].mean() > 0.7


def test_photo_that_counts_twice_is_learnt_twice() -> None:
    features, y = blobs(90, 6)
    shares = np.random.default_rng(1).dirichlet(np.ones(3), 90).astype(np.float32)
    weights = np.where(np.arange(90) < 30, 2.0, 1.0)
    # The same standardisation for both: what is learnt twice stands beside its own negative.
    both = np.r_[np.arange(90), np.arange(30)]
    ((weight, bias),) = fit_heads([1.0], features, y, weights=weights, shares=shares)
    ((twice, twice_bias),) = fit_heads([1.0], features[both], y[both], shares=shares[both])
    apart = softmax(features @ weight.T + bias) - softmax(features @ twice.T + twice_bias)
    assert np.abs(apart).max() < 0.02


def test_network_learns_the_shares_and_is_scored_on_the_labels() -> None:
    pixels, shares = DrawnPixels(4, 32), np.full((4, 3), 1 / 3, np.float32)
    voted = TrainingSet(pixels, View("photo", 32), np.arange(4), np.array([0, 1, 2, 0]), shares)
    batch = PhotoBatches(voted)[[0, 2]]
    assert batch[1].tolist() == [0, 2]
    assert torch.equal(batch[2], torch.from_numpy(shares[[0, 2]]))
    labelled = PhotoBatches(replace(voted, shares=None))[[0, 2]]
    assert torch.equal(labelled[1], labelled[2])
    torch.manual_seed(0)
    network = PhotoNetwork(EmotionCNN(3), IMAGENET_MEAN, IMAGENET_STD).eval()
    expected = -network(batch[0]).log_softmax(1).mean()  # against even shares
    loss = ExpressionModule(network, SETTINGS, 1, 3).training_step(batch, 0)
    assert torch.allclose(loss, expected, atol=1e-5)


def answer_after(photos: LabelledPhotos, study: Study, votes: VotesAs, folder: Path) -> NDArray[np.float32]:
    """What the small study's ``probe`` says of a grey picture when it learnt from these photos."""
    run = structs.replace(read_run(study.folder / "runs" / "probe" / "config.toml"), votes=votes)
    assert train_run(run, photos, folder, advance=lambda n: None).votes == votes
    assert read_run(folder / "config.toml").votes == votes
    (answer,) = Recognizer(folder).predict([Image.new("RGB", (64, 64), "grey")])
    assert answer.probabilities is not None
    return np.array(list(answer.probabilities.values()), np.float32)


@pytest.mark.heavy
def test_study_learns_votes_unless_their_majority_was_asked_for(
    small_study: Study, study_copy: Path, tmp_path: Path
) -> None:
    settings = read_toml(StudySettings, study_copy / "study.toml")
    plain = open_study(settings, study_copy, resume=True, progress=Silent()).photos
    divided = [
        pl.when(pl.col("label") == label).then(6.0).otherwise(4.0).alias(f"votes.{label}") for label in plain.labels
    ]
    voted = replace(plain, manifest=plain.manifest.with_columns(divided))
    by_label = answer_after(plain, small_study, "soft", tmp_path / "labels")
    soft = answer_after(voted, small_study, "soft", tmp_path / "soft")
    majority = answer_after(voted, small_study, "majority", tmp_path / "majority")
    assert np.array_equal(by_label, majority)
    assert soft.max() < by_label.max()
