"""The answers for several photos: a list, a table, and what a notebook shows."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from mien.results.prediction import Prediction

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Predictions"]

MOST_SHOWN = 20


class Predictions(list[Prediction]):
    """The answers for several photos, in their order; a list, and a table for notebooks."""

    def to_frame(self) -> pl.DataFrame:
        """A row an answer: path, status, label, a column ``prob_CLASS`` per class, flags joined by spaces, reason."""
        import polars as pl  # imported here because predicting one photo needs no tables

        from mien.results.prediction_table import PROBABILITY, prediction_table

        labels = list(dict.fromkeys(label for each in self for label in each.probabilities or {}))
        table = prediction_table(self, range(len(self)), labels)
        probabilities = [PROBABILITY + label for label in labels]
        return table.select("path", "status", "label", *probabilities, pl.col("flags").list.join(" "), "reason")

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("photo", "answer", "probability", "doubts"))
        rows = "".join(f"<tr>{_cells(i, each)}</tr>" for i, each in enumerate(self[:MOST_SHOWN]))
        left = len(self) - MOST_SHOWN
        more = f"<p>and {left} more</p>" if left > 0 else ""
        return f"<table><tr>{head}</tr>{rows}</table>{more}"


def _cells(place: int, answer: Prediction) -> str:
    """One answer as the cells of a row."""
    share = f"{100 * max(answer.probabilities.values()):.0f} %" if answer.probabilities else ""
    doubts = answer.reason or ", ".join(answer.flags).replace("_", " ")
    return "".join(
        f"<td>{html.escape(text)}</td>" for text in (answer.path or str(place), answer.label or "", share, doubts)
    )
