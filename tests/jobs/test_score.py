"""``mien score``: the answers of any tool against the user's labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest
from PIL import Image

import mien as library
from mien.errors import AnswersError
from mien.jobs import predict
from mien.results.commands import ScoreResults
from mien.results.reading import open_results
from support.outcomes import Outcome
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, write_files

Mien = Callable[..., Outcome]
COLOURS = {"anger": RED, "fear": GREEN, "sad": BLUE, "surprise": RED}


def shade(colour: tuple[int, int, int], k: int) -> bytes:
    red, green, blue = (max(20, value - 5 * k) if value else 3 * k for value in colour)
    return encoded(Image.new("RGB", (48, 48), (red, green, blue)))


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Photos of eight people in a folder each; a model of colours knows three of four classes."""
    files = {
        f"person-{p}/{label}/{label}-{p}-{i}.png": shade(colour, 2 * p + i)
        for p in range(8)
        for label, colour in COLOURS.items()
        for i in range(2)
    }
    return write_files(tmp_path / "lab", files)


def names(lab: Path) -> list[str]:
    """The photos' paths below their folder."""
    return sorted(path.relative_to(lab).as_posix() for path in lab.rglob("*.png"))


def table(path: Path, rows: Sequence[tuple[object, ...]], head: str = "path,label") -> Path:
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


def right(name: str) -> str:
    return name.split("/")[1]


