"""What the audit finds with a model or with statistics, and how its first screen reads."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec.structs import asdict, replace
from numpy.typing import NDArray
from rich.console import Console

from mien.auditing.doubts import doubt_labels
from mien.auditing.examine import MOST_JUDGED, Examined, examine, judges_labels
from mien.auditing.findings import findings_of
from mien.auditing.leakage import leak_premium
from mien.data.reading.pixels import Pixels
from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import SCHEMA
from mien.errors import MissingExtraError, SplitError
from mien.metrics import Interval
from mien.progress import Silent
from mien.results.audit import Culprit, DoubtfulLabel, DoubtfulLabels, Leakage, Premium, Shortcuts
from mien.results.commands import AuditedData, AuditPaths, AuditResults
from mien.results.document import encode
from mien.results.scores import Over
from mien.telling.terminal.summaries import audit_summary
from support.drawn_sets import CLASSES, PER_CLASS
from support.intervals import present
from support.outcomes import Outcome, strict_json
from support.pictures import class_files, png, write_files

Mien = Callable[..., Outcome]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
QUICK = ("--no-check-labels", "--no-faces")
NAMES = ("anger", "happy", "sad")
WIDTH = 1280


def clusters(each: int, *, distance: float = 4.0, seed: int = 0) -> tuple[Floats, Ints]:
    """Three clear clouds of features (N, 16) and which one each belongs to, in turn."""
    rng = np.random.default_rng(seed)
    y = np.tile(np.arange(3), each)
    return (rng.normal(size=(3 * each, 16)) + distance * np.eye(3, 16)[y]).astype(np.float32), y


def made_manifest(labels: Sequence[str | None], **columns: list[Any]) -> pl.DataFrame:
    """Usable photos, each a picture of its own."""
    n = len(labels)
    rows = list(range(n))
    values: dict[str, list[Any]] = {name: [None] * n for name in SCHEMA}
    values |= {"id": [f"set/{i}.png" for i in rows], "path": [f"{i}.png" for i in rows], "source": ["set"] * n}
    values |= {"row": rows, "exact_group": rows, "near_group": rows, "series": rows, "label": list(labels)}
    values |= {"status": ["ok"] * n, "sha256": [f"{i:064}" for i in rows], "width": [64] * n, "height": [64] * n}
    values |= {"is_grey": [False] * n, "format": ["JPEG"] * n}
    values |= {"face_kind": ["found"] * n, "face_count": [1] * n, "face_side": [60.0] * n, "contrast": [0.2] * n}
    return pl.DataFrame(values | columns, schema=SCHEMA)


# -- doubtful labels --------------------------------------------------------------------------------------------------


def test_planted_wrong_labels_are_found() -> None:
    features, true = clusters(100)
    wrong = np.random.default_rng(1).permutation(300)[:15]
    y = true.copy()
    y[wrong] = (true[wrong] + 1) % 3
    doubts = doubt_labels(features, y, np.arange(300), seed=3)
    suspects = set(np.flatnonzero(doubts.is_doubtful).tolist())
    assert len(suspects & set(wrong.tolist())) >= 14
    assert len(suspects) <= 17
    assert (doubts.suggested[wrong] == true[wrong]).mean() > 0.9
    assert doubts.quality[wrong].max() < np.median(doubts.quality)
    assert doubts.accuracy == pytest.approx(0.95, abs=0.02)
    assert doubts.quality.min() >= 0
    assert doubts.quality.max() <= 1


def test_right_labels_are_left_alone() -> None:
    features, y = clusters(60)
    doubts = doubt_labels(features, y, np.arange(180), seed=3)
    assert doubts.is_doubtful.sum() <= 2
    assert doubts.accuracy > 0.97


def test_copies_under_one_wrong_label_cannot_vouch_for_each_other() -> None:
    features, y = clusters(60)
    groups = np.arange(180)
    rng = np.random.default_rng(2)
    planted = np.repeat(features[y == 0][:1], 8, axis=0) + rng.normal(scale=0.01, size=(8, 16)).astype(np.float32)
    features, y = np.vstack([features, planted]), np.append(y, [1] * 8)
    together = doubt_labels(features, y, np.append(groups, [180] * 8), seed=3)
    assert together.is_doubtful[180:].all()
    assert together.quality[180:].max() < 0.4
    alone = doubt_labels(features, y, np.arange(188), seed=3)
    assert alone.quality[180:].min() > together.quality[180:].max()  # where they may vouch, they do


def test_doubts_are_the_same_again_and_need_enough_pictures() -> None:
    features, y = clusters(20)
    one, again = (doubt_labels(features, y, np.arange(60), seed=3) for _ in range(2))
    assert np.array_equal(one.quality, again.quality)
    few = np.append(y[y != 2], [2] * 4)
    with pytest.raises(SplitError):
        doubt_labels(features[: len(few)], few, np.arange(len(few)), seed=3)
    with pytest.raises(SplitError):  # twenty photos, but of four pictures
        doubt_labels(features, y, np.where(y == 2, np.arange(60) % 4, np.arange(60) + 10), seed=3)


# -- leak premium -----------------------------------------------------------------------------------------------------


def copied(pictures: int, copies: int) -> tuple[Floats, Ints, Ints]:
    """Noise under random labels, every picture several times: only copies can tell its label."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(pictures), copies)
    looks = rng.normal(size=(pictures, 64))[groups] + rng.normal(scale=0.05, size=(len(groups), 64))
    return looks.astype(np.float32), np.repeat(np.arange(pictures) % 3, copies), groups


