"""Which recogniser answers, and what it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.groups import ANSWERS

__all__ = ["Answering", "Looking"]


@Parameter(name="*", group=ANSWERS)
@dataclass(frozen=True, kw_only=True)
class Answering:
    """Which recogniser answers.

    Attributes:
        model: Study folder, run folder, model.onnx, or one that comes with mien: default, six, or a version of one, as
            in default@1.
        classes: Answer only with these classes, separated by commas. No error rate is promised then, and no answer is
            called unsure.
    """

    model: str = "default"
    classes: str | None = None

    @property
    def among(self) -> tuple[str, ...] | None:
        """The classes that may be answered; None for all."""
        if self.classes is None:
            return None
        return tuple(name for each in self.classes.split(",") if (name := each.strip()))


@Parameter(name="*", group=ANSWERS)
@dataclass(frozen=True, kw_only=True)
class Looking:
    """What is looked at in photos and videos.

    Attributes:
        faces: largest for one answer per picture, all for one per face.
        fps: Frames per second to look at in videos and animations.
        smooth: Seconds over which to average the answers about a face in a video, beside what each frame gave. 0 for
            none.
    """

    faces: Literal["largest", "all"] = "largest"
    fps: float = 5.0
    smooth: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1000:
            raise ConfigError(f"--fps {self.fps:g}: must be more than 0 and at most 1000")
        if not 0 <= self.smooth <= 3600:
            raise ConfigError(f"--smooth {self.smooth:g}: must be 0 to 3600 seconds")
