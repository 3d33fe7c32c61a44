"""Score the answers of any tool on labelled photos, as a model is scored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from mien.data.answers.matching import Matched, match_answers
from mien.data.answers.tables import AnswerTable, checksum_of_answers, is_answers, read_answers
from mien.data.grouping.splits import as_target
from mien.data.sources.collection import Collection, open_each
from mien.data.sources.files import existing_path
from mien.data.sources.sliced import check_sliced
from mien.data.tables.class_map import check_named, write_class_map
from mien.data.tables.corrections import Corrections
from mien.data.tables.counts import count_audit
from mien.data.tables.manifest import usable
from mien.data.tables.prepare import Prepared, prepare
from mien.errors import AnswersError, LabelError, SourceError
from mien.evaluation.against import Answered, paired_with
from mien.evaluation.enough import good_enough, group_scores, unknown_classes
from mien.evaluation.mistakes import confident_mistakes, error_rates
from mien.evaluation.predictions import as_predictions, over, score_rows
from mien.evaluation.raters import measure_raters
from mien.evaluation.rivals import Rival, answered_by, rival
from mien.evaluation.shift import score_target
from mien.evaluation.slices import measure_slices
from mien.evaluation.sureness import calibration_of
from mien.labels import NOTHING_CHOSEN, LabelChoices, LabelMap, canonical, match_labels, usual_choices
from mien.models.artifact import model_path
from mien.progress import Progress
from mien.results.behaviour import Sureness
from mien.results.commands import ClassMap, ClassMapPaths, ClassMapResults, ScoreResults
from mien.results.scoring import AnswerCounts, ScoredTarget
from mien.settings.columns import Columns
from mien.settings.score import AnswerColumns

__all__ = ["NO_ANSWER", "Scoring", "score_answers", "write_answer_mapping"]

NO_ANSWER = "no answer"
"""The answer to a photo that was not answered, which is always wrong."""
MOST_NAMED = 3


ANY_COLUMNS, USUAL_COLUMNS = Columns(), AnswerColumns()


@dataclass(frozen=True)
class Scoring:
    """How answers and photos are read and scored.

    Attributes:
        columns: how the photos are read.
        answer_columns: which columns of the answers say what.
        corrections: of the photos.
        choices: what a person decided of the photos' classes.
        slices: columns by which scores are looked at apart.
        against: other tables of answers, or models.
    """

    columns: Columns = ANY_COLUMNS
    answer_columns: AnswerColumns = USUAL_COLUMNS
    corrections: Corrections | None = None
    choices: LabelChoices = NOTHING_CHOSEN
    slices: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Answers:
    """A table of answers with the classes that it can answer.

    Attributes:
        labels: its classes; where it has labels alone, those of the photos that it never names as well.
        unsaid: these.
        label_map: how the photos' classes answer to them.
    """

    table: AnswerTable
    labels: tuple[str, ...]
    unsaid: tuple[str, ...]
    label_map: LabelMap


@dataclass(frozen=True)
class _Said:
    """The answers to a source as a table of predictions, and its classes, ``NO_ANSWER`` among them where it occurs."""

    source: Collection
    predictions: pl.DataFrame
    labels: tuple[str, ...]


def write_answer_mapping(answers: str, photos: str, path: Path, options: Scoring) -> ClassMapResults:
    """Write how the photos' classes are matched to those of the answers as a file to edit; nothing is scored.

    Raises:
        OutputError: if the file exists or cannot be written.
    """
    source = open_each([photos], options.columns)[0]
    labels = read_answers(answers, source.labels, options.answer_columns).labels
    choices = usual_choices(labels, source.labels)
    write_class_map(path, labels, choices)
    return ClassMapResults(
        model=answers,
        labels=labels,
        mapping=ClassMap(classes=choices.classes, drop=choices.drop, unknown=choices.unknown),
        paths=ClassMapPaths(labels=str(path)),
    )


def score_answers(
    answers: str,
    photos: str,
    *,
    options: Scoring,
    progress: Progress,
    keep: Callable[[pl.DataFrame], None] = lambda _: None,
) -> ScoreResults:
    """Score a table of answers on labelled photos; all of it is checked before a photo is read.

    Args:
        answers: the table.
        photos: a labelled source.
        keep: is given the answers as a table of predictions.

    Raises:
        AnswersError: if the table cannot be read, or is of other photos.
        LabelError: if answers and photos share no class.
        SourceError: if the photos cannot be read, or a column to slice by is not there.
        ModelError: if what is compared with is neither answers nor a model.
    """
    source = _photos(photos, answers, options)
    check_sliced([source.sources], options.slices)
    check_named(options.choices, source.labels)
    own = _read(answers, source, options)
    rivals = [_rival(name, answers, source, options) for name in dict.fromkeys(options.against)]
    order = _order(answers, photos, options)
    for note in (*own.table.notes, *([order] if order else [])):
        progress.tell(note)
    views = [view for each in rivals if isinstance(each, Rival) for view in each.recognizer.contract.views]
    read = prepare([source], views, None, corrections=options.corrections, progress=progress)
    target = replace(read, manifest=as_target(read.manifest))
    rows = usable(target.manifest)
    matched = _matched(own, target, source)
    said = _Said(source, *_predictions(own, matched, rows))
    keep(said.predictions)
    scored = _scored(own, matched, said, target, options)
    first = Answered(answers, said.labels, scored.labels.matched, said.predictions)
    against = [_answered(each, source, target, progress) for each in rivals]
    paired = [paired_with(first, other, len(against)) for other in against]
    return ScoreResults(
        answers=answers,
        photos=photos,
        format=own.table.format,
        in_percent=own.table.in_percent,
        labels=own.labels,
        corrections=options.corrections.record if options.corrections else None,
        target=msgspec.structs.replace(scored, against=tuple(each for each in paired if each is not None)),
        answers_sha256=checksum_of_answers(answers),
    )


def _photos(photos: str, answers: str, options: Scoring) -> Collection:
    """The labelled photos.

    Raises:
        AnswersError: if they were given in the place of the answers.
        SourceError: if they cannot be read.
    """
    place = existing_path(answers)
    try:
        source = open_each([photos], options.columns)[0]
        if place is None or not place.is_dir() or not _fit(photos, answers):
            return source
    except SourceError:
        if not _fit(photos, answers):
            raise
    raise AnswersError(
        f"{photos}: answers, where labelled photos were expected, and {answers} are photos; answers come first, as in: "
        f"mien score {photos} {answers}"
    )


def _order(answers: str, photos: str, options: Scoring) -> str | None:
    """Which table is read as what, where the other way round would do as well and nobody named a column."""
    is_asked = (options.columns, options.answer_columns) != (ANY_COLUMNS, USUAL_COLUMNS)
    if is_asked or not is_answers(photos) or _is_same(answers, photos) or not _fit(photos, answers):
        return None
    return f"{answers} is read as the answers and {photos} as the labels, though it could be the other way round"


def _fit(answers: str, photos: str) -> bool:
    """Whether they can be read as answers and as photos of the same classes."""
    with suppress(AnswersError, SourceError):
        table = read_answers(answers, labels := open_each([photos], ANY_COLUMNS)[0].labels)
        return bool({*map(canonical, table.labels)} & {*map(canonical, labels)})
    return False


def _read(spec: str, source: Collection, options: Scoring) -> _Answers:
    """A table of answers, and how its classes and the photos' go together."""
    choices = options.choices
    table = read_answers(spec, (*source.labels, *choices.classes.values()), options.answer_columns)
    _check_not_truth(table, source)
    label_map = match_labels(table.labels, source.labels, choices)
    if table.probs is not None:
        return _Answers(table, table.labels, (), label_map)
    unsaid = tuple(label for label in label_map.extra if label not in choices.unknown)
    labels = (*table.labels, *unsaid)
    return _Answers(table, labels, unsaid, match_labels(labels, source.labels, choices))


