"""A person's decisions on the classes of photos from elsewhere: written, edited, read, obeyed and printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mien.data.tables.class_map import read_class_map, write_class_map
from mien.errors import LabelError
from mien.labels import LabelChoices, match_labels, usual_choices
from mien.settings.budget import Budget
from mien.settings.by_name import changed
from mien.settings.computing import Computing
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml, write_toml
from mien.system.sums import keep
from support.outcomes import Outcome, snapshot
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, write_files
from support.studies import Study

Mien = Callable[..., Outcome]
MODEL = ("anger", "fear", "sad")
THERE = {"Angry": RED, "fear": GREEN, "blue mood": BLUE, "neutral": RED}
"""Folder → colour of its pictures; the model answers anger to red, fear to green, sad to blue."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return colour_model(tmp_path / "model.onnx", MODEL)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Two pictures a class, and one file that cannot be read."""
    sides = (40, 48)
    files = {f"{name}/{s}.png": encoded(Image.new("RGB", (s, 48), c)) for name, c in THERE.items() for s in sides}
    return write_files(tmp_path / "target", files | {"fear/broken.png": b"broken"})


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# -- matching ---------------------------------------------------------------------------------------------------------


def test_choices_come_before_names_and_synonyms() -> None:
    choices = LabelChoices({"bored": "sad", "happy": "anger"}, drop=("neutral",), unknown=("afraid",))
    found = match_labels(("anger", "fear", "happy", "sad"), ("afraid", "bored", "happy", "mad", "neutral"), choices)
    assert found.matched == {"bored": "sad", "happy": "anger", "mad": "anger"}
    assert found.kinds == {"bored": "given", "happy": "merged", "mad": "merged"}
    assert (found.extra, found.dropped, found.missing) == (("afraid",), ("neutral",), ("fear", "happy"))


def test_a_choice_that_says_what_the_name_says_is_no_other_kind() -> None:
    found = match_labels(MODEL, ("angry", "sad"), LabelChoices({"angry": "anger", "sad": "sad"}))
    assert found.kinds == {"angry": "synonym", "sad": "exact"}


def test_a_choice_settles_what_a_synonym_leaves_open() -> None:
    model = ("angry", "anger", "sad")
    with pytest.raises(LabelError, match="--class-map"):
        match_labels(model, ("mad", "sad"))
    assert match_labels(model, ("mad", "sad"), LabelChoices({"mad": "anger"})).matched["mad"] == "anger"
    assert usual_choices(model, ("mad", "sad")) == LabelChoices({"sad": "sad"}, unknown=("mad",))


def test_dropping_every_shared_class_is_an_error() -> None:
    with pytest.raises(LabelError, match="no class is shared"):
        match_labels(MODEL, ("sad", "neutral"), LabelChoices(drop=("sad",)))


