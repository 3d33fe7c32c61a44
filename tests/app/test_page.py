"""The page in a browser: photos, a webcam, own photos, and nothing that goes elsewhere."""

from __future__ import annotations

import base64
import errno
import io
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.app.cards import model_html, prediction_html
from mien.app.own_photos import FEW, OwnPhotos, own_score
from mien.app.page import MOST_SHOWN
from mien.demo import draw_face
from mien.errors import OutputError
from mien.models.shipped_cards import as_on_card
from mien.recognizer import Prediction, Recognizer
from support.pictures import encoded
from support.servers import Watched, watched

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
ARGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A page that runs as its user would run it; it may write to its folder in memory alone, and call nobody.

    Where matplotlib is installed Gradio imports it, and it keeps a list of the machine's fonts.
    """
    with watched(tmp_path_factory.mktemp("server")) as server:
        yield server
        assert server.peers() == []
    memory = "/dev/shm/mien-" if Path("/dev/shm").is_dir() else "/mien-"
    allowed = (memory, "/my-faces", "/matplotlib", "/.config'", "/.cache'", "'fc-list'")
    assert not [line for line in server.seen() if not any(part in line for part in allowed)]
    assert not [path for path in server.home.rglob("*") if path.is_file() and "matplotlib" not in path.parts]
    uploads = {found[1] for line in server.seen() if (found := re.search(rf"'(\S*{memory}[\w-]+)", line))}
    assert len(uploads) == 1
    assert not any(Path(folder).exists() for folder in uploads)


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
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Chromium with a camera before which a drawn face smiles."""
    from playwright.sync_api import sync_playwright

    film = tmp_path_factory.mktemp("camera") / "camera.mjpeg"  # one JPEG after another
    frame = Image.new("RGB", (640, 480), "white")
    frame.paste(draw_face("happy", 0).resize((400, 400)), (120, 40))
    film.write_bytes(encoded(frame, "JPEG", quality=95) * 10)
    with sync_playwright() as playwright:
        camera = f"--use-file-for-fake-video-capture={film}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, camera])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server: Watched, request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    colours = getattr(request, "param", "light")
    context = browser.new_context(
        permissions=["camera"], viewport={"width": 1280, "height": 900}, color_scheme=colours, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(180_000)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    page.wait_for_selector("#photos")
    yield page
    outside = [url for url in requests if not url.startswith((server.url, "data:", "blob:"))]
    context.close()
    assert not outside


def cards(page, *paths: Path) -> list[str]:  # type: ignore[no-untyped-def]
    page.set_input_files("#photos input[type=file]", [str(path) for path in paths])
    page.wait_for_function(f"document.querySelectorAll('#answers article').length === {len(paths)}")
    return [card.inner_text() for card in page.query_selector_all("#answers article")]


@in_browser
@pytest.mark.heavy
def test_photos_of_every_kind_get_a_card(page, faces: Path) -> None:  # type: ignore[no-untyped-def]
    assert "happy" in cards(page, faces / "face-00.png")[0]
    kinds = ("three.png", "none.png", "text.txt", "large.png")
    three, none, text, large = cards(page, *(faces / name for name in kinds))
    assert "Several faces" in three
    assert [line for line in three.splitlines() if line.startswith("Face ")] == [
        line for line in three.splitlines() if re.fullmatch(r"Face [123]: (perhaps )?\w+, \d+\s%", line)
    ]
    assert three.count("Next likeliest") == three.count("Face ") == 3
    assert "No face was found" in none
    assert "could not be read" in text
    assert "No face was found" in large
    many = cards(page, *sorted(faces.glob("face-*.png")))
    assert len(many) == 20
    assert all("happy" in card and "%" in card for card in many)


@in_browser
@pytest.mark.heavy
def test_more_photos_than_are_shown_are_told(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    paths = [tmp_path / f"{i}.txt" for i in range(MOST_SHOWN + 2)]
    for path in paths:
        path.write_text("no picture")
    page.set_input_files("#photos input[type=file]", [str(path) for path in paths])
    page.wait_for_selector("#answers article")
    assert f"the first {MOST_SHOWN} of {MOST_SHOWN + 2}" in page.inner_text("#answers")
    assert page.locator("#answers article").count() == MOST_SHOWN


@in_browser
@pytest.mark.heavy
def test_a_drawn_face_is_answered_by_one_click(page) -> None:  # type: ignore[no-untyped-def]
    assert page.locator("#photos, [data-testid='file']").count() == 1  # one place to drop photos
    told = page.inner_text("#can p")
    assert all(label in told for label in Recognizer.default().labels)
    assert told.count(". ") == 0
    page.wait_for_timeout(2000)  # a button is drawn a moment before it listens
    page.locator("#sample").click()
    page.wait_for_selector("#answers article")
    assert re.search(r"^happy, \d+\s%$", page.inner_text("#answers article h3"))
    assert "Next likeliest" in page.inner_text("#answers article")


@in_browser
@pytest.mark.heavy
def test_a_whole_folder_is_answered(page, faces: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for i in range(3):
        shutil.copy(faces / f"face-0{i}.png", tmp_path / f"{i}.png")
    (tmp_path / "below").mkdir()
    shutil.copy(faces / "face-03.png", tmp_path / "below" / "0.png")  # of the same name as another
    page.wait_for_timeout(2000)
    with page.expect_file_chooser() as chosen:
        page.locator("#folder").click()
    chosen.value.set_files(str(tmp_path))
    page.wait_for_function("document.querySelectorAll('#answers article').length === 4")


@in_browser
@pytest.mark.heavy
def test_webcam_starts_after_consent_alone_by_one_click(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_role("tab", name="Webcam").click()
    assert "work and in education" in page.inner_text("body")
    page.wait_for_selector("#agreed")
    page.wait_for_timeout(2000)
    assert page.locator("video").count() == 0
    page.locator("#agreed").click()
    page.wait_for_selector("#live article")
    answer = page.inner_text("#live article")
    assert "happy" in answer.splitlines()[0]
    assert "No face" not in answer


def open_tab(page, name: str) -> None:  # type: ignore[no-untyped-def]
    """Open a tab, which on a narrow screen may stand in a menu."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.is_visible():
        tab.click()
    else:
        page.locator(".overflow-menu button").first.click()
        page.locator(".overflow-dropdown").get_by_text(name, exact=True).click()
    page.wait_for_timeout(500)  # it fades in


def luminance(colour: str) -> float:
    """Of ``rgb(r, g, b)``, in [0, 1], as WCAG defines it."""
    shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def tab_contrast(page) -> float:  # type: ignore[no-untyped-def]
    """Of the chosen tab's name, which axe cannot judge for the line that is drawn below it."""
    script = "([at, what]) => getComputedStyle(document.querySelector(at))[what]"
    name, ground = (
        luminance(page.evaluate(script, [at, what]))
        for at, what in (("button[role=tab].selected", "color"), ("body", "backgroundColor"))
    )
    return (max(name, ground) + 0.05) / (min(name, ground) + 0.05)


@in_browser
@pytest.mark.heavy
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_page_is_accessible_and_fits(page, faces: Path, width: int) -> None:  # type: ignore[no-untyped-def]
    from axe_core_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": 900})
    cards(page, faces / "face-00.png", faces / "none.png", faces / "text.txt")
    for tab in ("Photos", "Webcam", "Own photos", "Model"):
        open_tab(page, tab)
        if tab == "Webcam":
            page.locator("#agreed").click()
            page.wait_for_selector("#live article")
        found = Axe().run(page)["violations"]
        assert not [
            (tab, v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")
        ]
        assert tab_contrast(page) >= 4.5
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@in_browser
@pytest.mark.heavy
def test_own_photos_in_the_page(page, server: Watched, faces: Path) -> None:  # type: ignore[no-untyped-def]
    open_tab(page, "Own photos")
    page.locator("#kept-in textarea, #kept-in input").first.fill(str(server.home / "my-faces"))
    page.locator("#own-photo button[aria-label='Upload file']").click()
    page.set_input_files("#own-photo input[type=file]", str(faces / "face-00.png"))
    page.wait_for_selector("#own-photo img")
    page.get_by_role("button", name="Save this photo").click()
    page.wait_for_selector("#said >> text=tick the box above first")
    assert not (server.home / "my-faces").exists()
    page.get_by_label("I agree to these photos").check()
    page.get_by_role("button", name="Save this photo").click()
    page.wait_for_selector("#own article")
    (saved,) = (server.home / "my-faces").rglob("*.jpg")
    assert saved.parent.name == "anger"  # what was asked to be shown
    page.get_by_role("button", name="Score all").click()
    page.wait_for_selector("#said >> text=0 of 1 right")
    assert "Too few to tell" in page.inner_text("#said")
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_selector("#said >> text=was deleted")
    assert not saved.exists()


def tab_to(page, wanted: str, most: int = 25) -> None:  # type: ignore[no-untyped-def]
    """Press Tab until JavaScript says that the wanted element has the focus."""
    for _ in range(most):
        if page.evaluate(f"(element => {wanted})(document.activeElement)"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"not reached by keys: {wanted}")


@in_browser
@pytest.mark.heavy
def test_everything_is_done_by_keys_alone(page, faces: Path) -> None:  # type: ignore[no-untyped-def]
    chosen: list[Any] = []
    page.on("filechooser", lambda chooser: chosen.append(chooser))
    for _ in range(60):  # a button is drawn a moment before it listens
        tab_to(page, "element.closest('#photos') && element.tagName === 'BUTTON'")
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        if chosen:
            break
        page.evaluate("document.activeElement.blur()")
    chosen[0].set_files(str(faces / "face-00.png"))
    page.wait_for_selector("#answers article")
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "element.getAttribute('role') === 'tab' && element.innerText === 'Webcam'")
    page.keyboard.press("Enter")
    assert page.get_by_role("tab", name="Webcam").get_attribute("aria-selected") == "true"
    page.wait_for_selector("#agreed")  # Tab does not wait for what is still being drawn
    page.wait_for_timeout(2000)
    tab_to(page, "element.id === 'agreed'")
    page.keyboard.press("Enter")
    page.wait_for_selector("#live article")


@pytest.mark.parametrize(
    ("flags", "title"),
    [
        ((), "sad"),
        (("several_faces",), "sad"),
        (("unsure",), "perhaps sad"),
        (("no_face",), "perhaps sad"),
        (("several_faces", "low_quality"), "perhaps sad"),
    ],
)
def test_doubtful_answers_are_called_perhaps(flags: tuple[str, ...], title: str) -> None:
    answer = Prediction("<b>.png", flags[0] if flags else "ok", flags, "sad", {"happy": 0.1, "sad": 0.9})  # type: ignore[arg-type]
    card = prediction_html(answer, None)
    assert f"<h3>{title}, 90\xa0%</h3>" in card
    assert "happy, 10\xa0%" in card
    assert "<b>." not in card


def test_every_face_is_boxed_and_answered() -> None:
    image = Image.new("RGB", (400, 200), "grey")
    boxes = [(20.0, 20.0, 180.0, 180.0), (220.0, 20.0, 380.0, 180.0)]
    answers = [
        Prediction("two.png", "ok", (), label, {"happy": p, "sad": 1 - p}, box)
        for label, p, box in zip(("happy", "sad"), (0.75, 0.4), boxes, strict=True)
    ]
    card = prediction_html(answers, image)
    assert card.count("<article") == 1
    assert ("happy, 75\xa0%</h4>" in card, "sad, 60\xa0%</h4>" in card) == (True, True)
    (shown,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", card)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))).convert("RGB")).astype(int)
    for left, top, right, bottom in boxes:
        inside = pixels[int(top) + 30 : int(bottom) - 10, int(left) + 30 : int(right) - 10]
        edge = pixels[int(top) + 60, int(left) - 4 : int(left) + 6]
        assert np.abs(inside - 128).max() < 40
        assert (edge[:, 2] - edge[:, 0]).max() > 60  # blue


def card_of(heading: str) -> str:
    """The part of docs/MODEL_CARDS.md on one model, in one line."""
    text = " ".join(Path("docs/MODEL_CARDS.md").read_text("utf-8").split())
    return text[text.index(heading) :].split(" ## ")[0]


@pytest.mark.parametrize(("model", "heading"), [("default", "## `default`"), ("six", "## `six`")])
def test_the_tab_on_the_model_has_the_numbers_of_its_card(model: str, heading: str) -> None:
    recognizer, card = Recognizer(model), card_of(heading)
    told = re.sub(r"<[^>]+>", " ", model_html(as_on_card(recognizer.contract, recognizer.model), recognizer.threshold))
    told = " ".join(told.split())
    (found,) = re.findall(
        r"Macro-F1 (\S+) \(95 % interval (\S+) to ([\d.]+)(?:, over [\d,]+ \w+)?\) on ([\d,]+) photos", told
    )
    macro_f1, low, high, photos = found
    if model == "default":
        assert card.split("| macro-F1 |")[1].split("|")[4].strip() == f"{macro_f1} [{low}, {high}]"
        by_class = {
            row.split("|")[0].strip(): row.split("|")[5].split()
            for row in re.findall(r"\| (\w+ \|(?:[^|]+\|){5})", card)
        }
        shown = {label: cells for label, cells in by_class.items() if "of" in cells and label in recognizer.labels}
        assert sum(int(cells[2]) for cells in shown.values()) == int(photos)
        recalls = {label: float(cells[0]) for label, cells in shown.items()}
    else:
        first = re.search(r"copies together \| (\d\.\d+),[^;]*; 95 % of the first: \[(\S+), (\S+)\]", card)
        assert first is not None
        assert (f"{float(first[1]):.2f}", first[2], first[3]) == (macro_f1, low, high)
        assert f"all {photos} usable photos" in card
        listed = card.split("Recall: ")[1].split(". ")[0].split(", ")
        recalls = {each.split()[0]: float(each.split()[1]) for each in listed}
    bars = {label: int(share) for label, share in re.findall(r"(\w+) (\d+) %", told.split("it named it in:")[1])}
    assert {label: bars[label] for label in recalls} == {label: round(100 * p) for label, p in recalls.items()}
    (probability,) = re.findall(r"below a probability of (\d+) %", told)
    assert f"a probability of at least {int(probability) / 100:.2f}" in card
    (answered, wrong) = re.findall(
        r"measured on, (\d+) % of answers reach that probability, and at most (\d+) %", told
    )[0]
    assert re.search(rf"\b{answered}% of (answers|them|such photos)", card)
    assert f"wrong at most {wrong}% of the time" in card


def test_the_tab_on_the_model_has_one_score_and_it_is_the_cards(tmp_path: Path) -> None:
    contract = replace(Recognizer("six").contract, card={"scores": "On 42 photos: macro-F1 0.37."})
    told = model_html(as_on_card(contract, str(tmp_path / "model.onnx")), None)
    assert re.findall(r"[Mm]acro-F1 (\d\.\d+)", told) == ["0.37"]


def test_model_tells_the_promise_that_this_page_keeps() -> None:
    strict, usual = Recognizer("six", max_error=0.05), Recognizer.default()
    assert strict.threshold is not None
    assert usual.threshold is not None
    assert strict.threshold.max_error <= 0.05 < usual.threshold.max_error <= 0.1
    assert f"at most {strict.threshold.max_error:.0%} of".replace("%", "\xa0%") in model_html(
        strict.contract, strict.threshold
    )
    told = model_html(usual.contract, usual.threshold)
    assert f"at most {usual.threshold.max_error:.0%} of".replace("%", "\xa0%") in told
    assert "research only" in told
    assert "not promised" in model_html(usual.contract, None)


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
    for label in ("../elsewhere", "/elsewhere", "..", ".", "", "a/b", "a\\b"):
        with pytest.raises(OutputError, match="names no folder"):
            photos.save(draw_face("sad", 0), label)


def test_own_photo_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = OwnPhotos(str(tmp_path))
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        photos.save(draw_face("sad", 0), "sad")
    assert photos.all(("sad",)) == []
    monkeypatch.undo()
    assert [path.name for path, _ in [(photos.save(draw_face("sad", 0), "sad"), "")]] == ["own-0001.jpg"]
    assert sorted(path.name for path in (tmp_path / "sad").iterdir()) == ["own-0001.jpg"]


@pytest.mark.parametrize("name", ["~nosuchuser/faces", "faces\0", "a" * 300])
def test_name_that_no_folder_can_have_is_told(name: str) -> None:
    with pytest.raises(OutputError, match=r"no folder can have this name|cannot be written"):
        OwnPhotos(name).save(draw_face("sad", 0), "sad")


def test_model_with_a_class_that_was_never_held_out_is_shown() -> None:
    contract = Recognizer.default().contract
    measured = (contract.measured or {}) | {"recall": {"sad": None, "happy": 0.5}, "interval": None}
    told = model_html(replace(contract, measured=measured), None)
    assert "50 %" in told.replace("\xa0", " ")


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
