"""What commands print for people: short, aligned, and true to the results."""

from __future__ import annotations

import io
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console, RenderableType

from mien.results.prediction import Prediction
from mien.results.study import StudyResults, TestedRun
from mien.telling.terminal.predictions import prediction_head, prediction_summary, prediction_text
from mien.telling.terminal.summaries import study_summary
from mien.telling.words.advice import advise
from mien.telling.words.concerns import concerns
from support.made_report import changed, make_study
from support.made_study import Made

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_study(tmp_path_factory.mktemp("study"))


def lines_of(summary: RenderableType, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(summary)
    return captured.get().splitlines()


def timed(results: StudyResults) -> StudyResults:
    return replace(results, seconds={"total": 61.0})


def crowded(made: Made) -> StudyResults:
    """Nine recipes, every warning and every kind of finding at once."""
    run: TestedRun = made.results.runs["scratch"]
    names = ("two-stream", "from-default", "finetune-no-augmentation", "scratch-no-augmentation", "notebook", "x", "y")
    runs = made.results.runs | dict.fromkeys(names, run)
    pairs = tuple(replace(made.results.comparisons[0], second=name) for name in runs if name != "probe")
    told = {"known_collections": ("six-emotions",), "near_copies": 3, "recurring_groups": 2}
    return replace(timed(made.results), runs=runs, comparisons=pairs, **changed(made, "target", **told))


@pytest.mark.parametrize("name", ["as made", "crowded", "without a target"])
def test_a_study_is_summed_up_in_40_lines_of_80_columns(name: str, made: Made) -> None:
    results = {
        "as made": timed(made.results),
        "crowded": crowded(made),
        "without a target": replace(timed(made.results), target=None),
    }[name]
    lines = lines_of(study_summary(results))
    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= 80


def test_the_summary_says_the_answer_then_what_needs_a_look_then_what_to_do_then_where(made: Made) -> None:
    results = replace(timed(made.results), **changed(made, "paths", report="x/report.html"))
    text = "\n".join(lines_of(study_summary(results), 200))
    told = [f"macro-F1 of {results.test.macro_f1:.2f}", concerns(results.data)[0].told, advise(results)[0].step]
    places = [text.index(each) for each in [*told, "x/report.html", "x/model.onnx"]]
    assert places == sorted(places)
    for run in results.runs.values():
        assert run.test.interval is not None
        assert f"{run.test.macro_f1:.2f} [{run.test.interval.low:.2f}, {run.test.interval.high:.2f}]" in text


def answer(path: str, *shares: float, **more: Any) -> Prediction:
    probabilities = dict(zip(CLASSES, shares, strict=True))
    flags = more.get("flags", ())
    label = max(probabilities, key=lambda name: probabilities[name])
    return Prediction(path, flags[0] if flags else "ok", label=label, probabilities=probabilities, **more)


def test_predictions_are_an_aligned_table_with_the_runner_up_and_every_doubt() -> None:
    text = prediction_text("table", CLASSES)
    rows = [
        text(answer("a.png", 0.7, 0.1, 0.05, 0.15, 0.0)),
        text(answer(f"{'folder/' * 9}b.png", 0.0, 0.1, 0.05, 0.15, 0.7, flags=("several_faces", "unsure"))),
        text(answer("絵/顔.png", 0.1, 0.2, 0.5, 0.1, 0.1)),
        text(answer("film.mp4", 0.9, 0.1, 0.0, 0.0, 0.0, time=61.25, face_id=2)),
    ]
    place = prediction_head(CLASSES).index("answer")
    cells = (
        ["anger", "70", "happiness", "15"],
        ["sadness", "70", "happiness", "15"],
        ["fear", "50", "disgust", "20"],
        ["anger", "90", "disgust", "10"],
    )
    for row, expected in zip(rows, cells, strict=True):
        start = next(i for i in range(len(row)) if cell_len(row[:i]) == place)
        assert row[start:].split()[:4] == expected
    assert rows[1].endswith("several faces, unsure")
    assert "b.png" in rows[1]
    assert "61.25 s face 2" in rows[3]
    assert text(Prediction("broken.jpg", "unreadable", ("unreadable",), reason="empty")).endswith("unreadable: empty")


def test_the_tally_counts_all_doubts_not_only_the_first_of_each_answer() -> None:
    told = prediction_summary(5, {"ok": 2, "no_face": 1, "unsure": 3, "unproven": 1})
    assert told.splitlines()[0].startswith("5 answers, 2 ")
    assert all(each in told for each in ("3 unsure", "1 no face", "1 unproven"))
    assert prediction_summary(1, {"ok": 1}).count("\n") == 0
    assert prediction_summary(0, {}) == "no photos"
