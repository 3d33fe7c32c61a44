"""Heads fitted to features that stay on the disk: the same heads, in little memory."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.jobs.study import run_study
from mien.progress import Silent
from mien.settings.by_name import made
from mien.settings.study import StudySettings
from mien.settings.training import HeadSettings
from mien.training import feature_parts
from mien.training.feature_parts import (
    MANY,
    FeatureParts,
    StoredFeatures,
    are_many,
    read_rows,
    side_by_side,
)
from mien.training.head import cross_validate, fit_heads
from mien.training.linear import Head
from mien.training.run import StreamsOf
from mien.training.soft_head import fit_soft_head
from support.drawn_sets import CLASSES
from support.studies import made_once

Array = NDArray[np.float32]
K = 5


def contents(n: int) -> pl.Series:
    return pl.Series("sha256", [f"{i:064d}" for i in range(n)])


def stored(folder: Path, features: Array, *, in_half: bool = False, part: int = 700) -> StoredFeatures:
    """Features in parts on the disk."""
    parts, named = FeatureParts(folder, "x", in_half=in_half), contents(len(features))
    for first in range(0, len(features), part):
        parts.append(named[first : first + part].to_list(), features[first : first + part])
    return parts.stored(named)


@dataclass(frozen=True)
class Made:
    """Made-up photos: features far from 0 and of several spreads, and what may be known of them."""

    features: Array
    mirrored: Array
    y: NDArray[np.int64]
    shares: Array
    weights: NDArray[np.float64]
    prior: Head


@pytest.fixture(scope="module")
def known() -> Made:
    rng, n, d = np.random.default_rng(0), 3000, 60
    centres, y = rng.normal(size=(K, d)), rng.integers(0, K, n)
    features = 3 + 0.7 * centres[y] + 2 * rng.normal(size=(n, d)) * rng.uniform(0.1, 2, d)
    features[:, 7] = 0.3  # says nothing
    shares = (rng.dirichlet(np.full(K, 0.5), n) + np.eye(K)[y]) / 2
    return Made(
        features.astype(np.float32),
        (features + 0.3 * rng.normal(size=features.shape)).astype(np.float32),
        y,
        shares.astype(np.float32),
        rng.uniform(0.5, 2, n),
        (rng.normal(0, 0.2, (K, d)).astype(np.float32), rng.normal(size=K).astype(np.float32)),
    )


@pytest.fixture(autouse=True)
def many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_parts, "ROWS", 512)


def logits(head: Head, features: Array) -> Array:
    """Without what is the same for all classes, which says nothing."""
    found: Array = features @ head[0].T + head[1]
    return np.asarray(found - found.mean(1, keepdims=True))


WAYS: dict[str, tuple[str, ...]] = {
    "labels": (),
    "mirrored": ("mirrored",),
    "weights": ("weights",),
    "shares": ("shares",),
    "mirrored shares": ("mirrored", "shares"),
    "weighted shares": ("weights", "shares"),
}


@pytest.mark.parametrize("strength", [0.001, 0.01])
@pytest.mark.parametrize("way", WAYS)
def test_in_pieces_the_head_is_that_of_scikit_learn(way: str, strength: float, known: Made, tmp_path: Path) -> None:
    """Within the solver's tolerance, a slope of 0.0001: two fits may end a step apart, 0.3% of the largest logit."""
    learnt: dict[str, Any] = {name: getattr(known, name) for name in WAYS[way]}
    (whole,) = fit_heads([strength], known.features, known.y, **learnt)
    if "mirrored" in learnt:
        learnt["mirrored"] = stored(tmp_path / "mirrored", known.mirrored)
    (pieces,) = fit_heads([strength], stored(tmp_path / "straight", known.features), known.y, **learnt)
    one, other = (logits(head, known.features) for head in (whole, pieces))
    assert np.abs(one - other).max() < 0.005 * np.abs(one).max()
    assert (one.argmax(1) == other.argmax(1)).mean() > 0.998
    assert one.std() > 0.2
    assert all(each.dtype == np.float32 for each in pieces)


def test_several_strengths_are_fitted_in_their_order(known: Made, tmp_path: Path) -> None:
    features = stored(tmp_path, known.features)
    for one, other in zip(
        fit_heads([0.001, 0.1], known.features, known.y), fit_heads([0.001, 0.1], features, known.y), strict=True
    ):
        whole, pieces = (logits(head, known.features) for head in (one, other))
        assert np.abs(whole - pieces).max() < 0.005 * np.abs(whole).max()


