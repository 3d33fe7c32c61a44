"""What an answer rests on: found where it is, told in the results of a study, drawn in its report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from mien.data.sources.collection import open_collection
from mien.evaluation.attention import GRID, explained, occlusion_map, with_heat
from mien.recognizer import Recognizer
from mien.results.behaviour import Mistake
from support.outcomes import Outcome
from support.pictures import BLUE, RED, colour_model
from support.studies import Study


def in_the_corner(colour: tuple[int, int, int]) -> Image.Image:
    """Black, with a patch of the eight by eight in the third row and the second column."""
    image = Image.new("RGB", (160, 240))
    image.paste(colour, (20, 60, 40, 90))
    return image


def test_answer_rests_on_what_it_is_made_of(tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    falls = occlusion_map(recognizer, in_the_corner(RED), None, "anger")
    assert falls.shape == (GRID, GRID)
    assert list(np.unravel_index(falls.argmax(), falls.shape)) == [2, 1]
    assert falls.min() >= 0
    heat = np.asarray(with_heat(in_the_corner(RED), falls)).astype(int)
    redness = heat[..., 0] - heat[..., 2]
    assert redness[75, 30] > 100 > redness[200, 130] + 50


def test_map_is_of_the_answer_that_was_given(tmp_path: Path) -> None:
    recognizer = Recognizer(colour_model(tmp_path / "model.onnx"))
    image = Image.new("RGB", (160, 160), BLUE)
    image.paste(RED, (0, 0, 20, 20))
    assert occlusion_map(recognizer, image, None, "anger").argmax() == 0
    assert occlusion_map(recognizer, image, None)[0, 0] == 0  # blue's answer, "sad", rests on all but the red patch


def test_study_tells_it_of_every_mistake_as_a_person_would_get_it(small_study: Study) -> None:
    results = small_study.results
    recognizer = Recognizer(small_study.folder)
    mistakes = [*results["mistakes"], *results["target"]["mistakes"]]
    assert mistakes
    for mistake in mistakes:
        root = small_study.data if mistake in results["mistakes"] else small_study.target
        answer = recognizer.predict(root / mistake["path"])
        with Image.open(root / mistake["path"]) as image:
            falls = occlusion_map(recognizer, image.convert("RGB"), answer.face, mistake["predicted"])
        assert np.allclose(mistake["rests_on"], falls, atol=0.02)


def test_file_that_is_gone_has_no_map_and_ends_nothing(small_study: Study, tmp_path: Path) -> None:
    data = Path(shutil.copytree(small_study.data, tmp_path / small_study.data.name))
    manifest = pl.read_parquet(small_study.folder / "manifest.parquet", glob=False)
    ours = manifest.filter((pl.col("status") == "ok") & (pl.col("source") == data.name)).head(2)
    photos = ours.select("id", "path", "row").rows(named=True)
    mistakes = [Mistake(**photo, true="happy", predicted="sad", probability=0.9) for photo in photos]
    collection = open_collection([str(data)])
    (data / mistakes[0].path).unlink()
    told = explained(mistakes, Recognizer(small_study.folder), collection, manifest, lambda n: None)
    assert [entry.rests_on is None for entry in told] == [True, False]
    assert [entry.path for entry in told] == [entry.path for entry in mistakes]


def test_report_draws_it_below_the_photo(small_study: Study) -> None:
    text = (small_study.folder / "report.html").read_text(encoding="utf-8")
    mistakes = [*small_study.results["mistakes"], *small_study.results["target"]["mistakes"]]
    assert text.count("red where the answer") == len(mistakes)
    assert "what its answer rests on" in text


def test_photos_that_may_not_be_shown_are_not_explained(mien: Callable[..., Outcome], small_set: Path) -> None:
    out = mien("study", small_set, "--explain-mistakes", "--no-photos")
    assert out.code == 2
    assert "give it without --no-photos" in out.complaint
