"""What ``mien score`` found of the made study's photos from elsewhere."""

from __future__ import annotations

from msgspec.structs import asdict, replace

from mien.results.commands import ScoreResults
from mien.results.scoring import AnswerCounts, ScoredTarget
from mien.results.study import StudyResults
from support.changed_studies import evaluated
from support.made_raters import made_raters


def answers_scored(results: StudyResults) -> ScoreResults:
    """The answers of a tool, of which some are lacking, to photos with votes."""
    target = evaluated(results).target
    counts = AnswerCounts(
        photos=100,
        answered=88,
        no_face=9,
        missing=3,
        without_face=2,
        several=1,
        elsewhere=4,
        first_elsewhere=("a.png", "b.png", "c.png"),
        by_name=True,
    )
    scored = ScoredTarget(
        **asdict(replace(target, near_copies=None, is_new=True, raters=made_raters(results.test))),
        answers=counts,
        answered=target.shared_limited,
        has_probabilities=True,
        unsaid=("fear",),
    )
    return ScoreResults(
        mien="0.0.test",
        answers="answers.csv",
        photos="photos",
        format="fer",
        in_percent=False,
        labels=results.labels,
        corrections=None,
        target=scored,
        answers_sha256="0" * 64,
    )
