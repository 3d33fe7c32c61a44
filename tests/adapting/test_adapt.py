"""``mien adapt``: each way does what it says, the scored half is never learnt from, and nothing is promised anew."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mien.adapting.features import HeadModel
from mien.adapting.sides import open_sides, read_target
from mien.data.sources.collection import open_collection
from mien.evaluation.predictions import photos_of_study
from mien.jobs.adapt import run_adaptation
from mien.labels import match_labels
from mien.metrics import Interval
from mien.models.artifact import HASH_LENGTH
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.adaptation import AdaptPaths, AdaptResults, LeftOut, SideScores, Way
from mien.settings.adapt import AdaptSettings
from mien.settings.by_name import made
from mien.settings.recipes import RECIPES
from mien.settings.training import HeadSettings
from mien.settings.ways import WAYS_TO_ADAPT
from mien.telling.words.adaptation import short_rows
from support.drawn_sets import draw_set
from support.outcomes import Outcome, snapshot
from support.studies import Study

pytestmark = pytest.mark.heavy  # trains
Mien = Callable[..., Outcome]


def learnt_from(adapted: Path, model: Path) -> set[str]:
    """Hashes of photos that only the adapted model was fitted to."""
    after, before = (Recognizer(folder / "model.onnx").contract.training_hashes for folder in (adapted, model))
    return set(after - before)


def test_adapt_measures_every_way_and_writes_the_one_asked_for(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    before = snapshot(small_study.folder)
    model = small_study.folder / "runs" / "two-stream"
    out = mien("adapt", model, elsewhere, "--shots", "0,2,500", "--draws", 2, "--save", "labels, shares", "--json")
    assert out.code == 0, out.err
    found, folder = out.json, tmp_path / "mien-adapt-elsewhere"
    assert [(each["way"], each["shots"]) for each in found["ways"]] == [
        ("as it is", 0),
        ("class shares", 0),
        ("statistics", 0),
        ("made alike", 0),
        ("self-training", 0),
        ("labels", 2),
        ("labels, shares", 2),
    ]
    assert found["too_many_shots"] == [500]
    assert sum(found["pool"].values()) + sum(found["scored"].values()) == 120
    assert snapshot(small_study.folder) == before
    assert {path.name for path in folder.iterdir()} == {"adapt.html", "model.onnx", "results.json"}
    old, new = Recognizer(model).contract, Recognizer(folder / "model.onnx").contract
    assert new.recipe == "two-stream, adapted to elsewhere: 2 labelled photos a class, class shares"
    assert (new.thresholds, new.measured, new.max_error) == ((), None, None)
    assert new.collections == (*old.collections, "elsewhere")
    assert len(new.training_hashes - old.training_hashes) == sum(found["pool"].values())
    assert new.labels == old.labels
    assert "<script" not in (folder / "adapt.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey drawings, which are face crops of 48 px, of one class half as many as of the others."""
    folder = tmp_path_factory.mktemp("lopsided")
    for name, count in (("anger", 20), ("happy", 20), ("sad", 10)):
        draw_set(folder, {name: name}, count, style="grey", first=700)
    return folder


