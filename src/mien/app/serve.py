"""Run page and service until they are stopped."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack

import uvicorn
from fastapi import FastAPI

from mien.app.batching import Batcher
from mien.app.connections import ACCEPTED_AT_ONCE, Admission, listen_deeper, most_connections, protocol_of
from mien.app.guard import LOCAL
from mien.app.limits import Limits
from mien.app.rare_logs import bound_logs
from mien.app.service import make_service
from mien.app.uploads import Uploads
from mien.errors import ConfigError
from mien.recognizer import Recognizer
from mien.system.scratch import MEMORY, work_folder

__all__ = ["check_address", "serve"]

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
"""What fits into a header, a cookie and an address as it is (RFC 6750, section 2.1)."""


def check_address(host: str, port: int, token: str | None) -> None:
    """Refuse an address that others can reach without a token, or that is taken.

    Raises:
        ConfigError: with what to do.
    """
    if not 0 < port < 65536:
        raise ConfigError(f"--port {port}: must be from 1 to 65535")
    if token is not None and not TOKEN.fullmatch(token):
        raise ConfigError("--token: give at least 16 letters or digits, as from: openssl rand -hex 16")
    if host not in LOCAL and token is None:
        raise ConfigError(f"--host {host}: others can reach it, so give a --token (or set MIEN_TOKEN)")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        raise ConfigError(f"--host {host} --port {port}: cannot be used ({error.strerror}); give another") from error


def serve(
    recognizer: Recognizer,
    *,
    host: str,
    port: int,
    token: str | None,
    has_page: bool,
    on_start: Callable[[], None],
    limits: Limits | None = None,
) -> None:
    """Answer until a signal comes; what is under way is finished first.

    Args:
        has_page: whether there is a page beside the API.
        on_start: is called once calls are answered.
    """
    limits = limits or Limits()
    batcher = Batcher(recognizer, most_waiting=limits.waiting)
    app = make_service(recognizer, batcher, limits=limits, token=token)
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        if has_page:
            folder = stack.enter_context(work_folder(memory=MEMORY)) / "uploads"
            folder.mkdir()
            os.environ["GRADIO_TEMP_DIR"] = str(folder)  # gradio reads it when it is imported
            from mien.app.page import mount_page

            app = mount_page(app, recognizer, batcher, Uploads(folder), limits=limits, is_local=token is None)
        admission = Admission(limits, most=most_connections(limits, has_page=has_page))
        _Server(_settings(app, host, port, admission), on_start).run()


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, settings: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(settings)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            listen_deeper(self.servers)
            self._on_start()


def _settings(app: FastAPI, host: str, port: int, admission: Admission) -> uvicorn.Config:
    bound_logs()
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes what it cannot read
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="asyncio",  # accepts no more at once than it is told
        http=protocol_of(admission),  # on h11, the one parser with a limit on the size of headers
        backlog=ACCEPTED_AT_ONCE,
        ws="none",
        access_log=False,
        log_level="error",
        timeout_graceful_shutdown=30,
    )


def _leave(*_: object) -> None:
    """End as a program does, uploads deleted: once it has stopped, uvicorn sends itself the signal again."""
    raise SystemExit(0)
