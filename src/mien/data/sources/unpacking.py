"""Unpacking what strangers packed, in bounded memory, whatever an archive says of itself."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from typing import IO, Protocol

__all__ = ["Metered", "read_member", "unpacked"]

CHUNK, PART = 2**16, 2**20
"""Bytes that are read, and unpacked, at a time; the content is there once and no more."""
MAX_UNPACKER_BYTES = 256 * 2**20
"""What an xz file may make its unpacker hold; ``xz -9`` takes 65 MB. It is told in the file, and may be 4 GB."""


class Metered:
    """A seekable file of which no more is read at a time than is allowed; for readers that believe what a file claims.

    Attributes:
        allowance: bytes that may still be read.
    """

    def __init__(self, file: IO[bytes], allowance: float) -> None:
        self._file, self.allowance = file, allowance
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes, or all that are left where the number is below zero.

        Raises:
            OSError: if that is more than is allowed.
        """
        if size < 0:
            here = self._file.tell()
            size = self._file.seek(0, io.SEEK_END) - here
            self._file.seek(here)
        if size > self.allowance:
            raise OSError("what it claims to hold beside its files is too large")
        self.allowance -= size
        return self._file.read(size)


def unpacked(file: IO[bytes]) -> IO[bytes] | None:
    """The content of a file whose first bytes say that it is a gzip, bzip2 or xz; None for any other."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    return io.BufferedReader(_Xz(file), CHUNK) if start == b"\xfd7zXZ\0" else None


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """The content of a zip's member, unpacked up to the size that the zip's directory claims and one byte.

    ``zipfile`` itself unpacks as much as comes, and cuts it to the claimed size afterwards.

    Args:
        most: bytes that it may claim.

    Raises:
        OSError: if it is too large, damaged, or of another size.
    """
    size = member.file_size
    if size > most:
        raise OSError(f"larger than {most >> 20} MB")
    try:
        with archive.open(_as_it_lies(member)) as stream:
            content = _unpack(stream, member)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise OSError(f"damaged in the zip: {error}") from error
    if len(content) != size:
        raise OSError(f"damaged in the zip: it unpacks to {'more' if len(content) > size else 'less'} than it claims")
    if zlib.crc32(content) != member.CRC:
        raise OSError("damaged in the zip: its checksum differs")
    return content


def _as_it_lies(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The same bytes, to be taken without unpacking or checking them; ``copy.copy`` would take ten times as long."""
    packed = zipfile.ZipInfo()
    packed.filename, packed.orig_filename = member.filename, member.orig_filename
    packed.header_offset, packed.flag_bits = member.header_offset, member.flag_bits
    packed.compress_size = packed.file_size = member.compress_size
    if hasattr(member, "_end_offset"):  # by which newer versions of Python tell members that overlap
        packed._end_offset = member._end_offset  # type: ignore[attr-defined]
    return packed


class _Unpacker(Protocol):
    """What the standard library's unpackers of bzip2 and LZMA have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Inflater:
    """Deflate, with the interface of the others."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _unpack(stream: IO[bytes], member: zipfile.ZipInfo) -> bytes:
    """Up to the claimed size and one byte."""
    most = member.file_size + 1
    if member.compress_type == zipfile.ZIP_STORED:
        return stream.read(most)
    unpacker, content = _unpacker(stream, member), io.BytesIO()
    while content.tell() < most and not unpacker.eof:
        chunk = stream.read(CHUNK) if unpacker.needs_input else b""
        part = unpacker.decompress(chunk, min(most - content.tell(), PART))
        if not part and not chunk and unpacker.needs_input:
            break
        content.write(part)
    return content.getvalue()  # which copies nothing


def _unpacker(stream: IO[bytes], member: zipfile.ZipInfo) -> _Unpacker:
    if member.compress_type == zipfile.ZIP_DEFLATED:
        return _Inflater()
    if member.compress_type == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor()
    if member.compress_type == zipfile.ZIP_LZMA:
        return _lzma_unpacker(stream.read(9), member.file_size)
    raise NotImplementedError(f"compression method {member.compress_type} is not known here")


def _lzma_unpacker(start: bytes, size: int) -> _Unpacker:
    """The unpacker that a member's first bytes describe (APPNOTE 5.8.8), its dictionary no larger than the member."""
    if len(start) < 9 or start[2:4] != b"\5\0" or start[4] >= 9 * 5 * 5:
        raise ValueError("its LZMA header is damaged")
    rest, lc = divmod(start[4], 9)
    pb, lp = divmod(rest, 5)
    held = min(int.from_bytes(start[5:], "little"), size + 1)
    settings = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": max(held, 4096)}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])


class _Xz(io.RawIOBase):
    """The content of an xz file; ``lzma.LZMAFile`` knows no bound of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._waiting = file, b""
        self._unpacker = self._fresh()

    @staticmethod
    def _fresh() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_UNPACKER_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill the buffer as far as one step of the unpacker does; 0 at the end."""
        while not self._unpacker.eof or self._has_more():
            chunk = (self._waiting or self._file.read(CHUNK)) if self._unpacker.needs_input else b""
            self._waiting = b""
            if not chunk and self._unpacker.needs_input:
                raise EOFError("it ends in the middle")
            content = self._unpacker.decompress(chunk, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
        return 0

    def _has_more(self) -> bool:
        """Whether another stream follows the one that ended, as files that were laid end to end have it."""
        rest = self._unpacker.unused_data.lstrip(b"\0")
        while not rest and (chunk := self._file.read(CHUNK)):
            rest = chunk.lstrip(b"\0")
        if rest:
            self._unpacker, self._waiting = self._fresh(), rest
        return bool(rest)