@pytest.mark.parametrize("has_shares", [True, False])
def test_of_two_classes_the_penalty_is_that_of_scikit_learn(has_shares: bool, known: Made, tmp_path: Path) -> None:
    y = (known.y > 2).astype(np.int64)
    two = np.stack([known.shares[:, :3].sum(1), known.shares[:, 3:].sum(1)], axis=1) if has_shares else None
    features = stored(tmp_path, known.features)
    for strength in (0.0003, 0.01):
        (whole,), (pieces,) = (fit_heads([strength], each, y, shares=two) for each in (known.features, features))
        one, other = (logits(head, known.features) for head in (whole, pieces))
        assert np.abs(one - other).max() < 0.005 * np.abs(one).max()
        (stronger,) = fit_heads([strength / 2], features, y, shares=two)
        assert np.abs(one - logits(stronger, known.features)).max() > 0.02 * np.abs(one).max()


@pytest.mark.parametrize("way", [(), ("shares",), ("mirrored", "shares"), ("shares", "weights")])
@pytest.mark.parametrize("n_classes", [2, K])
def test_drawn_to_a_prior_the_head_is_the_one_of_pytorch(
    way: tuple[str, ...], n_classes: int, known: Made, tmp_path: Path
) -> None:
    y, shares = known.y % n_classes, known.shares[:, :n_classes]
    learnt: dict[str, Any] = {name: getattr(known, name) for name in way}
    if "shares" in learnt:
        learnt["shares"] = shares / shares.sum(1, keepdims=True)
    prior = (known.prior[0][:n_classes], known.prior[1][:n_classes])
    (whole,) = fit_heads([0.01], known.features, y, prior=prior, **learnt)
    if "mirrored" in learnt:
        learnt["mirrored"] = stored(tmp_path / "mirrored", known.mirrored)
    features = stored(tmp_path / "straight", known.features)
    (pieces,) = fit_heads([0.01], features, y, prior=prior, **learnt)
    one, other = (logits(head, known.features) for head in (whole, pieces))
    assert np.abs(one - other).max() < 0.005
    (alone,) = fit_heads([0.01], features, y, **learnt)
    assert np.abs(one - logits(alone, known.features)).max() > 0.1


def test_shares_teach_what_fit_soft_head_learns_from_them(known: Made, tmp_path: Path) -> None:
    soft = fit_soft_head(known.features, known.shares, 0.01, weights=known.weights)
    features = stored(tmp_path, known.features)
    (pieces,) = fit_heads([0.01], features, known.y, shares=known.shares, weights=known.weights)
    assert np.abs(logits(soft, known.features) - logits(pieces, known.features)).max() < 0.005


def test_the_search_among_some_photos_is_the_same(known: Made, tmp_path: Path) -> None:
    groups, shares = np.arange(len(known.y)), known.shares
    on_disk = [stored(tmp_path / name, getattr(known, name)) for name in ("features", "mirrored")]
    one = cross_validate(HeadSettings(), known.features, known.y, groups, 0, known.mirrored, shares=shares)
    other = cross_validate(HeadSettings(), on_disk[0], known.y, groups, 0, on_disk[1], shares=shares)
    assert one is not None
    assert other is not None
    assert one.strength == other.strength
    assert np.array_equal(one.logits, other.logits)


@pytest.mark.parametrize("in_half", [False, True])
def test_what_is_stored_can_be_chosen_joined_and_read_in_pieces(in_half: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(1500, 4)).astype(np.float32), rng.normal(size=(1500, 3)).astype(np.float32)
    left, right = stored(tmp_path / "a", one, in_half=in_half), stored(tmp_path / "b", other, in_half=in_half, part=400)
    both, expected = side_by_side(left, right), np.concatenate([one, other], axis=1)
    rows = rng.permutation(1500)[:900]
    is_chosen = np.isin(np.arange(1500), rows)
    within = 2.0**-11 * np.abs(expected) if in_half else 0 * expected
    assert both.shape == expected.shape
    assert (np.abs(both.read() - expected) <= within + 1e-7 * in_half).all()
    assert np.array_equal(both.read(), expected) is not in_half
    for some, wanted in ((rows, both.read()[rows]), (is_chosen, both.read()[is_chosen])):
        assert np.array_equal(both[some].read(), wanted)
        pieces = list(both[some].pieces())
        assert [len(piece) for _, piece in pieces] == [512, len(wanted) - 512]
        for at, piece in pieces:
            assert piece.dtype == np.float32
            assert np.array_equal(piece, wanted[at])
    assert np.array_equal(read_rows(both, rows), both.read()[rows])
    assert np.array_equal(read_rows(expected, rows), expected[rows])
    assert not list(both[rows[:0]].pieces())


