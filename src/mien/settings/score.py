"""What is asked when the answers of any tool are scored."""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import Parameter

from mien.settings.columns import Columns
from mien.settings.division import Decisions
from mien.settings.evaluate import Rivals
from mien.settings.groups import READING
from mien.settings.slicing import Slicing
from mien.settings.target import ClassMap

__all__ = ["NO_LABEL", "AnswerColumns", "ScoreSettings"]

NO_LABEL = "none"
"""What is given for the column of the answer where probabilities alone say it."""


@Parameter(name="*", group=READING)
@dataclass(frozen=True, kw_only=True)
class AnswerColumns:
    """Which columns of the table of answers say what.

    Attributes:
        answer_path: Column of the answers with the photos' paths or names. Default: one with a usual name.
        answer_label: Column with the answer; none where it is the likeliest of the classes whose probabilities the
            table has. Default: one with a usual name.
    """

    answer_path: str | None = None
    answer_label: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """Which answers are scored on what.

    Attributes:
        answers: Table of answers: CSV, TSV, JSON, JSON Lines or Parquet.
        photos: Labelled photos, as for mien study.
        columns: how the photos are read.
        answer_columns: which columns of the answers say what.
        decisions: what a person decided about single photos.
        classes: which class of the photos is which of the answers.
        slicing: by which columns scores are looked at apart.
        rivals: what else answered the same photos.
    """

    answers: str
    photos: str
    columns: Columns = Columns()
    answer_columns: AnswerColumns = AnswerColumns()
    decisions: Decisions = Decisions()
    classes: ClassMap = ClassMap()
    slicing: Slicing = Slicing()
    rivals: Rivals = Rivals()
