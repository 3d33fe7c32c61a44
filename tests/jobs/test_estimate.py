"""What a dry run says of time, memory and disk, beside what the work then takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mien.jobs import estimate
from mien.jobs.estimate import Timed, Work
from mien.progress import Silent
from mien.settings.audit import AuditSettings, FaceSearch, LabelChecks
from mien.training.feature_parts import MANY
from support.drawn_sets import draw_set
from support.outcomes import Outcome, snapshot

Mien = Callable[..., Outcome]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("estimated") / "photos", {"happy": "happy", "sad": "sad"}, 60)


@pytest.mark.heavy
def test_an_estimate_is_of_the_order_of_what_the_work_takes(mien: Mien, photos: Path, tmp_path: Path) -> None:
    words = ("audit", photos, "--no-faces", "--no-check-labels")
    before = snapshot(photos)
    told = mien(*words, "--dry-run", "--json").json["estimate"]
    started = time.process_time()
    assert mien(*words).code == 0
    took = time.process_time() - started
    said = sum(seconds for stage, seconds in told["stages"].items() if stage != "start")
    assert took / 5 <= said + 0.5
    assert said <= 5 * took + 0.5
    assert (told["photos"], told["left_out"]) == (120, [])
    assert 20 <= told["sampled"] <= 120
    assert told["seconds"][0] <= told["seconds"][1]
    assert told["by_cores"]["16"][1] <= told["by_cores"]["4"][1]
    assert snapshot(photos) == before
    assert not list(tmp_path.iterdir())


def test_few_photos_and_such_as_cannot_be_read_are_not_estimated(mien: Mien, tmp_path: Path) -> None:
    few = draw_set(tmp_path / "few", {"happy": "happy", "sad": "sad"}, 3)
    for label in ("happy", "sad"):
        (tmp_path / "bad" / label).mkdir(parents=True)
        for i in range(60):
            (tmp_path / "bad" / label / f"{i}.png").write_bytes(b"no photo")
    for place in (few, tmp_path / "bad"):
        told = mien("audit", place, "--no-faces", "--dry-run", "--json")
        assert (told.code, told.json["estimate"]) == (0, None)


def test_a_study_that_cannot_be_trained_here_is_outlined(
    mien: Mien, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be read is told by every installation."""
    monkeypatch.delitem(sys.modules, "mien.training.recipes", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    told = mien("study", photos, "--dry-run", "--json")
    assert (told.code, told.json["labels"], told.json["estimate"]) == (0, ["happy", "sad"], None)
    assert "pip install 'mien[train]'" in told.err


@pytest.mark.heavy
def test_a_study_is_estimated_with_what_it_trains(mien: Mien, photos: Path) -> None:
    one = mien("study", photos, "--dry-run", "--json", "--recipe", "probe").json["estimate"]
    more = mien("study", photos, "--dry-run", "--json", "--recipe", "two-stream", "--recipe", "scratch").json[
        "estimate"
    ]
    assert one["left_out"] == []
    assert more["left_out"] == ["training of scratch"]
    for told in (one, more):
        assert {"read", "find copies", "train and score", "fit heads"} <= set(told["stages"])
        assert told["disk_mb"] >= 120 * 224 * 224 * 3 / 2**20
    text = mien("study", photos, "--dry-run").out
    assert max(map(len, text.splitlines())) <= 80
    assert "photos were read to time the work" in text


def test_the_search_grows_faster_than_the_photos(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {500: 1.0, 1500: 5.0}
    sizes = iter(seconds)
    monkeypatch.setattr(estimate, "_timed", lambda work: Timed(2 * (s := seconds[next(sizes)]), s))
    sample = estimate.Sample(_manifest(photos), _Pixels(), Timed(0, 0), Timed(0, 0), 10_000)  # type: ignore[arg-type]
    took = estimate._search(sample)
    square = (5 / 1500 - 1 / 500) / 1000
    assert took.cpu == pytest.approx(square * 10_000**2 + (1 / 500 - 500 * square) * 10_000)
    assert took.wall == pytest.approx(2 * took.cpu)


class _Pixels:
    """Nothing of a sample's pixels is looked at."""


def _manifest(photos: Path) -> object:
    settings = AuditSettings(
        data=(str(photos),), face_search=FaceSearch(find_faces=False), checks=LabelChecks(check_labels=False)
    )
    from mien.auditing.run import audited

    with audited(settings, Silent()) as audit:
        return audit.found.manifest


def test_more_cores_share_what_can_be_shared_and_a_busy_machine_takes_longer() -> None:
    work = Work({"read": Timed(30.0, 20.0)}, {"fit": 6.0})
    assert work.seconds(2) == pytest.approx(16.0)
    assert work.seconds(4) == pytest.approx(11.0)
    assert work.seconds(64) == pytest.approx(20 / 8 + 6)
    assert work.seconds(2, is_busy=True) > 36.0


def test_spans_are_told_in_a_unit_that_is_read_well() -> None:
    from mien.telling.terminal.outline import _span

    assert _span((1200.0, 1800.0)) == "about 20 to 30 minutes"
    assert _span((7000.0, 7400.0)) == "about 2 hours"
    assert _span((3.0, 9.0)) == "about 5 to 10 seconds"


@pytest.mark.heavy
def test_a_study_that_keeps_no_pixels_needs_less_disk_and_decodes_again(mien: Mien, photos: Path) -> None:
    words = ("study", photos, "--dry-run", "--json", "--keep-pixels")
    kept, streamed = (mien(*words, keep).json["estimate"] for keep in ("yes", "no"))
    views = 3 * (288**2 + 224**2 + 160**2 + 128**2) * 120 / 2**20
    assert kept["disk_mb"] - streamed["disk_mb"] == pytest.approx(views, abs=1)
    assert streamed["stages"]["decode again"] > 0
    assert "decode again" not in kept["stages"]


def test_a_head_of_many_photos_needs_little_memory_and_half_the_disk() -> None:
    head = partial(estimate._features, views=4, fits_heads=True)
    few, many = head(MANY - 1, is_judged=False), head(MANY, is_judged=False)
    assert few[0] == few[1] == pytest.approx(8 * 5120 * MANY / 2**20, rel=1e-3)
    assert many[0] < few[0] / 4
    assert head(10 * MANY, is_judged=False)[0] == many[0]
    assert many[1] == pytest.approx(few[1] / 2, rel=1e-3)
    judged = head(MANY, is_judged=True)
    assert judged[0] > many[0] + 2 * 5120 * MANY / 2**20
    assert judged[1] > many[1]
    assert estimate._features(MANY, 0, fits_heads=False, is_judged=True) == (0, 0)


def test_a_network_needs_pixels(mien: Mien, photos: Path) -> None:
    asked = mien("study", photos, "--dry-run", "--recipe", "scratch", "--keep-pixels", "no")
    assert asked.code == 2
    assert "--keep-pixels no" in asked.complaint
