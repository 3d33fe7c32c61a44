"""``mien predict``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mien.cli.films import Films, answer_place
from mien.cli.options import Sources
from mien.errors import ConfigError
from mien.settings.computing import Promise
from mien.settings.groups import OUTPUT
from mien.settings.predict import Answering, Looking
from mien.settings.workers import Workers
from mien.system.streams import as_data, escaped

if TYPE_CHECKING:
    from mien.data.reading.pictures import Picture
    from mien.recognizer import Recognizer
    from mien.results.prediction import Prediction

__all__ = ["predict"]


def predict(
    sources: Annotated[Sources, Parameter(allow_leading_hyphen=True)] = (),
    /,
    *,
    answering: Answering = Answering(),
    looking: Looking = Looking(),
    promise: Promise = Promise(),
    workers: Workers = Workers(),
    jsonl: Annotated[bool, Parameter(group=OUTPUT)] = False,
    csv: Annotated[bool, Parameter(group=OUTPUT)] = False,
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    resume: Annotated[bool, Parameter(group=OUTPUT)] = False,
    model_info: Annotated[bool, Parameter(group=OUTPUT)] = False,
) -> None:
    """Print an answer for each photo, and for each frame of a video that is looked at.

    Args:
        sources: Images, folders, patterns, zips, tars, tables or videos; - reads one path a line from standard
            input and answers 32 at a time.
        jsonl: Print one JSON object per line instead of a table.
        csv: Print a CSV with a row for each answer.
        out: Folder to write the answers to instead of printing them, as Parquet files for 1,000 photos each; of
            videos also faces.csv and a plot of each.
        resume: Go on with the --out of a command that was stopped.
        model_info: Print what the model is for, how good it was found to be, and its limits; no photo is needed.
    """
    for source in sources:  # the parser takes what it does not know for a source
        if source.startswith("-") and source != "-":
            raise ConfigError(f"Unknown option: {source}. See: mien predict --help")
    if model_info:
        if sources or jsonl or csv or out is not None or resume:
            raise ConfigError(
                "predict: --model-info answers no photos; leave it out, or leave out photos, --jsonl, --csv, --out and "
                "--resume"
            )
        _tell_model(answering, promise)
        return
    _check(sources, jsonl=jsonl, csv=csv, out=out, resume=resume)
    folder = None if out is None else answer_place(out, resume=resume)
    from mien.data.reading.pictures import open_pictures
    from mien.recognizer import Recognizer

    recognizer = Recognizer(answering.model, max_error=promise.max_error, classes=answering.among)
    pictures = chain.from_iterable([open_pictures(source, frames_per_second=looking.fps) for source in sources])

    answers = _answers(recognizer, looking, workers)
    with _workers(workers):
        if folder is not None:
            asked = asdict(looking) | {"sources": [*sources]} | recognizer.__getstate__()
            doubts = _keep(folder, recognizer, pictures, answers, asked, resume=resume)
        else:
            doubts = _print(
                answers(pictures), recognizer.labels, looking, kind="jsonl" if jsonl else "csv" if csv else None
            )
    if answering.classes is not None:
        print("mien: with --classes no error rate is promised, and no answer is called unsure", file=sys.stderr)
    if doubts["unreadable"]:
        sys.exit(1)


def _answers(
    recognizer: Recognizer, looking: Looking, workers: Workers
) -> Callable[[Iterable[Picture]], Iterator[Prediction]]:
    """What answers pictures as they are to be looked at: the recogniser itself, or copies of it on a cluster."""
    from mien.recognizer import smoothed

    predicted = partial(recognizer.predict_pictures, every_face=looking.faces == "all")
    if workers.cluster is not None:
        from mien.jobs.predict_apart import predict_apart

        predicted = partial(predict_apart, recognizer, every_face=looking.faces == "all")
    return (lambda some: smoothed(predicted(some), looking.smooth)) if looking.smooth else predicted


def _workers(workers: Workers) -> AbstractContextManager[None]:
    """The cluster that answers, if one is asked for."""
    if workers.cluster is None:
        return nullcontext()  # a command that answers for one photo has no time for what it does not need
    from mien.cluster.connecting import on_cluster
    from mien.telling.terminal.summaries import TerminalProgress

    return on_cluster(workers.cluster, TerminalProgress())


def _print(
    answers: Iterable[Prediction], labels: Sequence[str], looking: Looking, kind: Literal["jsonl", "csv"] | None
) -> Counter[str]:
    """Print answers as they come; how many have each doubt."""
    from mien.telling.terminal.predictions import (
        prediction_head,
        prediction_header,
        prediction_summary,
        prediction_text,
    )

    is_smoothed, films = looking.smooth > 0, Films()
    text = prediction_text(kind or "table", labels, is_smoothed=is_smoothed)
    if kind == "csv":
        print(as_data(prediction_header(labels, is_smoothed=is_smoothed)))
    elif kind is None:
        print(as_data(prediction_head(labels)))
    number, doubts = 0, Counter[str]()
    for prediction in answers:
        print(as_data(text(prediction)), flush=True)
        number += 1
        doubts.update(prediction.flags or ("ok",))
        films.add(prediction)
    for line in (*films.told(), prediction_summary(number, doubts)):
        print(line, file=sys.stderr)
    return doubts


def _keep(
    path: Path,
    recognizer: Recognizer,
    pictures: Iterable[Picture],
    answers: Callable[[Iterable[Picture]], Iterable[Prediction]],
    asked: Mapping[str, object],
    *,
    resume: bool,
) -> Counter[str]:
    """Write answers to a folder; how many have each doubt."""
    from mien.jobs.predict import AnswerFolder, answer_into
    from mien.telling.terminal.predictions import prediction_summary
    from mien.telling.terminal.summaries import TerminalProgress

    folder = AnswerFolder(path, recognizer.labels, is_smoothed=bool(asked["smooth"]))
    progress = TerminalProgress()
    doubts = answer_into(folder, pictures, answers, asked=asked, resume=resume, progress=progress)
    films = Films(keeps=True)
    for answer in folder.of_films():
        films.add(answer)
    photos, number = doubts.pop("photos"), doubts.pop("answers")
    for line in (*films.write(path, recognizer.labels), *films.told(), prediction_summary(number, doubts)):
        print(line, file=sys.stderr)
    print(f"mien: wrote the answers for {photos:,} photos to {escaped(str(path))}", file=sys.stderr)
    return doubts


def _tell_model(answering: Answering, promise: Promise) -> None:
    """Print what the model file says of itself."""
    from mien.models.shipped_cards import as_on_card
    from mien.recognizer import Recognizer
    from mien.telling.terminal.model_info import model_info

    recognizer = Recognizer(answering.model, max_error=promise.max_error, classes=answering.among)
    told = as_on_card(recognizer.contract, recognizer.model)
    print(as_data(model_info(answering.model, told, recognizer.threshold)))


def _check(sources: Sources, *, jsonl: bool, csv: bool, out: str | None, resume: bool) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: for any of these, or no source.
    """
    if not sources:
        raise ConfigError("predict: SOURCES is missing, as in: mien predict photo.jpg. See: mien predict --help")
    if jsonl and csv:
        raise ConfigError("predict: give --jsonl or --csv, not both")
    if out is not None and (jsonl or csv):
        raise ConfigError("predict: --out writes the answers as tables; leave --jsonl and --csv out")
    if resume and out is None:
        raise ConfigError("predict: --resume goes on with a folder of answers; give it as --out")
