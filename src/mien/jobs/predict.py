"""``mien predict --out``: the answers for any number of photos, in parts that a later call can go on from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import polars as pl

from mien.data.reading.pictures import Picture
from mien.errors import ConfigError, OutputError
from mien.progress import Progress
from mien.results.file_names import ANSWER_PARTS, ANSWER_SUMMARY, answer_part
from mien.results.prediction import Prediction
from mien.results.prediction_table import prediction_rows, prediction_table
from mien.system.files import not_written, read_text, regular, write_text
from mien.system.in_use import in_use
from mien.system.leftovers import written_whole

__all__ = ["ASKED", "PHOTOS_A_PART", "AnswerFolder", "answer_into"]

ASKED = "asked.json"
PHOTOS_A_PART = 1000
"""Photos, or videos, whose answers are one file; what a command that is killed has to do again."""
DAMAGED = "is damaged; remove the folder and start again"
BEGUN = {"sources": "the photos of", "model": "the model", "checksum": "the model file"}
"""What answers are of, beside options; the first that differs is said."""


@dataclass(frozen=True)
class AnswerFolder:
    """A folder of answers.

    Attributes:
        path: where it is.
        labels: classes that may be answered.
        is_smoothed: whether answers are averaged over time.
    """

    path: Path
    labels: tuple[str, ...]
    is_smoothed: bool = False

    def part(self, number: int) -> Path:
        """Where a part is kept."""
        return self.path / answer_part(number)

    def has(self, number: int) -> bool:
        """Whether a part is there."""
        return self.part(number).exists()

    def write(self, number: int, answers: list[Prediction], photos: list[int]) -> None:
        """Keep a part, whole or not at all."""
        table = prediction_table(answers, photos, self.labels, is_smoothed=self.is_smoothed)
        with written_whole(self.part(number)) as partial:
            table.write_parquet(partial)

    def read(self, number: int) -> pl.DataFrame:
        """A part.

        Raises:
            OutputError: if it is damaged.
        """
        place = self.part(number)
        try:
            table = pl.read_parquet(regular(place), glob=False)
            expected = prediction_table([], [], self.labels, is_smoothed=self.is_smoothed).schema
        except (OSError, pl.exceptions.PolarsError) as error:
            raise OutputError(f"{place}: {DAMAGED}") from error
        if table.schema != expected or table.is_empty():
            raise OutputError(f"{place}: {DAMAGED}")
        return table

    def of_films(self) -> Iterator[Prediction]:
        """The answers to frames of videos, a part at a time."""
        number = 0
        while self.has(number):
            yield from prediction_rows(self.read(number).filter(pl.col("time").is_not_null()), self.labels)
            number += 1


def answer_into(
    folder: AnswerFolder,
    pictures: Iterable[Picture],
    answer: Callable[[Iterable[Picture]], Iterable[Prediction]],
    *,
    asked: Mapping[str, object],
    resume: bool,
    progress: Progress,
) -> Counter[str]:
    """Answer pictures, ``PHOTOS_A_PART`` at a time, and keep each part as soon as it is done.

    Args:
        folder: new, unless ``resume``, which goes on after the parts that are there.
        pictures: what to answer; of one video, all have its path.
        answer: gives the answers for pictures in their order.
        asked: what decides the answers; a folder is only gone on with if it was begun with the same.

    Returns:
        How many photos and videos there were (``photos``), how many answers (``answers``), and how many of these have
        each flag, or ``ok``.

    Raises:
        ConfigError: if the folder was begun with other settings.
        OutputError: if the folder is in use, cannot be written, or was begun with other photos.
    """
    with in_use(folder.path, progress.tell, resume=resume):
        _begin(folder.path, asked, resume=resume)
        groups = groupby(pictures, key=lambda picture: picture.path)
        told, first, number = Counter[str](), 0, 0
        with progress.step("answer", None, "photos") as advance:
            while True:
                part = islice(groups, PHOTOS_A_PART)
                if folder.has(number):
                    answers, photos = _stored(folder, number, part, first)
                    advance(photos[-1] + 1 - first)
                else:
                    answers, photos = _answered(part, answer, first, advance)
                    if not answers:
                        break
                    with _told(folder.path):
                        folder.write(number, answers, photos)
                first, number = photos[-1] + 1, number + 1
                told.update(answers=len(answers))
                for each in answers:
                    told.update(each.flags or ("ok",))
        told["photos"] = first
        with _told(folder.path):
            write_text(json.dumps(dict(sorted(told.items())), indent=1) + "\n", folder.path / ANSWER_SUMMARY)
    return told


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Errors of the system become one line."""
    try:
        yield
    except OSError as error:
        raise not_written(folder, error) from error


