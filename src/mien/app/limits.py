"""What a call may ask for, and the status code that says it asked for too much."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request
from PIL import Image
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect

from mien.data.reading.pictures import Picture
from mien.data.reading.preprocess import FORMATS, decode

__all__ = ["Limits", "loader", "read_body", "read_pictures"]

FIELD = "images"
FORM, JSON = "multipart/form-data", "application/json"


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Attributes:
        body: bytes of a request.
        images: pictures a call.
        pixels: of a picture.
        calls: whose bodies are whole and that are under way at once; more are told to come again.
        waiting: pictures that wait for their turn, over all calls.
        seconds: until a body must have arrived, and for which an answer may stay unread.
        headers: seconds until the headers of a call must have arrived.
        arriving: bytes of bodies that are not whole, over all calls.
        connections: that are open at once; fewer where the process may open few files.
    """

    body: int = 32 * 2**20
    images: int = 32
    pixels: int = 64_000_000
    calls: int = 16
    waiting: int = 128
    seconds: float = 30.0
    headers: float = 10.0
    arriving: int = 512 * 2**20
    connections: int = 500


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body of a call, once it is there; how long it may take is up to the connection.

    Raises:
        HTTPException: 400, 413 or 415, with what is wrong.
    """
    if _kind(request) not in (FORM, JSON):
        raise HTTPException(415, f"send {FORM} with files named {FIELD}, or {JSON}")
    too_large = HTTPException(413, f"the body is larger than {limits.body} bytes")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limits.body:
        raise too_large
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > limits.body:
                raise too_large
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None  # nobody reads this, but it is no fault of ours
    return bytes(body)


async def read_pictures(request: Request, body: bytes, limits: Limits) -> list[Picture]:
    """The pictures of a call: multipart files in the field ``images``, or JSON ``{"images": ["base64", …]}``.

    Raises:
        HTTPException: 400, 413, 415 or 422, with what is wrong.
    """
    files = _of_json(body) if _kind(request) == JSON else await _of_form(request, body, limits)
    if not files:
        raise HTTPException(422, f"no pictures came: the field is called {FIELD}")
    if len(files) > limits.images:
        raise HTTPException(413, f"{len(files)} pictures: at most {limits.images} a call")
    for number, (_, content) in enumerate(files, start=1):
        _check_pixels(number, content, limits)
    return [Picture(name, loader(content)) for name, content in files]


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _of_json(body: bytes) -> list[tuple[str, bytes]]:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    images = sent.get(FIELD) if isinstance(sent, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise HTTPException(422, f'the JSON must be {{"{FIELD}": ["base64", …]}}')
    try:
        return [("", base64.b64decode(image, validate=True)) for image in images]
    except (binascii.Error, ValueError):
        raise HTTPException(422, "a picture is not base64") from None


async def _of_form(request: Request, body: bytes, limits: Limits) -> list[tuple[str, bytes]]:
    async def whole() -> AsyncIterator[bytes]:
        yield body

    _, options = parse_options_header(request.headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise HTTPException(415, "send names of files in UTF-8")  # some codecs make strings that no answer can hold
    parser = _MemoryParser(request.headers, whole(), max_files=10 * limits.images, max_fields=100)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except Exception as error:  # a damaged form can raise nearly anything
        raise HTTPException(400, f"the form cannot be read ({getattr(error, 'message', 'malformed')})") from None
    try:
        sent: list[Any] = form.getlist(FIELD)
        if not all(isinstance(file, UploadFile) for file in sent):
            raise HTTPException(422, f"{FIELD} must be files")
        return [(file.filename or "", await file.read()) for file in sent]
    finally:
        await form.close()


class _MemoryParser(MultiPartParser):
    """Keeps files in memory: the body is there already, and no photo goes to a disk."""

    spool_max_size = 2**31


def _check_pixels(number: int, content: bytes, limits: Limits) -> None:
    """Refuse a picture by its header, before anything is decoded; what has none is judged by the recogniser."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise HTTPException(413, f"picture {number}: at most {limits.pixels} pixels are taken") from None
    except Exception:  # a damaged file can raise nearly anything; the answer will say what is wrong with it
        return
    if width * height > limits.pixels:
        raise HTTPException(413, f"picture {number}: {width}×{height} pixels; at most {limits.pixels} are taken")


def loader(content: bytes) -> Callable[[], Image.Image]:
    """What decodes the bytes of a picture when it is asked to."""
    return lambda: decode(content).image
