"""The page's doors: what of it answers whom, pictures that are their sender's alone, and what stays of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from mien.app.doors import Doors
from mien.app.limits import Limits
from mien.app.own_photos import OwnPhotos, own_photo
from mien.app.uploads import FullError, GoneError, Uploads
from mien.app.visitors import VISITOR
from mien.data.reading.preprocess import UnreadableImageError
from mien.errors import OutputError
from support.pictures import encoded, png
from support.servers import Watched, watched

TOKEN = "0123456789abcdef"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
META = {"meta": {"_type": "gradio.FileData"}}
CALLED = ("run/predict", "run/predict/", "api/predict", "call/lambda", "call/v2/lambda", "queue/join")


@pytest.fixture(scope="module", params=[(), ("--token", TOKEN)], ids=["open", "token"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("server"), *request.param) as server:
        yield server
        assert server.peers() == []


HERE: list[httpx.Client] = []
"""Visitors who have not left yet."""


@pytest.fixture(autouse=True)
def visitors_leave() -> Iterator[None]:
    """After each test, whose connections would otherwise stay open for as long as nobody collects garbage."""
    yield
    while HERE:
        HERE.pop().close()


def visitor(server: Watched) -> httpx.Client:
    """A browser that has opened the page; the token, where none is asked for, does no harm."""
    client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
    HERE.append(client)
    client.get("/")
    return client


def config(client: httpx.Client) -> dict[str, Any]:
    found = re.search(r"window\.gradio_config = (\{.*?\});</script>", client.get("/").text, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def functions(client: httpx.Client) -> dict[int, list[str]]:
    """Number and kinds of inputs of every function behind the page."""
    told = config(client)
    kinds = {part["id"]: part["type"] for part in told["components"]}
    return {each["id"]: [kinds[i] for i in each["inputs"]] for each in told["dependencies"]}


def upload(client: httpx.Client, content: bytes, name: str = "a.png") -> str:
    (path,) = client.post("/gradio_api/upload", files={"files": (name, content)}).raise_for_status().json()
    return str(path)


def call(client: httpx.Client, function: int, data: list[Any], session: str = "q", route: str = "queue/join") -> str:
    """What the page's function answers, or how the call is refused."""
    body = {"data": data, "fn_index": function, "session_hash": session}
    answer = client.post(f"/gradio_api/{route}", content=json.dumps(body), headers={"Content-Type": "application/json"})
    if answer.status_code != 200 or "event_id" not in answer.text:
        return f"{answer.status_code} {answer.text}"
    return f"200 {client.get('/gradio_api/queue/data', params={'session_hash': session}).text}"


def uploads_of(server: Watched) -> Path:
    folders = {found[1] for line in server.seen() if (found := re.search(r"'(\S*/mien-\d+-\w+)", line))}
    (folder,) = folders
    return Path(folder, "uploads")


def lying(server: Watched) -> list[Path]:
    return [path for path in uploads_of(server).rglob("*") if path.is_file()]


