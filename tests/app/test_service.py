"""The service: the same answers as ``mien predict``, limits with their codes, and nothing kept."""

from __future__ import annotations

import base64
import json
import math
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from mien.app.batching import Batcher, BusyError
from mien.app.limits import Limits
from mien.app.meters import BLOCK
from mien.app.serve import check_address
from mien.app.service import make_service
from mien.data.reading.given import in_memory
from mien.data.reading.pictures import Picture
from mien.data.reading.preprocess import View
from mien.data.tables.spreads import Spread
from mien.errors import ConfigError
from mien.models.artifact import SHIPPED, Contract, model_path, open_model, shipped
from mien.models.shipped_spreads import known_spreads
from mien.recognizer import Recognizer
from mien.telling.terminal.predictions import prediction_text
from mien.telling.words.notice import NOTICE
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, png_header

TOKEN = "0123456789abcdef"
LIMITS = Limits(body=300_000, images=4, pixels=500_000, calls=8, waiting=16, seconds=2)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    return Recognizer(colour_model(tmp_path_factory.mktemp("model") / "model.onnx"))


@pytest.fixture
def batcher(recognizer: Recognizer) -> Iterator[Batcher]:
    batcher = Batcher(recognizer, most_waiting=LIMITS.waiting)
    yield batcher
    batcher.close()


@pytest.fixture
def client(recognizer: Recognizer, batcher: Batcher) -> TestClient:
    return local_client(recognizer, batcher)


def local_client(recognizer: Recognizer, batcher: Batcher) -> TestClient:
    service = make_service(recognizer, batcher, limits=LIMITS, token=None)
    return TestClient(service, base_url="http://127.0.0.1", raise_server_exceptions=False)


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (150, 130)) -> bytes:
    return encoded(Image.new("RGB", size, colour))


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("images", (f"{i}.png", content, "image/png")) for i, content in enumerate(contents)]


def test_call_answers_what_predict_prints(client: TestClient, recognizer: Recognizer, tmp_path: Path) -> None:
    contents = [flat(RED), b"no image", flat(BLUE)]
    answers = client.post("/v1/predict", files=files(*contents)).json()
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    line = prediction_text("jsonl", recognizer.labels)
    printed = [json.loads(line(each)) for each in recognizer.predict_pictures(in_memory(paths))]
    for answer, expected, path in zip(answers, printed, paths, strict=True):
        assert answer == expected | {"path": path.name}
    assert [answer["status"] for answer in answers] == ["no_face", "unreadable", "no_face"]
    assert [answers[0]["label"], answers[2]["label"]] == ["anger", "sad"]


def test_json_and_forms_are_answered_alike(client: TestClient) -> None:
    sent = {"images": [base64.b64encode(flat(GREEN)).decode()]}
    (from_json,) = client.post("/v1/predict", json=sent).json()
    (from_form,) = client.post("/v1/predict", files=files(flat(GREEN))).json()
    assert from_json | {"path": "0.png"} == from_form


def test_calls_that_come_together_get_their_own_answers(client: TestClient) -> None:
    colours = [RED, GREEN, BLUE] * 8
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda c: client.post("/v1/predict", files=files(flat(c), flat(RED))).json(), colours))
    expected = {RED: "anger", GREEN: "fear", BLUE: "sad"}
    assert [[a["label"] for a in answer] for answer in answers] == [[expected[c], "anger"] for c in colours]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, 400),
        ({"json": {"images": "x"}}, 422),
        ({"json": {"images": ["§"]}}, 422),
        ({"json": []}, 422),
        ({"json": {"images": []}}, 422),
        ({"files": [("others", ("a.png", b"x"))]}, 422),
        ({"data": {"images": "text"}, "files": [("others", ("a.png", b"x"))]}, 422),
        ({"files": files(*[b"x"] * 5)}, 413),
        ({"files": files(b"x" * 400_000)}, 413),
        ({"files": files(png_header(20_000, 20_000))}, 413),
        ({"files": files(flat(RED)), "params": {"every_face": "perhaps"}}, 422),
    ],
)
def test_each_refusal_has_its_code_and_one_line(client: TestClient, sent: dict[str, object], code: int) -> None:
    answer = client.post("/v1/predict", **sent)  # type: ignore[arg-type]
    assert answer.status_code == code, answer.text
    assert "\n" not in answer.json()["detail"]
    assert "Traceback" not in answer.text