def test_sixteen_bits_take_half_the_disk_beside_thirty_two_and_stay_finite(tmp_path: Path) -> None:
    features = np.random.default_rng(2).normal(size=(600, 200)).astype(np.float32)
    features[0, :2] = 1e6, -1e6
    stored(tmp_path, features)
    half = stored(tmp_path, features, in_half=True)
    sizes = {"16bits" in path.name: path.stat().st_size for path in tmp_path.glob("x*.npy")}
    assert sizes[True] < 0.6 * sizes[False]
    assert half.read()[0, :2].tolist() == [65504, -65504]
    named = contents(600)
    assert np.array_equal(FeatureParts(tmp_path, "x").of(named), features)
    assert np.array_equal(FeatureParts(tmp_path, "x", in_half=True).of(named), half.read())


def test_features_in_more_bits_are_taken_and_not_computed_again(tmp_path: Path) -> None:
    features = np.random.default_rng(3).normal(size=(30, 5)).astype(np.float32)
    whole, named = FeatureParts(tmp_path, "x"), contents(30)
    whole.append(named[:20].to_list(), features[:20])
    half = FeatureParts(tmp_path, "x", in_half=True)
    half.append(named[:4].to_list(), features[:4] + 1)
    wanted = pl.DataFrame({"sha256": named[2:].append(named[:3])})
    half.take(wanted, whole)
    assert half.missing(wanted)["sha256"].to_list() == named[20:].to_list()
    found = FeatureParts(tmp_path, "x", in_half=True).of(named[:20])
    assert np.array_equal(found[:4], (features[:4] + 1).astype(np.float16))
    assert np.array_equal(found[4:], features[4:20].astype(np.float16))


def test_what_is_sent_to_a_process_is_where_features_are(known: Made, tmp_path: Path) -> None:
    features = stored(tmp_path, known.features)
    sent = pickle.dumps(features)
    assert len(sent) < known.features.nbytes / 10
    assert np.array_equal(pickle.loads(sent).read(), known.features)


def test_streams_on_the_disk_say_which_files_another_machine_needs(known: Made, tmp_path: Path) -> None:
    whole, face, turned = (stored(tmp_path / name, known.features[:, :9]) for name in "abc")
    networks: Any = (None, None)
    on_disk = StreamsOf(networks, networks, whole, face, side_by_side(turned, face))
    assert set(on_disk.files) == set(tmp_path.rglob("*.npy"))
    assert on_disk.features.shape == (3000, 18)
    assert on_disk.mirrored_face is not None
    assert np.array_equal(on_disk.mirrored_face.read(), face.read())
    some = on_disk.part(known.y == 2)
    assert np.array_equal(some.features.read(), np.tile(known.features[known.y == 2, :9], 2))
    assert StreamsOf(networks, networks, whole.read(), face.read(), None).files == ()


@pytest.mark.parametrize("harm", ["gone", "cut short"])
def test_features_that_go_while_a_head_is_fitted_are_told_in_a_line(harm: str, known: Made, tmp_path: Path) -> None:
    features = stored(tmp_path, known.features, in_half=True)
    path = features.files[2]
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OutputError, match=path.name) as refused:
        fit_heads([0.01], features, known.y)
    assert "\n" not in str(refused.value)


