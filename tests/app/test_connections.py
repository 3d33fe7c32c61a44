"""Connections that only hold a place: each kind is given up in time, and good calls are answered meanwhile."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from mien.app.batching import Batcher
from mien.app.connections import ACCEPTED_AT_ONCE, Admission, listen_deeper, most_connections, protocol_of
from mien.app.limits import Limits
from mien.app.rare_logs import OncePerWhile
from mien.app.service import make_service
from mien.recognizer import Recognizer
from support.pictures import RED, colour_model, encoded
from support.servers import Watched, free_port, watched

pytestmark = pytest.mark.heavy  # starts a server

PHOTO = encoded(Image.new("RGB", (60, 50), RED))
LIMITS = Limits(seconds=1.2, headers=0.8, body=300_000, arriving=2_000_000, connections=12)
GET = b"GET /quick HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
FEW_FILES = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))\n"
MUCH = 6_000_000


def post(path: str, length: int = 200_000) -> bytes:
    """Headers of a call whose body comes after them."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b"
    return f"{head}\r\nContent-Length: {length}\r\n\r\n".encode()


FORM = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n' + PHOTO + b"\r\n--b--\r\n"
GOOD = post("/v1/predict", len(FORM)) + FORM


@dataclass
class Served:
    """A small application behind the connections of ``mien app``, in this process."""

    port: int
    admission: Admission
    left: int = 0

    def line(self, sent: bytes = b"") -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        line.sendall(sent)
        return line

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """``/read`` reads the body, ``/slow`` thinks, ``/much`` answers with more than is read, others at once."""
        assert scope["type"] == "http"
        path, more, size = scope["path"], scope["path"] == "/read", 0
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            size, more = size + len(message["body"]), message["more_body"]
        await asyncio.sleep(1 if path == "/slow" else 0)
        content = b"x" * MUCH if path in ("/much", "/parts") else str(size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(4 if path == "/parts" else 1):
            await send({"type": "http.response.body", "body": content, "more_body": path == "/parts" and part < 3})


@contextmanager
def serving(limits: Limits = LIMITS) -> Iterator[Served]:
    served = Served(free_port(), Admission(limits, most=limits.connections))
    settings = uvicorn.Config(
        served.answer,
        port=served.port,
        loop="asyncio",
        http=protocol_of(served.admission),
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        backlog=ACCEPTED_AT_ONCE,
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    listen_deeper(server.servers)
    try:
        yield served
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


def drip(line: socket.socket, pause: float = 0.05) -> Callable[[], None]:
    """Send a byte at a time until the other end has gone; what comes back stops it."""
    stop = threading.Event()

    def send() -> None:
        with suppress(OSError):
            while not stop.wait(pause):
                line.send(b"x")

    thread = threading.Thread(target=send)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end


def until_closed(line: socket.socket) -> tuple[float, bytes]:
    """Seconds until the other end closes, and what it sent."""
    start, came = time.monotonic(), b""
    with suppress(ConnectionError):
        while part := line.recv(65536):
            came += part
    return time.monotonic() - start, came


STALLS: dict[str, tuple[bytes, bool]] = {
    "nothing at all": (b"", False),
    "half a header": (b"GET /quick HTTP/1.1\r\nHos", False),
    "a header a byte at a time": (b"GET /quick HTTP/1.1\r\nX: ", True),
    "an answered call, then half a header": (GET + b"GET /qui", False),
    "an answered call, then a header a byte at a time": (GET + b"GET /quick HTTP/1.1\r\nX: ", True),
    "a body that stops": (post("/read") + b"x" * 1000, False),
    "a body a byte at a time": (post("/read"), True),
    "a body a byte at a time that was answered before it came": (post("/quick"), True),
    "chunks without an end": (
        b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n",
        True,
    ),
}


@pytest.mark.parametrize("name", STALLS)
def test_who_never_finishes_is_given_up(server: Served, name: str) -> None:
    sent, goes_on = STALLS[name]
    is_body = b"POST" in sent
    with server.line(sent) as line:
        stop = drip(line) if goes_on else lambda: None
        seconds, came = until_closed(line)
        stop()
    assert seconds < (LIMITS.seconds if is_body else LIMITS.headers) + 0.8
    assert (b" 400 " in came) == (b"/read" in sent)


def test_slow_client_within_its_time_is_answered(server: Served) -> None:
    sent = post("/read", 8)
    with server.line() as line:
        for i in range(8):
            line.sendall(sent[i * 10 : i * 10 + 10] if i < 7 else sent[70:])
            time.sleep(LIMITS.headers / 2 / 8)
        for _ in range(8):
            time.sleep(LIMITS.seconds / 2 / 8)
            line.sendall(b"x")
        assert b" 200 " in line.recv(4096)


@pytest.mark.parametrize("path", ["/much", "/parts"])
def test_answer_that_nobody_reads_is_given_up(server: Served, path: str) -> None:
    before = len(server.admission.inside)
    with ExitStack() as stack:
        for _ in range(3):
            line = stack.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", server.port))
            line.sendall(GET.replace(b"/quick", path.encode()))
        # Not all three: on a busy machine the first may be gone by the third.
        wait_for(lambda: len(server.admission.inside) > before, 20)
        wait_for(lambda: len(server.admission.inside) <= before, LIMITS.seconds + 20)


def wait_for(truth: Callable[[], bool], seconds: float = 3) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_answer_that_is_read_slowly_comes_whole(server: Served) -> None:
    """Longer than the limit in all, but never nothing for so long."""
    with server.line(GET.replace(b"/quick", b"/much").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as line:
        size = 0
        for _ in range(8):
            size += len(line.recv(1_000_000))
            time.sleep(0.1)
        size += len(until_closed(line)[1])
    assert size > MUCH


@pytest.mark.parametrize("sent", [b"", b"GET /qui", post("/read") + b"x" * 10, GET.replace(b"/quick", b"/much")])
def test_flood_ends_nobody_who_is_at_work_and_keeps_nobody_out(sent: bytes) -> None:
    patient = Limits(seconds=20, headers=20, connections=12)
    with serving(patient) as server, ExitStack() as stack:
        at_work = [stack.enter_context(server.line(GET.replace(b"/quick", b"/slow"))) for _ in range(3)]
        for _ in range(30):
            with suppress(ConnectionError):
                stack.enter_context(server.line(sent))
            assert len(server.admission.inside) <= 12
        for patience in (10, 1):  # the first waits until all of the flood was taken in, which is work
            start = time.monotonic()
            with server.line(GET) as line:
                assert b" 200 " in line.recv(4096)
            assert time.monotonic() - start < patience
        assert all(b" 200 " in line.recv(4096) for line in at_work)


def test_flood_of_headers_ends_no_upload() -> None:
    with serving(Limits(seconds=20, headers=20, connections=12)) as server, ExitStack() as stack:
        upload = stack.enter_context(server.line(post("/read", 100)))
        for _ in range(60):
            with suppress(ConnectionError):
                stack.enter_context(server.line(b"GET /qui"))
        upload.sendall(b"x" * 100)
        wait_for(lambda: b"\r\n100\r\n" in upload.recv(4096))


def test_bodies_that_are_not_whole_hold_no_more_than_they_may(server: Served) -> None:
    """The good call is as large as theirs, but does not stay."""
    left = server.left
    with ExitStack() as stack:
        for _ in range(11):
            stack.enter_context(server.line(post("/read", 250_000) + b"x" * 240_000))
            held = sum(each.held for each in list(server.admission.inside))
            assert held <= LIMITS.arriving + 2**18  # of one read, before it is counted
        with server.line(post("/read", 250_000) + b"x" * 250_000) as line:
            assert b" 200 " in line.recv(4096)
    wait_for(lambda: server.left - left == 11)


def test_body_that_is_too_large_is_refused_on_every_path(server: Served) -> None:
    with server.line(post("/read", 10**9)) as line:
        with suppress(ConnectionError):
            for _ in range(100):
                line.sendall(b"x" * 65536)
        with suppress(ConnectionError):
            assert b" 413 " in line.recv(4096)


@pytest.mark.parametrize(
    "garbage",
    [
        b"POST /quick HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n;zz\r\nzz\r\n",
        GET + b"\x16\x03\x01" * 1000,
        GET * 300 + b"\0" * 5000,
        GET.replace(b"/quick", b"/slow") + b"\0" * 100_000,
    ],
)
def test_garbage_after_a_call_ends_the_connection_without_a_word(
    server: Served, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), server.line() as line:
        first, rest = garbage[: garbage.index(b"\r\n\r\n") + 4], garbage[garbage.index(b"\r\n\r\n") + 4 :]
        line.sendall(first)
        time.sleep(0.1)
        with suppress(ConnectionError):
            line.sendall(rest)
        assert until_closed(line)[0] < 2
    assert not caplog.records


def test_server_that_stops_waits_for_no_body() -> None:
    with serving(Limits(seconds=60)) as server:
        line, busy = server.line(post("/read")), server.line(GET.replace(b"/quick", b"/slow"))
        time.sleep(0.1)
        start = time.monotonic()
    assert time.monotonic() - start < 3
    assert b" 503 " in line.recv(4096)
    assert b" 200 " in busy.recv(4096)
    line.close()
    busy.close()


def test_limit_of_open_files_bounds_connections() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        few = most_connections(Limits(), has_page=False)
        assert 8 <= most_connections(Limits(), has_page=True) <= few < 256 - 32
        assert most_connections(Limits(connections=10), has_page=False) == 10
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_same_complaint_is_logged_once_a_while_and_counted() -> None:
    now = 0.0
    logger, lines = logging.Logger("flood"), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.addFilter(OncePerWhile(10, lambda: now))
    for i in range(1000):
        logger.error(f"out of files\nsocket: {i}")
        logger.error("another of %d", i)
    assert lines == ["out of files\nsocket: 0", "another of 0"]
    now = 11.0
    logger.error("another of %d", 7)
    assert lines[2].startswith("another of 7")
    assert "999" in lines[2]
    for i in range(1000):
        logger.error(f"new each time {i}")
    assert len(lines) < 60


def test_only_whole_calls_take_a_place(tmp_path: Path) -> None:
    """Places are held while pictures are answered, and are free again after."""
    gate, entered = threading.Event(), threading.Semaphore(0)

    class Held(Recognizer):
        def predict_pictures(self, pictures, *, every_face=False):  # type: ignore[no-untyped-def]
            entered.release()
            gate.wait(10)
            return super().predict_pictures(pictures, every_face=every_face)

    recognizer = Held(colour_model(tmp_path / "model.onnx"))
    batcher = Batcher(recognizer, most_waiting=100)
    service = make_service(recognizer, batcher, limits=Limits(calls=2), token=None)
    with TestClient(service, base_url="http://127.0.0.1") as client, ThreadPoolExecutor(2) as pool:

        def ask() -> int:
            return client.post("/v1/predict", files=[("images", ("a.png", PHOTO))]).status_code

        first = [pool.submit(ask) for _ in range(2)]
        entered.acquire()
        wait_for(lambda: batcher.waiting == 2)
        assert ask() == 429
        gate.set()
        assert [each.result() for each in first] == [200, 200]
        assert ask() == 200
        assert 'mien_calls_total{code="429"} 1.0' in client.get("/metrics").text


@contextmanager
def slow_clients(server: Watched, headers: int, bodies: int) -> Iterator[list[socket.socket]]:
    """So many of each kind, each of which sends a byte every half second."""
    with ExitStack() as stack:
        lines = []
        for i in range(headers + bodies):
            with suppress(OSError):
                line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
                line.sendall(b"GET /healthz HTTP/1.1\r\nX: " if i < headers else post("/v1/predict"))
                line.setblocking(False)
                lines.append(line)
        stop = threading.Event()

        def send() -> None:
            while not stop.wait(0.5):
                for line in lines:
                    with suppress(OSError):
                        line.send(b"x")

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield lines
        finally:
            stop.set()
            thread.join()


def seconds_of(server: Watched, path: str) -> float:
    """How long a caller without a connection waits for an answer, which must be good."""
    start = time.monotonic()
    assert asked(server, b"GET /%b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode()) == 200
    return time.monotonic() - start


def asked(server: Watched, sent: bytes) -> int:
    """The code of the answer to a call on a connection of its own."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(sent)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        answer.read()
        return answer.status


def served_model(folder: Path) -> tuple[str, ...]:
    return ("--api-only", "--model", str(colour_model(folder / "model.onnx")))


def test_good_calls_are_answered_among_slow_ones(tmp_path: Path) -> None:
    with (
        watched(tmp_path, *served_model(tmp_path)) as server,
        slow_clients(server, 100, 100),
        ThreadPoolExecutor(8) as pool,
    ):
        codes = pool.map(lambda _: asked(server, GOOD), range(300))
        assert max(seconds_of(server, path) for path in ("healthz", "readyz") * 5) < 1
        assert Counter(codes) == {200: 300}


def test_flood_beyond_the_limit_of_files_is_outlived(tmp_path: Path) -> None:
    """Twice as many connections as the process may open files; most hold headers, some bodies, some say nothing."""
    with watched(tmp_path, *served_model(tmp_path), before=FEW_FILES) as server:
        with slow_clients(server, 200, 60), ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            for _ in range(8):
                assert max(seconds_of(server, "healthz"), seconds_of(server, "readyz")) < 1
                time.sleep(0.2)
            assert asked(server, GOOD) == 200
        assert (tmp_path / "stderr").stat().st_size < 10_000


@pytest.mark.slow
def test_slow_upload_to_the_page_is_given_up(tmp_path: Path) -> None:
    """A route that is not ours: its body has the same time, and its end is no complaint."""
    before = (
        "from mien.app import serve\nfrom mien.app.limits import Limits\nserve.Limits = lambda: Limits(seconds=1.2)\n"
    )
    with watched(tmp_path, "--model", str(colour_model(tmp_path / "model.onnx")), before=before) as server:
        for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/v1/predict"):
            line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            line.putrequest("POST", path)
            kind = "application/json" if "join" in path else "multipart/form-data; boundary=b"
            for name, value in {"Content-Type": kind, "Content-Length": "100000"}.items():
                line.putheader(name, value)
            line.endheaders()
            line.send(b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nx')
            stop = drip(line.sock)
            start = time.monotonic()
            answer = line.getresponse()
            stop()
            assert (answer.status, time.monotonic() - start < 3) == (400, True), path
            line.close()
    assert "Traceback" not in (tmp_path / "stderr").read_text("utf-8")