def test_json_takes_base64_as_programs_write_it(client: TestClient) -> None:
    plain = base64.b64encode(flat(GREEN)).decode()
    wrapped, safe = base64.encodebytes(flat(GREEN)).decode(), base64.urlsafe_b64encode(flat(GREEN)).decode()
    for same in (wrapped, safe, safe.rstrip("="), f"data:image/png;base64,{plain}"):
        answers = client.post("/v1/predict", json={"images": [plain, same]}).json()
        assert answers[0] == answers[1]
        assert answers[1]["label"] == "fear"


@pytest.mark.parametrize("wrong", ["§", "", None, 5, {"a": 1}, "https://example.org/a.png", "data:image/png", "\ud800"])
def test_a_refusal_names_the_pictures_that_are_wrong(client: TestClient, wrong: object) -> None:
    good = base64.b64encode(flat(GREEN)).decode()
    answer = client.post(
        "/v1/predict",
        content=json.dumps({"images": [good, wrong, good, wrong]}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422
    said = answer.json()["detail"]
    assert ("picture 2 (images[1])" in said, "picture 4 (images[3])" in said) == (True, True)
    assert ("images[0]" in said, "images[2]" in said, "\n" in said) == (False, False, False)


def test_a_refusal_names_the_field_of_a_form_that_is_no_file(client: TestClient) -> None:
    sent = [*files(flat(GREEN)), ("images", (None, b"text", None))]
    answer = client.post("/v1/predict", files=sent)
    assert answer.status_code == 422
    assert "images[1]" in answer.json()["detail"]


def test_token_is_asked_for_everywhere_but_in_health(recognizer: Recognizer, batcher: Batcher) -> None:
    client = TestClient(make_service(recognizer, batcher, limits=LIMITS, token=TOKEN), follow_redirects=False)
    for path in ("/v1/model", "/docs", "/openapi.json", "/metrics", "/"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.post(f"/v1/predict?token={TOKEN}", files=files(flat(RED))).status_code == 401
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert client.get("/v1/model", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    entered = client.get(f"/docs?token={TOKEN}")
    assert (entered.status_code, entered.headers["location"]) == (307, "/docs")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "Secure" not in entered.headers["set-cookie"]
    assert client.get("/docs").status_code == 200  # the cookie
    assert "Secure" in client.get(f"https://testserver/docs?token={TOKEN}").headers["set-cookie"]


def test_token_cannot_be_gone_round(recognizer: Recognizer, batcher: Batcher) -> None:
    """A URL put together with the Host header would have another path, and two slashes would lead to another host."""
    client = TestClient(make_service(recognizer, batcher, limits=LIMITS, token=TOKEN), follow_redirects=False)
    for host in ("x/healthz?", "x/healthz#", "127.0.0.1"):
        assert client.get("/v1/model", headers={"Host": host}).status_code == 401
    for path in ("/healthz/../v1/model", "/healthz/", "//healthz", "/%68ealthz/v1/model"):
        assert client.get(path).status_code == 401
    entered = client.get(f"http://testserver//elsewhere.example/?token={TOKEN}")
    assert entered.headers["location"] == "/elsewhere.example/"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:7860", 200),
        ("LOCALHOST:7860", 200),
        ("[::1]:7860", 200),
        ("[::1]", 200),
        ("elsewhere.example", 400),
        ("elsewhere.example:7860", 400),
        ("127.0.0.1.elsewhere.example", 400),
        ("", 400),
    ],
)
def test_without_a_token_only_names_of_this_machine_are_answered(client: TestClient, host: str, code: int) -> None:
    """Else a page from elsewhere, whose name its owner points at 127.0.0.1, could read and steer everything."""
    assert client.get("/v1/model", headers={"Host": host}).status_code == code
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://testserver:99"}, 403),
    ],
)
def test_pages_of_another_site_cannot_make_a_browser_ask(
    recognizer: Recognizer, batcher: Batcher, headers: dict[str, str], code: int
) -> None:
    service = make_service(recognizer, batcher, limits=LIMITS, token=TOKEN)
    client = TestClient(service, headers={"Authorization": f"Bearer {TOKEN}"})
    assert client.post("/v1/predict", files=files(flat(RED)), headers=headers).status_code == code
    assert client.get("/v1/model", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("host", "port", "token"),
    [
        ("0.0.0.0", 7860, None),
        ("127.0.0.1", 0, None),
        ("0.0.0.0", 7860, "short"),
        ("127.0.0.1", 7860, "twenty long and spaced"),
        ("127.0.0.1", 7860, "0123456789abcdef\n"),
        ("127.0.0.1", 7860, "passphrase; Secure=éèà"),
    ],
)
def test_address_that_others_reach_needs_a_token(host: str, port: int, token: str | None) -> None:
    with pytest.raises(ConfigError, match=r"give|must"):
        check_address(host, port, token)


