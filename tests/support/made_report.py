"""The report of the made study, and how it reads."""

from __future__ import annotations

import html
import re
from dataclasses import replace as with_settings
from pathlib import Path
from typing import Any

import polars as pl
from msgspec.structs import replace

from mien.data.reading.pixels import Pixels, PixelWriter
from mien.evaluation.exhibits import exhibits
from mien.results.exhibits import Exhibits
from mien.results.study import StudyResults
from mien.settings.study import Report
from mien.telling.report.page import write_report
from support.made_study import FACE_VIEW, VIEW, Made, draw_face, make_manifest, make_results, with_target

BLOCKS = (
    "p|li|ul|ol|tr|h\\d|section|figure|figcaption|div|dl|dt|table|caption|nav|header|main|body|details|summary|title"
)
"""Elements that begin a line of their own."""


def make_study(folder: Path) -> Made:
    """The made study, with its pixels and its report, in a folder."""
    manifest = make_manifest()
    results = with_target(make_results(manifest), manifest)
    with PixelWriter(folder / "pixels", [VIEW, FACE_VIEW], len(manifest)) as writer:
        for row in range(len(manifest)):
            face = draw_face(37 * row % 360, row % 2)
            writer.put(row, {VIEW.key: face, FACE_VIEW.key: face[::2, ::2]}, face[::2, ::2, 0])
    study = Made(folder, results, manifest, Pixels(folder / "pixels"))
    written(study, folder)
    return study


def written(made: Made, folder: Path, **changes: Any) -> str:
    """The report of a changed study."""
    results = replace(made.results, **changes)
    write_report(folder, results, None if results.config.report.no_photos else shown(made, results))
    return (folder / "report.html").read_text(encoding="utf-8")


def shown(made: Made, results: StudyResults, manifest: pl.DataFrame | None = None) -> Exhibits:
    """The photos of a report."""
    elsewhere = results.target.mistakes if results.target else ()
    rows = made.manifest if manifest is None else manifest
    return exhibits(results.data, results.mistakes, elsewhere, rows, made.pixels, seed=results.config.randomness.seed)


def without_photos(made: Made) -> dict[str, Any]:
    return {"config": with_settings(made.results.config, report=Report(no_photos=True))}


def changed(made: Made, part: str, **changes: Any) -> dict[str, Any]:
    """The results with something changed in one part, such as ``data``."""
    return {part: replace(getattr(made.results, part), **changes)}


def plain(html: str) -> str:
    """The text of a page, on one line."""
    body = re.sub(r'<style>.*?</style>|<span class="tip".*?</span>', "", html, flags=re.DOTALL)
    body = re.sub(r"</(?:t[hd]|d[td])>", " ", body)  # cells have no space between them
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body).replace("&#39;", "'"))


def lines_of(page: str) -> str:
    """The words of a page, a line for each row, item or paragraph; drawings and photos left out."""
    body = re.sub(r"<(style|svg|head)\b.*?</\1>", "", page, flags=re.DOTALL)
    body = re.sub(r'<span class="tip".*?</span>', "", body)
    body = re.sub(r"\s+", " ", body)
    body = re.sub(rf"</?(?:{BLOCKS})\b[^>]*>", "\n", body)
    body = re.sub(r"</(?:t[hd]|dd)>", " | ", body)
    text = html.unescape(re.sub(r"<[^>]+>", "", body)).replace("\N{NO-BREAK SPACE}", " ")
    lines = (re.sub(r" +", " ", line).strip(" |") for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"
