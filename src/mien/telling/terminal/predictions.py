"""Predictions as lines: of a table, a CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from mien.results.prediction import Prediction

__all__ = ["prediction_header", "prediction_line", "prediction_summary", "prediction_text"]


def prediction_text(kind: Literal["table", "jsonl", "csv"], labels: Sequence[str]) -> Callable[[Prediction], str]:
    """What makes a line of one prediction; see ``prediction_header``."""
    if kind == "jsonl":
        return lambda prediction: json.dumps(asdict(prediction), ensure_ascii=False)
    if kind == "csv":
        return lambda prediction: _csv_line(_csv_row(prediction, labels))
    return prediction_line


def prediction_header(labels: Sequence[str]) -> str:
    """First line of a CSV of predictions; a column a class, with its probability."""
    first, last = ("path", "time", "status", "flags", "label"), ("left", "top", "right", "bottom", "reason")
    is_free = not {*first, *last} & {*labels}
    return _csv_line([*first, *(label if is_free else f"probability of {label}" for label in labels), *last])


def _csv_line(values: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _csv_row(prediction: Prediction, labels: Sequence[str]) -> list[object]:
    probs = prediction.probabilities
    return [
        prediction.path,
        "" if prediction.time is None else round(prediction.time, 3),
        prediction.status,
        " ".join(prediction.flags),
        prediction.label or "",
        *(["" if probs is None else round(probs[label], 4) for label in labels]),
        *(["" if prediction.face is None else round(edge, 1) for edge in prediction.face or [0] * 4]),
        prediction.reason or "",
    ]


def prediction_line(prediction: Prediction) -> str:
    """One photo as a line: path, label, probabilities, and what else holds or ``ok``."""
    path = prediction.path if prediction.time is None else f"{prediction.path} at {prediction.time:.2f} s"
    if prediction.probabilities is None:
        return f"{path}\tunreadable: {prediction.reason}"
    probs = "  ".join(f"{label} {p:.2f}" for label, p in prediction.probabilities.items())
    told = ", ".join(flag.replace("_", " ") for flag in prediction.flags) or "ok"
    return f"{path}\t{prediction.label}\t{probs}\t{told}"


def prediction_summary(counts: Mapping[str, int]) -> str:
    """How many photos had which status."""
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items()) or "no photos"
