"""The report, opened in a browser: complete, self-contained, readable everywhere, and true to the results."""

from __future__ import annotations

import base64
import io
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from made_study import (
    HOSTILE,
    LABELS,
    VIEW,
    Made,
    add_target,
    draw_face,
    make_history,
    make_manifest,
    make_results,
)
from mien.data.pixels import Pixels, PixelWriter
from mien.reporting import numerals
from mien.reporting.advice import advise
from mien.reporting.figures import kept_epoch, learning_curves
from mien.reporting.report import SECTIONS, write_report
from mien.reporting.wording import error_sentences, headline, warnings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("study")
    manifest = make_manifest()
    results = make_results(manifest)
    add_target(results, manifest)
    with PixelWriter(folder / "pixels", [VIEW], len(manifest)) as writer:
        for row in range(len(manifest)):
            writer.put(row, {VIEW.key: draw_face(37 * row % 360, row % 2)})
    study = Made(folder, results, manifest, Pixels(folder / "pixels"))
    write_report(folder, results, manifest, study.pixels)
    return study


def written(made: Made, folder: Path, **changes: Any) -> str:
    """The report of a changed study."""
    results = {k: v for k, v in (made.results | changes).items() if v is not None}
    write_report(folder, results, made.manifest, made.pixels)
    return (folder / "report.html").read_text(encoding="utf-8")


def without_photos(made: Made) -> dict[str, Any]:
    return {"config": made.results["config"] | {"photos": False}}


