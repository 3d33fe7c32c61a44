"""Predictions and models as pieces of a page: plain HTML, every name escaped, pictures inside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from mien.demo import draw_face
from mien.models.artifact import Contract, Threshold
from mien.recognizer import Prediction
from mien.telling.words.model_info import licences, measured_sentence, promise_sentence
from mien.telling.words.notice import NOTICE

__all__ = [
    "CSS",
    "STATUS_WORDS",
    "can_sentence",
    "model_html",
    "notice_html",
    "picture_html",
    "prediction_html",
    "sample_css",
    "sample_face",
]

STATUS_WORDS = {
    "ok": "no warning applies; the answer can still be wrong",
    "unsure": "not sure enough to give an answer; the likeliest is shown",
    "unproven": "this class was never tested on people from outside the training photos",
    "no_face": "no face was found: judged by the whole picture alone",
    "several_faces": "several faces: the largest is judged",
    "low_quality": "the face is too small or too blurred to tell",
    "turned": "the face lies on its side or upside down: turn the photo upright",
    "unreadable": "this file could not be read",
}
DOUBTS = {"unsure", "no_face", "low_quality", "turned"}
"""Flags with which the likeliest class is no more than a guess, and is shown as one."""
NO_BREAK = "\N{NO-BREAK SPACE}"
FROM_STUDY = {
    "data": "Its photos",
    "how tested": "How they were split and tested",
    "limits": "Its limits",
    "meant for": "What it is meant for",
    "not meant for": "What it is not meant for",
}
"""Part of a model file's card → heading on the page."""
WHITE, BOX = (255, 255, 255), (37, 99, 168)
SAMPLE = ("happy", 24)
"""Expression and number of the face that the page draws for those who have no photo at hand."""
LONGEST = 560
"""Side of the shown picture, px."""

CSS = """
.mien-cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem}
.mien-card{border:1px solid #8885;border-radius:.6rem;padding:.8rem;margin:0;min-width:0}
.mien-card img{width:100%;height:auto;max-height:20rem;object-fit:contain;border-radius:.3rem}
.mien-card h3{margin:.5rem 0 .1rem;font-size:1.05rem;overflow-wrap:anywhere}
.mien-card h4{margin:.6rem 0 .1rem;font-size:1rem;overflow-wrap:anywhere}
.mien-card p{margin:.15rem 0;overflow-wrap:anywhere}
.mien-bar{display:grid;grid-template-columns:5.5rem 1fr 3rem;gap:.5rem;align-items:center;font-size:.9rem}
.mien-bar span:first-child{overflow:hidden;text-overflow:ellipsis}
.mien-bar i{display:block;height:.7rem;border-radius:.2rem;background:#2563a8}
.mien-bar.other i{background:#8a8f98}
.mien-bar b{font-weight:500;text-align:right}
.gradio-container :is(span.or,input){color:var(--body-text-color)!important}
.gradio-container ::placeholder{color:var(--body-text-color)!important}
.gradio-container button.primary{background:#1d4ed8}
.gradio-container button[role=tab].selected{color:#1d4ed8}
.dark .gradio-container button[role=tab].selected{color:#93c5fd}
#live .pending,#live.pending{opacity:1}
.gradio-container .html-container{padding:0}
#sample,#agreed,#folder{white-space:normal;min-height:4.5rem}
#sample{padding-left:5.5rem}
.mien-model h3{margin:1rem 0 .2rem;font-size:1.05rem}
.mien-model p{margin:.15rem 0}
.mien-model .mien-bars{max-width:26rem}
"""


def prediction_html(
    answers: Prediction | Sequence[Prediction], image: Image.Image | None, heat: Image.Image | None = None
) -> str:
    """What a picture was answered as a card: its faces boxed, and for each the answer, the runner-up and the doubts.

    Args:
        answers: one, or those of several faces of the same picture, largest first.
        heat: what the first of the answers rests on.
    """
    each = [answers] if isinstance(answers, Prediction) else list(answers)
    name = html.escape(each[0].path)
    shown = picture_html(_boxed(image, each), f"{name}: the picture") if image is not None else ""
    if heat is not None:
        shown += picture_html(heat, f"{name}: what the answer rests on, in red")
        whose = " The largest face is explained." if len(each) > 1 else ""
        shown += f"<p><small>The redder a part, the more the probability falls when it is covered.{whose}</small></p>"
    if len(each) == 1:
        told = f"<h3>{html.escape(_title(each[0]))}</h3>{_told(each[0])}"
    else:
        told = f"<h3>Several faces: {len(each)}, each answered</h3>"
        told += "".join(
            f"<section><h4>Face {number}: {html.escape(_title(one))}</h4>{_told(one)}</section>"
            for number, one in enumerate(each, start=1)
        )
    return f'<article class="mien-card">{shown}{told}<p><small>{name}</small></p></article>'


def _told(prediction: Prediction) -> str:
    """What follows an answer: the next likeliest, the doubts, and a bar for each class."""
    told = [_runner_up(prediction)] if prediction.label is not None else []
    told += [STATUS_WORDS[flag] for flag in prediction.flags] or [STATUS_WORDS["ok"]]
    told += [prediction.reason] if prediction.reason else []
    words = "".join(f"<p>{html.escape(text[:1].upper() + text[1:])}.</p>" for text in told if text)
    return words + _bars(prediction.probabilities or {}, prediction.label)


