"""A model file to take elsewhere, as it is or smaller; what the smaller one costs is measured.

On the validation photos of its study where they are there, else on drawn faces, which show whether it answers as
before and nothing of how well.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.measuring.faces import FaceDetector
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import render
from mien.data.tables.prepare import Prepared
from mien.demo import draw_face
from mien.errors import ConfigError, OutputError
from mien.evaluation.predictions import photos_of_study, view_batches
from mien.labels import class_indices
from mien.metrics import confusion_matrix, macro_f1
from mien.models.artifact import model_path, whole_model, write_model
from mien.recognizer import Recognizer
from mien.results.commands import ExportResults, Kept, Lost
from mien.settings.choices import StoredPrecision
from mien.system.files import not_written
from mien.system.leftovers import undone_if_stopped

__all__ = ["export"]

DRAWN = ("anger", "fear", "happy", "pain", "sad", "disgust")
EACH = 8
"""Drawn faces of each expression."""
LEAST_SAVED = 0.05
"""Share of the bytes that a narrower model must save."""


def export(model: str, out: Path, precision: StoredPrecision) -> ExportResults:
    """Write a model file with its contract.

    Args:
        model: run folder, study folder, model file or ``default``.
        out: file to write; must not exist.
        precision: ``fp32`` as trained; ``fp16`` or ``int8`` with weights of half or a quarter of the size.

    Returns:
        Sizes, and where the study's photos are still there, scores before and after.

    Raises:
        ModelError: if there is no such model.
        ConfigError: if the file would not be smaller, though that was asked for.
        OutputError: if the file exists, cannot be written, or would not answer any more.
    """
    from mien.models.quantize import with_eight_bits, with_sixteen_bits

    path = model_path(model)
    recognizer, photos = Recognizer(path), photos_of_study(path)
    if out.exists():
        raise OutputError(f"{out}: exists already; give another --out")
    narrow = {"fp32": lambda model: model, "fp16": with_sixteen_bits, "int8": with_eight_bits}[precision]
    whole = whole_model(path)
    made = narrow(whole)
    if precision != "fp32" and made.ByteSize() > (1 - LEAST_SAVED) * whole.ByteSize():
        raise ConfigError(
            f"--precision {precision}: {model} would not get smaller: its large weights have as few bits already, or "
            "it has none; give --precision fp32 to have it as it is"
        )
    undo = partial(out.unlink, missing_ok=True)
    with undone_if_stopped(undo):  # else the file of a command that was stopped would stand in the way of the next
        try:
            write_model(made, recognizer.contract, out)
        except OSError as error:
            raise not_written(out, error) from error
        try:
            after = Recognizer(out)
            lost = _compared(recognizer, after, photos) if photos and _validation(photos).height else None
            kept = None if lost else _on_drawn_faces(recognizer, after)
        except BaseException:
            undo()
            raise
    return ExportResults(
        model=str(path),
        out=str(out),
        precision=precision,
        bytes_before=max(path.stat().st_size, whole.ByteSize()),
        bytes=out.stat().st_size,
        validation=lost,
        drawn=kept,
    )


def _on_drawn_faces(before: Recognizer, after: Recognizer) -> Kept:
    """Whether the file answers drawn faces as the model does.

    Raises:
        OutputError: if it gives no numbers where the model does.
    """
    images, detector = [draw_face(label, i) for label in DRAWN for i in range(EACH)], FaceDetector()
    boxes = [found.main.box if (found := detector.find(image)).main else None for image in images]
    views = {
        view.key: np.stack([render(image, view, box) for image, box in zip(images, boxes, strict=True)])
        for view in before.contract.views
    }
    logits, seconds = zip(*(_answered(each, views) for each in (before, after)), strict=True)
    if np.isfinite(logits[0]).all() and not np.isfinite(logits[1]).all():
        raise OutputError("the smaller model gives no numbers any more; give --precision fp32 or another")
    return Kept(
        images=len(images),
        same_label=float((logits[0].argmax(1) == logits[1].argmax(1)).mean()),
        largest_difference=float(np.abs(logits[0] - logits[1]).max()),
        speed=seconds[0] / seconds[1],
    )


def _compared(before: Recognizer, after: Recognizer, photos: Prepared) -> Lost:
    labels, rows = list(before.labels), _validation(photos)
    y = class_indices(rows["label"], labels)
    logits, seconds = zip(*(_timed(each, rows, photos.pixels) for each in (before, after)), strict=True)
    scores = [float(macro_f1(confusion_matrix(y, each.argmax(1), len(labels)))) if len(y) else None for each in logits]
    return Lost(
        images=len(y),
        macro_f1_before=scores[0],
        macro_f1=scores[1],
        same_label=float((logits[0].argmax(1) == logits[1].argmax(1)).mean()),
        largest_difference=float(np.abs(logits[0] - logits[1]).max()),
        speed=seconds[0] / seconds[1],
    )


def _validation(photos: Prepared) -> pl.DataFrame:
    """The photos that the model did not learn from; none in a study with folds, whose model learnt from all."""
    return photos.manifest.filter(pl.col("split") == "val").sort("sha256")


def _timed(recognizer: Recognizer, rows: pl.DataFrame, pixels: Pixels) -> tuple[NDArray[np.float32], float]:
    parts, seconds = [], 0.0
    for _, views in view_batches(recognizer, pixels, rows):
        logits, taken = _answered(recognizer, views)
        parts.append(logits)
        seconds += taken
    return np.concatenate(parts), seconds


def _answered(recognizer: Recognizer, views: Mapping[str, NDArray[np.uint8]]) -> tuple[NDArray[np.float32], float]:
    """Logits (N, K), and the seconds they took."""
    start = time.perf_counter()
    logits = recognizer.logits(views)
    return logits, time.perf_counter() - start