def _begin(folder: Path, asked: Mapping[str, object], *, resume: bool) -> None:
    """Note what was asked for, or see that it is the same."""
    place = folder / ASKED
    if not resume or not place.exists():
        if any(folder.glob(ANSWER_PARTS)):
            raise OutputError(f"{folder}: exists already; give another --out, or --resume to go on with it")
        with _told(folder):
            write_text(json.dumps(asked, indent=1) + "\n", place)
        return
    try:
        before = _plain(json.loads(read_text(place)))
        now = _plain(asked)
        differing = [key for key in dict.fromkeys((*BEGUN, *before, *now)) if before.get(key) != now.get(key)]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise OutputError(f"{place}: {DAMAGED}") from error
    if differing:
        key = differing[0]
        raise ConfigError(
            f"--resume: {folder} was begun with {_begun(key, before.get(key))}, not with {_begun(key, now.get(key))}; "
            "give what it was begun with, or another --out"
        )


def _plain(asked: Mapping[str, object]) -> dict[str, object]:
    """What was asked for, with folders as they are usually written: ``photos/`` is ``photos``."""
    sources = asked.get("sources")
    if not isinstance(sources, list):
        return dict(asked)
    return {**asked, "sources": [str(each).rstrip("/") or "/" for each in sources]}


def _begun(key: str, value: object) -> str:
    """What was asked for of one kind, as in ``photos 'a' and 'b'``; options as they are typed."""
    if key == "checksum":
        return f"{BEGUN[key]} of SHA-256 {str(value)[:8]}…"
    if key in BEGUN:
        several = value if isinstance(value, list) else [value]
        return f"{BEGUN[key]} {' and '.join(map(repr, several))}"
    option = f"--{key.replace('_', '-')}"
    if value is None or value is False:
        return f"the usual {option}"
    return f"{option} {','.join(map(str, value)) if isinstance(value, list | tuple) else value}"


Group = tuple[str, Iterator[Picture]]
Found = tuple[list[Prediction], list[int]]
"""Answers, and which photo each is about; each photo has one at least."""


def _answered(
    part: Iterator[Group],
    answer: Callable[[Iterable[Picture]], Iterable[Prediction]],
    first: int,
    advance: Callable[[int], None],
) -> Found:
    """The answers for the next photos; none where there are no more."""
    paths = list[str]()

    def taken() -> Iterator[Picture]:
        for path, pictures in part:
            paths.append(path)
            yield from pictures
            advance(1)

    answers, photos, place = list[Prediction](), list[int](), -1

    def add(each: Prediction) -> None:
        answers.append(each)
        photos.append(first + place)

    for each in answer(taken()):
        while place < 0 or paths[place] != each.path:
            place += 1
            if paths[place] != each.path:
                add(_unseen(paths[place]))
        add(each)
    for path in paths[place + 1 :]:
        place += 1
        add(_unseen(path))
    return answers, photos


def _unseen(path: str) -> Prediction:
    """The row of a film of which no frame can be shown: every photo and video has one."""
    return Prediction(path, "unreadable", ("unreadable",), reason="no frame of it can be shown")


def _stored(folder: AnswerFolder, number: int, part: Iterator[Group], first: int) -> Found:
    """A part that is there already, whose photos are passed over.

    Raises:
        OutputError: if it is about other photos.
    """
    paths, table = [path for path, _ in part], folder.read(number)
    answers, photos = list(prediction_rows(table, folder.labels)), table["photo"].to_list()
    of_paths = dict(zip(range(first, first + len(paths)), paths, strict=True))
    if any(of_paths.get(photo) != each.path for each, photo in zip(answers, photos, strict=True)) or (
        photos[-1] + 1 - first != len(paths)
    ):
        raise OutputError(
            f"{folder.part(number)}: answers about other photos than those given now; give those that {folder.path} "
            "was begun with, or another --out"
        )
    return answers, photos
