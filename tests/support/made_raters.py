"""What five raters say of the made study's photos, as results have it."""

from __future__ import annotations

from mien.metrics import Interval
from mien.results.raters import (
    Agreement,
    AgreementMeasure,
    BesideRaters,
    Disputed,
    NamedRater,
    RaterPair,
    Raters,
    ShareOf,
)
from mien.results.scores import Over, Scores

OVER = Over.counted(40, "people")


def made_raters(ceiling: Scores) -> Raters:
    """Raters who agree, but for one; the model is worse than one of them.

    Args:
        ceiling: stands for the scores of single votes.
    """
    agreement = Agreement(
        photos=120,
        unanimous=60,
        split=58,
        least_votes=1,
        most_votes=5,
        fleiss=AgreementMeasure(value=0.52, interval=Interval(0.45, 0.6), photos=118),
        krippendorff=AgreementMeasure(value=0.53, interval=Interval(0.46, 0.61), photos=118),
        ceiling=ceiling,
        pairs=(RaterPair(first="ann", second="eve", photos=90, kappa=0.1, interval=Interval(-0.1, 0.3)),),
        raters=(
            _rater("eve", 0.4, -0.35, "worse"),
            *(_rater(name, 0.8, 0.05, "cannot tell") for name in ("ann", "ben", "cem", "dee")),
        ),
        disputed=(Disputed(path="told/apart-7.png", row=7, votes={"happy": 2.0, "sad": 2.0, "fear": 1.0}),),
        over=OVER,
    )
    return Raters(agreement=agreement, model=_beside())


def _rater(name: str, agrees: float, difference: float, verdict: str) -> NamedRater:
    ends = Interval(agrees - 0.1, agrees + 0.1)
    return NamedRater(
        name=name,
        rated=110,
        photos=100,
        agrees=agrees,
        interval=ends,
        difference=difference,
        verdict=verdict,  # type: ignore[arg-type]  # one of three words
    )


def _beside() -> BesideRaters:
    def share(images: int, value: float) -> ShareOf:
        return ShareOf(images=images, share=value, interval=Interval(value - 0.05, value + 0.05))

    return BesideRaters(
        votes=400,
        rater=share(100, 0.75),
        model=share(100, 0.64),
        difference=-0.11,
        interval=Interval(-0.16, -0.06),
        verdict="worse",
        unanimous=share(50, 0.8),
        split=share(50, 0.45),
        against_each={"ann": share(90, 0.62), "eve": share(90, 0.31)},
        log_loss=0.93,
        least_log_loss=0.41,
        uniform_log_loss=1.1,
        floor=1e-4,
        over=OVER,
    )
