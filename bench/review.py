"""How long the page of ``mien review`` takes from a key to the next photo, in Chromium, over 1,000 photos.

``python bench/review.py [PHOTOS]`` draws half as many faces, each twice, reviews them, presses a key for each,
``PAUSE`` milliseconds after the photo is there, and prints quantiles of the milliseconds from the key to the frame
after the next photo is in the page.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import ImageOps
from playwright.sync_api import sync_playwright

from mien.demo import draw_face

PAUSE = 100
"""Quicker than anyone decides."""
CLASSES = ("anger", "happy", "sad")
WATCH = """() => {
  window.waits = [];
  let pressed = 0;
  document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => requestAnimationFrame(() => window.waits.push(performance.now() - pressed)))
    .observe(document.body, { attributes: true, attributeFilter: ["data-place"] });
}"""


def draw(root: Path, photos: int) -> None:
    """Half as many faces, each twice: as it is, and mirrored under the next class."""
    for label in CLASSES:
        (root / label).mkdir(parents=True)
    for i in range(photos // 2):
        face = draw_face(CLASSES[i % 3], i)
        face.save(root / CLASSES[i % 3] / f"{i}.jpg", quality=90)
        ImageOps.mirror(face).save(root / CLASSES[(i + 1) % 3] / f"{i}-again.jpg", quality=90)


def review(root: Path, table: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The command, and the address it says."""
    argv = [sys.executable, "-m", "mien", "review", str(root), "--out", str(table), "--no-check-labels", "--no-faces"]
    process = subprocess.Popen(argv, stderr=log.open("wb"), stdout=subprocess.DEVNULL)
    while not (found := re.search(r"http://\S+", log.read_text("utf-8"))):
        if process.poll() is not None:
            raise SystemExit(log.read_text("utf-8"))
    return process, found[0]


def press(url: str, each: tuple[str, ...]) -> list[float]:
    """Milliseconds of every step."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector("body[data-place]")
        photos = int(page.evaluate("document.getElementById('bar').max"))
        page.evaluate(WATCH)
        for place in range(1, photos):
            page.wait_for_timeout(PAUSE)
            page.keyboard.press(each[place % len(each)])
            page.wait_for_selector(f"body[data-place='{place}']", state="attached")
        page.wait_for_timeout(100)
        waits: list[float] = page.evaluate("window.waits")
        browser.close()
    return waits


def main() -> None:
    photos = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw(root / "set", photos)
        for name, each in (("decide", ("k", "d", "1", "2", "3")), ("look", (" ",))):
            process, url = review(root / "set", root / f"{name}.csv", root / f"{name}.log")
            waits = press(url, each)
            process.send_signal(signal.SIGINT)
            process.wait()
            cuts = statistics.quantiles(waits, n=100)
            told = {"steps": len(waits), "median": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(waits)}
            print(json.dumps({name: {key: round(value, 1) for key, value in told.items()}}), flush=True)


if __name__ == "__main__":
    main()
