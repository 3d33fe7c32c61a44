"""The page: photos, webcam, own test photos, and what the model is. Gradio draws it; nothing here stores anything.

Gradio opens no file and fetches nothing for it: what a browser asks passes ``doors.py``, and the functions get pictures
unopened (``preprocess=False``) and read them through ``uploads.py``, which deletes them.
"""

from __future__ import annotations

import html
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from PIL import Image
from starlette.routing import Mount

from mien.app.batching import Batcher, BusyError
from mien.app.calls import Takes
from mien.app.cards import (
    CSS,
    can_sentence,
    model_html,
    notice_html,
    picture_html,
    prediction_html,
    sample_css,
    sample_face,
)
from mien.app.doors import Doors
from mien.app.limits import Limits, loader
from mien.app.own_photos import OwnPhotos, own_photo, own_score
from mien.app.uploads import GoneError, Uploads
from mien.data.reading.pictures import Picture
from mien.data.reading.preprocess import UnreadableImageError, decode
from mien.errors import MienError
from mien.evaluation.attention import occlusion_map, with_heat
from mien.models.shipped_cards import as_on_card
from mien.recognizer import Prediction, Recognizer

__all__ = ["mount_page"]

AGREED = "Start the camera: I have read this, and everyone in view agrees to be seen"
START_CAMERA = """() => {
    const started = Date.now();
    let asked = false;
    const step = () => {
        const shown = [...document.querySelectorAll('#camera button')].filter(each => each.offsetParent);
        const access = shown.find(each => each.querySelector('.icon-wrap'));
        const record = shown.find(each => /record/i.test(each.innerText));
        if (record) { record.click(); return; }
        if (access && !asked) { asked = true; access.click(); }
        if (Date.now() - started < 60000) setTimeout(step, 30);
    };
    step();
}"""
"""Presses the two buttons of Gradio's camera, which the user has asked for by the one above."""
FONTS = [gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")]
"""Of the system: none is fetched."""
MOST_SHOWN = 200
"""Pictures answered at a time on the page."""
MOST_WAITING = 64
"""Calls of the page's functions that wait for their turn."""
MOST_REMEMBERED = 32
"""Sessions whose last answers Gradio holds in memory, so as to update parts of a page; the page can do without."""
GONE = "A photo had to wait for more than a minute and was deleted. Send it again."

File = Mapping[str, Any]
"""A picture as Gradio describes it, with a ``path`` that ``Doors`` has written."""


def mount_page(
    app: FastAPI, recognizer: Recognizer, batcher: Batcher, uploads: Uploads, *, limits: Limits, is_local: bool
) -> FastAPI:
    """Put the page at the root of the application.

    Args:
        uploads: for what the page is sent.
        is_local: whether the page is on its user's own machine, so that own photos can be kept on its disk.
    """
    os.environ["GRADIO_RUN_HISTORY"] = "false"  # else the browser keeps photos and answers on its disk
    page = _Page(recognizer, batcher, uploads)
    with gr.Blocks(title="mien", analytics_enabled=False) as blocks:
        gr.HTML(f"<h1>mien</h1><p>{html.escape(can_sentence(recognizer.labels))}</p>", padding=False, elem_id="can")
        with gr.Tab("Photos"):
            _photos_tab(page, is_local=is_local)
        with gr.Tab("Webcam"):
            _webcam_tab(page)
        if is_local:
            with gr.Tab("Own photos"):
                _own_tab(page)
        with gr.Tab("Model"):
            told = as_on_card(recognizer.contract, recognizer.model)
            gr.HTML(model_html(told, recognizer.threshold), padding=False)
    blocks.queue(max_size=MOST_WAITING, api_open=False)
    blocks.has_launched = True  # else Gradio checks no path: a second lock behind ours
    blocks.state_session_capacity = MOST_REMEMBERED
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=gr.themes.Base(font=FONTS, font_mono=[gr.themes.Font("monospace")]),
        css=CSS + sample_css(),
        footer_links=[],
        show_error=False,
        max_file_size=limits.body,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
    )
    takes = {number: [part.get_block_name() for part in call.inputs] for number, call in blocks.fns.items()}
    _stand_before(app, uploads, takes, limits)
    return app


def _stand_before(app: FastAPI, uploads: Uploads, takes: Takes, limits: Limits) -> None:
    """Let Gradio answer nothing but what passes the doors."""
    (mount,) = (route for route in app.routes if isinstance(route, Mount) and route.path == "")
    sessions = mount.app.state_holder  # type: ignore[attr-defined]

    def forget(session: str) -> None:
        """Drop the last answers of a page that was closed; Gradio would hold them for good."""
        sessions.session_data.pop(session, None)
        sessions.time_last_used.pop(session, None)

    mount.app = Doors(mount.app, uploads, takes, limits=limits, forget=forget)


