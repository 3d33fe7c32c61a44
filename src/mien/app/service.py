"""The HTTP API around the recogniser."""

from __future__ import annotations

import asyncio
import dataclasses
import html
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import prometheus_client as prometheus
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from mien.app.batching import Batcher, BusyError
from mien.app.guard import guard
from mien.app.limits import Limits, read_body, read_pictures
from mien.app.meters import Meters
from mien.models.shipped_cards import as_on_card
from mien.recognizer import Prediction, Recognizer
from mien.telling.words.notice import NOTICE
from mien.version import __version__

__all__ = ["make_service"]

BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "string",
                            "format": "byte",
                            "minLength": 2,
                            "description": "An image file as base64 of either alphabet, in one line or many, "
                            "or as a data URL",
                        },
                    }
                },
            }
        },
    },
}


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What is wrong with a call, in one line."""

    detail: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {
        "model": Refusal,
        "description": "The body cannot be read or took too long, or this machine was called by another name",
    },
    401: {"model": Refusal, "description": "No token, or a wrong one"},
    413: {"model": Refusal, "description": "Too many bytes, pictures or pixels"},
    415: {"model": Refusal, "description": "Neither a form nor JSON"},
    422: {"model": Refusal, "description": "The field images is missing or of the wrong type"},
    429: {"model": Refusal, "description": "Too many calls at once; try again after Retry-After seconds"},
    503: {
        "model": Refusal,
        "description": "Too many pictures wait, too many bodies arrive, or the service is stopping",
    },
}
ANSWERS: dict[int | str, dict[str, Any]] = {200: {"model": list[Prediction], "description": "An answer a picture"}}


def make_service(recognizer: Recognizer, batcher: Batcher, *, limits: Limits, token: str | None) -> FastAPI:
    """The application that answers ``/v1/predict`` and the like; pages can be mounted beside.

    Args:
        token: what callers must show; None asks for none.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(batcher.close)

    app = FastAPI(
        title="mien",
        version=__version__,
        description=" ".join(NOTICE).replace("*", ""),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(RequestValidationError, _in_one_line)
    meters = Meters(recognizer, batcher)
    _add_health(app, batcher, meters)
    _add_model(app, recognizer)
    _add_predict(app, batcher, limits, meters)
    _add_docs(app)
    app.middleware("http")(guard(token))
    return app


def _add_predict(app: FastAPI, batcher: Batcher, limits: Limits, meters: Meters) -> None:
    under_way = 0

    async def answers_to(request: Request, body: bytes, every_face: bool) -> list[Prediction]:
        """Answers to a call whose body is whole; only such calls count as under way, however slowly others come."""
        nonlocal under_way
        if under_way >= limits.calls:
            raise HTTPException(429, "too many calls at once; try again in a second", {"Retry-After": "1"})
        under_way += 1
        try:
            pictures = await read_pictures(request, body, limits)
            return await asyncio.wrap_future(batcher.submit(pictures, every_face=every_face))
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
        finally:
            under_way -= 1

    @app.post("/v1/predict", openapi_extra={"requestBody": BODY}, responses=ANSWERS | REFUSALS)
    async def predict(request: Request, every_face: bool = False) -> JSONResponse:
        """Recognise pictures: a list of the objects of ``mien predict --jsonl``, in the order of the pictures."""
        started, code = time.perf_counter(), 200
        try:
            answers = await answers_to(request, await read_body(request, limits), every_face)
        except HTTPException as error:
            code = error.status_code
            raise
        finally:
            meters.calls.labels(code).inc()
            meters.seconds.observe(time.perf_counter() - started)
        for answer in answers:
            meters.pictures.labels(answer.status).inc()
        return JSONResponse([dataclasses.asdict(answer) for answer in answers])


def _add_health(app: FastAPI, batcher: Batcher, meters: Meters) -> None:
    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """Whether the process answers."""
        return "ok"

    @app.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready"}})
    async def readyz() -> PlainTextResponse:
        """Whether pictures are answered: 503 once the worker has died or the service is stopping."""
        ready = batcher.is_ready
        return PlainTextResponse("ready" if ready else "not ready", 200 if ready else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counts, times, and how far photos lie from those of training, for Prometheus."""
        return Response(prometheus.generate_latest(meters.registry), media_type=prometheus.CONTENT_TYPE_LATEST)


def _add_model(app: FastAPI, recognizer: Recognizer) -> None:
    contract = as_on_card(recognizer.contract, recognizer.model)

    @app.get("/v1/model")
    async def model() -> dict[str, Any]:
        """What the model says of itself, and what must be read before use."""
        told = dataclasses.asdict(contract) | {"training_hashes": len(contract.training_hashes)}
        told |= {"traits": [each.name for each in contract.traits]}
        told["threshold"] = dataclasses.asdict(recognizer.threshold) if recognizer.threshold else None
        return told | {"notice": [sentence.replace("*", "") for sentence in NOTICE]}


def _add_docs(app: FastAPI) -> None:
    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> str:
        """The API as a page without any script."""
        return _docs_page(app.openapi())


def _docs_page(document: dict[str, Any]) -> str:
    parts = [f"<h1>{html.escape(document['info']['title'])}</h1><p>{html.escape(document['info']['description'])}</p>"]
    parts.append('<p>The same for programs: <a href="openapi.json">openapi.json</a></p>')
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            codes = "".join(
                f"<tr><td>{html.escape(code)}</td><td>{html.escape(answer['description'])}</td></tr>"
                for code, answer in about["responses"].items()
            )
            said = html.escape(about.get("description", ""))
            parts.append(f"<h2>{method.upper()} {html.escape(path)}</h2><p>{said}</p><table>{codes}</table>")
    style = (
        "body{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}td{padding:.1rem .8rem .1rem 0}"
    )
    return f'<!doctype html><html lang="en"><title>mien: API</title><style>{style}</style>{"".join(parts)}</html>'


async def _in_one_line(request: Request, error: Exception) -> Response:
    """FastAPI's own refusal of a parameter, in the form that all refusals have."""
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return JSONResponse({"detail": " ".join(wrong.split())}, 422)