def _check_not_truth(table: AnswerTable, source: Collection) -> None:
    """Refuse answers that are the photos' own labels, where one table has both.

    Raises:
        AnswersError: if the answer is read from what the labels are read from.
    """
    if not _is_same(table.spec, source.spec.partition("::")[0]):
        return
    truth = source.sources[0].roles.get("label")
    if truth is None or truth == table.label_column:
        which = f"the column {truth!r}" if truth else "its columns of classes"
        raise AnswersError(
            f"{table.spec}: {which} would be both the labels and the answers; say which column is which with "
            "--label-column and --answer-label"
        )


def _rival(name: str, answers: str, source: Collection, options: Scoring) -> Rival | _Answers:
    """Other answers, or a model.

    Raises:
        AnswersError: if they are the answers themselves, or no table.
        LabelError: if they share no class with the photos.
        ModelError: if it is neither a table of answers nor a model.
    """
    if not is_answers(name):
        return rival(name, model_path(name), [source], options.choices)
    if _is_same(name, answers):
        raise AnswersError(f"--against {name}: these are the answers themselves; give others")
    table_labels = read_answers(name, source.labels, options.answer_columns).labels
    classes = {there: here for there, here in options.choices.classes.items() if here in table_labels}
    known = replace(options.choices, classes=classes)
    try:
        return _read(name, source, replace(options, choices=known))
    except LabelError as error:
        raise LabelError(f"--against {name}: {error}") from error


