"""The audit names what is wrong with the face in a photo, and says nothing where nothing is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mien.data.measuring.face_audit import FLAGS, face_flags
from mien.data.measuring.focus import LEAST_FOCUS, focus
from mien.demo import draw_face

GOOD: dict[str, Any] = {
    "id": "set/happy/1.jpg",
    "status": "ok",
    "contrast": 0.2,
    "face_kind": "found",
    "face_count": 1,
    "face_side": 120.0,
    "face_cut": 0.0,
    "face_focus": 0.7,
    "drawn": 0.001,
}
NOT_SEARCHED = {"face_kind": "crop", "face_side": 48.0, "face_cut": None}
NOT_FOUND = {"face_kind": "none", "face_count": 0, "face_side": None, "face_cut": None, "face_focus": None}
SCHEMA = {
    "id": pl.String(),
    "status": pl.String(),
    "contrast": pl.Float32(),
    "face_kind": pl.String(),
    "face_count": pl.Int32(),
    "face_side": pl.Float32(),
    "face_cut": pl.Float32(),
    "face_focus": pl.Float32(),
    "drawn": pl.Float32(),
}


def table(*changes: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([GOOD | change for change in changes], schema=SCHEMA)


def said(**change: Any) -> set[str]:
    """The flags of one photo that differs from a good one."""
    row = face_flags(table(change)).row(0, named=True)
    return {flag for flag in FLAGS if row[flag]}


def test_nothing_is_said_of_a_good_photo() -> None:
    assert said() == set()


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        (NOT_FOUND, {"no_face"}),
        ({"face_count": 2}, {"several_faces"}),
        ({"face_side": 47.9}, {"tiny_face"}),
        ({"face_side": 48.0}, set()),
        ({"face_cut": 0.06}, {"cut_face"}),
        ({"face_cut": 0.04}, set()),
        ({"face_focus": 0.39}, {"blurred_face"}),
        ({"face_focus": 0.41}, set()),
        ({"face_focus": 0.45, "face_side": 50.0}, {"blurred_face"}),
        ({"face_focus": 0.51, "face_side": 50.0}, set()),
        ({"face_focus": math.nan}, set()),
        ({"drawn": 0.5}, {"drawn"}),
        ({"drawn": 0.49}, {"perhaps_drawn"}),
        ({"drawn": 0.1}, {"perhaps_drawn"}),
        ({"drawn": 0.09}, set()),
        ({"face_count": 3, "face_cut": 0.2, "drawn": 0.9}, {"several_faces", "cut_face", "drawn"}),
    ],
)
def test_each_fault_has_its_name(change: dict[str, Any], flags: set[str]) -> None:
    assert said(**change) == flags


def test_a_tiny_face_is_not_called_blurred_too() -> None:
    assert said(face_side=30.0, face_focus=0.1) == {"tiny_face"}


def test_a_face_crop_is_neither_missing_nor_tiny_nor_cut() -> None:
    assert said(**NOT_SEARCHED) == set()
    assert said(**NOT_SEARCHED | {"face_side": 20.0, "face_count": 1}) == set()


def test_a_face_crop_can_be_blurred_or_drawn() -> None:
    assert said(**NOT_SEARCHED, face_focus=0.2) == {"blurred_face"}
    assert said(**NOT_SEARCHED, drawn=0.8) == {"drawn"}


def test_of_a_blank_picture_nothing_else_is_said() -> None:
    assert said(contrast=0.001) == {"blank"}
    assert said(**NOT_FOUND | {"contrast": 0.0, "drawn": 0.9}) == {"blank"}


def test_only_photos_that_could_be_read_have_flags() -> None:
    manifest = table({}, {"id": "set/happy/2.jpg", "status": "unreadable", "contrast": None, "face_kind": None})
    assert face_flags(manifest)["id"].to_list() == ["set/happy/1.jpg"]


def maybe(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high, width=32)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "face_kind": st.sampled_from(["found", "crop", "none", None]),
                "face_count": st.none() | st.integers(0, 50),
                "contrast": maybe(0, 1),
                "face_side": maybe(0, 5000),
                "face_cut": maybe(0, 1),
                "face_focus": maybe(0, 4),
                "drawn": maybe(0, 1),
            }
        ),
        max_size=20,
    )
)
def test_every_photo_has_every_flag_as_yes_or_no(changes: list[dict[str, Any]]) -> None:
    flags = face_flags(table(*changes))
    assert flags.columns == ["id", *FLAGS]
    assert flags.height == len(changes)
    assert flags.null_count().sum_horizontal().item() == 0
    assert not (flags["drawn"] & flags["perhaps_drawn"]).any()


def grey_face(side: int, *, blur: float = 0.0, contrast: float = 1.0) -> NDArray[np.uint8]:
    """A drawn face with grain, as greys."""
    image = draw_face("happy", 7).convert("L").resize((side, side), Image.Resampling.BILINEAR)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(blur * side / 96)), dtype=np.float64)
    return np.asarray((40 + (pixels - pixels.mean()) * contrast + pixels.mean() * contrast).clip(0, 255), np.uint8)


@pytest.mark.parametrize("side", [48, 96])
def test_focus_falls_with_blur(side: int) -> None:
    focuses = [focus(grey_face(side, blur=blur)[None])[0] for blur in (0.0, 1.0, 2.0, 4.0)]
    assert focuses == sorted(focuses, reverse=True)
    assert focuses[0] > LEAST_FOCUS > focuses[-1]


def test_a_dark_or_flat_light_does_not_count_as_blur() -> None:
    assert focus(grey_face(96, contrast=0.4)[None]) == pytest.approx(focus(grey_face(96, contrast=0.8)[None]), rel=0.1)


@pytest.mark.parametrize("shape", [(2, 50), (50, 2), (1, 1), (30, 30)])
def test_there_is_no_focus_where_there_is_nothing_to_see(shape: tuple[int, int]) -> None:
    assert math.isnan(focus(np.full((1, *shape), 90, np.uint8))[0])
