"""The photos that a report shows, small, with what is said below each: what `thumbnails.msgpack` holds.

They are made from decoded pixels alone; nothing else of a photo's file is in them.
"""

from __future__ import annotations

import base64

from mien.results.record import Record

__all__ = ["Exhibit", "ExhibitGroup", "Exhibits", "Thumbnail"]


class Thumbnail(Record):
    """A photo to show.

    Attributes:
        jpeg: the photo.
        width: px.
        height: px.
        focus: where the face is, as CSS ``object-position`` of a square cut-out.
        face: left, top, width and height of the face as per cent of the photo, cut at its edges, or None.
        path: inside its source.
        label: its class.
        heat_jpeg: the photo with what an answer rests on in red, or None.
    """

    jpeg: bytes
    width: int
    height: int
    focus: str
    face: tuple[float, float, float, float] | None
    path: str
    label: str
    heat_jpeg: bytes | None = None

    @property
    def name(self) -> str:
        """File name, without its folders."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def uri(self) -> str:
        """The photo as a data URI."""
        return _uri(self.jpeg)

    @property
    def heat(self) -> str | None:
        """What an answer rests on, as a data URI, or None."""
        return _uri(self.heat_jpeg) if self.heat_jpeg else None


class Exhibit(Record):
    """A photo and what is said of it, in a few words; empty for nothing."""

    photo: Thumbnail
    note: str = ""


class ExhibitGroup(Record):
    """Photos to be seen side by side, and how many more there are."""

    exhibits: tuple[Exhibit, ...]
    more: int


class Exhibits(Record):
    """The photos of every gallery, each the most telling first.

    Attributes:
        sample: drawn at random, the classes in turn.
        faces: flag of the face audit → photos.
        test: mistakes on the test photos, in the order of the results; ``target`` likewise.
    """

    sample: tuple[Thumbnail, ...]
    conflicts: tuple[ExhibitGroup, ...]
    drawn: tuple[Exhibit, ...]
    perhaps_drawn: tuple[Exhibit, ...]
    copies: tuple[ExhibitGroup, ...]
    series: tuple[ExhibitGroup, ...]
    faces: dict[str, tuple[Exhibit, ...]]
    doubts: tuple[Exhibit, ...]
    test: tuple[Thumbnail, ...]
    target: tuple[Thumbnail, ...]


def _uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
