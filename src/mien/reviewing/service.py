"""The page of a review and what it asks for. Nothing of it comes from elsewhere, and nothing goes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from mien.app.guard import guard
from mien.errors import CorrectionsError, MienError
from mien.reviewing.album import Photo, PhotoAlbum
from mien.reviewing.decisions import Decision, Decisions
from mien.system.files import read_file
from mien.telling.words.review import FINDINGS

__all__ = ["make_page"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script and no style but those of the page, whatever a file or class is called."""
FILES = {
    "/": ("mien.reviewing", "page/review.html", "text/html"),
    "/review.css": ("mien.reviewing", "page/review.css", "text/css"),
    "/review.js": ("mien.reviewing", "page/review.js", "text/javascript"),
    "/report.css": ("mien.telling.report", "templates/style.css", "text/css"),
}
"""Path → package, file and kind; the colours are the report's."""


@dataclass(frozen=True)
class Asked:
    """A decision as the page sends it."""

    place: int
    kind: str
    label: str | None = None


def make_page(album: PhotoAlbum, decisions: Decisions, token: str, cookie: str) -> FastAPI:
    """The application.

    Args:
        token: what the address must bring.
        cookie: the name of the cookie that keeps it.
    """
    app = FastAPI(title="mien review", docs_url=None, redoc_url=None, openapi_url=None)
    for path, (package, name, kind) in FILES.items():
        _add_file(app, path, read_file(str(files(package).joinpath(name))), kind)
    _add_photos(app, album, decisions)
    _add_decisions(app, decisions)
    app.add_exception_handler(MienError, _refused)
    app.middleware("http")(guard(token, policy=POLICY, cookie=cookie))
    return app


def _add_file(app: FastAPI, path: str, content: bytes, kind: str) -> None:
    @app.get(path)
    def file() -> Response:
        return _answer(content, f"{kind}; charset=utf-8")


def _add_photos(app: FastAPI, album: PhotoAlbum, decisions: Decisions) -> None:
    def at(place: int) -> Photo:
        if not 0 <= place < len(album.photos):
            raise HTTPException(404, f"there is no photo {place + 1}")
        return album.photos[place]

    def seen(rows: Sequence[int], *, named: bool = False) -> list[dict[str, object]]:
        small = album.small(rows)
        paths = [album.path_of(row) if named else "" for row in rows]
        return [
            {"row": row, "label": album.label_of(row), "path": path, "src": small[row]}
            for row, path in zip(rows, paths, strict=True)
        ]

    @app.get("/photos")
    def photos() -> JSONResponse:
        """Everything that the page has to know at its start."""
        told = [_told(photo, decisions.of[place]) for place, photo in enumerate(album.photos)]
        return _json({"classes": album.classes, "photos": told, "table": str(decisions.path)})

    @app.get("/shown/{place}")
    def shown(place: int) -> JSONResponse:
        """A photo, its copies, and others of its class, all in one answer."""
        photo = at(place)
        near = album.nearest(photo, photo.label)
        return _json({"pictures": album.pictures(photo), "copies": seen(photo.copies, named=True), "near": seen(near)})

    @app.get("/suggestion/{place}")
    def suggestion(place: int) -> JSONResponse:
        """What the probe says, once a person asks."""
        found = album.suggestion(at(place))
        if found is None:
            raise HTTPException(404, "the probe was not asked about this photo")
        return _json({"label": found.label, "told": found.told, "near": seen(found.near)})


def _add_decisions(app: FastAPI, decisions: Decisions) -> None:
    @app.post("/decide")
    def decide(asked: Asked) -> JSONResponse:
        """Write a decision; the answer comes when the table holds it."""
        step = decisions.decide(asked.place, Decision(asked.kind, asked.label))
        return _json(asdict(step))

    @app.post("/undo")
    def undo() -> JSONResponse:
        """Take the latest decision back."""
        step = decisions.undo()
        return _json(asdict(step) if step else None)


def _told(photo: Photo, decision: Decision) -> dict[str, object]:
    """What the page knows of a photo before it is asked for; nothing of what the probe suggests."""
    return {
        "row": photo.row,
        "label": photo.label,
        "findings": [told for name, told in FINDINGS.items() if name in photo.findings],
        "path": f"{photo.source}/{photo.path}",
        "has_face": photo.has_face,
        "has_suggestion": photo.has_suggestion,
        "decision": asdict(decision),
    }


def _answer(content: bytes, kind: str) -> Response:
    """An answer that no browser keeps on a disk."""
    return Response(content, media_type=kind, headers={"Cache-Control": "no-store"})


def _json(content: object) -> JSONResponse:
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


async def _refused(request: Request, error: Exception) -> Response:
    """What cannot be decided or written, in one line."""
    return JSONResponse({"detail": str(error)}, 422 if isinstance(error, CorrectionsError) else 507)
