"""``mien review``: decisions on what the audit found, written at every step, on a page of this machine."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from mien.auditing.findings import ranked_findings
from mien.data.measuring.face_audit import FLAGS
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import View
from mien.data.tables.corrections import COLUMNS, read_corrections
from mien.errors import CorrectionsError, OutputError
from mien.reviewing.album import MOST_NEAR, PhotoAlbum
from mien.reviewing.decisions import Decision, Decisions
from mien.reviewing.material import Material
from mien.reviewing.service import make_page
from mien.telling.words.review import FINDINGS
from support.manifests import manifest
from support.outcomes import Outcome, snapshot
from support.pictures import pattern, png
from support.processes import listen_to_signals
from support.studies import Study

Mien = Callable[..., Outcome]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
TOKEN = "0123456789abcdef"
QUICK = ("--no-check-labels", "--no-faces")
HOSTILE = '<img src=x onerror="document.title=1">\'";=\n, &amp;'
"""What a class or file may be called that a page or a table could trip over."""


# -- what is shown ----------------------------------------------------------------------------------------------------


def made_material(labels: list[str], **columns: list[Any]) -> Material:
    """Photos whose first number of ``looks`` says where they lie, each a picture of its own unless ``near`` says so."""
    n = len(labels)
    near = columns.pop("near", None)
    looks = columns.pop("looks", list(range(n)))
    judged: dict[str, Any] = {"suggested_label": labels, "label_quality": [0.9] * n}
    plain: dict[str, Any] = {"face_kind": ["crop"] * n, "contrast": [0.2] * n, "width": [40] * n}
    table = manifest(labels, near, **{**plain, "height": [30] * n, "is_doubtful": [False] * n, **judged} | columns)
    view = View("photo", 32)
    with PixelWriter(None, [view], n) as writer:
        for row in range(n):
            square = np.asarray(pattern(row, (32, 32)))
            writer.put(row, {view.key: square}, np.zeros((32, 32), np.uint8))
    shown = table.select("row", "source", "path", "label", "near_group", "is_doubtful")
    angles = np.array(looks, dtype=np.float32) / n
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return Material(table, writer.pixels, shown, vectors, None)


def doubtful_material() -> Material:
    """Twelve photos: the first doubtful, the third a copy of the second, the fourth and fifth of one another."""
    labels = ["a", "b", "b", "a", "b", *("a", "b", "c", "a", "b", "c", "c")]
    return made_material(
        labels,
        near=[0, 1, 1, 3, 3, *range(5, 12)],
        is_doubtful=[True] + [False] * 11,
        suggested_label=["c"] + ["a"] * 11,
        label_quality=[0.1] + [0.9] * 11,
        looks=[0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    )


def page_of(material: Material, table: Path, earlier: Path | None = None) -> tuple[TestClient, Decisions]:
    album = PhotoAlbum(material)
    decisions = Decisions(table, album.photos, album.classes, earlier)
    client = TestClient(make_page(album, decisions, TOKEN, "token"), base_url="http://127.0.0.1")
    assert client.get(f"/?token={TOKEN}").status_code == 200  # and has the cookie from here on
    return client, decisions


def test_every_finding_of_the_audit_has_words() -> None:
    assert set(FINDINGS) == {*FLAGS, "two_labels", "doubtful_label", "copy"}


def test_the_worst_comes_first_in_page_and_table_alike(tmp_path: Path) -> None:
    labels = ["a", "b"] * 4
    found: dict[str, Any] = {
        "face_kind": ["found"] * 6 + ["none"] * 2,
        "face_count": [1, 1, 1, 1, 1, 3, 0, 0],
        "face_cut": [0.0] * 8,
    }
    doubts: dict[str, Any] = {
        "is_doubtful": [False, True, True] + [False] * 5,
        "label_quality": [0.9, 0.4, 0.2] + [0.9] * 5,
    }
    material = made_material(labels, near=[0, 1, 2, 3, 3, 5, 6, 6], face_side=[90.0] * 8, **found, **doubts)
    order = [photo.row for photo in PhotoAlbum(material).photos]
    assert sorted(order[:4]) == [3, 4, 6, 7]  # two pictures under two labels each
    assert order[4:] == [2, 1, 5]
    assert ranked_findings(material.manifest)["row"].to_list() == order


def test_nearest_are_of_the_class_and_neither_copies_nor_doubtful_nor_the_same_picture_twice() -> None:
    labels = ["a"] * 9 + ["b"]
    material = made_material(
        labels, near=[0, 0, 2, 2, 4, 5, 6, 7, 8, 9], is_doubtful=[True, *[False] * 4, True] + [False] * 4
    )
    album = PhotoAlbum(material)
    first = next(photo for photo in album.photos if photo.row == 0)
    assert album.nearest(first, "a") == (2, 4, 6, 7)
    assert len(album.nearest(first, "a")) == MOST_NEAR
    assert album.nearest(first, "b") == (9,)
    assert album.nearest(first, "c") == ()


def test_nothing_tells_the_suggestion_before_it_is_asked_for(tmp_path: Path) -> None:
    client, _ = page_of(doubtful_material(), tmp_path / "c.csv")
    told = client.get("/photos").json()
    place = next(i for i, photo in enumerate(told["photos"]) if photo["has_suggestion"] and photo["row"] == 0)
    assert set(told["photos"][place]) == {
        "row", "label", "findings", "path", "has_face", "has_suggestion", "decision",
    }  # fmt: skip
    beside = client.get(f"/shown/{place}").json()
    assert {each["label"] for each in beside["near"]} == {"a"}
    suggestion = client.get(f"/suggestion/{place}").json()
    assert suggestion["label"] == "c"
    assert {each["label"] for each in suggestion["near"]} == {"c"}
    other = next(i for i, photo in enumerate(told["photos"]) if not photo["has_suggestion"])
    assert client.get(f"/suggestion/{other}").status_code == 404


def test_pictures_are_small_jpegs_that_no_browser_keeps(tmp_path: Path) -> None:
    client, _ = page_of(doubtful_material(), tmp_path / "c.csv")
    answer = client.get("/shown/1")
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    pictures = [*shown["pictures"], *(each["src"] for each in (*shown["near"], *shown["copies"]))]
    assert all(re.fullmatch(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", each) for each in pictures)
    assert max(map(len, pictures)) < 10_000
    assert (len(shown["pictures"]), len(shown["copies"])) == (1, 1)
    for path in ("/shown/99", "/shown/-1", "/suggestion/-1"):
        assert client.get(path).status_code == 404


# -- decisions --------------------------------------------------------------------------------------------------------


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_decision_is_in_the_table_when_the_answer_comes_and_undone_one_by_one(tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    client, decisions = page_of(doubtful_material(), table)
    n = len(decisions.of)
    label = [photo["label"] for photo in client.get("/photos").json()["photos"]]
    other = "b" if label[1] == "a" else "a"
    steps = [(0, "drop", None, "drop"), (1, "relabel", other, f"relabel to {other}"), (2, "keep", None, "keep")]
    steps += [(3, "relabel", label[3], "keep"), (0, "keep", None, "keep")]  # the label it has; decided anew
    for place, kind, given, action in steps:
        assert client.post("/decide", json={"place": place, "kind": kind, "label": given}).status_code == 200
        assert len(rows(table)) == n
        assert rows(table)[place]["action"] == action
    assert [row["action"] for row in rows(table)][:4] == ["keep", f"relabel to {other}", "keep", "keep"]
    assert list(rows(table)[0]) == list(COLUMNS)
    undone = [client.post("/undo", json={}).json() for _ in range(6)]
    assert [step and step["place"] for step in undone] == [0, 3, 2, 1, 0, None]
    assert undone[0]["decision"]["kind"] == "drop"
    assert {row["action"] for row in rows(table)} == {""}


@pytest.mark.parametrize(
    "asked",
    [
        {"place": 99, "kind": "drop"},
        {"place": -1, "kind": "drop"},
        {"place": 0, "kind": "delete"},
        {"place": 0, "kind": ""},
        {"place": 0, "kind": "relabel", "label": "nothing"},
        {"place": 0, "kind": "relabel"},
        {"place": "x", "kind": "drop"},
        {},
    ],
    ids=str,
)
def test_what_cannot_be_decided_changes_nothing(tmp_path: Path, asked: dict[str, object]) -> None:
    table = tmp_path / "c.csv"
    client, decisions = page_of(doubtful_material(), table)
    decisions.write()
    before = table.read_bytes()
    assert client.post("/decide", json=asked).status_code == 422
    assert table.read_bytes() == before
    assert client.post("/undo", json={}).json() is None


def test_a_table_that_cannot_be_written_is_said_and_nothing_is_taken_for_decided(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    client, decisions = page_of(doubtful_material(), folder / "c.csv")
    assert client.post("/decide", json={"place": 0, "kind": "drop"}).status_code == 200
    shutil.move(folder, tmp_path / "elsewhere")
    for _ in range(2):
        answer = client.post("/decide", json={"place": 1, "kind": "drop"})
        assert answer.status_code == 507
        assert "c.csv" in answer.json()["detail"]
    shutil.move(tmp_path / "elsewhere", folder)
    assert (decisions.decided, decisions.of[1].kind) == (1, "")
    assert client.post("/decide", json={"place": 2, "kind": "keep"}).status_code == 200
    assert [row["action"] for row in rows(folder / "c.csv")][:3] == ["drop", "", "keep"]


def test_what_another_program_wrote_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    client, _ = page_of(doubtful_material(), table)
    client.post("/decide", json={"place": 0, "kind": "drop"})
    table.write_text("someone's own work")
    assert client.post("/decide", json={"place": 1, "kind": "drop"}).status_code == 507
    assert client.post("/undo", json={}).status_code == 507
    assert table.read_text() == "someone's own work"


def test_names_and_classes_of_any_kind_come_back_as_they_are(tmp_path: Path) -> None:
    labels = ["a", "b", HOSTILE, f"x{HOSTILE}"] * 3
    paths = [f"{label}/{i}.png" for i, label in enumerate(labels)]
    material = made_material(labels, near=[i // 2 for i in range(12)], path=paths)
    client, decisions = page_of(material, tmp_path / "c.csv")
    photos = client.get("/photos").json()["photos"]
    assert sorted(photo["path"] for photo in photos) == sorted(f"set/{path}" for path in paths)
    place = next(i for i, photo in enumerate(photos) if photo["label"] == "a")
    client.post("/decide", json={"place": place, "kind": "relabel", "label": HOSTILE})
    (entry,) = read_corrections(tmp_path / "c.csv").entries
    assert (entry.label, f"set/{entry.path}") == (HOSTILE, photos[place]["path"])
    again = Decisions(tmp_path / "c.csv", PhotoAlbum(material).photos, PhotoAlbum(material).classes, tmp_path / "c.csv")
    assert again.of == decisions.of


def test_a_class_that_a_table_cannot_name_is_refused(tmp_path: Path) -> None:
    material = made_material(["a", " b"] * 3, near=[0, 0, 1, 1, 2, 2])
    album = PhotoAlbum(material)
    decisions = Decisions(tmp_path / "c.csv", album.photos, album.classes, None)
    place = next(i for i, photo in enumerate(album.photos) if photo.label == "a")
    with pytest.raises(CorrectionsError):
        decisions.decide(place, Decision("relabel", " b"))


def test_going_on_keeps_decisions_rows_on_other_photos_and_further_columns(tmp_path: Path) -> None:
    table, album = tmp_path / "c.csv", PhotoAlbum(doubtful_material())
    photo = album.photos[1]
    theirs = [
        ["action", "source", "path", "sha256", "note"],
        ["DROP", photo.source, photo.path, photo.sha256, "seen; twice"],
        ["relabel to c", "set", "8.png", "another", ""],
    ]
    table.write_text("\ufeff" + "\r\n".join("\t".join(row) for row in theirs), encoding="utf-8")
    decisions = Decisions(table, album.photos, album.classes, table)
    assert decisions.of[1] == Decision("drop")
    assert decisions.decided == 1
    decisions.decide(0, Decision("keep"))
    written = rows(table)
    assert [row["action"] for row in written[:2]] == ["keep", "DROP"]
    assert (written[1]["note"], written[1]["findings"]) == ("seen; twice", " ".join(photo.findings))
    assert (written[-1]["action"], written[-1]["path"]) == ("relabel to c", "8.png")


# -- who may come -----------------------------------------------------------------------------------------------------


def test_nobody_comes_in_without_the_token_and_no_other_site_can_decide(tmp_path: Path) -> None:
    client, decisions = page_of(doubtful_material(), tmp_path / "c.csv")
    app = client.app
    stranger = TestClient(app, base_url="http://127.0.0.1")
    for path in ("/", "/photos", "/shown/0", "/review.js", "/nothing", "/docs", "/openapi.json"):
        assert stranger.get(path).status_code == 401
    assert stranger.post("/decide", json={"place": 0, "kind": "drop"}).status_code == 401
    assert stranger.get("/?token=wrong").status_code == 401
    foreign = {"Origin": "http://example.org", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/decide", json={"place": 0, "kind": "drop"}, headers=foreign).status_code == 403
    assert decisions.decided == 0
    policy = client.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


# -- the page ---------------------------------------------------------------------------------------------------------


@contextmanager
def shown(url: str, *, width: int = 1280, scheme: Any = "light") -> Iterator[Any]:
    """The page in Chromium, which must ask nothing of another machine and raise nothing."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        asked: list[str] = []
        raised: list[object] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: raised.append(error))
        page.goto(url)
        page.wait_for_selector("body[data-place]")
        yield page
        browser.close()
    assert not [each for each in asked if not each.startswith((url.partition("?")[0], "data:"))]
    assert not raised


