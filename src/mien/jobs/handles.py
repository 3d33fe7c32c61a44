"""What Python callers get back: results, tables, the model and the page of what a command did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import polars as pl

from mien.data.sources.files import OWN, ROW
from mien.errors import ConfigError, ResultsError, said_in_python
from mien.evaluation.predictions import read_predictions
from mien.extras import extra
from mien.python_words import in_python
from mien.recognizer import Recognizer
from mien.results.adaptation import AdaptResults
from mien.results.commands import AuditResults, EvaluateResults, ScoreResults
from mien.results.comparison import CompareResults
from mien.results.document import Document
from mien.results.file_names import MODEL_CARD
from mien.results.reading import open_results
from mien.results.scores import Scores
from mien.results.scoring import ScoredTarget
from mien.results.slices import Slices
from mien.results.study import StudyResults
from mien.results.target import TargetResults
from mien.system.files import regular
from mien.system.paths import user_path
from mien.telling.notebook.summaries import (
    adaptation_box,
    audit_box,
    comparison_box,
    evaluation_box,
    score_box,
    study_box,
)
from mien.telling.words import comparison
from mien.telling.words.advice import advise
from mien.telling.words.answers import headline
from mien.telling.words.elsewhere import next_steps
from mien.telling.words.numerals import plural, score

if TYPE_CHECKING:
    from mien.telling.report.figures import Figure

__all__ = ["Adaptation", "Audit", "Comparison", "Evaluation", "Scored", "Study"]

R = TypeVar("R", bound=Document)
D = TypeVar("D", StudyResults, EvaluateResults, ScoreResults, CompareResults, AdaptResults)


class _Handle(ABC, Generic[R]):
    """Results, and the folder that they lie in."""

    results: R
    """All numbers, typed; docs/RESULTS.md describes each."""
    folder: Path | None
    """What the command wrote; None where it wrote nothing."""

    def __init__(self, results: R, folder: Path | None = None) -> None:
        """Keep results that a command has found."""
        self.results, self.folder = results, folder and folder.absolute()

    def __repr__(self) -> str:
        where = f" in {self.folder}" if self.folder else ""
        return f"<{type(self).__name__}{where}: {self._answer()}>"

    @abstractmethod
    def _answer(self) -> str:
        """What was found, in a few words."""


class _Drawn(_Handle[D]):
    """Results that the page draws."""

    def figure(self, name: str) -> Figure:
        """A figure of the report, as one of matplotlib; a notebook shows it, and ``savefig`` writes it.

        Args:
            name: such as ``"confusion"``; ``figures`` lists them all. Hyphens and underscores are the same.

        Raises:
            ConfigError: if there is none of this name; the message names those that there are.
            MissingExtraError: without matplotlib, which ``pip install 'mien[report]'`` brings.

        Example:
            >>> study.figure("confusion").savefig("confusion.svg")
        """
        with extra("report", "a figure"):
            from mien.telling.report.named_figures import draw
        return draw(self.results, name)

    @property
    def figures(self) -> list[str]:
        """The names that ``figure`` takes.

        Raises:
            MissingExtraError: as ``figure`` does.
        """
        with extra("report", "a figure"):
            from mien.telling.report.named_figures import figure_names
        return figure_names(self.results)


class Study(_Drawn[StudyResults]):
    """A finished study: ``mien.study(...)``, or ``mien.Study.open("mien-photos")`` for one that is there."""

    folder: Path

    @classmethod
    @said_in_python()
    def open(cls, folder: str | Path) -> Study:
        """A study that was finished earlier, also by ``mien study``.

        Raises:
            ResultsError: if there is none, or if it is damaged.
        """
        place = user_path(folder, "study")
        place = place.parent if place.name == "results.json" else place
        results = open_results(place)
        if not isinstance(results, StudyResults):
            raise ResultsError(f"{place}: no results of a study; give the folder that mien study wrote")
        return cls(results, place)

    @property
    def scores(self) -> Scores:
        """Of the selected recipe on the test photos; with folds, of what each fold selected, on all photos."""
        return self.results.test

    @cached_property
    @said_in_python()
    def predictions(self) -> pl.DataFrame:
        """One row per photo that the selected recipe answered, with path, split, label and a probability per class.

        Of a table, or of photos with labels, they are in the order that these had; ``index`` is the place of each
        there, from 0. Photos that take no part, or could not be read, are not among them.
        """
        place = self.folder if self.results.folds else self.folder / "runs" / self.results.selected
        return _in_order(read_predictions(place / "predictions.parquet"))

    @property
    def per_class(self) -> pl.DataFrame:
        """One row per class, on the test photos, with precision, recall and its interval, F1 and support."""
        return _per_class(self.scores)

    @property
    def confusion(self) -> pl.DataFrame:
        """One row per true class and one column per answer, in test photos."""
        return _confusion(self.scores)

    @property
    def slices(self) -> pl.DataFrame:
        """A row for each value of the columns of ``slice``; empty where none were asked for."""
        return _slices(self.results.slices)

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def model_card(self) -> Path:
        """The model card, in the format of the Hugging Face Hub."""
        return self.folder / MODEL_CARD

    @cached_property
    @said_in_python()
    def model(self) -> Recognizer:
        """The selected recipe's model, ready to use."""
        return Recognizer(self.folder)

    @property
    def next_steps(self) -> list[str]:
        """What to do next and why, what pays most first."""
        return [in_python(f"{advice.step} {advice.reason}") for advice in advise(self.results)]

    def _answer(self) -> str:
        return headline(self.results)

    def _repr_html_(self) -> str:
        return study_box(self.results)


