"""The only doors to the page: what a browser that shows it needs, and nothing else of what Gradio answers.

Gradio answers some sixty addresses: files and far addresses by name, calls of each function, what other sessions keep,
an editor. A list of what is closed would be too short with its next version, so what is open is listed here, and each
call is checked or written anew before Gradio sees it:

- A call of a function is written anew from a few fields (``calls.py``). Its values are plain, or pictures by the key
  that this page gave them; whatever else could name a file or an address is refused, so Gradio opens and fetches
  nothing.
- Pictures, sessions and answers belong to one visitor (``visitors.py``).
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.app.bodies import Body, RefusedError, files_of_form, read_json
from mien.app.calls import FORGOTTEN, Takes, rewritten
from mien.app.limits import Limits
from mien.app.uploads import Arriving, FullError, GoneError, Uploads
from mien.app.visitors import new_visitor, session_of, visitor_of, with_cookie

__all__ = ["Doors"]

ASSET = re.compile(r"(/(assets|static)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+|/theme\.css|/favicon\.ico|/manifest\.json)")
API = "/gradio_api"
EVENT = re.compile(API + r"/stream/([0-9a-f]{32})")
SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif", "image/tiff"}
"""Kinds of files that a browser shows and that hold no script."""
MOST_SESSIONS = 2000
"""That may still fetch answers; Gradio holds those of as many."""

Door = Callable[[Scope, Receive, Send, str], Awaitable[None]]


class Doors:
    """Stands before Gradio's application and lets through what belongs to the page."""

    def __init__(
        self, page: ASGIApp, uploads: Uploads, takes: Takes, *, limits: Limits, forget: Callable[[str], None]
    ) -> None:
        """Stand before a page.

        Args:
            takes: the functions that can be called.
            limits: ``body`` is the most bytes of one picture, ``seconds`` the patience with what arrives.
            forget: is called with a session, as the page knows it, when it has ended.
        """
        self._page, self._uploads, self._takes, self._limits, self._forget = page, uploads, takes, limits, forget
        self._sessions: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http":  # a page has no other connections
            await send({"type": "websocket.close"})
            return
        visitor = visitor_of(scope)
        if visitor is None:
            visitor = new_visitor()
            send = with_cookie(send, visitor, is_secret=scope["scheme"] == "https")
        door = self._door(scope["method"], scope["path"])
        if door is None:
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
            return
        try:
            await door(scope, receive, send, visitor)
        except RefusedError as error:
            await _refusal(scope["path"], error)(scope, receive, send)
        except ClientDisconnect:
            pass  # nobody is there to be told

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
        session = session_of(visitor, scope["path"].removeprefix(path))
        try:
            await self._page(_asked(scope, path=path + session), receive, send)
        finally:
            self._sessions.pop(session, None)
            self._forget(session)

    async def _answers(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """What comes of a visitor's calls; of a session that asked nothing Gradio would only raise an error."""
        said = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        session = session_of(visitor, said)
        if session not in self._sessions:
            raise RefusedError(404, "nothing was asked in this session")
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
            raise RefusedError(404, FORGOTTEN % 1) from None
        kind = mimetypes.guess_type(found.name)[0]
        headers = {"Cache-Control": "no-store"}
        if kind not in SHOWN:
            kind, headers["Content-Disposition"] = "application/octet-stream", "attachment"
        await Response(content, media_type=kind, headers=headers)(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """Take pictures, all or none, and answer with their keys."""
        headers = Headers(scope=scope)
        async with self._arriving(receive, said=headers.get("content-length", "")) as (arriving, body):
            keys = []
            async for name, content in files_of_form(headers, body, self._limits.body):
                keys.append(await asyncio.to_thread(arriving.keep, name, content, visitor))
        await JSONResponse(keys)(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        """A call of one of the page's functions, written anew."""
        async with self._arriving(receive) as (arriving, body):
            sent = await read_json(body, self._limits.body)
            asked = await asyncio.to_thread(rewritten, sent, self._takes, visitor, self._uploads, arriving)
        self._remember(asked["session_hash"])
        call = json.dumps(asked).encode()
        await self._page(_asked(scope, body=call), _replayed(call, receive), send)

    @asynccontextmanager
    async def _arriving(self, receive: Receive, *, said: str = "") -> AsyncIterator[tuple[Arriving, Body]]:
        """A body that is arriving; whatever is wrong with it becomes a refusal.

        Args:
            said: how many bytes it has, in a caller's words.
        """
        seconds = self._limits.seconds
        with self._uploads.arriving() as arriving:
            body = Body(receive, arriving, seconds)
            try:
                if said.isdecimal() and len(said) < 20:  # told at once, before anything arrives
                    with self._uploads.arriving() as trial:
                        trial.reserve(int(said))
                yield arriving, body
            except FullError as error:
                await body.pass_over()
                raise RefusedError(
                    507, f"No room for these photos: {error}. Try again in a minute, or with fewer."
                ) from error
            except RefusedError:
                await body.pass_over()
                raise
            except TimeoutError as error:
                raise RefusedError(400, f"Too slow: nothing came for {seconds:g} seconds, or too little.") from error

    def _remember(self, session: str) -> None:
        self._sessions[session] = None
        self._sessions.move_to_end(session)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)


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


def _refusal(path: str, error: RefusedError) -> Response:
    """One line; plain where the page shows it as it comes."""
    headers = {"Retry-After": "60"} if error.code == 507 else None
    if path == API + "/upload":
        return PlainTextResponse(str(error), error.code, headers)
    return JSONResponse({"detail": str(error)}, error.code, headers)
