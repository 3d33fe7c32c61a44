"""What a study with folds found: every photo held out once, fold by fold and together."""

from __future__ import annotations

from typing import Annotated

from mien.results.record import Record, about
from mien.results.scores import Scores
from mien.settings.division import Folds

__all__ = ["CrossValidated", "Fold"]


class Fold(Record):
    """One fold: photos that were held out together, and how they were answered."""

    fold: Annotated[int, about("Its number, from 1, as in `predictions.parquet`.")]
    groups: Annotated[int, about("The user's groups in it; 0 where there are none.")]
    group: Annotated[str | None, about("The group that it is; null where it holds several or none.")]
    images: Annotated[int, about("Photos held out.")]
    train: Annotated[int, about("Photos that its models learnt from.")]
    val: Annotated[int, about("Photos that its recipe was chosen by.")]
    selected: Annotated[str, about("The recipe with the highest macro-F1 on its validation photos.")]
    macro_f1: Annotated[
        float, about("Of the selected recipe on the photos held out, over the classes that these show.")
    ]
    accuracy: Annotated[float, about("Likewise.")]
    recipes: Annotated[dict[str, float], about("Recipe → macro-F1 on the photos held out.")]


class CrossValidated(Record):
    """Every photo answered once, by a model that never saw its group."""

    asked: Annotated[Folds, about("The number of folds, or `group` for each group left out once.")]
    folds: Annotated[tuple[Fold, ...], about("In the order of their numbers.")]
    pooled: Annotated[
        Scores,
        about("All photos, each answered by the recipe that its fold selected without it: the score to expect."),
    ]
    joined: Annotated[int, about("Groups that copies join to another, and that are therefore held out with it.")]

    @property
    def selected(self) -> dict[str, int]:
        """Recipe → folds that selected it, the most frequent first."""
        names = [fold.selected for fold in self.folds]
        return {name: names.count(name) for name in sorted(set(names), key=lambda name: (-names.count(name), name))}

    @property
    def worst(self) -> Fold:
        """The fold with the lowest accuracy."""
        return min(self.folds, key=lambda fold: fold.accuracy)

    @property
    def best(self) -> Fold:
        """The fold with the highest accuracy."""
        return max(self.folds, key=lambda fold: fold.accuracy)
