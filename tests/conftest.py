"""What the end-to-end tests share: small drawn sets, one finished study of them, and the command in a box."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("support")

# On a machine that others use too, two threads that wait for each other make a tiny training 20 times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Exports of backbones are kept for all tests, their processes and later runs: in the checkout, and never in the
# user's own cache.
os.environ["MIEN_CACHE"] = str(Path(__file__).parents[1] / ".test-cache")

# The same examples each time: what one run says of a change, the next says too. `--hypothesis-profile=default` draws
# others.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

from support.drawn_sets import CLASSES, PER_CLASS, draw_set, plant_defects
from support.outcomes import Outcome, strict_json
from support.snapshots import hold
from support.studies import STUDY_OPTIONS, STUDY_RECIPES, Study, made_once


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-snapshots", action="store_true", help="store what pages and terminal say now")


@pytest.fixture(scope="session")
def as_stored(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Hold a text against the one of this name in tests/snapshots: ``as_stored("report", text)``."""
    refresh = bool(pytestconfig.getoption("--refresh-snapshots"))
    return lambda name, text: hold(name, text, refresh=refresh)


@pytest.fixture
def mien(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Outcome]:
    """The command, run in this process in an empty folder: ``mien("audit", path)``."""
    from mien import cli

    def call(*argv: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mien", *map(str, argv)])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        code: Any = 0
        with warnings.catch_warnings():  # the command has filters of its own
            try:
                cli.main()
            except SystemExit as end:
                code = end.code or 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every process of this test run sees."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def small_set(of_all_workers: Path) -> Path:
    """Drawn faces in three classes, with the defects of ``plant_defects``."""

    def draw(root: Path) -> None:
        plant_defects(draw_set(root, dict(zip(CLASSES, CLASSES, strict=True)), PER_CLASS))

    return made_once(of_all_workers / "faces", draw)


@pytest.fixture(scope="session")
def small_target(of_all_workers: Path) -> Path:
    """Faces in another hand: grey, 48 px, other names, one class more and one less."""
    folders = {"Angry": "anger", "happiness": "happy", "neutral": "neutral"}
    return made_once(of_all_workers / "elsewhere", lambda root: draw_set(root, folders, 6, style="grey"))


@pytest.fixture(scope="session")
def study_command(small_set: Path, small_target: Path) -> tuple[str, ...]:
    """The arguments of the study of ``small_study``, without its folder."""
    recipes = [word for name in STUDY_RECIPES for word in ("--recipe", name)]
    return ("study", str(small_set), "--target", str(small_target), "--explain-mistakes", *recipes, *STUDY_OPTIONS)


@pytest.fixture(scope="session")
def small_study(small_set: Path, small_target: Path, of_all_workers: Path) -> Study:
    """One study of the drawn faces, left alone from start to end."""

    from mien.jobs.study import run_study
    from mien.progress import Silent
    from mien.settings.by_name import made
    from mien.settings.study import StudySettings

    settings = made(
        StudySettings,
        data=(str(small_set),),
        target=str(small_target),
        recipes=STUDY_RECIPES,
        size=32,
        epochs=6,
        precision="fp32",
        device="cpu",
        explain_mistakes=True,
    )
    folder = made_once(of_all_workers / "study", lambda out: run_study(settings, out, resume=False, progress=Silent()))
    return Study(folder, strict_json((folder / "results.json").read_text(encoding="utf-8")), small_set, small_target)


@pytest.fixture(scope="session")
def finetuned(small_set: Path, of_all_workers: Path) -> Path:
    """The run of a network that was fine-tuned a little, in the folder of its training."""
    from mien.jobs.study import run_training
    from mien.progress import Silent
    from mien.settings.by_name import made
    from mien.settings.study import StudySettings

    asked = {"recipes": ("finetune",), "size": 32, "updates": 6, "precision": "fp32", "device": "cpu"}
    config = made(StudySettings, data=(str(small_set),), **asked)
    folder = made_once(of_all_workers / "tuned", lambda out: run_training(config, out, resume=False, progress=Silent()))
    return folder / "runs" / "finetune"


@pytest.fixture
def study_copy(small_study: Study, tmp_path: Path) -> Path:
    """A copy of the finished study that a test may change."""
    return Path(shutil.copytree(small_study.folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real photos, which never are part of the project."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not all((folder / name).is_file() for name in ("six-emotions.zip", "fer2013.zip")):
        pytest.skip("the real photos are not beside this checkout")
    return folder


HEAVY_FIXTURES = {"small_study", "finetuned", "audited", "browser", "server", "real_study"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a trained study, a browser or a running service is heavy, without each test saying so."""
    for item in items:
        if HEAVY_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.heavy)
