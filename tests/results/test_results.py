"""The results as types: what goes out comes back, what is of another shape is refused, and judgements follow from the
numbers beside them."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

import mien
import mien.comparing.run as running
import mien.results
from mien.auditing.run import run_audit
from mien.data.sources.collection import open_collection
from mien.data.tables.outline import outline
from mien.errors import ResultsError
from mien.evaluation.against import compare_tests
from mien.evaluation.evaluate import Evaluation, evaluate, write_mapping
from mien.evaluation.exporting import export
from mien.evaluation.predictions import score_rows
from mien.evaluation.scored import Scoring, score_answers
from mien.jobs.adapt import run_adaptation
from mien.jobs.compare import run_comparison
from mien.jobs.study import run_study, run_training
from mien.metrics import Interval
from mien.progress import Silent
from mien.results.audit import Premium, Shortcuts
from mien.results.behaviour import CorruptionLevel, Covered, Promise
from mien.results.commands import EvaluateResults
from mien.results.document import SCHEMA_VERSION, Document, decode, encode, read_exhibits
from mien.results.evaluation import GroupScores, PairedModel
from mien.results.reading import DOCUMENTS
from mien.results.record import Record
from mien.results.scores import Over, RunComparison, Scores
from mien.results.study import Fit, StudyResults
from mien.results.target import ConfusionChange, Effect, TargetResults
from mien.settings.adapt import AdaptSettings
from mien.settings.audit import AuditSettings
from mien.settings.by_name import made as made_settings
from mien.settings.columns import Columns
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.telling.report.page import render_report
from support.drawn_sets import draw_set
from support.made_comparison import asked, made_up
from support.made_study import LABELS, make_manifest, make_results, predict, with_target
from support.outcomes import strict_json
from support.studies import Study

KINDS: dict[str, type[Document]] = {str(kind.__struct_config__.tag): kind for kind in DOCUMENTS}


# -- every command ----------------------------------------------------------------------------------------------------


def of_study(study: Study, folder: Path) -> Document:
    """Of the study gone on with, which trains nothing."""
    return run_study(read_toml(StudySettings, folder / "study.toml"), folder, resume=True, progress=Silent())


def of_training(study: Study, folder: Path) -> Document:
    asked = {"recipes": ("scratch",), "size": 32, "updates": 1, "precision": "fp32", "device": "cpu"}
    config = made_settings(StudySettings, data=(str(study.data),), **asked)
    return run_training(config, folder / "out", resume=False, progress=Silent())


def of_audit(study: Study, folder: Path) -> Document:
    settings = made_settings(AuditSettings, data=(str(study.data),), check_labels=True, leak_premium=True)
    return run_audit(settings, folder / "findings.csv", Silent())


def of_evaluation(study: Study, folder: Path) -> Document:
    return evaluated(study, study.target, folder)


def evaluated(study: Study, photos: Path, folder: Path) -> EvaluateResults:
    options = Evaluation(Columns())
    return evaluate(str(study.folder), [str(photos)], folder / "work", options=options, progress=Silent())


def of_answers(study: Study, folder: Path) -> Document:
    answers = study.folder / "runs" / "probe" / "predictions.parquet"
    return score_answers(str(answers), str(study.data), options=Scoring(), progress=Silent())


def of_class_map(study: Study, folder: Path) -> Document:
    return write_mapping(str(study.folder), [str(study.target)], folder / "map.toml", Columns())


def of_export(study: Study, folder: Path) -> Document:
    return export(str(study.folder), folder / "small.onnx", "int8")


def of_adaptation(study: Study, folder: Path) -> Document:
    target = draw_set(folder / "elsewhere", {"Angry": "anger", "happiness": "happy"}, 22, style="grey", first=400)
    model = str(study.folder / "runs" / "probe")
    config = made_settings(AdaptSettings, model=model, target=str(target), shots=(0, 1), draws=1)
    return run_adaptation(config, folder / "adapted", progress=Silent())


def of_comparison(study: Study, folder: Path) -> Document:
    """Of runs that are made up rather than trained."""
    config = asked(study.data, sizes=(0.5, 0.75, 1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_train", made_up([]))
        return run_comparison(config, folder / "compared", resume=False, progress=Silent())


def of_dry_run(study: Study, folder: Path) -> Document:
    return outline(open_collection([str(study.data)]), open_collection([str(study.target)], least_labels=1))


def of_two_tests(study: Study, folder: Path) -> Document:
    return compare_tests(str(study.folder / "runs" / "probe"), [str(study.folder / "runs" / "scratch")])


MAKERS: dict[str, Callable[[Study, Path], Document]] = {
    "adapt": of_adaptation,
    "audit": of_audit,
    "class map": of_class_map,
    "compare": of_comparison,
    "dry run": of_dry_run,
    "evaluate": of_evaluation,
    "export": of_export,
    "paired": of_two_tests,
    "score": of_answers,
    "study": of_study,
    "train": of_training,
}


def test_every_kind_of_document_is_made_here() -> None:
    assert set(records_of(Document)) == set(KINDS.values())
    assert set(MAKERS) == set(KINDS)


@pytest.mark.parametrize("command", KINDS)
def test_what_a_command_found_comes_back_from_its_json_as_it_was(
    command: str, small_study: Study, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue("study_copy") if command == "study" else tmp_path
    found = MAKERS[command](small_study, folder)
    assert type(found) is KINDS[command]
    assert decode(KINDS[command], encode(found)) == found
    told = strict_json(encode(found))
    assert (told["command"], told["schema_version"], told["mien"]) == (command, SCHEMA_VERSION, mien.__version__)
    for other in set(KINDS) - {command}:
        with pytest.raises(msgspec.ValidationError):
            decode(KINDS[other], encode(found))
    (folder / "saved.json").write_text(encode(found), encoding="utf-8")
    assert mien.open_results(folder / "saved.json") == found
    if command in ("study", "evaluate"):
        assert_judged(found)


def test_the_report_can_be_written_again_from_what_was_stored(small_study: Study) -> None:
    results = decode(StudyResults, (small_study.folder / "results.json").read_bytes())
    page = (small_study.folder / "report.html").read_text(encoding="utf-8")
    assert render_report(results, read_exhibits(small_study.folder)) == page


def test_results_of_a_folder_are_read_as_they_were_written(small_study: Study) -> None:
    found = mien.open_results(str(small_study.folder))
    assert isinstance(found, StudyResults)
    assert strict_json(encode(found)) == small_study.results


NEW_IN_3 = {"over", "target_over", "home_over", "recall_interval", "left_out"}


def before_3(value: Any) -> Any:
    """Results without what came with version 3."""
    if isinstance(value, list):
        return [before_3(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: before_3(each)
        for key, each in value.items()
        if key not in NEW_IN_3 or (key == "left_out" and "counts" in value)
    }


def test_results_of_the_version_before_are_still_read(small_study: Study, tmp_path: Path) -> None:
    told = before_3(small_study.results) | {"schema_version": 2}
    (tmp_path / "results.json").write_text(json.dumps(told), encoding="utf-8")
    found = mien.open_results(tmp_path)
    assert isinstance(found, StudyResults)
    assert found.schema_version == 2
    assert found.test.over is None
    assert found.test.macro_f1 == small_study.results["runs"][found.selected]["test"]["macro_f1"]
    assert render_report(found, None)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b"no JSON",
        b'{"mien": "0.0.1"}',
        b'{"schema_version": 1}',
        b'{"schema_version": "2"}',
        f'{{"schema_version": {SCHEMA_VERSION}}}'.encode(),
        f'{{"schema_version": {SCHEMA_VERSION}, "command": "dance"}}'.encode(),
        f'{{"schema_version": {SCHEMA_VERSION}, "command": "study", "labels": 7}}'.encode(),
    ],
)
def test_what_are_no_results_is_refused_in_one_line_that_names_the_file(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(ResultsError, match=r"results\.json: ") as caught:
        mien.open_results(tmp_path)
    assert "\n" not in str(caught.value)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> StudyResults:
    manifest = make_manifest()
    return with_target(make_results(manifest), manifest)


def with_ece(results: StudyResults, ece: Any) -> StudyResults:
    return replace(results, sureness=replace(results.sureness, ece=ece))


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(1), np.bool_(True), np.array([0.5])])
def test_numpy_is_no_number(made: StudyResults, value: Any) -> None:
    with pytest.raises((TypeError, msgspec.ValidationError)):
        encode(with_ece(made, value))
    with pytest.raises((TypeError, msgspec.ValidationError)):
        encode(replace(made, seconds={"read": value}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "0.5", [0.5]])
def test_where_a_number_must_be_nothing_else_goes_out(made: StudyResults, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        encode(replace(made, seconds={"read": value}))
    interval = replace(made.comparisons[0], interval=Interval(value, 1.0))
    with pytest.raises(msgspec.ValidationError):
        encode(replace(made, comparisons=(interval,)))


def objects(told: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every object of a JSON value and where it stands."""
    if isinstance(told, dict):
        yield place, told
    parts = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for key, value in parts:
        yield from objects(value, (*place, key))


