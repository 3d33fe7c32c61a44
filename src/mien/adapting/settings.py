"""What is adapted to what, and the ways there are."""

from __future__ import annotations

from dataclasses import dataclass

from mien.config import check_choice, check_range
from mien.errors import ConfigError

__all__ = ["IN_BLOCKS", "SHIFTED", "WAYS_TO_ADAPT", "WITH_LABELS", "AdaptConfig"]

IN_BLOCKS = ("blocks, self-taught", "blocks", "blocks, shares")
"""Ways to adapt that only a fine-tuned network has: its last blocks learn on."""
WITH_LABELS = ("labels", "labels, shares", "blocks", "blocks, shares")
"""Ways to adapt that learn from labelled photos of the target."""
SHIFTED = {"class shares": "as it is", "labels, shares": "labels", "blocks, shares": "blocks"}
"""Ways that move another's answers to the class shares that these suggest."""
WAYS_TO_ADAPT = (
    "as it is",
    "class shares",
    "statistics",
    "made alike",
    "self-training",
    "blocks, self-taught",
    *WITH_LABELS,
)


@dataclass(frozen=True)
class AdaptConfig:
    """What is adapted to what.

    Attributes:
        model: study folder, run folder or model file in one.
        target: labelled photos from elsewhere.
        shots: labelled photos a class to learn from, each at least 0.
        draws: of those photos, whose scores are averaged.
        save: the way whose model is written, if any.
        labels: file that maps the target's classes, where names do not match.
        seed: of the halves of the target and of the draws.
        path_column, label_column, group_column, split_column: of the target, where it is a table.
    """

    model: str
    target: str
    shots: tuple[int, ...] = (0, 1, 2, 5, 10, 20)
    draws: int = 5
    save: str | None = None
    labels: str | None = None
    seed: int = 42
    path_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None

    def __post_init__(self) -> None:
        if min(self.shots, default=-1) < 0:
            raise ConfigError("--shots: give numbers of labelled photos a class, as in 0,1,2,5,10,20")
        check_range("draws", self.draws, 1, None)
        check_range("seed", self.seed, 0, None)
        if self.save is not None:
            check_choice("save", self.save, WAYS_TO_ADAPT[1:])
