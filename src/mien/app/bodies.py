"""Bodies of calls as they arrive: counted, within a time, and never on a disk."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from mien.app.uploads import Arriving, FullError

__all__ = ["Body", "RefusedError", "files_of_form", "read_json"]

SLOWEST = 2**16
"""Bytes a second that a body must come with, once its first seconds are over."""
MOST_FILES = 1000
"""Of an upload; Gradio's page sends no more at a time."""


class RefusedError(Exception):
    """A call that is not let through; the message is one line."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class Body:
    """What arrives of a call, for as long as it is worth waiting."""

    def __init__(self, receive: Receive, arriving: Arriving, seconds: float) -> None:
        """Wait for a body.

        Args:
            arriving: counts what comes.
            seconds: that nothing may come.
        """
        self._receive, self._arriving, self._seconds = receive, arriving, seconds
        self._has_more = True

    async def parts(self) -> AsyncIterator[bytes]:
        """What arrives.

        Raises:
            FullError: if there is no room for it.
            TimeoutError: if nothing comes for some seconds, or less than ``SLOWEST`` over all.
            ClientDisconnect: if it is cut off.
        """
        started, arrived = time.monotonic(), 0
        while self._has_more:
            left = started + self._seconds + arrived / SLOWEST - time.monotonic()
            try:
                part = await asyncio.wait_for(self._next(), min(left, self._seconds))
            except TimeoutError:
                self._has_more = False  # it is not waited for again
                raise
            arrived += len(part)
            self._arriving.reserve(len(part))
            yield part

    async def pass_over(self) -> None:
        """Let what is still on its way arrive, up to a few seconds.

        A browser that is cut off while it sends does not show its user the answer.
        """
        with suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(5):
                while self._has_more:
                    await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._has_more = False
            raise ClientDisconnect
        self._has_more = message.get("more_body", False)
        return bytes(message.get("body", b""))


async def read_json(body: Body, most: int) -> dict[str, Any]:
    """The object that a body holds.

    Args:
        most: bytes.

    Raises:
        RefusedError: 400, 413 or 422.
    """
    content = bytearray()
    async for part in body.parts():
        content += part
        if len(content) > most:
            raise RefusedError(413, f"the body is larger than {most} bytes")
    try:
        sent = json.loads(content)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not JSON") from None
    if not isinstance(sent, dict):
        raise RefusedError(422, "the body is no call of a function")
    return sent


class _MemoryParser(MultiPartParser):
    """Holds what arrives in memory until all of it has come: what is cut off leaves no file behind."""

    spool_max_size = 2**60


async def files_of_form(headers: Headers, body: Body, most: int) -> AsyncIterator[tuple[str, bytes]]:
    """Names and contents of a form's files, once all have come.

    Args:
        most: bytes of one file.

    Raises:
        RefusedError: 400, 413 or 415.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise RefusedError(415, "Send multipart/form-data with files named files.")
    parser = _MemoryParser(headers, body.parts(), max_files=MOST_FILES, max_fields=100)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (FullError, TimeoutError, ClientDisconnect):
        raise
    except Exception as error:  # a damaged form can raise nearly anything
        said = error.message.rstrip(".") if isinstance(error, MultiPartException) else "malformed"
        raise RefusedError(413 if said.startswith("Too many") else 400, f"The form cannot be read ({said}).") from None
    async with AsyncExitStack() as stack:
        stack.push_async_callback(form.close)
        sent = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
        if not sent:
            raise RefusedError(400, "No files came: the field is called files.")
        if any((file.size or 0) > most for file in sent):
            raise RefusedError(413, f"A file is larger than {most} bytes.")
        for file in sent:
            content = await file.read()
            await file.close()  # it need not be there twice
            yield file.filename or "", content
