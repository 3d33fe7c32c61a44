"""What a command must not leave behind, whatever ends it: decoded photos, work folders, files half written."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.adapting.adapt import WRITTEN_BEFORE_RESULTS
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import prepare
from mien.errors import OutputError
from mien.progress import Silent
from mien.system.files import SUMS
from mien.system.leftovers import Lock, undo_all, written_whole
from mien.system.new_folders import UNFINISHED, new_folder
from mien.system.scratch import remove_dead, work_folder
from support.checkout import MODULES, tree
from support.drawn_sets import CLASSES, draw_set
from support.outcomes import Outcome
from support.processes import begin, signalled
from support.studies import Study, made_once

Mien = Callable[..., Outcome]
QUICK = ("--recipe", "scratch", "--size", "32", "--epochs", "1", "--precision", "fp32", "--device", "cpu")
PAUSED_IN = {
    "evaluate": "mien.evaluation.evaluate.predict_photos",
    "audit": "mien.auditing.run.examine",
    "adapt": "mien.adapting.adapt.open_sides",
}
"""Where each command has decoded its photos."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of commands that a test starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "torch"))
    return folder


@pytest.fixture(scope="session")
def elsewhere(of_all_workers: Path) -> Path:
    """Enough photos, none of them in the study, to be adapted to."""
    folders = dict(zip(CLASSES, CLASSES, strict=True))
    return made_once(of_all_workers / "leftovers", lambda root: draw_set(root, folders, 30, style="grey", first=301))


@pytest.fixture
def paused(
    small_study: Study, elsewhere: Path, temporary: Path, tmp_path: Path
) -> Callable[[str], subprocess.Popen[str]]:
    argv: dict[str, tuple[object, ...]] = {
        "evaluate": (small_study.folder, small_study.data),
        "audit": (small_study.data,),
        "adapt": (small_study.folder / "runs" / "probe", elsewhere, "--out", tmp_path / "adapted"),
    }

    def pause(command: str) -> subprocess.Popen[str]:
        module, _, name = PAUSED_IN[command].rpartition(".")
        code = f"import {module} as where\nwhere.{name}\nwhere.{name} = pause\nfrom mien.cli import main\nmain()"
        return begin(code, command, *argv[command])

    return pause


def files(folder: Path) -> dict[str, int]:
    """Sizes of the files below a folder."""
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", PAUSED_IN)
def test_photos_do_not_outlive_a_command_that_was_killed(
    command: str, paused: Callable[[str], subprocess.Popen[str]], temporary: Path, mien: Mien
) -> None:
    assert signalled(paused(command), signal.SIGKILL).code == -signal.SIGKILL
    assert sum(files(temporary).values()) == 0
    assert not list(temporary.rglob("*.npy"))


