"""Names of what studies and ``mien predict --out`` write into their folders for people and other programs to read."""

from __future__ import annotations

__all__ = [
    "ANSWER_PARTS",
    "ANSWER_SUMMARY",
    "FIGURES",
    "MODEL_CARD",
    "PREDICTIONS",
    "REPORT",
    "RESULTS",
    "THUMBNAILS",
    "answer_part",
    "predictions_table",
]

RESULTS = "results.json"
REPORT = "report.html"
MODEL_CARD = "model-card.md"
"""In the format of the Hugging Face Hub, whose repositories call it README.md."""
FIGURES = "figures"
"""Folder of the report's plots, each as SVG and PNG."""
THUMBNAILS = "thumbnails.msgpack"
PREDICTIONS = "predictions.parquet"
"""Beside a run's model; of all folds in the study's folder."""
ANSWER_PARTS = "part-*.parquet"
"""The answers of ``mien predict --out``; sorted by name they are in the order of the photos."""
ANSWER_SUMMARY = "summary.json"
"""Written when the last of them is."""


def answer_part(number: int) -> str:
    """One of ``ANSWER_PARTS``, from 0."""
    return ANSWER_PARTS.replace("*", f"{number:06d}")


def predictions_table(run: str | None = None) -> str:
    """The CSV of a run's predictions, or of those of all folds."""
    name = PREDICTIONS.replace(".parquet", ".csv")
    return name if run is None else f"runs/{run}/{name}"
