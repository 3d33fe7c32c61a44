"""``mien predict``."""

from __future__ import annotations

import sys
from itertools import chain
from typing import Annotated

from cyclopts import Parameter

from mien.cli.options import Sources
from mien.errors import ConfigError
from mien.settings.computing import Promise
from mien.settings.groups import OUTPUT
from mien.settings.predict import Answering, Looking

__all__ = ["predict"]


def predict(
    sources: Annotated[Sources, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    answering: Answering = Answering(),
    looking: Looking = Looking(),
    promise: Promise = Promise(),
    jsonl: Annotated[bool, Parameter(group=OUTPUT)] = False,
    csv: Annotated[bool, Parameter(group=OUTPUT)] = False,
) -> None:
    """Print an answer for each photo.

    Args:
        sources: Images, folders, patterns, zips, tars, tables or videos; - reads one path a line from standard
            input and answers 32 at a time.
        jsonl: Print one JSON object per line instead of a table.
        csv: Print a CSV with a row for each answer.
    """
    _check(sources, jsonl=jsonl, csv=csv)
    from mien.data.reading.pictures import open_pictures
    from mien.recognizer import Recognizer
    from mien.telling.terminal.predictions import prediction_header, prediction_summary, prediction_text

    recognizer = Recognizer(answering.model, max_error=promise.max_error, classes=answering.among)
    pictures = chain.from_iterable([open_pictures(source, frames_per_second=looking.fps) for source in sources])
    text = prediction_text("jsonl" if jsonl else "csv" if csv else "table", recognizer.labels)
    if csv:
        print(prediction_header(recognizer.labels))
    counts: dict[str, int] = {}
    for prediction in recognizer.predict_pictures(pictures, every_face=looking.faces == "all"):
        print(text(prediction), flush=True)
        counts[prediction.status] = counts.get(prediction.status, 0) + 1
    print(prediction_summary(counts), file=sys.stderr)
    if answering.classes is not None:
        print("mien: with --classes no error rate is promised, and no answer is called unsure", file=sys.stderr)
    if counts.get("unreadable"):
        sys.exit(1)


def _check(sources: Sources, *, jsonl: bool, csv: bool) -> None:
    """Refuse what the parser takes for a source, and two forms of output.

    Raises:
        ConfigError: for no source, an unknown option, or both forms.
    """
    if not sources:
        raise ConfigError("predict: give photos, as in: mien predict photo.jpg")
    for source in sources:
        if source.startswith("-") and source != "-":
            raise ConfigError(f"Unknown option: {source}. See: mien predict --help")
    if jsonl and csv:
        raise ConfigError("predict: give --jsonl or --csv, not both")
