"""Score a finished model on labelled photos that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import polars as pl

from mien.data.grouping.splits import as_target
from mien.data.sources.collection import Collection, open_each
from mien.data.sources.sliced import check_sliced
from mien.data.tables.class_map import check_named, write_class_map
from mien.data.tables.corrections import Corrections
from mien.data.tables.manifest import usable
from mien.data.tables.prepare import Prepared, prepare
from mien.evaluation.against import Answered, other_path, paired_with
from mien.evaluation.elsewhere import describe_target
from mien.evaluation.enough import group_scores, promise_of_all, unknown_classes
from mien.evaluation.predictions import photos_of_study, score_rows, test_predictions
from mien.evaluation.rivals import Rival, answered_by, predict_photos, rival
from mien.evaluation.shift import score_target
from mien.labels import NOTHING_CHOSEN, LabelChoices, match_labels, usual_choices
from mien.models.artifact import model_path
from mien.models.seal import checksum_of
from mien.progress import Progress
from mien.recognizer import Recognizer
from mien.results.commands import ClassMap, ClassMapPaths, ClassMapResults, EvaluateResults
from mien.results.evaluation import EvaluatedTarget, PairedModel
from mien.results.target import TargetResults
from mien.settings.columns import Columns

__all__ = ["Evaluation", "evaluate", "write_mapping"]


@dataclass(frozen=True)
class Evaluation:
    """How photos are read and scored.

    Attributes:
        columns: which columns of tables say what.
        corrections: of the one source there is.
        choices: what a person decided of the targets' classes.
        slices: columns by which scores are looked at apart; each must be in one of the sources.
        against: other models that answer the same photos.
    """

    columns: Columns
    corrections: Corrections | None = None
    choices: LabelChoices = NOTHING_CHOSEN
    slices: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


def write_mapping(model: str, specs: Sequence[str], path: Path, columns: Columns) -> ClassMapResults:
    """Write how the targets' classes are matched to the model's as a file to edit; nothing is scored.

    Raises:
        OutputError: if the file exists or cannot be written.
    """
    labels = Recognizer(model_path(model)).labels
    choices = usual_choices(labels, _labels(open_each(specs, columns)))
    write_class_map(path, labels, choices)
    return ClassMapResults(
        model=model,
        labels=labels,
        mapping=ClassMap(classes=choices.classes, drop=choices.drop, unknown=choices.unknown),
        paths=ClassMapPaths(labels=str(path)),
    )


def evaluate(
    model: str,
    specs: Sequence[str],
    folder: Path | None,
    *,
    options: Evaluation,
    progress: Progress,
    keep: Callable[[pl.DataFrame], None] = lambda _: None,
) -> EvaluateResults:
    """Score a model on labelled sources.

    Args:
        model: run folder, study folder or model file.
        specs: labelled sources; all are checked before the first is read.
        folder: an empty folder that keeps the decoded photos; None keeps them nowhere.
        keep: is given the predictions of each source, in their order.

    Raises:
        ModelError: if the model is none.
        LabelError: if a source shares no class with it.
        SourceError: if a column to slice by is nowhere, or cannot be.
    """
    path = model_path(model)
    recognizer, own = Recognizer(path), photos_of_study(path)
    answered = test_predictions(path)
    test = None if answered is None else score_rows(answered, recognizer.labels)
    sources = open_each(specs, options.columns)
    check_sliced([source.sources for source in sources], options.slices)
    check_named(options.choices, _labels(sources))
    label_maps = [match_labels(recognizer.labels, source.labels, options.choices) for source in sources]
    rivals = [rival(name, other_path(name, path), sources, options.choices) for name in dict.fromkeys(options.against)]
    targets = {}
    for i, (source, label_map) in enumerate(zip(sources, label_maps, strict=True)):
        every = [recognizer, *(each.recognizer for each in rivals)]
        target = _read(every, source, folder and folder / str(i), options, progress)
        predictions = predict_photos(recognizer, target, source.name, progress)
        keep(predictions)
        scored = score_target(predictions, recognizer.labels, test, label_map)
        described = describe_target(
            scored,
            recognizer,
            predictions,
            test=answered,
            collection=source,
            target=target,
            own=own,
            slices=options.slices,
        )
        first = _answered(model, recognizer, predictions, described)
        against = _against(first, rivals, i, source, target, progress)
        targets[source.spec] = _judged(described, recognizer, predictions, target, against)
    return EvaluateResults(
        model=model,
        labels=recognizer.labels,
        corrections=options.corrections.record if options.corrections else None,
        target=targets[sources[0].spec],
        targets=targets,
        model_file=path.name,
        model_sha256=checksum_of(path),
    )


def _answered(model: str, recognizer: Recognizer, predictions: pl.DataFrame, target: TargetResults) -> Answered:
    """What the model answered, and how far it has met the photos."""
    met = target.seen_in_training, target.near_copies, target.known_collections
    return Answered(model, recognizer.labels, target.labels.matched, predictions, *met)


def _judged(
    target: TargetResults,
    recognizer: Recognizer,
    predictions: pl.DataFrame,
    read: Prepared,
    against: tuple[PairedModel, ...],
) -> EvaluatedTarget:
    """What was found of a target, and whether the model is good enough for it."""
    names, extra, contract = target.labels.matched, target.labels.extra, recognizer.contract
    return EvaluatedTarget(
        **msgspec.structs.asdict(target),
        unknown=unknown_classes(contract.labels, predictions, extra, target.sureness.promise),
        promise_of_all=promise_of_all(contract, predictions, names, extra, is_new=target.is_new) if extra else None,
        groups=group_scores(usable(read.manifest), predictions, contract.labels, names),
        against=against,
    )


def _against(
    model: Answered, rivals: Sequence[Rival], place: int, source: Collection, target: Prepared, progress: Progress
) -> tuple[PairedModel, ...]:
    """The model against each rival on the same photos, those of the source in this place."""
    found = [paired_with(model, answered_by(rival, place, source, target, progress), len(rivals)) for rival in rivals]
    return tuple(each for each in found if each is not None)


def _labels(sources: Sequence[Collection]) -> list[str]:
    """The classes of all sources, each once."""
    return list(dict.fromkeys(label for source in sources for label in source.labels))


def _read(
    models: Sequence[Recognizer], source: Collection, folder: Path | None, options: Evaluation, progress: Progress
) -> Prepared:
    views = [view for model in models for view in model.contract.views]
    read = prepare([source], views, folder, corrections=options.corrections, progress=progress)
    return replace(read, manifest=as_target(read.manifest))
