"""What the keyword arguments of ``mien.study`` and its like may be; ``docs/write_calls.py`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

__all__ = ["AdaptCall", "AuditCall", "CompareCall", "EvaluateCall", "StudyCall"]


class StudyCall(TypedDict, total=False):
    """Those of ``mien.study``; what each does is in the help of ``mien study``."""

    layout: str | PathLike[str] | None
    class_names: str | PathLike[str] | None
    split_map: str | PathLike[str] | None
    path_column: str | PathLike[str] | None
    label_column: str | PathLike[str] | None
    split_column: str | PathLike[str] | None
    group_column: str | PathLike[str] | None
    votes: Literal["soft", "majority"] | None
    root: str | PathLike[str] | None
    ending: str | PathLike[str] | None
    corrections: str | PathLike[str] | None
    split: str | PathLike[str]
    split_method: Literal["grouped", "series", "naive"]
    folds: int | Literal["group"] | None
    keep_splits: str | PathLike[str] | None
    seed: int
    recipes: str | PathLike[str] | Sequence[str]
    recipe: str | PathLike[str] | Sequence[str]
    augment: str | PathLike[str] | None
    backbone: str | PathLike[str] | None
    members: int
    epochs: int | None
    updates: int | None
    seconds: float | None
    device: Literal["auto", "cpu", "cuda", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7", "cuda:8"]
    precision: Literal["auto", "fp32", "bf16"] | None
    size: int | None
    max_error: float | None
    check_labels: bool | None
    leak_premium: bool
    target: str | PathLike[str] | None
    class_map: str | PathLike[str] | None
    slices: str | PathLike[str] | Sequence[str]
    slice: str | PathLike[str] | Sequence[str]
    explain_mistakes: bool
    no_photos: bool
    refit: bool
    cluster: str | PathLike[str] | None
    keep_pixels: Literal["auto", "yes", "no"]


class AuditCall(TypedDict, total=False):
    """Those of ``mien.audit``; what each does is in the help of ``mien audit``."""

    layout: str | PathLike[str] | None
    class_names: str | PathLike[str] | None
    split_map: str | PathLike[str] | None
    path_column: str | PathLike[str] | None
    label_column: str | PathLike[str] | None
    split_column: str | PathLike[str] | None
    group_column: str | PathLike[str] | None
    votes: Literal["soft", "majority"] | None
    root: str | PathLike[str] | None
    ending: str | PathLike[str] | None
    corrections: str | PathLike[str] | None
    find_faces: bool
    faces: bool
    check_labels: bool | None
    leak_premium: bool
    seed: int
    cluster: str | PathLike[str] | None


class EvaluateCall(TypedDict, total=False):
    """Those of ``mien.evaluate``; what each does is in the help of ``mien evaluate``."""

    layout: str | PathLike[str] | None
    class_names: str | PathLike[str] | None
    split_map: str | PathLike[str] | None
    path_column: str | PathLike[str] | None
    label_column: str | PathLike[str] | None
    split_column: str | PathLike[str] | None
    group_column: str | PathLike[str] | None
    votes: Literal["soft", "majority"] | None
    root: str | PathLike[str] | None
    ending: str | PathLike[str] | None
    corrections: str | PathLike[str] | None
    class_map: str | PathLike[str] | None
    slices: str | PathLike[str] | Sequence[str]
    slice: str | PathLike[str] | Sequence[str]
    against: str | PathLike[str] | Sequence[str]
    cluster: str | PathLike[str] | None


class CompareCall(TypedDict, total=False):
    """Those of ``mien.compare``; what each does is in the help of ``mien compare``."""

    layout: str | PathLike[str] | None
    class_names: str | PathLike[str] | None
    split_map: str | PathLike[str] | None
    path_column: str | PathLike[str] | None
    label_column: str | PathLike[str] | None
    split_column: str | PathLike[str] | None
    group_column: str | PathLike[str] | None
    votes: Literal["soft", "majority"] | None
    root: str | PathLike[str] | None
    ending: str | PathLike[str] | None
    corrections: str | PathLike[str] | None
    split: str | PathLike[str]
    split_method: Literal["grouped", "series", "naive"]
    seed: int
    arms: str | PathLike[str] | Sequence[str]
    arm: str | PathLike[str] | Sequence[str]
    leave_one_out: str | PathLike[str] | None
    recipe: str | PathLike[str]
    pairs: int | None
    folds: int
    primary: str | PathLike[str] | None
    sizes: Sequence[float]
    jobs: int | None
    epochs: int | None
    updates: int | None
    seconds: float | None
    device: Literal["auto", "cpu", "cuda", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7", "cuda:8"]
    precision: Literal["auto", "fp32", "bf16"] | None
    size: int | None
    slices: str | PathLike[str] | Sequence[str]
    slice: str | PathLike[str] | Sequence[str]
    cluster: str | PathLike[str] | None


class AdaptCall(TypedDict, total=False):
    """Those of ``mien.adapt``; what each does is in the help of ``mien adapt``."""

    layout: str | PathLike[str] | None
    class_names: str | PathLike[str] | None
    split_map: str | PathLike[str] | None
    path_column: str | PathLike[str] | None
    label_column: str | PathLike[str] | None
    split_column: str | PathLike[str] | None
    group_column: str | PathLike[str] | None
    votes: Literal["soft", "majority"] | None
    root: str | PathLike[str] | None
    ending: str | PathLike[str] | None
    class_map: str | PathLike[str] | None
    seed: int
    shots: Sequence[int]
    draws: int
    save: str | PathLike[str] | None
