"""The page's camera in Chromium: clicks until the first answer, and seconds from a change of face to its answer.

``python bench/page_camera.py [CHANGES]``: a camera before which two drawn faces take turns, a little over three
seconds each, with backgrounds by which the change is seen on the page itself. Needs Chromium and Playwright.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mien.demo import draw_face
from support.pictures import encoded
from support.servers import watched

FACES: dict[str, str | tuple[int, int, int]] = {"happy": "white", "anger": (90, 90, 90)}
FRAMES, EACH = 97, 97 / 30
"""Frames of each face, at 30 a second, and seconds; no multiple of the time between the page's own looks, or each
change would come at the same moment of them."""
WATCH = """() => {
    window.changes = []; window.answers = [];
    const canvas = document.createElement('canvas'); canvas.width = canvas.height = 4;
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    let last = null;
    const look = () => {
        const video = document.querySelector('video');
        if (video && video.videoWidth) {
            pen.drawImage(video, 0, 0, 40, 40, 0, 0, 4, 4);
            const side = pen.getImageData(1, 1, 1, 1).data[0] > 170;
            if (last !== null && side !== last) window.changes.push([performance.now(), side]);
            last = side;
        }
        requestAnimationFrame(look);
    };
    look();
    let told = null;
    new MutationObserver(() => {
        const title = document.querySelector('#live h3');
        if (!title) return;
        const is_happy = title.innerText.includes('happy');
        if (told !== null && is_happy !== told) window.answers.push([performance.now(), is_happy]);
        told = is_happy;
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def main(changes: int = 12) -> None:
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as server, sync_playwright() as playwright:
        film = Path(folder) / "camera.mjpeg"
        film.write_bytes(b"".join(_frame(label, colour) * FRAMES for label, colour in FACES.items()))
        args = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        args.append(f"--use-file-for-fake-video-capture={film}")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=args)
        page = browser.new_context(permissions=["camera"], viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        page.goto(server.url)
        page.get_by_role("tab", name="Webcam").click()
        print("clicks to the first answer:", _start(page))
        page.evaluate(WATCH)
        page.wait_for_timeout(1000 * EACH * changes)
        seen, told = page.evaluate("[window.changes, window.answers]")
        browser.close()
    seconds = _seconds(seen, told)
    print(f"{len(seconds)} of {len(seen)} changes: median {statistics.median(seconds):.2f} s from change to answer")
    print("each:", *(f"{each:.2f}" for each in sorted(seconds)))


def _frame(label: str, colour: str | tuple[int, int, int]) -> bytes:
    frame = Image.new("RGB", (640, 480), colour)
    frame.paste(draw_face(label, 0).resize((400, 400)), (120, 40))
    return encoded(frame, "JPEG", quality=90)


def _start(page: Page) -> int:
    """Click as a user would until there is an answer."""
    page.wait_for_selector("#agreed")
    page.wait_for_timeout(2000)  # a button is drawn a moment before it listens
    if page.locator("#agreed input").count() == 0:
        page.locator("#agreed").click()
        page.wait_for_selector("#live article")
        return 1
    page.locator("#agreed input").check()
    page.get_by_text("Click to Access Webcam").first.click()
    page.locator("button:has-text('Record')").first.click()
    page.wait_for_selector("#live article")
    return 3


def _seconds(seen: list[tuple[float, bool]], told: list[tuple[float, bool]]) -> list[float]:
    """From each change to the first answer after it that tells the new face, before the next change."""
    found = []
    for i, (at, side) in enumerate(seen):
        end = seen[i + 1][0] if i + 1 < len(seen) else at + 1000 * EACH
        after = [moment for moment, answer in told if at <= moment < end and answer == side]
        found += [(after[0] - at) / 1000] if after else []
    return found


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
