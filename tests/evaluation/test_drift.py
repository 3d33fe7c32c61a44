"""How two sets differ, what is confused more often than before, and whether photos from elsewhere are new at all."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from PIL import Image, ImageOps

from mien.data.grouping.duplicates import is_copy_of
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import SCHEMA
from mien.data.tables.prepare import Prepared, prepare
from mien.evaluation.drift import BINS, confusion_changes, measure_drift
from mien.metrics import Interval
from mien.progress import Silent
from mien.results.study import StudyResults
from mien.results.target import Change, Counted, Drift, GoodEnough, LabelShare, TargetResults
from mien.telling.report.drift import TITLES, drift_panels, drift_sentence
from mien.telling.words.answers import warnings
from mien.telling.words.elsewhere import confusion_sentence, in_short, next_steps, novelty_sentences
from mien.telling.words.novelty import met_before
from support.made_study import effect, made_scores, make_manifest, make_results, moved, with_target
from support.pictures import encoded, pattern, write_files
from support.studies import Study


def rows(labels: list[str], **columns: Any) -> pl.DataFrame:
    """Rows of a manifest; a column that is not given is null."""
    n = len(labels)
    made = {"label": labels, "face_kind": ["found"] * n, "width": [400] * n, "height": [300] * n} | columns
    return pl.DataFrame({name: made.get(name, [None] * n) for name in SCHEMA}, schema=SCHEMA)


# -- properties and labels --------------------------------------------------------------------------------------------


def test_properties_that_differ_most_come_first() -> None:
    rng = np.random.default_rng(0)
    light = {"brightness": rng.uniform(0, 1, 2000), "face_side": rng.uniform(100, 200, 2000)}
    other = {"brightness": rng.uniform(0.5, 1.5, 900), "face_side": rng.uniform(10, 48, 900)}
    drift = measure_drift(rows(["a"] * 2000, **light), rows(["a"] * 900, **other), {"a": "a"})
    found = {each.property: each for each in drift.properties}
    assert list(found) == ["face_side", "face_share", "brightness"]
    assert found["face_side"].overlap == 0
    assert found["brightness"].overlap == pytest.approx(0.5, abs=0.05)
    assert found["face_side"].target.median == pytest.approx(float(np.median(other["face_side"])), rel=1e-4)
    assert found["face_side"].own.photos == 2000
    for each in drift.properties:
        assert len(each.edges) == BINS + 1
        assert sum(each.own.shares) == pytest.approx(1)
        assert sum(each.target.shares) == pytest.approx(1)


def test_a_set_is_like_itself() -> None:
    own = rows(["a"] * 40, brightness=np.random.default_rng(1).uniform(0, 1, 40))
    assert [each.overlap for each in measure_drift(own, own, {"a": "a"}).properties] == [1]


def test_what_a_set_does_not_have_is_not_compared() -> None:
    own = rows(["a", "a"], jpeg_quality=[70, 90], face_side=[80.0, 90.0])
    target = rows(["a", "a"], face_side=[40.0, 48.0], face_kind=["none", "none"])
    assert measure_drift(own, target, {"a": "a"}).properties == ()


def test_shares_of_labels_are_of_the_shared_classes() -> None:
    own = rows(["anger"] * 3 + ["sad"] + ["pain"] * 6)
    target = rows(["angry", "mad", "sad", "sad", "neutral"])
    found = measure_drift(own, target, {"angry": "anger", "mad": "anger", "sad": "sad"}).labels
    assert found == {"anger": LabelShare(own=0.75, target=0.5), "sad": LabelShare(own=0.25, target=0.5)}


def test_drawings_say_their_numbers_and_fetch_nothing() -> None:
    rng = np.random.default_rng(2)
    sides = {name: rng.uniform(20, 90, 30) for name in ("brightness", "contrast", "sharpness", "saturation")}
    own, target = (rows(["a"] * 30, jpeg_quality=rng.integers(1, 100, 30), **sides) for _ in range(2))
    drift = measure_drift(own, target.with_columns(pl.col("brightness") * 9), {"a": "a"})
    panels = drift_panels(drift)
    assert len(panels) == len(drift.properties) == 5
    first = drift.properties[0]
    assert first.property == "brightness"
    assert panels[0].title.startswith(TITLES["brightness"])
    assert f"{first.own.median:.3g} in the data" in panels[0].svg
    assert "http" not in panels[0].svg
    crop = replace(first, property="face_share", overlap=0.1)
    assert drift_sentence(Drift(properties=(crop,), labels={})).endswith("tightness of the crop.")
    assert drift_sentence(drift) == "The two sets overlap by less than 50\N{NO-BREAK SPACE}% in brightness."


# -- confusion --------------------------------------------------------------------------------------------------------


SAME = {"a": "a", "b": "b", "c": "c"}


def answered(labels: list[str], confusion: list[list[int]], photos_a_person: int = 1) -> pl.DataFrame:
    """Predictions with so many answers of each kind; those of a person come one after the other."""
    cells = [(i, j) for i, row in enumerate(confusion) for j, n in enumerate(row) for _ in range(n)]
    table = pl.DataFrame(
        {"label": [labels[i] for i, _ in cells], "split_group": np.arange(len(cells)) // photos_a_person}
    )
    answers = np.array([j for _, j in cells])
    return table.with_columns(pl.Series(f"prob_{label}", (answers == k) * 1.0) for k, label in enumerate(labels))


def test_a_change_among_a_few_people_is_not_clear_however_many_photos_they_have() -> None:
    test, target = answered(["a", "b"], [[290, 10], [0, 300]]), answered(["a", "b"], [[150, 150], [0, 300]], 100)
    change = confusion_changes(test, target, ["a", "b"], SAME)[0]
    assert (change.true, change.interval, change.is_clear) == ("a", None, False)
    single = answered(["a", "b"], [[150, 150], [0, 300]])
    assert confusion_changes(test, single, ["a", "b"], SAME)[0].is_clear


def test_the_confusion_that_changed_most_comes_first() -> None:
    test = answered(["a", "b", "c"], [[18, 2, 0], [0, 20, 0], [5, 0, 15]])
    target = answered(["a", "b", "c"], [[300, 700, 0], [0, 900, 100], [0, 0, 0]])
    changes = confusion_changes(test, target, ["a", "b", "c"], SAME)
    first, second, *_ = changes
    assert (first.true, first.predicted) == ("a", "b")
    assert first.change == pytest.approx(0.6)
    assert (first.test, first.target) == (Counted(count=2, of=20), Counted(count=700, of=1000))
    assert first.interval is not None
    assert 0 < first.interval.low < 0.6 < first.interval.high < 1
    assert (second.true, second.predicted) == ("b", "c")
    assert "c" not in {change.true for change in changes}, "a class without photos there"
    assert first.is_clear
    said = confusion_sentence(known(confusion_changes=(first,)))
    assert said is not None
    assert said.startswith(
        "The confusion that changed most: “a” is taken for “b” in 70\N{NO-BREAK SPACE}% (700 of 1,000)"
    )


def test_a_change_that_chance_may_bring_is_called_so() -> None:
    test, target = (answered(["a", "b"], [[n, 1], [0, 5]]) for n in (5, 3))
    said = confusion_sentence(known(confusion_changes=confusion_changes(test, target, ["a", "b"], SAME)))
    assert said is not None
    assert said.startswith("No confusion changed significantly")
    assert confusion_sentence(known(confusion_changes=None)) is None


@pytest.mark.parametrize("k", [2, 4, 6])
def test_intervals_hold_for_all_pairs_where_nothing_changed(k: int) -> None:
    """About one in twenty sets of pairs holds an interval without 0; of 100, the error of the count is 2.2."""
    labels = [f"c{i}" for i in range(k)]
    clear = 0
    for seed in range(100):
        rng = np.random.default_rng((k, seed))
        shares = rng.dirichlet(np.ones(k), k)
        test, target = (answered(labels, [rng.multinomial(n, row).tolist() for row in shares]) for n in (25, 400))
        found = confusion_changes(test, target, labels, {label: label for label in labels})
        clear += any(change.is_clear for change in found)
    assert clear <= 10


# -- is it new at all -------------------------------------------------------------------------------------------------


def read(folder: Path, files: dict[str, bytes]) -> Prepared:
    collection = open_collection([str(write_files(folder, files))])
    return prepare([collection], [View("photo", 32)], folder / "work", find_faces=False, progress=Silent())


def test_copies_of_our_photos_are_found_whatever_was_done_to_the_file(tmp_path: Path) -> None:
    size = (200, 160)
    own = read(tmp_path / "own", {f"{'ab'[i % 2]}/{i}.png": encoded(pattern(i, size)) for i in range(6)})
    theirs = {
        "a/same.png": encoded(pattern(0, size)),
        "a/smaller.jpg": encoded(pattern(1, (100, 80)), "JPEG", quality=70),
        "b/mirrored.png": encoded(ImageOps.mirror(pattern(2, size))),
        "b/other.png": encoded(pattern(77, size)),
        "b/other-again.png": encoded(pattern(77, size)),
        "b/blank.png": encoded(Image.new("RGB", size, "white")),
    }
    target = read(tmp_path / "theirs", theirs)
    found = is_copy_of(target.manifest, target.pixels, own=own.manifest, own_pixels=own.pixels)
    copies = sorted(path for path, is_copy in zip(target.manifest["path"], found, strict=True) if is_copy)
    assert copies == ["a/same.png", "a/smaller.jpg", "b/mirrored.png"]
    few = own.manifest.filter(pl.col("path") == "a/0.png")
    assert is_copy_of(target.manifest, target.pixels, own=few, own_pixels=own.pixels).sum() == 1
    assert not is_copy_of(target.manifest, target.pixels, own=own.manifest.head(0), own_pixels=own.pixels).any()


@cache
def made_results() -> StudyResults:
    """Of a made-up study with a target of 30 photos."""
    manifest = make_manifest()
    return with_target(make_results(manifest), manifest)


def made_target() -> TargetResults:
    target = made_results().target
    assert target is not None
    return target


def known(**changes: Any) -> TargetResults:
    nothing = {"near_copies": 0, "seen_in_training": 0, "known_collections": (), "recurring_groups": 0, "is_new": True}
    return replace(made_target(), **nothing | changes)


def test_what_is_not_new_is_said() -> None:
    assert novelty_sentences(known())[0].startswith("The photos are new to the model")
    copies = known(near_copies=3, seen_in_training=2, is_new=False)
    assert "3 of these 30 photos, or on copies" in novelty_sentences(copies)[0]
    seen = novelty_sentences(known(near_copies=None, seen_in_training=1, is_new=False))[0]
    assert "the model or its backbone was trained on 1 of these 30 photos" in seen.replace("The model", "the model")
    collection = known(known_collections=("fer2013",), is_new=False)
    assert "other photos of fer2013" in novelty_sentences(collection)[0]
    assert "by file hash alone" in novelty_sentences(known(near_copies=None))[0]


def test_what_was_trained_on_is_told_in_the_same_words_wherever_it_is_told() -> None:
    """The page once blamed the model's own training for what its backbone had been trained on."""
    for changes in ({"near_copies": 3, "seen_in_training": 2}, {"near_copies": 0, "seen_in_training": 2}):
        target = known(**changes, is_new=False)
        results = replace(made_results(), target=target)
        told = met_before(target)
        assert warnings(results)[0] == met_before(target, beside_test=True)
        assert met_before(target, beside_test=True).split(" of ")[0] == told.split(" of ")[0]
        assert "photos from elsewhere" in warnings(results)[0]
        assert told in novelty_sentences(target)[0]
    assert met_before(known()) == ""