def _title(prediction: Prediction) -> str:
    """The answer as a word and per cent."""
    if prediction.label is None:
        return "no answer"
    told = f"perhaps {prediction.label}" if DOUBTS & set(prediction.flags) else prediction.label
    return told + _percent(prediction, prediction.label)


def _runner_up(prediction: Prediction) -> str:
    others = {name: p for name, p in (prediction.probabilities or {}).items() if name != prediction.label}
    if not others:
        return ""
    second = max(others, key=lambda name: others[name])
    return f"next likeliest: {second}{_percent(prediction, second)}"


def _percent(prediction: Prediction, label: str) -> str:
    share = (prediction.probabilities or {}).get(label)
    return "" if share is None else f", {100 * share:.0f}{NO_BREAK}%"


def picture_html(image: Image.Image, alt: str) -> str:
    """A picture inside the page, reduced."""
    small = image.copy()
    small.thumbnail((LONGEST, LONGEST))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def can_sentence(labels: Sequence[str]) -> str:
    """What the model can say and what it cannot, in one sentence."""
    listed = f"{', '.join(labels[:-1])} or {labels[-1]}"
    return (
        f"mien says which expression a face shows – {listed} – and how sure it is of that; it cannot say what anyone "
        "feels, and it errs more often on people and photos unlike those it learnt from."
    )


def sample_face() -> Image.Image:
    """A drawn face to try the page with: nobody's."""
    return draw_face(*SAMPLE)


def sample_css() -> str:
    """The sample's picture on its button."""
    small, buffer = sample_face(), io.BytesIO()
    small.thumbnail((96, 96))
    small.save(buffer, "JPEG", quality=85)
    url = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return f"#sample{{background:url({url}) no-repeat left/auto 100%,var(--button-secondary-background-fill)}}"


def notice_html() -> str:
    """What must be read before use."""
    text = " ".join(html.escape(sentence) for sentence in NOTICE)
    return "<p>" + text.replace("*shown*", "<em>shown</em>") + "</p>"


def model_html(contract: Contract, threshold: Threshold | None) -> str:
    """What a model was trained on and how good it was measured to be.

    Args:
        threshold: from which on its answers are given; None where nothing was promised.
    """
    parts = {
        "What it tells apart": _sentence(", ".join(contract.labels)),
        "What it was trained on": _sentence(", ".join(contract.collections) or "Not stated."),
        "How good it is": _how_good(contract) + _unproven(contract),
        "When it says “perhaps”": _sentence(promise_sentence(threshold)),
        "Licences of what it is built on": _sentence(licences(contract)),
        **{heading: _sentence(text) for heading, text in _from_study(contract).items()},
        "Before you use it": notice_html(),
    }
    return f'<div class="mien-model">{"".join(f"<h3>{name}</h3>{part}" for name, part in parts.items())}</div>'


def _how_good(contract: Contract) -> str:
    """The scores of the study's card where the file has one, so that no second number is shown; else what is stored."""
    if contract.card and "scores" in contract.card:
        return _sentence(contract.card["scores"])
    stored = (contract.measured or {}).get("recall", {})
    recall = {label: share for label, share in stored.items() if share is not None}  # a class without photos has none
    bars = f"<p>Of the photos that show each expression, it named it in:</p>{_bars(recall)}" if recall else ""
    return _sentence(measured_sentence(contract)) + bars


def _from_study(contract: Contract) -> dict[str, str]:
    """Heading → text of what the study that tested the model says and the file's other fields do not."""
    card = contract.card or {}
    return {heading: card[name] for name, heading in FROM_STUDY.items() if name in card}


def _sentence(text: str) -> str:
    return f"<p>{html.escape(text.replace(' %', NO_BREAK + '%'))}</p>"


def _unproven(contract: Contract) -> str:
    if not contract.unproven:
        return ""
    return _sentence(f"Never measured on people from elsewhere: {', '.join(contract.unproven)}.")


def _bars(shares: dict[str, float], label: str | None = None) -> str:
    rows = "".join(
        f'<div class="mien-bar{"" if label in (name, None) else " other"}"><span>{html.escape(name)}</span>'
        f'<span aria-hidden="true"><i style="width:{100 * p:.1f}%"></i></span><b>{100 * p:.0f} %</b></div>'
        for name, p in shares.items()
    )
    return f'<div class="mien-bars">{rows}</div>'


def _boxed(image: Image.Image, answers: Sequence[Prediction]) -> Image.Image:
    """The picture with a box about each face, numbered where there are several."""
    faces = [each.face for each in answers if each.face is not None]
    if not faces:
        return image
    marked = image.copy()
    width = max(2, round(max(image.size) / 180))
    pen, font = ImageDraw.Draw(marked), ImageFont.load_default(10 * width)
    for number, face in enumerate(faces, start=1):
        pen.rectangle(face, outline=WHITE, width=2 * width)
        pen.rectangle(face, outline=BOX, width=width)
        if len(faces) > 1:
            at = (face[0] + 3 * width, face[1] + 2 * width)
            pen.rectangle(pen.textbbox(at, str(number), font, stroke_width=width), fill=BOX)
            pen.text(at, str(number), WHITE, font)
    return marked