FIT = """
import resource, sys
import numpy as np, polars as pl
from pathlib import Path
from mien.training.feature_parts import FeatureParts
from mien.training.head import fit_heads
n, d = 20_000, 512
parts, rng, y = FeatureParts(Path(sys.argv[1]), "x", in_half=True), np.random.default_rng(0), np.arange(n) % 3
named = [f"{i:064d}" for i in range(n)]
for i in range(0, n, 2000):
    parts.append(named[i:i + 2000], rng.normal(y[i:i + 2000, None] * 0.02, 1, (2000, d)).astype(np.float32))
features = parts.stored(pl.Series(named))
few = features[np.arange(5000)]
fit_heads([0.01], few, y[:5000], few)  # libraries are there, and what a piece takes
held = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = held()
(weight, bias), = fit_heads([0.01], features, y, features)
print(held() - before, weight.shape)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told in other units")
def test_memory_does_not_grow_with_the_photos(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", FIT, str(tmp_path)], check=True, capture_output=True, text=True).stdout
    grown, shape = told.split(" ", 1)
    assert shape.strip() == "(3, 512)"
    assert float(grown) < 15, "MB; the features are 41 in 32 bits, and 41 more of mirror images"


def test_many_are_counted_over_the_whole_manifest() -> None:
    assert not are_many(pl.DataFrame({"row": np.arange(MANY - 1)}))
    assert are_many(pl.DataFrame({"row": np.arange(MANY)}))


def study(data: Path, out: Path, **more: Any) -> Path:
    asked: dict[str, Any] = {"recipes": ("two-stream", "probe"), "device": "cpu", "check_labels": False, **more}
    resume = (out / "study.toml").exists()
    run_study(made(StudySettings, data=(str(data),), **asked), out, resume=resume, progress=Silent())
    return out


def answers(folder: Path, name: str) -> tuple[Array, pl.DataFrame]:
    """Probabilities (N, K), and all that is known of the answers."""
    found = pl.read_parquet(folder / "runs" / name / "predictions.parquet")
    return found.select(f"prob_{label}" for label in CLASSES).to_numpy().astype(np.float32), found


def macro_f1_of(folder: Path, name: str) -> float:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return float(results["runs"][name]["test"]["macro_f1"])


@pytest.fixture(scope="module")
def both_ways(small_set: Path, of_all_workers: Path) -> dict[str, Path]:
    """The same study as of few photos, and as of many; and each with folds."""
    with pytest.MonkeyPatch.context() as patched:
        folders = {}
        for way, many in {"few": MANY, "many": 1}.items():
            patched.setattr(feature_parts, "MANY", many)
            crossed = partial(study, small_set, folds=2, recipes=("two-stream",))
            for name, make in {way: partial(study, small_set), f"{way} in folds": crossed}.items():
                folders[name] = made_once(of_all_workers / f"head-of-{name.replace(' ', '-')}", make)
        return folders


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["two-stream", "probe"])
def test_a_study_of_many_photos_answers_as_one_of_few(name: str, both_ways: dict[str, Path]) -> None:
    (few, known_few), (many, known_many) = (answers(both_ways[way], name) for way in ("few", "many"))
    assert known_few["row"].equals(known_many["row"])
    assert np.abs(few - many).max() < 0.02
    assert (few.argmax(1) == many.argmax(1)).mean() > 0.98
    assert abs(macro_f1_of(both_ways["few"], name) - macro_f1_of(both_ways["many"], name)) < 0.02
    kept = {way: {"16bits" in path.name for path in (both_ways[way] / "features").glob("*.npy")} for way in both_ways}
    assert kept == {"few": {False}, "many": {True}, "few in folds": {False}, "many in folds": {True}}


@pytest.mark.heavy
def test_folds_answer_as_those_of_few(both_ways: dict[str, Path]) -> None:
    (few, known_few), (many, known_many) = (
        answers(both_ways[f"{way} in folds"], "two-stream") for way in ("few", "many")
    )
    assert known_few["row"].equals(known_many["row"])
    assert np.abs(few - many).max() < 0.02
    assert (few.argmax(1) == many.argmax(1)).mean() > 0.98


@pytest.mark.heavy
def test_a_damaged_part_is_computed_again_and_the_head_is_the_same(
    both_ways: dict[str, Path], small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_parts, "MANY", 1)
    folder = Path(shutil.copytree(both_ways["many"], tmp_path / "study"))
    harmed, *_ = sorted((folder / "features").glob("*16bits.*.npy"))
    harmed.write_bytes(harmed.read_bytes()[:-4] + b"abcd")
    shutil.rmtree(folder / "runs")
    before = {path: path.stat().st_mtime_ns for path in (folder / "features").glob("*.npy")}
    study(small_set, folder)
    again = {path for path, when in before.items() if path.stat().st_mtime_ns != when}
    assert again == {harmed}
    for name in ("two-stream", "probe"):
        assert answers(folder, name)[1].equals(answers(both_ways["many"], name)[1])
