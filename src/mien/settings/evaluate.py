"""What is asked when a finished model is scored on other photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.columns import Columns
from mien.settings.division import Decisions
from mien.settings.groups import DATA
from mien.settings.slicing import Slicing
from mien.settings.target import ClassMap
from mien.settings.workers import Workers

__all__ = ["EvaluateSettings", "Rivals"]


@Parameter(name="*", group=DATA)
@dataclass(frozen=True, kw_only=True)
class Rivals:
    """What else answers the same photos.

    Attributes:
        against: Another model to compare with, photo by photo: a study folder, a model.onnx, default or six. 'mien
            score' takes a table of other answers as well; 'mien evaluate' without photos compares study folders, on the
            photos that both tested on. May be repeated.
    """

    against: Annotated[tuple[str, ...], Parameter(consume_multiple=False, show_default=False)] = ()


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """What is scored on what.

    Attributes:
        model: Study folder, run folder, model file, or one that comes with mien, such as default.
        data: Labelled photos from elsewhere, each source scored by itself.
        columns: how tables are read.
        decisions: what a person decided about single photos, of the one source there is.
        classes: which class of the photos is which of the model.
        slicing: by which columns scores are looked at apart.
        rivals: other models that answer the same photos.
        workers: which machines do what can be divided.
    """

    model: str
    data: tuple[str, ...]
    columns: Columns = Columns()
    decisions: Decisions = Decisions()
    classes: ClassMap = ClassMap()
    slicing: Slicing = Slicing()
    rivals: Rivals = Rivals()
    workers: Workers = Workers()

    def __post_init__(self) -> None:
        if not self.data and not self.rivals.against:
            raise ConfigError(
                "evaluate: DATA is missing; give labelled photos behind the model, as in: mien evaluate RUN PHOTOS"
            )
        if self.decisions.corrections and len(self.data) > 1:
            raise ConfigError("evaluate: --corrections is for one set of photos; evaluate the others by themselves")
