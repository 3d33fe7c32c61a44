"""The card of a study's model: beside the report, and in short inside the model file, where nothing else changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mien.adapting.features import adapted_contract
from mien.app.cards import model_html
from mien.data.tables.traits import CollectionTraits
from mien.errors import ModelError
from mien.evaluation.exporting import export
from mien.models.artifact import METADATA_KEY, Contract, model_path, open_model, whole_model, write_model
from mien.models.seal import is_intact_file, write_sealed
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.file_names import MODEL_CARD
from mien.results.reading import open_results
from mien.results.study import StudyResults
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.system.sums import check_kept
from mien.telling.card.card_page import model_card
from mien.telling.words.model_card import short_card
from mien.telling.words.notice import plain_notice
from support.outcomes import Outcome
from support.studies import Study

Mien = Callable[..., Outcome]
SNIPPET = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def results(small_study: Study) -> StudyResults:
    found = open_results(small_study.folder)
    assert isinstance(found, StudyResults)
    return found


def test_a_study_writes_its_card_and_says_where(small_study: Study, results: StudyResults) -> None:
    card = (small_study.folder / MODEL_CARD).read_text(encoding="utf-8")
    assert card == model_card(results)
    assert results.paths.card is not None
    assert Path(results.paths.card).name == MODEL_CARD
    assert str(small_study.folder) not in card


def test_the_selected_model_carries_the_short_card(small_study: Study, results: StudyResults) -> None:
    path = small_study.folder / "runs" / results.selected / "model.onnx"
    assert open_model(path)[1].card == short_card(results)
    assert is_intact_file(path)
    assert check_kept(path) == path
    others = [name for name in results.runs if name != results.selected]
    assert [open_model(small_study.folder / "runs" / name / "model.onnx")[1].card for name in others] == [None] * 3


def test_a_study_that_is_resumed_leaves_the_model_as_it_is(study_copy: Path, results: StudyResults) -> None:
    from mien.jobs.study import run_study

    path = study_copy / "runs" / results.selected / "model.onnx"
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    run_study(read_toml(StudySettings, study_copy / "study.toml"), study_copy, resume=True, progress=Silent())
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == written


def test_the_card_changes_no_answer(small_study: Study, results: StudyResults, tmp_path: Path) -> None:
    path = small_study.folder / "runs" / results.selected / "model.onnx"
    bare = tmp_path / "model.onnx"
    write_model(whole_model(path), replace(open_model(path)[1], card=None), bare)
    photo = next(small_study.data.glob("*/*.png"))
    assert Recognizer(bare).predict(str(photo)).probabilities == Recognizer(path).predict(str(photo)).probabilities


def test_an_export_keeps_the_card_and_an_adapted_model_does_not(
    small_study: Study, results: StudyResults, tmp_path: Path
) -> None:
    export(str(small_study.folder), tmp_path / "small.onnx", "fp16")
    contract = open_model(tmp_path / "small.onnx")[1]
    assert contract.card == short_card(results)
    traits = contract.traits[0]
    assert isinstance(traits, CollectionTraits)
    assert adapted_contract(contract, "labels", traits, []).card is None


def test_the_programs_on_the_card_run(
    small_study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: StudyResults
) -> None:
    monkeypatch.chdir(small_study.folder)
    photo = next(small_study.data.glob("*/*.png"))
    snippets = SNIPPET.findall((small_study.folder / MODEL_CARD).read_text(encoding="utf-8"))
    assert len(snippets) == 2
    for each in snippets:
        exec(each.replace("photo.jpg", str(photo)), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] in results.labels
    assert all(label in second for label in results.labels)


def test_the_short_card_is_shown(mien: Mien, small_study: Study, results: StudyResults) -> None:
    outcome = mien("predict", "--model", small_study.folder, "--model-info")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines()[1:])) <= 80
    shown = " ".join(outcome.out.split())
    for text in short_card(results).values():
        assert " ".join(text.split())[:60] in shown
    contract = Recognizer(small_study.folder).contract
    page = model_html(contract, None)
    assert short_card(results)["limits"][:40] in page


@pytest.mark.parametrize("model", ["default", "default@1"])
def test_a_model_without_a_card_says_what_its_contract_says(mien: Mien, model: str) -> None:
    outcome = mien("predict", "--model", model, "--model-info")
    assert outcome.code == 0
    shown = " ".join(outcome.out.replace("-\n  ", "-").split())
    contract = open_model(model_path(model))[1]
    assert contract.card is None
    assert f"{contract.measured['macro_f1']:.2f}" in shown  # type: ignore[index]
    assert plain_notice() in shown


def test_model_info_and_photos_do_not_go_together(mien: Mien) -> None:
    for argv in (["--csv"], ["--jsonl"], ["--out", "out"], ["--out", "out", "--resume"]):
        outcome = mien("predict", "--model-info", *argv)
        assert (outcome.code, outcome.out) == (2, "")
        assert "--model-info" in outcome.complaint
    assert "--modl" in mien("predict", "--modl", "six", "--model-info").complaint
    outcome = mien("predict", "photo.jpg", "--model-info")
    assert outcome.code == 2
    assert "--model-info" in outcome.complaint


@pytest.mark.parametrize("card", ["text", ["a"], {"a": 1}, 3])
def test_a_card_that_is_no_text_is_refused(card: object, tmp_path: Path) -> None:
    model, path = whole_model(model_path("default")), tmp_path / "model.onnx"
    contract = json.loads(Contract(("a",), (), "probe").to_json()) | {"card": card}
    entry = next(each for each in model.metadata_props if each.key == METADATA_KEY)
    entry.value = json.dumps(contract)
    write_sealed(model, path)
    with pytest.raises(ModelError, match="its card is no text"):
        open_model(path)


def test_what_a_card_says_cannot_act_on_a_page_or_a_terminal(mien: Mien, tmp_path: Path) -> None:
    path, contract = tmp_path / "model.onnx", open_model(model_path("default"))[1]
    card = {"limits": "<script>x</script>\x1b[31m red", "\x1b]0;owned\x07": "y"}
    write_model(whole_model(model_path("default")), replace(contract, card=card), path)
    outcome = mien("predict", "--model", path, "--model-info")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "<script>" not in model_html(open_model(path)[1], None)
