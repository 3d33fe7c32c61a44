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
from mien.errors import LabelError
from mien.evaluation.against import Answered, other_path, paired_with
from mien.evaluation.elsewhere import describe_target, near_copies
from mien.evaluation.enough import group_scores, promise_of_all, unknown_classes
from mien.evaluation.familiar import familiar_collections, is_known
from mien.evaluation.predictions import photos_of_study, predict_rows, score_rows, test_predictions
from mien.evaluation.shift import score_target, seen_in_training
from mien.labels import NOTHING_CHOSEN, LabelChoices, LabelMap, match_labels, usual_choices
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
    rivals = [_rival(name, path, sources, options.choices) for name in dict.fromkeys(options.against)]
    targets = {}
    for i, (source, label_map) in enumerate(zip(sources, label_maps, strict=True)):
        every = [recognizer, *(rival.recognizer for rival in rivals)]
        target = _read(every, source, folder and folder / str(i), options, progress)
        predictions = _predict(recognizer, target, source.name, progress)
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
        unknown=unknown_classes(contract, predictions, extra, target.sureness.promise),
        promise_of_all=promise_of_all(contract, predictions, names, extra, is_new=target.is_new) if extra else None,
        groups=group_scores(usable(read.manifest), predictions, contract.labels, names),
        against=against,
    )


@dataclass(frozen=True)
class _Rival:
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


def _rival(name: str, model: Path, sources: Sequence[Collection], choices: LabelChoices) -> _Rival:
    """Open another model, and see that it shares a class with each source.

    Raises:
        ConfigError: if it is the model itself.
        ModelError: if it is none.
        LabelError: if it shares no class with a source.
    """
    path = other_path(name, model)
    recognizer = Recognizer(path)
    own = {there: here for there, here in choices.classes.items() if here in recognizer.labels}
    known = LabelChoices(own, choices.drop)
    try:
        label_maps = tuple(match_labels(recognizer.labels, source.labels, known) for source in sources)
    except LabelError as error:
        raise LabelError(f"--against {name}: {error}") from error
    return _Rival(name, recognizer, label_maps, photos_of_study(path))


def _against(
    model: Answered, rivals: Sequence[_Rival], place: int, source: Collection, target: Prepared, progress: Progress
) -> tuple[PairedModel, ...]:
    """The model against each rival on the same photos, those of the source in this place."""
    found = []
    for rival in rivals:
        labels, contract = rival.recognizer.labels, rival.recognizer.contract
        rows = usable(target.manifest)
        names = rival.label_maps[place].matched
        predictions = _predict(rival.recognizer, target, f"{source.name} with {rival.name}", progress)
        familiar = familiar_collections(contract, rows, target.pixels, source.names)
        known = tuple(each.name for each in familiar if is_known(each))
        copies = near_copies(rows, target, rival.own) if rival.own else None
        seen = seen_in_training(contract, rows)
        other = Answered(rival.name, labels, names, predictions, seen, copies, known)
        found.append(paired_with(model, other, len(rivals)))
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


def _predict(recognizer: Recognizer, target: Prepared, name: str, progress: Progress) -> pl.DataFrame:
    rows = usable(target.manifest)
    with progress.step(f"predict {name}", len(rows), "photos") as advance:
        return predict_rows(recognizer, target.pixels, rows, advance)