def test_copies_that_leak_are_worth_much_and_the_interval_says_so() -> None:
    features, y, groups = copied(60, 4)
    rows = np.arange(len(y))
    found = leak_premium(features, y, {"naive": rows, "grouped": groups, "series": groups // 2}, seed=1)
    assert found.macro_f1["naive"] > 0.7
    assert found.macro_f1["grouped"] < 0.5
    for method in ("grouped", "series"):
        premium = found.premium[method]
        assert premium.value == pytest.approx(found.macro_f1["naive"] - found.macro_f1[method])
        assert present(premium.interval).low <= premium.value <= present(premium.interval).high
        assert 0.2 < present(premium.interval).low < present(premium.interval).high < 1
    assert set(found.premium) == {"grouped", "series"}
    assert leak_premium(features, y, {"naive": rows, "grouped": groups, "series": groups // 2}, seed=1) == found


def test_without_copies_there_is_no_premium() -> None:
    features, y = clusters(40, distance=1.5)
    rows = np.arange(120)
    found = leak_premium(features, y, {"naive": rows, "grouped": rows, "series": rows}, seed=1)
    assert found.premium["grouped"].value == 0
    assert (present(found.premium["grouped"].interval).low, present(found.premium["grouped"].interval).high) == (0, 0)


def test_series_without_likeness_are_worth_nothing() -> None:
    """Groups drawn at random leak nothing, so the interval holds 0."""
    features, y = clusters(60, distance=1.5)
    rows = np.arange(180)
    series = np.random.default_rng(5).permutation(180) // 3
    premium = leak_premium(features, y, {"naive": rows, "grouped": rows, "series": series}, seed=1).premium["series"]
    assert present(premium.interval).low <= 0 <= present(premium.interval).high
    assert abs(premium.value) < 0.05


def test_series_too_few_for_folds_are_called_series(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y = clusters(10)
    manifest = made_manifest([NAMES[i] for i in y], series=[min(i, 8) for i in range(30)])
    found = looked_at(monkeypatch, manifest, features, leak_premium=True)
    assert found.doubtful_labels.reason is None
    assert found.leakage is not None
    assert found.leakage.reason == "class 'sad' has 3 series, too few for 5 folds"


def by_person(people: int, each: int, seed: int = 0) -> tuple[Floats, Ints, Ints]:
    """Every person shows one class, at random: only who has seen a person can tell it."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    looks = rng.normal(size=(people, 16))[person] * 3 + rng.normal(scale=0.3, size=(len(person), 16))
    return looks.astype(np.float32), np.repeat(np.arange(people) % 3, each), person


def test_a_leak_by_person_is_measured_over_people(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y, person = by_person(30, 6)
    labels, groups = [NAMES[i] for i in y], [f"p{i}" for i in person]
    manifest = made_manifest(labels, group=groups, group_kind=["people"] * len(y))
    found = looked_at(monkeypatch, manifest, features, leak_premium=True).leakage
    assert found is not None
    assert list(found.macro_f1) == ["naive", "grouped", "people", "series"]
    assert found.over == Over.counted(30, "people")
    assert found.premium["people"].verdict == "naive flatters"
    assert found.premium["people"].value > 0.3
    assert present(found.premium["people"].interval).low > 0.1


def test_few_people_leave_the_premium_by_person_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y = clusters(30)
    manifest = made_manifest([NAMES[i] for i in y], group=[f"p{i % 4}" for i in range(90)], group_kind=["people"] * 90)
    found = looked_at(monkeypatch, manifest, features, leak_premium=True)
    assert found.leakage is not None
    assert "4 people" in (found.leakage.reason or "")


def test_labels_of_a_person_are_judged_by_photos_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a photo of the same person could vouch for is not vouched for."""
    features, y, person = by_person(30, 6)
    labels, groups = [NAMES[i] for i in y], [f"p{i}" for i in person]
    known = looked_at(monkeypatch, made_manifest(labels, group=groups, group_kind=["people"] * len(y)), features)
    unknown = looked_at(monkeypatch, made_manifest(labels), features)
    told = [present_accuracy(each) for each in (known, unknown)]
    assert told[0] < 0.5 < 0.8 < told[1]


def test_of_four_people_each_is_judged_by_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y = clusters(20)
    manifest = made_manifest([NAMES[i] for i in y], group=[f"p{i % 4}" for i in range(60)], group_kind=["people"] * 60)
    found = looked_at(monkeypatch, manifest, features).doubtful_labels
    assert (found.judged, found.folds, found.reason) == (60, 4, None)


def present_accuracy(found: Examined) -> float:
    assert found.doubtful_labels.accuracy is not None
    return found.doubtful_labels.accuracy


def test_premium_of_too_few_pictures_is_refused() -> None:
    features, y = clusters(10)
    with pytest.raises(SplitError, match="2"):
        leak_premium(features, y, {"naive": np.arange(30), "grouped": np.where(y == 2, 2, np.arange(30) + 5)}, seed=1)


# -- what is examined -------------------------------------------------------------------------------------------------


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ``mien[train]`` had not been installed."""
    from importlib.util import find_spec

    away = ("torch", "timm", "cleanlab", "sklearn")
    monkeypatch.setattr(
        "mien.auditing.examine.find_spec", lambda name: None if name in away else find_spec(name), raising=True
    )


def test_labels_are_judged_up_to_a_size_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judges_labels(None, MOST_JUDGED) is None
    reason = judges_labels(None, MOST_JUDGED + 1)
    assert reason is not None
    for word in ("5,001 photos", "minute", "--check-labels"):
        assert word in reason
    assert judges_labels(True, 10 * MOST_JUDGED) is None
    assert judges_labels(False, 10) == "not asked for"
    monkeypatch.setattr("mien.auditing.examine.MOST_JUDGED", 3)
    assert judges_labels(None, 3) is None
    assert judges_labels(None, 4) is not None


@pytest.mark.usefixtures("without_training")
def test_labels_are_not_judged_without_the_training_parts() -> None:
    reason = judges_labels(None, 10)
    assert reason is not None
    assert "pip install 'mien[train]'" in reason
    assert judges_labels(False, 10) == "not asked for"
    with pytest.raises(MissingExtraError, match=r"--check-labels.*pip install 'mien\[train\]'"):
        judges_labels(True, 10)


def looked_at(
    monkeypatch: pytest.MonkeyPatch, manifest: pl.DataFrame, features: Floats, *, drawn: float = 0.0, **options: Any
) -> Examined:
    """Examine photos whose features are given."""
    wide = np.zeros((len(features), 2 * WIDTH), np.float32)
    wide[:, : features.shape[1]] = features
    monkeypatch.setattr(
        "mien.auditing.features.photo_features", lambda pixels, photos, folder, progress: wide[photos["row"].to_numpy()]
    )
    monkeypatch.setattr("mien.auditing.drawings.drawn_by_look", lambda seen: np.full(len(seen), drawn, np.float32))
    settings = {"labels_unjudged": None, "leak_premium": False, "seed": 3, "progress": Silent()} | options
    return examine(manifest, Pixels(Path("nowhere")), Path("nowhere"), **settings)


def test_doubts_land_in_the_manifest_and_in_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    features, true = clusters(40)
    labels = [NAMES[i] for i in true]
    labels[7] = NAMES[(true[7] + 1) % 3]
    manifest = made_manifest(labels, status=["ok"] * 119 + ["unreadable"])
    found = looked_at(monkeypatch, manifest, features)
    assert found.manifest.schema == manifest.schema
    assert found.manifest["id"].to_list() == manifest["id"].to_list()
    row = found.manifest.row(7, named=True)
    assert (row["is_doubtful"], row["suggested_label"], row["label"]) == (True, NAMES[true[7]], labels[7])
    assert 0 <= row["label_quality"] < 0.5
    unread = found.manifest.row(119, named=True)
    assert [unread[name] for name in ("is_doubtful", "suggested_label", "label_quality")] == [None] * 3
    doubtful = found.doubtful_labels
    assert doubtful.reason is None
    assert (doubtful.judged, doubtful.folds) == (119, 5)
    assert doubtful.found == found.manifest["is_doubtful"].sum()
    assert doubtful.list[0].id == "set/7.png"
    assert found.leakage is None
    said = findings_of(found.manifest).row(by_predicate=pl.col("row") == 7, named=True)
    assert said["findings"] == ["doubtful_label"]
    assert f"would say {NAMES[true[7]]} and gives {labels[7]} 0." in said["details"]


def test_the_look_of_a_picture_is_believed_before_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y = clusters(10)
    labels = [NAMES[i] for i in y]
    given = [0.9, None, *[0.0] * 28]
    manifest = made_manifest([*labels[:29], None], drawn=given)
    found = looked_at(monkeypatch, manifest, features, drawn=0.6).manifest
    assert found["drawn"].to_list() == pytest.approx([0.6] * 29 + [0.0])  # at the last, without a label, none looked


def test_a_class_of_few_pictures_is_a_reason_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y = clusters(10)
    labels = ["happy" if i == 0 else "sad" for i in y]
    labels[:2] = ["rare", "rare"]
    manifest = made_manifest(labels)
    found = looked_at(monkeypatch, manifest, features, leak_premium=True)
    for part in (found.doubtful_labels, found.leakage):
        assert part is not None
        assert part.reason == "class 'rare' has 2 different pictures, too few for 5 folds"
    assert found.manifest["is_doubtful"].null_count() == 30
    said = screen(found.manifest, found, 500)
    assert "doubtful labels: " in said
    assert "leak premium: " in said


def test_the_premium_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    features, y, groups = copied(45, 3)
    labels = [NAMES[i] for i in y]
    manifest = made_manifest(labels, near_group=(groups * 3).tolist(), series=(groups * 3).tolist())
    found = looked_at(monkeypatch, manifest, features, leak_premium=True).leakage
    assert found is not None
    assert found.reason is None
    assert set(found.macro_f1) == {"naive", "grouped", "series"}
    assert found.premium["grouped"].value > 0.2
    assert found.premium["grouped"].verdict == "naive flatters"


def test_why_labels_were_not_judged_is_said() -> None:
    manifest = made_manifest(["happy", "sad"] * 10)
    options: dict[str, Any] = {"labels_unjudged": "not asked for", "seed": 3, "progress": Silent()}
    pixels = Pixels(Path("nowhere"))
    plain = examine(manifest, pixels, Path("nowhere"), leak_premium=False, **options)
    assert plain.doubtful_labels == DoubtfulLabels(reason="not asked for")
    assert plain.leakage is None
    assert plain.manifest.equals(manifest)
    asked = examine(manifest, pixels, Path("nowhere"), leak_premium=True, **options)
    assert asked.leakage == Leakage(reason="not asked for")


# -- findings ---------------------------------------------------------------------------------------------------------


def test_findings_name_copies_and_contradictions() -> None:
    labels = ["happy", "sad", "happy", "happy", "happy", "sad", "sad", "sad"]
    found = findings_of(made_manifest(labels, near_group=[0, 0, 2, 2, 2, 2, 6, 7]))
    said = {row: (names, details) for row, names, details in found.iter_rows()}
    assert said[0] == (["two_labels"], "same picture as set/1.png")
    assert said[1] == (["two_labels"], "same picture as set/0.png")
    assert [said[row][0] for row in (2, 3, 4, 5)] == [["two_labels"]] * 4
    assert set(said) == {0, 1, 2, 3, 4, 5}


def test_copies_under_one_label_are_named_from_the_second_on() -> None:
    found = findings_of(made_manifest(["happy"] * 6 + ["sad"], near_group=[0, 0, 0, 0, 0, 0, 6]))
    assert found["row"].to_list() == [1, 2, 3, 4, 5]
    assert found["details"][4] == "same picture as set/0.png, set/1.png, set/2.png and 2 more"


def test_a_photo_has_all_its_findings() -> None:
    columns: dict[str, list[Any]] = {"face_count": [3, 1, 1], "face_side": [20.0, 60.0, 60.0], "drawn": [0.9, 0.2, 0.0]}
    found = findings_of(made_manifest(["happy", "sad", "sad"], near_group=[0, 0, 2], **columns))
    assert found["findings"].to_list() == [
        ["several_faces", "tiny_face", "drawn", "two_labels"],
        ["perhaps_drawn", "two_labels"],
    ]


def test_without_a_search_for_faces_none_is_said_to_be_missing(mien: Mien, tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("happy", "sad"))
    data = mien("audit", root, *QUICK, "--json").json["data"]
    assert data["faces_searched"] is False
    assert data["findings"] == 0
    assert data["flags"]["no_face"] == {}
    assert "none" not in data["faces"]
    searched = mien("audit", root, "--no-check-labels", "--json").json["data"]
    assert searched["faces_searched"] is True
    assert searched["faces"] == {"none": 4}
    assert searched["findings"] == 4


# -- the first screen -------------------------------------------------------------------------------------------------


def screen(manifest: pl.DataFrame, found: Examined, width: int = 80) -> str:
    """What the audit prints of a manifest, on a plain terminal of this width."""
    from mien.data.sources import Source

    source = Source("photos", "photos", (), lambda file: b"")
    collection = type(open_collection(["demo"]))((source,), {})
    audit = dataclasses.replace(found, manifest=manifest).audit(collection)
    data = AuditedData(**asdict(audit), corrections=None, findings=len(findings_of(manifest)))
    results = AuditResults(data=data, paths=AuditPaths(findings=None))
    strict_json(encode(results))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(audit_summary(results))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


CULPRIT = Culprit(property="format", what="WEBP", label="disgust", count=39, of=49, expected=0.168, p=1e-9)
DOUBTFUL = DoubtfulLabel(
    id="photos/1",
    path="pain/a-very-long-name-of-an-agency-1234567890.jpg",
    row=1,
    label="pain",
    suggested_label="sad",
    label_quality=0.1,
)
TROUBLES = Examined(
    pl.DataFrame(),
    Shortcuts(
        level=0.01,
        found=True,
        tells_classes=True,
        macro_f1=0.345,
        chance=0.171,
        p=0.001,
        culprits=(
            CULPRIT,
            replace(CULPRIT, property="bytes_per_pixel", what="0.0123 to 0.456", count=1234, of=5678),
            replace(CULPRIT, property="border", what="any"),
            replace(CULPRIT, property="is_grey", what="grey"),
        ),
    ),
    DoubtfulLabels(judged=120, found=34, accuracy=0.77, folds=5, list=(DOUBTFUL,) * 4),
    Leakage(
        macro_f1={"naive": 0.5},
        premium={
            method: Premium(value=0.0312, interval=Interval(-0.0123, 0.0712), verdict="cannot tell")
            for method in ("grouped", "series")
        },
    ),
)


def troubled() -> pl.DataFrame:
    labels = ["anger", "disgust", "fear", "happy", "pain", "sad"] * 20
    n = len(labels)
    paths = [f"6 emotions/{label}/{label}-{'of an agency ' * 6}{i:04}.jpeg" for i, label in enumerate(labels)]
    near = list(range(n))
    near[1] = 0  # under two labels
    near[6 + 6] = 6
    series = [i // 2 * 2 for i in range(n)]
    columns: dict[str, list[Any]] = {
        "path": paths,
        "near_group": near,
        "series": series,
        "drawn": [{"fear": 0.95, "happy": 0.3}.get(label, 0.0) for label in labels],
        "given_split": ["train", "test"] * (n // 2),
        "face_kind": ["none"] * 7 + ["found"] * (n - 7),
        "face_count": [1] * 20 + [4] * 9 + [1] * (n - 29),
        "face_side": [9.0] * 30 + [90.0] * (n - 30),
        "format": ["JPEG"] * (n - 49) + ["WEBP"] * 49,
    }
    return made_manifest(labels, **columns)


def test_the_worst_comes_first() -> None:
    said = screen(troubled(), TROUBLES)
    starts = (
        "photos: 120 files",
        "under two labels",
        "shortcut",
        "drawn, not photographed",
        "copies",
        "faces",
        "doubtful labels",
        "leak premium",
        "class  ",
        "photos have a finding",
    )
    places = [said.find(start) for start in starts]
    assert -1 not in places, dict(zip(starts, places, strict=True))
    assert places == sorted(places)
    assert "format WEBP: 39 of 49 are disgust (17% of all)" in said
    assert "border: 39 of 49" in said
    assert "  and 1 more" in said


def test_eighty_columns_are_enough() -> None:
    """Where a line was broken, it would go on at the left edge in the middle of a sentence."""
    narrow, wide = screen(troubled(), TROUBLES), screen(troubled(), TROUBLES, 500)
    assert max(map(len, narrow.splitlines())) <= 80
    broken = [line for line in wide.splitlines() if len(line.rstrip()) > 80]
    assert broken == []
    assert [line.rstrip() for line in narrow.splitlines()] == [line.rstrip() for line in wide.splitlines()]


def test_long_names_are_cut_in_the_middle() -> None:
    said = screen(troubled(), TROUBLES)
    assert "…" in said
    assert "0000.jpeg" in said  # the end, by which names differ
    assert "anger/anger-of" in said  # and the beginning
    assert "6 emotions/" not in said


def test_a_set_without_trouble_is_said_to_have_none() -> None:
    clean = Examined(pl.DataFrame(), Shortcuts(macro_f1=0.3), DoubtfulLabels(judged=20, accuracy=0.97), None)
    said = screen(made_manifest(["happy", "sad"] * 10), clean)
    assert "nothing that needs a look was found" in said
    assert "0 photos have a finding" in said
    for word in ("under two labels", "shortcut", "copies", "drawn", "doubtful"):
        assert word not in said


def test_what_was_not_looked_for_is_said() -> None:
    needs = "needs two classes of at least 20 distinct photos each"
    unasked = Examined(pl.DataFrame(), Shortcuts(reason=needs), DoubtfulLabels(reason="not asked for"), None)
    said = screen(made_manifest(["happy", "sad"] * 10), unasked)
    assert "shortcuts: not searched for, needs two classes" in said
    assert "doubtful labels: not asked for" in said


# -- the command ------------------------------------------------------------------------------------------------------
@pytest.mark.heavy
def test_audit_judges_labels_of_a_small_set(mien: Mien, small_set: Path) -> None:
    outcome = mien("audit", small_set, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("\n") == 1
    data = outcome.json["data"]
    doubtful = data["doubtful_labels"]
    assert doubtful["reason"] is None
    assert doubtful["judged"] == data["images"] == len(CLASSES) * PER_CLASS + 3
    assert "anger/under-two-labels.png" in {entry["path"] for entry in doubtful["list"]}
    assert data["leakage"] is None


@pytest.mark.usefixtures("without_training")
def test_audit_works_without_the_training_parts(mien: Mien, tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("happy", "sad") | {"sad/happy too.png": png(0)})
    outcome = mien("audit", root)
    assert outcome.code == 0
    assert "under two labels: 1 picture" in outcome.out
    assert "pip install 'mien[train]'" in outcome.out
    for option in ("--check-labels", "--leak-premium"):
        refused = mien("audit", root, option)
        assert refused.code == 2
        assert "pip install 'mien[train]'" in refused.complaint


def test_audit_of_a_large_set_says_what_it_left_out(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mien.auditing.examine.MOST_JUDGED", 3)
    root = write_files(tmp_path / "set", class_files("happy", "sad"))
    outcome = mien("audit", root, "--no-faces")
    assert outcome.code == 0
    assert "left out for 4 photos" in outcome.out
    assert "--check-labels" in outcome.out


def test_columns_are_for_tables(mien: Mien, tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("happy", "sad"))
    outcome = mien("audit", root, *QUICK, "--label-column", "mood")
    assert outcome.code == 2
    assert "mood" in outcome.complaint
    (root / "all.csv").write_text("where,mood,part\nhappy/0.png,glad,train\nsad/0.png,low,test\n", encoding="utf-8")
    columns = ("--path-column", "where", "--label-column", "mood", "--split-column", "part")
    data = mien("audit", root / "all.csv", *QUICK, *columns, "--json").json["data"]
    assert data["classes"] == {"glad": 1, "low": 1}
