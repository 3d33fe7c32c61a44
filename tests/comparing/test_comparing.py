"""``mien compare``: arms, folds, what is held back, what is used again, and what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from msgspec import structs
from numpy.typing import NDArray

import mien
import mien.comparing.run as running
from mien.comparing.arms import (
    Arm,
    budgets,
    parse_arms,
    primary_contrast,
    resolve_arm,
    side_by_side,
    study_settings,
)
from mien.comparing.growth import extrapolated
from mien.comparing.plan import PairPlan, Pool, make_pool, plan_pairs, with_share
from mien.comparing.results import _against_chance as against_chance
from mien.comparing.run import run_once
from mien.data.grouping.splits import assign_splits, parse_shares
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import read_manifest
from mien.data.tables.prepare import prepare
from mien.errors import ConfigError, OutputError, SplitError
from mien.jobs.compare import run_comparison
from mien.labels import class_indices
from mien.progress import Silent
from mien.results.comparison import CompareResults, SizePoint
from mien.results.document import encode
from mien.settings.budget import Budget
from mien.settings.by_name import made
from mien.settings.choices import AUGMENTATIONS
from mien.settings.compare import CompareSettings
from mien.settings.division import Division
from mien.settings.run import HeadRun, NetworkRun, RunConfig
from mien.significance import fewest_pairs
from mien.telling.report.comparison_page import _draw as draw_curves
from mien.telling.words.comparison import chance_lines
from mien.training.recipes import resolve_run
from mien.training.run import LabelledPhotos
from support.checkout import ROOT
from support.drawn_sets import CLASSES, draw_set
from support.made_comparison import ARMS, asked, made_up
from support.made_report import lines_of
from support.outcomes import Outcome, numbers, strict_json

pytestmark = pytest.mark.heavy  # trains

DOCS = ROOT / "docs"


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("compare") / "faces", dict(zip(CLASSES, CLASSES, strict=True)), 16)


@pytest.fixture(scope="session")
def manifest(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder = tmp_path_factory.mktemp("prepared")
    data = open_collection([str(faces)])
    return prepare([data], [View("photo", 32)], folder, find_faces=False, progress=Silent()).manifest


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunConfig, PairPlan]]:
    """The runs that were asked for."""
    done: list[tuple[RunConfig, PairPlan]] = []
    monkeypatch.setattr(running, "_train", made_up(done))
    return done


def compare(config: CompareSettings, folder: Path, *, resume: bool = False) -> dict[str, Any]:
    """The results as they are printed."""
    found: dict[str, Any] = strict_json(encode(run_comparison(config, folder, resume=resume, progress=Silent())))
    return found


# -- arms -------------------------------------------------------------------------------------------------------------


def test_an_arm_is_what_it_says() -> None:
    (arm, other) = parse_arms(["augment=none,label_smoothing=0.1", "name=small,size=32,clip_norm=none"])
    assert arm == Arm("augment=none,label_smoothing=0.1", {"augment": "none", "label_smoothing": 0.1})
    assert other == Arm("small", {"size": 32, "clip_norm": None})
    run = resolve_arm(arm, asked(Path("x")), CLASSES, Budget(epochs=3), 7)
    assert isinstance(run, NetworkRun)
    assert (run.train.augment, run.train.label_smoothing, run.seed) == ("none", 0.1, 7)
    assert run.train.budget == Budget(epochs=3)
    assert run.train.stop_patience is None, "early stopping would give arms unequal budgets"


def test_arm_of_another_backbone_trains_at_the_size_that_a_study_would() -> None:
    config = asked(Path("x"))
    arm = Arm("a", {"recipe": "finetune", "backbone": "efficientnet-lite0", "frozen_stages": 2})
    study = study_settings(asked(Path("x"), size=None), "finetune", Budget(), 7, backbone="efficientnet-lite0")
    runs = resolve_arm(arm, config, CLASSES, Budget(), 7), resolve_run("finetune", study, CLASSES)
    train, expected = (run.train for run in runs if isinstance(run, NetworkRun))
    assert (train.backbone, train.frozen_stages) == ("efficientnet-lite0", 2)
    assert replace(train, frozen_stages=0, stop_patience=None, size=expected.size, precision="auto") == replace(
        expected, stop_patience=None, precision="auto"
    )


def test_arms_may_be_recipes_and_backbones() -> None:
    head = resolve_arm(Arm("a", {"recipe": "probe", "context": "scene"}), asked(Path("x")), CLASSES, Budget(), 7)
    assert isinstance(head, HeadRun)
    assert head.head.context == "scene"


BAD_ARMS = {
    "augment": "expected key=value",
    "augment=": "expected key=value",
    "colour=red": "unknown key 'colour'; choose from name, recipe",
    "size=large": "size is a whole number, not 'large'",
    "size=32.5": "size is a whole number",
    "learning_rate=fast": "learning_rate is a number",
    "size=32,size=48": "size is given twice",
    "augment=sepia": "choose one of none, notebook",
    "augment=notebook-hue": "notebook has no part 'hue' to leave out; it has crop, flip, rotation, colour",
    "size=8": "at least 32 px",
    "recipe=magic": "choose one of two-stream",
    "recipe=probe,augment=none": "recipe probe has no augment",
    "backbone=resnet18": "recipe scratch has no backbone",
    "frozen_stages=2": "recipe scratch has no frozen_stages",
    "warm_up=0.2": "recipe scratch has no warm_up",
    "schedule=cosine,plateau_patience=2": "recipe scratch has no plateau_patience",
    "augment=notebook": "given twice",
    "name=other,augment=notebook": "the same as",
}


@pytest.mark.parametrize("arm", BAD_ARMS)
def test_a_bad_arm_is_one_line(mien: Callable[..., Outcome], faces: Path, arm: str) -> None:
    outcome = mien("compare", faces, "--arm", "augment=notebook", "--arm", arm, "--out", "out")
    assert outcome.code == 2
    assert BAD_ARMS[arm] in outcome.complaint
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--arm", ARMS[0]], "two or more --arm"),
        (["--leave-one-out", "none"], "has no parts"),
        (["--leave-one-out", "sepia"], "choose one of none, notebook"),
        (["--leave-one-out", "notebook"], "augment=notebook: the same as --arm notebook"),
        (["--leave-one-out", "notebook", "--primary", "1/2"], "each part is compared with the whole"),
        (["--jobs", "0"], "must be at least 1"),
        (["--jobs", "2", "--seconds", "9"], "must not share the machine"),
        (["--pairs", "1"], "at least 2 pairs"),
        (["--folds", "1"], "must be at least 2"),
        (["--primary", "1/3"], "two of the 2 arms"),
        (["--primary", "2"], "as in 1/2"),
        (["--sizes", "0,1"], "above 0"),
        (["--sizes", "half"], "as in 0.1,0.25"),
        (["--recipe", "magic"], "choose one of"),
        (["--epochs", "0"], "more than 0"),
        (["--split", "70/30"], "three positive numbers"),
        (["--folds", "40", "--epochs", "1"], "too few for 40 folds"),
    ],
)
def test_bad_options_are_one_line(mien: Callable[..., Outcome], faces: Path, words: list[str], complaint: str) -> None:
    arms = [] if "--arm" in words else [word for arm in ARMS for word in ("--arm", arm)]
    outcome = mien("compare", faces, *arms, *words)
    assert outcome.code == 2
    assert complaint in outcome.complaint


def test_each_limit_is_a_budget_of_its_own() -> None:
    config = asked(Path("x"), epochs=3, updates=40, seconds=1.5)
    assert budgets(config.budget) == [Budget(epochs=3), Budget(updates=40), Budget(seconds=1.5)]
    assert budgets(asked(Path("x"), epochs=None).budget) == [Budget()], "the recipe's own"


def test_the_primary_contrast_can_be_chosen() -> None:
    assert primary_contrast("3/1", 3) == (2, 0)
    with pytest.raises(ConfigError, match="two of the 3 arms"):
        primary_contrast("1/1", 3)


# -- folds ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pool(manifest: pl.DataFrame) -> Pool:
    return make_pool(manifest, Division(), 42)


def test_the_photos_a_study_would_test_are_left_out(manifest: pl.DataFrame, pool: Pool) -> None:
    study = assign_splits(manifest, parse_shares("70/15/15"), 42)
    test = set(study.filter(pl.col("split") == "test")["row"])
    assert test
    assert not test & set(pool.rows["row"])
    assert set(pool.rows["row"]) == set(study.filter(pl.col("split").is_in(["train", "val"]))["row"])
    assert pool.held_back == len(test)


@pytest.mark.heavy
def test_a_test_folder_is_never_read(faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]]) -> None:
    for part, first in (("train", 100), ("val", 130), ("test", 150)):
        draw_set(tmp_path / "data" / part, dict(zip(CLASSES, CLASSES, strict=True)), 10, first=first)
    results = compare(asked(tmp_path / "data"), tmp_path / "out")
    used = {path for _, plan in trained for path in plan.rows["path"]}
    assert used
    assert not [path for path in used if path.startswith("test/")]
    assert results["data"]["held_back"] == 30


def test_what_a_naive_division_parts_is_still_one_person(pool: Pool) -> None:
    people = pl.Series("group", [f"p{i % 7}" for i in range(len(pool.rows))])
    rows = pool.rows.with_columns(people, pl.col("row").alias("split_group"), group_kind=pl.lit("people"))
    tested = pl.concat([plan.split("test") for plan in plan_pairs(Pool(rows, 0), 6, 3, 42)])
    assert tested["unit"].n_unique() == 7
    assert tested.group_by("group").agg(pl.col("unit").n_unique())["unit"].to_list() == [1] * 7


def test_each_repeat_tests_every_photo_once(pool: Pool) -> None:
    plans = plan_pairs(pool, 6, 3, 42)
    for repeat in (plans[:3], plans[3:]):
        tested = pl.concat([plan.split("test") for plan in repeat])["row"].to_list()
        assert sorted(tested) == pool.rows["row"].to_list()
    first, second = (plans[i].split("test")["row"].to_list() for i in (0, 3))
    assert first != second, "the second repeat divides anew"
    assert len({plan.seed for plan in plans}) == 6


def test_groups_stand_in_one_part(pool: Pool) -> None:
    together = Pool(pool.rows.with_columns(pl.col("split_group") // 3), 0)
    for plan in plan_pairs(together, 3, 3, 1):
        parts = plan.rows.group_by("split_group").agg(pl.col("split").n_unique())
        assert parts["split"].max() == 1
        assert set(plan.rows["split"]) == {"train", "val", "test"}
        assert set(plan.split("train")["label"]) == set(CLASSES)


def test_more_pairs_leave_the_first_as_they_are(pool: Pool) -> None:
    few, many = plan_pairs(pool, 4, 3, 5), plan_pairs(pool, 8, 3, 5)
    assert len(many) == 8
    assert all(a.rows.equals(b.rows) and a.seed == b.seed for a, b in zip(few, many, strict=False))


def test_a_share_of_the_training_photos(pool: Pool) -> None:
    plan = plan_pairs(pool, 1, 3, 42)[0]
    parts = {share: with_share(plan, share) for share in (0.25, 0.5, 1.0)}
    rows = {share: set(part.split("train")["row"]) for share, part in parts.items()}
    assert rows[0.25] < rows[0.5] < rows[1.0]
    assert len(rows[0.5]) == pytest.approx(len(rows[1.0]) / 2, abs=3)
    assert all(set(part.split("train")["label"]) == set(CLASSES) for part in parts.values())
    for name in ("val", "test"):
        assert all(part.split(name)["row"].equals(plan.split(name)["row"]) for part in parts.values())


# -- runs and results -------------------------------------------------------------------------------------------------


def test_runs_are_used_again(faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]]) -> None:
    first = compare(asked(faces), tmp_path / "out")
    assert len(trained) == 6
    again = compare(asked(faces), tmp_path / "out", resume=True)
    assert len(trained) == 6
    assert numbers(first) == numbers(again)
    more = compare(asked(faces, pairs=4), tmp_path / "out", resume=True)
    assert len(trained) == 8, "one more pair is two more runs"
    for arm in ARMS:
        before, after = (r["arms"][arm]["budgets"][0]["by_pair"] for r in (first, more))
        assert after[:3] == before
    compare(asked(faces, arms=(*ARMS, "augment=none,size=48")), tmp_path / "out", resume=True)
    assert len(trained) == 11, "a further arm is its own runs"


def test_an_interrupted_comparison_goes_on(
    faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compare(asked(faces), tmp_path / "whole")
    del trained[:]
    go_on = running._train

    def interrupted(*words: Any) -> None:
        if len(trained) == 3:
            raise KeyboardInterrupt
        go_on(*words)

    monkeypatch.setattr(running, "_train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(asked(faces), tmp_path / "cut")
    monkeypatch.setattr(running, "_train", go_on)
    assert numbers(compare(asked(faces), tmp_path / "cut", resume=True))["comparisons"] == numbers(whole)["comparisons"]
    assert len(trained) == 6


def test_a_folder_is_not_overwritten(faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]]) -> None:
    compare(asked(faces), tmp_path / "out")
    with pytest.raises(OutputError, match="--resume"):
        compare(asked(faces), tmp_path / "out")
    other = draw_set(tmp_path / "other", dict(zip(CLASSES, CLASSES, strict=True)), 12)
    with pytest.raises(OutputError, match="other photos"):
        compare(asked(other), tmp_path / "out", resume=True)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "file").touch()
    with pytest.raises(OutputError, match="no comparison"):
        compare(asked(faces), tmp_path / "foreign", resume=True)


def test_a_comparison_that_cannot_begin_leaves_nothing(
    faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]]
) -> None:
    with pytest.raises(ConfigError, match="two of the 2 arms"):
        compare(asked(faces, primary="1/9"), tmp_path / "out")
    with pytest.raises(SplitError, match="too few for 40 folds"):
        compare(asked(faces, folds=40), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def full(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All budgets, three arms, and sizes."""
    config = asked(faces, arms=(*ARMS, "label_smoothing=0.2"), epochs=2, updates=6, seconds=3.0, sizes=(0.5, 0.75, 1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_train", made_up([]))
        return compare(config, tmp_path_factory.mktemp("full") / "out")


def test_arms_that_guess_are_said_to_be_at_chance_and_axes_begin_at_0(full: dict[str, Any]) -> None:
    results = mien.open_results(Path(full["paths"]["run"]))
    assert isinstance(results, CompareResults)
    scores = [scores for arm in results.arms.values() for scores in arm.budgets]
    assert {each.beats_chance for each in scores} == {False}
    assert scores[0].chance_macro_f1 == pytest.approx(1 / 3, abs=0.01)
    lines = chance_lines(results)
    assert len([line for line in lines if "every arm" in line]) == len(results.budgets)
    figure = Figure()
    draw_curves(list(results.curves), scores[0].chance_macro_f1, figure)
    assert [axes.get_ylim()[0] for axes in figure.axes] == [0, 0, 0]


def test_only_arms_at_chance_are_named(full: dict[str, Any]) -> None:
    results = mien.open_results(Path(full["paths"]["run"]))
    assert isinstance(results, CompareResults)

    def judged(verdicts: dict[str, bool | None]) -> list[str]:
        arms = {
            name: structs.replace(
                arm, budgets=tuple(structs.replace(each, beats_chance=verdicts[name]) for each in arm.budgets)
            )
            for name, arm in results.arms.items()
        }
        return chance_lines(structs.replace(results, arms=arms))

    names = list(results.arms)
    some = judged({names[0]: True, names[1]: None, names[2]: False})
    assert all(names[2] in line and names[0] not in line for line in some[:-1])
    assert judged(dict.fromkeys(names, True)) == judged(dict.fromkeys(names, None)) == []


def test_answers_that_are_right_are_above_chance(pool: Pool) -> None:
    plans = plan_pairs(pool, folds=3, pairs=3, seed=1)
    labels = tuple(sorted(pool.rows["label"].unique()))

    class Right:
        def __init__(self, plan: PairPlan) -> None:
            self._truth = class_indices(plan.split("test")["label"], labels)

        def answers(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
            return self._truth

    finished: list[Any] = [Right(plan) for plan in plans]
    chance, beats_chance = against_chance(finished, plans, labels)
    assert beats_chance
    assert chance == pytest.approx(1 / 3, abs=0.01)


def test_the_family_is_all_contrasts_under_all_budgets(full: dict[str, Any]) -> None:
    rows = full["comparisons"]
    assert [(r["first"], r["second"]) for r in rows[:2]] == [ARMS, ("label_smoothing=0.2", ARMS[1])]
    assert [r["budget"]["axis"] for r in rows] == ["epochs", "epochs", "updates", "updates", "seconds", "seconds"]
    assert [r["is_primary"] for r in rows] == [True, False] * 3
    judged = sum(each is not None for row in rows for each in row["per_class"].values())
    assert judged > 0
    fewest = {"fewest": fewest_pairs(6), "fewest_for_classes": fewest_pairs(judged)}
    assert full["pairs"] == {"number": 3, "folds": 3, **fewest}
    assert {r["verdict"] for r in rows} == {"cannot tell"}, "3 pairs can tell nothing, and the tool says so"
    assert all(r["p_holm"] >= r["p"] for r in rows)


def test_without_a_number_there_are_as_many_pairs_as_can_tell(
    faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]]
) -> None:
    one = compare(asked(faces, pairs=None), tmp_path / "one")
    assert one["pairs"]["number"] == one["pairs"]["fewest"] == 6
    two = compare(asked(faces, pairs=None, updates=4), tmp_path / "two")
    assert two["pairs"]["number"] == 7


def test_each_part_of_an_augmentation_is_left_out(
    faces: Path, tmp_path: Path, trained: list[tuple[RunConfig, PairPlan]]
) -> None:
    results = compare(asked(faces, arms=("augment=none",), leave_one_out="notebook"), tmp_path / "out")
    without = [f"notebook without {part}" for part in AUGMENTATIONS["notebook"]]
    assert list(results["arms"]) == ["notebook", *without, "augment=none"]
    assert results["arms"][without[0]]["settings"] == {"augment": "notebook-crop"}
    assert results["primary"] == [without[0], "notebook"]
    assert [row["first"] for row in results["comparisons"]] == [*without, "augment=none"]
    assert {row["second"] for row in results["comparisons"]} == {"notebook"}
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "a minus with * means that it helped" in page
    assert "notebook without flip / notebook: no difference" in page  # these runs are made up so


def test_the_difference_of_each_class_stands_beside(full: dict[str, Any]) -> None:
    for row in full["comparisons"]:
        assert list(row["per_class"]) == list(CLASSES)
        differences = [each["f1_difference"] for each in row["per_class"].values()]
        assert np.mean(differences) == pytest.approx(row["macro_f1_difference"])
        for each in row["per_class"].values():
            assert each["interval"][0] <= each["f1_difference"] <= each["interval"][1]
            assert each["verdict"] == "cannot tell", "3 pairs tell nothing of so many classes"


def test_the_difference_is_that_of_the_scores(full: dict[str, Any]) -> None:
    for row in full["comparisons"]:
        place = full["budgets"].index(row["budget"])
        a, b = (full["arms"][row[which]]["budgets"][place] for which in ("first", "second"))
        assert row["macro_f1_difference"] == pytest.approx(a["macro_f1"] - b["macro_f1"])
        assert row["interval"][0] <= row["macro_f1_difference"] <= row["interval"][1]


def test_there_is_a_curve_against_each_axis(full: dict[str, Any]) -> None:
    assert [curve["axis"] for curve in full["curves"]] == ["epochs", "updates", "seconds"]
    for curve, last in zip(full["curves"], (2, 6, 1.3), strict=True):
        assert set(curve["arms"]) == set(full["arms"])
        for line in curve["arms"].values():
            assert len(line["x"]) == len(line["macro_f1"]) == len(line["spread"])
            assert line["x"] == sorted(line["x"])
            assert line["x"][-1] <= last


def test_costs_stand_beside(full: dict[str, Any]) -> None:
    cost = full["arms"][ARMS[0]]["budgets"][0]
    assert cost["images_a_second"] == pytest.approx(60)
    assert cost["waiting_share"] == pytest.approx(0.01)


def test_sizes_are_a_learning_curve(full: dict[str, Any]) -> None:
    for curve in full["sizes"].values():
        photos = [point["photos"] for point in curve["points"]]
        assert photos == sorted(photos)
        assert [at["photos"] for at in curve["growth"]["at"]] == pytest.approx([2 * photos[-1], 4 * photos[-1]])


def test_results_are_documented_strict_json_and_stand_in_the_folder(full: dict[str, Any]) -> None:
    folder = Path(full["paths"]["run"])
    assert strict_json((folder / "results.json").read_text(encoding="utf-8")) == strict_json(json.dumps(full))
    text = (DOCS / "RESULTS.md").read_text(encoding="utf-8")
    part = text[text.index("## `mien compare`") :]
    arm = next(iter(full["arms"].values()))
    of_class = full["comparisons"][0]["per_class"][CLASSES[0]]
    for key in [*full, *full["comparisons"][0], *of_class, *arm, *arm["budgets"][0], *full["data"], *full["pairs"]]:
        assert re.search(rf"[`.{{,]{key}[`,}}]", part), key


def test_the_page_is_self_contained(full: dict[str, Any]) -> None:
    page = (Path(full["paths"]["run"]) / "compare.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert not re.search(r"(?:src|href)=[\"']http", page)
    assert "<script" not in page
    for arm in full["arms"]:
        assert arm in page


def test_the_page_reads_as_stored(full: dict[str, Any], as_stored: Callable[[str, str], None]) -> None:
    as_stored("page of compare", lines_of((Path(full["paths"]["run"]) / "compare.html").read_text(encoding="utf-8")))


def test_the_terminal_shows_the_verdict(
    mien: Callable[..., Outcome], faces: Path, trained: list[tuple[RunConfig, PairPlan]]
) -> None:
    arms = [word for arm in ARMS for word in ("--arm", arm)]
    outcome = mien("compare", faces, *arms, "--epochs", "1", "--size", "32", "--pairs", "3", "--folds", "3")
    assert outcome.code == 0, outcome.err
    assert ("runs shared the machine" in outcome.out) == (
        side_by_side(made(CompareSettings, data=("x",), arms=ARMS)) > 1
    )
    assert "at least 6 pairs for a verdict" in outcome.out
    assert "cannot tell" in outcome.out
    assert Path("mien-compare-faces/compare.html").exists()
    again = mien("compare", faces, *arms, "--epochs", "1", "--size", "32", "--pairs", "3", "--folds", "3", "--json",
                 "--resume")  # fmt: skip
    assert again.json["primary"] == list(ARMS)


# -- growth -----------------------------------------------------------------------------------------------------------


def points(law: Callable[[float], float], *, noise: float = 0.0) -> list[SizePoint]:
    rng = np.random.default_rng(0)
    found = []
    for n in (60, 150, 300, 600):
        by_pair = tuple(law(n) + noise * rng.standard_normal() for _ in range(8))
        found.append(SizePoint(share=n / 600, photos=n, macro_f1=float(np.mean(by_pair)), by_pair=by_pair))
    return found


def test_a_power_law_is_found_again() -> None:
    growth = extrapolated(points(lambda n: 0.9 - 2 * n**-0.5))
    assert growth is not None
    assert growth.ceiling == pytest.approx(0.9, abs=0.01)
    assert growth.at[0].photos == 1200
    assert growth.at[0].macro_f1 == pytest.approx(0.9 - 2 * 1200**-0.5, abs=0.005)


@pytest.mark.heavy
def test_noise_widens_the_extrapolation() -> None:
    calm, loud = (extrapolated(points(lambda n: 0.9 - 2 * n**-0.5, noise=noise)) for noise in (0.005, 0.05))
    assert calm is not None
    assert loud is not None
    width = [growth.at[1].interval.high - growth.at[1].interval.low for growth in (calm, loud)]
    assert width[0] < width[1]


def test_two_sizes_are_no_law() -> None:
    assert extrapolated(points(lambda n: 0.5)[:2]) is None


# -- the real thing ---------------------------------------------------------------------------------------------------


@pytest.mark.heavy
def test_real_runs_are_the_same_twice_side_by_side_or_alone(faces: Path, tmp_path: Path) -> None:
    config = asked(faces, pairs=2, folds=2, jobs=2)
    results = compare(config, tmp_path / "out")
    for arm in ARMS:
        cost = results["arms"][arm]["budgets"][0]
        assert cost["seconds_a_run"] > 0
        assert cost["images_a_second"] > 0
        assert 0 < cost["waiting_share"] < 1
        assert cost["epochs_a_run"] == 1
    assert not list((tmp_path / "out" / "runs").rglob("*.ckpt")), "a comparison keeps no models"
    folder = tmp_path / "out"
    rows = make_pool(read_manifest(folder / "manifest.parquet"), config.division, config.randomness.seed)
    photos = LabelledPhotos(("faces",), rows.rows, Pixels(folder / "pixels"), CLASSES, folder / "features")
    plan = plan_pairs(rows, 2, 2, config.randomness.seed)[1]
    run = resolve_arm(parse_arms(ARMS)[1], config, CLASSES, Budget(epochs=1), plan.seed)
    again = run_once(run, plan, photos, tmp_path / "again")
    assert again.key == results["arms"][ARMS[1]]["budgets"][0]["runs"][1]
    stored = pl.read_parquet(folder / "runs" / again.key / "predictions.parquet")
    assert stored.equals(again.predictions)
