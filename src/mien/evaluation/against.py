"""Two models on the same photos: which is better there, over people, or that these photos cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.components import connected_components
from mien.errors import ConfigError, ModelError, WorkFailedError
from mien.evaluation.predictions import over, photos_of_study, probabilities, test_predictions
from mien.labels import match_labels
from mien.metrics import paired_difference, score
from mien.models.artifact import model_path, open_model
from mien.results.commands import PairedResults
from mien.results.evaluation import PairedModel

__all__ = ["Answered", "compare_tests", "other_path", "paired_with"]


@dataclass(frozen=True)
class Answered:
    """What a model answered.

    Attributes:
        name: what the model was given as.
        labels: its classes in order.
        names: class of the photos → class of the model.
        predictions: in the order of the photos.
        seen: photos that it, or its backbone, was trained on.
        copies: photos that are copies of those that it was trained or selected on; None where these are not at hand.
        known: collections that it learnt from and that the photos are, certainly or likely, of.
    """

    name: str
    labels: tuple[str, ...]
    names: Mapping[str, str]
    predictions: pl.DataFrame
    seen: int = 0
    copies: int | None = None
    known: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether nothing says that it learnt from the photos."""
        return not (self.seen or self.copies or self.known)


def paired_with(model: Answered, other: Answered, family: int = 1) -> PairedModel | None:
    """Compare two models on the photos of the classes that both have; None where they share no such photo.

    There is no verdict where one of them learnt from the photos: its score there says nothing of others.

    Args:
        model: the model that is evaluated.
        other: another, which answered the same photos in the same order.
        family: how many others there are.
    """
    shared = [label for label in model.names if label in other.names]
    is_shared = pl.col("label").is_in(shared)
    own, theirs = model.predictions.filter(is_shared), other.predictions.filter(is_shared)
    if own.is_empty():
        return None
    meaning = _joined(shared, model.names, other.names)
    k = max(meaning.values()) + 2  # behind the classes, whatever else is answered
    y = np.array([meaning[label] for label in own["label"]], np.int64)
    first, second = (_answers(each, rows, meaning, k - 1) for each, rows in ((model, own), (other, theirs)))
    groups = own["split_group"].to_numpy()
    difference = paired_difference(y, first, second, k, groups=groups, family=family)
    every = [str(i) for i in range(k)]
    reached = [score(y, answers, every).macro_f1 for answers in (first, second)]
    assert reached[0] is not None
    assert reached[1] is not None
    return PairedModel(
        model=other.name,
        classes=tuple(" + ".join(label for label in shared if meaning[label] == i) for i in range(k - 1)),
        images=len(y),
        macro_f1=reached[0],
        macro_f1_other=reached[1],
        difference=difference.value,
        interval=difference.interval,
        verdict=difference.verdict if model.is_new and other.is_new else "cannot tell",
        over=over(own),
        is_new=model.is_new,
        other_seen_in_training=other.seen,
        other_near_copies=other.copies,
        other_known_collections=other.known,
        other_is_new=other.is_new,
    )


def other_path(name: str, model: Path) -> Path:
    """The file of another model.

    Raises:
        ConfigError: if it is the model itself.
        ModelError: if it is none.
    """
    path = model_path(name)
    if path.resolve() == model.resolve():
        raise ConfigError(f"--against {name}: that is the model itself; give another one")
    return path


def compare_tests(model: str, others: Sequence[str]) -> PairedResults:
    """Compare models of studies on the photos that both tested on, as they were answered then.

    Args:
        model: study or run folder.
        others: likewise.

    Raises:
        ConfigError: if one is compared with itself.
        ModelError: if one lies in no study.
        LabelError: if two share no class.
        WorkFailedError: if two tested no photo of a class that both have.
    """
    for name in others:
        other_path(name, model_path(model))
    first = _tested(model)
    return PairedResults(
        model=model,
        labels=first.labels,
        against=tuple(_both_tested(first, _tested(name), len(others)) for name in others),
    )


def _both_tested(model: Answered, other: Answered, family: int) -> PairedModel:
    """Two models on photos of the same content that both tested, under labels that mean the same."""
    names = match_labels(other.labels, model.labels).matched
    theirs = other.predictions.select("sha256", pl.col("label").alias("their_label"), pl.exclude("sha256", *_KEPT))
    own = model.predictions.join(theirs.select("sha256", "their_label"), on="sha256", maintain_order="left")
    meant = pl.col("label").replace_strict(names, default=None, return_dtype=pl.String)
    agreed = own.filter(meant == pl.col("their_label"))
    answers = agreed.select("sha256", *_KEPT).join(theirs.drop("their_label"), on="sha256", maintain_order="left")
    first = replace(model, names={label: label for label in names}, predictions=agreed)
    found = paired_with(first, replace(other, names=names, predictions=answers), family)
    if found is None:
        raise WorkFailedError(
            f"--against {other.name}: no photo was tested by both studies under the same class; give photos for both "
            f"to answer: mien evaluate {model.name} PHOTOS --against {other.name}"
        )
    return found


_KEPT = ("label", "split_group", "group_kind")
"""Columns of a table of predictions, beside the probabilities, that a comparison reads."""


def _tested(name: str) -> Answered:
    """What a study's model answered of its test photos, each content once."""
    path = model_path(name)
    own, tested = photos_of_study(path), test_predictions(path)
    if own is None or tested is None:
        raise ModelError(
            f"{name}: lies in no study with a test; give a study folder, or photos for both models to answer"
        )
    labels = open_model(path)[1].labels
    known = own.manifest.select("id", "sha256")
    rows = tested.join(known, on="id", maintain_order="left").unique("sha256", keep="first", maintain_order=True)
    if "group_kind" not in rows.columns:
        rows = rows.with_columns(pl.lit("groups").alias("group_kind"))
    return Answered(name, labels, {label: label for label in labels}, rows)


def _joined(shared: Sequence[str], first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, int]:
    """Class of the photos → number of the class that it counts as: those that either model takes for one are one."""
    links = [
        (i, j)
        for names in (first, second)
        for i, a in enumerate(shared)
        for j, b in enumerate(shared)
        if i < j and names[a] == names[b]
    ]
    component = connected_components(len(shared), np.array(links, np.int64).reshape(-1, 2))
    numbers = {int(each): n for n, each in enumerate(dict.fromkeys(component.tolist()))}
    return {label: numbers[int(each)] for label, each in zip(shared, component, strict=True)}


def _answers(model: Answered, rows: pl.DataFrame, meaning: Mapping[str, int], other: int) -> NDArray[np.int64]:
    """The answers (N,) by number of the class that they count as; ``other`` where they name none of these."""
    means = {model.names[label]: number for label, number in meaning.items()}
    number = np.array([means.get(label, other) for label in model.labels], np.int64)
    return np.asarray(number[probabilities(rows, model.labels).argmax(1)])
