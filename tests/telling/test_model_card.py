"""The card of a user's model: valid for the Hub, as sure as what was measured, and without what must not leave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace as with_settings
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from msgspec.structs import replace

from mien.results.file_names import MODEL_CARD
from mien.results.study import StudyResults, Weights
from mien.settings.by_name import changed as with_options
from mien.telling.card.card_page import model_card, write_model_card
from mien.telling.words.model_card import short_card
from mien.telling.words.notice import plain_notice
from support.changed_studies import by_person, few_people, held_out, sliced, without_target
from support.made_report import changed, make_study
from support.made_study import HOSTILE, LABELS, Made

AsStored = Callable[[str, str], None]
Changes = Callable[[Made], dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_study(tmp_path_factory.mktemp("study"))


def at_chance(made: Made) -> dict[str, Any]:
    run = made.results.run
    poor = {name: replace(getattr(run, name), beats_chance=False) for name in ("val", "test")}
    return {"runs": made.results.runs | {made.results.selected: replace(run, **poor)}}


def research_only(made: Made) -> dict[str, Any]:
    weights = Weights(name="expression", licence="for research only; see its card", sha256="e" * 64)
    run = replace(made.results.run, backbones=(weights,))
    return {"runs": made.results.runs | {made.results.selected: run}}


def refitted(made: Made) -> dict[str, Any]:
    return {"paths": replace(made.results.paths, refit="/home/somebody/study/runs/probe-refit/model.onnx")}


def from_the_hub(made: Made) -> dict[str, Any]:
    return {"config": with_options(made.results.config, data=("hf:someone/faces::train",))}


def demo(made: Made) -> dict[str, Any]:
    return changed(made, "data", source="demo")


VARIANTS: dict[str, Changes] = {
    "as made": lambda made: {},
    "four people": few_people,
    "by person": by_person,
    "every person held out once": held_out,
    "sliced by two columns": sliced,
    "without a target": without_target,
    "no better than guessing": at_chance,
    "of weights for research": research_only,
    "refitted": refitted,
    "from the Hub": from_the_hub,
    "the demo": demo,
}


def results_of(made: Made, name: str) -> StudyResults:
    return replace(made.results, **VARIANTS[name](made))


def entries_of(card: str) -> list[dict[str, Any]]:
    """The entries of the model index: one for each set of photos, and each value of a column."""
    fields = yaml.safe_load(card.split("\n---\n", 1)[0].removeprefix("---\n"))
    (model,) = fields["model-index"]
    return list(model["results"])


def body(card: str) -> str:
    return card.split("\n---\n", 1)[1]


def part(card: str, heading: str) -> str:
    """The text under a heading."""
    return re.split(r"^## ", card.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in ("by person", "from the Hub")])
def test_the_card_reads_as_stored(name: str, made: Made, as_stored: AsStored) -> None:
    card = model_card(results_of(made, name))
    if name == "as made":
        as_stored("model card", card)
    else:
        as_stored(f"model card, {name}", card)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_hub_reads_every_score_of_the_header(name: str, made: Made) -> None:
    results = results_of(made, name)
    card = ModelCard(model_card(results))  # raises where a header is not valid
    data = yaml.safe_load(str(card.data))
    assert data["language"] == "en"
    assert data["pipeline_tag"] == "image-classification"
    assert data["library_name"] == "mien"
    assert data["license"] == ("other" if name == "of weights for research" else "unknown")
    assert ("license_name" in data) == (name == "of weights for research")
    assert data.get("datasets") == (["someone/faces"] if name == "from the Hub" else None)
    assert {"f1", "accuracy"} <= set(data["metrics"])
    assert "onnx" in data["tags"]
    found = card.data["eval_results"]
    own = [each for each in found if each.dataset_split in ("test", "held out in turn") and not each.dataset_config]
    scores = {each.metric_name.partition(" (")[0]: each.metric_value for each in own}
    assert scores["Macro-F1"] == pytest.approx(results.test.macro_f1, abs=1e-4)
    assert scores["Accuracy"] == pytest.approx(results.test.accuracy, abs=1e-4)
    for label, each in results.test.per_class.items():
        assert scores[f"Recall of {label}"] == pytest.approx(each.recall, abs=1e-4)
    values = {each.dataset_config for each in found if each.dataset_config}
    expected = results.slices.named if results.slices else ()
    assert len(values) == len({(column, each.value) for column, each in expected})
    assert {each.task_type for each in found} == {"image-classification"}
    assert any(each.dataset_split == "shared classes" for each in found) == (results.target is not None)


def test_a_score_that_there_is_not_has_no_entry(made: Made) -> None:
    """The photos from elsewhere show no sad face: the Hub would show a recall of 0."""
    names = [metric["name"] for metric in entries_of(model_card(made.results))[1]["metrics"]]
    assert not [name for name in names if LABELS[2] in name]
    assert LABELS[2] in part(model_card(made.results), "Scores per class").replace("\\", "")


def test_no_interval_is_given_over_four_people(made: Made) -> None:
    card = model_card(results_of(made, "four people"))
    metrics = [
        metric
        for entry in yaml.safe_load(card.split("---")[1])["model-index"][0]["results"]
        for metric in entry["metrics"]
    ]
    overall = [metric["name"] for metric in metrics if metric["name"].startswith(("Macro-F1", "Accuracy"))]
    assert len(overall) == 4
    assert all("4 people" in name and not re.search(r"\d to \d", name) for name in overall)
    assert "too few" in part(card, "Scores")
    assert "4 people" in part(card, "Limits")


def test_what_is_no_better_than_guessing_is_said_first(made: Made) -> None:
    card = model_card(results_of(made, "no better than guessing"))
    assert "not shown" in card.split("## What it answers")[0]
    assert "should not be used" in part(card, "Limits")
    assert "not shown" in short_card(results_of(made, "no better than guessing"))["answer"]


def test_scores_on_photos_that_are_not_new_are_said_to_be_too_high(made: Made) -> None:
    elsewhere = entries_of(model_card(made.results))[1]
    assert all("too high" in metric["name"] for metric in elsewhere["metrics"] if metric["name"].startswith("Macro"))
    assert "too high" in part(model_card(made.results), "Scores")


@pytest.mark.parametrize("name", ["refitted", "every person held out once"])
def test_a_model_that_was_not_tested_itself_is_said_not_to_be(name: str, made: Made) -> None:
    results = results_of(made, name)
    assert "not tested itself" in part(model_card(results), "How it was split and tested")
    assert "not tested itself" in short_card(results)["how tested"]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_card_can_be_passed_on(name: str, made: Made) -> None:
    """No path of this machine, no file and no person; but the law and what it must not be used for."""
    results = results_of(made, name)
    card, short = model_card(results), short_card(results)
    for text in (card, json.dumps(short)):
        assert not re.search(r"/home|somebody|subject0|photo-of-|\.png|p07", text)
        assert HOSTILE not in text
    for text in (plain_notice(), "which EU law forbids"):
        assert text in re.sub(r"\\(.)", r"\1", body(card))
        assert text in " ".join(short.values())
    assert set(short) >= {"answer", "classes", "scores", "data", "calibration", "limits", "not meant for", "notice"}


HOSTILE_NAMES = ("a|b", "---", "yes", "<b>x</b>", "x: [y", '"\\', "n\x85e\u2028w", "\u202e", "# h", "1e3", "😀")


@pytest.mark.parametrize("hostile", HOSTILE_NAMES)
def test_no_name_breaks_header_or_tables(hostile: str, made: Made) -> None:
    results = made.results
    test = results.test
    names = (hostile, *test.labels[1:])
    scores = replace(
        test,
        labels=names,
        per_class=dict(zip(names, test.per_class.values(), strict=True)),
        support=dict(zip(names, test.support.values(), strict=True)),
    )
    run = replace(results.run, test=scores)
    data = replace(results.data, name=hostile, classes=dict(zip(names, results.data.classes.values(), strict=True)))
    card = model_card(replace(results, labels=names, runs=results.runs | {"probe": run}, data=data))
    assert ModelCard(card).data["pipeline_tag"] == "image-classification"
    metrics = entries_of(card)[0]["metrics"]
    assert len(metrics) == 3 + 3 * len(names)
    assert {type(metric["name"]) for metric in metrics} == {str}
    if hostile.isprintable():
        assert entries_of(card)[0]["dataset"]["name"] == hostile
    assert "<b" not in re.sub(r"\\.", "", body(card))
    rows = [re.sub(r"\\.", "", line) for line in part(card, "Data").splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows[: 2 + len(names)]} == {6}


def test_the_card_is_written_whole_beside_the_report(made: Made, tmp_path: Path) -> None:
    write_model_card(tmp_path, made.results)
    assert [path.name for path in tmp_path.iterdir()] == [MODEL_CARD]
    assert (tmp_path / MODEL_CARD).read_text(encoding="utf-8") == model_card(made.results)


def test_the_report_names_the_card(made: Made) -> None:
    """Without a link, since a report that is passed on has no card beside it."""
    html = (made.folder / "report.html").read_text(encoding="utf-8")
    assert MODEL_CARD in html
    assert f'href="{MODEL_CARD}"' not in html


def test_results_from_before_have_a_card_too(made: Made) -> None:
    """They say of no interval what it is over."""
    run = made.results.run
    old = replace(run, val=replace(run.val, over=None), test=replace(run.test, over=None))
    results = replace(made.results, runs=made.results.runs | {"probe": old})
    assert "0.93 (0.61 to 0.99)" in part(model_card(results), "Scores")


def test_the_licence_of_photos_is_told_where_it_is_known_and_said_to_be_unknown_elsewhere(made: Made) -> None:
    drawn, hub = results_of(made, "the demo"), results_of(made, "from the Hub")
    assert "Apache-2.0" in part(model_card(drawn), "Data")
    assert "Apache-2.0" in short_card(drawn)["data"]
    assert "see the page of hf:someone/faces" in part(model_card(hub), "Data")
    for results in (made.results, hub):
        assert "unknown to mien" in part(model_card(results), "Data")
        assert "unknown to mien" in short_card(results)["data"]


def test_votes_and_left_out_photos_are_counted(made: Made) -> None:
    results = replace(made.results, **changed(made, "data", voted=12))
    assert "12 photos had votes" in part(model_card(results), "Data")
    assert "1 photo" in part(model_card(results), "Data")


def test_settings_of_a_study_do_not_reach_the_card(made: Made) -> None:
    hidden = with_settings(made.results.config, data=("/home/somebody/secret/faces",))
    assert "secret" not in model_card(replace(made.results, config=hidden))
