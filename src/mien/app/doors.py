"""The only doors to the page: what a browser that shows it needs, and nothing else of what Gradio answers.

Gradio answers some sixty addresses: files and far addresses by name, calls of each function, what other sessions keep,
an editor. A list of what is closed would be too short with its next version, so what is open is listed here, and each
call is checked or written anew before Gradio sees it:

- A call of a function is written anew from a few fields. Its values are plain, or pictures by the key that this page
  gave them; anything else that could name a file or an address is refused, so Gradio opens and fetches nothing.
- Visitors are told apart by a cookie drawn by chance. Gradio's own mark of a session is chosen by the browser and
  appears in addresses; it is joined with the cookie here, so that knowing another's is of no use. Two tabs of a browser
  are one visitor.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import mimetypes
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.app.limits import Limits
from mien.app.uploads import Arriving, FullError, GoneError, Uploads

__all__ = ["VISITOR", "Doors"]

VISITOR = "mien_visitor"
"""The cookie. It ends with the browser, says nothing of anyone, and is valid with every page of mien on this host."""
KNOWN = re.compile(r"[A-Za-z0-9_-]{32}")
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
ASSET = re.compile(r"(/(assets|static)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+|/theme\.css|/favicon\.ico|/manifest\.json)")
API = "/gradio_api"
EVENT = re.compile(API + r"/stream/([0-9a-f]{32})")
DATA_URL = re.compile(r"data:image/[\w.+-]{1,40};base64,")
SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif", "image/tiff"}
"""Kinds of files that a browser shows and that hold no script."""
MOST_SESSIONS = 2000
"""That may still fetch answers; Gradio holds those of as many."""
MOST_FILES = 1000
"""Of an upload; Gradio's page sends no more at a time."""
SLOWEST = 2**16
"""Bytes a second that a body must come with, once its first seconds are over."""
FORGOTTEN = "photo %d is not here: it was not sent from this page, or was deleted after a minute; send it again"

Door = Callable[[Scope, Receive, Send, str], Awaitable[None]]


