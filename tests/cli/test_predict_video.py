"""``mien predict`` on videos: whose answer it is, what is averaged, what is told at the end, and what is written."""

from __future__ import annotations

import csv
import io
import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from mien import Prediction, Recognizer
from mien.data.reading.preprocess import View
from mien.demo import draw_face
from mien.models.artifact import Contract
from mien.results.face_times import face_times
from support.films import animation, drawn_frames, film
from support.outcomes import Outcome
from support.pictures import BLUE, RED, colour_model, encoded, grainy, write_files, write_zip

Mien = Callable[..., Outcome]
LABELS = ("anger", "fear", "sad")
EMPTY = Image.new("RGB", (320, 256), (128, 128, 128))


def tinted(colour: tuple[int, int, int]) -> Image.Image:
    """A face crop of about one colour, so small that the whole picture is the face."""
    return Image.blend(grainy(0), Image.new("RGB", (48, 48), colour), 0.8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Tells anger, fear and sad by red, green and blue, of the face alone."""
    contract = Contract(LABELS, (View("photo", 32),), "colour")
    return colour_model(tmp_path / "model.onnx", metadata=contract.to_json())


def room(*places: int, tint: tuple[int, int, int] | None = None) -> Image.Image:
    """A grey room with the same drawn face at these places."""
    face = draw_face("disgust", 2).resize((200, 200))
    picture = Image.new("RGB", (640, 256), (128, 128, 128))
    for place in places:
        picture.paste(Image.blend(face, Image.new("RGB", face.size, tint), 0.2) if tint else face, (place, 30))
    return picture


def answers(model: Path, path: Path, **options: object) -> list[Prediction]:
    return list(Recognizer(model).predict_video(path, **options))  # type: ignore[arg-type]


# -- whose answer it is -----------------------------------------------------------------------------------------------


def test_face_has_a_number_as_long_as_it_is_there(model: Path, tmp_path: Path) -> None:
    frames = [room()] * 4 + [room(20 + 5 * i) for i in range(6)] + [room()] * 4 + [room(20)] * 4
    found = answers(model, film(tmp_path / "door.mp4", frames, 5))
    assert [answer.face_id for answer in found] == [None] * 4 + [1] * 6 + [None] * 4 + [2] * 4
    assert all(("no_face" in answer.flags) == (answer.face_id is None) for answer in found)
    assert [answer.frame for answer in found] == [*range(18)]


def test_several_faces_have_a_number_each(model: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "two.mp4", [room(20 + i, 400 - i) for i in range(6)], 5)
    found = answers(model, path, every_face=True)
    assert {answer.face_id for answer in found} == {1, 2}
    for number in (1, 2):
        lefts = [answer.face[0] for answer in found if answer.face and answer.face_id == number]
        assert len(lefts) == 6
        assert max(lefts) - min(lefts) < 60
    assert len({answer.face_id for answer in answers(model, path)}) <= 2  # the larger of the two


def test_video_in_python_is_an_iterator_that_reads_as_it_goes(model: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [tinted(RED)] * 400, 20)
    found = Recognizer(model).predict_video(str(path), frames_per_second=20)
    assert isinstance(found, Iterator)
    first = next(found)
    assert (first.label, first.time, first.frame, first.face_id, first.path) == ("anger", 0, 0, 1, str(path))
    found.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "options", [{"frames_per_second": 0}, {"frames_per_second": "5"}, {"smooth": -1}, {"smooth": float("nan")}]
)
def test_rates_and_times_that_there_are_not_are_refused_at_once(model: Path, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Recognizer(model).predict_video("a.mp4", **options)  # type: ignore[arg-type]


# -- averages ---------------------------------------------------------------------------------------------------------


def test_nothing_is_averaged_unless_asked(model: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [tinted(RED)] * 10 + [tinted(BLUE)] + [tinted(RED)] * 10)
    plain, averaged = (answers(model, path, frames_per_second=20, smooth=smooth) for smooth in (0, 0.5))
    assert [answer.label for answer in plain] == ["anger"] * 10 + ["sad"] + ["anger"] * 10
    assert all(answer.smoothed is None and answer.smoothed_label is None for answer in plain)
    for one, other in zip(plain, averaged, strict=True):
        assert (one.probabilities, one.label, one.flags) == (other.probabilities, other.label, other.flags)
    sad = [answer.smoothed["sad"] for answer in averaged if answer.smoothed]
    assert {answer.smoothed_label for answer in averaged} == {"anger"}
    assert sad[9] < 0.05 < sad[10]
    assert sad[10] > sad[11] > sad[14]
    assert all(sum(answer.smoothed.values()) == pytest.approx(1) for answer in averaged if answer.smoothed)


def test_average_stops_at_a_gap_a_frame_without_a_face_and_another_face(model: Path, tmp_path: Path) -> None:
    red, blue = room(20, tint=RED), room(20, tint=BLUE)
    far = room(400, tint=BLUE)
    times = [*(i / 5 for i in range(4)), *(10 + i / 5 for i in range(4))]
    films = {
        "gap": film(tmp_path / "gap.mkv", [red] * 4 + [blue] * 4, 5, times=times, codec="mpeg4"),
        "empty": film(tmp_path / "empty.mkv", [red] * 4 + [room()] + [blue] * 4, 5),
        "other": film(tmp_path / "other.mkv", [red] * 4 + [far] * 4, 5),
        "same": film(tmp_path / "same.mkv", [red] * 4 + [blue] * 4, 5),
    }
    for kind, path in films.items():
        found = answers(model, path, smooth=5.0)
        after = found[-4]
        assert after.smoothed is not None
        assert after.probabilities is not None
        assert (after.smoothed == after.probabilities) == (kind != "same"), kind
        assert all(answer.smoothed is None for answer in found if answer.face_id is None)


def test_average_begins_anew_with_every_video(model: Path, tmp_path: Path, mien: Mien) -> None:
    red = film(tmp_path / "a.mp4", [tinted(RED)] * 10, 5)
    blue = film(tmp_path / "b.mp4", [tinted(BLUE)] * 10, 5)
    outcome = mien("predict", red, blue, blue, "--model", model, "--smooth", "9", "--jsonl")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["smoothed_label"] for row in rows] == ["anger"] * 10 + ["sad"] * 20
    assert rows[10]["smoothed"] == rows[10]["probabilities"]


# -- what is printed and written --------------------------------------------------------------------------------------


def test_csv_has_columns_for_frames_faces_and_averages(model: Path, tmp_path: Path, mien: Mien) -> None:
    path = film(tmp_path / "a.mp4", [tinted(RED)] * 20, 10)
    plain = mien("predict", path, "--model", model, "--csv")
    averaged = mien("predict", path, "--model", model, "--csv", "--smooth", "1")
    rows, others = (list(csv.DictReader(io.StringIO(outcome.out))) for outcome in (plain, averaged))
    assert [row["frame"] for row in rows] == [str(number) for number in range(0, 20, 2)]
    assert {row["face_id"] for row in rows} == {"1"}
    assert sum(float(row["seconds"]) for row in rows) == pytest.approx(2)
    assert set(others[0]) - set(rows[0]) == {"smoothed_label", *(f"smoothed {label}" for label in LABELS)}
    assert [{key: other[key] for key in row} for row, other in zip(rows, others, strict=True)] == rows


def test_videos_among_photos_are_answered_in_their_place(model: Path, tmp_path: Path, mien: Mien) -> None:
    files = {
        "a.png": encoded(tinted(BLUE)),
        "b": film(tmp_path / "x.webm", [tinted(RED)] * 10, 5).read_bytes(),
        "c.gif": animation([tinted(RED), tinted(BLUE)], "GIF", 500),
        "d.png": encoded(tinted(BLUE)),
    }
    expected = [("a.png", "sad")] + [("b", "anger")] * 10 + [("c.gif", "anger"), ("c.gif", "sad"), ("d.png", "sad")]
    for source in (write_files(tmp_path / "photos", files), write_zip(tmp_path / "x.zip", files)):
        outcome = mien("predict", source, "--model", model, "--jsonl")
        rows = [json.loads(line) for line in outcome.out.splitlines()]
        assert outcome.code == 0
        assert [(row["path"].replace("::", "/").rpartition("/")[2], row["label"]) for row in rows] == expected
        assert [row["frame"] is None for row in rows] == [True] + [False] * 12 + [True]


def test_damage_is_one_line_and_the_exit_code(model: Path, tmp_path: Path, mien: Mien) -> None:
    path = film(tmp_path / "cut.avi", drawn_frames(40), 10)
    path.write_bytes(path.read_bytes()[:-9000])
    (tmp_path / "none.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    outcome = mien("predict", path, tmp_path / "none.mp4", "--model", model, "--jsonl")
    *read, cut, none = (json.loads(line) for line in outcome.out.splitlines())
    assert outcome.code == 1
    assert len(read) > 5
    assert all(row["status"] != "unreadable" and row["path"] == str(path) for row in read)
    assert (cut["status"], none["status"]) == ("unreadable", "unreadable")
    assert "cut short" in cut["reason"]
    assert cut["time"] == pytest.approx(read[-1]["time"] + read[-1]["seconds"], abs=0.11)
    assert none["path"] == str(tmp_path / "none.mp4")


def test_shares_of_time_are_told_in_the_terminal(model: Path, tmp_path: Path, mien: Mien) -> None:
    path = film(tmp_path / "a.mp4", [tinted(RED)] * 15 + [tinted(BLUE)] * 5, 5)
    outcome = mien("predict", path, tmp_path / "a.mp4", "--model", model)
    assert outcome.code == 0
    (line,) = (line for line in outcome.err.splitlines() if "face 1" in line)
    assert "anger 75" in line
    assert "sad 25" in line
    assert len(line) <= 80
    assert "face" not in mien("predict", write_files(tmp_path, {"s.png": encoded(tinted(RED))}) / "s.png").err


def test_folder_has_a_table_of_faces_and_a_plot_of_each_video(model: Path, tmp_path: Path, mien: Mien) -> None:
    first = film(tmp_path / "a.mp4", [tinted(RED)] * 15 + [tinted(BLUE)] * 5, 5)
    second = film(tmp_path / "a.mkv", [EMPTY] * 5, 5)
    photo = write_files(tmp_path, {"s.png": encoded(tinted(RED))}) / "s.png"
    outcome = mien("predict", first, photo, second, "--model", model, "--out", tmp_path / "out", "--smooth", "0.2")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-2.svg",
        "a.svg",
        "asked.json",
        "faces.csv",
        "part-000000.parquet",
        "summary.json",
    ]
    rows = list(csv.DictReader((tmp_path / "out/faces.csv").open()))
    assert [(row["path"], row["face_id"]) for row in rows] == [(str(first), "1"), (str(second), "")]
    assert (float(rows[0]["anger"]), float(rows[0]["sad"])) == pytest.approx((0.75, 0.25), abs=0.051)
    assert rows[1]["anger"] == ""
    for name in ("a.svg", "a-2.svg"):
        text = (tmp_path / "out" / name).read_text("utf-8")
        ET.fromstring(text)
        assert all(label in text for label in LABELS)
    assert "face 1" in (tmp_path / "out/a.svg").read_text("utf-8")
    assert mien("predict", first, "--model", model, "--out", tmp_path / "out").code == 2


def test_a_folder_that_was_not_finished_is_gone_on_with(
    model: Path, tmp_path: Path, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --resume it stands in the way of the same command, so that nothing is lost."""

    def stopped(*_: object) -> str:
        assert (tmp_path / "out/faces.csv").exists()
        raise KeyboardInterrupt

    path = film(tmp_path / "a.mp4", [tinted(RED)] * 5, 5)
    argv = ("predict", path, "--model", model, "--out", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("mien.telling.report.film_plot.film_plot", stopped)
        assert mien(*argv).code == 130
    assert "--resume" in mien(*argv).complaint
    assert mien(*argv, "--resume").code == 0
    assert (tmp_path / "out/a.svg").exists()


def test_folder_that_cannot_be_written_is_refused_before_anything_is_answered(mien: Mien, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "nowhere/out"):
        outcome = mien("predict", tmp_path / "a.mp4", "--out", place)
        assert (outcome.code, outcome.out) == (2, "")
        assert "--out" in outcome.complaint


def test_without_the_report_extra_the_table_is_written_and_the_plot_is_missed(
    mien: Mien, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "mien.telling.report.film_plot", raising=False)
    path = film(tmp_path / "a.mp4", [tinted(RED)] * 5, 5)
    outcome = mien("predict", path, "--model", model, "--out", tmp_path / "out")
    assert outcome.code == 0
    assert "mien[report]" in outcome.err
    names = {each.name for each in (tmp_path / "out").iterdir()}
    assert "faces.csv" in names
    assert "a.svg" not in names


def test_smoothing_time_that_there_is_not_is_refused(mien: Mien) -> None:
    outcome = mien("predict", "a.mp4", "--smooth", "-1")
    assert outcome.code == 2
    assert "--smooth" in outcome.complaint


def test_summary_from_python_is_that_of_the_terminal(model: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [tinted(RED)] * 15 + [tinted(BLUE)] * 5, 5)
    (face,) = face_times(Recognizer(model).predict_video(path))
    assert face.shares == pytest.approx({"anger": 0.75, "sad": 0.25})
    assert (face.frames, face.start) == (20, 0)
    assert face.end == pytest.approx(4)


# -- faces that lie on their side --------------------------------------------------------------------------------------


def test_turned_face_is_a_doubt_in_a_still_and_in_a_video(model: Path, tmp_path: Path) -> None:
    face = draw_face("happy", 8)
    for degrees in (0, 90, 180, 270):
        picture = face.rotate(degrees, expand=True)
        still = Recognizer(model).predict(picture)
        assert ("turned" in still.flags) == (degrees != 0)
        even = picture.crop((0, 0, picture.width // 2 * 2, picture.height // 2 * 2))
        found = answers(model, film(tmp_path / f"{degrees}.mp4", [even] * 3, 5, codec="mpeg4"))
        assert {"turned" in answer.flags for answer in found} == {degrees != 0}
