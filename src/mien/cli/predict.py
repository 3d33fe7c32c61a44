"""``mien predict``."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import chain
from typing import Annotated, Literal

from cyclopts import Parameter

from mien.cli.films import Films, free_folder
from mien.cli.options import Sources
from mien.errors import ConfigError
from mien.settings.computing import Promise
from mien.settings.groups import OUTPUT
from mien.settings.predict import Answering, Looking
from mien.system.streams import as_data

__all__ = ["predict"]


def predict(
    sources: Annotated[Sources, Parameter(allow_leading_hyphen=True)] = (),
    /,
    *,
    answering: Answering = Answering(),
    looking: Looking = Looking(),
    promise: Promise = Promise(),
    jsonl: Annotated[bool, Parameter(group=OUTPUT)] = False,
    csv: Annotated[bool, Parameter(group=OUTPUT)] = False,
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    model_info: Annotated[bool, Parameter(group=OUTPUT)] = False,
) -> None:
    """Print an answer for each photo, and for each frame of a video that is looked at.

    Args:
        sources: Images, folders, patterns, zips, tars, tables or videos; - reads one path a line from standard
            input and answers 32 at a time.
        jsonl: Print one JSON object per line instead of a table.
        csv: Print a CSV with a row for each answer.
        model_info: Print what the model is for, how good it was found to be, and its limits; no photo is needed.
        out: Folder to write what videos show over time: faces.csv, and a plot of each video.
    """
    if model_info and not sources:
        _tell_model(answering, promise)
        return
    _check(sources, jsonl=jsonl, csv=csv, model_info=model_info)
    films = Films(None if out is None else free_folder(out))
    from mien.data.reading.pictures import open_pictures
    from mien.recognizer import Recognizer, smoothed
    from mien.telling.terminal.predictions import (
        prediction_head,
        prediction_header,
        prediction_summary,
        prediction_text,
    )

    recognizer = Recognizer(answering.model, max_error=promise.max_error, classes=answering.among)
    pictures = chain.from_iterable([open_pictures(source, frames_per_second=looking.fps) for source in sources])
    kind: Literal["table", "jsonl", "csv"] = "jsonl" if jsonl else "csv" if csv else "table"
    text = prediction_text(kind, recognizer.labels, is_smoothed=looking.smooth > 0)
    if csv:
        print(as_data(prediction_header(recognizer.labels, is_smoothed=looking.smooth > 0)))
    elif not jsonl:
        print(as_data(prediction_head(recognizer.labels)))
    answers = recognizer.predict_pictures(pictures, every_face=looking.faces == "all")
    number, doubts = 0, Counter[str]()
    for prediction in smoothed(answers, looking.smooth) if looking.smooth else answers:
        print(as_data(text(prediction)), flush=True)
        number += 1
        doubts.update(prediction.flags or ("ok",))
        films.add(prediction)
    for line in (*films.told(recognizer.labels), prediction_summary(number, doubts)):
        print(line, file=sys.stderr)
    if answering.classes is not None:
        print("mien: with --classes no error rate is promised, and no answer is called unsure", file=sys.stderr)
    if doubts["unreadable"]:
        sys.exit(1)


def _tell_model(answering: Answering, promise: Promise) -> None:
    """Print what the model file says of itself."""
    from mien.recognizer import Recognizer
    from mien.telling.terminal.model_info import model_info

    recognizer = Recognizer(answering.model, max_error=promise.max_error, classes=answering.among)
    print(as_data(model_info(answering.model, recognizer.contract, recognizer.threshold)))


def _check(sources: Sources, *, jsonl: bool, csv: bool, model_info: bool) -> None:
    """Refuse what the parser takes for a source, and two forms of output.

    Raises:
        ConfigError: for no source, an unknown option, both forms, or photos beside ``--model-info``.
    """
    if not sources:
        raise ConfigError("predict: SOURCES is missing, as in: mien predict photo.jpg. See: mien predict --help")
    for source in sources:
        if source.startswith("-") and source != "-":
            raise ConfigError(f"Unknown option: {source}. See: mien predict --help")
    if model_info:
        raise ConfigError("predict: --model-info answers no photos; leave them out, or leave it out")
    if jsonl and csv:
        raise ConfigError("predict: give --jsonl or --csv, not both")
