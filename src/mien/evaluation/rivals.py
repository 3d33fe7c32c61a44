"""Other models that answer the same photos as what is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mien.data.sources.collection import Collection
from mien.data.tables.manifest import usable
from mien.data.tables.prepare import Prepared
from mien.errors import LabelError
from mien.evaluation.against import Answered
from mien.evaluation.elsewhere import near_copies
from mien.evaluation.familiar import familiar_collections, is_known
from mien.evaluation.predictions import photos_of_study, predict_rows
from mien.evaluation.shift import seen_in_training
from mien.labels import LabelChoices, LabelMap, match_labels
from mien.progress import Progress
from mien.recognizer import Recognizer

__all__ = ["Rival", "answered_by", "predict_photos", "rival"]


@dataclass(frozen=True)
class Rival:
    """Another model that answers the same photos.

    Attributes:
        name: what it was given as.
        label_maps: of each source, as far as this model has the class that a person meant.
        own: the photos of the study that it was made in; None where they are not at hand.
    """

    name: str
    recognizer: Recognizer
    label_maps: tuple[LabelMap, ...]
    own: Prepared | None


def rival(name: str, path: Path, sources: Sequence[Collection], choices: LabelChoices) -> Rival:
    """Open another model, and see that it shares a class with each source.

    Args:
        name: what it was given as.
        path: of its file.

    Raises:
        ModelError: if it is none.
        LabelError: if it shares no class with a source.
    """
    recognizer = Recognizer(path)
    own = {there: here for there, here in choices.classes.items() if here in recognizer.labels}
    known = LabelChoices(own, choices.drop)
    try:
        label_maps = tuple(match_labels(recognizer.labels, source.labels, known) for source in sources)
    except LabelError as error:
        raise LabelError(f"--against {name}: {error}") from error
    return Rival(name, recognizer, label_maps, photos_of_study(path))


def answered_by(rival: Rival, place: int, source: Collection, target: Prepared, progress: Progress) -> Answered:
    """What a rival answers of the photos of the source in this place, and how far it has met them."""
    labels, contract = rival.recognizer.labels, rival.recognizer.contract
    rows = usable(target.manifest)
    predictions = predict_photos(rival.recognizer, target, f"{source.name} with {rival.name}", progress)
    familiar = familiar_collections(contract, rows, target.pixels, source.names)
    known = tuple(each.name for each in familiar if is_known(each))
    copies = near_copies(rows, target, rival.own) if rival.own else None
    seen = seen_in_training(contract, rows)
    return Answered(rival.name, labels, rival.label_maps[place].matched, predictions, seen, copies, known)


def predict_photos(recognizer: Recognizer, target: Prepared, name: str, progress: Progress) -> pl.DataFrame:
    """What a model answers of the photos of a source that can be used, as a table of predictions."""
    rows = usable(target.manifest)
    with progress.step(f"predict {name}", len(rows), "photos") as advance:
        return predict_rows(recognizer, target.pixels, rows, advance)