@contextlib.contextmanager
def counting() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and who came."""
    came: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        ended = threading.Event()

        def count() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    came.append(str(listener.accept()[1]))

        thread = threading.Thread(target=count)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.png", came
        ended.set()
        thread.join()


def data_for(kinds: list[str], file: Any, folder: str = "") -> list[Any]:
    plain = {"checkbox": True, "textbox": folder, "dropdown": "sad"}
    return [[file] if kind in ("file", "uploadbutton") else file if kind == "image" else plain[kind] for kind in kinds]


def test_no_function_reads_a_file_that_was_not_sent(server: Watched, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(7, (200, 200)))
    pipe, folder = tmp_path / "pipe", uploads_of(server)
    os.mkfifo(pipe)
    (folder / "link.png").symlink_to(secret)
    (folder / ("a" * 32)).symlink_to(secret)
    client = visitor(server)
    key = upload(visitor(server), secret.read_bytes())
    with counting() as (far, came):
        paths = [secret, folder / "link.png", f"{folder}/../../{secret}", folder / ("a" * 32), "a" * 32, "link.png"]
        paths += [os.path.relpath(secret, server.home), f"file://{secret}", f"{folder}/{key}", f"../{key}", pipe]
        paths += ["/dev/stdin", "/dev/zero", tmp_path, "", "\0", "~", "/proc/self/environ", key, far, far.upper()]
        files: list[Any] = [{"path": str(path), "orig_name": "a.png", **META} for path in paths]
        files += [{"path": "", "url": url, **META} for url in (far, f"file://{secret}", f"/gradio_api/file={secret}")]
        files += [
            {"path": None, "url": far},
            {"url": far},
            {"url": f"data:text/plain,{secret}"},
            {"path": [str(secret)]},
        ]
        files += [{"value": {"path": str(secret), **META}}, [{"path": str(secret), **META}], [str(secret)]]
        for function, kinds in functions(client).items():
            for file in files if {"file", "uploadbutton", "image"} & set(kinds) else []:
                answer = call(client, function, data_for(kinds, file))
                assert answer.startswith("4"), (function, file, answer[:200])
                assert answer.count("\n") == 0
        for route in CALLED[:-1]:
            assert call(client, 0, [[files[0]], False], route=route).startswith("404")
    assert came == []
    assert secret.exists()
    assert len(lying(server)) >= 1  # the other's picture too


def test_whether_a_file_exists_is_not_told(server: Watched, tmp_path: Path) -> None:
    client = visitor(server)
    paths = (Path(__file__), tmp_path / "nothing")
    there, missing = (call(client, 0, [[{"path": str(path), **META}], False]) for path in paths)
    assert there == missing
    assert there.startswith("403")


def test_own_pictures_are_answered_shown_and_gone(server: Watched) -> None:
    client = visitor(server)
    names = ["one.png", "bärtig/../zwei.png", "x" * 400 + ".png", "../../three.png", "<u>.png"]
    keys = [upload(client, png(i, (90, 90)), name) for i, name in enumerate(names)]
    assert client.get(f"/gradio_api/file={keys[0]}").content == png(0, (90, 90))
    assert client.get(f"/gradio_api/file={keys[0]}").headers["cache-control"] == "no-store"
    answer = call(client, 0, [[{"path": key, **META} for key in keys], False])
    assert answer.count("<article") == 5
    assert "one.png" in answer
    assert "three.png" in answer
    assert "<u>" not in answer
    assert not [key for key in keys if (uploads_of(server) / key).exists()]
    assert client.get(f"/gradio_api/file={keys[0]}").status_code == 404
    assert call(client, 0, [[{"path": keys[0], **META}], False]).startswith("403")


def test_pictures_and_answers_are_their_senders_alone(server: Watched) -> None:
    sender, other = visitor(server), visitor(server)
    key, session = upload(sender, png(3, (90, 90))), "4350m0b3fvt"
    assert other.get(f"/gradio_api/file={key}").status_code == 404
    assert call(other, 0, [[{"path": key, **META}], False], session).startswith("403")
    bare = httpx.Client(base_url=server.url, headers=sender.headers, cookies={VISITOR: "0" * 32})
    HERE.append(bare)
    assert call(bare, 0, [[{"path": key, **META}], False], session).startswith("403")
    body = {"data": [[{"path": key, **META}], False], "fn_index": 0, "session_hash": session}
    assert sender.post("/gradio_api/queue/join", json=body).status_code == 200
    query = {"session_hash": session}
    assert other.get("/gradio_api/queue/data", params=query).status_code == 404
    with other.stream("GET", f"/gradio_api/heartbeat/{session}"):
        pass  # which in Gradio ends the session
    assert "<article" in sender.get("/gradio_api/queue/data", params=query).text


def test_frames_of_the_camera_are_answered_and_gone(server: Watched) -> None:
    client = visitor(server)
    (number,) = (i for i, kinds in functions(client).items() if kinds == ["image"])
    assert call(client, number, [{"url": "data:image/png;base64,%%%"}]).startswith("422")
    before = set(lying(server))
    frames = ["data:image/png;base64," + base64.b64encode(png(i, (80, 80))).decode() for i in range(2)]
    body = {"data": [{"url": frames[0]}], "fn_index": number, "session_hash": "frames"}
    event = client.post("/gradio_api/queue/join", json=body).json()["event_id"]
    answers = 0
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "frames"}) as stream:
        for line in stream.iter_lines():
            if "<article" in line:
                answers += 1
                assert set(lying(server)) <= before
                if answers == 2:
                    client.post(f"/gradio_api/stream/{event}/close")
                    break
                body["data"] = [{"url": frames[1]}]
                assert client.post(f"/gradio_api/stream/{event}", json=body).json() == {"msg": "success"}
    assert answers == 2


CLOSED = [
    *[("GET", f"/gradio_api/{name}") for name in ("info", "openapi.json", "user", "login_check", "token", "app_id")],
    *[("GET", f"/gradio_api/{name}") for name in ("dev/reload", "runs", "deep_link?session_hash=q", "queue/status")],
    *[("GET", f"/gradio_api/{name}") for name in ("startup-events", "theme.css", "vibe-code", "call/lambda/0")],
    *[("GET", f"/gradio_api/{name}") for name in ("run-history/buckets", "profiling/traces", "mcp/", "mcp/sse")],
    *[("GET", f"/gradio_api/{name}") for name in ("file/etc/passwd", "proxy=http://127.0.0.1/", "custom_component/")],
    *[("GET", f"/gradio_api/file={name}") for name in ("/etc/passwd", "http://127.0.0.1/", "../x", "", "a" * 32)],
    *[("GET", f"/gradio_api/stream/q/1/2/{name}") for name in ("playlist.m3u8", "playlist-file", "0.ts")],
    *[("POST", f"/gradio_api/{name}") for name in ("reset", "cancel", "component_server", "process_recording")],
    *[("POST", f"/gradio_api/{name}") for name in ("vibe-edit", "undo-vibe-edit", "vibe-starter-queries")],
    *[("POST", f"/gradio_api/{name}") for name in ("run-history/connect", "stream/q", "call/x")],
    *[("GET", f"/{name}") for name in ("config", "config/", "logout", "monitoring", "monitoring/summary", "pwa_icon")],
    *[("GET", f"/{name}") for name in ("svelte/x.js", "robots.txt", "assets/", "assets/../config", "static/.hidden")],
    *[("GET", f"/{name}") for name in ("assets/%2e%2e/%2e%2e/package.json", "assets//etc/passwd", "gradio_api")],
    ("POST", "/login"),
    ("POST", "/"),
    ("PUT", "/gradio_api/upload"),
    ("GET", "/gradio_api/queue/join"),
]


def test_what_the_page_does_not_need_is_closed(server: Watched) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        codes = {(method, path): client.request(method, path).status_code for method, path in CLOSED}
    assert {call: code for call, code in codes.items() if code not in (404, 405)} == {}


def test_nothing_of_the_page_is_open_without_the_token(server: Watched) -> None:
    if server.url and httpx.get(server.url).status_code == 200:
        pytest.skip("this page asks for none")
    for path in ("", "theme.css", "gradio_api/queue/data?session_hash=q", "gradio_api/heartbeat/q"):
        assert httpx.get(server.url + path).status_code == 401
    for path in ("upload", "queue/join", "stream/" + "0" * 32):
        assert httpx.post(f"{server.url}gradio_api/{path}", files={"files": b"x"}).status_code == 401


def test_other_pages_of_this_machine_cannot_read_along(server: Watched) -> None:
    answer = visitor(server).get("/", headers={"Origin": "http://localhost:3000"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_browser_is_told_to_keep_no_runs(server: Watched) -> None:
    assert config(visitor(server)).get("run_history", False) is False


def test_queue_refuses_what_is_no_call(server: Watched) -> None:
    client = visitor(server)
    bodies: list[Any] = [[], {}, {"data": {}}, {"data": [], "fn_index": "0", "session_hash": "q"}, 1, None, "x"]
    bodies += [{"data": [], "fn_index": 0, "session_hash": name} for name in ("", "../x", None, "x" * 65, "a b")]
    bodies += [
        {"data": data, "fn_index": 0, "session_hash": "q"} for data in ([], ["x", False], [[], 1], [["x"], False])
    ]
    bodies += [{"data": [[], False], "fn_index": number, "session_hash": "q"} for number in (-1, 99, 0.0, True, None)]
    codes = {client.post("/gradio_api/queue/join", content=json.dumps(body)).status_code for body in bodies}
    assert codes == {422}
    assert client.post("/gradio_api/queue/join", content=b"{").status_code == 400
    assert client.post("/gradio_api/queue/join", content=b"[" * 200_000).status_code == 400


def test_upload_that_is_cut_off_leaves_nothing(server: Watched) -> None:
    lines = "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n"
    head = lines.format(server.port, TOKEN, "multipart/form-data; boundary=x") + "Content-Length: 900000\r\n\r\n"
    part = '--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    before = set(lying(server))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall((head + part).encode() + b"z" * 400_000)
        time.sleep(0.5)
    time.sleep(0.5)
    assert set(lying(server)) <= before


def test_folder_field_reads_photos_that_were_taken_there_alone(server: Watched, tmp_path: Path) -> None:
    client = visitor(server)
    folders = {i: kinds for i, kinds in functions(client).items() if "textbox" in kinds}
    if not folders:
        assert "--token" in server.process.args  # type: ignore[operator]
        return
    label = next(part for part in config(client)["components"] if part["type"] == "dropdown")["props"]["value"]
    (tmp_path / label).mkdir()
    (tmp_path / "secret.png").write_bytes(png(5, (120, 120)))
    (tmp_path / label / "own-0001.jpg").symlink_to(tmp_path / "secret.png")
    os.mkfifo(tmp_path / label / "own-0002.jpg")
    (tmp_path / label / "own-0003.jpg").mkdir()
    (tmp_path / label / "own-0004.jpg").write_bytes(encoded(Image.new("RGB", (60, 60), "red"), "JPEG"))
    for number, kinds in folders.items():
        for folder in ("\ud800", "\0", "~nobody-of-this-name/x", "x" * 5000) if "image" not in kinds else ():
            assert "**" in call(client, number, data_for(kinds, None, folder))
        answer = call(client, number, data_for(kinds, None, str(tmp_path)))
        assert answer.startswith("200")
        assert answer.count("<article") in (0, 1)
        assert not {"own-0001", "own-0002", "own-0003"} & set(re.findall(r"own-\d{4}", answer))
    assert (tmp_path / "secret.png").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.slow
def test_page_says_that_there_is_no_room(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    (tmp_path / "photo.png").write_bytes(os.urandom(50_000))
    small = "import mien.app.uploads\nmien.app.uploads.MOST = 40_000\n"
    with watched(tmp_path, before=small) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(server.url)
        page.wait_for_selector("#photos")
        page.set_input_files("#photos input[type=file]", str(tmp_path / "photo.png"))
        page.wait_for_selector("text=No room for these photos", timeout=60_000)
        (tmp_path / "photo.png").write_bytes(png(1, (90, 90)))
        page.set_input_files("#photos input[type=file]", str(tmp_path / "photo.png"))
        page.wait_for_selector("#answers article", timeout=60_000)
        browser.close()


# In this process: limits, and what is kept.


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for Gradio: answers what it was asked."""
    body = (await receive())["body"] if scope["method"] == "POST" else b"{}"
    told = {"path": scope["path"], "query": scope["query_string"].decode(), "body": json.loads(body)}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def doors(uploads: Uploads, limits: Limits) -> Doors:
    takes = {0: ["file", "checkbox"], 4: ["image"]}
    return Doors(echo, uploads, takes, limits=limits, forget=lambda session: None)


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    folder = tmp_path / "uploads"
    folder.mkdir()
    uploads = Uploads(folder, most=400_000, kept=30)
    yield uploads
    uploads.close()


