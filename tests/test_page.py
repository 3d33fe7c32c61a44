"""The page in a browser: photos, a webcam, own photos, and nothing that goes elsewhere."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mien.app.own_photos import FEW, OwnPhotos, own_score
from mien.data.demo import draw_face
from mien.errors import OutputError

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
ARGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page that runs as its user would run it, and is stopped as by Ctrl+C."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from mien.cli import main; main()"
    server = subprocess.Popen([sys.executable, "-c", code, "app", "--port", str(port)])
    url = f"http://127.0.0.1:{port}/"
    for _ in range(240):
        try:
            urllib.request.urlopen(url + "readyz", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    yield url
    server.send_signal(signal.SIGINT)
    assert server.wait(40) in (0, 130, -signal.SIGINT)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty drawn faces, three on one picture, none, a text, and fifty million pixels."""
    folder = tmp_path_factory.mktemp("faces")
    drawn = [draw_face(label, i) for i in range(5) for label in ("happy", "sad", "anger", "fear")]
    for i, face in enumerate(drawn):
        face.save(folder / f"face-{i:02d}.png")
    three = Image.new("RGB", (3 * 400, 400), "white")
    for i in range(3):
        three.paste(drawn[i].resize((400, 400)), (400 * i, 0))
    three.save(folder / "three.png")
    Image.new("RGB", (300, 200), "grey").save(folder / "none.png")
    (folder / "text.txt").write_text("no picture")
    Image.new("RGB", (10_000, 5_000), "white").save(folder / "large.png")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address: str):  # type: ignore[no-untyped-def]
    context = browser.new_context(permissions=["camera"], viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(180_000)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_selector("#photos")
    yield page
    outside = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    context.close()
    assert not outside


def cards(page, *paths: Path) -> list[str]:  # type: ignore[no-untyped-def]
    page.set_input_files("#photos input[type=file]", [str(path) for path in paths])
    page.wait_for_function(f"document.querySelectorAll('#answers article').length === {len(paths)}")
    return [card.inner_text() for card in page.query_selector_all("#answers article")]


@in_browser
@pytest.mark.slow
def test_photos_of_every_kind_get_a_card(page, faces: Path) -> None:  # type: ignore[no-untyped-def]
    assert "happy" in cards(page, faces / "face-00.png")[0]
    kinds = ("three.png", "none.png", "text.txt", "large.png")
    three, none, text, large = cards(page, *(faces / name for name in kinds))
    assert "Several faces" in three
    assert "No face was found" in none
    assert "could not be read" in text
    assert "No face was found" in large
    many = cards(page, *sorted(faces.glob("face-*.png")))
    assert len(many) == 20
    assert all("happy" in card and "%" in card for card in many)


@in_browser
@pytest.mark.slow
def test_webcam_starts_after_consent_alone(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_role("tab", name="Webcam").click()
    assert "work and in education" in page.inner_text("body")
    assert not page.get_by_text("Click to Access Webcam").first.is_visible()
    page.locator("#agreed input").check()
    page.get_by_text("Click to Access Webcam").first.click()
    page.locator("button[aria-label='start stream'], button:has-text('Record')").first.click()
    page.wait_for_selector("#live article")


@in_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1440])
def test_page_is_accessible_and_fits(page, width: int) -> None:  # type: ignore[no-untyped-def]
    from axe_core_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": 900})
    for tab in ("Photos", "Webcam", "Own photos", "Model") if width > 1000 else ("Photos",):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(500)  # it fades in
        found = Axe().run(page)["violations"]
        assert not [
            (tab, v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")
        ]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@in_browser
@pytest.mark.slow
def test_tabs_are_reached_and_turned_by_keys(page) -> None:  # type: ignore[no-untyped-def]
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "tab":
            break
    for _ in range(5):
        if page.evaluate("document.activeElement.innerText") == "Webcam":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_role("tab", name="Webcam").get_attribute("aria-selected") == "true"
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "checkbox":
            break
    page.keyboard.press("Space")
    page.wait_for_selector("text=Click to Access Webcam")


def test_own_photos_are_saved_shown_and_deleted(tmp_path: Path) -> None:
    photos = OwnPhotos(str(tmp_path / "own"))
    (tmp_path / "own" / "sad").mkdir(parents=True)
    (tmp_path / "own" / "sad" / "mine.jpg").write_bytes(b"of the user")
    first, second = (photos.save(draw_face("sad", i), "sad") for i in range(2))
    assert [path for path, _ in photos.all(("happy", "sad"))] == [first, second]
    photos.delete(f"sad/{first.name}", ("happy", "sad"))
    assert not first.exists()
    for name in ("sad/mine.jpg", "../own/sad/mine.jpg", ""):
        with pytest.raises(OutputError):
            photos.delete(name, ("happy", "sad"))
    assert (tmp_path / "own" / "sad" / "mine.jpg").read_bytes() == b"of the user"
    assert photos.save(draw_face("sad", 2), "sad") != second
    with pytest.raises(OutputError, match="folder"):
        OwnPhotos("  ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        OwnPhotos(str(tmp_path / "own")).save(draw_face("sad", 0), "sad")


def test_few_photos_are_said_to_be_too_few() -> None:
    assert own_score(0, 0).told == "No photos yet."
    few, many = own_score(4, 5), own_score(80, 100)
    assert "Too few to tell" in few.told
    assert "Too few" not in many.told
    assert few.interval is not None
    assert few.interval.low < 0.4 < 0.96 < few.interval.high
    assert FEW > 10
