"""What the end-to-end tests share: small drawn sets, one finished study of them, and the command in a box."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

# On a machine that others use too, two threads that wait for each other make a tiny training 20 times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Exports of backbones are kept for all tests, their processes and later runs: in the checkout, and never in the
# user's own cache.
os.environ["MIEN_CACHE"] = str(Path(__file__).parents[1] / ".test-cache")

from mien.demo import draw_face
from watched import listen_to_ctrl_c

CLASSES = ("anger", "happy", "sad")
PER_CLASS = 20
UNREADABLE = {"anger/broken.png": "cut short", "happy/notes.txt": "no image", "sad/empty.jpg": "no byte"}
IGNORED = {"readme.txt": "in no class folder", "happy/Thumbs.db": "a system file"}
STUDY_OPTIONS = ("--size", "32", "--epochs", "6", "--precision", "fp32", "--device", "cpu")
STUDY_RECIPES = ("scratch", "two-stream", "probe", "scratch-no-augmentation")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one strict JSON object on stdout."""
        return strict_json(self.out)

    @property
    def complaint(self) -> str:
        """The one line that says what went wrong; progress may stand before it."""
        assert "Traceback" not in self.err, self.err
        lines = self.err.splitlines()
        said = [line for line in lines if line.startswith("mien: ")]
        assert len(said) == 1, self.err
        assert lines[-1] == said[0], f"something follows the message: {self.err}"
        return said[0]


@dataclass(frozen=True)
class Study:
    """A finished study."""

    folder: Path
    results: dict[str, Any]
    data: Path
    target: Path


def strict_json(text: str) -> Any:
    """Parse JSON as its standard has it, without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with its size and time of change."""
    return {
        str(path.relative_to(folder)): (0, 0) if path.is_dir() else (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def numbers(results: Mapping[str, Any]) -> Any:
    """Results without what no two studies can share: seconds and paths."""
    if isinstance(results, Mapping):
        return {k: numbers(v) for k, v in results.items() if k not in ("seconds", "paths", "mien")}
    if isinstance(results, list | tuple):
        return [numbers(v) for v in results]
    return results


def command(*argv: object) -> list[str]:
    """The command as a user would start it, whatever the PATH."""
    script = Path(sys.executable).with_name("mien")
    start = [str(script)] if script.exists() else [sys.executable, "-c", "from mien.cli import main; main()"]
    return [*start, *map(str, argv)]


def start(cwd: Path, *argv: object) -> subprocess.Popen[str]:
    """Start the command in a process group of its own that listens to Ctrl-C."""
    return subprocess.Popen(
        command(*argv),
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "200"},
        start_new_session=True,
        preexec_fn=listen_to_ctrl_c,
    )


def run(cwd: Path, *argv: object, seconds: float = 300) -> Outcome:
    """Run the command in a process of its own, for at most so many seconds."""
    process = start(cwd, *argv)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Outcome(process.returncode, out, err)


def zipped(folder: Path, path: Path, *, wrapper: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, f"{wrapper}{file.relative_to(folder).as_posix()}")
    return path


@pytest.fixture
def mien(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Outcome]:
    """The command, run in this process in an empty folder: ``mien("audit", path)``."""
    from mien import cli

    def call(*argv: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mien", *map(str, argv)])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        code: Any = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                cli.main()
            except SystemExit as end:
                code = end.code or 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    monkeypatch.chdir(tmp_path)
    return call


def draw_set(root: Path, folders: Mapping[str, str], count: int, *, style: str = "colour", first: int = 1) -> Path:
    """Draw ``count`` faces into each folder; ``folders`` says which expression each shows."""
    for folder, expression in folders.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            draw_face(expression, first + i, style=style).save(root / folder / f"{folder}-{i:02}.png")
    return root


def plant_defects(root: Path) -> None:
    """Files that cannot be read, files that take no part, copies, and a picture under two labels."""
    whole = (root / "anger" / "anger-00.png").read_bytes()
    (root / "anger" / "broken.png").write_bytes(whole[: len(whole) // 2])
    (root / "happy" / "notes.txt").write_text("to do: more photos", encoding="utf-8")
    (root / "sad" / "empty.jpg").write_bytes(b"")
    (root / "happy" / "Thumbs.db").write_bytes(b"system")
    (root / "readme.txt").write_text("drawn", encoding="utf-8")
    shutil.copy(root / "happy" / "happy-03.png", root / "happy" / "same-bytes.png")
    shutil.copy(root / "sad" / "sad-04.png", root / "anger" / "under-two-labels.png")
    face = draw_face("sad", 6)
    face.resize((face.width * 3 // 4, face.height * 3 // 4)).save(root / "sad" / "smaller-copy.jpg", quality=80)


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every process of this test run sees."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """What is made by whichever process comes first, for all others, which wait for it."""
    with FileLock(f"{path}.lock"):
        done = path.with_name(f"{path.name}.done")
        if not done.exists():
            shutil.rmtree(path, ignore_errors=True)  # of a process that did not come to its end
            make(path)
            done.touch()
    return path


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


HEAVY_FIXTURES = {"small_study", "audited", "browser", "server", "real_study"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a trained study, a browser or a running service is heavy, without each test saying so."""
    for item in items:
        if HEAVY_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.heavy)
