"""``mien evaluate`` with a page, and against another model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import usable, write_manifest
from mien.data.tables.prepare import prepare
from mien.evaluation.predictions import predict_rows, write_predictions
from mien.models.seal import checksum_of
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.commands import EvaluateResults
from mien.results.reading import open_results
from support.outcomes import Outcome
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, write_files

pytestmark = pytest.mark.heavy  # trains

Mien = Callable[..., Outcome]


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Photos of eight people in a folder each; red is anger, green fear, blue sad, and one class is unknown."""
    colours = {"anger": RED, "fear": GREEN, "sad": BLUE, "surprise": RED}

    def shade(colour: tuple[int, int, int], k: int) -> bytes:
        red, green, blue = (max(20, value - 5 * k) if value else 3 * k for value in colour)
        return encoded(Image.new("RGB", (48, 48), (red, green, blue)))

    files = {
        f"person-{p}/{label}/{i}.png": shade(colour, 2 * p + i)
        for p in range(8)
        for label, colour in colours.items()
        for i in range(2)
    }
    return write_files(tmp_path / "lab", files)


def test_a_page_and_results_are_written_and_read_back(mien: Mien, lab: Path, tmp_path: Path) -> None:
    model = colour_model(tmp_path / "model.onnx")
    outcome = mien("evaluate", model, lab, "--out", tmp_path / "told")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "told").iterdir()) == [
        "SHA256SUMS",
        "evaluate.html",
        "predictions.csv",
        "predictions.parquet",
        "results.json",
    ]
    results = open_results(tmp_path / "told")
    page = (tmp_path / "told" / "evaluate.html").read_text(encoding="utf-8")
    assert isinstance(results, EvaluateResults)
    target = results.target
    judged = target.good_enough
    assert judged is not None
    assert target.shared.interval is not None
    assert (target.shared.macro_f1, judged.level) == (1.0, "fair"), "eight people who are right make little certain"
    assert judged.reached == target.shared.interval.low
    assert [(each.label, each.images) for each in target.unknown] == [("surprise", 16)]
    assert "Not shown to be good enough" in page
    assert "surprise" in page
    assert "<script" not in page
    assert "Not shown to be good enough" in outcome.out
    again = mien("evaluate", model, lab, "--out", tmp_path / "told")
    assert again.code == 2
    assert "exists already" in again.complaint


def test_another_model_answers_the_same_photos(mien: Mien, lab: Path, tmp_path: Path) -> None:
    good, poor = colour_model(tmp_path / "good.onnx"), colour_model(tmp_path / "poor.onnx", ("fear", "sad", "anger"))
    outcome = mien("evaluate", good, lab, "--against", poor, "--json")
    assert outcome.code == 0, outcome.err
    (paired,) = outcome.json["target"]["against"]
    assert (paired["model"], paired["verdict"], paired["images"]) == (str(poor), "better", 48)
    assert (paired["macro_f1"], paired["macro_f1_other"]) == (1.0, 0.0)
    assert paired["over"]["kind"] == "people"
    twice = mien("evaluate", good, lab, "--against", poor, "--against", "six", "--json").json["target"]["against"]
    assert [each["model"] for each in twice] == [str(poor), "six"]


def study(root: Path, photos: Path, labels: tuple[str, str, str], *, left_out: str = "nothing") -> Path:
    """The folder of a study, as far as its test is read again."""
    (root / "runs" / "made").mkdir(parents=True)
    model = colour_model(root / "runs" / "made" / "model.onnx", labels)
    recognizer = Recognizer(model)
    read = prepare([open_collection([str(photos)])], recognizer.contract.views, root, progress=Silent())
    tested = pl.col("path").str.contains(left_out).not_()
    manifest = read.manifest.with_columns(
        pl.when(tested).then(pl.lit("test")).otherwise(pl.lit("train")).alias("split")
    )
    write_manifest(manifest, root / "manifest.parquet")
    rows = usable(manifest).filter(pl.col("split") == "test", pl.col("label").is_in(labels))
    write_predictions(predict_rows(recognizer, read.pixels, rows, lambda _: None), model.parent / "predictions.parquet")
    return model.parent


