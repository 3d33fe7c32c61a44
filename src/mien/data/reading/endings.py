"""Does a file end before its own structure says it does? What a copy or a recording that broke off looks like."""

from __future__ import annotations

import struct
from typing import BinaryIO

__all__ = ["is_cut_short"]

START = 4096
"""Bytes in which the signatures and the headers that are looked for stand."""
TAIL = 1024
BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""What an MP4 or QuickTime file may begin with."""
SEGMENT = b"\x18\x53\x80\x67"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def is_cut_short(file: BinaryIO) -> bool:
    """Whether the end is missing of a file whose format says where that is; False for others.

    Of AVI, WebP, MP4, QuickTime, AVIF, Matroska, WebM, MPEG transport streams, Windows Media, GIF and PNG.

    Args:
        file: is read from its beginning, at few places, and left anywhere.
    """
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(START)
    if start.startswith(b"RIFF"):
        return _riff_end(file, size) > size
    if start[4:8] in BOXES:
        return _boxes_end(file, size) > size
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return _segment_end(start) > size
    if start.startswith(ASF):
        return _asf_end(start) > size
    if step := transport_step(start):
        return size % step != 0
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    if start.startswith(b"GIF8"):
        return b"\0;" not in tail[-16:]
    return start.startswith(b"\x89PNG") and b"IEND" not in tail


def transport_step(start: bytes) -> int:
    """Bytes from one packet of an MPEG transport stream to the next: 188, or 192 of camcorders; 0 if it is none."""
    for first, step in ((0, 188), (4, 192)):
        if len(start) > first + 2 * step and all(start[first + i * step] == 0x47 for i in range(3)):
            return step
    return 0


def _riff_end(file: BinaryIO, size: int) -> int:
    """Where the last chunk ends, as far as they say; long AVIs have several."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or length in (0, 2**32 - 1):  # not written down, as by a recorder that cannot go back
            break
        place += 8 + length
        place += place % 2 if place < size else 0
    return place


def _boxes_end(file: BinaryIO, size: int) -> int:
    place = 0
    while place + 8 <= size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            wide = file.read(8)
            length = int.from_bytes(wide, "big") if len(wide) == 8 else size
        if length < 8 or not kind.strip(b"\0"):  # the last box may reach to the end, whereever that is
            break
        place += length
    return place


def _segment_end(start: bytes) -> int:
    """Where the segment of a Matroska file ends; 0 where that is not said, as in a live recording."""
    place = start.find(SEGMENT)
    if place < 0 or place + 12 > len(start):
        return 0
    place += len(SEGMENT)
    width = 9 - start[place].bit_length()
    length = int.from_bytes(start[place : place + width], "big") - (1 << 7 * width)
    return 0 if length == (1 << 7 * width) - 1 else place + width + length


def _asf_end(start: bytes) -> int:
    """Where a Windows Media file ends; 0 where that is not said, as in a broadcast."""
    place = start.find(ASF_PROPERTIES)
    if place < 0 or place + 92 > len(start):
        return 0
    is_broadcast = start[place + 88] & 1
    return 0 if is_broadcast else int.from_bytes(start[place + 40 : place + 48], "little")