@contextmanager
def served(material: Material, table: Path) -> Iterator[tuple[str, Decisions]]:
    """The page in a thread of this process."""
    import threading

    import uvicorn

    from mien.reviewing.serve import _listening

    album, door = PhotoAlbum(material), _listening(None)
    decisions = Decisions(table, album.photos, album.classes, None)
    settings = uvicorn.Config(make_page(album, decisions, TOKEN, "token"), log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/?token={TOKEN}", decisions
    finally:
        server.should_exit = True
        thread.join()
        door.close()


def place_of(page: Any) -> int:
    return int(page.evaluate("document.body.dataset.place"))


def at(page: Any, place: int) -> None:
    page.wait_for_selector(f"body[data-place='{place}']", state="attached")


@in_browser
@pytest.mark.heavy
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible_and_fits(tmp_path: Path, width: int, scheme: str) -> None:
    from axe_core_python.sync_playwright import Axe

    labels = [f"class {i} {'x' * 40 if i % 3 else ''}" for i in range(12)] * 2
    doubts: dict[str, Any] = {
        "is_doubtful": [True] * 24,
        "suggested_label": labels[1:] + labels[:1],
        "label_quality": [0.2] * 24,
    }
    material = made_material(labels, near=[i // 2 for i in range(24)], **doubts)
    with served(material, tmp_path / "c.csv") as (url, _), shown(url, width=width, scheme=scheme) as page:
        page.keyboard.press("d")
        at(page, 1)
        for key in ("", "s"):
            if key:
                page.keyboard.press(key)
                page.wait_for_selector("#suggested:not([hidden])")
            found = Axe().run(page)["violations"]
            assert not [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@in_browser
@pytest.mark.heavy
def test_everything_is_done_by_keys_and_said_aloud(tmp_path: Path) -> None:
    with served(doubtful_material(), tmp_path / "c.csv") as (url, decisions), shown(url) as page:
        doubtful = next(
            i for i, photo in enumerate(PhotoAlbum(doubtful_material()).photos) if "doubtful_label" in photo.findings
        )
        for place in range(1, doubtful + 1):
            page.keyboard.press(" ")
            at(page, place)
        assert decisions.decided == 0
        assert page.locator("#suggested").is_hidden()
        assert page.text_content("#suggested").strip() == ""
        page.keyboard.press("s")
        page.wait_for_selector("#suggested:not([hidden])")
        assert "“c”" in page.inner_text("#said")
        assert page.locator("#suggested img").first.get_attribute("alt") == "Photo labelled c"
        page.keyboard.press("3")
        at(page, doubtful + 1)
        assert page.locator("#suggested").is_hidden()
        assert page.inner_text("#said").startswith("Relabelled to c.")
        assert rows(tmp_path / "c.csv")[doubtful]["action"] == "relabel to c"
        page.keyboard.press("u")
        at(page, doubtful)
        assert rows(tmp_path / "c.csv")[doubtful]["action"] == ""
        for key, place in (("ArrowRight", 1), ("ArrowLeft", -1), (" ", 1)):
            before = place_of(page)
            page.keyboard.press(key)
            at(page, before + place)
        assert decisions.decided == 0
        page.locator("#keys").uncheck()
        before = place_of(page)
        page.keyboard.press("d")
        page.wait_for_timeout(200)
        assert (place_of(page), decisions.decided) == (before, 0)
        page.get_by_role("button", name="Drop").focus()  # what a screen reader presses
        page.keyboard.press("Enter")
        page.wait_for_selector("#decision.set")  # it is the last, so the page stays there
        assert decisions.decided == 1


@in_browser
@pytest.mark.heavy
def test_a_click_leaves_no_button_that_the_next_space_would_press(tmp_path: Path) -> None:
    with served(doubtful_material(), tmp_path / "c.csv") as (url, decisions), shown(url) as page:
        page.get_by_role("button", name="Drop").click()
        at(page, 1)
        page.keyboard.press(" ")
        at(page, 2)
        assert decisions.decided == 1


@in_browser
@pytest.mark.heavy
def test_more_than_nine_classes_are_given_from_a_list(tmp_path: Path) -> None:
    labels = [f"class {i:02}" for i in range(12)] * 2
    material = made_material(labels, near=[i // 2 for i in range(24)])
    with served(material, tmp_path / "c.csv") as (url, decisions), shown(url) as page:
        assert page.locator("#classes button").count() == 9
        own = page.inner_text("#label")
        page.keyboard.press("l")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        at(page, 1)
        assert decisions.of[0] == Decision("relabel", "class 10")
        assert own != "class 10"


@in_browser
@pytest.mark.heavy
def test_hostile_names_are_text(tmp_path: Path) -> None:
    labels = ["a", HOSTILE] * 4
    paths = [f"{label}/{i}.png" for i, label in enumerate(labels)]
    material = made_material(labels, near=[i // 2 for i in range(8)], path=paths)
    with served(material, tmp_path / "c.csv") as (url, decisions), shown(url) as page:
        for _ in range(2):
            page.keyboard.press("1")
        at(page, 2)
        assert page.title() == "mien review"
        assert page.locator("img:not([src^='data:image/jpeg'])").count() == 0
        assert HOSTILE in page.eval_on_selector("#classes li:first-child span", "e => e.textContent")
        assert decisions.decided == 2


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Four pictures in two classes; one of them twice, one under both labels, one file that cannot be read."""
    for i, name in enumerate(("a/0.png", "a/1.png", "b/2.png", "b/3.png")):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(png(i, (64, 64)))
    shutil.copy(tmp_path / "set/a/0.png", tmp_path / "set/a/again.png")
    shutil.copy(tmp_path / "set/a/1.png", tmp_path / "set/b/1-too.png")
    (tmp_path / "set/b/broken.png").write_bytes(png(9)[:60])
    return tmp_path / "set"


@contextmanager
def reviewing(
    cwd: Path, *argv: object, sign: signal.Signals = signal.SIGINT
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command in a process of its own, which must end well by the signal at the end; gives the address."""
    with (cwd / "stderr").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "mien", "review", *map(str, argv)],
            cwd=cwd,
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)},
            preexec_fn=listen_to_signals,
        )
    try:
        yield address(process, cwd / "stderr"), process
    except BaseException:
        process.kill()
        process.communicate()
        raise
    if process.poll() is None:
        process.send_signal(sign)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), (cwd / "stderr").read_text("utf-8")
    (cwd / "stdout").write_text(out, encoding="utf-8")


def address(process: subprocess.Popen[str], errors: Path) -> str:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        said = errors.read_text("utf-8")
        if found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", said):
            return found[0]
        assert process.poll() is None, said
        time.sleep(0.1)
    raise AssertionError("the page did not start")


@pytest.mark.heavy
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_a_review_ends_by_a_signal_with_its_table_whole_and_the_audit_takes_it(
    tmp_path: Path, copies: Path, mien: Mien, sign: signal.Signals
) -> None:
    import httpx

    before = snapshot(copies)
    with reviewing(tmp_path, "set", "--out", "c.csv", *QUICK, sign=sign) as (url, _), httpx.Client() as client:
        assert client.get(url, follow_redirects=True).status_code == 200
        base = url.partition("?")[0]
        told = client.get(f"{base}photos").json()
        assert told["classes"] == ["a", "b"]
        assert [photo["findings"][0] for photo in told["photos"]][:3] == ["Under two labels"] * 2 + ["Copy"]
        assert client.post(f"{base}decide", json={"place": 0, "kind": "relabel", "label": "b"}).status_code == 200
        assert client.post(f"{base}decide", json={"place": 2, "kind": "drop"}).status_code == 200
    assert f"2 of {len(told['photos'])}" in (tmp_path / "stdout").read_text("utf-8")
    assert [row["action"] for row in rows(tmp_path / "c.csv")][:3] == ["relabel to b", "", "drop"]
    assert snapshot(copies) == before
    assert not list(tmp_path.glob("*partial*"))
    audited = mien("audit", copies, *QUICK, "--corrections", tmp_path / "c.csv", "--json").json["data"]
    assert (audited["classes"], audited["conflicting_labels"]) == ({"a": 1, "b": 4}, 0)
    dry = mien("study", copies, "--corrections", tmp_path / "c.csv", "--dry-run")
    assert dry.code == 0, dry.err
    taken = mien("review", copies, "--out", tmp_path / "c.csv", *QUICK)
    assert (taken.code, "--resume" in taken.complaint) == (2, True)
    with reviewing(tmp_path, "set", "--out", "c.csv", "--resume", *QUICK) as (url, _), httpx.Client() as client:
        client.get(url, follow_redirects=True)
        shown = client.get(f"{url.partition('?')[0]}photos").json()["photos"]
        assert [photo["decision"]["kind"] for photo in shown][:3] == ["relabel", "", "drop"]


def test_nothing_found_is_said_in_a_line_and_leaves_no_table(
    tmp_path: Path, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(*_: object) -> None:
        raise AssertionError("something was found")  # and a page would wait for ever

    monkeypatch.setattr("mien.reviewing.serve._serve", serve)
    for i in range(4):
        (tmp_path / "set" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).normal(0, 12, (160, 200))  # or it would be drawn
        grey = np.asarray(pattern(i, (200, 160)).convert("L")) + noise
        photo = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
        photo.save(tmp_path / "set" / "ab"[i % 2] / f"{i}.jpg", quality=92)
    outcome = mien("review", tmp_path / "set", *QUICK)
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 1)
    assert not list(tmp_path.glob("*.csv*"))


def test_a_table_of_other_photos_or_of_something_else_is_refused(tmp_path: Path, copies: Path, mien: Mien) -> None:
    table = tmp_path / "c.csv"
    sha = "0" * 64
    for text in (
        "no table",
        f"action,source,path,sha256\ndrop,other,a.png,{sha}\n",
        f"action,source,path,sha256\ndrop,set,a/0.png,{sha}\n",
    ):
        table.write_text(text)
        assert mien("review", copies, "--out", table, "--resume", *QUICK).code == 2
        assert table.read_text() == text
    outcome = mien("review", copies, "--out", tmp_path / "none" / "c.csv", *QUICK)
    assert (outcome.code, "none" in outcome.complaint) == (2, True)


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_ports_that_are_none_are_refused(copies: Path, mien: Mien, port: str) -> None:
    outcome = mien("review", copies, "--port", port, *QUICK)
    assert (outcome.code, "--port" in outcome.complaint) == (2, True)


def test_a_port_that_is_taken_is_told_before_the_photos_are_read(copies: Path, mien: Mien) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = mien("review", copies, "--port", taken.getsockname()[1], *QUICK)
    assert (outcome.code, "read set" in outcome.err) == (2, False)
    assert "--port" in outcome.complaint


@in_browser
@pytest.mark.heavy
def test_a_hundred_decisions_by_keys_and_a_kill_in_the_middle_loses_none(tmp_path: Path) -> None:
    for i in range(104):  # each twice, under either class
        (tmp_path / "set" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "ab"[i % 2] / f"{i:03}.png").write_bytes(png(i // 2, (64, 64)))
    cycle = {"k": "keep", "d": "drop", "1": "relabel to a", "2": "relabel to b"}
    told: dict[int, str] = {}

    def press(page: Any, times: int) -> None:
        for _ in range(times):
            place = int(page.evaluate("document.body.dataset.place"))
            key = list(cycle)[place * 7 % len(cycle)]
            own = page.inner_text("#label")
            page.keyboard.press(key)
            page.wait_for_selector(f"body[data-place='{place + 1}']", state="attached")
            told[place] = "keep" if cycle[key] == f"relabel to {own}" else cycle[key]

    with reviewing(tmp_path, "set", "--out", "c.csv", *QUICK) as (url, process), shown(url) as page:
        press(page, 50)
        for key in "kdkdkdkd":  # as quickly as they can be pressed, while it is killed
            page.keyboard.press(key)
        process.kill()
        process.wait()
        page.keyboard.press("k")
        page.wait_for_selector("#trouble:not([hidden])")
        assert "--resume" in page.inner_text("#trouble")
    after = [row["action"] for row in rows(tmp_path / "c.csv")]
    assert len(after) == 104
    assert after[:50] == [told[place] for place in range(50)]
    assert set(after[50:58]) <= {"keep", "drop", ""}
    decided = sum(bool(action) for action in after)
    with reviewing(tmp_path, "set", "--out", "c.csv", "--resume", *QUICK) as (url, process), shown(url) as page:
        assert page.inner_text("#progress") == f"{decided} of 104 decided"
        assert int(page.evaluate("document.body.dataset.place")) == decided  # the first that is open
        press(page, 100 - decided)
    assert [row["action"] for row in rows(tmp_path / "c.csv")][:50] == after[:50]
    assert sum(bool(row["action"]) for row in rows(tmp_path / "c.csv")) == 100


@pytest.mark.heavy
def test_a_study_is_reviewed_as_it_was_audited(small_study: Study, tmp_path: Path, mien: Mien) -> None:
    import httpx

    before = snapshot(small_study.folder)
    with reviewing(tmp_path, small_study.folder, "--out", "c.csv") as (url, _), httpx.Client() as client:
        client.get(url, follow_redirects=True)
        base = url.partition("?")[0]
        told = client.get(f"{base}photos").json()
        assert told["classes"] == ["anger", "happy", "sad"]  # and none of the photos from elsewhere
        assert told["photos"][0]["findings"][0] == "Under two labels"
        shown = client.get(f"{base}shown/0").json()
        assert (len(shown["near"]), len(shown["copies"]), len(shown["pictures"])) == (MOST_NEAR, 1, 2)
        assert client.post(f"{base}decide", json={"place": 0, "kind": "drop"}).status_code == 200
    assert snapshot(small_study.folder) == before
    dry = mien("study", small_study.data, "--corrections", tmp_path / "c.csv", "--dry-run")
    assert dry.code == 0, dry.err
    assert mien("review", small_study.folder, "--no-faces").code == 2
    assert mien("review", small_study.folder, "--no-check-labels").code == 2


def test_decisions_that_a_study_began_with_are_carried_on(tmp_path: Path, study_copy: Path) -> None:
    from mien.progress import Silent
    from mien.reviewing.material import opened
    from mien.settings.audit import AuditSettings

    table = pl.read_parquet(study_copy / "manifest.parquet")
    first = table.filter(pl.col("path") == "sad/sad-01.png").row(0, named=True)
    (study_copy / "corrections.csv").write_text(
        f"action,source,path,sha256\ndrop,{first['source']},{first['path']},{first['sha256']}\n"
    )
    with opened(AuditSettings(data=(str(study_copy),)), Silent()) as material:
        album = PhotoAlbum(material)
        decisions = Decisions(tmp_path / "c.csv", album.photos, album.classes, material.earlier)
        decisions.write()
    assert [row["path"] for row in rows(tmp_path / "c.csv") if row["action"] == "drop"] == ["sad/sad-01.png"]
    shutil.rmtree(study_copy / "pixels")
    with pytest.raises(OutputError), opened(AuditSettings(data=(str(study_copy),)), Silent()):
        pass


def test_pixels_of_a_missing_view_are_no_view() -> None:
    assert Pixels(Path("nowhere")).largest("photo") is None
