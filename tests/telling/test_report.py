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
from dataclasses import replace as with_settings
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from msgspec.structs import replace
from PIL import Image

from mien.auditing.leakage import _premium as premium
from mien.evaluation.exhibits import MOST_COPIES
from mien.metrics import Interval
from mien.results.audit import Copies, CopiesFound, DoubtfulLabels
from mien.results.behaviour import ErrorRate, ErrorRates
from mien.results.file_names import FIGURES
from mien.results.scores import Scores
from mien.results.study import FitVerdict, StudyResults
from mien.settings.by_name import option_fields
from mien.settings.choices import VotesAs
from mien.settings.run import NetworkRun
from mien.settings.study import StudySettings
from mien.telling.card.card_page import model_card
from mien.telling.report.evaluation_page import write_page as write_evaluation
from mien.telling.report.figure_files import study_plots, write_figures
from mien.telling.report.figures import ON_PAGE, kept_epoch, learning_curves
from mien.telling.report.page import SECTIONS, sections
from mien.telling.words import numerals
from mien.telling.words.advice import TRUSTED_PROBE, advise
from mien.telling.words.answers import error_sentences, fit_sentence, headline, sureness_sentences, warnings
from mien.telling.words.concerns import concerns
from mien.telling.words.methods import methods
from support.changed_studies import evaluated, sliced
from support.made_raters import made_raters
from support.made_report import changed, make_study, plain, shown, without_photos, written
from support.made_study import (
    FACE_VIEW,
    HOSTILE,
    LABELS,
    Made,
    leakage,
    make_history,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_study(tmp_path_factory.mktemp("study"))


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


SERIOUS = ("serious", "critical")


@dataclass
class Opened:
    """A page, and what happened while it was opened."""

    page: Any
    said: list[str]
    asked_for: list[str]


def show(browser: Any, path: Path, width: int = 1200, scheme: str = "light", *, unfolded: bool = False) -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = Opened(page, [], [])
    page.on("console", lambda message: opened.said.append(message.text))
    page.on("pageerror", lambda error: opened.said.append(str(error)))
    page.on("request", lambda request: opened.asked_for.append(request.url))
    page.goto(path.as_uri())
    if unfolded:
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
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
    page, names = show(browser, made.folder / "report.html").page, list(sections(made.results))
    assert names == [name for name in SECTIONS if name not in ("slices", "raters")], "no column, and no votes"
    assert page.eval_on_selector_all("section", "all => all.map(s => s.id)") == names
    for name in names:
        assert page.locator(f"#{name}").is_visible()
        assert page.locator(f"#{name}").inner_text().strip()
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    links = page.eval_on_selector_all("nav a", "all => all.map(a => a.getAttribute('href'))")
    assert links == [f"#{name}" for name in names]
    assert page.locator("#comparison .panels svg").count() == 3
    assert page.locator("#scores .panels svg").count() == 2 + 2


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_no_column_of_an_evaluation_is_cut_off(width: int, made: Made, browser: Any, tmp_path: Path) -> None:
    """On a phone each row of a table is a block of its own, with the name of each column beside its value."""
    results = evaluated(replace(made.results, **sliced(made)))
    write_evaluation(results, tmp_path / "evaluate.html")
    page = show(browser, tmp_path / "evaluate.html", width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.eval_on_selector_all(
        "td", "all => all.filter(c => c.getClientRects().length).map(c => c.getBoundingClientRect().right)"
    )
    assert cells
    assert max(cells) <= width
    inside = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + e.textContent)"
    assert page.eval_on_selector_all("tbody,tbody tr,td,p", inside) == []
    shown = page.eval_on_selector_all("td", "all => all.map(c => getComputedStyle(c, '::before').content)")
    assert any("photos" in each for each in shown) == (width < 800)
    assert page.locator("role=columnheader").count() >= 5


def test_the_folded_page_is_short_and_its_first_screens_decide(made: Made, browser: Any) -> None:
    """The bars for every study: 9,000 px at 1,200 and 2,500 words; score, confusion, steps and findings come first."""
    page = show(browser, made.folder / "report.html").page
    assert page.evaluate("document.documentElement.scrollHeight") <= 9000
    assert len(page.evaluate("document.body.innerText").split()) <= 2500
    assert page.locator("details[open]").count() == 0
    tops = page.eval_on_selector_all(
        "#answer .keys, #confusion, #next, #findings, #target", "all => all.map(e => e.getBoundingClientRect().top)"
    )
    assert tops == sorted(tops)
    assert tops[-1] <= 3 * 900
    assert page.locator("#answer > .steps > li").count() == 3
    assert page.locator("#answer > .findings > div").count() == 3


def test_every_fold_opens_by_click_by_link_and_in_print(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html").page
    is_seen = "all => all.map(e => e.checkVisibility({contentVisibilityAuto: true}))"
    assert not any(page.eval_on_selector_all("details > :not(summary)", is_seen))
    page.locator("#methods summary").click()
    assert page.locator(".paste").is_visible()
    page.locator(".findings a[href='#data-shortcuts']").click()
    assert page.locator("#data-shortcuts table").first.is_visible()
    page.emulate_media(media="print")
    assert all(page.eval_on_selector_all("details > :not(summary)", is_seen))


def test_terms_explain_themselves_to_mouse_finger_and_keyboard(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html", 360).page
    terms = page.locator(".term")
    tips = page.locator(".tip")
    assert terms.count() > 10
    assert not tips.first.is_visible()
    terms.first.focus()
    assert tips.first.is_visible()
    box = tips.first.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.locator("h1").click()
    assert not tips.first.is_visible()
    terms.nth(1).hover()
    assert tips.nth(1).is_visible()
    assert page.eval_on_selector_all(
        ".term",
        "all => all.every(t => t.tabIndex === 0 && document.getElementById(t.getAttribute('aria-describedby')))",
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(made: Made, browser: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    page = show(browser, made.folder / "report.html", scheme=scheme, unfolded=True).page
    found = axe.run(page)["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:120]) for each in found if each["impact"] in SERIOUS] == []


def test_galleries_show_eight_and_the_rest_on_demand(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html").page
    cells = "all => all.map(list => list.children.length)"
    assert page.eval_on_selector_all("#data > .sample", cells) == [8]
    assert page.eval_on_selector_all("#data > .rest > .sample", cells) == [8]
    assert page.locator("#data > .rest > summary").inner_text().startswith("Show all 16")


def test_runs_near_chance_take_a_line(made: Made, tmp_path: Path, browser: Any) -> None:
    weak = made.results.runs["scratch"]
    weak = replace(weak, val=scores_between(weak.val, 0.2, 0.4), test=scores_between(weak.test, 0.2, 0.4))
    written(made, tmp_path, runs=made.results.runs | {"scratch": weak})
    page = show(browser, tmp_path / "report.html", unfolded=True).page
    rows = page.locator("#comparison table tbody tr")
    assert (rows.count(), page.locator("#comparison .panels").count()) == (1, 0)
    assert "scratch" in page.locator("#comparison > p").all_inner_texts()[-1]


def test_the_demo_is_drawn_on_purpose(made: Made, tmp_path: Path) -> None:
    """Neither its drawings nor its layouts are trouble; a user's folder of that name is no demo."""
    anchors = {
        source: {c.anchor for c in concerns(replace(made.results.data, source=source))}
        for source in ("demo", "demo::target", "./demo", "demo other")
    }
    assert anchors["demo"] == anchors["demo::target"] == anchors["./demo"] - {"drawings"}
    assert "drawings" in anchors["./demo"] & anchors["demo other"]
    html = written(made, tmp_path, **changed(made, "data", source="demo"))
    assert 'id="data-drawings"' not in html
    assert 'id="data-series"' not in html
    assert "drawing" not in " ".join(
        step for step in steps(replace(made.results, **changed(made, "data", source="demo")))
    )


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
    page = show(browser, made.folder / "report.html", width, scheme, unfolded=True).page
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
    assert any(HOSTILE in mistake.path for mistake in made.results.mistakes)
    opened = show(browser, made.folder / "report.html")
    assert opened.page.title() != "owned"
    assert opened.page.locator("script, [onerror]").count() == 0
    titles = opened.page.eval_on_selector_all(".file", "all => all.map(f => f.title)")
    assert any(title.endswith(HOSTILE) for title in titles)


def test_photos_carry_no_metadata_and_keep_their_shape(made: Made, browser: Any) -> None:
    html = (made.folder / "report.html").read_text(encoding="utf-8")
    photos = re.findall(r'data:image/jpeg;base64,([^"]+)"', html)
    assert len(photos) >= 16 + 2 + len(made.results.mistakes)
    for photo in photos:
        content = base64.b64decode(photo)
        image = Image.open(io.BytesIO(content))
        assert not image.getexif()
        assert b"Exif" not in content
        assert image.size in ((64, 43), (48, 48), (FACE_VIEW.size, FACE_VIEW.size))
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
    assert all(page.locator(f"#{name}").is_visible() for name in sections(made.results))


def test_raters_have_a_section_and_their_photos_go_unnamed_where_photos_are_not_shown(
    made: Made, tmp_path: Path
) -> None:
    raters = made_raters(made.results.test)
    page = written(made, tmp_path, raters=raters)
    assert 'id="raters"' in page
    for told in ("Your raters agree 0.75", "eve", "apart-7.png", "0.52"):
        assert told in page
    bare = written(made, tmp_path, raters=raters, **without_photos(made))
    assert "Your raters agree 0.75" in bare
    assert "apart-7.png" not in bare


def test_names_of_people_and_places_outside_the_study_stay_out(made: Made) -> None:
    assert "/home/somebody" not in (made.folder / "report.html").read_text(encoding="utf-8")


def test_what_needs_a_look_comes_first_and_leads_to_its_part(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html").page
    kinds = ("conflicts", "shortcuts", "drawings", "copies", "series", "faces", "doubts")
    ids = page.eval_on_selector_all("#data .concerns .folded", "all => all.map(e => e.id)")
    assert ids == [f"data-{kind}" for kind in kinds]
    links = page.eval_on_selector_all(".findings a", "all => all.map(a => a.getAttribute('href'))")
    assert links == [f"#{name}" for name in ids[:3]]


def test_numbers_of_the_audit_are_those_of_the_results(made: Made, browser: Any) -> None:
    data = made.results.data
    page = show(browser, made.folder / "report.html", unfolded=True).page
    culprits = page.locator("#data table.culprits tbody tr").all_inner_texts()
    assert [row.split("\t") for row in culprits] == [
        ["file format WEBP", "39 of 49 are happy (80\N{NO-BREAK SPACE}%)", "17\N{NO-BREAK SPACE}%"],
        ["strip with text at an edge", f"61 of 94 are {LABELS[2]} (65\N{NO-BREAK SPACE}%)", "17\N{NO-BREAK SPACE}%"],
    ]
    cells = page.locator("#data table.marks tfoot td").all_inner_texts()
    flags = ("no_face", "several_faces", "tiny_face", "cut_face", "blurred_face", "blank")
    assert [int(cell) for cell in cells] == [sum(data.flags[flag].values()) for flag in flags]
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#data table.marks tbody tr").all()]
    assert [sum(map(int, column)) for column in zip(*rows, strict=True)] == [int(cell) for cell in cells]


def test_a_clean_set_needs_no_look(made: Made, tmp_path: Path) -> None:
    assert 'class="concerns"' in (made.folder / "report.html").read_text(encoding="utf-8")
    none = Copies(groups=0, across_labels=0, across_splits={})
    shortcuts = replace(made.results.data.shortcuts, found=False, tells_classes=False, p=0.4, culprits=())
    clean = {
        "conflicts": (),
        "conflicting_labels": 0,
        "copies": CopiesFound(exact=none, near=none),
        "series": (0, 0),
        "flags": {flag: {} for flag in made.results.data.flags},
        "shortcuts": shortcuts,
        "doubtful_labels": DoubtfulLabels(judged=60, found=0, accuracy=0.97, folds=5),
    }
    assert 'class="concerns"' not in written(made, tmp_path, **changed(made, "data", **clean), corrections=None)


@pytest.mark.heavy
def test_the_report_judges_shortcuts_by_the_stored_level_and_no_other(made: Made, tmp_path: Path) -> None:
    """A probability of 3 in 100 is above the audit's level of 1 in 100; the report has no other level of its own."""
    faint = replace(made.results.data.shortcuts, found=False, tells_classes=False, p=0.03, culprits=())
    for is_found in (False, True):
        told = replace(faint, found=is_found, tells_classes=is_found)
        html = written(made, tmp_path, **changed(made, "data", shortcuts=told))
        assert ('id="data-shortcuts"' in html) is is_found


def test_galleries_show_the_photos_that_are_meant(made: Made) -> None:
    rows = made.manifest.sort("row")
    photos = shown(made, made.results)
    assert [e.photo.path for e in photos.drawn] == [rows["path"][row] for row in (5, 6)]
    assert [e.note for e in photos.drawn] == ["0.93", "0.91"]
    assert [e.photo.path for e in photos.doubts] == [entry.path for entry in made.results.data.doubtful_labels.list]
    assert [[e.photo.path for e in g.exhibits] for g in photos.copies] == [[rows["path"][10], rows["path"][11]]]
    assert [[e.photo.path for e in g.exhibits] for g in photos.series] == [[rows["path"][45], rows["path"][46]]]
    assert [e.photo.path for e in photos.faces["blurred_face"]] == [rows["path"][9]]
    assert photos.faces["blurred_face"][0].photo.width == FACE_VIEW.size


def test_every_label_of_a_contradiction_is_shown(made: Made) -> None:
    """A picture with many copies under one label, and one under another."""
    joined = pl.col("row").is_in([1, *range(14, 20), 41])
    manifest = made.manifest.with_columns(pl.when(joined).then(1).otherwise("near_group").alias("near_group"))
    (group,) = shown(made, made.results, manifest).conflicts
    assert {e.photo.label for e in group.exhibits} == {LABELS[0], LABELS[2]}
    assert (len(group.exhibits), group.more) == (MOST_COPIES, 4)


def test_photos_of_two_sources_with_one_path_are_told_apart(made: Made) -> None:
    paths = pl.when(pl.col("row") == 41).then(pl.lit("anger/photo-of-1.png")).otherwise("path").alias("path")
    (group,) = shown(made, made.results, made.manifest.with_columns(paths)).conflicts
    assert [e.photo.label for e in group.exhibits] == [LABELS[0], LABELS[2]]
    assert len({e.photo.uri for e in group.exhibits}) == 2


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.001, 0.02), "naive flatters"),
        ((-0.001, 0.02), "cannot tell"),
        ((0.0, 0.02), "cannot tell"),
        ((-0.02, -0.001), "naive scores lower"),
    ],
)
def test_a_premium_is_claimed_only_where_its_interval_leaves_zero_out(ends: tuple[float, float], verdict: str) -> None:
    assert premium(sum(ends) / 2, Interval(*ends)).verdict == verdict


def test_the_leak_premium_stands_with_its_interval(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html", unfolded=True).page
    rows = page.locator("#data-leak table", has_text="Naive adds").locator("tbody tr").all_inner_texts()
    assert [re.findall(r"[\d.−+]+", row) for row in rows] == [
        ["0.789"],
        ["0.777", "+0.013", "+0.004", "+0.021"],
        ["0.773", "+0.016", "\N{MINUS SIGN}0.002", "+0.034"],
    ]


def steps(results: StudyResults) -> set[str]:
    return {advice.step for advice in advise(results)}


def test_series_are_advised_where_they_are_shown_to_leak(made: Made) -> None:
    leaking = replace(made.results, **changed(made, "data", leakage=leakage((-0.01, 0.02), (0.01, 0.05))))
    (advised,) = steps(leaking) - steps(made.results)
    by_series = replace(leaking, **changed(made, "splits", method="series"))
    assert advised not in steps(by_series)


def test_a_naive_division_is_warned_of_wherever_its_scores_stand(made: Made, browser: Any, tmp_path: Path) -> None:
    grouped = show(browser, made.folder / "report.html").page
    written(made, tmp_path, **changed(made, "splits", method="naive"))
    naive = show(browser, tmp_path / "report.html").page
    for section in ("answer", "data"):
        before, after = (page.locator(f"#{section} .warning").count() for page in (grouped, naive))
        assert after == before + 1


def test_methods_name_the_corrections_by_their_hash(made: Made) -> None:
    assert " ".join(methods(made.results)).count("5ade" * 16) == 1
    assert "5ade" not in " ".join(methods(replace(made.results, corrections=None)))


def test_methods_say_what_was_learnt_of_votes(made: Made) -> None:
    voted = replace(made.results, **changed(made, "data", voted=17))
    texts = [" ".join(methods(each)) for each in (made.results, voted)]
    assert [text.count("17 photos") for text in texts] == [0, 1]
    assert [text.count("Barsoum") for text in texts] == [0, 1]


@pytest.mark.parametrize("votes", ["soft", "majority"])
def test_page_and_card_say_what_was_learnt_of_votes(votes: VotesAs, made: Made, tmp_path: Path) -> None:
    data = changed(made, "data", voted=17)
    for text in (written(made, tmp_path, **data, votes=votes), model_card(replace(made.results, **data, votes=votes))):
        assert text.count(f"--votes {votes}") == 1


def test_probabilities_of_shares_are_said_to_be_such(made: Made) -> None:
    told = [sureness_sentences(replace(made.results, votes=votes)) for votes in ("soft", "majority", None)]
    assert told[1] == told[2]
    (more,) = set(told[0]) - set(told[1])
    assert "raters" in more


def test_methods_name_pretrained_weights_by_licence_and_hash(made: Made) -> None:
    text = " ".join(methods(made.results))
    for each in ("some-net", "MIT", "5" * 64):
        assert text.count(each) == 1, "the other runs were trained from scratch"


def test_numbers_are_those_of_the_results(made: Made) -> None:
    text = plain((made.folder / "report.html").read_text(encoding="utf-8"))
    data, target = made.results.data, made.results.target
    assert target is not None
    for run in made.results.runs.values():
        assert run.target is not None
        for part in (run.val, run.test, run.target.shared):
            assert part.interval is not None
            assert f"{part.macro_f1:.2f} ({part.interval.low:.2f} to {part.interval.high:.2f})" in text
        assert fit_sentence(run.fit) in text
    assert data.files == data.images + data.unreadable + data.dropped
    assert f"this study {target.shared.accuracy:.3f} {target.shared.macro_f1:.3f}" in text


def test_a_class_without_photos_has_a_dash(made: Made, browser: Any) -> None:
    page = show(browser, made.folder / "report.html", unfolded=True).page
    row = page.locator("#target table.classes tbody tr", has_text="sad")
    assert row.locator("td").all_inner_texts() == ["—", "—", "—", "—", "0"]
    cells = page.locator("#target table.confusion tbody tr", has_text="sad").locator("td.cell")
    assert set(cells.all_inner_texts()) == {"—"}


def test_the_same_results_give_the_same_bytes_and_nothing_half_written(made: Made, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        written(made, folder)
    assert (first / "report.html").read_bytes() == (second / "report.html").read_bytes()
    assert [path.name for path in first.iterdir()] == ["report.html"]


def scores_between(scores: Scores, low: float, high: float) -> Scores:
    """Scores with this interval, where chance is 0.3."""
    about = {"macro_f1": (low + high) / 2, "interval": Interval(low, high), "chance_macro_f1": 0.3}
    return replace(scores, **about, beats_chance=low > 0.3)


@pytest.mark.parametrize(
    ("test", "elsewhere", "told"),
    [
        ((0.4, 0.6), None, "Three expressions recognised with a macro-F1 of 0.50"),
        ((0.4, 0.6), (0.35, 0.45), "Three expressions recognised with a macro-F1 of 0.50, and 0.40 on photos from"),
        ((0.4, 0.6), (0.2, 0.4), "macro-F1 of 0.50; on photos from elsewhere, no better than guessing"),
        ((0.2, 0.6), None, "Three expressions, not shown to be recognised better than by guessing"),
    ],
)
def test_the_headline_claims_no_more_than_was_measured(
    made: Made, test: tuple[float, float], elsewhere: tuple[float, float] | None, told: str
) -> None:
    run, target = made.results.run, made.results.target
    assert target is not None
    runs = {"probe": replace(run, test=scores_between(run.test, *test))}
    if elsewhere:
        target = replace(target, shared=scores_between(target.shared, *elsewhere))
    results = replace(made.results, runs=runs, target=target if elsewhere else None)
    assert told in headline(results)


def test_advice_says_what_to_do_and_why(made: Made) -> None:
    advised = advise(made.results)
    assert all(advice.step and advice.reason for advice in advised)
    assert len(steps(made.results)) == len(advised) > 6
    assert numerals.count(4 * made.results.test.images) in " ".join(advice.reason for advice in advised)


@pytest.mark.parametrize(
    ("accuracy", "is_advised"), [(TRUSTED_PROBE, True), (TRUSTED_PROBE - 0.01, False), (1 / 3, False)]
)
def test_doubts_of_a_probe_that_knows_little_are_no_work_for_a_person(
    made: Made, accuracy: float, is_advised: bool
) -> None:
    doubtful = replace(made.results.data.doubtful_labels, accuracy=accuracy)
    no_flags: dict[str, dict[str, int]] = {flag: {} for flag in made.results.data.flags}
    only = changed(
        made,
        "data",
        doubtful_labels=doubtful,
        conflicting_labels=0,
        flags=no_flags,
    )
    steps = " ".join(advice.step for advice in advise(replace(made.results, corrections=None, **only)))
    assert ("doubtful label" in steps) is is_advised
    assert ("Write your decisions" in steps) is is_advised


@pytest.mark.parametrize("verdict", ["overfits", "underfits", "both"])
@pytest.mark.parametrize("augment", [None, "none", "notebook", "elsewhere"])
def test_advice_on_the_fit_names_only_what_can_be_set_and_was_not(
    made: Made, augment: str | None, verdict: FitVerdict
) -> None:
    """A head, where no augmentation is given, is fitted to frozen features: it has neither epochs nor augmentation."""
    run = made.results.runs["scratch" if augment else "probe"]
    config = run.config
    if augment:
        assert isinstance(config, NetworkRun)
        config = replace(config, train=with_settings(config.train, augment=augment))
    run = replace(run, config=config, fit=replace(run.fit, verdict=verdict, still_rising=None))
    results = replace(made.results, selected=config.name, runs={config.name: run})
    (step,) = {advice.step for advice in advise(results)} - {advice.step for advice in advise(well_fitted(results))}
    named = set(re.findall(r"--([a-z-]+)", step))
    assert named <= {name.replace("_", "-").replace("recipes", "recipe") for name in option_fields(StudySettings)}
    if augment is None:
        assert not named & {"augment", "epochs"}
    assert f"--augment {augment}" not in step


def well_fitted(results: StudyResults) -> StudyResults:
    fit = replace(results.run.fit, verdict="balanced")
    return replace(results, runs={results.selected: replace(results.run, fit=fit)})


def test_only_bins_whose_intervals_lie_apart_are_spoken_of() -> None:
    def rates_of(title: str, *ends: tuple[int, float, float]) -> ErrorRates:
        bins = tuple(
            ErrorRate(bin=f"b{i}", images=n, error_rate=(low + high) / 2, interval=Interval(low, high))
            for i, (n, low, high) in enumerate(ends)
        )
        return ErrorRates(property=title, title=title, bins=bins)

    rates = [
        rates_of("apart", (50, 0.1, 0.2), (50, 0.3, 0.4)),
        rates_of("together", (50, 0.1, 0.3), (50, 0.2, 0.4)),
        rates_of("few", (3, 0.1, 0.2), (50, 0.3, 0.4)),
    ]
    told = error_sentences(rates)
    assert len(told) == 1
    assert told[0].startswith("Apart: ")


def test_warns_of_overlap_only_where_there_is_one(made: Made) -> None:
    assert made.results.target is not None
    new = {"near_copies": 0, "seen_in_training": 0, "known_collections": (), "recurring_groups": 0, "is_new": True}
    assert warnings(replace(made.results, target=None)) == []
    assert warnings(replace(made.results, **changed(made, "target", **new))) == []
    recurring = changed(made, "target", **new | {"recurring_groups": 1})
    assert "1 picture is both" in warnings(replace(made.results, **recurring))[0]


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
    code = (
        "import sys, mien.telling.report.page; sys.exit('torch' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- plots as files ----------------------------------------------------------------------------------------------------


@pytest.mark.heavy
def test_every_plot_stands_as_svg_and_png_and_older_ones_go(made: Made, tmp_path: Path) -> None:
    place = tmp_path / FIGURES
    place.mkdir()
    for name in ("curves-gone-loss.svg", "notes.txt"):
        (place / name).write_text("old", encoding="utf-8")
    write_figures(tmp_path, made.results)
    plots = list(study_plots(made.results))
    names = [plot.name for plot in plots]
    assert len(names) == len(set(names))
    assert {"scores", "confusion", "confusion-elsewhere", "reliability", "risk-coverage"} <= set(names)
    written = {f"{name}.{ending}" for name in names for ending in ("svg", "png")}
    assert {path.name for path in place.iterdir()} == written | {"notes.txt"}
    for plot in plots:
        drawing = (place / f"{plot.name}.svg").read_text(encoding="utf-8")
        ElementTree.fromstring(drawing)
        assert plot.title in drawing
        assert "var(--" not in drawing
        with Image.open(place / f"{plot.name}.png") as image:
            assert min(image.size) > 200
            assert image.format == "PNG"


def test_plots_of_the_page_are_those_of_the_files(made: Made, browser: Any) -> None:
    """All but the scores and the confusions, which the page shows as text."""
    page = show(browser, made.folder / "report.html").page
    shown = {each.partition(":")[0] for each in page.eval_on_selector_all("svg", "a => a.map(s => s.ariaLabel)")}
    drawn = [plot for plot in study_plots(made.results) if not plot.name.startswith(("scores", "confusion"))]
    assert {plot.alt.partition(":")[0] for plot in drawn} == shown


def test_plots_have_the_colours_of_the_page() -> None:
    css = (files("mien.telling.report") / "templates" / "style.css").read_text(encoding="utf-8")
    light = css[: css.index("@media")]
    for colour, on_page in ON_PAGE.items():
        name = on_page.removeprefix("var(").removesuffix(")") if on_page.startswith("var(") else "--ink"
        assert f"{name}: {colour};" in light