class Doors:
    """Stands before Gradio's application and lets through what belongs to the page."""

    def __init__(
        self, page: ASGIApp, uploads: Uploads, *, limits: Limits, forget: Callable[[str], None] = lambda session: None
    ) -> None:
        """Stand before a page.

        Args:
            limits: ``body`` is the most bytes of one picture, ``seconds`` the patience with what arrives.
            forget: is called with a session, as the page knows it, when it has ended.
        """
        self._page, self._uploads, self._limits, self._forget = page, uploads, limits, forget
        self._sessions: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http":  # a page has no other connections
            await send({"type": "websocket.close"})
            return
        visitor = _visitor(scope)
        if visitor is None:
            visitor = secrets.token_urlsafe(24)
            send = _with_cookie(send, visitor, is_secret=scope["scheme"] == "https")
        door = self._door(scope["method"], scope["path"])
        if door is None:
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
            return
        await door(scope, receive, send, visitor)

    def _door(self, method: str, path: str) -> Door | None:
        if method in ("GET", "HEAD") and (path == "/" or ASSET.fullmatch(path)):
            return self._plain
        if method == "GET" and path.startswith(API + "/file="):
            return self._picture
        if method == "POST" and EVENT.fullmatch(path):
            return self._call
        if method == "POST" and EVENT.fullmatch(path.removesuffix("/close")):
            return self._plain
        if method == "GET" and path.startswith(API + "/heartbeat/"):
            return self._heartbeat
        doors: dict[tuple[str, str], Door] = {
            ("POST", API + "/upload"): self._upload,
            ("GET", API + "/upload_progress"): self._progress,
            ("POST", API + "/queue/join"): self._call,
            ("GET", API + "/queue/data"): self._answers,
        }
        return doors.get((method, path))

    async def _plain(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        await self._page(_asked(scope), receive, send)

    async def _heartbeat(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """The connection that a page holds open for as long as it is shown."""
        path = API + "/heartbeat/"
        said = scope["path"].removeprefix(path)
        if not SESSION.fullmatch(said):
            await _refusal(422, "that is no session")(scope, receive, send)
            return
        session = _session(visitor, said)
        try:
            await self._page(_asked(scope, path=path + session), receive, send)
        finally:
            self._sessions.pop(session, None)
            self._forget(session)

    async def _answers(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        said = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        if not SESSION.fullmatch(said):
            await _refusal(422, "that is no session")(scope, receive, send)
            return
        session = _session(visitor, said)
        if session not in self._sessions:
            await _refusal(404, "nothing was asked in this session")(scope, receive, send)
            return
        await self._page(_asked(scope, query=f"session_hash={session}"), receive, send)

    async def _progress(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """Gradio's page asks how far an upload is; it is told that there is nothing to tell."""
        response = Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")
        await response(scope, receive, send)

    async def _picture(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """A visitor's own picture, as the page shows it before it is used."""
        try:
            found = self._uploads.find(scope["path"].removeprefix(API + "/file="), visitor)
            _, content = await asyncio.to_thread(self._uploads.read, str(found.path))
        except GoneError:
            await _refusal(404, FORGOTTEN % 1)(scope, receive, send)
            return
        kind = mimetypes.guess_type(found.name)[0]
        headers = {"Cache-Control": "no-store"}
        if kind not in SHOWN:
            kind, headers["Content-Disposition"] = "application/octet-stream", "attachment"
        await Response(content, media_type=kind, headers=headers)(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """Take pictures; what is answered stands in the page as it is, so refusals are one plain line."""
        body = _Body(receive, self._limits.seconds)
        try:
            with self._uploads.arriving() as arriving:
                keys = await self._kept(Headers(scope=scope), body, visitor, arriving)
                await JSONResponse(keys)(scope, receive, send)
                return
        except FullError as error:
            code, said = 507, f"No room for these photos: {error}. Try again in a minute, or with fewer."
        except _Refused as error:
            code, said = error.code, str(error)
        except TimeoutError:
            code, said = 400, f"The photos came too slowly: nothing for {self._limits.seconds:g} seconds, or little."
        except ClientDisconnect:
            return
        await body.pass_over()
        await PlainTextResponse(said, code, _retry(code))(scope, receive, send)

    async def _kept(self, headers: Headers, body: _Body, visitor: str, arriving: Arriving) -> list[str]:
        """Take the files of a form, all or none: their keys."""
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
            raise _Refused(415, "Send multipart/form-data with files named files.")
        said = headers.get("content-length", "")
        if said.isdecimal() and len(said) < 20:  # told at once, before anything arrives
            with self._uploads.arriving() as trial:
                trial.reserve(int(said))
        parser = _MemoryParser(headers, _counted(body, arriving), max_files=MOST_FILES, max_fields=100)  # type: ignore[arg-type]
        try:
            form = await parser.parse()
        except (FullError, TimeoutError, ClientDisconnect):
            raise
        except Exception as error:  # a damaged form can raise nearly anything
            said = error.message.rstrip(".") if isinstance(error, MultiPartException) else "malformed"
            raise _Refused(413 if said.startswith("Too many") else 400, f"The form cannot be read ({said}).") from None
        async with _closing(form.multi_items()) as files:
            sent = [file for name, file in files if name == "files" and isinstance(file, UploadFile)]
            if not sent:
                raise _Refused(400, "No files came: the field is called files.")
            if any((file.size or 0) > self._limits.body for file in sent):
                raise _Refused(413, f"A file is larger than {self._limits.body} bytes.")
            keys = []
            for file in sent:
                content = await file.read()
                await file.close()  # it need not be there twice
                keys.append(await asyncio.to_thread(arriving.keep, file.filename or "", content, visitor))
        return keys

    async def _call(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """A call of one of the page's functions, written anew."""
        body = _Body(receive, self._limits.seconds)
        try:
            with self._uploads.arriving() as arriving:
                sent = await self._json(_counted(body, arriving))
                asked = await asyncio.to_thread(self._rewritten, sent, visitor, arriving)
            self._remember(asked["session_hash"])
            call = json.dumps(asked).encode()
            await self._page(_asked(scope, body=call), _replayed(call, receive), send)
            return
        except FullError as error:
            code, said = 507, f"No room for this photo: {error}; try again in a minute"
        except _Refused as error:
            code, said = error.code, str(error)
        except TimeoutError:
            code, said = 400, f"the body did not arrive within {self._limits.seconds:g} seconds"
        except ClientDisconnect:
            return
        await body.pass_over()
        await _refusal(code, said)(scope, receive, send)

    def _remember(self, session: str) -> None:
        self._sessions[session] = None
        self._sessions.move_to_end(session)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)

    async def _json(self, parts: AsyncIterator[bytes]) -> dict[str, Any]:
        body = bytearray()
        async for part in parts:
            body += part
            if len(body) > self._limits.body:
                raise _Refused(413, f"the body is larger than {self._limits.body} bytes")
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            raise _Refused(400, "the body is not JSON") from None
        if not isinstance(sent, dict):
            raise _Refused(422, "the body is no call of a function")
        return sent

    def _rewritten(self, sent: dict[str, Any], visitor: str, arriving: Arriving) -> dict[str, Any]:
        """The same call with nothing in it but what the page's functions take."""
        function, trigger, values = sent.get("fn_index"), sent.get("trigger_id"), sent.get("data")
        session = sent.get("session_hash")
        if type(function) is not int or type(trigger) not in (int, type(None)) or not isinstance(values, list):
            raise _Refused(422, "the body is no call of a function")
        if not isinstance(session, str) or not SESSION.fullmatch(session):
            raise _Refused(422, "that is no session")
        return {
            "fn_index": function,
            "trigger_id": trigger,
            "session_hash": _session(visitor, session),
            "data": [self._value(value, visitor, arriving) for value in values],
        }

    def _value(self, value: Any, visitor: str, arriving: Arriving) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, dict):
            return self._file(value, 1, visitor, arriving)
        if isinstance(value, list):
            return [self._file(each, i, visitor, arriving) for i, each in enumerate(value, start=1)]
        raise AssertionError(type(value))  # JSON has no more kinds

    def _file(self, sent: Any, number: int, visitor: str, arriving: Arriving) -> dict[str, Any]:
        """A picture as Gradio wants it, from the key or the frame of a camera that stands for it."""
        if not isinstance(sent, dict):
            raise _Refused(422, "a value is neither plain nor a photo")
        key, url = sent.get("path"), sent.get("url")
        if not key and isinstance(url, str) and DATA_URL.match(url):
            try:
                content = base64.b64decode(url.partition(",")[2], validate=True)
            except (binascii.Error, ValueError):
                raise _Refused(422, "a frame of the camera is not base64") from None
            key = arriving.keep("webcam", content, visitor)
        try:
            found = self._uploads.find(key if isinstance(key, str) else "", visitor)
        except GoneError:
            raise _Refused(403, FORGOTTEN % number) from None
        meta = {"_type": "gradio.FileData"}
        return {"path": str(found.path), "orig_name": PurePosixPath(found.name).name, "size": found.size, "meta": meta}


class _Refused(Exception):
    """A call that is not let through; the message is one line."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class _MemoryParser(MultiPartParser):
    """Holds what arrives in memory until all of it has come: what is cut off leaves no file behind."""

    spool_max_size = 2**60


class _closing:
    """Closes the files of a form at the end of a block."""

    def __init__(self, items: list[tuple[str, UploadFile | str]]) -> None:
        self._items = items

    async def __aenter__(self) -> list[tuple[str, UploadFile | str]]:
        return self._items

    async def __aexit__(self, *error: object) -> None:
        for _, file in self._items:
            if isinstance(file, UploadFile):
                await file.close()


def _visitor(scope: Scope) -> str | None:
    """The cookie that was shown, if it is one of ours by its form; whose it is, is known by nobody else."""
    for value in Headers(scope=scope).getlist("cookie"):
        with suppress(CookieError):
            shown = SimpleCookie(value).get(VISITOR)
            if shown is not None and KNOWN.fullmatch(shown.value):
                return shown.value
    return None


def _with_cookie(send: Send, visitor: str, *, is_secret: bool) -> Send:
    # Lax, since a page that is reached by a link from elsewhere would else get another cookie than it has in other
    # tabs; calls that pages of other sites make are refused before.
    said = f"{VISITOR}={visitor}; HttpOnly; Path=/; SameSite=Lax" + ("; Secure" if is_secret else "")

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("Set-Cookie", said)
        await send(message)

    return sent


def _session(visitor: str, said: str) -> str:
    """What Gradio is told a session is called: nobody can name one of another visitor."""
    return hashlib.sha256(f"{visitor} {said}".encode()).hexdigest()[:32]


def _asked(scope: Scope, *, path: str | None = None, query: str = "", body: bytes | None = None) -> Scope:
    """The call as Gradio gets it: without a query but for the one given, and without the page it comes from, since
    Gradio lets every page of this machine read its answers."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
    if body is not None:
        left_out = (b"content-length", b"content-type", b"content-encoding", b"transfer-encoding")
        headers = [(name, value) for name, value in headers if name not in left_out]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    asked = {**scope, "headers": headers, "query_string": query.encode()}
    if path is not None:
        asked |= {"path": path, "raw_path": path.encode()}
    return asked


class _Body:
    """What arrives of a call, for as long as it is worth waiting."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive, self._seconds, self._has_more = receive, seconds, True

    async def parts(self) -> AsyncIterator[bytes]:
        """What arrives.

        Raises:
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


async def _counted(body: _Body, arriving: Arriving) -> AsyncIterator[bytes]:
    async for part in body.parts():
        arriving.reserve(len(part))
        yield part


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once, then what the connection tells."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _refusal(code: int, said: str) -> Response:
    return JSONResponse({"detail": said}, code, _retry(code))


def _retry(code: int) -> dict[str, str] | None:
    return {"Retry-After": "60"} if code == 507 else None