def test_without_photos_two_studies_are_compared_on_those_that_both_tested(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    first = study(tmp_path / "first", lab, ("anger", "fear", "sad"), left_out="person-0")
    second = study(tmp_path / "second", lab, ("fear", "anger", "sad"), left_out="person-7")
    outcome = mien("evaluate", first, "--against", second, "--json")
    assert outcome.code == 0, outcome.err
    (paired,) = outcome.json["against"]
    assert (paired["images"], paired["over"]["number"], paired["over"]["kind"]) == (36, 6, "people")
    assert (paired["macro_f1"], paired["verdict"]) == (1.0, "better")
    assert paired["macro_f1_other"] == pytest.approx(1 / 3)
    assert "better" in mien("evaluate", first, "--against", second).out
    for refused in (["six"], [second, "--out", tmp_path / "out"]):
        outcome = mien("evaluate", first, "--against", *refused)
        assert outcome.code == 2
        assert not (tmp_path / "out").exists()
    apart = study(tmp_path / "apart", lab, ("anger", "fear", "sad"), left_out="person-[1-7]")
    assert "no photo" in mien("evaluate", first, "--against", apart).complaint


@pytest.mark.parametrize("other", ["itself", "of other classes", "missing"])
def test_a_model_that_cannot_be_compared_is_refused_before_a_photo_is_read(
    mien: Mien, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    model = colour_model(tmp_path / "model.onnx")
    colour_model(tmp_path / "of other classes", ("cat", "dog", "hen"))
    monkeypatch.setattr("mien.evaluation.evaluate.prepare", None)
    rival = model if other == "itself" else tmp_path / other
    outcome = mien("evaluate", model, lab, "--against", rival, "--out", tmp_path / "told")
    assert outcome.code == 2
    assert not (tmp_path / "told").exists()


def test_without_photos_a_study_is_compared_with_another_and_not_by_slices(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    first = study(tmp_path / "first", lab, ("anger", "fear", "sad"), left_out="person-0")
    second = study(tmp_path / "second", lab, ("fear", "anger", "sad"), left_out="person-0")
    for refused in ([second, "--slice", "sex"], [first], [second, "--against", first]):
        outcome = mien("evaluate", first, "--against", *refused)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.complaint


def test_photos_that_name_nobody_are_lost_or_are_of_two_people_are_counted(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    rows = [
        {"path": f"person-{p}/{label}/{i}.png", "label": label, "participant": f"p{p}" if p < 6 else None}
        for p in range(8)
        for label in ("anger", "fear", "sad")
        for i in range(2)
    ]
    rows += [{"path": f"gone/{i}.png", "label": "sad", "participant": "p1"} for i in range(3)]
    (lab / "copy.png").write_bytes((lab / "person-0" / "anger" / "0.png").read_bytes())
    rows.append({"path": "copy.png", "label": "anger", "participant": "p5"})
    pl.DataFrame(rows).write_csv(lab / "photos.csv")
    model = colour_model(tmp_path / "model.onnx")
    outcome = mien("evaluate", model, lab / "photos.csv", "--out", tmp_path / "told")
    assert outcome.code == 0, outcome.err
    results = open_results(tmp_path / "told")
    assert isinstance(results, EvaluateResults)
    data = results.target.data
    assert (data.files, data.unreadable, data.without_group) == (52, 3, 12)
    assert data.copies.near.across_groups >= 1
    page = (tmp_path / "told" / "evaluate.html").read_text(encoding="utf-8")
    for told in (outcome.out, page):
        flat = " ".join(told.split())
        assert "3 of 52 files were not found, first: gone/0.png" in flat
        assert "--root" in flat
        assert "12 photos name no person" in flat
        assert f"{data.copies.near.across_groups} picture" in flat


def test_answers_are_written_for_each_set_of_photos_and_the_page_says_what_gave_them(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    model = colour_model(tmp_path / "model.onnx")
    assert mien("evaluate", model, lab, lab / "person-0", "--out", tmp_path / "two").code == 0
    results = open_results(tmp_path / "two")
    assert isinstance(results, EvaluateResults)
    tables = [Path(path) for path in results.paths.predictions]
    assert [path.name for path in tables] == ["predictions-1.parquet", "predictions-2.parquet"]
    for path, target in zip(tables, results.targets.values(), strict=True):
        table = pl.read_csv(path.with_suffix(".csv"))
        assert len(table) == len(pl.read_parquet(path)) == target.data.images
        assert {"prob_anger", "prob_fear", "prob_sad"} < set(table.columns)
    assert results.model_sha256 == checksum_of(model)
    page = (tmp_path / "two" / "evaluate.html").read_text(encoding="utf-8")
    assert results.date is not None
    assert all(told in page for told in (results.model_sha256[:12], results.date[:10], f"mien {results.mien}"))


def test_a_study_that_trained_on_copies_of_the_photos_is_compared_without_a_verdict(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    met = study(tmp_path / "met", lab, ("fear", "anger", "sad"), left_out="person-7")
    model = colour_model(tmp_path / "model.onnx")
    for first, second, is_new in ((model, met, (True, False)), (met, model, (False, True))):
        target = mien("evaluate", first, lab, "--against", second, "--json").json["target"]
        (paired,) = target["against"]
        assert paired["verdict"] == "cannot tell"
        assert (paired["is_new"], paired["other_is_new"]) == is_new
        assert target["is_new"] == paired["is_new"]
