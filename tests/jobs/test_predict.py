"""Answers for any number of photos, in parts: in order, each once, whatever stops the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest

from mien.data.reading.pictures import Picture
from mien.demo import draw_face
from mien.jobs import predict
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.results.prediction import Prediction
from mien.results.prediction_table import prediction_rows, prediction_table
from support.outcomes import Outcome
from support.pictures import encoded

Mien = Callable[..., Outcome]
LABELS = ("anger", "happy")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven photos, the fourth of them no photo, to be answered three at a time."""
    monkeypatch.setattr(predict, "PHOTOS_A_PART", 3)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(7):
        image = draw_face("happy", i).resize((48, 48))
        (folder / f"{i}.png").write_bytes(b"no picture" if i == 3 else encoded(image))
    return folder


def parts(folder: Path) -> list[pl.DataFrame]:
    return [pl.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))]


def test_parts_hold_the_answers_in_order_each_once(photos: Path, tmp_path: Path, mien: Mien) -> None:
    outcome = mien("predict", photos, "--out", tmp_path / "out")
    assert (outcome.code, outcome.out) == (1, "")  # for one could not be read
    found = parts(tmp_path / "out")
    assert [len(each) for each in found] == [3, 3, 1]
    table = pl.concat(found)
    assert table["photo"].to_list() == list(range(7))
    assert [Path(path).name for path in table["path"]] == [f"{i}.png" for i in range(7)]
    assert table["status"][3] == "unreadable"
    assert table["label"][3] is None
    summary = json.loads((tmp_path / "out/summary.json").read_text("utf-8"))
    assert (summary["photos"], summary["answers"], summary["unreadable"]) == (7, 7, 1)
    direct = Recognizer.default().predict([photos / f"{i}.png" for i in (0, 1, 2)])
    labels = Recognizer.default().labels
    for row, each in zip(prediction_rows(table[:3], labels), direct, strict=True):
        assert (row.label, row.flags, row.face) == (each.label, each.flags, each.face)
        assert row.probabilities == pytest.approx(each.probabilities, abs=1e-6)


def test_a_stopped_command_goes_on_after_the_parts_that_are_there(
    photos: Path, tmp_path: Path, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert mien("predict", photos, "--out", whole).code == 1
    with monkeypatch.context() as patch:
        write = predict.AnswerFolder.write

        def stop(self: predict.AnswerFolder, number: int, answers: list[Prediction], places: list[int]) -> None:
            if number == 1:
                raise KeyboardInterrupt
            write(self, number, answers, places)

        patch.setattr(predict.AnswerFolder, "write", stop)
        assert mien("predict", photos, "--out", stopped).code == 130
    assert len(parts(stopped)) == 1
    assert mien("predict", photos, "--out", stopped).code == 2
    first = (stopped / "part-000000.parquet").stat().st_mtime_ns
    assert mien("predict", photos, "--out", stopped, "--resume").code == 1
    assert (stopped / "part-000000.parquet").stat().st_mtime_ns == first
    for ours, theirs in zip(parts(stopped), parts(whole), strict=True):
        assert ours.equals(theirs)
    assert (stopped / "summary.json").read_bytes() == (whole / "summary.json").read_bytes()
    assert mien("predict", photos, "--out", stopped, "--resume").code == 1  # and again: nothing is left to do


def test_the_name_of_the_folder_cannot_act_on_a_terminal(photos: Path, tmp_path: Path, mien: Mien) -> None:
    outcome = mien("predict", photos / "0.png", "--out", tmp_path / "a\x1b[31m\nb")
    assert outcome.code == 0
    assert "\x1b" not in outcome.err
    assert "[31m" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize("change", ["another photo", "one more", "one less", "another setting", "a damaged part"])
def test_what_was_begun_with_other_things_is_refused(photos: Path, tmp_path: Path, mien: Mien, change: str) -> None:
    out, options = tmp_path / "out", tuple[str, ...]()
    assert mien("predict", photos, "--out", out).code == 1
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    if change == "another photo":
        (photos / "1.png").rename(photos / "1b.png")
    elif change == "one more":
        (photos / "7.png").write_bytes((photos / "0.png").read_bytes())
    elif change == "one less":
        (photos / "6.png").unlink()
    elif change == "another setting":
        options = ("--faces", "all")
    else:
        (out / "part-000001.parquet").write_bytes(b"PAR1")
    outcome = mien("predict", photos, "--out", out, "--resume", *options)
    assert outcome.code == 2
    assert len(outcome.complaint.splitlines()) == 1
    if change != "a damaged part":
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--faces", "all"), ("--faces largest", "--faces all")),
        (("--max-error", "0.2"), ("the usual --max-error", "--max-error 0.2")),
        (("--classes", "anger,happy"), ("the usual --classes", "--classes anger,happy")),
        (("--model", "six"), ("'default@", "'six@")),
    ],
)
def test_going_on_says_what_the_folder_was_begun_with(
    photos: Path, mien: Mien, change: tuple[str, ...], said: tuple[str, str]
) -> None:
    mien("predict", photos, "--out", "kept")
    outcome = mien("predict", photos, "--out", "kept", "--resume", *change)
    begun, _, now = outcome.complaint.partition(", not with ")
    assert outcome.code == 2
    assert said[0] in begun
    assert said[1] in now
    other = mien("predict", photos / "1.png", "--out", "kept", "--resume")
    assert repr(str(photos)) in other.complaint
    assert repr(str(photos / "1.png")) in other.complaint


