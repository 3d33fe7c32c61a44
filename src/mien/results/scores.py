"""Scores of one set of predictions, and how two runs compare."""

from __future__ import annotations

from typing import Annotated, Literal

from mien.metrics import LEAST_GROUPS, Interval, Verdict
from mien.results.record import Record, about

__all__ = ["ClassScores", "GroupKind", "Over", "RunComparison", "Scores"]

GroupKind = Literal["people", "groups", "series", "pictures"]
"""What is independent: people, or other groups of the user's, where they are known; else series or pictures."""


class Over(Record):
    """The independent groups that intervals and tests are computed over, rather than single images."""

    number: Annotated[int, about("How many groups there are.")]
    kind: Annotated[
        GroupKind,
        about(
            "`people`; `groups` that a column names otherwise, or only for some images; `series` of photos; or "
            "`pictures`, each with its copies."
        ),
    ]
    least: Annotated[int, about("The fewest groups for which an interval is given.")]
    enough: Annotated[bool, about("Whether there are enough groups; if not, there is no interval and no verdict.")]

    @classmethod
    def counted(cls, number: int, kind: GroupKind) -> Over:
        """So many groups of a kind, judged by today's least number."""
        return cls(number=number, kind=kind, least=LEAST_GROUPS, enough=number >= LEAST_GROUPS)


class ClassScores(Record):
    """Scores of one class."""

    precision: Annotated[float | None, about("Share of right answers among those that name the class.")]
    recall: Annotated[float | None, about("Share of the class's images that are recognised.")]
    f1: Annotated[float | None, about("Harmonic mean of precision and recall.")]
    support: Annotated[int, about("True images of the class.")]
    recall_interval: Annotated[
        Interval | None, about("Of `recall`: 95 %; null where the class's images are in too few groups.")
    ] = None


class Scores(Record):
    """Scores of one set of predictions; null where there is no score, never 0."""

    macro_f1: Annotated[float | None, about("Mean F1 over the classes that have images.")]
    interval: Annotated[Interval | None, about("Of `macro_f1`: 95 % over the groups of `over`; null for too few.")]
    accuracy: Annotated[float | None, about("Share of right answers.")]
    accuracy_interval: Annotated[Interval | None, about("Of `accuracy`, likewise.")]
    per_class: Annotated[dict[str, ClassScores], about("Class → its scores.")]
    confusion: Annotated[
        tuple[tuple[int, ...], ...], about("Rows true, columns predicted, both in the order of `labels`.")
    ]
    labels: Annotated[tuple[str, ...], about("The classes that were scored, in order.")]
    support: Annotated[dict[str, int], about("Class → true images.")]
    images: Annotated[int, about("Images that were scored.")]
    chance_macro_f1: Annotated[float | None, about("Macro-F1 of answers drawn by the class shares.")]
    majority_accuracy: Annotated[float | None, about("Accuracy of always naming the most frequent class.")]
    beats_chance: Annotated[
        bool, about("Whether the whole `interval` lies above `chance_macro_f1`; false without one.")
    ]
    over: Annotated[Over | None, about("What the intervals are over; null in results of before.")] = None

    def row(self, label: str) -> tuple[int, ...]:
        """The answers given to the images of one true class, in the order of ``labels``."""
        return self.confusion[self.labels.index(label)]

    @property
    def margin(self) -> float | None:
        """Half of what ``interval`` spans; None where there is none."""
        return None if self.interval is None else (self.interval.high - self.interval.low) / 2

    @property
    def is_at_chance(self) -> bool:
        """Whether there is an interval of ``macro_f1``, and it does not lie above chance."""
        return self.interval is not None and not self.beats_chance

    @property
    def right(self) -> int:
        """Images that were answered rightly."""
        return sum(row[i] for i, row in enumerate(self.confusion))


class RunComparison(Record):
    """Two runs on the same images; a positive difference speaks for the first."""

    first: Annotated[str, about("Name of a run.")]
    second: Annotated[str, about("Name of another.")]
    split: Annotated[str, about("The split that both answered.")]
    macro_f1_difference: Annotated[float, about("First less second.")]
    interval: Annotated[Interval | None, about("Of the difference: 95 %, paired, over the groups of `over`.")]
    verdict: Annotated[Verdict, about("`better` or `worse` where the interval leaves out 0, else `cannot tell`.")]
    over: Annotated[Over | None, about("What the interval is over; null in results of before.")] = None