@pytest.fixture
def client(uploads: Uploads) -> TestClient:
    return TestClient(doors(uploads, Limits(body=100_000, seconds=0.5)))


def send(client: TestClient, *contents: bytes) -> Any:
    return client.post("/gradio_api/upload", files=[("files", ("a.png", content)) for content in contents])


def test_uploads_together_are_bounded(client: TestClient, uploads: Uploads) -> None:
    codes = [send(client, b"x" * 90_000).status_code for _ in range(8)]
    assert codes == [200] * 4 + [507] * 4
    refused = send(client, b"x" * 90_000)
    assert refused.headers["retry-after"] == "60"
    assert len(refused.text.splitlines()) == 1
    assert uploads.used == sum(-(-path.stat().st_size // 4096) * 4096 for path in uploads.folder.iterdir())
    for path in list(uploads.folder.iterdir()):
        uploads.delete(str(path))
    assert uploads.used == 0
    assert send(client, b"x" * 90_000).status_code == 200


def test_empty_files_cannot_fill_the_memory(client: TestClient, uploads: Uploads) -> None:
    codes = [send(client, *[b""] * 30).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 507, 507]
    assert len(list(uploads.folder.iterdir())) == 90


def test_frames_are_bounded_too(client: TestClient, uploads: Uploads) -> None:
    frame = {"data": [{"url": "data:image/png;base64," + "A" * 80_000}], "fn_index": 4, "session_hash": "q"}
    codes = [client.post("/gradio_api/stream/" + "0" * 32, json=frame).status_code for _ in range(9)]
    assert codes[:5] == [200] * 5
    assert codes[-1] == 507
    assert uploads.used <= uploads.most


def test_full_memory_folder_is_told_in_one_line(
    client: TestClient, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    answer = send(client, b"x" * 1000, b"y" * 1000)
    monkeypatch.undo()
    assert answer.status_code == 507
    assert "No space left" in answer.text
    assert len(answer.text.splitlines()) == 1
    assert list(uploads.folder.iterdir()) == []
    assert uploads.used == 0


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"no form", 400),
        ({"Content-Type": "multipart/form-data"}, b"--x", 400),
        ({"Content-Type": "multipart/form-data; boundary=x; charset=punycode"}, b"--x\r\n\r\n", 400),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--x--',
            400,
        ),
        ({"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "9" * 12}, b"--x", 507),
    ],
)
def test_form_that_cannot_be_taken_has_its_code(
    client: TestClient, uploads: Uploads, headers: dict[str, str], content: bytes, code: int
) -> None:
    answer = client.post("/gradio_api/upload", headers=headers, content=content)
    assert answer.status_code == code
    assert len(answer.text.splitlines()) == 1
    assert uploads.used == 0


def test_picture_that_is_too_large_takes_the_others_with_it(client: TestClient, uploads: Uploads) -> None:
    assert send(client, b"x", b"x" * 100_001).status_code == 413
    assert send(client, *[b""] * 1001).status_code in (413, 507)
    assert uploads.used == 0
    assert list(uploads.folder.iterdir()) == []


def test_body_that_comes_slowly_is_given_up(uploads: Uploads) -> None:
    told: list[Any] = []

    async def run() -> None:
        parts = iter([b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'])

        async def receive() -> Any:
            await asyncio.sleep(0.05)
            return {"type": "http.request", "body": next(parts, b"x"), "more_body": True}

        async def sent(message: Any) -> None:
            told.append(message)

        scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "scheme": "http", "query_string": b""}
        scope["headers"] = [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", b"900")]
        await doors(uploads, Limits(seconds=0.4))(scope, receive, sent)

    started = time.monotonic()
    asyncio.run(asyncio.wait_for(run(), 20))
    assert told[0]["status"] == 400
    assert b"Too slow" in told[1]["body"]
    assert time.monotonic() - started < 4
    assert uploads.used == 0


def test_call_reaches_gradio_with_nothing_but_what_was_meant(client: TestClient, uploads: Uploads) -> None:
    (key,) = send(client, b"x").json()
    file = {"path": key, "orig_name": "/etc/passwd", "url": "http://a/", "mime_type": "x", "is_stream": True, **META}
    body = {"data": [[file], True], "fn_index": 0, "session_hash": "q", "trigger_id": 5, "event_data": {"path": "/x"}}
    told = client.post("/gradio_api/queue/join?x=y", json=body | {"simple_format": True, "event_id": "z"}).json()
    (path,) = uploads.folder.iterdir()
    assert told["query"] == ""
    assert set(told["body"]) == {"data", "fn_index", "session_hash", "trigger_id"}
    assert told["body"]["data"] == [[{"path": str(path), "orig_name": "a.png", "size": 1, **META}], True]
    assert "q" != told["body"]["session_hash"] in client.get("/gradio_api/heartbeat/q").json()["path"]
    assert client.get("/?deep_link=x&all_endpoints=1").json()["query"] == ""


def test_session_is_forgotten_when_its_page_is_closed(uploads: Uploads) -> None:
    forgotten: list[str] = []
    client = TestClient(Doors(echo, uploads, {0: []}, limits=Limits(), forget=forgotten.append))
    body = {"data": [], "fn_index": 0, "session_hash": "q"}
    session = client.post("/gradio_api/queue/join", json=body).json()["body"]["session_hash"]
    assert client.get("/gradio_api/queue/data?session_hash=q").json()["query"] == f"session_hash={session}"
    client.get("/gradio_api/heartbeat/q")
    assert forgotten == [session]
    assert client.get("/gradio_api/queue/data?session_hash=q").status_code == 404


def test_what_nobody_asks_for_is_deleted(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, most=100_000, kept=0.5)
    with uploads.arriving() as arriving:
        arriving.reserve(3)
        key = arriving.keep("a", b"abc", "me")
    (tmp_path / "hash").mkdir()
    (tmp_path / "hash" / "of gradio").write_bytes(b"x")
    time.sleep(0.2)
    assert uploads.find(key, "me").size == 3
    time.sleep(0.8)
    assert list(tmp_path.iterdir()) == []
    assert uploads.used == 0
    with pytest.raises(GoneError):
        uploads.find(key, "me")
    uploads.close()


def test_request_that_fails_keeps_none_of_its_pictures(uploads: Uploads) -> None:
    def keep_two() -> None:
        with uploads.arriving() as arriving:
            arriving.keep("a", b"abc", "me")
            arriving.keep("b", b"x" * 400_000, "me")

    with pytest.raises(FullError):
        keep_two()
    assert uploads.used == 0
    assert list(uploads.folder.iterdir()) == []


def test_picture_that_was_exchanged_is_not_read(uploads: Uploads, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    with uploads.arriving() as arriving:
        path = uploads.folder / arriving.keep("a", b"abcdef", "me")
    path.unlink()
    path.symlink_to(secret)
    for name in (path, secret, uploads.folder / ".." / "secret", uploads.folder):
        with pytest.raises(GoneError):
            uploads.read(str(name))
    with pytest.raises(GoneError):
        uploads.take(str(secret))
    assert secret.exists()


def test_own_photos_are_regular_files_in_their_folder(tmp_path: Path) -> None:
    folder, far = tmp_path / "own", tmp_path / "far"
    (folder / "sad").mkdir(parents=True)
    far.mkdir()
    picture = encoded(Image.new("RGB", (60, 60), "red"), "JPEG")
    (far / "own-0001.jpg").write_bytes(picture)
    os.mkfifo(folder / "sad" / "own-0001.jpg")
    (folder / "sad" / "own-0002.jpg").symlink_to(far / "own-0001.jpg")
    (folder / "sad" / "own-0003.jpg").write_bytes(picture)
    with (folder / "sad" / "own-0004.jpg").open("wb") as large:
        large.truncate(2**40)
    (folder / "happy").symlink_to(far)
    photos = OwnPhotos(str(folder))
    found = [path.name for path, _ in photos.all(("sad",))]
    assert found == ["own-0003.jpg", "own-0004.jpg"]
    assert own_photo(folder / "sad" / found[0]).size == (60, 60)
    for name in ("own-0001.jpg", "own-0002.jpg", "own-0004.jpg", "own-0005.jpg"):
        with pytest.raises(UnreadableImageError):
            own_photo(folder / "sad" / name)
    with pytest.raises(OutputError, match="link"):
        photos.all(("happy",))
    with pytest.raises(OutputError, match="link"):
        photos.save(Image.new("RGB", (9, 9)), "happy")
    assert photos.save(Image.new("RGB", (9, 9)), "sad").name == "own-0005.jpg"
    assert len(list(far.iterdir())) == 1


def test_own_photo_is_not_written_into_what_waits_there(tmp_path: Path) -> None:
    (tmp_path / "sad").mkdir()
    os.mkfifo(tmp_path / "sad" / "own-0001.jpg.partial")
    saved: list[Path] = []
    thread = threading.Thread(
        target=lambda: saved.append(OwnPhotos(str(tmp_path)).save(Image.new("RGB", (9, 9)), "sad")), daemon=True
    )
    thread.start()
    thread.join(10)
    assert [path.name for path in saved] == ["own-0001.jpg"]
