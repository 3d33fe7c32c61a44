"""Who may stay connected, for how long and with how many bytes.

uvicorn waits for ever for headers, for the rest of a body and for a client that does not read its answer, and takes
connections until the process may open no more files. Here every connection is in one of four states, each with its
limit of time; where connections or bodies become too many, the worst offender gives way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any

import h11
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.app.limits import Limits

__all__ = ["ACCEPTED_AT_ONCE", "BACKLOG", "Admission", "Connection", "listen_deeper", "most_connections", "protocol_of"]

ACCEPTED_AT_ONCE = 4
"""Connections that the event loop accepts before it looks at them. asyncio's 100 or uvicorn's 2048 would use up the
files before the first of them is counted, and each that fails is logged."""
BACKLOG = 1024
"""Connections that the kernel holds until they are accepted; more than are allowed, for they are accepted fast."""
FILES_KEPT = 32
"""Files left over for all else: connections that are being accepted or closed, and what libraries open."""
FEWEST = 8
TICK = 0.2
"""Seconds between looks at the limits of time."""
FRAME_MOST = 2**20
"""Bytes beside the body that a call may bring: headers, and the sizes of chunks."""
UPLOAD = "/gradio_api/upload"
"""Where the page sends files: many to a body, so that a body may be longer and take longer."""
PACE = 2**16
"""Bytes a second with which an upload must come, once its first seconds are over."""


class State(Enum):
    """Whose turn it is on a connection."""

    HEADERS = "the client's: no whole headers have come since it connected, or since the last answer"
    BODY = "the client's: the body is not whole"
    WORK = "ours: the call is whole, and no answer has begun"
    ANSWER = "the client's, if it does not read: an answer is being sent, or the rest of one waits to be read"


def most_connections(limits: Limits, *, has_page: bool) -> int:
    """How many connections may be open, so that the process never runs out of files.

    Args:
        has_page: whether there is a page, where a connection may bring a file.
    """
    try:
        import resource
    except ImportError:  # Windows knows no such limit
        return limits.connections
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return limits.connections
    free = files - _open_files() - FILES_KEPT
    return max(FEWEST, min(limits.connections, free // 2 if has_page else free))


def _open_files() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return sum(1 for _ in Path(folder).iterdir())
    return 32


def listen_deeper(servers: Iterable[asyncio.base_events.Server]) -> None:
    """Let the kernel hold ``BACKLOG`` connections; asyncio has one number for this and for what it accepts at once."""
    for server in servers:
        for each in server.sockets:
            with each.dup() as listener:
                listener.listen(BACKLOG)


class Admission:
    """All connections of a server, and the limits that they share."""

    def __init__(self, limits: Limits, *, most: int) -> None:
        """Open it.

        Args:
            most: connections at a time.
        """
        self.limits, self.most = limits, most
        self.inside: set[Connection] = set()
        """Those that are open."""
        self._next_look: asyncio.TimerHandle | None = None

    def enter(self, connection: Connection) -> None:
        """Take a connection in; where there are too many, another gives way, or this one."""
        self.inside.add(connection)
        if self._next_look is None:
            self._next_look = connection.loop.call_later(TICK, self._look, connection.loop)
        while len(self.inside) > self.most:
            self._superfluous(connection).cut()

    def leave(self, connection: Connection) -> None:
        """Forget a connection; again does nothing."""
        self.inside.discard(connection)

    def make_room(self) -> None:
        """Refuse bodies until those that are not whole hold no more bytes than they may."""
        arriving = [each for each in self.inside if each.held]
        held = sum(each.held for each in arriving)
        while held > self.limits.arriving:
            worst = max(arriving, key=lambda each: each.held * each.age())
            arriving.remove(worst)
            held -= worst.held
            worst.refuse(503, "too many bodies are arriving at once; try again in a second")

    def _superfluous(self, newest: Connection) -> Connection:
        """The oldest of those that wait for their clients in the same way, of the way in which most wait.

        So a flood pushes out its own: slow headers do not end uploads, nor slow bodies new callers. A call that is
        whole is never ended; if there is nothing else, the newest connection goes.
        """
        waiting: dict[State, list[Connection]] = {}
        for each in self.inside:
            if each.state is not State.WORK and each is not newest:
                waiting.setdefault(each.state, []).append(each)
        crowd = max(waiting.values(), key=len, default=[newest])
        return max(crowd, key=Connection.age)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        for each in list(self.inside):
            each.keep_time()
        self._next_look = loop.call_later(TICK, self._look, loop) if self.inside else None


class Connection(H11Protocol):
    """uvicorn's connection with limits of time for headers, bodies and the reading of answers."""

    admission: Admission
    """Set by ``protocol_of``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = _unless_it_left(self.app)
        self.state = State.HEADERS
        self._since = self.loop.time()
        self._unread_since: float | None = None
        self._arrived = 0
        self._body_of: object = None

    @property
    def held(self) -> int:
        """Bytes of a body that is not whole; 0 once it is, or is read for nothing after its answer.

        Uploads to the page do not count: they do not stay in this process's memory.
        """
        is_held = self.state is State.BODY and not self.cycle.response_complete
        return self._arrived if is_held and self.scope["path"] != UPLOAD else 0

    def age(self) -> float:
        """Seconds in the state."""
        return self.loop.time() - self._since

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room."""
        super().connection_made(transport)
        self.admission.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.admission.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, if it is not too much."""
        self._arrived += len(data)
        super().data_received(data)
        self._turn()
        if self.state is State.BODY:
            self._weigh()

    def on_response_complete(self) -> None:
        """Wait for the next call, or for the rest of the body."""
        super().on_response_complete()
        self._turn()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._unread_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where an answer was begun already there can be no second."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """The server stops: calls that are whole are answered, bodies that are not whole are refused."""
        self._turn()
        if self.state is State.BODY:
            self.refuse(503, "the service is stopping")
        elif not self.transport.is_closing():
            super().shutdown()

    def keep_time(self) -> None:
        """End the connection if its client takes longer than it may."""
        self._turn()
        limits = self.admission.limits
        if self._is_unread(limits.seconds):
            self.cut()
        elif self.state is State.HEADERS and self.age() > limits.headers:
            self.transport.close()
        elif self.state is State.BODY and self.age() > limits.seconds + self._extra():
            self.refuse(400, f"the body did not arrive within {limits.seconds:g} seconds")

    def refuse(self, code: int, detail: str) -> None:
        """Answer in place of the application, unless it has begun to, and end; it sees a client that left."""
        if self.conn.our_state is h11.SEND_RESPONSE:
            for event in _refusal(code, detail):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._arrived = 0
        self.transport.close()

    def cut(self) -> None:
        """End the connection at once, with whatever it has not read."""
        self.admission.leave(self)
        self.transport.abort()

    def _extra(self) -> float:
        return self._arrived / PACE if self.scope["path"] == UPLOAD else 0

    def _weigh(self) -> None:
        if self.held > self.admission.limits.body + FRAME_MOST:
            self.refuse(413, f"the body is larger than {self.admission.limits.body} bytes")
        self.admission.make_room()

    def _turn(self) -> None:
        """Note whose turn it is now, and since when."""
        state = self._present()
        is_next_body = state is State.BODY and self.cycle is not self._body_of
        if state is not self.state or is_next_body:
            self.state, self._since, self._body_of = state, self.loop.time(), self.cycle
            if state is not State.BODY:
                self._arrived = 0

    def _present(self) -> State:
        theirs, cycle = self.conn.their_state, self.cycle
        if self.transport.is_closing():
            return State.ANSWER
        if theirs is h11.SEND_BODY:
            return State.BODY
        if theirs is h11.IDLE:
            return State.ANSWER if self.transport.get_write_buffer_size() else State.HEADERS
        return State.ANSWER if cycle is None or cycle.response_started else State.WORK

    def _is_unread(self, seconds: float) -> bool:
        """Whether for so long nothing of an answer was read that either waits whole or stops the application."""
        is_over = self.cycle is None or self.cycle.response_complete or self.transport.is_closing()
        if not self.transport.get_write_buffer_size() or not (is_over or self.flow.write_paused):
            self._unread_since = None
            return False
        if self._unread_since is None:
            self._unread_since = self.loop.time()
        return self.loop.time() - self._unread_since > seconds


def _unless_it_left(app: Any) -> Any:
    """The application, whose calls end quietly when their clients leave: that is no fault worth a traceback."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        with suppress(ClientDisconnect):
            await app(scope, receive, send)

    return answer


def _refusal(code: int, detail: str) -> Sequence[h11.Event]:
    body = json.dumps({"detail": detail}).encode()
    reason = HTTPStatus(code).phrase
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
    if code == 503:
        headers.append(("retry-after", "1"))
    return h11.Response(status_code=code, headers=headers, reason=reason), h11.Data(data=body), h11.EndOfMessage()


def protocol_of(admission: Admission) -> type[Connection]:
    """The class of connections that are let in by it; uvicorn makes them itself, so it must be told a class."""
    return type("Connection", (Connection,), {"admission": admission})
