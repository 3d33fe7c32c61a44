"""What ``mien evaluate`` says of photos beyond what a study says of its target: is the model good enough for them?"""

from __future__ import annotations

from typing import Annotated

from mien.metrics import Interval, Verdict
from mien.results.behaviour import Promise
from mien.results.record import Record, about
from mien.results.scores import GroupKind, Over
from mien.results.target import TargetResults

__all__ = ["EvaluatedTarget", "GroupScore", "GroupScores", "PairedModel", "UnknownClass"]


class UnknownClass(Record):
    """Photos of a class that the model does not know."""

    label: Annotated[str, about("Class of the target.")]
    images: Annotated[int, about("Its photos.")]
    answers: Annotated[dict[str, int], about("What they were called → how many, the most frequent first.")]
    sure: Annotated[int | None, about("Answers sure enough for the promise; null without one.")]


class GroupScore(Record):
    """How one person, or another group, fares."""

    group: Annotated[str, about("Its name, behind that of the source where there are several.")]
    images: Annotated[int, about("Its photos of shared classes.")]
    right: Annotated[int, about("Right answers among them.")]
    interval: Annotated[
        Interval | None, about("Of their share: 95 %, over pictures and their copies; null where these are too few.")
    ]


class GroupScores(Record):
    """How much the share of right answers differs between people, or other groups that were named."""

    kind: Annotated[GroupKind, about("What the groups are.")]
    number: Annotated[int, about("Groups that have `least_images` or more.")]
    of: Annotated[int, about("All of them.")]
    least_images: Annotated[int, about("Photos of shared classes that a group must have to be looked at by itself.")]
    quartiles: Annotated[tuple[float, float, float], about("Of the groups' shares of right answers.")]
    spread: Annotated[
        float,
        about("Standard deviation of the groups' true shares: what is left of that seen, less what chance explains."),
    ]
    p: Annotated[float, about("Of no difference between the groups (Pearson's chi-squared of right and wrong).")]
    differ: Annotated[bool, about("Whether `p` is below 0.05.")]
    worst: Annotated[tuple[GroupScore, ...], about("The lowest shares, lowest first; three at most.")]
    best: Annotated[tuple[GroupScore, ...], about("The highest, highest first; three at most.")]


class PairedModel(Record):
    """The model against another on the same photos; a positive difference speaks for the model that is evaluated."""

    model: Annotated[str, about("The other, as `--against` named it.")]
    classes: Annotated[tuple[str, ...], about("Classes of the target that both have; those merged by either are one.")]
    images: Annotated[int, about("Photos of these classes, which both answered; any answer was allowed.")]
    macro_f1: Annotated[float, about("Of the model that is evaluated.")]
    macro_f1_other: Annotated[float, about("Of the other.")]
    difference: Annotated[float, about("First less second.")]
    interval: Annotated[
        Interval | None,
        about(
            "Of the difference: 95 %, paired, over the groups of `over`; those of several others hold together "
            "(Bonferroni)."
        ),
    ]
    verdict: Annotated[
        Verdict,
        about(
            "`better` or `worse` where the interval leaves out 0 and both `is_new` and `other_is_new` are true, else "
            "`cannot tell`."
        ),
    ]
    over: Annotated[Over, about("What the interval is over.")]
    other_seen_in_training: Annotated[int, about("Photos that the other model, or its backbone, was trained on.")]
    other_known_collections: Annotated[
        tuple[str, ...], about("Collections that it learnt from and the photos are, certainly or likely, from.")
    ]
    other_is_new: Annotated[bool, about("Whether the photos are new to it, as far as the other `other_` fields tell.")]
    other_near_copies: Annotated[
        int | None,
        about("Copies of photos that it was trained or selected on; null of a model that lies in no study."),
    ] = None
    is_new: Annotated[bool, about("Whether the photos are new to the model that is evaluated.")] = True


class EvaluatedTarget(TargetResults):
    """Everything that is known of a model on one set of photos."""

    unknown: Annotated[
        tuple[UnknownClass, ...], about("Classes that the model does not know, the most frequent first.")
    ] = ()
    promise_of_all: Annotated[
        Promise | None,
        about(
            "The promise of `sureness` on all photos, where those of classes that it does not know are always wrong."
        ),
    ] = None
    groups: Annotated[GroupScores | None, about("Null where fewer than two groups are named and large enough.")] = None
    against: Annotated[tuple[PairedModel, ...], about("One entry for each `--against`.")] = ()