def slowly(*values: object) -> Any:
    """A combination of what is tried in ``make test`` in other combinations."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("command", "sign"),
    [
        ("audit", signal.SIGINT),
        ("evaluate", signal.SIGINT),
        ("adapt", signal.SIGTERM),
        slowly("audit", signal.SIGTERM),
        slowly("evaluate", signal.SIGTERM),
        slowly("adapt", signal.SIGINT),
    ],
)
def test_a_command_that_was_stopped_leaves_nothing(
    command: str, sign: signal.Signals, paused: Callable[[str], subprocess.Popen[str]], temporary: Path, tmp_path: Path
) -> None:
    outcome = signalled(paused(command), sign)
    assert outcome.code == 128 + sign
    assert outcome.complaint
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "adapted").exists()


def test_what_a_kill_left_is_removed_by_the_next_command(
    paused: Callable[[str], subprocess.Popen[str]], temporary: Path
) -> None:
    signalled(paused("audit"), signal.SIGKILL)
    assert list(temporary.iterdir()) != [], "nothing was left, so nothing is tested"
    outcome = signalled(paused("evaluate"), signal.SIGKILL)
    assert outcome.code == -signal.SIGKILL
    assert list(temporary.iterdir()) == []


def test_a_killed_adaptation_does_not_block_the_next(
    paused: Callable[[str], subprocess.Popen[str]], mien: Mien, small_study: Study, elsewhere: Path, tmp_path: Path
) -> None:
    signalled(paused("adapt"), signal.SIGKILL)
    assert (tmp_path / "adapted").is_dir(), "nothing was left, so nothing is tested"
    out = ("--out", tmp_path / "adapted")
    outcome = mien("adapt", small_study.folder / "runs" / "probe", elsewhere, "--shots", "0", *out)
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "adapted").iterdir()) == ["adapt.html", "results.json"]


# -- folders of results -----------------------------------------------------------------------------------------------


def test_an_adaptation_takes_an_empty_folder_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        new_folder(tmp_path / "empty", WRITTEN_BEFORE_RESULTS),
        pytest.raises(OutputError),
        new_folder(tmp_path / "empty", WRITTEN_BEFORE_RESULTS),
    ):
        pass  # a second run is refused while the first goes on
    assert list((tmp_path / "empty").iterdir()) == []

    own = tmp_path / "own"
    own.mkdir()
    (own / UNFINISHED).touch()
    (own / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError), new_folder(own, WRITTEN_BEFORE_RESULTS):
        pass
    (own / "notes.txt").rename(own / "results.json")
    with pytest.raises(OutputError), new_folder(own, WRITTEN_BEFORE_RESULTS):
        pass
    assert (own / "results.json").read_text(encoding="utf-8") == "mine"
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError), new_folder(tmp_path / "file", WRITTEN_BEFORE_RESULTS):
        pass


@pytest.mark.parametrize("is_new", [True, False])
def test_a_failed_adaptation_leaves_the_folder_as_it_was(tmp_path: Path, is_new: bool) -> None:
    folder = tmp_path / "a" / "b"
    if not is_new:
        folder.mkdir(parents=True)

    def fail() -> None:
        with new_folder(folder, WRITTEN_BEFORE_RESULTS):
            (folder / "model.onnx").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.rglob("*")) == ([] if is_new else [tmp_path / "a", folder])


@pytest.mark.parametrize(
    ("command", "settings", "place"),
    [("train", "study.toml", "mien.stages.prepare"), ("compare", "compare.toml", "mien.comparing.compare.prepare")],
)
def test_a_folder_killed_before_its_settings_were_written_can_be_resumed(
    mien: Mien,
    monkeypatch: pytest.MonkeyPatch,
    small_set: Path,
    tmp_path: Path,
    command: str,
    settings: str,
    place: str,
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{settings}.partial").write_text("half", encoding="utf-8")
    arms = ("--arm", "recipe=scratch", "--arm", "recipe=scratch,augment=none", "--epochs", "1")
    argv = (command, small_set, *(QUICK if command == "train" else arms), "--out", out)
    assert mien(*argv).code == 2
    assert mien(*argv, "--resume").code == 130
    assert {path.name for path in out.iterdir()} == {settings, SUMS}

    (out / "features").mkdir()
    (out / "features" / "photo-32.npz.4711.partial").write_bytes(b"half")
    assert mien(*argv, "--resume").code == 130
    assert not list(out.rglob("*.partial"))


# -- the parts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A work folder whose process is gone."""
    kept = tmp_path / "kept"
    with work_folder(tmp_path) as folder:
        (folder / "features").mkdir()
        (folder / "features" / "photo.npz").write_bytes(b"x")
        shutil.copytree(folder, kept)
    assert not folder.exists()
    return kept.rename(folder)


def test_a_work_folder_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert str(os.getpid()) in folder.name
    assert list(tmp_path.iterdir()) == []


def test_dead_work_folders_are_removed_and_living_ones_are_not(tmp_path: Path, dead: Path) -> None:
    with work_folder(tmp_path) as living:
        assert list(tmp_path.iterdir()) == [living]
        remove_dead(tmp_path)
        assert living.is_dir()


