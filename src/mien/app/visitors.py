"""Visitors of the page, told apart by a cookie, and what their sessions are called.

Gradio's own mark of a session is chosen by the browser and appears in addresses. It is joined with the cookie, which is
drawn by chance, so that knowing another's is of no use. Two tabs of a browser are one visitor.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

from mien.app.bodies import RefusedError

__all__ = ["VISITOR", "new_visitor", "session_of", "visitor_of", "with_cookie"]

VISITOR = "mien_visitor"
"""The cookie. It ends with the browser, says nothing of anyone, and is valid with every page of mien on this host."""
KNOWN = re.compile(r"[A-Za-z0-9_-]{32}")
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_visitor() -> str:
    """A cookie that nobody else has: 24 random bytes in 32 letters."""
    return secrets.token_urlsafe(24)


def visitor_of(scope: Scope) -> str | None:
    """The cookie that was shown, if it is one of ours by its form; whose it is, is known by nobody else."""
    for value in Headers(scope=scope).getlist("cookie"):
        with suppress(CookieError):
            shown = SimpleCookie(value).get(VISITOR)
            if shown is not None and KNOWN.fullmatch(shown.value):
                return shown.value
    return None


def with_cookie(send: Send, visitor: str, *, is_secret: bool) -> Send:
    """What sends an answer and hands out the cookie with it."""
    # Lax, since a page that is reached by a link from elsewhere would else get another cookie than it has in other
    # tabs; calls that pages of other sites make are refused before.
    said = f"{VISITOR}={visitor}; HttpOnly; Path=/; SameSite=Lax" + ("; Secure" if is_secret else "")

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("Set-Cookie", said)
        await send(message)

    return sent


def session_of(visitor: str, said: object) -> str:
    """What Gradio is told that a session is called: nobody can name one of another visitor.

    Args:
        said: what the browser calls it.

    Raises:
        RefusedError: if nothing can be called that.
    """
    if not isinstance(said, str) or not SESSION.fullmatch(said):
        raise RefusedError(422, "that is no session")
    return hashlib.sha256(f"{visitor} {said}".encode()).hexdigest()[:32]
