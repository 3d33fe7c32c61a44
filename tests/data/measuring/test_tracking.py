"""Faces of consecutive frames are one face where their boxes overlap, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mien.data.measuring.faces import DetectedFace
from mien.data.measuring.tracking import FaceTracker, glance, is_cut, overlap
from mien.data.reading.preprocess import Box
from mien.demo import draw_face
from support.pictures import detector, pattern

SEEN = glance(pattern(0, (96, 64)))


def at(x: float, y: float = 0, side: float = 10) -> Box:
    return (x, y, x + side, y + side)


def followed(*frames: list[Box]) -> list[list[int]]:
    tracker = FaceTracker()
    return [tracker.follow(boxes, SEEN, follows=True) for boxes in frames]


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(at(0), at(0)) == 1
    assert overlap(at(0), at(5)) == pytest.approx(1 / 3)
    assert overlap(at(0), at(10)) == overlap(at(0), at(50, 50)) == 0
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_face_that_moves_keeps_its_number_and_one_elsewhere_gets_a_new_one() -> None:
    assert followed([at(0)], [at(2)], [at(4)], [at(30)]) == [[1], [1], [1], [2]]


def test_faces_keep_their_numbers_in_whichever_order_they_come() -> None:
    assert followed([at(0), at(50)], [at(51), at(1)], [at(2), at(52)]) == [[1, 2], [2, 1], [1, 2]]


def test_each_face_goes_to_the_one_that_it_covers_most() -> None:
    assert followed([at(0), at(4)], [at(4), at(1)]) == [[1, 2], [2, 1]]
    assert followed([at(0)], [at(2), at(1)]) == [[1], [2, 1]]


def test_face_that_was_away_for_a_frame_is_a_new_one() -> None:
    assert followed([at(0)], [], [at(0)]) == [[1], [], [2]]


def test_after_a_gap_or_a_cut_every_face_is_new() -> None:
    tracker = FaceTracker()
    other = glance(pattern(1, (96, 64)))
    assert is_cut(SEEN, other)
    numbers = [tracker.follow([at(0)], seen, follows=f) for seen, f in ((SEEN, False), (SEEN, False), (other, True))]
    assert numbers == [[1], [2], [3]]
    assert tracker.follow([at(0)], other, follows=True) == [3]


def test_what_moves_or_gets_lighter_is_no_cut() -> None:
    picture = pattern(3, (320, 200))
    assert not is_cut(glance(picture), glance(picture.crop((10, 6, 320, 200))))
    assert not is_cut(glance(picture), glance(Image.eval(picture, lambda value: min(255, value * 3 // 2))))
    assert not is_cut(glance(picture), glance(picture))


def turned(picture: Image.Image, degrees: int) -> DetectedFace | None:
    return detector().find(picture.rotate(degrees, expand=True)).main


@pytest.mark.parametrize(("kind", "seed"), [("happy", 8), ("fear", 7), ("disgust", 1)])
def test_faces_that_lie_or_stand_on_their_heads_are_told_from_upright_ones(kind: str, seed: int) -> None:
    picture = draw_face(kind, seed)
    for degrees in (0, 90, 180, 270):
        face = turned(picture, degrees)
        assert face is not None
        assert face.is_turned == (degrees != 0)
        off = (face.roll - degrees + 180) % 360 - 180
        assert abs(off) < 40, (degrees, face.roll)


def test_tilted_head_is_not_turned() -> None:
    for degrees in (-25, 25):
        face = turned(draw_face("happy", 8), degrees)
        assert face is not None
        assert not face.is_turned
        assert np.sign(face.roll) == np.sign(degrees)
