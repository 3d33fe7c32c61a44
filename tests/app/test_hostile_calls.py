"""Hostile calls on a running service: an answer or a refusal, no traceback, nothing written, nobody called."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from support.mutations import cases, mutated
from support.pictures import RED, colour_model, encoded
from support.servers import LESS_PATIENCE, Watched, watched

pytestmark = pytest.mark.heavy
PHOTO = encoded(Image.new("RGB", (60, 50), RED))
OF_LIBTIFF = re.compile(r"(TIFF|JPEG|ZIP|LZW|tempfile)[\w.]*: ")
"""Its remarks on damaged files; they go past Python and name nothing of the caller."""
REFUSED = {400, 413, 415, 422, 429, 503}
PATHS = (
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\x.png",
    "C:\\x.png",
    "\\\\host\\share\\x.png",
    "file:///etc/passwd",
    "~/x.png",
    "$(touch x).png",
    "a;touch x",
    "NUL",
    "con.png",
    ".",
    "..",
    "/",
    "a\0b.png",
    "a\rb.png",
    "%2e%2e%2fx.png",
    "\u202egnp.x",
    "é" * 300,
    '"><script>alert(1)</script>',
    "{{7*7}}",
    " ",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The service for all tests of this file; at its end nothing may have been written, called or complained of."""
    folder = tmp_path_factory.mktemp("server")
    model = colour_model(folder / "model.onnx")
    with watched(folder, "--api-only", "--model", str(model), before=LESS_PATIENCE) as server:
        yield server
        assert server.peers() == []
    assert server.seen() == []
    assert list(server.home.iterdir()) == []
    lines = (folder / "stderr").read_text("utf-8").splitlines()
    assert [line for line in lines if not OF_LIBTIFF.match(line)] == [
        f"mien: {server.url}docs (Ctrl+C ends it)",
        "mien: interrupted",
    ]


@pytest.fixture
def client(server: Watched) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client
        assert client.get("/readyz").text == "ready"


def form(name: str = "a.png", *, disposition: str | None = None, count: int = 1) -> bytes:
    """The body of a form with so many photos, whose boundary is ``b``."""
    head = disposition or f'form-data; name="images"; filename="{name}"'
    part = b"--b\r\nContent-Disposition: " + head.encode() + b"\r\n\r\n" + PHOTO + b"\r\n"
    return part * count + b"--b--\r\n"


