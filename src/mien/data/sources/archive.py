"""A zip or a tar → its files, without extracting them.

A zip and an uncompressed tar are read where they lie. Inside a compressed tar nothing can be found without
decompressing all that stands before it, so it is decompressed once, whole, into a nameless temporary file (which
the system removes when mien ends, however it ends); from there its members are read in any order. That takes as
much space in the folder for temporary files as the tar holds, and no memory.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from mien.data.sources.files import MAX_FILE_BYTES, Source, SourceFile, printable, system_file
from mien.data.sources.folder import ARCHIVE_SUFFIXES
from mien.errors import SourceError

__all__ = ["is_tar", "list_tar", "list_zip"]

COMPRESSIONS: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)
BLOCK = tarfile.BLOCKSIZE
COPY_BYTES = 4 * 2**20
NO_DATE = (1980, 1, 1, 0, 0, 0)
SPARE_BYTES = 512 * 2**20
"""What is left free in the folder for temporary files."""


def list_zip(path: Path, spec: str) -> Source:
    """Every file in a zip, by name.

    Raises:
        SourceError: if the zip is damaged, encrypted or empty, or if a member points outside.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{path}: the zip is damaged ({error}); download it again") from error
    members = archive.infolist()  # by place, because two may bear the same name
    files = []
    for i, member in enumerate(members):
        if member.is_dir():
            continue
        name = _inner_name(path, member.filename, "zip")
        if member.flag_bits & 1:
            raise SourceError(f"{path}: the zip is encrypted; unpack it with its password and give the folder")
        # What is kept for every member counts: one string for both names, and nothing that reading does not need.
        name = member.filename if name == member.filename else name
        member.date_time, member.extra, member.comment = NO_DATE, b"", b""
        files.append(SourceFile(name, str(i), ignored=system_file(name)))
    archive.NameToInfo.clear()  # members are read by place
    if not files:
        raise SourceError(f"{path}: the zip is empty; expected one folder of photos per class")
    files.sort(key=lambda f: f.path)
    return Source(path.stem, spec, tuple(files), lambda f: _read_zip_member(archive, members[int(f.location)]))


def is_tar(path: Path) -> bool:
    """Whether a file begins with the header of a tar, compressed or not; whatever it is called."""
    try:
        with _decompressed(path) or path.open("rb") as stream:
            tarfile.TarInfo.frombuf(stream.read(BLOCK), "utf-8", "surrogateescape")
    except DAMAGE:
        return False
    return True


def list_tar(path: Path, spec: str) -> Source:
    """Every file in a tar, by name; links and devices are listed as ignored.

    Raises:
        SourceError: if the tar is damaged or empty, if a member points outside, or if there is no room to
            decompress it.
    """
    try:
        stream = _seekable(path)
        files = _tar_files(path, stream)
    except DAMAGE as error:
        raise SourceError(f"{path}: the tar is damaged ({error}); download it again") from error
    if not files:
        raise SourceError(f"{path}: the tar is empty; expected one folder of photos per class")
    lock = threading.Lock()
    name = next(path.name[: -len(end)] for end in (*ARCHIVE_SUFFIXES, path.suffix) if path.name.lower().endswith(end))
    return Source(name, spec, files, lambda f: _read_tar_member(stream, lock, f.location))


def _inner_name(path: Path, name: str, kind: str) -> str:
    """The path of a member, printable, with ``/``.

    Raises:
        SourceError: if it points outside the archive.
    """
    inner = PurePosixPath(name.replace("\\", "/"))
    shown = printable(str(inner).encode("utf-8", "surrogateescape"))
    if not inner.parts or inner.is_absolute() or ".." in inner.parts or ":" in inner.parts[0]:
        raise SourceError(f"{path}: the member {shown!r} points outside the archive; do not trust this {kind}")
    return shown


def _read_zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise OSError(f"damaged in the zip: {error}") from error


def _decompressed(path: Path) -> io.BufferedIOBase | None:
    """The content of a file whose first bytes say that it is compressed; None for any other."""
    with path.open("rb") as file:
        start = file.read(6)
    decompress = next((how for magic, how in COMPRESSIONS.items() if start.startswith(magic)), None)
    return decompress(path) if decompress else None


def _seekable(path: Path) -> IO[bytes]:
    """The bare tar: the file itself, or a temporary one that it was decompressed into.

    Raises:
        SourceError: if the temporary file has no room.
    """
    stream = _decompressed(path)
    if stream is None:
        return path.open("rb")
    copy = tempfile.TemporaryFile(prefix="mien-")  # noqa: SIM115 - open for as long as the source is read
    with stream:
        while chunk := stream.read(COPY_BYTES):
            if shutil.disk_usage(tempfile.gettempdir()).free < SPARE_BYTES:
                copy.close()
                raise SourceError(
                    f"{path}: no room to decompress the tar in {tempfile.gettempdir()}; unpack it and give the "
                    "folder, or name another place with TMPDIR"
                )
            copy.write(chunk)
    copy.seek(0)
    return copy


def _tar_files(path: Path, stream: IO[bytes]) -> tuple[SourceFile, ...]:
    """The members of a tar by name; where a name comes again, the later member counts, as in unpacking."""
    files: dict[str, SourceFile] = {}
    replaced = []
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # or a million members would stay in memory
            if member.isdir():
                continue
            name = _inner_name(path, member.name, "tar")
            location = f"{member.offset_data}:{member.size}"
            if name in files:
                replaced.append(replace(files[name], ignored="replaced by a later member of the same name"))
            files[name] = SourceFile(name, location, ignored=system_file(name) or _odd_member(member))
    stream.seek(max(0, stream.tell() - BLOCK))
    if stream.read(BLOCK).strip(b"\0"):  # tarfile takes a header that it cannot read for the end
        raise tarfile.ReadError("it ends in the middle")
    return tuple(sorted([*files.values(), *replaced], key=lambda f: f.path))


def _odd_member(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "link inside the archive; links are not followed"
    if not member.isreg():
        return "device or pipe, not a file"
    if member.issparse():
        return "stored with holes; unpack the tar and give the folder"
    return None


def _read_tar_member(stream: IO[bytes], lock: threading.Lock, location: str) -> bytes:
    offset, _, size = location.partition(":")
    if int(size) > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
    with lock:
        stream.seek(int(offset))
        content = stream.read(int(size))
    if len(content) < int(size):
        raise OSError("damaged in the tar: it is cut short")
    return content
