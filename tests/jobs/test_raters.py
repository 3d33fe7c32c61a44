"""A study of photos with several raters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.results.reading import open_results
from mien.results.study import StudyResults
from support.drawn_sets import CLASSES, draw_set
from support.outcomes import Outcome


@pytest.mark.heavy
def test_a_study_puts_its_test_beside_the_raters_of_the_photos(mien: Callable[..., Outcome], tmp_path: Path) -> None:
    photos = draw_set(tmp_path / "photos", dict(zip(CLASSES, CLASSES, strict=True)), 16)
    paths = sorted(path.relative_to(tmp_path) for path in photos.rglob("*.*"))
    other = dict(zip(CLASSES, [*CLASSES[1:], CLASSES[0]], strict=True))
    rows = [
        (path, path.parts[1], path.parts[1], (other if i % 4 == 0 else {}).get(path.parts[1], path.parts[1]))
        for i, path in enumerate(paths)
    ]
    lines = ["path,rater1,rater2,rater3", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "votes.csv").write_text("\n".join(lines), encoding="utf-8")
    quick = ("--recipe", "scratch", "--size", "32", "--updates", "1", "--out", tmp_path / "study")
    outcome = mien("study", tmp_path / "votes.csv", *quick)
    assert outcome.code == 0, outcome.err
    assert "Your raters agree" in outcome.out
    results = open_results(tmp_path / "study")
    assert isinstance(results, StudyResults)
    assert results.raters is not None
    agreement, beside = results.raters.agreement, results.raters.model
    assert agreement is not None
    assert (agreement.photos, agreement.unanimous, agreement.split) == (48, 36, 12)
    assert agreement.raters[0].name == "rater3"
    assert beside.unanimous.images + beside.split.images == results.test.images
    assert set(beside.against_each) == {"rater1", "rater2", "rater3"}
    assert 'id="raters"' in (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
