"""Places that users name on a command line: home is put out, and what is no place here is called what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.cli import COMMANDS
from mien.cli.blanks import refuse_blanks
from mien.data.sources import open_images, open_source
from mien.data.tables.class_map import read_class_map
from mien.data.tables.corrections import read_corrections
from mien.demo import draw_face
from mien.errors import ConfigError, MienError, SourceError
from mien.results.reading import open_results
from support.drawn_sets import draw_set
from support.outcomes import Outcome, snapshot
from support.pictures import colour_model

Mien = Callable[..., Outcome]
BRIEF = ("--no-faces", "--no-check-labels")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, which is not the current one."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def complaint(mien: Mien, folder: Path, *words: str) -> str:
    """The one line of a command that is refused and leaves nothing."""
    before = snapshot(folder)
    outcome = mien(*words)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert snapshot(folder) == before
    return outcome.complaint


@pytest.mark.parametrize("word", ["", " ", "\t"])
@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("schema", "app")])
def test_an_empty_argument_is_refused_by_every_command(mien: Mien, tmp_path: Path, command: str, word: str) -> None:
    draw_face("happy", 0).save(tmp_path / "face.png")
    assert "empty" in complaint(mien, tmp_path, command, word)
    assert "empty" in complaint(mien, tmp_path, command, "face.png", word)


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "set", "--out", ""),
        ("study", "set", "--out="),
        ("study", "set", "--target", " "),
        ("study", "set", "--corrections", ""),
        ("evaluate", "default", "set", "--class-map="),
        ("predict", "face.png", "--model", ""),
        ("predict", "face.png", "--classes="),
        ("app", "--token", ""),
        ("", "set"),
    ],
)
def test_an_empty_value_is_refused_and_named(mien: Mien, tmp_path: Path, words: tuple[str, ...]) -> None:
    draw_set(tmp_path / "set", {"happy": "happy", "sad": "sad"}, 2)
    draw_face("happy", 0).save(tmp_path / "face.png")
    said = complaint(mien, tmp_path, *words)
    assert "empty" in said
    assert next((word.rstrip("=") for word in words if word.startswith("--")), "command") in said


def test_words_that_say_something_pass() -> None:
    refuse_blanks(["predict", "a.png", "--csv", "--model=default", "-", "--", "x=", "--a-b"])
    with pytest.raises(ConfigError, match=r"^after --"):
        refuse_blanks(["predict", "--", ""])


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("nostore://bucket/photos", "nostore"),
        ("zip://faces.zip", "zip"),
        ("https:/example.org/face.jpg", "slash"),
        ("https://www.kaggle.com/datasets/ann/faces", "kaggle:ann/faces"),
        ("rtsp://10.0.0.1/live", "camera"),
        ("data:image/png;base64,AAAA", "data URL"),
        ("0", "camera"),
        ("/dev/video97", "camera"),
        ("~no-such-user-of-this-machine/face.png", "~no-such-user"),
    ],
)
def test_what_is_no_place_here_is_called_what_it_is(mien: Mien, tmp_path: Path, word: str, named: str) -> None:
    for words in (("predict", word), ("audit", word), ("study", word), ("evaluate", "default", word)):
        assert named in complaint(mien, tmp_path, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("study", "set", "--out", "s3://bucket/out"),
        ("audit", "set", "--out", "https://example.org/findings.csv"),
        ("export", "default", "--out", "gs://bucket/model.onnx"),
        ("audit", "set", "--corrections", "https://example.org/findings.csv"),
        ("evaluate", "default", "set", "--class-map", "s3://bucket/map.toml"),
        ("evaluate", "default", "set", "--write-class-map", "s3://bucket/map.toml"),
        ("predict", "set", "--model", "https://example.org/model.onnx"),
        ("audit", "set", "--out", "~no-such-user-of-this-machine/findings.csv"),
        ("audit", "set", "--corrections", "~no-such-user-of-this-machine/findings.csv"),
        ("export", "default", "--out", "~no-such-user-of-this-machine/model.onnx"),
    ],
)
def test_options_take_places_of_this_machine_alone(mien: Mien, tmp_path: Path, words: tuple[str, ...]) -> None:
    draw_set(tmp_path / "set", {"happy": "happy", "sad": "sad"}, 2)
    said = complaint(mien, tmp_path, *words)
    assert words[-1][:15] in said
    assert "address" in said or "user" in said


def test_a_file_that_is_called_like_a_camera_is_a_file(mien: Mien, tmp_path: Path) -> None:
    draw_face("happy", 0).save(tmp_path / "0", "PNG")
    assert mien("predict", "0", "--jsonl").code == 0


def test_home_is_put_out_wherever_a_place_is_named(mien: Mien, home: Path) -> None:
    draw_set(home / "set", {"happy": "happy", "sad": "sad"}, 3)
    colour_model(home / "model.onnx", ("happy", "sad", "fear"))
    assert mien("predict", "~/set/happy", "--model=~/model.onnx", "--jsonl").code == 0
    assert mien("audit", "~/set", *BRIEF, "--out=~/findings.csv").code == 0
    assert (home / "findings.csv").is_file()
    assert mien("audit", "~/set", *BRIEF, "--corrections=~/findings.csv").code == 0
    assert mien("evaluate", "~/model.onnx", "~/set", "--write-class-map=~/map.toml").code == 0
    assert mien("evaluate", "~/model.onnx", "~/set", "--class-map=~/map.toml").code == 0
    assert mien("export", "~/model.onnx", "--out=~/copy.onnx").code == 0
    assert {"findings.csv", "map.toml", "copy.onnx"} <= {path.name for path in home.iterdir()}


def test_nothing_is_made_in_a_folder_called_tilde(mien: Mien, home: Path, tmp_path: Path) -> None:
    draw_set(home / "set", {"happy": "happy", "sad": "sad"}, 2)
    mien("audit", "~/set", *BRIEF, "--out=~/findings.csv")
    assert not list(tmp_path.rglob("~*"))


@pytest.mark.parametrize("text", ["", "  ", "::photos", " ::photos"])
@pytest.mark.parametrize("open_it", [open_source, open_images])
def test_nothing_is_not_the_current_folder(
    open_it: Callable[[str], object], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_set(tmp_path / "photos", {"happy": "happy", "sad": "sad"}, 2)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="empty"):
        open_it(text)


@pytest.mark.parametrize("read", [read_corrections, read_class_map, open_results])
@pytest.mark.parametrize("text", ["", " ", "https://example.org/a", "~no-such-user-of-this-machine/a"])
def test_every_reader_of_a_file_refuses_what_is_none(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(MienError, match=r"empty|address|user"):
        read(text)


def test_lines_of_a_list_that_are_no_paths_are_answered_with_a_reason(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import json

    draw_face("happy", 0).save(tmp_path / "face.png")
    lines = f"{tmp_path}/face.png\n\n  \nmemory://nowhere/a.jpg\n/dev/video97\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    outcome = mien("predict", "-", "--jsonl")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert outcome.code == 1
    assert [row["status"] == "unreadable" for row in rows] == [False, True, True]
    assert ("not in the store" in rows[1]["reason"], "camera" in rows[2]["reason"]) == (True, True)
