"""What the first bytes of a file say where no picture could be had from it: one short reason, and what to do."""

from __future__ import annotations

import re

__all__ = ["START", "VIDEO_SUFFIXES", "is_heic", "is_video", "why_no_image"]

START = 1024
"""Bytes that are looked at."""

HEIC = rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)"

VIDEO = (
    rb"\0.{3}ftyp(?!hei[cxms]|hev[cxms]|mif1|msf1|avi[fs]|jxl |crx )",
    rb"\0.{3}(?:wide|free|skip|pnot)|.{4}(?:moov|mdat)",
    rb"\x1a\x45\xdf\xa3",
    rb"RIFF.{4}AVI ",
    rb"\0\0\x01[\xb3\xba]",
    rb"(?:\x47.{187}){3}",
    rb".{4}(?:\x47.{191}){3}",
    rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    rb"FLV\x01",
    rb"OggS",
    rb"\x06\x0e\x2b\x34\x02\x05\x01\x01",
    rb"\x1f\x07\0",
    rb"DKIF",
    rb"YUV4MPEG2",
    rb"nut/multimedia container",
    rb"\0\0\0?\x01[\x67\x09\x40\x46]",
)
"""How videos begin: MP4 and QuickTime, Matroska and WebM, AVI, MPEG programs and transport streams of broadcasts and of
camcorders, Windows Media, Flash, Ogg, MXF, DV, IVF, Y4M, NUT, bare H.264 and H.265."""
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"),
    *(".mts", ".m2ts", ".vob", ".mxf"),
)

HTML = rb"(?i)\s*(?:<(?:\?xml|!--).*)?<(?:!doctype html|html|head|body)"

DAMAGED_IMAGES = {
    "JPEG": rb"\xff\xd8",
    "PNG": rb"\x89PNG",
    "GIF": rb"GIF8",
    "WebP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "BMP": rb"BM.{4}\0{4}",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
}
"""Formats that mien reads, by how they begin."""

OTHER_CONTENT = {
    "HEIC: Pillow here cannot read it; convert it to JPEG, or pip install pillow-heif": HEIC,
    "AVIF: Pillow here cannot read it, or it is damaged; convert it to JPEG": rb".{4}ftypavi[fs]",
    "JPEG XL: Pillow cannot read it; convert it to JPEG": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a video (MP4 or QuickTime), not a photo": rb"\0.{3}(?:ftyp|moov|mdat|wide|free|skip)",
    "a video (Matroska or WebM), not a photo": rb"\x1a\x45\xdf\xa3",
    "a video (AVI), not a photo": rb"RIFF.{4}AVI ",
    "a sound, not a photo": rb"RIFF.{4}WAVE|ID3|OggS|fLaC",
    "a video, not a photo": b"|".join(VIDEO),
    "a Photoshop document; export it as JPEG": rb"8BPS",
    "a PostScript drawing; export it as PNG": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a PDF document, not an image": rb"%PDF-",
    "an icon, not a photo": rb"\0\0[\x01\x02]\0",
    "a zip archive or an office document, not an image": rb"PK(?:\x03\x04|\x05\x06)",
    "an archive, not an image; unpack it": rb"Rar!|7z\xbc\xaf\x27\x1c|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd",
    "only a pointer of Git LFS, not the photo; fetch it with git lfs pull": rb"version https://git-lfs",
    "an SVG drawing; export it as PNG": rb"(?i)\s*(?:<\?xml|<!--|<!doctype svg).*<svg|\s*<svg",
    "a web page (HTML), not an image; download the photo itself": HTML,
}
"""Reasons, and how such files begin; the first that fits holds."""


def is_heic(content: bytes) -> bool:
    """Whether a file says that it is HEIC, as iPhones write it, or another picture in its container."""
    return re.match(HEIC, content[:START], re.DOTALL) is not None


def is_video(start: bytes, name: str) -> bool:
    """Whether a file is a video: by how it begins, or by its name where it begins like nothing that is known.

    Args:
        start: its first ``START`` bytes.
    """
    if any(re.match(pattern, start, re.DOTALL) for pattern in VIDEO):
        return True
    others = (HEIC, *DAMAGED_IMAGES.values(), *OTHER_CONTENT.values())
    is_other = not start.strip(b"\0") or any(re.match(pattern, start, re.DOTALL) for pattern in others)
    return name.lower().endswith(VIDEO_SUFFIXES) and not is_other


def why_no_image(content: bytes) -> str:
    """The reason why the bytes of a file are no image that can be read.

    Signatures are the magic numbers of the formats' specifications.
    """
    if not content.strip(b"\0"):
        return "zeros only; the copy or download went wrong, fetch it again"
    start = content[:START].removeprefix(b"\xef\xbb\xbf")
    for name, pattern in DAMAGED_IMAGES.items():
        if re.match(pattern, start, re.DOTALL):
            return f"damaged: it begins as {name}, but is cut short or broken in its header"
    for reason, pattern in OTHER_CONTENT.items():
        if re.match(pattern, start, re.DOTALL):
            return reason
    if _is_text(start):
        return "text, not an image"
    return "not an image, or of a format that is not read; JPEG, PNG, WebP, GIF, TIFF, BMP and AVIF are"


def _is_text(start: bytes) -> bool:
    """Whether bytes are printable UTF-8, of which the last character may be cut off."""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text = start[: error.start].decode("utf-8")
    return bool(text) and all(character.isprintable() or character.isspace() for character in text)