class _Page:
    """What the parts of the page share."""

    def __init__(self, recognizer: Recognizer, batcher: Batcher, uploads: Uploads) -> None:
        self.recognizer, self._batcher, self._uploads = recognizer, batcher, uploads

    def answer(self, pictures: Sequence[Picture], *, every_face: bool = False) -> list[Prediction]:
        """Answers by the one worker, a batch at a time.

        Raises:
            gr.Error: if it is too busy.
        """
        found: list[Prediction] = []
        try:
            for first in range(0, len(pictures), 16):
                part = pictures[first : first + 16]
                found += self._batcher.submit(part, every_face=every_face).result(120)
        except (BusyError, TimeoutError) as error:
            raise gr.Error(f"Too much to do at the moment: {error}. Try again.", print_exception=False) from error
        return found

    def cards(self, files: Sequence[File] | None, explain: bool) -> str:
        """Answers to pictures, which are deleted at once.

        Raises:
            gr.Error: if one was deleted before its turn came, or the answers take too long.
        """
        paths = [file["path"] for file in files or []]
        for path in paths[MOST_SHOWN:]:
            self._uploads.delete(path)
        cards = self._cards([self._taken(path) for path in paths[:MOST_SHOWN]], explain)
        told = f"<p>These are the first {MOST_SHOWN} of {len(paths)}; the others were not looked at.</p>"
        return f"{told if len(paths) > MOST_SHOWN else ''}{cards}"

    def sample(self, explain: bool) -> str:
        """The answer to the drawn face."""
        buffer = io.BytesIO()
        sample_face().save(buffer, "PNG")
        return self._cards([("a drawn face, nobody’s", buffer.getvalue())], explain)

    def _cards(self, read: Sequence[tuple[str, bytes]], explain: bool) -> str:
        """A card a picture, with an answer for each of its faces."""
        # Numbered, since two photos may have one name.
        found = self.answer([Picture(str(i), loader(content)) for i, (_, content) in enumerate(read)], every_face=True)
        cards = []
        for i, (name, content) in enumerate(read):
            own = [replace(each, path=name) for each in found if each.path == str(i)]
            cards.append(self._card(own, content, explain))
        return f'<div class="mien-cards">{"".join(cards)}</div>'

    def _taken(self, path: str) -> tuple[str, bytes]:
        try:
            return self._uploads.take(path)
        except GoneError as error:
            raise gr.Error(GONE, print_exception=False) from error

    def photo(self, file: File | None) -> Image.Image | None:
        """A picture that stays where it is, for a minute.

        Raises:
            gr.Error: if it is no longer there, or is no picture.
        """
        if file is None:
            return None
        try:
            return decode(self._uploads.read(file["path"])[1]).image
        except GoneError as error:
            raise gr.Error(GONE, print_exception=False) from error
        except UnreadableImageError as error:
            raise gr.Error(f"This is no photo that can be read: {error}.", print_exception=False) from error

    def _card(self, answers: Sequence[Prediction], content: bytes, explain: bool) -> str:
        try:
            image = loader(content)()
        except UnreadableImageError:
            return prediction_html(answers, None)
        heat = with_heat(image, occlusion_map(self.recognizer, image, answers[0].face)) if explain else None
        return prediction_html(answers, image, heat)

    def frame(self, file: File | None) -> str:
        """The answers for a frame of the webcam, which is deleted at once."""
        return "" if file is None else self._cards([("webcam", self._taken(file["path"])[1])], explain=False)


def _photos_tab(page: _Page, *, is_local: bool) -> None:
    stay = "stay on this machine" if is_local else "are sent to the machine that runs this page"
    gr.Markdown(
        "For each photo you get its faces, the expression that each shows, and what makes the answer doubtful. "
        f"*Model* says how good the model is. Photos {stay}, and are forgotten as soon as they are answered."
    )
    files = gr.File(label="Photos: drop them here, or click", file_count="multiple", height=170, elem_id="photos")
    with gr.Row():
        sample = gr.Button("Try a drawn face", elem_id="sample")
        folder = gr.UploadButton("Choose a whole folder", file_count="directory", elem_id="folder")
    explain = gr.Checkbox(label="Show which part the answer rests on (a second or two for each photo)")
    result = gr.HTML(label="Answers", padding=False, elem_id="answers")
    for source in (files, folder):
        # Cleared together with the answers: cleared after them, photos that were dropped in between would be lost.
        source.upload(
            lambda files, explained: (page.cards(files, explained), None),
            [source, explain],
            [result, source],
            show_progress_on=result,
            preprocess=False,
            api_visibility="private",
        ).failure(lambda: None, None, source, api_visibility="private")
    sample.click(page.sample, explain, result, api_visibility="private")


