"""Paths that people give: ``~`` is their home, and what names no file is called what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import mien as package
from mien.errors import ConfigError
from mien.system.paths import user_path, why_no_file, why_no_path
from support.outcomes import Outcome

ADDRESSES = {
    "https://example.org/a.jpg": "web address",
    "HTTP://example.org": "web address",
    "http:/example.org/a.jpg": "slash",
    "ftp://example.org/a.zip": "web address",
    "s3://bucket/photos": "s3",
    "gs://bucket/photos": "gs",
    "rtsp://10.0.0.1:554/live": "camera",
    "rtmp://10.0.0.1/live": "camera",
    "file:///tmp/a.jpg": "file://",
    "data:image/png;base64,AAAA": "data URL",
    "DATA:,x": "data URL",
    "https://huggingface.co/datasets/ann/faces/tree/main": "hf:ann/faces",
    "https://www.kaggle.com/datasets/ann/faces?resource=download": "kaggle:ann/faces",
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_are_named_and_nothing_is_read_or_written_there(text: str) -> None:
    assert ADDRESSES[text] in (why_no_path(text) or "")
    with pytest.raises(ConfigError, match="--out"):
        user_path(text, "--out")


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u00a0"])
def test_nothing_is_no_path(text: str) -> None:
    with pytest.raises(ConfigError, match="empty"):
        user_path(text)


@pytest.mark.parametrize("text", ["0", "1", "-1", "/dev/video0", "webcam", "camera:1", "cam0"])
def test_cameras_are_named_where_something_is_read(text: str) -> None:
    assert "camera" in (why_no_file(text) or "")
    assert why_no_path(text) is None


@pytest.mark.parametrize(
    "text", ["a.jpg", "photos", "C:\\faces", "C:/faces", "a:b", "hf:ann/faces", "kaggle:ann/faces", "demo", "2031", "."]
)
def test_names_of_files_are_names(text: str) -> None:
    assert why_no_file(text) is None


def test_home_is_put_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a") == user_path(Path("~/a")) == tmp_path / "a"
    assert user_path("a/~") == Path("a/~")


def test_a_home_that_this_machine_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such user"):
        user_path("~no-such-user-of-this-machine/a")


DOORS = {"system/paths.py", "models/exports.py"}
"""Where ``~`` is put out: the door for what users give, and that for the variable MIEN_CACHE, which falls back."""


def test_a_home_folder_is_put_out_by_the_door_alone() -> None:
    root = Path(package.__file__).parent
    past = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if ".expanduser(" in path.read_text(encoding="utf-8")
    }
    assert past == DOORS


@pytest.mark.parametrize("words", [("~nobodyx/*.jpg",), ("~nobodyx/a.mp4",), ("photo.jpg", "--out", "~nobodyx/o")])
def test_a_user_that_is_not_known_is_one_line(words: tuple[str, ...], mien: Callable[..., Outcome]) -> None:
    outcome = mien("predict", *words)
    assert outcome.code == 2
    assert "~nobodyx" in outcome.complaint


def test_an_address_is_no_folder_for_plots(mien: Callable[..., Outcome]) -> None:
    outcome = mien("predict", "photo.jpg", "--out", "s3://bucket/folder")
    assert (outcome.code, "s3" in outcome.complaint) == (2, True)
    assert not Path("s3:").exists()


def test_what_cannot_be_written_is_told_by_the_door_alone() -> None:
    """Elsewhere an error that says all would be said again inside another."""
    root = Path(package.__file__).parent
    told = re.compile(r'OutputError\(\s*f"\{[\w.]+\}: cannot be written')
    assert {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if told.search(path.read_text(encoding="utf-8"))
    } == {"system/files.py"}
