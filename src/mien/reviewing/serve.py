"""Review photos: read or audit them, then serve the page on this machine until it is ended."""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from mien.app.guard import COOKIE
from mien.auditing.findings import check_out
from mien.data.tables.corrections import apply_corrections, read_corrections
from mien.errors import ConfigError, OutputError
from mien.progress import Progress
from mien.reviewing.album import PhotoAlbum
from mien.reviewing.decisions import Decisions
from mien.reviewing.material import opened
from mien.reviewing.service import make_page
from mien.settings.audit import AuditSettings
from mien.settings.review import Reviewing
from mien.system.paths import user_path
from mien.system.signals import signals_left_to_python
from mien.system.streams import escaped
from mien.telling.words.review import decided_sentence, found_sentence

__all__ = ["Reviewed", "review_photos"]

HOST = "127.0.0.1"
"""The page is for this machine alone."""
SECONDS_TO_END = 2


@dataclass(frozen=True)
class Reviewed:
    """How a review ended.

    Attributes:
        photos: that have a finding.
        decided: of them.
        table: where the decisions are.
    """

    photos: int
    decided: int
    table: Path

    @property
    def told(self) -> str:
        """That in a line."""
        return f"{decided_sentence(self.decided, self.photos)}, in {escaped(str(self.table))}"


def review_photos(
    settings: AuditSettings, reviewing: Reviewing, progress: Progress, on_start: Callable[[str], None]
) -> Reviewed | None:
    """Serve the page until a signal comes.

    Args:
        settings: the photos or the study, and how photos are audited.
        on_start: is called with the address once the page answers.

    Returns:
        How it ended; None where the audit found nothing to decide on.

    Raises:
        MienError: what the audit raises; if the table stands already and is not to be gone on with, or is of other
            data; if the port is taken.
    """
    out = user_path(reviewing.out, "--out")
    goes_on = reviewing.resume and out.exists()
    if goes_on:
        read_corrections(out)  # before minutes are spent
    elif out.exists():
        raise OutputError(f"{out}: exists already, and may hold decisions; go on with --resume, or give another --out")
    else:
        check_out(out)
    with _listening(reviewing.port) as door, opened(settings, progress) as material:
        earlier = out if goes_on else material.earlier
        if earlier is not None:
            apply_corrections(material.manifest, read_corrections(earlier))  # refuses what is of other photos
        album = PhotoAlbum(material)
        if not album.photos:
            return None
        progress.tell(found_sentence(photo.findings for photo in album.photos))
        decisions = Decisions(out, album.photos, album.classes, earlier)
        decisions.write()
        token, port = secrets.token_urlsafe(16), door.getsockname()[1]
        page = make_page(album, decisions, token, f"{COOKIE}_{port}")
        _serve(page, door, lambda: on_start(f"http://{HOST}:{port}/?token={token}"))
        return Reviewed(len(album.photos), decisions.decided, out)


def _listening(port: int | None) -> socket.socket:
    """A door of this machine, held from the start, so that it is not found taken after an audit."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((HOST, port or 0))
    except OSError as error:
        door.close()
        raise ConfigError(
            f"--port {port}: cannot be used ({error.strerror}); give another, or none to have a free one"
        ) from error
    return door


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, settings: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(settings)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._on_start()


def _serve(page: FastAPI, door: socket.socket, on_start: Callable[[], None]) -> None:
    """Answer until Ctrl-C or another signal comes; what is being written is finished first."""
    settings = uvicorn.Config(
        page,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        timeout_graceful_shutdown=SECONDS_TO_END,
    )

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    with signals_left_to_python(), suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, leave)  # once it has stopped, uvicorn sends itself the signal again
        _Server(settings, on_start).run(sockets=[door])
