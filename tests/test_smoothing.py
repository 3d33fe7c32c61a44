"""Probabilities are averaged over time, and never across a frame in which the face is not."""

from __future__ import annotations

import math

import pytest

from mien.smoothing import Smoother

SURE, OTHER = {"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}


def test_what_is_one_time_constant_past_counts_one_part_in_e() -> None:
    smoother = Smoother(0.5)
    smoother.turn_to(0)
    assert smoother.mix("face", 0, SURE) == SURE
    smoother.turn_to(1)
    mixed = smoother.mix("face", 0.5, OTHER)
    assert mixed["a"] == pytest.approx(math.exp(-1))
    assert sum(mixed.values()) == pytest.approx(1)


def test_face_that_was_not_in_the_frame_before_begins_anew() -> None:
    smoother = Smoother(10)
    for frame, face in ((0, "one"), (1, "two"), (2, "one")):
        smoother.turn_to(frame)
        assert smoother.mix(face, frame / 10, OTHER if frame else SURE) == (OTHER if frame else SURE)


def test_frame_without_any_face_breaks_the_average() -> None:
    smoother = Smoother(10)
    for frame in range(3):
        smoother.turn_to(frame)
        if frame != 1:
            assert smoother.mix("face", frame / 10, OTHER if frame else SURE) == (OTHER if frame else SURE)


def test_several_faces_of_a_frame_are_averaged_apart() -> None:
    smoother = Smoother(0.1)
    for frame in range(5):
        smoother.turn_to(frame)
        assert smoother.mix("one", frame, SURE) == SURE
        assert smoother.mix("two", frame, OTHER) == OTHER


def test_same_video_once_more_begins_anew() -> None:
    smoother = Smoother(10)
    smoother.turn_to(7)
    smoother.mix("face", 0.7, SURE)
    smoother.turn_to(0)
    assert smoother.mix("face", 0, OTHER) == OTHER