# -- the file ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_what_holds_without_it(tmp_path: Path) -> None:
    there = ("Angry", "fear", "blue mood", '"quoted" = ü', "neutral")
    choices = usual_choices(MODEL, there)
    write_class_map(tmp_path / "map.toml", MODEL, choices)
    read = read_class_map(tmp_path / "map.toml")
    assert (read.classes, read.drop, read.unknown) == (choices.classes, (), ("blue mood", '"quoted" = ü', "neutral"))
    assert match_labels(MODEL, there, read) == match_labels(MODEL, there)
    assert "anger, fear, sad" in (tmp_path / "map.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("classes = {", "not TOML"),
        ('[klasses]\nAngry = "anger"', "unknown key 'klasses'; expected drop, unknown, classes"),
        ('classes = "anger"', "classes is not a table"),
        ("[classes]\nAngry = 1", "Angry = 1 is no name of a class"),
        ('[classes]\nAngry = ["anger"]', "Angry = ['anger'] is no name of a class"),
        ('drop = "neutral"', "drop = 'neutral' is no list of classes"),
        ("unknown = [1]", "unknown = [1] is no list of classes"),
        ('drop = ["fear"]\nunknown = ["fear"]', "two decisions on 'fear'"),
        ('drop = ["fear"]\n[classes]\nfear = "sad"', "two decisions on 'fear'"),
        ('[classes]\nneutral = "bored"', "neutral = 'bored', but the model knows anger, fear, sad"),
        ('drop = ["Neutral"]', "no class 'Neutral'; the target has Angry, blue mood, fear, neutral"),
        ('drop = ["Angry", "fear"]', "no class is shared"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    mien: Mien, tmp_path: Path, model: Path, target: Path, text: str, said: str
) -> None:
    path = written(tmp_path / "map.toml", text)
    before = snapshot(tmp_path)
    outcome = mien("evaluate", model, target, "--class-map", path)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.complaint
    assert "files/s" not in outcome.err, "photos were read before the file was checked"
    assert snapshot(tmp_path) == before


def test_a_file_that_is_not_there_or_is_no_text(mien: Mien, tmp_path: Path, model: Path, target: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.toml", "binary.toml", "."):
        outcome = mien("evaluate", model, target, "--class-map", name)
        assert outcome.code == 2
        assert "cannot be read" in outcome.complaint
        assert "--write-class-map" in outcome.complaint


@pytest.mark.parametrize("text", ["drop = 1", '[classes]\nneutral = "bored"', 'drop = ["Neutral"]'])
def test_a_study_refuses_such_a_file_before_it_reads_a_photo(
    mien: Mien, tmp_path: Path, target: Path, text: str
) -> None:
    path = written(tmp_path / "map.toml", text)
    before = snapshot(tmp_path)
    outcome = mien("study", target, "--target", target, "--class-map", path, "--out", "out", "--layout", "LABEL/*")
    assert outcome.code == 2
    assert "map.toml: " in outcome.complaint
    assert "files/s" not in outcome.err
    assert snapshot(tmp_path) == before


def test_class_map_without_a_target(mien: Mien, target: Path) -> None:
    outcome = mien("study", target, "--class-map", "map.toml", "--out", "out")
    assert outcome.code == 2
    assert "--target" in outcome.complaint


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_mapping_is_written_edited_and_obeyed(mien: Mien, tmp_path: Path, model: Path, target: Path) -> None:
    outcome = mien("evaluate", model, target, "--write-class-map", "map.toml")
    assert outcome.code == 0
    assert "--class-map map.toml" in outcome.out
    plain = mien("evaluate", model, target, "--json").json["target"]
    same = mien("evaluate", model, target, "--class-map", "map.toml", "--json").json["target"]
    assert same == plain
    assert (plain["all"]["images"], plain["shared"]["images"]) == (8, 4)
    text = (tmp_path / "map.toml").read_text(encoding="utf-8")
    text = text.replace('"blue mood",', "").replace('"neutral",', "").replace("drop = []", 'drop = ["neutral"]')
    written(tmp_path / "map.toml", f'{text}"blue mood" = "sad"\n')
    mapped = mien("evaluate", model, target, "--class-map", "map.toml", "--json").json["target"]
    assert mapped["labels"]["kinds"] == {"Angry": "synonym", "blue mood": "given", "fear": "exact"}
    assert (mapped["labels"]["extra"], mapped["labels"]["dropped"]) == ([], ["neutral"])
    assert mapped["all"]["images"] == mapped["shared"]["images"] == 6
    assert mapped["shared"]["macro_f1"] == 1
    assert mapped["data"]["images"] == 8, "the counts still add up to the files"
    assert mapped["data"]["unreadable"] == 1


def test_nothing_is_overwritten(mien: Mien, tmp_path: Path, model: Path, target: Path) -> None:
    mine = written(tmp_path / "map.toml", "mine")
    for name, said in (("map.toml", "exists already"), ("nowhere/map.toml", "cannot be written")):
        outcome = mien("evaluate", model, target, "--write-class-map", name)
        assert outcome.code == 2
        assert said in outcome.complaint
    assert mine.read_text(encoding="utf-8") == "mine"
    outcome = mien("evaluate", model, target, "--write-class-map", "new.toml", "--class-map", "map.toml")
    assert outcome.code == 2
    assert not (tmp_path / "new.toml").exists()


def test_a_target_that_shares_no_class_can_be_mapped(mien: Mien, tmp_path: Path, model: Path) -> None:
    files = {f"{name}/1.png": encoded(Image.new("RGB", (48, 48), c)) for name, c in (("cross", RED), ("glad", GREEN))}
    target = write_files(tmp_path / "target", files)
    refused = mien("evaluate", model, target)
    assert refused.code == 2
    assert "--class-map" in refused.complaint
    said = mien("evaluate", model, target, "--write-class-map", "map.toml", "--json").json
    assert said["mapping"] == {"classes": {}, "drop": [], "unknown": ["cross", "glad"]}
    written(tmp_path / "map.toml", '[classes]\ncross = "anger"\n')
    scored = mien("evaluate", model, target, "--class-map", "map.toml", "--json").json["target"]
    assert scored["labels"]["extra"] == ["glad"]
    assert scored["all"]["accuracy"] == 0.5
    fear = scored["shared"]["per_class"]["fear"]
    assert fear == dict.fromkeys(("precision", "recall", "f1", "recall_interval")) | {"support": 0}


def test_one_file_serves_several_targets(mien: Mien, tmp_path: Path, model: Path, target: Path) -> None:
    other = write_files(tmp_path / "other", {"gloomy/1.png": encoded(Image.new("RGB", (48, 48), BLUE))})
    text = 'drop = ["neutral"]\n[classes]\n"blue mood" = "sad"\ngloomy = "sad"\n'
    path = written(tmp_path / "map.toml", text)
    found = mien("evaluate", model, target, other, "--class-map", path, "--json").json["targets"]
    assert found[str(target)]["labels"]["dropped"] == ["neutral"]
    assert found[str(other)]["labels"] == {
        "matched": {"gloomy": "sad"},
        "kinds": {"gloomy": "given"},
        "extra": [],
        "missing": ["anger", "fear"],
        "dropped": [],
    }


def test_a_target_of_one_class_is_scored_and_the_others_have_no_score(mien: Mien, tmp_path: Path, model: Path) -> None:
    files = {f"gloomy/{i}.png": encoded(Image.new("RGB", (40 + i, 48), c)) for i, c in enumerate((BLUE, BLUE, RED))}
    target = write_files(tmp_path / "target", files)
    path = written(tmp_path / "map.toml", '[classes]\ngloomy = "sad"\n')
    scored = mien("evaluate", model, target, "--class-map", path, "--json").json["target"]
    assert scored["shared"]["per_class"]["sad"]["recall"] == pytest.approx(2 / 3)
    assert scored["shared"]["macro_f1"] == scored["shared"]["per_class"]["sad"]["f1"] == pytest.approx(0.8)
    assert [scored["shared"]["per_class"][label]["f1"] for label in ("anger", "fear")] == [None, None]
    rows = [" ".join(line.split()) for line in mien("evaluate", model, target, "--class-map", path).out.splitlines()]
    assert "gloomy sad your class map 3" in rows
    assert "— fear none in these photos —" in rows


def test_the_table_says_how_each_class_was_matched(mien: Mien, tmp_path: Path, model: Path, target: Path) -> None:
    path = written(tmp_path / "map.toml", 'drop = ["neutral"]\n')
    out = mien("evaluate", model, target, "--class-map", path).out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "Angry anger synonym 2" in rows
    assert "fear fear the same name 2" in rows
    assert "blue mood — unknown to the model 2" in rows
    assert "neutral — left out by your class map 2" in rows
    assert "— sad none in these photos —" in rows


def test_the_order_of_the_models_classes_does_not_matter(mien: Mien, tmp_path: Path, target: Path) -> None:
    """The colours' answers move with their names."""
    path = written(tmp_path / "map.toml", '[classes]\n"blue mood" = "sad"\n')
    scores = []
    for labels in (MODEL, ("fear", "sad", "anger")):
        model = colour_model(tmp_path / "-".join(labels), labels)
        scored = mien("evaluate", model, target, "--class-map", path, "--json").json["target"]
        scores.append({label: scored["shared"]["per_class"][label]["recall"] for label in labels})
    assert scores == [{"anger": 1, "fear": 1, "sad": 1}, {"anger": 0, "fear": 0, "sad": 0}]


def test_a_study_obeys_it_and_its_report_says_so(
    mien: Mien, study_copy: Path, tmp_path: Path, small_study: Study
) -> None:
    """A study of one of the runs that stand in the folder already, so that nothing is trained."""
    path = written(tmp_path / "map.toml", 'drop = ["neutral"]\n[classes]\nAngry = "sad"\n')
    config = read_toml(StudySettings, study_copy / "study.toml")
    (study_copy / "study.toml").unlink()
    config = changed(config, class_map=str(path), recipes=("probe",), explain_mistakes=False)
    config = replace(config, budget=Budget(), computing=Computing(device="cpu"))  # a probe reads no more of them
    write_toml(config, study_copy / "study.toml")
    keep(study_copy / "study.toml")
    words = ("study", small_study.data, "--target", small_study.target, "--recipe", "probe", "--device", "cpu")
    outcome = mien(*words, "--class-map", path, "--out", study_copy, "--resume", "--json")
    labels = outcome.json["target"]["labels"]
    assert labels["matched"] == {"Angry": "sad", "happiness": "happy"}
    assert (labels["kinds"]["Angry"], labels["dropped"], labels["extra"]) == ("given", ["neutral"], [])
    before, after = small_study.results["target"], outcome.json["target"]
    assert after["all"]["images"] == before["all"]["images"] - before["data"]["classes"]["neutral"]
    html = (study_copy / "report.html").read_text(encoding="utf-8")
    assert "left out by the class map" in html
    assert json.loads((study_copy / "results.json").read_text(encoding="utf-8"))["target"]["labels"] == labels
