"""What is adapted to what, and the ways there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, Token

from mien.errors import ConfigError
from mien.settings.choices import check_choice, check_range
from mien.settings.columns import Columns
from mien.settings.division import Randomness
from mien.settings.target import ClassMap

__all__ = ["IN_BLOCKS", "SHIFTED", "WAYS_TO_ADAPT", "WITH_LABELS", "AdaptSettings", "Adaptation"]

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


def _whole_numbers(kind: object, tokens: tuple[Token, ...]) -> tuple[int, ...]:
    """Numbers that are given as ``0,1,5``, ascending and each once; ``kind`` is for the parser's sake."""
    text = ",".join(token.value for token in tokens)
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise ConfigError(f"--shots {text}: expected whole numbers, as in 0,1,5,20") from None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """What is measured, and what is written.

    Attributes:
        shots: Numbers of labelled photos per class to learn from.
        draws: How often these are drawn; scores are means over the draws.
        save: Write the model of one way: class shares, statistics, made alike, self-training, labels or 'labels,
            shares'; of finetune also 'blocks, self-taught', blocks or 'blocks, shares'.
    """

    shots: Annotated[
        tuple[int, ...],
        Parameter(converter=_whole_numbers, n_tokens=1, show_default=lambda shots: ",".join(map(str, shots))),
    ] = (0, 1, 2, 5, 10, 20)
    draws: int = 5
    save: str | None = None

    def __post_init__(self) -> None:
        if min(self.shots, default=-1) < 0:
            raise ConfigError("--shots: give numbers of labelled photos per class, as in 0,1,2,5,10,20")
        check_range("--draws", self.draws, 1, None)
        if self.save is not None:
            check_choice("save", self.save, WAYS_TO_ADAPT[1:])


@dataclass(frozen=True, kw_only=True)
class AdaptSettings:
    """What is adapted to what.

    Attributes:
        model: Study folder, run folder or model file in one.
        target: Labelled photos from elsewhere.
        columns: how a target is read that is a table.
        classes: which class of the target is which of the model.
        randomness: of the halves of the target and of the draws.
        adaptation: what is measured, and what is written.
    """

    model: str
    target: str
    columns: Columns = Columns()
    classes: ClassMap = ClassMap()
    randomness: Randomness = Randomness()
    adaptation: Adaptation = Adaptation()
