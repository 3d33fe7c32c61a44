"""What a call may ask for, and the status code that says it asked for too much."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request
from PIL import Image
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect

from mien.app.encoded import NotEncodedError, decoded
from mien.data.reading.pictures import Picture
from mien.data.reading.preprocess import FORMATS, decode

__all__ = ["Limits", "loader", "read_body", "read_pictures"]

FIELD = "images"
KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
"""What JSON calls what is no text."""
MOST_NAMED = 32
"""Pictures that a refusal names; as many as a call may have."""
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
    """The pictures of a call: multipart files in the field ``images``, or JSON ``{"images": ["base64", …]}``, each as
    ``decoded`` takes it.

    Raises:
        HTTPException: 400, 413, 415 or 422, with what is wrong.
    """
    files = _of_json(body) if _kind(request) == JSON else await _of_form(request, body, limits)
    if not files:
        raise HTTPException(422, f"no pictures came: the field is called {FIELD}")
    if len(files) > limits.images:
        raise HTTPException(413, f"{len(files)} pictures: at most {limits.images} a call")
    for place, (_, content) in enumerate(files):
        _check_pixels(_named(place), content, limits)
    return [Picture(name, loader(content)) for name, content in files]


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _of_json(body: bytes) -> list[tuple[str, bytes]]:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    images = sent.get(FIELD) if isinstance(sent, dict) else None
    if not isinstance(images, list):
        raise HTTPException(422, f'the JSON must be {{"{FIELD}": ["base64", …]}}')
    contents, wrong = list[tuple[str, bytes]](), list[str]()
    for i, image in enumerate(images):
        try:
            contents.append(("", _of_text(image)))
        except NotEncodedError as error:
            wrong.append(f"{_named(i)}: {error}")
    if wrong:
        raise HTTPException(422, _some(wrong))
    return contents


def _of_text(image: object) -> bytes:
    if isinstance(image, str):
        return decoded(image)
    kind = KINDS.get(type(image), "null")
    raise NotEncodedError(f"{kind}, not a text; send the bytes of an image file as base64")


def _named(place: int) -> str:
    """A picture of a call for a message: counted from 1 for people, and as programs count."""
    return f"picture {place + 1} ({FIELD}[{place}])"


def _some(wrong: Sequence[str]) -> str:
    more = [f"and {len(wrong) - MOST_NAMED} more"] if len(wrong) > MOST_NAMED else []
    return "; ".join([*wrong[:MOST_NAMED], *more])


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
        if wrong := [_named(i) for i, file in enumerate(sent) if not isinstance(file, UploadFile)]:
            raise HTTPException(422, f"{FIELD} must be files; these are texts: {', '.join(wrong[:MOST_NAMED])}")
        return [(file.filename or "", await file.read()) for file in sent]
    finally:
        await form.close()


class _MemoryParser(MultiPartParser):
    """Keeps files in memory: the body is there already, and no photo goes to a disk."""

    spool_max_size = 2**31


def _check_pixels(name: str, content: bytes, limits: Limits) -> None:
    """Refuse a picture by its header, before anything is decoded; what has none is judged by the recogniser."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise HTTPException(413, f"{name}: at most {limits.pixels} pixels are taken") from None
    except Exception:  # a damaged file can raise nearly anything; the answer will say what is wrong with it
        return
    if width * height > limits.pixels:
        raise HTTPException(413, f"{name}: {width}×{height} pixels; at most {limits.pixels} are taken")


def loader(content: bytes) -> Callable[[], Image.Image]:
    """What decodes the bytes of a picture when it is asked to."""
    return lambda: decode(content).image
