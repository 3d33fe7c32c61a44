"""What raters say of the same photos: how far they agree with each other, and a model beside them."""

from __future__ import annotations

from typing import Annotated

from mien.metrics import Interval, Verdict
from mien.results.record import Record, about
from mien.results.scores import Over, Scores

__all__ = [
    "Agreement",
    "AgreementMeasure",
    "BesideRaters",
    "Disputed",
    "NamedRater",
    "RaterPair",
    "Raters",
    "ShareOf",
]


class AgreementMeasure(Record):
    """A measure of agreement: 1 where raters always agree, 0 where they agree as often as by chance."""

    value: Annotated[float | None, about("Null where it is not defined, as where all votes are for one class.")]
    interval: Annotated[Interval | None, about("95 %, over groups of photos; null for too few.")]
    photos: Annotated[int, about("Photos with two votes or more.")]


class RaterPair(Record):
    """Two raters who are named."""

    first: Annotated[str, about("Name of one.")]
    second: Annotated[str, about("Name of the other.")]
    photos: Annotated[int, about("Photos that both rated.")]
    kappa: Annotated[float | None, about("Cohen's kappa; null where it is not defined.")]
    interval: Annotated[Interval | None, about("Of `kappa`: 95 %, over groups of photos; null for too few.")]


class NamedRater(Record):
    """One rater who is named, against the majority of the others."""

    name: Annotated[str, about("As the table has it.")]
    rated: Annotated[int, about("Photos that the rater rated.")]
    photos: Annotated[int, about("Of these, photos on which most of the other raters chose one class.")]
    agrees: Annotated[
        float | None, about("Share of these on which the rater says what most of the others say; null without any.")
    ]
    interval: Annotated[Interval | None, about("Of `agrees`: 95 %, over groups of photos; null for too few.")]
    difference: Annotated[
        float | None,
        about(
            "How often the rater agrees with the others, pair by pair, less how often these agree with each other; "
            "null where no two others rated the same photo."
        ),
    ]
    verdict: Annotated[
        Verdict,
        about(
            "`worse` where the rater parts from the others by more than chance; corrected for the number of raters "
            "(Bonferroni)."
        ),
    ]


class Disputed(Record):
    """A photo on which raters part."""

    path: Annotated[str, about("Path inside the source.")]
    row: Annotated[int, about("Place in the manifest.")]
    votes: Annotated[dict[str, float], about("Class → votes, the most first; those without a vote are left out.")]


class Agreement(Record):
    """How far the raters agree with each other; photos without a majority count as well."""

    photos: Annotated[int, about("Photos with votes.")]
    unanimous: Annotated[int, about("Photos on which all of two or more raters agree.")]
    split: Annotated[int, about("Photos on which two or more do not.")]
    least_votes: Annotated[int, about("Votes that a photo has at least.")]
    most_votes: Annotated[int, about("Votes that a photo has at most.")]
    fleiss: Annotated[AgreementMeasure, about("Fleiss' kappa (1971).")]
    krippendorff: Annotated[AgreementMeasure, about("Krippendorff's alpha for nominal data.")]
    ceiling: Annotated[
        Scores,
        about(
            "Single votes against what most of the other raters say, as if one rater were a model; `images` are votes. "
            "Photos whose others have no majority, or one for no expression, are left out."
        ),
    ]
    pairs: Annotated[tuple[RaterPair, ...], about("Every two raters, where they are named.")]
    raters: Annotated[tuple[NamedRater, ...], about("Those who part most first; empty where they are not named.")]
    disputed: Annotated[
        tuple[Disputed, ...], about("Photos on which raters agree least, of the most votes first; 24 at most.")
    ]
    over: Annotated[Over, about("What the intervals are over.")]


class ShareOf(Record):
    """A share of photos."""

    images: Annotated[int, about("Photos.")]
    share: Annotated[float | None, about("Of right answers; null without photos.")]
    interval: Annotated[Interval | None, about("95 %, over groups; null for too few.")]


class BesideRaters(Record):
    """A model beside the raters, on photos of shared classes with a majority."""

    votes: Annotated[int, about("Votes whose photos' other raters have a majority for a shared class.")]
    rater: Annotated[
        ShareOf, about("One rater: the share of these votes that say what the majority of the others say.")
    ]
    model: Annotated[ShareOf, about("The model: how often it says what most of these others say.")]
    difference: Annotated[float | None, about("Model less rater.")]
    interval: Annotated[Interval | None, about("Of `difference`: 95 %, paired, over groups; null for too few.")]
    verdict: Annotated[Verdict, about("Whether the model is better or worse than one rater, or cannot be told.")]
    unanimous: Annotated[ShareOf, about("The model on photos on which all raters agree.")]
    split: Annotated[ShareOf, about("The model on photos on which they do not.")]
    against_each: Annotated[dict[str, ShareOf], about("Named rater → the share of the rater's labels that it says.")]
    log_loss: Annotated[
        float | None,
        about(
            "Mean of −Σ q ln p, in nats, with q the raters' shares of the shared classes and p the model's "
            "probabilities; null without probabilities."
        ),
    ]
    least_log_loss: Annotated[float | None, about("What it would be with the raters' shares as the answer.")]
    uniform_log_loss: Annotated[float | None, about("What it would be with the same probability for each.")]
    floor: Annotated[float, about("Probabilities below count as this.")]
    over: Annotated[Over, about("What the intervals are over.")]


class Raters(Record):
    """Several raters' say of photos."""

    agreement: Annotated[Agreement | None, about("Null where no photo has two whole votes, as with shares.")]
    model: Annotated[BesideRaters, about("The model beside them.")]
