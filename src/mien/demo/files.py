"""The drawn set as files: names, bytes, and the defects that are planted for the audit to find."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from PIL import Image

from mien.errors import SourceError

from .people import age_group
from .portrait import draw_face


@dataclass(frozen=True)
class DrawnFile:
    """One file of the set.

    Attributes:
        path: The name, with "/" between folder and file; the folder is the label.
        content: The encoded picture.
    """

    path: str
    content: bytes


@dataclass(frozen=True)
class Planted:
    """A defect planted in the part "demo".

    Attributes:
        kind: "truncated" (cannot be decoded), "duplicate" (the bytes of another file of the class),
            "other label" (the bytes of a file of another class) or "near duplicate" (smaller and brighter).
        source: The file whose picture it bears; for "truncated" the file itself.
    """

    kind: str
    source: str


@dataclass(frozen=True)
class Part:
    """A part of the set.

    Attributes:
        style: The hand it is drawn in, as ``draw_face`` takes it.
        people: Numbers of the people in it, who take turns from file to file.
        folders: Folder name to the expression drawn in it and the number of its files.
    """

    style: str
    people: range
    folders: Mapping[str, tuple[str, int]]


PARTS: dict[str, Part] = {
    "demo": Part(
        "colour",
        range(1, 61),
        {
            "anger": ("anger", 110),
            "disgust": ("disgust", 100),
            "fear": ("fear", 84),
            "happy": ("happy", 116),
            "pain": ("pain", 88),
            "sad": ("sad", 104),
        },
    ),
    "target": Part(
        "grey",
        range(61, 101),
        {
            "angry": ("anger", 30),
            "disgust": ("disgust", 26),
            "fear": ("fear", 28),
            "happiness": ("happy", 32),
            "neutral": ("neutral", 28),
            "sadness": ("sad", 28),
            "surprise": ("surprise", 28),
        },
    ),
}

PLANTED: dict[str, Planted] = {
    "anger/anger-0047.bmp": Planted("truncated", "anger/anger-0047.bmp"),
    "disgust/disgust-0072.bmp": Planted("near duplicate", "disgust/disgust-0015.bmp"),
    "happy/happy-0083.bmp": Planted("duplicate", "happy/happy-0021.bmp"),
    "sad/sad-0059.bmp": Planted("other label", "pain/pain-0034.bmp"),
}
"""The defects of the part "demo", by file name. The names say nothing: the audit has to look."""


def drawn_files(part: str = "demo") -> Iterator[DrawnFile]:
    """Draw the files of a part one at a time, in the order of their names.

    Args:
        part: "demo" or "target".

    Raises:
        SourceError: There is no such part.
    """
    names = file_names(part)  # outside the generator, so that a wrong part fails at once
    return (DrawnFile(name, read_file(part, name)) for name in names)


def file_names(part: str = "demo") -> list[str]:
    """Give the names of all files of a part, sorted, without drawing them.

    Raises:
        SourceError: There is no such part.
    """
    folders = _part(part).folders.items()
    return sorted(_name(folder, i) for folder, (_, count) in folders for i in range(1, count + 1))


def read_file(part: str, path: str) -> bytes:
    """Draw one file of a part.

    Args:
        part: "demo" or "target".
        path: A name that ``file_names`` gives.

    Returns:
        The bytes of the file.

    Raises:
        SourceError: There is no such part, or no such file in it.
    """
    planted = PLANTED.get(path) if part == "demo" else None
    if planted is None:
        return _encoded(_picture(part, path))
    content = _encoded(_picture(part, planted.source))
    if planted.kind == "truncated":
        return content[: len(content) * 2 // 5]
    if planted.kind == "near duplicate":
        return _encoded(_retouched(_picture(part, planted.source)))
    return content


def person_of(part: str, path: str) -> str:
    """Name the person that a file shows, as ``person-07``; a planted copy shows whoever its source shows.

    Raises:
        SourceError: There is no such part, or no such file in it.
    """
    return f"person-{_person(part, _shown(part, path)):02d}"


def age_group_of(part: str, path: str) -> str:
    """Give the age group of the person that a file shows, one of ``AGE_GROUPS``.

    Raises:
        SourceError: There is no such part, or no such file in it.
    """
    return age_group(_part(part).style, _person(part, _shown(part, path)))


def _shown(part: str, path: str) -> str:
    """Name the file whose picture a file bears, which is another for planted copies."""
    return PLANTED[path].source if part == "demo" and path in PLANTED else path


def _person(part: str, path: str) -> int:
    """Number the person of a picture: turns go on from folder to folder, so that everyone has about as many."""
    known, (folder, number) = _part(part), _place(part, path)
    before = [count for name, (_, count) in known.folders.items() if name < folder]
    return known.people[(sum(before) + number) % len(known.people)]


def _part(part: str) -> Part:
    """Look up a part by name."""
    if part not in PARTS:
        raise SourceError(f"the drawn set has the parts {' and '.join(PARTS)}, not {part!r}")
    return PARTS[part]


def _name(folder: str, number: int) -> str:
    """Name a file by its folder and its number, from 1."""
    return f"{folder}/{folder}-{number:04d}.bmp"


def _place(part: str, path: str) -> tuple[str, int]:
    """Read folder and number, from 1, off a file name.

    Raises:
        SourceError: There is no such file.
    """
    folder = path.partition("/")[0]
    _, count = _part(part).folders.get(folder, ("", 0))
    digits = path[-8:-4]
    number = int(digits) if digits.isascii() and digits.isdigit() else 0
    if not 1 <= number <= count or path != _name(folder, number):
        raise SourceError(f"no file {path!r} in part {part!r} of the drawn set; file_names({part!r}) lists them")
    return folder, number


def _picture(part: str, path: str) -> Image.Image:
    """Draw the picture that a file name stands for."""
    known, (folder, number) = _part(part), _place(part, path)
    return draw_face(known.folders[folder][0], number, style=known.style, person=_person(part, path))


def _retouched(picture: Image.Image) -> Image.Image:
    """Make a near duplicate: 0.9 times the size, a little brighter."""
    small = picture.resize((picture.width * 9 // 10, picture.height * 9 // 10), Image.Resampling.BILINEAR)
    return small.point([min(255, value + 6) for value in range(256)] * 3)


def _encoded(picture: Image.Image) -> bytes:
    """Encode a picture as BMP.

    BMP is a fixed header and plain rows. A PNG or a JPEG would differ between builds of Pillow, because
    compressors (zlib and zlib-ng, the JPEG libraries) are free to pack the same pixels differently.
    """
    buffer = io.BytesIO()
    picture.save(buffer, format="BMP")
    return buffer.getvalue()
