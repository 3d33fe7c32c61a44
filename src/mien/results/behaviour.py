"""How a model behaves on photos it was not fitted to: how sure it is, where it is wrong, and what it leans on."""

from __future__ import annotations

from typing import Annotated

from mien.metrics import Interval
from mien.results.record import Record, about
from mien.results.scores import Over

__all__ = [
    "Corruption",
    "CorruptionLevel",
    "Covered",
    "ErrorRate",
    "ErrorRates",
    "IntervalScore",
    "Mistake",
    "Promise",
    "ReliabilityBin",
    "RiskCoverage",
    "Robustness",
    "Sureness",
]


class Mistake(Record):
    """One wrong answer."""

    id: Annotated[str, about("Source and path.")]
    path: Annotated[str, about("Path inside the source.")]
    row: Annotated[int, about("Place in the manifest.")]
    true: Annotated[str, about("The label it has.")]
    predicted: Annotated[str, about("The answer.")]
    probability: Annotated[float, about("Of the answer.")]
    rests_on: Annotated[
        tuple[tuple[float, ...], ...] | None,
        about(
            "How far that probability falls when a patch is painted over, 8 rows of 8 from the top left (Zeiler and "
            "Fergus, 2014); null unless asked for, or where the file could no longer be read."
        ),
    ] = None


class ErrorRate(Record):
    """Errors on the photos of one bin."""

    bin: Annotated[str, about("Its value or range.")]
    images: Annotated[int, about("Photos in it.")]
    error_rate: Annotated[float, about("Share of wrong answers.")]
    interval: Annotated[Interval | None, about("95 %, over groups; null where the photos are in too few.")]


class ErrorRates(Record):
    """Errors by one property of the photo."""

    property: Annotated[str, about("Its name.")]
    title: Annotated[str, about("Its name in words, with the unit.")]
    bins: Annotated[tuple[ErrorRate, ...], about("Two or more.")]
    over: Annotated[Over | None, about("What the photos of all bins are in; null in results of before.")] = None


class ReliabilityBin(Record):
    """Answers of about the same confidence."""

    confidence: Annotated[float, about("Their mean probability.")]
    accuracy: Annotated[float, about("Share of them that is right.")]
    low: Annotated[float | None, about("Lower end of its 95 % interval, over groups; null for too few.")]
    high: Annotated[float | None, about("Upper end.")]
    n: Annotated[int, about("How many.")]


class RiskCoverage(Record):
    """Error among the answers when only the surest are given."""

    coverage: Annotated[tuple[float, ...], about("Shares of photos answered, rising to 1.")]
    risk: Annotated[tuple[float, ...], about("Shares of wrong answers among them.")]
    area: Annotated[float, about("Mean risk over all coverages; 0 is best.")]


class Promise(Record):
    """What became of the promised error."""

    max_error: Annotated[float, about("Share of the answers that may be wrong.")]
    probability: Annotated[float, about("From which probability on answers are given.")]
    answered: Annotated[int, about("Photos that got an answer.")]
    wrong: Annotated[int, about("Wrong answers among them.")]
    interval: Annotated[
        Interval | None,
        about("Of the share of wrong answers: 95 %, over the groups answered; null where these are too few."),
    ]
    kept: Annotated[
        bool | None,
        about(
            "Whether the interval reaches down to `max_error`; null without an interval, or where `is_new` is false."
        ),
    ]
    over: Annotated[Over | None, about("Groups of the photos that got an answer; null in results of before.")] = None
    is_new: Annotated[bool, about("Whether nothing says that the model learnt from the photos.")] = True


class Sureness(Record):
    """Whether the probabilities can be believed."""

    images: Annotated[int, about("Photos looked at.")]
    ece: Annotated[float | None, about("Expected calibration error.")]
    reliability: Annotated[tuple[ReliabilityBin, ...], about("Tenths of the answers, by confidence.")]
    risk_coverage: Annotated[RiskCoverage | None, about("Error by the share answered.")]
    promise: Annotated[Promise | None, about("Null where nothing could be promised.")]
    over: Annotated[Over | None, about("What the intervals are over; null in results of before.")] = None


class IntervalScore(Record):
    """A macro-F1 and its interval."""

    macro_f1: Annotated[float | None, about("In [0, 1].")]
    interval: Annotated[Interval | None, about("95 %, over groups; null for too few.")]


class Covered(Record):
    """Photos in which a face was found, scored with parts of them covered."""

    images: Annotated[int, about("Photos scored.")]
    whole: Annotated[IntervalScore, about("As they are.")]
    background: Annotated[IntervalScore, about("With the face covered.")]
    face: Annotated[
        IntervalScore | None, about("With all but the face covered; null for models that look at no face by itself.")
    ]
    chance: Annotated[float | None, about("Macro-F1 by chance.")]
    tells_without_face: Annotated[bool, about("Whether the interval of `background` lies above `chance`.")]
    over: Annotated[Over | None, about("What the intervals are over; null in results of before.")] = None


class CorruptionLevel(Record):
    """Scores at one strength of a corruption."""

    level: Annotated[str, about("In words.")]
    value: Annotated[float, about("In the corruption's unit.")]
    macro_f1: Annotated[float, about("Then.")]
    change: Annotated[float, about("From the photos as they are.")]
    interval: Annotated[Interval | None, about("Of the change: 95 %, paired, over groups; null for too few.")]
    lowers: Annotated[bool, about("Whether the whole interval lies below 0.")]


class Corruption(Record):
    """One way in which pictures get worse."""

    corruption: Annotated[str, about("`noise`, `blur`, `jpeg`, `resolution`, `dark`, `bright`, `eyes` or `mouth`.")]
    title: Annotated[str, about("In words.")]
    unit: Annotated[str, about("Of the levels.")]
    points: Annotated[tuple[CorruptionLevel, ...], about("The mildest level first.")]


class Robustness(Record):
    """Test photos made worse by degrees."""

    images: Annotated[int, about("Photos scored.")]
    of: Annotated[int, about("Test photos there are.")]
    macro_f1: Annotated[float, about("As they are.")]
    curves: Annotated[tuple[Corruption, ...], about("One for each corruption.")]
    over: Annotated[Over | None, about("What the intervals are over; null in results of before.")] = None
