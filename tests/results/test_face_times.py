"""Shares of time add up, and go by how long frames stand and not by how many there are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mien.results.face_times import face_times
from mien.results.prediction import Prediction


def answer(time: float, seconds: float, label: str, face: int | None = 1, path: str = "a.mp4") -> Prediction:
    probs = {"happy": 0.5, "sad": 0.5}
    return Prediction(path, "ok", (), label, probs, time=time, frame=1, seconds=seconds, face_id=face)


def test_shares_go_by_time() -> None:
    (face,) = face_times([answer(0, 0.1, "sad"), answer(0.1, 0.1, "sad"), answer(0.2, 0.6, "happy")])
    assert (face.path, face.face_id, face.frames, face.start, face.doubtful) == ("a.mp4", 1, 3, 0, 0)
    assert [face.end, face.seconds] == pytest.approx([0.8, 0.8])
    assert list(face.shares) == ["happy", "sad"]
    assert face.shares == pytest.approx({"happy": 0.75, "sad": 0.25})


def test_faces_and_videos_are_counted_apart_and_in_their_order() -> None:
    faces = face_times(
        [answer(0, 1, "sad", None), answer(1, 1, "sad", 2), answer(1, 1, "happy"), answer(0, 1, "sad", path="Z.mp4")]
    )
    assert [(each.path, each.face_id) for each in faces] == [("a.mp4", 1), ("a.mp4", 2), ("a.mp4", None), ("Z.mp4", 1)]
    assert faces[2].shares == {}  # nobody showed anything
    assert faces[2].seconds == 1


def test_doubt_is_a_share_of_time_and_averages_count_where_there_are_any() -> None:
    doubtful = Prediction("a", "unsure", ("unsure",), "sad", {"sad": 1.0}, time=0, frame=0, seconds=3, face_id=1)
    averaged = replace(answer(3, 1, "sad", path="a"), smoothed={"happy": 1.0}, smoothed_label="happy")
    (face,) = face_times([doubtful, averaged])
    assert face.doubtful == pytest.approx(0.75)
    assert face.shares == pytest.approx({"sad": 0.75, "happy": 0.25})


def test_stills_and_complaints_count_for_nothing() -> None:
    still = Prediction("a.jpg", "ok", (), "sad", {"sad": 1.0})
    damaged = Prediction("a.mp4", "unreadable", ("unreadable",), time=3.0, reason="damaged")
    assert face_times([still, damaged]) == []


def test_face_of_a_single_frame_that_stands_for_no_time_has_shares_all_the_same() -> None:
    (face,) = face_times([answer(0, 0, "sad")])
    assert face.shares == {"sad": 1}
