"""Predictions and models as pieces of a page: plain HTML, every name escaped, pictures inside it."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

from PIL import Image, ImageDraw

from mien.app.notice import NOTICE
from mien.models.artifact import Contract
from mien.recognizer import Prediction

__all__ = ["CSS", "STATUS_WORDS", "model_html", "notice_html", "picture_html", "prediction_html"]

STATUS_WORDS = {
    "ok": "nothing speaks against this answer; it can still be wrong",
    "unsure": "not sure enough to give an answer; the likeliest is shown",
    "no_face": "no face was found: judged by the whole picture alone",
    "several_faces": "several faces: the largest is judged",
    "low_quality": "the face is too small or too blurred to tell",
    "unreadable": "this file could not be read",
}
LONGEST = 560
"""Side of the shown picture, px."""

CSS = """
.mien-cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem}
.mien-card{border:1px solid #8885;border-radius:.6rem;padding:.8rem;margin:0;min-width:0}
.mien-card img{width:100%;height:auto;max-height:20rem;object-fit:contain;border-radius:.3rem}
.mien-card h3{margin:.5rem 0 .1rem;font-size:1.05rem;overflow-wrap:anywhere}
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
"""


def prediction_html(prediction: Prediction, image: Image.Image | None, heat: Image.Image | None = None) -> str:
    """One answer as a card: the picture with its face boxed, the label, what should make one doubt it, the bars."""
    told = [STATUS_WORDS[flag] for flag in prediction.flags] or [STATUS_WORDS["ok"]]
    if prediction.reason:
        told.append(prediction.reason)
    name = html.escape(prediction.path)
    shown = picture_html(_boxed(image, prediction), f"{name}: the picture") if image is not None else ""
    if heat is not None:
        shown += picture_html(heat, f"{name}: what the answer rests on, in red")
    title = html.escape(prediction.label or "no answer")
    bars = _bars(prediction.probabilities or {}, prediction.label)
    words = "".join(f"<p>{html.escape(text[:1].upper() + text[1:])}.</p>" for text in told)
    return f'<article class="mien-card">{shown}<h3>{title}</h3>{words}{bars}<p><small>{name}</small></p></article>'


def picture_html(image: Image.Image, alt: str) -> str:
    """A picture inside the page, reduced."""
    small = image.copy()
    small.thumbnail((LONGEST, LONGEST))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def notice_html() -> str:
    """What must be read before use."""
    text = " ".join(html.escape(sentence) for sentence in NOTICE)
    return "<p>" + text.replace("*shown*", "<em>shown</em>") + "</p>"


def model_html(contract: Contract) -> str:
    """What a model was trained on and how good it was measured to be."""
    rows = {
        "Answers": ", ".join(contract.labels),
        "Recipe": contract.recipe,
        "Trained on": ", ".join(contract.collections) or "not stated",
        "Measured": _measured(contract.measured),
        "Sure enough to answer": _promise(contract),
    }
    cells = "".join(f"<p><strong>{html.escape(k)}</strong>: {html.escape(v)}.</p>" for k, v in rows.items())
    return f'<div class="mien-model">{cells}{notice_html()}</div>'


def _measured(measured: dict[str, Any] | None) -> str:
    if not measured:
        return "nothing is stored in this model file; see the report of its study"
    low, high = measured["interval"]
    recalls = ", ".join(f"{label} {value:.2f}" for label, value in measured["recall"].items())
    return (
        f"macro-F1 {measured['macro_f1']:.2f} (95 % interval {low:.2f} to {high:.2f}) on {measured['images']} photos, "
        f"{measured['how']}; right of each class: {recalls}. On photos from elsewhere expect less"
    )


def _promise(contract: Contract) -> str:
    kept = [each for each in contract.thresholds if contract.max_error and each.max_error <= contract.max_error]
    if not kept:
        return "every answer is given; none was promised to be right"
    return (
        f"from a probability of {kept[-1].probability:.2f} on; at most {contract.max_error:.0%} of such answers are "
        f"to be wrong on photos like those it was trained on, and {kept[-1].answered:.0%} of them get one"
    )


def _bars(probabilities: dict[str, float], label: str | None) -> str:
    return "".join(
        f'<div class="mien-bar{"" if name == label else " other"}"><span>{html.escape(name)}</span>'
        f'<span aria-hidden="true"><i style="width:{100 * p:.1f}%"></i></span><b>{100 * p:.0f} %</b></div>'
        for name, p in probabilities.items()
    )


def _boxed(image: Image.Image, prediction: Prediction) -> Image.Image:
    if prediction.face is None:
        return image
    marked = image.copy()
    width = max(2, round(max(image.size) / 180))
    pen = ImageDraw.Draw(marked)
    pen.rectangle(prediction.face, outline=(255, 255, 255), width=2 * width)
    pen.rectangle(prediction.face, outline=(37, 99, 168), width=width)
    return marked
