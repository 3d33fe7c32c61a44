"""What is adapted to what, and what is measured and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, Token

from mien.errors import ConfigError
from mien.settings.choices import check_choice, check_range
from mien.settings.columns import Columns
from mien.settings.division import Randomness
from mien.settings.groups import OUTPUT, RARE, TRAINING
from mien.settings.target import ClassMap
from mien.settings.ways import WAYS_TO_ADAPT, WayToAdapt, way_called
from mien.settings.whole import WHOLE

__all__ = ["AdaptSettings", "Adaptation"]


def _whole_numbers(kind: object, tokens: tuple[Token, ...]) -> tuple[int, ...]:
    """Numbers that are given as ``0,1,5``, ascending and each once; ``kind`` is for the parser's sake."""
    text = ",".join(token.value for token in tokens)
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise ConfigError(f"--shots {text}: expected whole numbers, as in 0,1,5,20") from None


@Parameter(name="*", group=TRAINING)
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
    draws: Annotated[int, WHOLE, Parameter(group=RARE)] = 5
    save: Annotated[str | None, Parameter(group=OUTPUT)] = None

    def __post_init__(self) -> None:
        if min(self.shots, default=-1) < 0:
            raise ConfigError("--shots: give numbers of labelled photos per class, as in 0,1,2,5,10,20")
        check_range("--draws", self.draws, 1, None)
        if self.save is not None:
            check_choice("save", self.save, tuple(way.name for way in WAYS_TO_ADAPT[1:]))

    @property
    def saved(self) -> WayToAdapt | None:
        """The way whose model is written; None for none."""
        return None if self.save is None else way_called(self.save)


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