def test_a_folder_in_memory_is_one_like_the_others(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with work_folder(tmp_path, memory=memory) as folder:
        assert folder.parent == tmp_path  # there is no such place
    memory.mkdir()
    with work_folder(tmp_path, memory=memory) as folder:
        assert folder.parent == memory
        assert folder.stat().st_mode & 0o777 == 0o700
        remove_dead(memory)
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == [memory]
    assert list(memory.iterdir()) == []


@pytest.mark.parametrize("command", ["app", "predict", "schema"])
def test_every_command_removes_dead_work_folders(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dead: Path, command: str
) -> None:
    """Wherever these may be, and before it does anything else; a service too, without a file opened to write."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    words: dict[str, list[str | int | Path]] = {"app": ["--port", 0], "predict": [tmp_path / "nowhere"], "schema": []}
    mien(command, *words[command])
    assert not dead.exists()


def test_looking_for_dead_work_folders_writes_nothing(tmp_path: Path, dead: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom mien.system.scratch import remove_dead\nwritten = []\n"
        "def note(event, args):\n"
        "    if event == 'open' and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT): written.append(args[0])\n"
        "sys.addaudithook(note)\nremove_dead()\nprint(written)"
    )
    with work_folder(tmp_path) as living:
        dead.mkdir()
        (dead / "in-use.lock").touch()
        environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-B", "-c", code], env=environment, capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == ("[]", "")
        assert list(tmp_path.iterdir()) == [living]


def test_the_folder_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    code = "from pathlib import Path\nfrom mien.system.scratch import work_folder\n"
    code += "with work_folder(memory=Path(sys.argv[1])) as folder:\n    (folder / 'photo').touch()\n    pause()"
    killed, living = processes = [begin(code, tmp_path) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    killed.kill()
    killed.communicate()
    with work_folder(tmp_path) as folder:
        (other,) = set(tmp_path.iterdir()) - {folder}
        assert str(living.pid) in other.name
        assert (other / "photo").exists()
    living.kill()
    living.communicate()


def linked(dead: Path, tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    inside = Path(shutil.copytree(dead, tmp_path / "elsewhere" / "own"))
    shutil.rmtree(dead)
    dead.symlink_to(inside)
    return inside


def with_linked_lock(dead: Path, tmp_path: Path) -> Path:
    (lock,) = dead.glob("*.lock")
    lock.unlink()
    (tmp_path / "own").touch()
    lock.symlink_to(tmp_path / "own")
    return dead


def without_lock(dead: Path, tmp_path: Path) -> Path:
    next(dead.glob("*.lock")).unlink()
    return dead


def with_another_name(dead: Path, tmp_path: Path) -> Path:
    return dead.rename(tmp_path / "mien-photos")


@pytest.mark.parametrize("change", [linked, with_linked_lock, without_lock, with_another_name])
def test_nothing_is_removed_that_is_not_surely_a_dead_work_folder(
    tmp_path: Path, dead: Path, change: Callable[[Path, Path], Path]
) -> None:
    own = change(dead, tmp_path)
    remove_dead(tmp_path)
    assert (own / "features" / "photo.npz").read_bytes() == b"x"


def test_a_lock_is_free_once_its_process_is_gone(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom mien.system.leftovers import Lock\nlock = Lock(Path(sys.argv[1]), make=True)\n"
    )
    process = begin(code + "pause()", tmp_path / "l")
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    with pytest.raises(BlockingIOError):
        Lock(tmp_path / "l")
    process.kill()
    process.communicate()
    with Lock(tmp_path / "l"), pytest.raises(BlockingIOError):
        Lock(tmp_path / "l")


@pytest.mark.parametrize("ended_by", ["an error", "a signal"])
def test_what_is_half_written_is_taken_back(tmp_path: Path, ended_by: str) -> None:
    path = tmp_path / "results.json"
    path.write_text("before", encoding="utf-8")

    def write() -> None:
        with written_whole(path) as partial:
            partial.write_text("half", encoding="utf-8")
            if ended_by == "a signal":  # which calls this, and ends the process
                undo_all()
                assert files(tmp_path) == {"results.json": 6}
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert files(tmp_path) == {"results.json": 6}


def test_pixels_without_a_name_are_those_of_a_folder(small_target: Path, tmp_path: Path, temporary: Path) -> None:
    views = [View("photo", 32), View("photo", 48), View("face", 32)]
    made: list[Any] = [
        prepare([open_collection([str(small_target)])], views, folder, progress=Silent())
        for folder in (tmp_path / "named", None)
    ]
    named, nameless = made
    assert named.manifest.equals(nameless.manifest)
    rows = named.manifest["row"].to_numpy()
    for view in views:
        assert np.array_equal(named.pixels.read(view, rows), nameless.pixels.read(view, rows))
        assert nameless.pixels.read(view, rows).any()
    assert np.array_equal(named.pixels.fingerprints(rows), nameless.pixels.fingerprints(rows))
    assert (
        nameless.pixels.largest("photo") == View("photo", 48) == Pixels(tmp_path / "named" / "pixels").largest("photo")
    )


def temporary_files(name: str) -> Iterator[str]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func).rpartition(".")[2]) in (
            *("mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile", "SpooledTemporaryFile"),
        ):
            yield called


def test_nobody_else_makes_temporary_folders() -> None:
    """``data/scratch.py`` does, whose folders are found again; files without a name need no owner."""
    makers = {name for name in MODULES if any(temporary_files(name))}
    assert all(name.startswith("mien/app/") for name in makers), makers


def test_threads_that_write_one_file_write_beside_each_other(tmp_path: Path) -> None:
    """With one name for both, the second would empty what the first is about to give its name."""
    both, names = threading.Barrier(2), list[str]()

    def write() -> None:
        with written_whole(tmp_path / "file", by_several=True) as partial:
            partial.write_bytes(b"whole")
            names.append(partial.name)
            both.wait()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(names)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"
