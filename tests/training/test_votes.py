"""What raters said of a photo is learnt as shares of the classes, unless the class with most votes was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image

from mien.comparing.arms import parse_arms, refuse_votes, resolve_arm
from mien.comparing.fold_runs import run_folds
from mien.comparing.plan import PairPlan
from mien.comparing.run import _key
from mien.data.grouping.fold_plan import assign_folds
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection, open_with_target
from mien.data.tables.outline import outline_study
from mien.data.tables.prepare import prepare
from mien.data.tables.unchanged import refuse_changed
from mien.data.tables.vote_shares import vote_shares
from mien.errors import ConfigError, SourceError
from mien.models.networks import IMAGENET_MEAN, IMAGENET_STD, EmotionCNN, PhotoNetwork
from mien.progress import Silent
from mien.recognizer import Recognizer, softmax
from mien.settings.budget import Budget
from mien.settings.by_name import made
from mien.settings.choices import VotesAs
from mien.settings.run import HeadRun, read_run
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.settings.training import HeadSettings, TrainSettings
from mien.stages import fit_to_all, open_study
from mien.training.batches import PhotoBatches, TrainingSet
from mien.training.fit import ExpressionModule, cross_entropy
from mien.training.head import cross_validate, fit_heads
from mien.training.history import read_history
from mien.training.linear import Head
from mien.training.run import LabelledPhotos, train_run
from support.drawn_sets import draw_set
from support.made_comparison import asked
from support.studies import Study
from support.tiny_training import DrawnPixels, noise, trained_on

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


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.4, 1.0, 3.0])])
def test_loss_of_undivided_votes_is_that_of_the_labels(weights: torch.Tensor | None, smoothing: float) -> None:
    """Also where classes weigh differently, and a batch has more of some than of others."""
    torch.manual_seed(0)
    logits, y = torch.randn(5, 3), torch.tensor([0, 0, 2, 1, 0])
    shares = torch.eye(3)[y]
    by_labels, by_votes = (cross_entropy(logits, each, weights, smoothing=smoothing) for each in (y, shares))
    assert torch.allclose(by_labels, by_votes, atol=1e-6)
    divided = torch.full((5, 3), 1 / 3)
    assert not torch.allclose(by_labels, cross_entropy(logits, divided, weights, smoothing=smoothing), atol=1e-3)


NETWORKS: list[dict[str, Any]] = [{}, {"balance": "loss", "label_smoothing": 0.05}, {"balance": "sampler"}]


@pytest.mark.heavy
@pytest.mark.parametrize("changes", NETWORKS)
def test_network_learns_of_undivided_votes_what_it_learns_of_labels(changes: dict[str, Any], tmp_path: Path) -> None:
    """The first epoch's loss agrees closely; later ones less, for Adam makes whole steps of what rounding leaves."""
    train, val = noise()
    train = replace(train, y=np.minimum(train.y, 1) + (np.arange(20) == 5))  # one class has a single photo
    named_train, named_val = (replace(each, shares=np.eye(3, dtype=np.float32)[each.y]) for each in (train, val))
    trained_on((train, val), tmp_path / "labels", 1, **changes)
    trained_on((named_train, named_val), tmp_path / "votes", 1, **changes)
    labels, votes = (read_history(tmp_path / name / "history.csv")[0] for name in ("labels", "votes"))
    for column in ("train_loss", "train_macro_f1", "val_loss", "val_macro_f1"):
        assert votes[column] == pytest.approx(labels[column], abs=0.01)


def test_validation_loss_is_of_what_is_learnt_and_scores_are_of_the_labels() -> None:
    pixels, shares = DrawnPixels(4, 32), np.full((4, 3), 1 / 3, np.float32)
    voted = TrainingSet(pixels, View("photo", 32), np.arange(4), np.array([0, 1, 2, 0]), shares)
    torch.manual_seed(0)
    network = PhotoNetwork(EmotionCNN(3), IMAGENET_MEAN, IMAGENET_STD).eval()
    module, batch = ExpressionModule(network, SETTINGS, 1, 3), PhotoBatches(voted)[[0, 1, 2, 3]]
    module.validation_step(batch, 0)
    told, logits = module._scores("val"), network(batch[0]).detach()
    assert told["loss"] == pytest.approx(float(-logits.log_softmax(1).mean()), abs=1e-5)
    assert told["accuracy"] == float((logits.argmax(1) == batch[1]).float().mean())


