"""The results of ``mien adapt``."""

from __future__ import annotations

from typing import Annotated

from mien.metrics import Interval, Verdict
from mien.results.document import Document
from mien.results.record import Record, about
from mien.results.scores import Over
from mien.settings.adapt import AdaptSettings
from mien.settings.ways import AS_IT_IS, WayToAdapt, way_called

__all__ = ["AdaptPaths", "AdaptResults", "LeftOut", "SideScores", "Way"]


class SideScores(Record):
    """Scores of one way of adapting, on the target or at home."""

    macro_f1: Annotated[float, about("Mean over the draws.")]
    accuracy: Annotated[float, about("Likewise.")]
    lowest: Annotated[float, about("Lowest macro-F1 of a draw.")]
    highest: Annotated[float, about("Highest.")]
    change: Annotated[float, about("Of macro-F1, from the model as it is.")]
    interval: Annotated[
        Interval | None, about("Of the change, over groups; holds for all ways together; null for too few groups.")
    ]
    verdict: Annotated[Verdict, about("By the interval.")]


class Way(Record):
    """One way of adapting."""

    way: Annotated[str, about("Its name.")]
    shots: Annotated[int, about("Labelled photos of each class that it learns from; 0: without labels.")]
    draws: Annotated[int, about("How often these were drawn.")]
    target: Annotated[SideScores, about("On the target.")]
    home: Annotated[SideScores, about("On the study's validation photos.")]

    @property
    def described(self) -> WayToAdapt:
        """What kind of way it is."""
        return way_called(self.way)

    @property
    def is_unchanged(self) -> bool:
        """Whether this is the model as it is."""
        return self.described == AS_IT_IS


class LeftOut(Record):
    """Photos of the target that take no part."""

    copies: Annotated[int, about("Copies of the study's photos.")]
    other_kind: Annotated[int, about("Face crops, or not, for which another head answers.")]


class AdaptPaths(Record):
    """Where things are."""

    run: Annotated[str, about("The folder.")]
    page: Annotated[str, about("The page.")]
    model: Annotated[str | None, about("The model that `--save` wrote.")] = None


class AdaptResults(Document, tag="adapt"):
    """What `mien adapt` found."""

    config: Annotated[AdaptSettings, about("What was asked for.")]
    labels: Annotated[tuple[str, ...], about("The classes in the model's order.")]
    recipe: Annotated[str, about("Of the model.")]
    target: Annotated[str, about("Name of the target.")]
    known_collections: Annotated[
        tuple[str, ...], about("Collections that helped to make the model and the target is part of, by name.")
    ]
    shared: Annotated[tuple[str, ...], about("Classes that both have; answers on the target are limited to them.")]
    pool: Annotated[dict[str, int], about("Class → photos of the target that may be learnt from.")]
    scored: Annotated[dict[str, int], about("Class → photos of the target that are only scored.")]
    home_images: Annotated[int, about("Validation photos of the study.")]
    target_over: Annotated[Over | None, about("What intervals on the target are over; null in results of before.")] = (
        None
    )
    home_over: Annotated[Over | None, about("Likewise at home.")] = None
    are_crops: Annotated[bool, about("Whether they are cropped to the face because the target's photos are.")]
    left_out: Annotated[LeftOut, about("Photos of the target that take no part.")]
    too_many_shots: Annotated[tuple[int, ...], about("Numbers of labelled photos that could not be had.")]
    ways: Annotated[tuple[Way, ...], about("The model as it is first.")]
    paths: Annotated[AdaptPaths, about("Where things are.")]