def test_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot be used"):
            check_address("127.0.0.1", taken.getsockname()[1], None)


def test_more_pictures_than_may_wait_are_refused_and_the_rest_answered(recognizer: Recognizer) -> None:
    gate = threading.Event()

    class Slow(Recognizer):
        def predict_pictures(self, pictures, *, every_face=False):  # type: ignore[no-untyped-def]
            gate.wait(10)
            return super().predict_pictures(pictures, every_face=every_face)

    slow = Slow.__new__(Slow)
    slow.__dict__.update(recognizer.__dict__)
    batcher = Batcher(slow, most_waiting=3)
    taken = [batcher.submit(list(in_memory([Image.new("RGB", (200, 200), RED)]))) for _ in range(3)]
    with pytest.raises(BusyError, match="waiting"):
        batcher.submit(list(in_memory([Image.new("RGB", (200, 200), RED)])))
    closing = threading.Thread(target=batcher.close)
    closing.start()
    gate.set()
    closing.join(10)
    assert [one.result(1)[0].label for one in taken] == ["anger"] * 3  # what was taken is finished
    assert not batcher.is_ready
    with pytest.raises(BusyError):
        batcher.submit([])


def test_callers_that_left_are_passed_over(recognizer: Recognizer) -> None:
    gate = threading.Event()

    def load() -> Image.Image:
        gate.wait(10)
        return Image.new("RGB", (200, 200), RED)

    batcher = Batcher(recognizer, most_waiting=8)
    held = batcher.submit([Picture("", load)])
    left, stays = (batcher.submit([Picture("", load)]) for _ in range(2))
    assert left.cancel()
    gate.set()
    assert [one.result(10)[0].label for one in (held, stays)] == ["anger", "anger"]
    assert batcher.is_ready
    batcher.close()
    assert batcher.waiting == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_death_of_the_worker_is_seen(recognizer: Recognizer) -> None:
    class Dying(Recognizer):
        def predict_pictures(self, pictures, *, every_face=False):  # type: ignore[no-untyped-def]
            raise SystemExit

    dying = Dying.__new__(Dying)
    dying.__dict__.update(recognizer.__dict__)
    batcher = Batcher(dying, most_waiting=8)
    client = local_client(dying, batcher)
    assert client.get("/readyz").status_code == 200
    assert client.post("/v1/predict", files=files(flat(RED))).status_code == 503
    assert client.get("/readyz").status_code == 503
    assert client.post("/v1/predict", files=files(flat(RED))).status_code == 503
    assert client.get("/healthz").status_code == 200


def test_model_tells_its_contract_and_the_notice(client: TestClient, recognizer: Recognizer) -> None:
    told = client.get("/v1/model").json()
    assert told["labels"] == list(recognizer.labels)
    assert "work and in education" in " ".join(told["notice"])
    card = Path("docs/MODEL_CARDS.md").read_text("utf-8")
    assert all(sentence in " ".join(card.split()) for sentence in NOTICE)