class Audit(_Handle[AuditResults]):
    """What was found in photos: ``mien.audit(...)``."""

    @property
    def classes(self) -> pl.DataFrame:
        """One row per class, with its photos."""
        counts = self.results.data.classes
        return pl.DataFrame({"class": list(counts), "photos": list(counts.values())})

    @property
    def findings(self) -> pl.DataFrame:
        """One row per photo with a finding, as ``out`` wrote it, with an empty column ``action`` to fill in.

        Raises:
            ConfigError: if no ``out`` was given.
        """
        if self.results.paths.findings is None:
            raise ConfigError("findings are in the table that out writes; give one, as in mien.audit(..., out='f.csv')")
        return pl.read_csv(regular(Path(self.results.paths.findings)), infer_schema=False, glob=False)

    def _answer(self) -> str:
        data = self.results.data
        unread = f"; {plural(data.unreadable, 'file')} not read" if data.unreadable else ""
        return f"{data.images} photos, {data.findings} with a finding{unread}"

    def _repr_html_(self) -> str:
        return audit_box(self.results)


S = TypeVar("S", EvaluateResults, ScoreResults)


class _OfPhotos(_Drawn[S]):
    """How answers do on labelled photos; of several sets, on the first."""

    _called: ClassVar[str]
    """The function that gives it, and the beginning of its page's name."""

    @property
    def report(self) -> Path:
        """The page.

        Raises:
            ConfigError: if no ``out`` was given.
        """
        if self.folder is None:
            raise ConfigError(f"no page was written; give a folder, as in mien.{self._called}(..., out='results')")
        return self.folder / f"{self._called}.html"

    @cached_property
    @said_in_python()
    def predictions(self) -> pl.DataFrame:
        """One row per photo of the first set, with path, label and a probability per class; in order as of ``Study``.

        Where a tool gave a photo no answer, ``no answer`` has probability 1.

        Raises:
            ConfigError: if no ``out`` was given.
        """
        if not self.results.paths.predictions:
            raise ConfigError(f"no answers were kept; give a folder, as in mien.{self._called}(..., out='results')")
        return _in_order(read_predictions(Path(self.results.paths.predictions[0])))

    @property
    def scores(self) -> Scores:
        """On the photos of classes that are known, whatever was answered; those without an answer count as wrong."""
        return self.results.target.shared

    @property
    def per_class(self) -> pl.DataFrame:
        """As of ``Study``."""
        return _per_class(self.results.target.all)

    @property
    def confusion(self) -> pl.DataFrame:
        """As of ``Study``; unknown classes are rows without answers of their own, and ``no answer`` may be one."""
        return _confusion(self.results.target.all)

    @property
    def slices(self) -> pl.DataFrame:
        """As of ``Study``."""
        return _slices(self.results.target.slices)

    @property
    def next_steps(self) -> list[str]:
        """What to do next and why."""
        return [in_python(f"{advice.step} {advice.reason}") for advice in next_steps(self.results.target)]

    def _answer(self) -> str:
        return f"macro-F1 {score(self.scores.macro_f1)} on {self.scores.images} photos"


