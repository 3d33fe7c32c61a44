"""What ``mien score`` says of the answers of any tool, beyond what is said of a model."""

from __future__ import annotations

from typing import Annotated

from mien.results.evaluation import EvaluatedTarget
from mien.results.record import Record, about
from mien.results.scores import Scores

__all__ = ["AnswerCounts", "ScoredTarget"]


class AnswerCounts(Record):
    """How the answers and the photos go together; `answered`, `no_face` and `missing` add up to `photos`."""

    photos: Annotated[int, about("Photos that can be read, of whatever class.")]
    answered: Annotated[int, about("Photos with an answer.")]
    no_face: Annotated[int, about("Photos whose row holds no answer, as where a tool found no face.")]
    missing: Annotated[int, about("Photos without a row.")]
    without_face: Annotated[int, about("Photos that were answered although the tool found no face in them.")]
    several: Annotated[int, about("Photos with several rows, as of several faces; that of the largest face counts.")]
    elsewhere: Annotated[int, about("Names in the table that are no photo of these.")]
    first_elsewhere: Annotated[tuple[str, ...], about("Some of these names, three at most.")]
    by_name: Annotated[bool, about("Whether photos were found by file name alone, since the folders differ.")]

    @property
    def unanswered(self) -> int:
        """Photos without an answer, for whatever reason."""
        return self.no_face + self.missing


class ScoredTarget(EvaluatedTarget):
    """Everything that is known of a tool's answers; photos without one count as wrong but in `answered`."""

    answers: Annotated[AnswerCounts, about("How many photos were answered.")]
    answered: Annotated[Scores, about("Images of shared classes that were answered; any answer is allowed.")]
    has_probabilities: Annotated[
        bool,
        about(
            "Whether the table has probabilities; without, nothing is known of sureness, and `shared_limited` is "
            "`shared`."
        ),
    ]
    unsaid: Annotated[
        tuple[str, ...],
        about(
            "Classes of the photos that answers without probabilities never name; they count as classes that could "
            "have been named, unless the class map calls them unknown."
        ),
    ] = ()
