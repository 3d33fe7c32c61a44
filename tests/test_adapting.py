"""``mien adapt``: each way does what it says, the scored half is never learnt from, and nothing is promised anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import Outcome, Study, draw_set, snapshot
from mien.adapting.methods import MOST_WEIGHT, Known, aligned, for_class_shares, new_head, self_trained
from mien.adapting.scoring import Side, judged
from mien.recognizer import Recognizer
from mien.training.head import Head, fit_heads

Mien = Callable[..., Outcome]
LABELS = 3


def blobs(n: int, seed: int, shift: float = 0.0, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes around three corners, moved and stretched."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % LABELS
    return ((2 * np.eye(LABELS, 6)[y] + rng.normal(0, 0.5, (n, 6))) * spread + shift).astype(np.float32), y


def accuracy(head: Head, features: np.ndarray, y: np.ndarray) -> float:
    weight, bias = head
    return float(((features @ weight.T + bias).argmax(1) == y).mean())


@pytest.fixture(scope="module")
def known() -> Known:
    features, y = blobs(300, 0)
    return Known(features, y, 0.1)


@pytest.fixture(scope="module")
def head(known: Known) -> Head:
    return fit_heads([known.strength], known.features, known.y)[0]


def test_moved_and_stretched_features_are_brought_home(known: Known, head: Head) -> None:
    features, y = blobs(300, 1, shift=3.0, spread=0.2)
    assert accuracy(head, features, y) < 0.5
    assert accuracy(aligned(head, known.features, features), features, y) > 0.9


def test_statistics_of_the_source_itself_change_nothing(known: Known, head: Head) -> None:
    for before, after in zip(head, aligned(head, known.features, known.features), strict=True):
        assert np.allclose(before, after, atol=1e-5)


def test_class_shares_are_found_from_answers(head: Head) -> None:
    features, y = blobs(3000, 2)
    kept = (y != 2) | (np.arange(3000) % 30 == 2)
    features = features[kept] + np.random.default_rng(3).normal(0, 1.2, (kept.sum(), 6)).astype(np.float32)
    _, bias = for_class_shares(head, 1.0, features, np.full(LABELS, 1 / LABELS))
    moved = bias - head[1]
    assert moved[2] < min(moved[0], moved[1]) - 1


def test_self_training_learns_what_the_surest_answers_have_in_common(known: Known, head: Head) -> None:
    features, y = blobs(600, 4)
    features[y == 0] += np.array([-1.2, 0.3, 0.3, 0, 3, 0], np.float32)  # half unlike, with a mark of its own
    before = accuracy(head, features, y)
    assert before < 0.9
    assert accuracy(self_trained(known, features), features, y) > before + 0.05


def test_labels_of_the_target_are_learnt_from_and_those_of_the_source_not_forgotten(known: Known, head: Head) -> None:
    features, y = blobs(300, 5)
    features = np.roll(features, 3, axis=1)  # what tells the classes apart at home tells nothing here
    taught = new_head(known, features[:60], y[:60])
    assert accuracy(taught, features[60:], y[60:]) > 0.9 > accuracy(head, features[60:], y[60:])
    assert accuracy(taught, known.features, known.y) > 0.9


def test_one_photo_weighs_no_more_than_the_limit(known: Known) -> None:
    features, y = blobs(3, 6)
    weights = np.r_[np.ones(300), np.full(3, MOST_WEIGHT)]
    both = np.concatenate([known.features, features]), np.concatenate([known.y, y])
    ((weight, bias),) = fit_heads([known.strength], *both, weights=weights)
    found = new_head(known, features, y)
    assert np.array_equal(found[0], weight)
    assert np.array_equal(found[1], bias)


def test_scores_are_means_over_draws_and_the_change_is_of_the_one_in_the_middle(head: Head) -> None:
    features, y = blobs(300, 7)
    features += np.random.default_rng(8).normal(0, 1, features.shape).astype(np.float32)
    noise = np.random.default_rng(9).normal(0, 1, (3, *head[0].shape)).astype(np.float32)
    heads = [(head[0] + k * noise[k], head[1]) for k in range(3)]
    found = judged(heads, head, Side(features, y, np.arange(300)), np.arange(LABELS))
    each = [judged([one], head, Side(features, y, np.arange(300)), np.arange(LABELS)) for one in heads]
    scores = sorted(one["macro_f1"] for one in each)
    assert found["macro_f1"] == pytest.approx(np.mean(scores))
    assert (found["lowest"], found["highest"]) == (scores[0], scores[2])
    assert found["change"] == next(one["change"] for one in each if one["macro_f1"] == scores[1])


def test_answers_are_limited_to_the_shared_classes(head: Head) -> None:
    features, y = blobs(300, 10)
    side = Side(features[y != 2], y[y != 2], np.arange(200))
    everything = np.full((LABELS, 6), 0, np.float32), np.array([0, 0, 9], np.float32)
    assert judged([everything], head, side, np.array([0, 1]))["accuracy"] == 0.5
    assert judged([everything], head, side, np.arange(3))["accuracy"] == 0.0


def learnt_from(adapted: Path, model: Path) -> set[str]:
    """Hashes of photos that only the adapted model was fitted to."""
    after, before = (Recognizer(folder / "model.onnx").contract.training_hashes for folder in (adapted, model))
    return set(after - before)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folders = {"Angry": "anger", "happiness": "happy", "sad": "sad"}
    return draw_set(tmp_path_factory.mktemp("adapt") / "elsewhere", folders, 24, style="grey", first=400)


def test_adapt_measures_every_way_and_writes_the_one_asked_for(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    before = snapshot(small_study.folder)
    model = small_study.folder / "runs" / "two-stream"
    out = mien("adapt", model, elsewhere, "--shots", "0,2,500", "--draws", 2, "--save", "labels", "--json")
    assert out.code == 0, out.err
    found, folder = out.json, tmp_path / "mien-adapt-elsewhere"
    assert [(each["way"], each["shots"]) for each in found["ways"]] == [
        ("as it is", 0),
        ("class shares", 0),
        ("statistics", 0),
        ("made alike", 0),
        ("self-training", 0),
        ("labels", 2),
    ]
    assert found["too_many_shots"] == [500]
    assert sum(found["pool"].values()) + sum(found["scored"].values()) == 72
    assert snapshot(small_study.folder) == before
    assert {path.name for path in folder.iterdir()} == {"adapt.html", "model.onnx", "results.json"}
    old, new = Recognizer(model).contract, Recognizer(folder / "model.onnx").contract
    assert new.recipe == "two-stream, adapted to elsewhere: 2 labelled photos a class"
    assert (new.thresholds, new.measured, new.max_error) == ((), None, None)
    assert new.collections == (*old.collections, "elsewhere")
    assert len(new.training_hashes - old.training_hashes) == 6
    assert new.labels == old.labels
    assert "<script" not in (folder / "adapt.html").read_text(encoding="utf-8")


def test_written_model_answers_as_the_head_that_was_measured(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    options = ("--shots", "0", "--save", "made alike", "--json", "--out", tmp_path / "a")
    found = mien("adapt", small_study.folder / "runs" / "probe", elsewhere, *options).json
    entry = next(each for each in found["ways"] if each["way"] == "made alike")
    recognizer = Recognizer(tmp_path / "a" / "model.onnx")
    assert (
        not recognizer.contract.training_hashes
        - Recognizer(small_study.folder / "runs" / "probe").contract.training_hashes
    )
    total = mien("evaluate", tmp_path / "a" / "model.onnx", elsewhere, "--json").json["target"]["shared_limited"]
    # All 72 photos against the scored half of them: the same head, so the scores are near one another.
    assert abs(total["accuracy"] - entry["target"]["accuracy"]) < 0.25


def test_nothing_of_the_scored_half_is_learnt_from(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    model = small_study.folder / "runs" / "probe"
    halves = []
    for way in ("self-training", "labels"):
        out = tmp_path / way
        assert mien("adapt", model, elsewhere, "--save", way, "--shots", "3", "--out", out, "--json").code == 0
        halves.append(
            Recognizer(out / "model.onnx").contract.training_hashes - Recognizer(model).contract.training_hashes
        )
    assert halves[1] < halves[0]  # the labelled photos are of the half that statistics were taken of
    scored = sum(
        mien("adapt", model, elsewhere, "--shots", "0", "--out", tmp_path / "c", "--json").json["scored"].values()
    )
    assert len(halves[0]) == 72 - scored


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--shots", "few"), "--shots few: expected whole numbers, as in 0,1,5,20"),
        (("--shots", "-1"), "--shots: give numbers of labelled photos a class"),
        (("--draws", "0"), "draws 0: must be at least 1"),
        (("--save", "magic"), "--save magic: choose one of class shares, statistics"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_read(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path, argv: tuple[str, ...], said: str
) -> None:
    out = mien("adapt", small_study.folder, elsewhere, *argv)
    assert (out.code, list(tmp_path.iterdir())) == (2, [])
    assert said in out.complaint


def test_what_cannot_be_adapted_is_said_and_leaves_no_folder(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    few = draw_set(tmp_path / "few", {"anger": "anger", "sad": "sad"}, 5)
    moved = tmp_path / "moved.onnx"
    shutil.copy(small_study.folder / "runs" / "probe" / "model.onnx", moved)
    Image.new("RGB", (200, 200)).save(few / "anger" / "black.png")
    for model, target, code, said in (
        ("default", elsewhere, 2, "lies in no study"),
        (moved, elsewhere, 2, "lies in no study"),
        (small_study.folder / "runs" / "scratch", elsewhere, 2, "was trained from scratch"),
        (small_study.folder / "runs" / "probe", few, 1, "too few to learn from one half"),
        (small_study.folder / "runs" / "probe", tmp_path / "nowhere", 2, "nowhere"),
    ):
        out = mien("adapt", model, target)
        assert said in out.complaint
        assert out.code == code
        assert not list(tmp_path.glob("mien-adapt-*"))


def test_terminal_says_what_is_gained_and_lost(mien: Mien, small_study: Study, elsewhere: Path) -> None:
    out = mien("adapt", small_study.folder / "runs" / "probe", elsewhere, "--shots", "0,1")
    assert out.code == 0
    for words in ("as it is", "made alike", "labels: 1 a class", "Without labels: ", "With labels: ", "adapt.html"):
        assert words in out.out
