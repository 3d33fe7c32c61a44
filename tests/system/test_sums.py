"""What a study keeps is known again: files with their sums, and a folder with one process in it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.errors import DiskError, OutputError
from mien.system.files import SUMS, write_text
from mien.system.in_use import in_use
from mien.system.leftovers import IN_USE
from mien.system.sums import check_kept, damage, forget, keep, kept_whole


def kept(path: Path, content: bytes) -> Path:
    with kept_whole(path) as partial:
        partial.write_bytes(content)
    return path


HARM: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "changed": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "removed": lambda path: path.unlink(),
    "a folder": lambda path: path.rename(path.with_name("elsewhere")).with_name("a file").mkdir(),
}


@pytest.mark.parametrize("how", HARM)
def test_damage_is_known_and_told_in_one_line(how: str, tmp_path: Path) -> None:
    path, other = kept(tmp_path / "a file", b"some content"), kept(tmp_path / "other", b"more")
    assert damage(path) is None
    HARM[how](path)
    assert damage(path)
    assert damage(other) is None
    with pytest.raises(OutputError, match="damaged") as refused:
        check_kept(path, "mend it")
    assert "\n" not in str(refused.value)
    assert "mend it" in str(refused.value)


def test_sums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    kept(tmp_path / "a", b"one")
    (tmp_path / "b").write_bytes(b"two")
    keep(tmp_path / "b")
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout.count(b"OK")) == (0, 2)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_between_a_file_and_its_sum_damages_nothing(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(tmp_path / "a", b"old")

    def killed(*_: object) -> None:
        raise SystemExit

    if when == "before":
        monkeypatch.setattr("mien.system.leftovers.os.replace", killed)
    else:  # the last thing that is written
        calls = iter([lambda *words: write_text(words[0], words[1]), killed])
        monkeypatch.setattr("mien.system.sums.write_text", lambda *words: next(calls)(*words))
    with pytest.raises(SystemExit):
        kept(path, b"newer")
    monkeypatch.undo()
    assert damage(path) is None
    assert path.read_bytes() == (b"old" if when == "before" else b"newer")


def test_without_a_sum_nothing_is_called_damaged(tmp_path: Path) -> None:
    path = kept(tmp_path / "a", b"old")
    path.write_bytes(b"new")
    forget(path)
    assert damage(path) is None
    (tmp_path / SUMS).write_bytes(b"\xff\xfe")
    assert damage(path) is None


# -- a folder in use --------------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from mien.system.in_use import in_use
with in_use(Path(sys.argv[1]), print, resume=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", HOLD, str(folder)]
    first = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    with pytest.raises(OutputError, match=f"process {first.pid}"), in_use(folder, print, resume=True):
        pass
    first.kill()
    first.communicate()
    assert (folder / IN_USE).exists()
    with in_use(folder, print, resume=True):
        assert (folder / IN_USE).exists()
    assert not (folder / IN_USE).exists()


def test_a_folder_that_stays_empty_is_taken_away(tmp_path: Path) -> None:
    with in_use(tmp_path / "a" / "b", print, resume=False):
        pass
    assert list(tmp_path.iterdir()) == []
    with in_use(tmp_path / "a" / "b", print, resume=False):
        (tmp_path / "a" / "b" / "file").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with in_use(tmp_path, print, resume=False):
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    told: list[str] = []
    with in_use(tmp_path / "study", told.append, resume=False):
        pass
    assert len(told) == 1
    assert "no locks" in told[0]


# -- what cannot be written -------------------------------------------------------------------------------------------


def test_a_folder_that_was_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()

    def write() -> None:
        with kept_whole(tmp_path / "study" / "a") as partial:
            (tmp_path / "study").rmdir()
            partial.write_bytes(b"content")

    with pytest.raises(DiskError, match="gone") as refused:
        write()
    assert isinstance(refused.value, OSError)


def test_the_error_of_a_library_is_that_of_the_system(tmp_path: Path) -> None:
    """Some libraries raise what says nothing of the disk; an error that is not the disk's stays what it is."""
    (tmp_path / "study").mkdir()

    def fail() -> None:
        with kept_whole(tmp_path / "study" / "a"):
            (tmp_path / "study").rmdir()
            raise RuntimeError("file write failed")

    with pytest.raises(DiskError):
        fail()
    with pytest.raises(RuntimeError, match="of another kind"), kept_whole(tmp_path / "a"):
        raise RuntimeError("of another kind")
    with pytest.raises(DiskError, match="No space left"), kept_whole(tmp_path / "a"):
        raise ValueError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert [path.name for path in tmp_path.iterdir()] == []


LIMITED = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from mien.errors import DiskError
from mien.system.sums import kept_whole
try:
    with kept_whole(Path(sys.argv[1])) as partial:
        partial.write_bytes(bytes(20_000))
except DiskError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_one_line(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", LIMITED, str(tmp_path / "a")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith(f"{tmp_path / 'a'}: cannot be written (File too large): it needs more than")
    assert list(tmp_path.iterdir()) == []