def call(body: bytes, kind: str = "multipart/form-data; boundary=b", *more: str) -> bytes:
    """A call of ``/v1/predict`` as it goes over the wire."""
    lines = ("POST /v1/predict HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, *more, "", "")).encode("latin-1") + body


def spoken(server: Watched, sent: bytes, patience: float = 20) -> tuple[int | None, str]:
    """Status and body of the answer to raw bytes; None where the server closes, or waits for more than is sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=patience) as line:
        with suppress(OSError):  # the server may close as soon as it has read enough
            line.sendall(sent)
        answer = http.client.HTTPResponse(line)
        try:
            answer.begin()
            return answer.status, answer.read().decode()
        except (OSError, http.client.RemoteDisconnected):
            return None, ""


def test_what_watches_sees(tmp_path: Path) -> None:
    """A server that writes, deletes again and calls is found out."""
    model = colour_model(tmp_path / "model.onnx")
    before = (
        "import socket, tempfile\n"
        "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
        "far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "far.connect(('192.0.2.1', 9))\n"
    )
    with watched(tmp_path, "--api-only", "--model", str(model), before=before) as server:
        assert server.seen("open")
        assert "192.0.2.1" in server.seen("socket.connect")[0]
        assert server.peers() == ["010200C0"]


def test_calls_generated_from_the_document(server: Watched) -> None:
    """Schemathesis: right and wrong calls of every operation are answered as the document says."""
    import requests
    import schemathesis
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode
    from schemathesis.core.result import Ok

    codes, session = Counter[int](), requests.Session()
    schema = schemathesis.openapi.from_url(server.url + "openapi.json")
    operations: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    (predict,) = (operation for operation in operations if operation.path == "/v1/predict")

    def ask(case: Any) -> None:
        answer = case.call(session=session)
        case.validate_response(answer)
        codes[answer.status_code] += 1

    for mode, count in ((GenerationMode.POSITIVE, 25), (GenerationMode.NEGATIVE, 300)):
        still: dict[str, Any] = {
            "database": None,
            "derandomize": True,
            "deadline": None,
            "suppress_health_check": list(HealthCheck),
        }
        cases: Any = given(predict.as_strategy(generation_mode=mode))
        settings(max_examples=count, **still)(cases(ask))()
    assert codes[200] >= 25
    assert codes[422] > 100
    assert sum(codes.values()) > 300


def test_damaged_pictures(client: httpx.Client) -> None:
    def ask(case: tuple[int, tuple[str, bytes]]) -> int:
        number, (_, content) = case
        answer = client.post("/v1/predict", files=[("images", (PATHS[number % len(PATHS)], content, "image/png"))])
        assert "Traceback" not in answer.text
        return answer.status_code

    with ThreadPoolExecutor(4) as pool:
        codes = Counter(pool.map(ask, enumerate(cases(1000, seed=0))))
    assert sum(codes.values()) > 1000
    assert set(codes) <= {200, 413}, codes


def test_damaged_calls(server: Watched) -> None:
    """Bytes changed, cut, doubled and swapped anywhere in calls of each kind."""
    rng = np.random.default_rng(0)
    body = json.dumps({"images": ["AAAA"]}).encode()
    whole = [
        call(form()),
        call(body, "application/json"),
        call(body, "application/json", "Expect: 100-continue", "Connection: close"),
        b"GET /v1/model HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: nobody in particular\r\n\r\n",
        call(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"5\r\n--b\r\n\r\n0\r\n\r\n",
    ]

    def ask(sent: bytes) -> int | None:
        code, text = spoken(server, sent, patience=0.3)
        assert "Traceback" not in text
        return code

    todo = [mutated(whole[i % len(whole)], rng) for i in range(600)]
    with ThreadPoolExecutor(16) as pool:
        codes = Counter(pool.map(ask, todo))
    assert set(codes) <= {None, 200, 401, 404, 405, 100} | REFUSED, codes
    assert codes[400] > 50


@pytest.mark.parametrize("path", PATHS)
def test_file_names_are_told_back_and_lead_nowhere(client: httpx.Client, path: str) -> None:
    (answer,) = client.post("/v1/predict", files=[("images", (path, PHOTO, "image/png"))]).json()
    assert answer["label"] == "anger"


RAW: dict[str, tuple[bytes, set[int | None]]] = {
    "a header of 1 MB": (call(form(), "multipart/form-data; boundary=b", "X-Large: " + "x" * 2**20), {400, None}),
    "200,000 headers": (call(form(), "multipart/form-data; boundary=b", *["X: y"] * 200_000), {400, None}),
    "an address of 1 MB": (b"GET /" + b"x" * 2**20 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {400, None}),
    "headers without an end": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200_000, {400, None}),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, {400, None}),
    "two lengths": (call(form(), "multipart/form-data; boundary=b", "Content-Length: 3"), {400}),
    "a negative length": (call(form()).replace(b"Content-Length: ", b"Content-Length: -"), {400}),
    "a length of letters": (call(form()).replace(b"Content-Length: ", b"Content-Length: \xb2"), {400}),
    "a length of 10^30": (call(form()).replace(b"Content-Length: ", b"Content-Length: 1" + b"0" * 18), {400, 413}),
    "a broken chunk": (
        call(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"zz\r\n",
        {400, None},
    ),
    "a body cut short": (call(form())[:-20], {400, None}),
    "a name in no character": (
        call(form("\\ud800.png"), "multipart/form-data; boundary=b; charset=unicode_escape"),
        {200, 400, 415},
    ),
    "a name in UTF-7": (call(form("+2AA-.png"), "multipart/form-data; boundary=b; charset=utf-7"), {200, 400, 415}),
    "a charset that fails": (call(form(), "multipart/form-data; boundary=b; charset=undefined"), {400, 415}),
    "a charset with a zero": (call(form(), 'multipart/form-data; boundary=b; charset="\xff"'), {200, 400, 415}),
    "no boundary": (call(form(), "multipart/form-data"), {400}),
    "an empty boundary": (call(form(), "multipart/form-data; boundary="), {400, 422}),
    "a boundary of 5,000": (call(form(), "multipart/form-data; boundary=" + "b" * 5000), {400}),
    "another boundary": (call(form(), "multipart/form-data; boundary=c"), {400}),
    "a name of RFC 2231": (
        call(form(disposition="form-data; name=\"images\"; filename*=none''%ff")),
        {200, 400, 422},
    ),
    "no name": (call(form(disposition="form-data")), {400}),
    "a name of 5,000 characters": (call(form("x" * 5000)), {200, 400}),
    "400 files": (call(form(count=400)), {400, 413}),
    "JSON of 100,000 brackets": (call(b"[" * 100_000, "application/json"), {400}),
    "JSON with a number of 10,000 digits": (call(b'{"images": ' + b"1" * 10_000 + b"}", "application/json"), {400}),
    "JSON that is no UTF-8": (call(b'{"images": ["\xff"]}', "application/json"), {400}),
    "JSON with half a character": (call(b'{"images": ["\\ud800"]}', "application/json"), {422}),
    "another kind": (call(form(), "text/html"), {415}),
    "two kinds": (call(form(), "multipart/form-data; boundary=b", "Content-Type: application/json"), {200, 400, 415}),
    "a packed body": (call(form(), "multipart/form-data; boundary=b", "Content-Encoding: gzip"), {200, 415}),
    "another method": (call(form()).replace(b"POST", b"BREW"), {405}),
    "a WebSocket": (
        b"GET /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        {400, 403, 404, 405},
    ),
    "a path with dots": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    "a path with coded dots": (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    "a strange host": (b"GET /v1/model HTTP/1.1\r\nHost: x/healthz?\r\n\r\n", {400}),
    "no host": (b"GET /v1/model HTTP/1.1\r\n\r\n", {400}),
    "a wrong flag": (call(form()).replace(b"/predict", b"/predict?every_face=perhaps"), {422}),
}


@pytest.mark.parametrize("name", RAW)
def test_malformed_calls(server: Watched, name: str) -> None:
    sent, expected = RAW[name]
    code, text = spoken(server, sent)
    assert code in expected, (code, text[:400])
    assert "Traceback" not in text
    if text.startswith("{"):
        assert "\n" not in json.loads(text)["detail"]
    assert httpx.get(server.url + "readyz").text == "ready"


def dripping(server: Watched, pause: float) -> int:
    """The answer to a call whose body comes a byte at a time."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    line.putrequest("POST", "/v1/predict")
    for name, value in {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": "100000"}.items():
        line.putheader(name, value)
    line.endheaders()
    stop = threading.Event()

    def drip() -> None:
        with suppress(OSError):
            while not stop.wait(pause):
                line.send(b"-")

    thread = threading.Thread(target=drip)
    thread.start()
    code = line.getresponse().status
    stop.set()
    thread.join()
    line.close()
    return code


def test_slow_bodies_are_given_up_and_hold_nobody_up(server: Watched, client: httpx.Client) -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(24) as pool:
        slow = [pool.submit(dripping, server, 0.2) for _ in range(24)]
        time.sleep(0.7)
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/predict", files=[("images", ("a.png", PHOTO))]).status_code == 200
        codes = Counter(one.result() for one in slow)
    assert codes == {400: 24}
    assert time.monotonic() - start < 15  # 1.5 s, on a busy machine
    assert client.post("/v1/predict", files=[("images", ("a.png", PHOTO))]).status_code == 200


def test_clients_that_leave_before_their_answer(server: Watched, client: httpx.Client) -> None:
    for cut in (len(call(form())) - 30, len(call(form()))):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port)) as line:
                line.sendall(call(form())[:cut])
    for _ in range(50):
        answer = client.post("/v1/predict", files=[("images", ("a.png", PHOTO))])
        if answer.status_code != 429:  # some may be under way still
            break
        time.sleep(0.2)
    assert (answer.status_code, answer.json()[0]["label"]) == (200, "anger")