def plain(html: str) -> str:
    """The text of a page, on one line."""
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body).replace("&#39;", "'"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        pytest.skip(f"no browser to open the report with: none of {', '.join(names)} is on the PATH")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=flags)
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page, and what happened while it was opened."""

    page: Any
    said: list[str]
    asked_for: list[str]


def show(browser: Any, path: Path, width: int = 1200, scheme: str = "light") -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = Opened(page, [], [])
    page.on("console", lambda message: opened.said.append(message.text))
    page.on("pageerror", lambda error: opened.said.append(str(error)))
    page.on("request", lambda request: opened.asked_for.append(request.url))
    page.goto(path.as_uri())
    return opened


# Text whose contrast with what lies under it is below WCAG AA: 4.5, or 3 for large text.
LOW_CONTRAST = """() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return [m[0], m[1], m[2], m[3] ?? 1]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3]));
  const lum = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(
    v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const under = e => { const chain = []; for (; e; e = e.parentElement) chain.unshift(e);
    return chain.reduce((b, n) => over(parse(getComputedStyle(n).backgroundColor), b), [255, 255, 255]); };
  const found = [];
  for (const e of document.body.querySelectorAll('*')) {
    const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join('');
    if (!text || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), bottom = under(e);
    const top = over(parse(e instanceof SVGElement ? style.fill : style.color), bottom);
    const [a, b] = [lum(top), lum(bottom)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${e.tagName} ${text.slice(0, 40)}`);
  }
  return found; }"""


def test_every_section_is_there_in_order_and_visible(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html").page
    assert page.eval_on_selector_all("section", "all => all.map(s => s.id)") == list(SECTIONS)
    for name in SECTIONS:
        assert page.locator(f"#{name}").is_visible()
        assert page.locator(f"#{name}").inner_text().strip()
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    links = page.eval_on_selector_all("nav a", "all => all.map(a => a.getAttribute('href'))")
    assert links == [f"#{name}" for name in SECTIONS]
    assert page.locator(".panels svg").count() == 3


def test_asks_for_nothing_and_says_nothing(made: Made, browser: Any) -> None:
    opened = show(browser, made.folder / "report.html")
    assert opened.said == []
    outside = [url for url in opened.asked_for if not url.startswith("data:")]
    assert outside == [(made.folder / "report.html").as_uri()]
    html = (made.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert "url(" not in html.replace("url(#", "")
    assert "@import" not in html


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_fits_and_can_be_read(made: Made, browser: Any, width: int, scheme: str) -> None:
    page = show(browser, made.folder / "report.html", width, scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(LOW_CONTRAST) == []
    red = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert red < 60 if scheme == "dark" else red > 200


def test_prints_on_white(made: Made, browser: Any, tmp_path: Path) -> None:
    page = show(browser, made.folder / "report.html", 700, "dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.evaluate(LOW_CONTRAST) == []
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_hostile_file_name_is_only_text(made: Made, browser: Any) -> None:
    assert any(HOSTILE in mistake["path"] for mistake in made.results["mistakes"])
    opened = show(browser, made.folder / "report.html")
    assert opened.page.title() != "owned"
    assert opened.page.locator("script, [onerror]").count() == 0
    titles = opened.page.eval_on_selector_all(".file", "all => all.map(f => f.title)")
    assert any(title.endswith(HOSTILE) for title in titles)


def test_photos_carry_no_metadata_and_keep_their_shape(made: Made, browser: Any) -> None:
    html = (made.folder / "report.html").read_text(encoding="utf-8")
    photos = re.findall(r'data:image/jpeg;base64,([^"]+)"', html)
    assert len(photos) >= 16 + 2 + len(made.results["mistakes"])
    for photo in photos:
        content = base64.b64decode(photo)
        image = Image.open(io.BytesIO(content))
        assert not image.getexif()
        assert b"Exif" not in content
        assert image.size in ((64, 43), (48, 48))
    page = show(browser, made.folder / "report.html").page
    assert page.eval_on_selector_all("img", "all => all.every(i => i.complete && i.naturalWidth && i.alt)")
    assert page.locator(".sample img").count() == 16


def test_without_photos_there_is_no_face_and_no_name(made: Made, tmp_path: Path, browser: Any) -> None:
    html = written(made, tmp_path, **without_photos(made))
    assert "data:image/jpeg" not in html
    assert "<img" not in html
    assert not [path for path in made.manifest["path"] if path.rsplit("/", 1)[-1] in html]
    assert "script" not in html
    assert "--no-photos" in html
    page = show(browser, tmp_path / "report.html", 360).page
    assert all(page.locator(f"#{name}").is_visible() for name in SECTIONS)


def test_names_of_people_and_places_outside_the_study_stay_out(made: Made) -> None:
    assert "/home/somebody" not in (made.folder / "report.html").read_text(encoding="utf-8")


def test_numbers_are_those_of_the_results(made: Made) -> None:
    text = plain((made.folder / "report.html").read_text(encoding="utf-8"))
    test, data, target = made.results["runs"]["probe"]["test"], made.results["data"], made.results["target"]
    for run in made.results["runs"].values():
        for part in (run["val"], run["test"], run["target"]["shared"]):
            assert f"{part['macro_f1']:.2f} ({part['interval'][0]:.2f} to {part['interval'][1]:.2f})" in text
        assert run["fit"]["sentence"] in text
    assert f"{data['files']} files were found: {data['images']} images that can be used and 1 unreadable" in text
    assert data["files"] == data["images"] + data["unreadable"]
    assert "sad/broken.jpg empty file" in text
    assert "sad/notes.txt no image" in text
    assert "59 of 60 images stand in a part; 1 was left out." in text
    assert f"would be right on {100 * test['majority_accuracy']:.0f} %." in text
    assert "a reference on the same photos: accuracy 0.346, macro-F1 0.235." in text
    assert f"accuracy {target['shared']['accuracy']:.3f}, macro-F1 {target['shared']['macro_f1']:.3f}" in text
    assert "2 photos from elsewhere are, byte for byte, among the photos" in text


def test_a_class_without_photos_has_a_dash(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html").page
    row = page.locator("#target table.classes tbody tr", has_text="sad")
    assert row.locator("td").all_inner_texts() == ["—", "—", "—", "—", "0"]
    cells = page.locator("#target table.confusion tbody tr", has_text="sad").locator("td.cell")
    assert set(cells.all_inner_texts()) == {"—"}


def test_without_a_target_it_says_so(made: Made, tmp_path: Path) -> None:
    runs = {name: {k: v for k, v in run.items() if k != "target"} for name, run in made.results["runs"].items()}
    text = plain(written(made, tmp_path, target=None, runs=runs))
    assert "was not measured" in text
    assert "Test on photos from elsewhere before relying on it." in text
    assert "Published reference" not in text


def test_the_same_results_give_the_same_bytes_and_nothing_half_written(made: Made, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        written(made, folder)
    assert (first / "report.html").read_bytes() == (second / "report.html").read_bytes()
    assert [path.name for path in first.iterdir()] == ["report.html"]


def scores_between(low: float, high: float) -> dict[str, Any]:
    return {"macro_f1": (low + high) / 2, "interval": [low, high], "chance_macro_f1": 0.3}


@pytest.mark.parametrize(
    ("test", "elsewhere", "told"),
    [
        ((0.4, 0.6), None, "Three expressions told apart with a macro-F1 of 0.50"),
        ((0.4, 0.6), (0.35, 0.45), "Three expressions told apart with a macro-F1 of 0.50, and of 0.40 on photos from"),
        ((0.4, 0.6), (0.2, 0.4), "macro-F1 of 0.50; on photos from elsewhere, no better than by guessing"),
        ((0.2, 0.6), None, "Three expressions, not shown to be told apart better than by guessing"),
    ],
)
def test_the_headline_claims_no_more_than_was_measured(
    test: tuple[float, float], elsewhere: tuple[float, float] | None, told: str
) -> None:
    results: dict[str, Any] = {
        "labels": LABELS,
        "selected": "probe",
        "runs": {"probe": {"test": scores_between(*test)}},
    }
    if elsewhere:
        results["target"] = {"shared": scores_between(*elsewhere)}
    assert told in headline(results)


def test_advice_is_concrete(made: Made) -> None:
    steps = " ".join(f"{advice.step} {advice.reason}" for advice in advise(made.results))
    assert "Decide on one label for 1 picture that stands under two." in steps
    assert "Repair or remove 1 unreadable file." in steps
    assert "Take the overlap out" in steps
    assert "Add “surprise” to the training photos" in steps
    test = made.results["runs"]["probe"]["test"]
    assert numerals.count(4 * test["images"]) in steps


def test_only_bins_whose_intervals_lie_apart_are_spoken_of() -> None:
    def bins(*ends: tuple[int, float, float]) -> list[dict[str, Any]]:
        return [
            {"bin": f"b{i}", "images": n, "error_rate": (low + high) / 2, "interval": [low, high]}
            for i, (n, low, high) in enumerate(ends)
        ]

    rates = [
        {"title": "apart", "bins": bins((50, 0.1, 0.2), (50, 0.3, 0.4))},
        {"title": "together", "bins": bins((50, 0.1, 0.3), (50, 0.2, 0.4))},
        {"title": "few", "bins": bins((3, 0.1, 0.2), (50, 0.3, 0.4))},
    ]
    told = error_sentences(rates)
    assert len(told) == 1
    assert told[0].startswith("By apart")


def test_warns_of_overlap_only_where_there_is_one() -> None:
    assert warnings({}) == []
    assert warnings({"target": {"seen_in_training": 0, "recurring_groups": 0}}) == []
    assert "1 picture stands both" in warnings({"target": {"recurring_groups": 1}})[0]


def test_the_kept_epoch_is_the_first_best() -> None:
    assert kept_epoch(make_history(), "macro_f1") == 2
    assert kept_epoch(make_history(), "accuracy") == 5


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_curves_follow_the_page_in_colour_and_meet_no_other_drawing(epochs: int) -> None:
    history = make_history()[:epochs]
    first = learning_curves("a", history, "macro_f1", {"macro_f1": ("chance", 0.33)})
    second = learning_curves("b", history, "macro_f1", {})
    ids = [name for curve in (*first, *second) for name in re.findall(r' id="([^"]+)"', curve.svg)]
    assert len(ids) == len(set(ids))
    for curve in first:
        assert "var(--train)" in curve.svg
        assert not re.search(r"(?:fill|stroke): #", curve.svg)
        assert 'role="img" aria-label="' in curve.svg


def test_numerals() -> None:
    assert numerals.score(None) == "—"
    assert numerals.percent(0.256, 1) == "25.6\N{NO-BREAK SPACE}%"
    assert numerals.signed(-0.123) == "\N{MINUS SIGN}0.12"
    assert numerals.signed(-0.001) == "±0.00"
    assert numerals.count(5114) == "5,114"
    assert numerals.plural(1, "photo") == "1 photo"
    assert numerals.interval([0.1, 0.25], "percent") == "10 to 25\N{NO-BREAK SPACE}%"


def test_the_report_needs_no_torch() -> None:
    code = "import sys, mien.reporting.report; sys.exit('torch' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
