"""A handful of own test photos: a folder a class on the user's own disk, written only on request, and their score."""

from __future__ import annotations

import io
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mien.data.reading.preprocess import UnreadableImageError, decode
from mien.errors import ConfigError, OutputError
from mien.metrics import Interval, wilson
from mien.system.files import not_written, read_file
from mien.system.paths import user_path

__all__ = ["MOST_BYTES", "OwnPhotos", "OwnScore", "own_photo", "own_score"]

NAME = re.compile(r"own-(\d{4,})\.jpg")
MOST_BYTES = 32 * 2**20
"""Of a photo that is read; none that was taken here is nearly as large."""
FEW = 30
"""Photos below which their share of right answers says too little."""


@dataclass(frozen=True)
class OwnScore:
    """How many of the photos got the label they were taken for; ``interval`` is Wilson's, 95 %."""

    right: int
    n: int
    interval: Interval | None

    @property
    def told(self) -> str:
        """In a sentence, which says so when there are too few to tell."""
        if self.interval is None:
            return "No photos yet."
        text = f"{self.right} of {self.n} right: {self.right / self.n:.0%}, "
        text += f"and anything from {self.interval.low:.0%} to {self.interval.high:.0%} is plausible (95 %)."
        return text + (f" Too few to tell: take {FEW} or more, of several people." if self.n < FEW else "")


def own_score(right: int, n: int) -> OwnScore:
    """The score of ``n`` photos."""
    return OwnScore(right, n, wilson(right, n))


def own_photo(path: Path) -> Image.Image:
    """A photo that was taken here.

    Raises:
        UnreadableImageError: if it cannot be read, or something else was put in its place.
    """
    try:
        return decode(read_file(path, MOST_BYTES, follow_links=False)).image
    except OSError as error:
        raise UnreadableImageError(error.strerror or "it cannot be read") from error


class OwnPhotos:
    """Photos ``own-0001.jpg`` and so on, in a folder for each class; other files there are left alone.

    The folder itself may be a link. What is in it may not: a link could lead to photos that were never taken here.
    """

    def __init__(self, folder: str) -> None:
        """Take a folder, which need not exist yet.

        Raises:
            OutputError: if none is named, or none can have this name.
        """
        if not folder.strip():
            raise OutputError("Name a folder on your disk first, such as ~/my-faces")
        if "\0" in folder or not _can_be_named(folder):
            raise OutputError(f"{folder!r}: no folder can have this name")
        try:
            self.folder = user_path(folder.strip(), "folder")
        except ConfigError as error:
            raise OutputError(f"{error}; no folder can have this name") from error

    def save(self, image: Image.Image, label: str) -> Path:
        """Write a photo into the folder of its class.

        Raises:
            OutputError: if that cannot be done.
        """
        folder = self._of(label)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = [int(found[1]) for path in folder.iterdir() if (found := NAME.fullmatch(path.name))]
            path = folder / f"own-{max(taken, default=0) + 1:04d}.jpg"
            content = io.BytesIO()
            image.convert("RGB").save(content, "JPEG", quality=95)
            partial = folder / f".{path.name}-{secrets.token_hex(8)}"  # a name under which nothing can wait for us
            try:
                partial.write_bytes(content.getvalue())
                os.link(partial, path)  # whole or not at all, and never over another
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise not_written(folder, error, "make room, or name another folder") from error
        return path

    def all(self, labels: tuple[str, ...]) -> list[tuple[Path, str]]:
        """Every photo that was taken here, with its class, oldest first within it.

        Raises:
            OutputError: if a class cannot have a folder, or its folder cannot be read.
        """
        found = []
        for label in labels:
            folder = self._of(label)
            try:
                paths = sorted(folder.iterdir()) if folder.is_dir() else []
                photos = [path for path in paths if NAME.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode)]
            except OSError as error:
                raise OutputError(f"{folder}: cannot be read ({error.strerror})") from error
            found += [(path, label) for path in photos]
        return found

    def delete(self, name: str, labels: tuple[str, ...]) -> None:
        """Delete one photo that was taken here; ``name`` is ``CLASS/own-0001.jpg``.

        Raises:
            OutputError: if there is no such photo.
        """
        for path, label in self.all(labels):
            if name == f"{label}/{path.name}":
                try:
                    path.unlink()
                except OSError as error:
                    raise OutputError(f"{path}: cannot be deleted ({error.strerror})") from error
                return
        raise OutputError(f"{name}: no such photo was taken here")

    def _of(self, label: str) -> Path:
        """The folder of a class; a label comes with the model file, which a stranger may have made."""
        if label in ("", "..") or "\\" in label or Path(label).name != label:
            raise OutputError(f"{label!r} names no folder, so photos of this class cannot be kept")
        folder = self.folder / label
        try:
            is_link = folder.is_symlink()
        except OSError as error:
            raise OutputError(f"{folder}: no folder can have this name ({error.strerror})") from error
        if is_link:
            raise OutputError(f"{folder}: is a link; photos are kept in folders alone, so give this class a folder")
        return folder


def _can_be_named(name: str) -> bool:
    """Whether the file system can hold the name: a lone half of a character cannot be encoded."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
