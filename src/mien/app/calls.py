"""Calls of the page's functions, written anew: nothing is left in them that could name a file or an address."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mien.app.bodies import RefusedError
from mien.app.uploads import Arriving, GoneError, Uploads
from mien.app.visitors import session_of

__all__ = ["FORGOTTEN", "Takes", "rewritten"]

Takes = Mapping[int, Sequence[str]]
"""For each function its number, and the kinds of Gradio's parts that it takes values of."""

DATA_URL = re.compile(r"data:image/[\w.+-]{1,40};base64,")
FORGOTTEN = "photo %d is not here: it was not sent from this page, or was deleted after a minute; send it again"
PLAIN = {"checkbox": (bool,), "textbox": (str,), "dropdown": (str, type(None))}
"""Types of the values that are no pictures."""


def rewritten(
    sent: Mapping[str, Any], takes: Takes, visitor: str, uploads: Uploads, arriving: Arriving
) -> dict[str, Any]:
    """The same call with nothing in it but what the function takes.

    Raises:
        RefusedError: 403 if it names a picture that this visitor has not sent, 422 if it is no call of a function.
        FullError: if there is no room for a frame of a camera.
    """
    function, trigger, values = sent.get("fn_index"), sent.get("trigger_id"), sent.get("data")
    kinds = takes.get(function) if type(function) is int else None
    if kinds is None or type(trigger) not in (int, type(None)):
        raise RefusedError(422, "the body is no call of a function")
    if not isinstance(values, list) or len(values) != len(kinds):
        raise RefusedError(422, f"the function takes {len(kinds)} values")
    pictures = _Pictures(visitor, uploads, arriving)
    return {
        "fn_index": function,
        "trigger_id": trigger,
        "session_hash": session_of(visitor, sent.get("session_hash")),
        "data": [_value(kind, value, pictures) for kind, value in zip(kinds, values, strict=True)],
    }


def _value(kind: str, value: Any, pictures: _Pictures) -> Any:
    if kind in ("file", "uploadbutton") and isinstance(value, list):
        return [pictures.written(each, number) for number, each in enumerate(value, start=1)]
    if kind in ("file", "uploadbutton", "image"):
        return None if value is None else pictures.written(value, 1)
    if not isinstance(value, PLAIN[kind]):
        raise RefusedError(422, f"that is no value of a {kind}")
    return value


class _Pictures:
    """Pictures as Gradio wants them, from the keys or the frames of a camera that stand for them."""

    def __init__(self, visitor: str, uploads: Uploads, arriving: Arriving) -> None:
        self._visitor, self._uploads, self._arriving = visitor, uploads, arriving

    def written(self, sent: Any, number: int) -> dict[str, Any]:
        if not isinstance(sent, dict):
            raise RefusedError(422, "that is no photo")
        key, url = sent.get("path"), sent.get("url")
        if not key and isinstance(url, str) and DATA_URL.match(url):
            key = self._frame(url)
        try:
            found = self._uploads.find(key if isinstance(key, str) else "", self._visitor)
        except GoneError:
            raise RefusedError(403, FORGOTTEN % number) from None
        meta = {"_type": "gradio.FileData"}
        return {"path": str(found.path), "orig_name": PurePosixPath(found.name).name, "size": found.size, "meta": meta}

    def _frame(self, url: str) -> str:
        try:
            content = base64.b64decode(url.partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            raise RefusedError(422, "a frame of the camera is not base64") from None
        return self._arriving.keep("webcam", content, self._visitor)