def at(told: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        told = told[key]
    return told


def test_an_unknown_key_is_refused_wherever_it_stands(made: StudyResults) -> None:
    told = strict_json(encode(made))
    open_to_all = ("seconds", "counts", "per_class", "support", "classes", "runs")  # a few of those keyed by names
    places = [place for place, _ in objects(told) if not place or place[-1] not in open_to_all]
    records = [place for place in places if is_record(record_at(made, place))]
    assert len(records) > 100
    for place in records:
        at(told, place)["mood"] = 1
        with pytest.raises(msgspec.ValidationError, match="mood"):
            decode(StudyResults, msgspec.json.encode(told))
        del at(told, place)["mood"]
    assert decode(StudyResults, msgspec.json.encode(told)) == made


def test_a_missing_key_is_refused_wherever_it_must_stand(made: StudyResults) -> None:
    told = strict_json(encode(made))
    for place in [place for place, _ in objects(told) if is_record(record_at(made, place))]:
        record = record_at(made, place)
        for field in msgspec.structs.fields(type(record)):
            if not field.required:
                continue
            value = at(told, place).pop(field.encode_name)
            with pytest.raises(msgspec.ValidationError, match=field.encode_name):
                decode(StudyResults, msgspec.json.encode(told))
            at(told, place)[field.encode_name] = value


def record_at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        is_typed = isinstance(value, msgspec.Struct) or hasattr(value, "__dataclass_fields__")
        value = getattr(value, key) if is_typed else value[key]
    return value


def is_record(value: Any) -> bool:
    return isinstance(value, Record)


# -- what is documented -----------------------------------------------------------------------------------------------


def records_of(kind: type[Record]) -> Iterator[type[Record]]:
    """Every record below ``kind``, in whichever module of the results."""
    for module in pkgutil.iter_modules(mien.results.__path__, "mien.results."):
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(found, kind) and found not in (Record, Document) and found.__module__ == module.name:
                yield found


def test_every_field_is_described() -> None:
    records = [record for record in records_of(Record) if record.__module__ != "mien.results.exhibits"]
    assert len(records) > 60
    for record in records:
        assert inspect.getdoc(record), record
        for name, hint in get_type_hints(record, include_extras=True).items():
            if name.startswith("__"):
                continue
            assert get_origin(hint) is Annotated, f"{record.__name__}.{name}"
            told = [each.description for each in hint.__metadata__ if isinstance(each, msgspec.Meta)]
            assert told, f"{record.__name__}.{name}"
            assert told[0], f"{record.__name__}.{name}"


# -- judgements -------------------------------------------------------------------------------------------------------


def judgements(record: Record) -> Iterator[tuple[str, Any, Any]]:
    """Each judgement of a record: its name, what is stored, and what the numbers beside it say."""
    match record:
        case Scores(interval=None):
            yield "beats_chance", record.beats_chance, False
        case Scores(interval=Interval() as interval, chance_macro_f1=chance):
            yield "beats_chance", record.beats_chance, chance is not None and interval.low > chance
        case Over():
            yield "enough", record.enough, record.number >= record.least
        case Promise(interval=interval):
            yield "kept", record.kept, interval.low <= record.max_error if interval and record.is_new else None
            assert record.over is not None
            too_few = record.over.number < min(record.over.least, record.answered)
            assert (interval is None) == (too_few or record.answered == 0)
        case Effect(interval=interval) | CorruptionLevel(interval=interval):
            yield "lowers", record.lowers, interval is not None and interval.high < 0
        case ConfusionChange(interval=interval):
            yield "is_clear", record.is_clear, interval is not None and (interval.low > 0 or interval.high < 0)
        case TargetResults():
            known = record.near_copies or record.seen_in_training or record.known_collections
            yield "is_new", record.is_new, not known
            if judged := record.good_enough:
                yield "level", judged.level, level_of(record)
        case GroupScores():
            yield "differ", record.differ, record.p < 0.05
        case Shortcuts(p=p, level=level):
            tells = p is not None and level is not None and p <= level
            yield "tells_classes", record.tells_classes, tells
            yield "found", record.found, tells or bool(record.culprits)
        case Covered(background=background, chance=chance):
            above = background.interval is not None and chance is not None and background.interval.low > chance
            yield "tells_without_face", record.tells_without_face, above
        case Fit():
            over, under = record.gap > record.most_gap, record.train_macro_f1 < record.least_train
            names = {(True, True): "both", (True, False): "overfits", (False, True): "underfits"}
            yield "fit", record.verdict, names.get((over, under), "balanced")
            if record.stopped_early:
                yield "still_rising", record.still_rising, False
        case Premium(interval=interval):
            yield "premium", record.verdict, side_of_zero(interval, "naive flatters", "naive scores lower")
        case RunComparison(interval=interval) | PairedModel(interval=interval):
            yield "comparison", record.verdict, side_of_zero(interval, "better", "worse")


def level_of(target: TargetResults) -> str:
    shared, judged = target.shared, target.good_enough
    assert judged is not None
    if not target.is_new or shared.interval is None or not shared.beats_chance:
        return (
            "cannot tell"
            if target.is_new and shared.interval is None
            else "not new"
            if not target.is_new
            else ("no better than guessing")
        )
    assert judged.reached == shared.interval.low
    return max((bound, level) for level, bound in judged.bounds.items() if judged.reached >= bound)[1]


def side_of_zero(interval: Interval | None, above: str, below: str) -> str:
    if interval is None:
        return "cannot tell"
    return above if interval.low > 0 else below if interval.high < 0 else "cannot tell"


def records_in(value: Any) -> Iterator[Record]:
    if isinstance(value, Record):
        yield value
        parts = [getattr(value, field.name) for field in msgspec.structs.fields(type(value))]
    else:
        parts = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else []
    for part in parts:
        yield from records_in(part)


def assert_judged(document: Document) -> set[tuple[str, Any]]:
    """Each judgement follows from its numbers; those that were met."""
    met = set()
    for record in records_in(document):
        for name, stored, due in judgements(record):
            assert stored == due, (type(record).__name__, name, record)
            met.add((name, stored))
    return met


def test_judgements_follow_from_the_numbers_beside_them(made: StudyResults) -> None:
    met = assert_judged(made)
    assert {name for name, _ in met} >= {
        "beats_chance",
        "comparison",
        "fit",
        "found",
        "is_clear",
        "is_new",
        "kept",
        "lowers",
        "premium",
        "tells_classes",
        "tells_without_face",
    }
    assert {("lowers", True), ("lowers", False)} <= met


@pytest.mark.parametrize(("sharpness", "is_better"), [(0.0, False), (3.0, True)])
def test_guesses_do_not_beat_chance(sharpness: float, is_better: bool) -> None:
    photos = make_manifest().filter(pl.col("source") == "photos", pl.col("status") == "ok")
    scores = score_rows(predict(photos, sharpness, 7), LABELS)
    assert scores.beats_chance is is_better
    assert [stored == due for _, stored, due in judgements(scores)] == [True]


def test_photos_that_were_trained_on_are_not_new(small_study: Study, tmp_path: Path) -> None:
    found = evaluated(small_study, small_study.data, tmp_path)
    assert found.target.near_copies
    assert found.target.seen_in_training
    assert not found.target.is_new
    assert_judged(found)