# -- what to do next --------------------------------------------------------------------------------------------------


def fallen(**changes: Any) -> TargetResults:
    """A target on which the score fell, most of it with the resolution."""
    target = made_target()
    assert target.causes is not None
    causes = replace(
        target.causes,
        moved=(moved("resolution", -0.12, -0.2, -0.05, 0.8), moved("class_balance", -0.2, -0.3, -0.1, 0.8)),
        macro_f1=0.8,
        reached=0.5,
        together=effect(-0.1, -0.2, -0.05, 0.8),
        unexplained=-0.2,
    )
    about = {
        "shared": made_scores(macro_f1=0.5, interval=Interval(0.48, 0.52), images=0),
        "shared_limited": made_scores(macro_f1=0.51),
        "labels": replace(target.labels, missing=("pain",)),
        "causes": causes,
        "change_from_test": Change(macro_f1=-0.3, accuracy=-0.3),
        "confusion_changes": (),
    }
    return known(**about | changes)


def test_steps_follow_from_the_numbers() -> None:
    first, second = next_steps(fallen())
    assert first.step.endswith("mien study YOURS --recipe finetune --augment elsewhere.")
    assert first.reason.startswith("At the same resolution, ")
    assert "−0.12 (−0.20 to −0.05)" in first.reason
    assert second.step.startswith("Label some of these photos and train on them")
    assert "0.20 of the fall is not explained by image quality" in second.reason
    few = next_steps(fallen(shared=made_scores(macro_f1=0.5, interval=Interval(0.3, 0.7), images=23)))
    assert few[0].step == "Label more of these photos, and evaluate again."
    assert "about 92" in few[0].reason
    limited = fallen(shared_limited=made_scores(macro_f1=0.6))
    assert next_steps(limited)[-1].step.startswith(
        "Limit its answers, if pain cannot occur: mien predict PHOTOS --classes "
    )


