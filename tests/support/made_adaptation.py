"""An adaptation that was made up rather than measured."""

from __future__ import annotations

from mien.metrics import Interval
from mien.results.adaptation import AdaptPaths, AdaptResults, LeftOut, SideScores, Way
from mien.settings.adapt import AdaptSettings
from mien.settings.ways import WAYS_TO_ADAPT


def adapted() -> AdaptResults:
    """Every way, each a little worse than what was before."""

    def side(change: float) -> SideScores:
        interval, score = Interval(change - 0.12, change + 0.13), 0.5 + change
        scores = {"macro_f1": score, "accuracy": score, "lowest": score - 0.01, "highest": score + 0.01}
        return SideScores(**scores, change=change, interval=interval, verdict="cannot tell")

    return AdaptResults(
        mien="0.0.test",
        config=AdaptSettings(model="study", target="elsewhere"),
        labels=("a", "b", "c"),
        recipe="probe",
        target="elsewhere",
        known_collections=("elsewhere",),
        shared=("a", "b"),
        pool={"a": 20, "b": 20},
        scored={"a": 20, "b": 20},
        home_images=40,
        are_crops=False,
        left_out=LeftOut(copies=3, other_kind=2),
        too_many_shots=(500,),
        ways=tuple(
            Way(way=way.name, shots=20 * way.takes_labels, draws=3, target=side(0.01 * i), home=side(-0.02 * i))
            for i, way in enumerate(WAYS_TO_ADAPT)
        ),
        paths=AdaptPaths(run="x", page="x/adapt.html"),
    )