def _is_same(first: str, second: str) -> bool:
    one, other = existing_path(first), existing_path(second)
    return one is not None and other is not None and one.samefile(other)


def _answered(each: Rival | _Answers, source: Collection, target: Prepared, progress: Progress) -> Answered:
    """What a rival answered, in the order of the photos."""
    if isinstance(each, Rival):
        return answered_by(each, 0, source, target, progress)
    predictions, labels = _predictions(each, _matched(each, target, source), usable(target.manifest))
    return Answered(each.table.spec, labels, each.label_map.matched, predictions)


def _matched(own: _Answers, target: Prepared, source: Collection) -> Matched:
    unused = target.manifest.filter(pl.col("status") != "ok")["path"].to_list()
    return match_answers(own.table, usable(target.manifest), source, unused)


def _predictions(own: _Answers, matched: Matched, rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The answers as a table of predictions with its classes, ``NO_ANSWER`` among them where a photo has none."""
    lacks = matched.answers < 0
    probs = np.zeros((len(rows), len(own.labels) + 1))
    if matched.probs is not None:
        probs[:, :-1] = matched.probs
    else:
        probs[~lacks, matched.answers[~lacks]] = 1.0
    probs[lacks, -1] = 1.0
    if lacks.any():
        labels = (*own.labels, NO_ANSWER)
        return as_predictions(rows, probs, labels), labels
    return as_predictions(rows, probs[:, :-1], own.labels), own.labels


def _scored(own: _Answers, matched: Matched, said: _Said, target: Prepared, options: Scoring) -> ScoredTarget:
    predictions, labels = said.predictions, said.labels
    has_probs, manifest = own.table.probs is not None, target.manifest
    scores = score_target(predictions, labels, None, own.label_map, NO_ANSWER)
    if not has_probs:
        scores = msgspec.structs.replace(scores, shared_limited=scores.shared)
    names = scores.labels.matched
    answered = predictions.filter(pl.Series(matched.answers >= 0))
    in_shared = answered.filter(pl.col("label").is_in(list(names)))
    return ScoredTarget(
        **msgspec.structs.asdict(scores),
        data=count_audit(said.source, manifest),
        seen_in_training=0,
        near_copies=None,
        known_collections=(),
        is_new=True,
        good_enough=good_enough(scores.shared, is_new=True),
        causes=None,
        drift=None,
        confusion_changes=None,
        sureness=calibration_of(answered, labels, names) if has_probs else _no_sureness(answered),
        mistakes=confident_mistakes(answered, labels, names) if has_probs else (),
        error_rates=error_rates(predictions, manifest, labels, names),
        raters=measure_raters(manifest, predictions, labels, names, has_probabilities=has_probs),
        slices=measure_slices(predictions, manifest, labels, options.slices, names),
        unknown=unknown_classes(labels, predictions, scores.labels.extra, None),
        groups=group_scores(usable(manifest), predictions, labels, names),
        answers=_counts(matched),
        answered=score_rows(in_shared, own.labels, names=names),
        has_probabilities=has_probs,
        unsaid=tuple(label for label in own.unsaid if label in names),
    )


def _no_sureness(answered: pl.DataFrame) -> Sureness:
    """What is known of the sureness of answers without probabilities."""
    return Sureness(images=0, ece=None, reliability=(), risk_coverage=None, promise=None, over=over(answered))


def _counts(matched: Matched) -> AnswerCounts:
    has_answer = matched.answers >= 0
    return AnswerCounts(
        photos=len(has_answer),
        answered=int(has_answer.sum()),
        no_face=int((matched.has_row & ~has_answer).sum()),
        missing=int((~matched.has_row).sum()),
        without_face=int((has_answer & matched.without_face).sum()),
        several=matched.several,
        elsewhere=len(matched.elsewhere),
        first_elsewhere=matched.elsewhere[:MOST_NAMED],
        by_name=matched.by_name,
    )
