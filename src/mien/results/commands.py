"""The results of ``mien audit``, ``mien evaluate`` and ``mien export``."""

from __future__ import annotations

from typing import Annotated

from mien.results.audit import CorrectionsRecord, ExaminedAudit
from mien.results.document import Document
from mien.results.evaluation import EvaluatedTarget, PairedModel
from mien.results.raters import Agreement
from mien.results.record import Record, about
from mien.results.scoring import ScoredTarget

__all__ = [
    "AuditPaths",
    "AuditResults",
    "AuditedData",
    "ClassMap",
    "ClassMapPaths",
    "ClassMapResults",
    "EvaluatePaths",
    "EvaluateResults",
    "ExportResults",
    "Kept",
    "Lost",
    "PairedResults",
    "ScoreResults",
]


class AuditPaths(Record):
    """Where things are."""

    findings: Annotated[str | None, about("The table that `--out` wrote.")]


class AuditedData(ExaminedAudit):
    """What the photos hold, and what the audit made of it."""

    corrections: Annotated[CorrectionsRecord | None, about("The table of decisions that was applied.")]
    findings: Annotated[int, about("Photos with a finding.")]
    agreement: Annotated[Agreement | None, about("How far raters agree; null where no photo has the votes of two.")] = (
        None
    )


class AuditResults(Document, tag="audit"):
    """What `mien audit` found."""

    data: Annotated[AuditedData, about("What the photos hold.")]
    paths: Annotated[AuditPaths, about("Where things are.")]


class EvaluatePaths(Record):
    """Where things are."""

    report: Annotated[str | None, about("The page that `--out` wrote.")] = None
    predictions: Annotated[
        tuple[str, ...],
        about("Tables of the answers to each set of photos, in the order of `targets`, each also as CSV beside it."),
    ] = ()


class EvaluateResults(Document, tag="evaluate"):
    """What `mien evaluate` found."""

    model: Annotated[str, about("What was given.")]
    labels: Annotated[tuple[str, ...], about("The classes in the model's order.")]
    corrections: Annotated[CorrectionsRecord | None, about("The table of decisions that was applied.")]
    target: Annotated[EvaluatedTarget, about("The first of `targets`.")]
    targets: Annotated[dict[str, EvaluatedTarget], about("What was given → its results.")]
    model_file: Annotated[str | None, about("Name of the file that answered; null in results of before.")] = None
    model_sha256: Annotated[
        str | None, about("Of that file up to its seal, as the seal has it; null in results of before.")
    ] = None
    date: Annotated[str | None, about("When `--out` was written, ISO 8601 in UTC; null where it was not.")] = None
    paths: Annotated[EvaluatePaths, about("Where things are.")] = EvaluatePaths()


class PairedResults(Document, tag="paired"):
    """What `mien evaluate --against` found without photos: two models on the photos that both studies tested on."""

    model: Annotated[str, about("What was given.")]
    labels: Annotated[tuple[str, ...], about("The classes in the model's order.")]
    against: Annotated[tuple[PairedModel, ...], about("One entry for each `--against`.")]


class ScoreResults(Document, tag="score"):
    """What `mien score` found."""

    answers: Annotated[str, about("The table that was given.")]
    photos: Annotated[str, about("The photos that were given.")]
    format: Annotated[str, about("Whose table it is: `mien`, `py-feat`, `DeepFace`, `fer`, or any `table`.")]
    in_percent: Annotated[bool, about("Whether its probabilities were in per cent.")]
    labels: Annotated[tuple[str, ...], about("The classes that it can answer.")]
    corrections: Annotated[CorrectionsRecord | None, about("The table of decisions that was applied.")]
    target: Annotated[ScoredTarget, about("What was found of the photos.")]
    answers_sha256: Annotated[str, about("Of the table.")]
    date: Annotated[str | None, about("When `--out` was written, ISO 8601 in UTC; null where it was not.")] = None
    paths: Annotated[EvaluatePaths, about("Where things are.")] = EvaluatePaths()


class ClassMap(Record):
    """Which class of the photos answers to which of the model."""

    classes: Annotated[dict[str, str], about("Class of the photos → class of the model.")]
    drop: Annotated[tuple[str, ...], about("Classes to leave out.")]
    unknown: Annotated[tuple[str, ...], about("Classes that the model does not know.")]


class ClassMapPaths(Record):
    """Where things are."""

    labels: Annotated[str, about("The class map that was written.")]


class ClassMapResults(Document, tag="class map"):
    """What `mien evaluate --write-class-map` wrote; nothing is scored."""

    model: Annotated[str, about("What was given.")]
    labels: Annotated[tuple[str, ...], about("The classes in the model's order.")]
    mapping: Annotated[ClassMap, about("The mapping as the file has it.")]
    paths: Annotated[ClassMapPaths, about("Where things are.")]


class Lost(Record):
    """What a smaller file costs, on the validation photos of the model's study."""

    images: Annotated[int, about("Photos.")]
    macro_f1_before: Annotated[float | None, about("Of the model.")]
    macro_f1: Annotated[float | None, about("Of the file that was written.")]
    same_label: Annotated[float, about("Share of photos with the same answer.")]
    largest_difference: Annotated[float, about("Of the logits.")]
    speed: Annotated[float, about("As a multiple of what it was.")]


class Kept(Record):
    """What a smaller file answers to drawn faces, where there are no photos."""

    images: Annotated[int, about("Drawn faces.")]
    same_label: Annotated[float, about("Share of them with the same answer.")]
    largest_difference: Annotated[float, about("Of the logits.")]
    speed: Annotated[float, about("As a multiple of what it was.")]


class ExportResults(Document, tag="export"):
    """What `mien export` wrote."""

    model: Annotated[str, about("The model file.")]
    out: Annotated[str, about("The file that was written.")]
    precision: Annotated[str, about("`fp32`, `fp16` or `int8`.")]
    bytes_before: Annotated[int, about("Size of the model, with the weights that lie in files beside it.")]
    bytes: Annotated[int, about("Size of the file that was written.")]
    validation: Annotated[Lost | None, about("Null where the photos of the study are not beside the model.")]
    drawn: Annotated[Kept | None, about("Null where there are such photos.")] = None