def _webcam_tab(page: _Page) -> None:
    gr.HTML(notice_html(), padding=False)
    agreed = gr.Button(AGREED, variant="primary", elem_id="agreed")
    with gr.Row(visible=False, elem_id="camera") as camera:
        with gr.Column(scale=3):
            frame = gr.Image(sources=["webcam"], streaming=True, type="pil", label="Webcam", height=420)
        with gr.Column(scale=2):
            result = gr.HTML("<p>The answer appears here.</p>", padding=False, elem_id="live")
        frame.stream(
            page.frame,
            frame,
            result,
            stream_every=0.2,
            concurrency_limit=1,
            show_progress="hidden",
            preprocess=False,
            api_visibility="private",
        )
    shown = agreed.click(
        lambda: (gr.update(visible=True), gr.update(visible=False)), None, [camera, agreed], api_visibility="private"
    )
    shown.then(None, js=START_CAMERA, api_visibility="private")


def _own_tab(page: _Page) -> None:
    labels = page.recognizer.labels
    gr.HTML(
        "<p>How well does the model do on people like you? Take photos of yourself, or of people who agreed, showing "
        "an expression on request, and have them scored. They are saved to the folder that you name, on this machine "
        "and nowhere else, until you delete them.</p>" + notice_html(),
        padding=False,
    )
    with gr.Row():
        with gr.Column():
            agreed = gr.Checkbox(label="I agree to these photos being saved in that folder; so does everyone on them")
            folder = gr.Textbox(label="Folder on your disk", placeholder="for example ~/my-faces", elem_id="kept-in")
            label = gr.Dropdown(list(labels), value=labels[0], label="Show this expression")
        with gr.Column():
            photo = gr.Image(sources=["webcam", "upload"], type="pil", label="Photo", height=320, elem_id="own-photo")
    with gr.Row():
        save = gr.Button("Save this photo", variant="primary")
        show = gr.Button("Show all")
        score = gr.Button("Score all")
    said = gr.Markdown(elem_id="said")
    shown = gr.HTML(padding=False, elem_id="own")
    with gr.Row(visible=False, equal_height=True) as deleting:
        chosen = gr.Dropdown([], label="Delete one", interactive=True)
        delete = gr.Button("Delete it")
    own, outputs = _Own(page), [said, shown, chosen, deleting]
    save.click(own.save, [agreed, folder, label, photo], outputs, preprocess=False, api_visibility="private")
    show.click(own.show, folder, outputs, preprocess=False, api_visibility="private")
    score.click(own.score, folder, outputs, preprocess=False, api_visibility="private")
    delete.click(own.delete, [folder, chosen], outputs, preprocess=False, api_visibility="private")


class _Own:
    """What the buttons below own photos do: each gives what is said, the photos there, their names, and whether any."""

    def __init__(self, page: _Page) -> None:
        self._page, self._labels = page, page.recognizer.labels

    def save(self, agreed: bool, folder: str, label: str, photo: File | None) -> tuple[Any, ...]:
        if not agreed:
            return _only("Nothing was saved: tick the box above first.")
        image = self._page.photo(photo)
        if image is None:
            return _only("Nothing was saved: take a photo first.")
        if label not in self._labels:
            return _only("Nothing was saved: choose an expression first.")
        return _or_error(lambda: (f"Saved as {OwnPhotos(folder).save(image, label)}.", *self._kept(folder)))

    def show(self, folder: str) -> tuple[Any, ...]:
        return _or_error(lambda: ("", *self._kept(folder)))

    def score(self, folder: str) -> tuple[Any, ...]:
        def scored() -> tuple[Any, ...]:
            photos = OwnPhotos(folder).all(self._labels)
            answers = self._page.answer([Picture(str(path), partial(own_photo, path)) for path, _ in photos])
            right = sum(answer.label == label for answer, (_, label) in zip(answers, photos, strict=True))
            return own_score(right, len(photos)).told, *self._kept(folder)

        return _or_error(scored)

    def delete(self, folder: str, name: str | None) -> tuple[Any, ...]:
        def deleted() -> tuple[Any, ...]:
            OwnPhotos(folder).delete(name or "", self._labels)
            return f"{name} was deleted.", *self._kept(folder)

        return _or_error(deleted)

    def _kept(self, folder: str) -> tuple[str, Any, Any]:
        photos = OwnPhotos(folder).all(self._labels)
        names = [f"{label}/{path.name}" for path, label in photos]
        cards = "".join(
            f'<article class="mien-card">{_kept_picture(path, name)}<p>{name}</p></article>'
            for (path, _), name in zip(photos, map(html.escape, names), strict=True)
        )
        choices = gr.update(choices=names, value=names[-1] if names else None)
        return f'<div class="mien-cards">{cards}</div>', choices, gr.update(visible=bool(names))


def _kept_picture(path: Path, name: str) -> str:
    try:
        return picture_html(own_photo(path), name)
    except UnreadableImageError as error:
        return f"<p>It cannot be shown: {html.escape(str(error))}</p>"


def _or_error(work: Any) -> tuple[Any, ...]:
    """What the work gives, or its error as the sentence that is shown."""
    try:
        return tuple(work())
    except MienError as error:
        return _only(f"**{error}**")


def _only(sentence: str) -> tuple[Any, ...]:
    """A sentence, and everything else as it is."""
    return sentence, gr.update(), gr.update(), gr.update()
