"""A zip or a tar → its files, without extracting them.

A zip and an uncompressed tar are read where they lie. Inside a compressed tar nothing can be found without
decompressing all that stands before it, so it is decompressed once, whole, into a nameless temporary file (which
the system removes when mien ends, however it ends); from there its members are read in any order. That takes as
much space in the folder for temporary files as the tar holds, and no memory.

What an archive says of itself is not believed: no more of a member is unpacked than the size it claims and one byte,
and headers are read up to a bound.
"""

from __future__ import annotations

import lzma
import math
import shutil
import tarfile
import tempfile
import threading
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from mien.data.sources.files import Source, SourceFile, printable, system_file
from mien.data.sources.folder import ARCHIVE_SUFFIXES
from mien.data.sources.unpacking import Metered, read_member, unpacked
from mien.errors import SourceError
from mien.system.files import MAX_FILE_BYTES, open_regular

__all__ = ["is_tar", "is_zip", "list_tar", "list_zip"]

DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError, RecursionError),
    *(zlib.error, lzma.LZMAError),
)
BLOCK = tarfile.BLOCKSIZE
COPY_BYTES = 4 * 2**20
MAX_HEADER_BYTES = 16 * 2**20
"""Of what stands before a member of a tar: its name, its dates, and a map of its holes."""
MAX_DIRECTORY_BYTES = 256 * 2**20
"""Of the directory of a zip; that of a million files takes less than half of it."""
MAX_MEMBERS = 5_000_000
NO_DATE = (1980, 1, 1, 0, 0, 0)
SPARE_BYTES = 512 * 2**20
"""What is left free in the folder for temporary files."""


def is_zip(path: Path) -> bool:
    """Whether a file ends as a zip does."""
    try:
        with open_regular(path) as file:
            return zipfile.is_zipfile(file)
    except OSError:
        return False


def list_zip(path: Path, spec: str) -> Source:
    """Every file in a zip, by name.

    Raises:
        SourceError: if the zip is damaged, encrypted or empty, or if a member points outside.
    """
    try:
        file = Metered(open_regular(path), MAX_DIRECTORY_BYTES)
        archive = zipfile.ZipFile(file)
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
    file.allowance = math.inf
    if not files:
        raise SourceError(f"{path}: the zip is empty; expected one folder of photos per class")
    files.sort(key=lambda f: f.path)
    return Source(
        path.stem, spec, tuple(files), lambda f: read_member(archive, members[int(f.location)], MAX_FILE_BYTES)
    )


def is_tar(path: Path) -> bool:
    """Whether a file begins with the header of a tar, compressed or not; whatever it is called."""
    try:
        with open_regular(path) as file:
            tarfile.TarInfo.frombuf((unpacked(file) or file).read(BLOCK), "utf-8", "surrogateescape")
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


def _seekable(path: Path) -> IO[bytes]:
    """The bare tar: the file itself, or a temporary one that it was decompressed into.

    Raises:
        SourceError: if the temporary file has no room.
    """
    file = open_regular(path)
    stream = unpacked(file)
    if stream is None:
        return file
    copy = tempfile.TemporaryFile(prefix="mien-")  # noqa: SIM115 - open for as long as the source is read
    with file, stream:
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
    replaced: list[SourceFile] = []
    metered = Metered(stream, MAX_HEADER_BYTES)
    with tarfile.open(fileobj=metered, mode="r:", encoding="utf-8") as archive:  # type: ignore[call-overload]
        while (member := archive.next()) is not None:
            metered.allowance = MAX_HEADER_BYTES
            archive.members.clear()  # or a million members would stay in memory
            archive.pax_headers.clear()  # said once for all that follow; only this one's size and name would count
            if len(files) + len(replaced) == MAX_MEMBERS:
                raise tarfile.ReadError(f"it has more than {MAX_MEMBERS:,} members")
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
    if int(size) < 0:
        raise OSError("damaged in the tar: it claims a size below nothing")
    with lock:
        stream.seek(int(offset))
        content = stream.read(int(size))
    if len(content) < int(size):
        raise OSError("damaged in the tar: it is cut short")
    return content