def test_a_folder_is_the_same_with_a_slash_behind_it(photos: Path, mien: Mien) -> None:
    assert mien("predict", photos, "--out", "kept").code == 1
    for spec in (f"{photos}/", f"{photos}//"):
        assert mien("predict", spec, "--out", "kept", "--resume").code == 1


def test_a_film_without_a_frame_has_a_row_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "PHOTOS_A_PART", 2)
    pictures = [Picture(path, Mock()) for path in ("film.mp4", "film.mp4", "other.mp4", "a.png", "last.mp4")]
    unreadable = ("unreadable",)

    def answer(some: Iterable[Picture]) -> Iterator[Prediction]:
        return (
            Prediction(each.path, "ok", (), "happy", {"anger": 0.0, "happy": 1.0})
            for each in some
            if each.path == "a.png"
        )

    folder = predict.AnswerFolder(tmp_path / "out", LABELS)
    for resume in (False, True):
        told = predict.answer_into(folder, pictures, answer, asked={}, resume=resume, progress=Silent())
        assert told == {"photos": 4, "answers": 4, "unreadable": 3, "ok": 1}
        table = pl.concat(parts(tmp_path / "out"))
        assert table["path"].to_list() == ["film.mp4", "other.mp4", "a.png", "last.mp4"]
        assert table["photo"].to_list() == [0, 1, 2, 3]
        assert [tuple(flags) for flags in table["flags"]] == [unreadable, unreadable, (), unreadable]


@pytest.mark.parametrize("argv", [("--jsonl", "--out", "o"), ("--csv", "--out", "o"), ("--resume",)])
def test_what_cannot_be_kept_is_refused(photos: Path, mien: Mien, argv: tuple[str, ...]) -> None:
    assert mien("predict", photos, *argv).code == 2


@pytest.mark.parametrize("is_smoothed", [False, True])
def test_a_table_gives_back_the_answers_that_it_was_made_of(is_smoothed: bool) -> None:
    probs = {"anger": 0.25, "happy": 0.75}
    answers = [
        Prediction("a.png", "ok", (), "happy", probs, (1.0, 2.0, 3.5, 4.0)),
        Prediction(
            "b.mp4", "unsure", ("unsure", "unproven"), "happy", probs, time=0.2, frame=5, seconds=0.2, face_id=1
        ),
        Prediction("c.png", "unreadable", ("unreadable",), reason="empty file"),
    ]
    if is_smoothed:
        answers[1] = Prediction(**(vars(answers[1]) | {"smoothed": probs, "smoothed_label": "happy"}))
    table = prediction_table(answers, [0, 1, 2], LABELS, is_smoothed=is_smoothed)
    assert list(prediction_rows(table, LABELS)) == answers
    assert table.schema == prediction_table([], [], LABELS, is_smoothed=is_smoothed).schema
