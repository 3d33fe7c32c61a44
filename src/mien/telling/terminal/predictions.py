"""Predictions as lines: of a table, a CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from rich.cells import cell_len

from mien.results.prediction import Prediction
from mien.system.streams import escaped

__all__ = ["prediction_head", "prediction_header", "prediction_summary", "prediction_text"]

NAME, SHORTEST = 30, 12
"""Columns for a photo's name, and those that its path has at least beside the time of a frame."""


def prediction_text(
    kind: Literal["table", "jsonl", "csv"], labels: Sequence[str], *, is_smoothed: bool = False
) -> Callable[[Prediction], str]:
    """What makes a line of one prediction; see ``prediction_header`` and ``prediction_head``."""
    if kind == "jsonl":
        return lambda prediction: json.dumps(asdict(prediction), ensure_ascii=False)
    if kind == "csv":
        return lambda prediction: _csv_line(_csv_row(prediction, labels, is_smoothed))
    width = _width(labels)
    return lambda prediction: _prediction_line(prediction, width)


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


def prediction_head(labels: Sequence[str]) -> str:
    """First line of a table of predictions: the names of its columns."""
    width = _width(labels)
    return f"{'photo':{NAME}}  {'answer':{width}}  {'%':>3}  {'runner-up':{width}}  {'%':>3}  doubts"


def _prediction_line(prediction: Prediction, width: int) -> str:
    """One photo as a row: name, answer, per cent, runner-up, and what to doubt; an average over time comes last."""
    name = _name(prediction)
    if prediction.probabilities is None:
        return f"{name}  unreadable: {escaped(prediction.reason or '')}"
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    cells = [f"{escaped(label):{width}}  {100 * share:3.0f}" for label, share in ranked[:2]]
    told = [flag.replace("_", " ") for flag in prediction.flags]
    if prediction.smoothed is not None and prediction.smoothed_label is not None:
        share = prediction.smoothed[prediction.smoothed_label]
        told.append(f"smoothed: {escaped(prediction.smoothed_label)} {100 * share:.0f}")
    return "  ".join([name, *cells, ", ".join(told)]).rstrip()


def _name(prediction: Prediction) -> str:
    """The end of a path, which tells photos apart, as wide as its column; of a frame its time and face too."""
    of = "" if prediction.time is None else f" {prediction.time:.2f} s"
    of += "" if prediction.face_id is None else f" face {prediction.face_id}"
    path, room = escaped(prediction.path), max(NAME - len(of), SHORTEST)
    while cell_len(path) > room:
        path = "..." + path.removeprefix("...")[1:]
    shown = path + of
    return shown + " " * (NAME - cell_len(shown))


def _width(labels: Sequence[str]) -> int:
    """Of the columns of classes."""
    return max(len("runner-up"), *(len(escaped(label)) for label in labels))


def prediction_summary(answers: int, doubts: Mapping[str, int]) -> str:
    """How many answers there are, and how many of them have each doubt.

    Args:
        answers: how many.
        doubts: flag → answers that have it, or ``ok`` → those without any.
    """
    if not answers:
        return "no photos"
    told = f"{answers:,} {'answer' if answers == 1 else 'answers'}, {doubts.get('ok', 0):,} without doubt"
    found = sorted(((flag, n) for flag, n in doubts.items() if flag != "ok"), key=lambda item: (-item[1], item[0]))
    if not found:
        return told
    listed = ", ".join(f"{n:,} {flag}".replace("_", " ") for flag, n in found)
    several = "; an answer can have several" if sum(doubts.values()) > answers else ""
    return f"{told}\ndoubts: {listed}{several}"