def planted(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Features, what seven raters said, and the class with most votes: raters say each class as often as it is near."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (n, 6)).astype(np.float32)
    votes = np.stack([rng.multinomial(7, each) for each in softmax(1.2 * features[:, :3])]).astype(np.float32)
    return features, votes / votes.sum(1, keepdims=True), votes.argmax(1)


@pytest.mark.heavy
def test_votes_that_tell_more_than_labels_lower_the_log_loss() -> None:
    """Penalty and temperature are chosen as in a study."""
    new, new_shares, _ = planted(2000, 99)
    gains = []
    for seed in range(8):
        features, shares, y = planted(60, seed)
        losses = []
        for learnt in (shares, None):
            found = cross_validate(HeadSettings(), features, y, np.arange(60), seed, shares=learnt)
            assert found is not None
            ((weight, bias),) = fit_heads([found.strength], features, y, shares=learnt)
            told = softmax((new @ weight.T + bias) / found.temperature)
            losses.append(float(-(new_shares * np.log(told)).sum(1).mean()))
        gains.append(losses[1] - losses[0])
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / len(gains) ** 0.5


def divided_votes(photos: LabelledPhotos) -> LabelledPhotos:
    """Six raters for the label of each photo, and four for each other class."""
    votes = [pl.when(pl.col("label") == each).then(6.0).otherwise(4.0).alias(f"votes.{each}") for each in photos.labels]
    return replace(photos, manifest=photos.manifest.with_columns(votes))


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
    voted = divided_votes(plain)
    by_label = answer_after(plain, small_study, "soft", tmp_path / "labels")
    soft = answer_after(voted, small_study, "soft", tmp_path / "soft")
    majority = answer_after(voted, small_study, "majority", tmp_path / "majority")
    assert np.array_equal(by_label, majority)
    assert soft.max() < by_label.max()


@pytest.mark.heavy
def test_folds_and_a_refit_learn_votes_as_they_were_asked_to(
    small_study: Study, study_copy: Path, tmp_path: Path
) -> None:
    settings = read_toml(StudySettings, study_copy / "study.toml")
    study = open_study(settings, study_copy, resume=True, progress=Silent())
    run = read_run(study_copy / "runs" / "probe" / "config.toml")
    assert isinstance(run, HeadRun)
    answers: dict[str, list[pl.DataFrame]] = {}
    for name, photos, votes in (
        ("labels", study.photos, "soft"),
        ("soft", divided_votes(study.photos), "soft"),
        ("majority", divided_votes(study.photos), "majority"),
    ):
        asked = structs.replace(run, votes=votes, head=replace(run.head, strength=None, max_error=None))
        held = replace(photos, manifest=assign_folds(photos.manifest, 2, 1))
        answers[name] = [each.predictions for each in run_folds(asked, held, tmp_path / name, Silent())]
        whole = fit_to_all(replace(study, photos=photos, folder=tmp_path / f"of {name}"), asked, photos.manifest)
        assert read_run(whole / "config.toml").votes == votes
    assert all(one.equals(other) for one, other in zip(answers["labels"], answers["majority"], strict=True))
    assert not any(one.equals(other) for one, other in zip(answers["labels"], answers["soft"], strict=True))


def test_a_comparison_learns_votes_as_it_was_asked_to() -> None:
    """By an option for all arms, or by a key of one of them."""
    (plain, other) = parse_arms(["recipe=probe", "recipe=scratch,votes=majority"])
    settings = (asked(Path("x")), asked(Path("x"), votes="majority"))
    for arm, expected in ((plain, ["soft", "majority"]), (other, ["majority", "majority"])):
        assert [resolve_arm(arm, each, CLASSES, Budget(epochs=1), 1).votes for each in settings] == expected
    with pytest.raises(ConfigError, match="votes"):
        parse_arms(["votes=none"])


def with_votes(folder: Path, first: int = 2) -> Path:
    """A table of six photos with three raters' votes; ``first`` of them say that the first photo shows anger."""
    photos = draw_set(folder / "photos", {"anger": "anger", "sad": "sad"}, 3)
    rows = [(path.relative_to(folder), path.parts[-2]) for path in sorted(photos.rglob("*.png"))]
    lines = [f"{path},{3 * (label == 'anger')},{3 * (label == 'sad')}" for path, label in rows]
    lines[0] = f"{rows[0][0]},{first},{3 - first}"
    table = folder / "votes.csv"
    table.write_text("\n".join(["path,anger,sad", *lines]), encoding="utf-8")
    return table


def test_arms_of_votes_are_refused_where_there_are_none(tmp_path: Path) -> None:
    arms = parse_arms(["votes=soft", "votes=majority"])
    table = with_votes(tmp_path)
    refuse_votes(arms, open_collection([str(table)]))
    with pytest.raises(ConfigError, match="no votes"):
        refuse_votes(arms, open_collection([str(tmp_path / "photos")]))
    refuse_votes(parse_arms(["size=32"]), open_collection([str(tmp_path / "photos")]))


def test_run_of_a_comparison_is_another_where_raters_said_otherwise() -> None:
    rows = pl.DataFrame(
        {"id": ["a", "b"], "sha256": ["1", "2"], "label": ["anger", "sad"], "split_group": [1, 2], "split": "train"}
    )
    keys = {}
    for votes in ("soft", "majority"):
        run = structs.replace(
            resolve_arm(parse_arms(["recipe=probe"])[0], asked(Path("x")), CLASSES, Budget(), 1), votes=votes
        )
        told = [rows, *(rows.with_columns(pl.Series("votes.anger", [n, 0.0])) for n in (3.0, 2.0))]
        keys[votes] = [_key(run, PairPlan(1, 1, each)) for each in told]
    assert len(set(keys["soft"])) == 3
    assert len(set(keys["majority"])) == 1


def test_study_of_photos_that_were_voted_on_otherwise_does_not_go_on(tmp_path: Path) -> None:
    table = with_votes(tmp_path)
    before = prepare(
        [open_collection([str(table)])], [], tmp_path / "work", find_faces=False, progress=Silent()
    ).manifest
    refuse_changed([open_collection([str(table)])], before, Silent())
    table.write_text(table.read_text(encoding="utf-8").replace(",2,1", ",3,0"), encoding="utf-8")
    with pytest.raises(SourceError, match="voted on otherwise") as refused:
        refuse_changed([open_collection([str(table)])], before, Silent())
    assert before["id"][0] in str(refused.value)


@pytest.mark.parametrize(("votes", "expected"), [(None, "soft"), ("soft", "soft"), ("majority", "majority")])
def test_plan_says_what_would_be_learnt_of_votes(votes: VotesAs | None, expected: str, tmp_path: Path) -> None:
    table = with_votes(tmp_path)
    told = []
    for place in (table, tmp_path / "photos"):
        asked = made(StudySettings, data=(str(place),), votes=votes)
        told.append(outline_study(asked, *open_with_target(asked.data, None, asked.columns)).votes)
    assert told == [expected, None]
