"""Names of what a study writes for people and other programs to read, inside its folder."""

from __future__ import annotations

__all__ = ["FIGURES", "MODEL_CARD", "PREDICTIONS", "REPORT", "RESULTS", "THUMBNAILS", "predictions_table"]

RESULTS = "results.json"
REPORT = "report.html"
MODEL_CARD = "model-card.md"
"""In the format of the Hugging Face Hub, whose repositories call it README.md."""
FIGURES = "figures"
"""Folder of the report's plots, each as SVG and PNG."""
THUMBNAILS = "thumbnails.msgpack"
PREDICTIONS = "predictions.parquet"
"""Beside a run's model; of all folds in the study's folder."""


def predictions_table(run: str | None = None) -> str:
    """The CSV of a run's predictions, or of those of all folds."""
    name = PREDICTIONS.replace(".parquet", ".csv")
    return name if run is None else f"runs/{run}/{name}"