@pytest.fixture(scope="module")
def adapted_to_grey(
    small_study: Study, lopsided: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The model of a recipe with a new head for face crops, made when it is first asked for."""

    @functools.cache
    def made_for(recipe: str) -> Path:
        model = small_study.folder / "runs" / recipe / "model.onnx"
        return adapted(model, lopsided, tmp_path_factory.mktemp("grey") / "out")

    return made_for


@pytest.mark.parametrize(("recipe", "style"), [("two-stream", "grey"), ("two-stream", "colour"), ("probe", "grey")])
def test_written_model_answers_with_the_head_that_was_measured(
    small_study: Study, adapted_to_grey: Callable[[str], Path], tmp_path: Path, recipe: str, style: str
) -> None:
    """Grey drawings are face crops of 48 px, coloured ones have a scene: two-stream answers each by its own head."""
    path = small_study.folder / "runs" / recipe / "model.onnx"
    if style == "grey":
        written = adapted_to_grey(recipe)
    else:
        folders = {"anger": "anger", "happy": "happy", "sad": "sad"}
        written = adapted(path, draw_set(tmp_path / "set", folders, 40, first=700), tmp_path / "a")
    before = Recognizer(path)
    after, head = HeadModel(written, before.contract), HeadModel(path, before.contract)
    name = "face_head" if (recipe, style) == ("two-stream", "grey") else "head"
    own, pixels = photos_of_study(path).manifest, photos_of_study(path).pixels  # type: ignore[union-attr]
    rows = own.filter(pl.col("split") == "val")
    views = {view.key: pixels.read(view, rows["row"].to_numpy()) for view in before.contract.views}
    if name == "face_head":
        views = {key: np.zeros_like(each) if key.startswith("scene") else each for key, each in views.items()}
    weight, bias = after.heads[name]
    assert np.abs(weight - head.heads[name][0]).max() > 0
    assert np.allclose(Recognizer(written).logits(views), head.features(views) @ weight.T + bias, atol=1e-3)
    for other in set(head.heads) - {name}:
        assert np.array_equal(after.heads[other][0], head.heads[other][0])


@pytest.mark.parametrize(("recipe", "way"), [("two-stream", "labels, shares"), ("probe", "class shares")])
def test_written_model_has_moved_to_the_class_shares_of_the_pool(
    small_study: Study,
    lopsided: Path,
    adapted_to_grey: Callable[[str], Path],
    tmp_path: Path,
    recipe: str,
    way: str,
) -> None:
    path = small_study.folder / "runs" / recipe / "model.onnx"
    plain = path if way == "class shares" else adapted_to_grey(recipe)
    moved = adapted(path, lopsided, tmp_path / "moved", save=way)
    after, before = (HeadModel(each, Recognizer(each).contract).heads for each in (moved, plain))
    name, labels = "face_head" if recipe == "two-stream" else "head", Recognizer(path).labels
    assert np.array_equal(after[name][0], before[name][0])
    assert len(learnt_from(plain.parent, path.parent)) == (0 if way == "class shares" else 9)
    shift = dict(zip(labels, after[name][1] - before[name][1], strict=True))
    assert shift["sad"] < -0.02
    assert max(shift["anger"], shift["happy"]) > 0
    assert {label for label, each in shift.items() if each == 0} == set(labels) - {"anger", "happy", "sad"}


def adapted(model: Path, target: Path, out: Path, **changes: Any) -> Path:
    asked = {"shots": (3,), "draws": 1, "save": "labels"} | changes
    config = made(AdaptSettings, model=str(model), target=str(target), **asked)
    run_adaptation(config, out, progress=Silent())
    return out / "model.onnx"


def test_scored_photos_change_nothing_that_is_learnt(small_study: Study, elsewhere: Path, tmp_path: Path) -> None:
    path = small_study.folder / "runs" / "two-stream" / "model.onnx"
    recognizer, own = Recognizer(path), photos_of_study(path)
    assert own is not None
    model, collection = HeadModel(path, recognizer.contract), open_collection([str(elsewhere)])
    matched = match_labels(recognizer.labels, collection.labels)
    target = read_target(model, recognizer, own, collection, matched, work=tmp_path, seed=1, progress=Silent())
    recipe = RECIPES["two-stream"]
    assert isinstance(recipe, HeadSettings)
    head = replace(recipe, strength=0.01)
    before = open_sides(model, recognizer, own, target, head, Silent())
    scored = target.rows["row"].to_numpy()[target.is_scored]
    for view in recognizer.contract.views:
        pixels = np.load(tmp_path / "pixels" / f"{view.key}.npy", mmap_mode="r+")
        pixels[scored] = 255 - pixels[scored]
        pixels.flush()
    is_scored = pl.lit(pl.Series(target.is_scored))
    looks = {"brightness": 0.9, "contrast": 0.01, "face_side": 9.0, "jpeg_quality": 5}
    changed = [pl.when(is_scored).then(value).otherwise(pl.col(name)).alias(name) for name, value in looks.items()]
    after = open_sides(model, recognizer, own, replace(target, rows=target.rows.with_columns(changed)), head, Silent())
    for one, other in ((before.known.features, after.known.features), (before.own, after.own)):
        assert np.array_equal(one, other)
    assert np.array_equal(before.pool.features, after.pool.features)
    assert np.array_equal(before.home.features, after.home.features)
    assert not np.allclose(before.target.features, after.target.features)


def test_groups_of_a_table_stand_on_one_side(small_study: Study, elsewhere: Path, tmp_path: Path) -> None:
    lines = ["path,label,person"]
    for i, path in enumerate(sorted(elsewhere.rglob("*.png"))):
        lines.append(f"{path},{path.parent.name},p{i % 16}")
    table = tmp_path / "target.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    model = small_study.folder / "runs" / "probe" / "model.onnx"
    adapted(model, table, tmp_path / "a", save="self-training", group_column="person")
    learnt = learnt_from(tmp_path / "a", model.parent)
    sides: dict[str, set[bool]] = {}
    for line in lines[1:]:
        photo, _, person = line.split(",")
        is_learnt = hashlib.sha256(Path(photo).read_bytes()).hexdigest()[:HASH_LENGTH] in learnt
        sides.setdefault(person, set()).add(is_learnt)
    assert all(len(side) == 1 for side in sides.values())
    assert {True, False} == {next(iter(side)) for side in sides.values()}


def test_copies_of_the_studys_photos_take_no_part(
    mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    target = tmp_path / "with-copies"
    shutil.copytree(elsewhere, target)
    for path in sorted((small_study.data / "sad").glob("sad-1*.png")):
        shutil.copy(path, target / "sad" / f"copy-{path.name}")
    found = mien("adapt", small_study.folder / "runs" / "probe", target, "--shots", "0", "--json").json
    assert found["left_out"]["copies"] == 10
    assert sum(found["pool"].values()) + sum(found["scored"].values()) == 120


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--shots", "few"), "--shots few: expected whole numbers, as in 0,1,5,20"),
        (("--shots", "-1"), "--shots: give numbers of labelled photos per class"),
        (("--draws", "0"), "draws 0: must be at least 1"),
        (("--seed", "-1"), "--seed -1: must be from 0 to"),
        (("--class-map", "nowhere.toml"), "nowhere.toml"),
        (("--save", "magic"), "--save magic: choose one of class shares, statistics"),
        (("--save", "blocks"), "has no blocks that could learn on; only finetune has"),
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
        (small_study.folder / "runs" / "probe", few, 1, "too few to learn from one half"),
        (small_study.folder / "runs" / "probe", tmp_path / "nowhere", 2, "nowhere"),
    ):
        out = mien("adapt", model, target)
        assert said in out.complaint
        assert out.code == code
        assert not list(tmp_path.glob("mien-adapt-*"))


@pytest.mark.parametrize("recipe", ["probe", "scratch"])
def test_terminal_says_what_is_gained_and_lost(mien: Mien, small_study: Study, elsewhere: Path, recipe: str) -> None:
    out = mien("adapt", small_study.folder / "runs" / recipe, elsewhere, "--shots", "0,1")
    assert out.code == 0
    assert "blocks" not in out.out
    for words in ("as it is", "made alike", "labels: 1 a class", "Without labels: ", "With labels: ", "adapt.html"):
        assert words in out.out


def test_table_of_every_way_fits_a_terminal_of_80_columns() -> None:
    change, even = Interval(-0.2, 0.05), {"macro_f1": 0.5, "accuracy": 0.5, "lowest": 0.5, "highest": 0.5}
    side = SideScores(**even, change=-0.08, interval=change, verdict="cannot tell")
    results = AdaptResults(
        config=AdaptSettings(model="study", target="elsewhere"),
        labels=("a", "b"),
        recipe="probe",
        target="elsewhere",
        known_collections=(),
        shared=("a", "b"),
        pool={"a": 20, "b": 20},
        scored={"a": 20, "b": 20},
        home_images=40,
        are_crops=False,
        left_out=LeftOut(copies=0, other_kind=0),
        too_many_shots=(),
        ways=tuple(
            Way(way=way.name, shots=20 * way.takes_labels, draws=1, target=side, home=side) for way in WAYS_TO_ADAPT
        ),
        paths=AdaptPaths(run="x", page="x/adapt.html"),
    )
    widths = [max(map(len, column)) for column in zip(*short_rows(results), strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= 80