def test_metrics_count_and_name_nothing(client: TestClient) -> None:
    client.post("/v1/predict", files=files(flat(RED), b"x"))
    text = client.get("/metrics").text
    assert 'mien_pictures_total{status="no_face"} 1.0' in text
    assert "0.png" not in text


def metric(client: TestClient, name: str) -> float:
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name + " ")]
    return float(line.rpartition(" ")[2])


def spread_model(path: Path, **changes: object) -> Recognizer:
    """The colour model, with what its photos looked like in its contract."""
    spreads = {"brightness": Spread(0.5, 0.1, 100), "face_side": Spread(7.0, 2.0, 90)}
    contract = Contract(("anger", "fear", "sad"), (View("photo", 32),), "colour", spreads=spreads)
    return Recognizer(colour_model(path, metadata=contract.to_json()))


def test_metrics_count_answers_by_class_and_tell_drift_in_blocks(tmp_path: Path) -> None:
    recognizer = spread_model(tmp_path / "model.onnx")
    batcher = Batcher(recognizer, most_waiting=LIMITS.waiting)
    client = local_client(recognizer, batcher)
    white = flat((255, 255, 255), (32, 32))  # a picture so small is taken for a face
    for _ in range(BLOCK - 1):
        client.post("/v1/predict", files=files(white))
    assert metric(client, 'mien_answers_total{label="anger"}') == BLOCK - 1
    assert metric(client, 'mien_answers_total{label="sad"}') == 0
    told = ("mien_mean_confidence", 'mien_drift{property="brightness"}', 'mien_drift{property="face_side"}')
    assert all(math.isnan(metric(client, name)) for name in told)  # else each photo could be read off
    client.post("/v1/predict", files=files(white))
    assert metric(client, "mien_mean_confidence") == pytest.approx(1 / 3)
    assert metric(client, 'mien_drift{property="brightness"}') == pytest.approx((1 - 0.5) / 0.1)
    assert metric(client, 'mien_drift{property="face_side"}') == pytest.approx((math.log2(32) - 7) / 2)
    before = [metric(client, name) for name in told]
    client.post("/v1/predict", files=files(flat(RED, (32, 32))))
    assert [metric(client, name) for name in told] == before
    assert "sharpness" not in client.get("/metrics").text.replace("sharpness and", "")  # of which nothing is known
    batcher.close()


def test_metrics_count_what_the_page_answers(tmp_path: Path) -> None:
    recognizer = spread_model(tmp_path / "model.onnx")
    batcher = Batcher(recognizer, most_waiting=LIMITS.waiting)
    client = local_client(recognizer, batcher)
    pictures = list(in_memory([Image.new("RGB", (200, 200), BLUE)]))
    batcher.submit(pictures, every_face=True).result(20)
    assert metric(client, 'mien_answers_total{label="sad"}') == 1
    batcher.close()


def test_the_models_that_come_with_mien_know_how_their_photos_look() -> None:
    cards = {"default@2": "default.json", "default@1": "six-1.json", "six@1": "six-1.json", "six@2": "six.json"}
    assert set(cards) == set(SHIPPED)
    for name, card in cards.items():
        found = known_spreads(open_model(model_path(name))[1], name)
        assert set(found) == {"brightness", "sharpness", "face_side"}
        assert 0 < found["brightness"].mean < 1
        assert all(each.deviation > 0 for each in found.values())
        about = json.loads(shipped(card).read_text("utf-8"))
        assert found["brightness"].photos == about["images"] + (about["faces"] if name == "default@2" else 0)


def test_docs_page_needs_no_script_and_no_network(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "/v1/predict" in page
    assert "<script" not in page
    assert "http" not in page.replace("https://spec", "")


@pytest.mark.heavy
def test_app_without_torch() -> None:
    code = "import sys, mien.app.serve, mien.app.page; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'torch'" not in done.stdout
    assert "'gradio'" in done.stdout