def test_where_no_property_alone_is_to_blame_all_of_them_are() -> None:
    causes = fallen().causes
    assert causes is not None
    little = tuple(moved(name, -0.01, -0.05, 0.03) for name in ("crop", "grey", "class_balance"))
    step = next_steps(fallen(causes=replace(causes, moved=little)))[0]
    assert step.step.endswith("--augment elsewhere.")
    assert "cropped to the face, in grey" in step.reason
    assert "all together by −0.10 (−0.20 to −0.05)" in step.reason
    nothing = replace(causes, moved=little, together=effect(-0.1, -0.2, 0.01))
    assert next_steps(fallen(causes=nothing))[0].step.startswith("Label some of these photos")


def test_what_is_known_comes_before_all_else() -> None:
    steps = next_steps(fallen(near_copies=4, known_collections=("fer2013",), is_new=False))
    assert [step.step.split()[0] for step in steps] == ["Test", "Train", "Label"]
    assert len(steps) == 3


def test_where_nothing_fell_there_is_nothing_to_mend() -> None:
    fine = fallen(causes=None, change_from_test=Change(macro_f1=0.01, accuracy=0.01))
    (step,) = next_steps(fine)
    assert step.step == "Measure what labels of these photos would gain: mien adapt STUDY PHOTOS."
    alone = replace(fine, near_copies=None)
    assert next_steps(alone)[0].step.endswith("mien study PHOTOS --recipe from-default.")
    good = GoodEnough(level="good", reached=0.75, bounds={})
    assert "mien predict" in next_steps(replace(fine, good_enough=good))[0].step
    assert len(in_short(fine)) == 1
    assert "+0.01 from the test photos" in in_short(fine)[0]


def test_what_happened_adds_up() -> None:
    told = in_short(fallen())
    assert told[0].endswith("on the test photos of these classes it is 0.80.")
    assert told[1].startswith(
        "Elsewhere, the score falls by 0.30. Image quality explains about 0.10; the rest may come from the people"
    )


# -- in a study -------------------------------------------------------------------------------------------------------


def test_a_study_says_how_its_target_differs(small_study: Study) -> None:
    target = small_study.results["target"]
    assert target["near_copies"] == 0
    found = {each["property"]: each for each in target["drift"]["properties"]}
    assert found["longer_side"]["overlap"] == 0
    assert found["longer_side"]["target"]["median"] == 48
    assert set(target["drift"]["labels"]) == {"anger", "happy"}
    assert target["confusion_changes"]
    html = (small_study.folder / "report.html").read_text(encoding="utf-8")
    section = html[html.index('<section id="target">') :]
    first = section[section.index("<p>") :].split("</p>")[0]
    assert "new to the model" in first
