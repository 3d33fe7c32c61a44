"""Predictions as lines: of a table, a CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from mien.results.prediction import Prediction
from mien.system.streams import escaped

__all__ = ["prediction_header", "prediction_line", "prediction_summary", "prediction_text"]


def prediction_text(
    kind: Literal["table", "jsonl", "csv"], labels: Sequence[str], *, is_smoothed: bool = False
) -> Callable[[Prediction], str]:
    """What makes a line of one prediction; see ``prediction_header``."""
    if kind == "jsonl":
        return lambda prediction: json.dumps(asdict(prediction), ensure_ascii=False)
    if kind == "csv":
        return lambda prediction: _csv_line(_csv_row(prediction, labels, is_smoothed))
    return prediction_line


def prediction_header(labels: Sequence[str], *, is_smoothed: bool = False) -> str:
    """First line of a CSV of predictions: a column for each class, and where asked one for its average over time."""
    first = ("path", "time", "frame", "seconds", "face_id", "status", "flags", "label")
    last = ("left", "top", "right", "bottom", "reason")
    averages = ("smoothed_label", *(f"smoothed {label}" for label in labels)) if is_smoothed else ()
    is_free = not {*first, *last, *averages} & {*labels}
    probs = (label if is_free else f"probability of {label}" for label in labels)
    return _csv_line([*first, *probs, *averages, *last])


def _csv_line(values: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([escaped(v) if isinstance(v, str) else v for v in values])
    return text.getvalue()


def _csv_row(prediction: Prediction, labels: Sequence[str], is_smoothed: bool) -> list[object]:
    averages = [prediction.smoothed_label or "", *_probabilities(prediction.smoothed, labels)] if is_smoothed else []
    return [
        prediction.path,
        *(
            "" if value is None else round(value, 3)
            for value in (prediction.time, prediction.frame, prediction.seconds)
        ),
        "" if prediction.face_id is None else prediction.face_id,
        prediction.status,
        " ".join(prediction.flags),
        prediction.label or "",
        *_probabilities(prediction.probabilities, labels),
        *averages,
        *(["" if prediction.face is None else round(edge, 1) for edge in prediction.face or [0] * 4]),
        prediction.reason or "",
    ]


def _probabilities(probs: Mapping[str, float] | None, labels: Sequence[str]) -> list[object]:
    return ["" if probs is None else round(probs[label], 4) for label in labels]


def prediction_line(prediction: Prediction) -> str:
    """One photo as a line: path, label, probabilities, and what else holds or ``ok``; an average comes last."""
    path = prediction.path if prediction.time is None else f"{prediction.path} at {prediction.time:.2f} s"
    if prediction.probabilities is None:
        return _line(path, f"unreadable: {prediction.reason}")
    path += "" if prediction.face_id is None else f", face {prediction.face_id}"
    probs = "  ".join(f"{label} {p:.2f}" for label, p in prediction.probabilities.items())
    told = ", ".join(flag.replace("_", " ") for flag in prediction.flags) or "ok"
    parts = [path, prediction.label or "", probs, told]
    if prediction.smoothed is not None and prediction.smoothed_label is not None:
        parts.append(f"smoothed: {prediction.smoothed_label} {prediction.smoothed[prediction.smoothed_label]:.2f}")
    return _line(*parts)


def _line(*parts: str) -> str:
    return "\t".join(map(escaped, parts))


def prediction_summary(counts: Mapping[str, int]) -> str:
    """How many photos had which status."""
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items()) or "no photos"
