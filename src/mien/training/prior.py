"""What a recogniser that comes with mien knows of a set's classes: where the recipe ``from-default`` starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mien.errors import ConfigError, WorkFailedError
from mien.labels import meanings
from mien.models.artifact import HASH_LENGTH, Contract, model_path, open_model, whole_model
from mien.models.export import linear_heads
from mien.settings.run import HeadRun, RunConfig
from mien.settings.training import HeadSettings
from mien.training.linear import Head

__all__ = ["Prior", "prior_of", "priors_of", "refuse_seen"]


@dataclass(frozen=True)
class Prior:
    """The heads of a recogniser for other classes.

    Attributes:
        contract: of the recogniser.
        head: for photos with a scene; rows of classes that it does not know are zero.
        face_head: for faces alone, over the same features.
    """

    contract: Contract
    head: Head
    face_head: Head

    def of_face(self, width: int) -> Head:
        """The face's head without the scene's features, the first ``width``."""
        weight, bias = self.face_head
        return weight[:, width:], bias


def prior_of(head: HeadSettings, labels: Sequence[str]) -> Prior | None:
    """What a head for these classes may start from; None where there is nothing, or where that was chosen.

    Raises:
        ConfigError: if the recogniser has none of the classes.
    """
    if head.prior is None or head.is_drawn is False:
        return None
    path = model_path(head.prior)
    contract, heads = open_model(path)[1], linear_heads(whole_model(path))
    places = _places(labels, contract.labels)
    if all(place is None for place in places):
        raise ConfigError(
            f"--recipe from-default: {head.prior} has none of the classes {', '.join(labels)}; give two-stream"
        )
    return Prior(contract, _chosen(heads["head"], places), _chosen(heads["face_head"], places))


def priors_of(runs: Iterable[RunConfig]) -> tuple[Contract, ...]:
    """The recognisers that heads of some runs may start from, each once."""
    names = dict.fromkeys(run.head.prior for run in runs if isinstance(run, HeadRun))
    return tuple(open_model(model_path(name))[1] for name in names if name)


def refuse_seen(runs: Iterable[RunConfig], photos: pl.DataFrame) -> None:
    """Refuse to start from a recogniser that learnt from the photos that it would then be scored on.

    Args:
        photos: of the manifest.

    Raises:
        WorkFailedError: if there is one.
    """
    hashes = photos["sha256"].drop_nulls().str.slice(0, HASH_LENGTH)
    for run in runs:
        if not isinstance(run, HeadRun) or run.head.prior is None:
            continue
        known = open_model(model_path(run.head.prior))[1].training_hashes
        seen = int(hashes.is_in(list(known)).sum())
        if seen:
            raise WorkFailedError(
                f"--recipe {run.recipe}: {run.head.prior} learnt from {seen} of these {len(hashes)} photos, so that "
                "scores would be too high; leave this recipe out"
            )


def _places(labels: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """Which of the known classes each label means."""
    place = {meaning: known.index(label) for label, meaning in meanings(known).items()}
    return [place.get(meaning) for meaning in meanings(labels).values()]


def _chosen(head: Head, places: Sequence[int | None]) -> Head:
    weight, bias = head
    made = np.zeros((len(places), weight.shape[1]), np.float32), np.zeros(len(places), np.float32)
    for row, place in enumerate(places):
        if place is not None:
            made[0][row], made[1][row] = weight[place], bias[place]
    return made