def scored(mien: Mien, *argv: object) -> Any:
    outcome = mien("score", *argv, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.json["target"]


ALIKE = (
    "labels",
    "all",
    "shared",
    "shared_limited",
    "unknown",
    "groups",
    "good_enough",
    "error_rates",
    "slices",
    "data",
)


def test_miens_own_answers_score_as_evaluate_scores_them(
    mien: Mien, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "PHOTOS_A_PART", 20)
    model = colour_model(tmp_path / "model.onnx", ("anger", "sad", "fear"))
    evaluated = mien("evaluate", model, lab, "--out", tmp_path / "told", "--json").json["target"]
    (tmp_path / "answers.csv").write_text(mien("predict", lab, "--model", model, "--csv").out)
    (tmp_path / "answers.jsonl").write_text(mien("predict", lab, "--model", model, "--jsonl").out)
    assert mien("predict", lab, "--model", model, "--out", tmp_path / "parts").code == 0
    assert len(list((tmp_path / "parts").glob("part-*"))) == 4
    for answers in (
        tmp_path / "told/predictions.parquet",
        *(tmp_path / f"answers.{e}" for e in ("csv", "jsonl")),
        tmp_path / "parts",
    ):
        target = scored(mien, answers, lab)
        assert {name: target[name] for name in ALIKE} == {name: evaluated[name] for name in ALIKE}
        assert target["answers"]["answered"] == 64
        assert target["answered"] == target["shared"]
    exact = scored(mien, tmp_path / "told" / "predictions.parquet", lab)
    for name in ("ece", "reliability", "risk_coverage", "over", "images"):
        assert exact["sureness"][name] == evaluated["sureness"][name]
    assert exact["mistakes"] == evaluated["mistakes"]
    lines = scored(mien, tmp_path / "answers.jsonl", lab)
    assert lines["sureness"]["ece"] == pytest.approx(evaluated["sureness"]["ece"], abs=1e-4)


@pytest.mark.heavy
def test_answers_in_parts_are_read_once_all_are_there(mien: Mien, lab: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "parts", [(name, right(name)) for name in names(lab)]
    assert mien("predict", lab, "--out", out).code == 0
    assert mien("score", table(tmp_path / "a.csv", rows), lab, "--against", out, "--json").json["target"]["against"]
    (out / "summary.json").unlink()
    assert "--resume" in mien("score", out, lab).complaint
    (out / "part-000000.parquet").unlink()
    assert "folder" in mien("score", out, lab).complaint


def test_one_table_may_hold_labels_and_answers_but_no_column_is_both(mien: Mien, lab: Path, tmp_path: Path) -> None:
    rows = [(f"lab/{name}", right(name), right(name)) for name in names(lab)]
    both = table(tmp_path / "both.csv", rows, "path,label,predicted")
    assert scored(mien, both, both)["all"]["accuracy"] == 1.0
    alone = table(tmp_path / "alone.csv", [row[:2] for row in rows])
    assert "--answer-label" in mien("score", alone, alone).complaint
    shares = [(name, *(float(label == each) for each in COLOURS)) for name, label, _ in rows]
    votes = table(tmp_path / "votes.csv", shares, f"path,{','.join(COLOURS)}")
    assert mien("score", votes, votes).code == 2


def test_photos_without_an_answer_count_as_wrong_and_apart(mien: Mien, lab: Path, tmp_path: Path) -> None:
    shown = names(lab)
    rows = [(name, right(name)) for name in shown]
    lost, faceless = rows[0][0], rows[1][0]
    kept = [(name, "no face" if name == faceless else label) for name, label in rows if name != lost]
    target = scored(mien, table(tmp_path / "a.csv", kept), lab)
    counts = target["answers"]
    assert (counts["photos"], counts["answered"], counts["no_face"], counts["missing"]) == (64, 62, 1, 1)
    assert target["shared"]["accuracy"] == 62 / 64
    assert target["answered"]["accuracy"] == 1.0
    assert target["answered"]["images"] == 62
    assert target["shared"]["macro_f1"] == pytest.approx((3 + 2 * 14 / 30) / 4)
    assert target["shared_limited"] == target["shared"]
    assert sum(target["shared"]["confusion"][0]) == 16, "each photo is in the table of confusions"
    out = mien("score", tmp_path / "a.csv", lab).out
    assert "no answer" in out


def test_answers_with_probabilities_are_limited_without_giving_answers_to_what_has_none(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    probs = {"anger": (0.7, 0.1, 0.1, 0.1), "fear": (0.1, 0.7, 0.1, 0.1), "sad": (0.1, 0.1, 0.7, 0.1)}
    rows = [(name, *probs.get(right(name), (0.1, 0.1, 0.1, 0.7))) for name in names(lab)]
    answers = table(tmp_path / "a.csv", rows[8:], "path,anger,fear,sad,awe")
    target = scored(mien, answers, lab)
    assert target["shared"]["images"] == 48
    lost = sum(right(name) != "surprise" for name in names(lab)[:8])
    assert target["shared_limited"]["accuracy"] == pytest.approx(1 - lost / 48)
    assert target["unknown"][0]["answers"] == {"awe": 14, "no answer": 2}
    assert target["sureness"]["images"] == 48 - lost


@pytest.mark.parametrize("kind", ["whole", "as given", "inside", "windows", "other machine", "name", "zip"])
def test_photos_are_found_by_path_or_by_a_name_that_is_there_once(
    mien: Mien, lab: Path, tmp_path: Path, kind: str
) -> None:
    forms = {
        "whole": f"{lab}/NAME",
        "as given": "lab/NAME",
        "inside": "NAME",
        "windows": "C:\\Users\\ann\\NAME",
        "other machine": "/home/ann/photos/NAME",
        "name": "LAST",
        "zip": "lab.zip::NAME",
    }

    def written(name: str) -> str:
        path = forms[kind].replace("NAME", name).replace("LAST", name.rpartition("/")[2])
        return path.replace("/", "\\") if kind == "windows" else path

    rows = [(written(name), right(name)) for name in names(lab)]
    target = scored(mien, table(tmp_path / "a.csv", rows), "lab")
    assert target["all"]["accuracy"] == 1.0
    assert target["answers"]["answered"] == 64
    assert not target["answers"]["by_name"]


def test_a_flat_copy_in_another_folder_is_matched_by_name_and_that_is_said(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    rows = [(f"flat/{name.rpartition('/')[2]}", right(name)) for name in names(lab)]
    answers = table(tmp_path / "a.csv", rows)
    assert scored(mien, answers, lab)["answers"]["by_name"]
    assert "by file name alone" in mien("score", answers, lab).out


def test_answers_for_other_photos_are_counted(mien: Mien, lab: Path, tmp_path: Path) -> None:
    rows = [(name, right(name)) for name in names(lab)]
    counts = scored(mien, table(tmp_path / "a.csv", [*rows, ("x/9.png", "sad"), ("9.png", "sad")]), lab)["answers"]
    assert (counts["elsewhere"], counts["first_elsewhere"]) == (2, ["x/9.png", "9.png"])


@pytest.mark.parametrize(
    "kind", ["ambiguous name", "ambiguous copy", "other photos", "two faces", "video", "two paths"]
)
def test_answers_that_are_not_clearly_of_these_photos_are_refused_in_one_line(
    mien: Mien, tmp_path: Path, kind: str
) -> None:
    lab = write_files(
        tmp_path / "lab", {f"{c}/{i}.png": shade(COLOURS[c], i) for c in ("anger", "fear") for i in range(3)}
    )
    good = [(f"{c}/{i}.png", c) for c in ("anger", "fear") for i in range(3)]
    kinds: dict[str, list[tuple[object, ...]]] = {
        "ambiguous name": [("0.png", "anger")],
        "ambiguous copy": [(f"flat/{i}.png", "anger") for i in range(3)],
        "other photos": [("7.png", "anger")],
        "two faces": [*good, ("anger/0.png", "fear")],
        "video": [*((name, label, 0) for name, label in good), ("anger/0.png", "fear", 1)],
        "two paths": [*good, ("/other/anger/0.png", "fear")],
    }
    answers = table(tmp_path / "a.csv", kinds[kind], "path,label,frame" if kind == "video" else "path,label")
    outcome = mien("score", answers, lab, "--out", tmp_path / "told")
    assert outcome.code == 2
    assert "a.csv" in outcome.complaint
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("form", "head"),
    [("folder", "path,prediction"), ("folder", "path,anger,fear,sad,surprise"), ("table", "path,prediction")],
)
def test_answers_and_photos_in_the_wrong_order_are_told_apart(
    mien: Mien, lab: Path, tmp_path: Path, form: str, head: str
) -> None:
    photos = lab if form == "folder" else table(tmp_path / "photos.csv", [(lab / n, right(n)) for n in names(lab)])
    said = [(n, right(n)) if "prediction" in head else (n, 0.7, 0.1, 0.1, 0.1) for n in names(lab)]
    answers = table(tmp_path / "answers.csv", said, head)
    outcome = mien("score", photos, answers)
    assert outcome.code == 2
    assert outcome.complaint.endswith(f"mien score {answers} {photos}")
    with pytest.raises(AnswersError, match=r"mien\.score"):
        library.score(photos, answers, progress=False)


@pytest.mark.parametrize("head", ["path,label", "path,anger,fear,sad,surprise"])
def test_two_tables_that_could_change_places_are_said_to(mien: Mien, lab: Path, tmp_path: Path, head: str) -> None:
    photos = table(tmp_path / "photos.csv", [(lab / n, right(n)) for n in names(lab)])
    said = [(lab / n, right(n)) if "label" in head else (lab / n, 0.7, 0.1, 0.1, 0.1) for n in names(lab)]
    answers = table(tmp_path / "answers.csv", said, head)
    for first, second in ((answers, photos), (photos, answers)):
        outcome = mien("score", first, second)
        assert outcome.code == 0
        assert f"{first} is read as the answers and {second} as the labels" in outcome.err
    assert "is read as the answers" not in mien("score", answers, lab).err
    clear = table(tmp_path / "clear.csv", [(lab / n, right(n)) for n in names(lab)], "path,prediction")
    assert "is read as the answers" not in mien("score", clear, photos).err


def test_what_is_neither_in_any_order_is_told_of_the_photos(mien: Mien, lab: Path, tmp_path: Path) -> None:
    nothing = table(tmp_path / "nothing.csv", [("x", "y")], "a,b")
    assert str(nothing) in mien("score", lab, nothing).complaint
    assert "mien score" not in mien("score", lab, nothing).complaint


def test_of_several_faces_the_largest_counts(mien: Mien, lab: Path, tmp_path: Path) -> None:
    wrong = {"anger": "fear", "fear": "sad", "sad": "anger", "surprise": "anger"}
    rows = [row for name in names(lab) for row in ((name, wrong[right(name)], 10, 10), (name, right(name), 20, 30))]
    answers = table(tmp_path / "a.csv", [*rows, rows[0]], "input,dominant_emotion,FaceRectWidth,FaceRectHeight")
    target = scored(mien, answers, lab)
    assert target["all"]["accuracy"] == 1.0
    assert target["answers"]["several"] == 64


def test_a_class_that_labels_never_name_counts_unless_it_is_called_unknown(
    mien: Mien, lab: Path, tmp_path: Path
) -> None:
    rows = [(name, "anger" if right(name) == "surprise" else right(name)) for name in names(lab)]
    answers = table(tmp_path / "a.csv", rows)
    target = scored(mien, answers, lab)
    assert (target["unsaid"], target["shared"]["images"]) == (["surprise"], 64)
    assert target["shared"]["accuracy"] == 0.75
    (tmp_path / "map.toml").write_text('unknown = ["surprise"]\n')
    mapped = scored(mien, answers, lab, "--class-map", tmp_path / "map.toml")
    assert (mapped["unsaid"], mapped["shared"]["images"], mapped["shared"]["accuracy"]) == ([], 48, 1.0)


def test_words_of_another_language_and_numbers_are_mapped(mien: Mien, lab: Path, tmp_path: Path) -> None:
    german = {"anger": "Wut", "fear": "Angst", "sad": "traurig", "surprise": "überrascht"}
    rows = [(name, german[right(name)]) for name in names(lab)]
    assert scored(mien, table(tmp_path / "a.csv", rows), lab)["all"]["accuracy"] == 1.0
    numbers = {label: i for i, label in enumerate(german)}
    answers = table(tmp_path / "b.csv", [(name, numbers[right(name)]) for name in names(lab)])
    assert mien("score", answers, lab).code == 2
    assert mien("score", answers, lab, "--write-class-map", tmp_path / "map.toml").code == 0
    classes = "\n".join(f'{label} = "{number}"' for label, number in numbers.items())
    (tmp_path / "own.toml").write_text(f"[classes]\n{classes}\n")
    assert scored(mien, answers, lab, "--class-map", tmp_path / "own.toml")["all"]["accuracy"] == 1.0


def test_other_answers_and_models_are_compared_photo_by_photo(mien: Mien, lab: Path, tmp_path: Path) -> None:
    good = table(tmp_path / "good.csv", [(name, right(name)) for name in names(lab)])
    poor = table(tmp_path / "poor.csv", [(name, "sad") for name in names(lab)[:40]])
    model = colour_model(tmp_path / "model.onnx")
    others, models = scored(mien, good, lab, "--against", poor, "--against", model)["against"]
    assert (others["model"], others["verdict"], others["images"]) == (str(poor), "better", 64)
    assert (models["model"], models["images"], models["macro_f1_other"]) == (str(model), 48, 1.0)
    assert models["verdict"] == "cannot tell"
    (back,) = scored(mien, poor, lab, "--against", good)["against"]
    assert back["difference"] == pytest.approx(-others["difference"])
    for refused in (good, tmp_path / "missing.csv", tmp_path / "missing"):
        assert mien("score", good, lab, "--against", refused).code == 2


def test_a_page_and_results_are_written_and_read_back(mien: Mien, lab: Path, tmp_path: Path) -> None:
    answers = table(tmp_path / "a.csv", [(name, right(name)) for name in names(lab)[2:]])
    outcome = mien("score", answers, lab, "--out", tmp_path / "told")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "told").iterdir()) == [
        "SHA256SUMS",
        "predictions.csv",
        "predictions.parquet",
        "results.json",
        "score.html",
    ]
    results = open_results(tmp_path / "told")
    assert isinstance(results, ScoreResults)
    assert results.target.answers.missing == 2
    page = (tmp_path / "told" / "score.html").read_text(encoding="utf-8")
    assert "62 of 64 photos" in page
    assert "<script" not in page
    again = scored(mien, tmp_path / "told" / "predictions.parquet", lab)
    assert again["all"]["accuracy"] == results.target.all.accuracy
    assert mien("score", answers, lab, "--out", tmp_path / "told").code == 2


def test_slices_and_people_count_as_in_evaluate(mien: Mien, lab: Path, tmp_path: Path) -> None:
    rows = [(f"lab/{name}", right(name), name.split("/")[0], "ab"[int(name[7]) % 2]) for name in names(lab)]
    photos = table(tmp_path / "photos.csv", rows, "path,label,person,site")
    answers = table(tmp_path / "a.csv", [(name, "anger" if site == "a" else label) for name, label, _, site in rows])
    target = scored(mien, answers, photos, "--slice", "site")
    assert target["shared"]["over"]["kind"] == "people"
    assert target["groups"]["number"] == 8
    first, second = target["slices"]["columns"][0]["values"]
    assert (first["accuracy"], second["accuracy"]) == (0.25, 1.0)
    assert mien("score", answers, photos, "--slice", "nothing").code == 2


@pytest.mark.parametrize("form", ["path", "polars", "pandas", "dicts", "columns"])
def test_from_python_answers_may_be_any_table(lab: Path, tmp_path: Path, form: str) -> None:
    rows = [{"path": name, "prediction": right(name)} for name in names(lab)]
    frame = pl.DataFrame(rows)
    answers: object = rows
    if form == "path":
        answers = table(tmp_path / "a.csv", [(row["path"], row["prediction"]) for row in rows])
    elif form == "pandas":
        answers = pytest.importorskip("pandas").DataFrame(rows)
    elif form != "dicts":
        answers = frame if form == "polars" else frame.to_dict(as_series=False)
    found = library.score(answers, lab, progress=False)
    assert found.scores.accuracy == 1.0
    assert found.target.answers.answered == 64
    assert "macro-F1" in repr(found)
    assert "answered" in found._repr_html_()


def test_from_python_fers_lists_are_taken_as_they_are(lab: Path) -> None:
    emotions = ("anger", "fear", "sad", "surprise")
    answers = [
        {"path": name, "faces": [{"box": [0, 0, 9, 9], "emotions": {e: float(e == right(name)) for e in emotions}}]}
        for name in names(lab)
    ]
    assert library.score(answers, str(lab), progress=False).scores.accuracy == 1.0
    assert json.loads(json.dumps(answers)) == answers


def test_from_python_answers_may_lie_under_their_photos_paths(lab: Path) -> None:
    def said(name: str) -> dict[str, object]:
        emotions = {each: 97.0 if each == right(name) else 1.0 for each in COLOURS}
        return {"emotion": emotions, "dominant_emotion": right(name), "region": {"x": 0, "y": 0, "w": 9, "h": 9}}

    for answers in (
        {name: [said(name)] for name in names(lab)},
        {lab / name: said(name) for name in names(lab)},
        {name: MappingProxyType(said(name)) for name in names(lab)},
    ):
        found = library.score(answers, lab, progress=False)
        assert (found.scores.accuracy, found.target.answers.answered) == (1.0, 64)


def test_raters_and_their_ceiling_stand_beside_the_score(mien: Mien, lab: Path, tmp_path: Path) -> None:
    wrong = {"anger": "fear", "fear": "sad", "sad": "anger", "surprise": "anger"}
    rows = [(f"lab/{name}", right(name), right(name), wrong[right(name)]) for name in names(lab)]
    photos = table(tmp_path / "photos.csv", rows, "path,rater1,rater2,rater3")
    answers = table(tmp_path / "a.csv", [(name, label) for name, label, _, _ in rows])
    target = scored(mien, answers, photos)
    assert target["raters"]["agreement"]["most_votes"] == 3
    worst = target["raters"]["agreement"]["raters"][0]
    assert (worst["name"], worst["agrees"], worst["verdict"]) == ("rater3", 0.0, "worse")
    model = target["raters"]["model"]
    assert {name: each["share"] for name, each in model["against_each"].items()} == {
        "rater1": 1.0,
        "rater2": 1.0,
        "rater3": 0.0,
    }
    assert (model["model"]["share"], model["verdict"]) == (1.0, "better")
    outcome = mien("score", answers, photos, "--out", tmp_path / "told")
    assert "Your raters agree" in outcome.out
    assert "rater3" in (tmp_path / "told" / "score.html").read_text(encoding="utf-8")
    model_file = colour_model(tmp_path / "model.onnx")
    evaluated = mien("evaluate", model_file, photos, "--json")
    assert evaluated.json["target"]["raters"]["agreement"] == target["raters"]["agreement"]
    assert "Your raters agree" in mien("evaluate", model_file, photos).out


def test_a_row_a_rating_names_its_raters_too(mien: Mien, lab: Path, tmp_path: Path) -> None:
    ratings = [(f"lab/{name}", right(name), rater) for name in names(lab) for rater in ("ann", "ben")]
    photos = table(tmp_path / "photos.csv", ratings, "path,label,rater")
    answers = table(tmp_path / "a.csv", [(f"lab/{name}", right(name)) for name in names(lab)])
    raters = scored(mien, answers, photos)["raters"]
    assert {each["name"] for each in raters["agreement"]["raters"]} == {"ann", "ben"}
    assert raters["agreement"]["pairs"][0]["kappa"] == pytest.approx(1.0)
