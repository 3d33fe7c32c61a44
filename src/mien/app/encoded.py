"""Pictures as text, as programs put them into JSON: base64 in its two alphabets, in one line or many; data URLs."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from mien.system.paths import shown, why_no_file

__all__ = ["NotEncodedError", "decoded"]

URL_SAFE = bytes.maketrans(b"-_", b"+/")
"""The alphabet for addresses and names of files, put into the usual one (RFC 4648, sections 4 and 5)."""
BREAK = re.compile(rb"[ \t]*[\r\n]+[ \t]*")
SHORTEST = 64
"""Characters that no image file is encoded in fewer of; so much may be a sentence."""
LOST_PLUS = re.compile(rb"[A-Za-z0-9+/ ]+")


class NotEncodedError(ValueError):
    """A text that holds no picture; the message is the reason, and what to do."""


def decoded(text: str) -> bytes:
    """The bytes that a text stands for.

    Args:
        text: base64 of RFC 4648, of either alphabet, with or without padding and line breaks; or a data URL
            (RFC 2397) with such a text or a percent-encoded one behind its comma.

    Raises:
        NotEncodedError: if it is none, or empty.
    """
    if text.lstrip()[:5].lower() == "data:":
        head, comma, body = text.lstrip().partition(",")
        if not comma:
            raise NotEncodedError("a data URL without a comma; expected data:image/png;base64,…")
        content = unquote_to_bytes(body)
        if head.rstrip().lower().endswith(";base64"):
            content = _of_base64(content)
    else:
        content = _of_base64(text.encode("utf-8", "surrogatepass"), text)
    if not content:
        raise NotEncodedError("empty; send the bytes of an image file as base64")
    return content


def _of_base64(sent: bytes, text: str = "") -> bytes:
    bare = BREAK.sub(b"", sent.strip()).translate(URL_SAFE).rstrip(b"=")
    if len(bare) > SHORTEST and b" " in bare and LOST_PLUS.fullmatch(bare):
        raise NotEncodedError("base64 with blanks in it, which may be + signs that were lost on the way; send it again")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        why = why_no_file(text[:200]) if text.strip() else None
        raise NotEncodedError(f"not base64: {why or shown(text[:40])}; send the bytes of an image file") from None
