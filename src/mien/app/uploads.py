"""Pictures that were sent to the page: whose they are, where they lie, and until when.

A picture is known by a key, which is drawn by chance and tells nothing of where it lies. The page's visitors name keys
and never paths, so that there is no path to climb out of; and a key serves the visitor alone who sent the picture.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from mien.system.files import read_file

__all__ = ["Arriving", "FullError", "GoneError", "Upload", "Uploads"]

KEPT = 50.0
"""Seconds that a picture lies there if nobody asks for it; looked after ten times as often, so that a minute holds."""
MOST = 2**30
"""Bytes of all pictures together, unless the file system is small."""
PAGE = 4096
"""What the smallest file takes in memory, bytes."""


class FullError(Exception):
    """No more pictures can be taken now; the message is one line that says why."""


class GoneError(Exception):
    """A picture is not there any more."""


@dataclass(frozen=True)
class Upload:
    """One picture.

    Attributes:
        name: what its sender calls the file.
        owner: the visitor who sent it.
        size: bytes.
        until: when it is deleted, by ``time.monotonic``.
    """

    path: Path
    name: str
    owner: str
    size: int
    until: float

    @property
    def taken_up(self) -> int:
        """Bytes that it takes where it lies."""
        return max(1, -(-self.size // PAGE)) * PAGE


class Uploads:
    """All pictures that were sent and not yet deleted. Safe to use from several threads."""

    def __init__(self, folder: Path, *, most: int | None = None, kept: float = KEPT) -> None:
        """Keep pictures in a folder that belongs to this object.

        Args:
            most: bytes of all pictures together, those that are arriving too; of itself 1 GiB, or half of what the
                folder's file system can hold if that is less.
            kept: seconds until a picture for which nobody asked is deleted.
        """
        self.folder = folder
        self.most = most if most is not None else min(MOST, shutil.disk_usage(folder).total // 2)
        self._kept, self._used = kept, 0
        self._there: dict[str, Upload] = {}
        self._lock, self._is_closed = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._sweep_on, name="mien-uploads", daemon=True)
        self._thread.start()

    @property
    def used(self) -> int:
        """Bytes of what is there or arriving."""
        return self._used

    def close(self) -> None:
        """Delete nothing any more; the folder is its owner's to remove."""
        self._is_closed.set()
        self._thread.join()

    def arriving(self) -> Arriving:
        """To be used in a ``with`` block, in which a request's pictures are taken."""
        return Arriving(self)

    def find(self, key: str, owner: str) -> Upload:
        """A visitor's own picture.

        Raises:
            GoneError: if this visitor has none with this key; whether another has is not told.
        """
        found = self._there.get(key)
        if found is None or not secrets.compare_digest(found.owner.encode(), owner.encode()):
            raise GoneError(key)
        return found

    def read(self, path: str) -> tuple[str, bytes]:
        """Name and content of a picture, which stays.

        Raises:
            GoneError: if it is none of these, or deleted, or no longer the file that it was.
        """
        found = self._there.get(Path(path).name)
        if found is None or str(found.path) != path:
            raise GoneError(path)
        try:
            return found.name, read_file(found.path, found.size, follow_links=False)
        except OSError as error:
            raise GoneError(path) from error

    def take(self, path: str) -> tuple[str, bytes]:
        """Name and content of a picture, which is deleted.

        Raises:
            GoneError: as ``read``.
        """
        try:
            return self.read(path)
        finally:
            self.delete(path)

    def delete(self, path: str) -> None:
        """Delete a picture if it is one of these, and nothing else."""
        with self._lock:
            found = self._there.get(Path(path).name)
            if found is None or str(found.path) != path:
                return
            del self._there[found.path.name]
            self._used -= found.taken_up
        found.path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what has been there for its time, and whatever else lies in the folder for as long."""
        now = time.monotonic()
        for upload in list(self._there.values()):
            if upload.until <= now:
                self.delete(str(upload.path))
        for folder, folders, files in os.walk(self.folder, topdown=False):
            for name in files:
                path = Path(folder, name)
                with suppress(OSError):
                    if name not in self._there and path.lstat().st_mtime < time.time() - self._kept:
                        path.unlink()
            for name in folders:
                with suppress(OSError):  # it is not empty
                    Path(folder, name).rmdir()

    def _sweep_on(self) -> None:
        while not self._is_closed.wait(self._kept / 10):
            self.sweep()

    def _change(self, size: int) -> None:
        """Count bytes that come or go.

        Raises:
            FullError: if they would be too many.
        """
        with self._lock:
            if size > 0 and self._used + size > self.most:
                raise FullError(f"at most {_told(self.most)} of photos are held at a time")
            self._used += size

    def _keep(self, name: str, content: bytes, owner: str) -> str:
        key = secrets.token_hex(16)
        upload = Upload(self.folder / key, name, owner, len(content), time.monotonic() + self._kept)
        self._change(upload.taken_up)
        try:
            with upload.path.open("xb") as file:
                file.write(content)
        except OSError as error:
            self._change(-upload.taken_up)
            upload.path.unlink(missing_ok=True)
            raise FullError(f"the photo cannot be held ({error.strerror})") from error
        self._there[key] = upload
        return key


class Arriving:
    """The pictures of one request: all are kept, or none if it fails or is cut off."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads, self._reserved = uploads, 0
        self._kept: list[str] = []

    def __enter__(self) -> Arriving:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._uploads._change(-self._reserved)
        if kind is not None:
            for key in self._kept:
                self._uploads.delete(str(self._uploads.folder / key))

    def reserve(self, size: int) -> None:
        """Count bytes that have arrived and are no picture yet.

        Raises:
            FullError: if they are too many.
        """
        self._uploads._change(size)
        self._reserved += size

    def keep(self, name: str, content: bytes, owner: str) -> str:
        """Put a picture, whose bytes were reserved, where it can be asked for: its key.

        Raises:
            FullError: if there is no room.
        """
        moved = min(len(content), self._reserved)
        self._uploads._change(-moved)
        self._reserved -= moved
        key = self._uploads._keep(name, content, owner)
        self._kept.append(key)
        return key


def _told(size: int) -> str:
    return f"{size / 2**20:.0f} MiB" if size >= 2**20 else f"{size} bytes"
