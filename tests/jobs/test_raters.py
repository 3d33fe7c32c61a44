"""An audit and a study of photos with several raters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.results.commands import AuditResults
from mien.results.document import decode
from mien.results.reading import open_results
from mien.results.study import StudyResults
from mien.telling.notebook.summaries import audit_box
from mien.telling.words.raters import agreement_sentences
from support.drawn_sets import CLASSES, draw_set
from support.outcomes import Outcome


def rated(folder: Path) -> Path:
    """A table of 48 drawn faces, of which a third rater names another class on every fourth."""
    photos = draw_set(folder / "photos", dict(zip(CLASSES, CLASSES, strict=True)), 16)
    paths = sorted(path.relative_to(folder) for path in photos.rglob("*.*"))
    other = dict(zip(CLASSES, [*CLASSES[1:], CLASSES[0]], strict=True))
    rows = [
        (path, path.parts[1], path.parts[1], (other if i % 4 == 0 else {}).get(path.parts[1], path.parts[1]))
        for i, path in enumerate(paths)
    ]
    lines = ["path,rater1,rater2,rater3", *(",".join(map(str, row)) for row in rows)]
    (folder / "votes.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "votes.csv"


def test_an_audit_says_how_far_raters_agree(mien: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = mien("audit", rated(tmp_path), "--no-faces", "--no-check-labels", "--json")
    assert outcome.code == 0, outcome.err
    results = decode(AuditResults, outcome.out.encode())
    agreement = results.data.agreement
    assert agreement is not None
    assert (agreement.photos, agreement.unanimous, agreement.split) == (48, 36, 12)
    assert agreement.ceiling.accuracy == pytest.approx(36 * 3 / (36 * 3 + 12))  # votes whose two others agree
    told = agreement_sentences(agreement)
    assert told[0].startswith("Your raters agree 0.90")
    assert told[0] in mien("audit", tmp_path / "votes.csv", "--no-faces", "--no-check-labels").out
    assert told[0] in audit_box(results)


@pytest.mark.heavy
def test_a_study_puts_its_test_beside_the_raters_of_the_photos(mien: Callable[..., Outcome], tmp_path: Path) -> None:
    quick = ("--recipe", "scratch", "--size", "32", "--updates", "1", "--out", tmp_path / "study")
    outcome = mien("study", rated(tmp_path), *quick)
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
