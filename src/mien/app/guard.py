"""Who may call a page or service of this machine, and what a browser may fetch for it."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

__all__ = ["COOKIE", "LOCAL", "guard"]

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that no other can reach it by."""
COOKIE = "mien_token"
UNGUARDED = ("/healthz", "/readyz")
"""What answers without a token: they say nothing of anyone."""
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob: ws: wss:; form-action 'self'; frame-ancestors 'none'"
)
"""The browser itself refuses whatever a page would fetch from elsewhere."""

Next = Callable[[Request], Awaitable[Response]]


def guard(
    token: str | None, *, policy: str = POLICY, cookie: str = COOKIE
) -> Callable[[Request, Next], Awaitable[Response]]:
    """Middleware: lets in who may come, and tells browsers to fetch nothing from elsewhere.

    Args:
        token: what callers must show; None asks for none.
        policy: the Content-Security-Policy of every answer.
        cookie: in which a browser keeps the token; cookies are of a machine, whatever the port.
    """

    async def check(request: Request, call_next: Next) -> Response:
        path = request.scope["path"]  # request.url is put together with the Host header, which a caller chooses
        if path not in UNGUARDED:
            refusal = _from_elsewhere(request)
            refusal = refusal or (_misnamed(request) if token is None else _unknown(request, path, token, cookie))
            if refusal is not None:
                return refusal
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = policy
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return check


def _from_elsewhere(request: Request) -> Response | None:
    """Refuse what a page of another site makes a browser send: it may not read the answer, but it could ask."""
    if request.method in ("GET", "HEAD"):
        return None
    origin = request.headers.get("origin", "")
    is_ours = not origin or origin.partition("://")[2] == request.headers.get("host", "")
    if is_ours and request.headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return None
    return JSONResponse({"detail": "calls from pages of another site are not answered"}, 403)


def _misnamed(request: Request) -> Response | None:
    """Refuse a caller that knows this machine by another name, which a page from elsewhere can give it (rebinding)."""
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.strip("[]").lower() in LOCAL:
        return None
    said = "without a token this answers to 127.0.0.1, localhost and [::1] alone; start it with --token"
    return JSONResponse({"detail": said}, 400)


def _unknown(request: Request, path: str, token: str, cookie: str) -> Response | None:
    """Refuse a caller without the token; who brings it in the address gets it as a cookie."""
    shown = request.query_params.get("token")
    if shown is not None and request.method == "GET" and _same(shown, token):
        response = RedirectResponse("/" + path.lstrip("/"))  # two slashes would lead to another host
        is_secret = request.scope["scheme"] == "https"
        response.set_cookie(cookie, token, httponly=True, secure=is_secret, samesite="strict")
        return response
    if _same(_shown(request, cookie), token):
        return None
    said = "give the token: Authorization: Bearer TOKEN, or in a browser /?token=TOKEN"
    return JSONResponse({"detail": said}, 401, {"WWW-Authenticate": "Bearer"})


def _shown(request: Request, cookie: str) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else request.cookies.get(cookie, "")


def _same(shown: str, token: str) -> bool:
    """Compare in a time that does not tell how much was right."""
    return hmac.compare_digest(shown.encode(), token.encode())