class Evaluation(_OfPhotos[EvaluateResults]):
    """How good a model is on photos from elsewhere: ``mien.evaluate(...)``; of several sets, the first."""

    _called = "evaluate"

    @property
    def target(self) -> TargetResults:
        """The first set of photos."""
        return self.results.target

    def _repr_html_(self) -> str:
        return evaluation_box(self.results)


class Scored(_OfPhotos[ScoreResults]):
    """How good the answers of any tool are: ``mien.score(...)``."""

    _called = "score"

    @property
    def target(self) -> ScoredTarget:
        """What was found of the photos."""
        return self.results.target

    def _repr_html_(self) -> str:
        return score_box(self.results)


class Comparison(_Drawn[CompareResults]):
    """Settings of training, compared: ``mien.compare(...)``."""

    @property
    def verdicts(self) -> pl.DataFrame:
        """One row per contrast and budget, with both arms, the difference of macro-F1, its interval and the verdict."""
        rows = [
            {
                "budget": comparison.budget_name(each.budget),
                "first": each.first,
                "second": each.second,
                "difference": each.macro_f1_difference,
                "low": each.interval.low if each.interval else None,
                "high": each.interval.high if each.interval else None,
                "verdict": each.verdict,
            }
            for each in self.results.comparisons
        ]
        return pl.DataFrame(rows)

    @property
    def report(self) -> Path:
        """The page."""
        return Path(self.results.paths.page)

    def _answer(self) -> str:
        return "; ".join(f"{each.first} against {each.second}: {each.verdict}" for each in self.results.comparisons)

    def _repr_html_(self) -> str:
        return comparison_box(self.results)


class Adaptation(_Drawn[AdaptResults]):
    """What adapting a model gives: ``mien.adapt(...)``."""

    @property
    def report(self) -> Path:
        """The page."""
        return Path(self.results.paths.page)

    @property
    @said_in_python()
    def model(self) -> Recognizer:
        """The model that ``save`` asked for.

        Raises:
            ConfigError: if none was asked for.
        """
        if self.results.paths.model is None:
            raise ConfigError("no model was written; ask for one, as in mien.adapt(..., save='labels')")
        return Recognizer(self.results.paths.model)

    def _answer(self) -> str:
        return f"{len(self.results.ways)} ways"

    def _repr_html_(self) -> str:
        return adaptation_box(self.results)


def _in_order(predictions: pl.DataFrame) -> pl.DataFrame:
    """In the order of the caller's photos, with ``index``; as they are where they came from a path."""
    number = OWN + ROW
    if number not in predictions.columns or predictions[number].null_count() == len(predictions):
        return predictions
    index = predictions.select(pl.col(number).cast(pl.Int64).alias("index"))
    return index.hstack(predictions.drop(number)).sort("index", nulls_last=True, maintain_order=True)


def _per_class(scores: Scores) -> pl.DataFrame:
    rows = []
    for label, each in scores.per_class.items():
        low, high = each.recall_interval or (None, None)
        rows.append((label, each.precision, each.recall, low, high, each.f1, each.support))
    names = ("class", "precision", "recall", "recall_low", "recall_high", "f1", "support")
    kinds = (pl.String, *[pl.Float64] * 5, pl.Int64)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def _slices(found: Slices | None) -> pl.DataFrame:
    rows = []
    for column, each in found.named if found else ():
        apart = each.difference
        low, high = apart.interval if apart else (None, None)
        told = (apart.value, low, high, apart.p_holm) if apart else (None,) * 4
        rows.append(
            (column, each.value, each.images, each.over.number, each.macro_f1, each.accuracy, *told, each.verdict)
        )
    kinds = {"column": pl.String, "value": pl.String, "photos": pl.Int64, "groups": pl.Int64}
    kinds |= dict.fromkeys(("macro_f1", "accuracy", "difference", "low", "high", "p_holm"), pl.Float64)
    return pl.DataFrame(rows, schema=kinds | {"verdict": pl.String}, orient="row")


def _confusion(scores: Scores) -> pl.DataFrame:
    columns = {label: [row[j] for row in scores.confusion] for j, label in enumerate(scores.labels)}
    return pl.DataFrame({"true": list(scores.labels)} | columns)
