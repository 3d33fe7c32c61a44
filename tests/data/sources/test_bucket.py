"""A bucket of S3, served in this process, is read through s3fs as a folder is; nothing is written to it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import polars as pl
import pytest

import mien as package
from mien.data.sources import open_source
from mien.errors import SourceError
from support.drawn_sets import draw_set
from support.outcomes import Outcome, snapshot

Mien = Callable[..., Outcome]
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # of the server
]
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "s3cr3t-key", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of S3 on this machine alone."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # it names each call on standard error
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket with ``faces/``, a copy of which lies in the folder ``faces``."""
    import s3fs

    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    faces = draw_set(tmp_path / "faces", {"happy": "happy", "sad": "sad"}, 3)
    client = s3fs.S3FileSystem()
    client.mkdir("bucket")
    client.put(f"{faces}/", "bucket/faces/", recursive=True)
    yield client
    client.rm("bucket", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def rows(outcome: Outcome) -> list[dict[str, object]]:
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_commands_read_a_bucket_as_a_folder(mien: Mien, bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    before = bucket.find("bucket", detail=True)
    far, near = (rows(mien("predict", place, "--jsonl")) for place in ("s3://bucket/faces", "faces"))
    assert [row["path"] for row in far] == [f"s3://bucket/{row['path']}" for row in near]
    assert [row["probabilities"] for row in far] == [row["probabilities"] for row in near]
    assert mien("predict", "s3://bucket/faces", "--out", "answers").code == 0
    scored = mien("score", "answers", "s3://bucket/faces", "--json")
    assert scored.code == 0
    far_set = mien("audit", "s3://bucket/faces", "--no-faces", "--json", "--out", "findings.csv")
    near_set = mien("audit", "faces", "--no-faces", "--json")
    assert far_set.json["data"]["source"] == "s3://bucket/faces"
    assert far_set.json["data"]["classes"] == near_set.json["data"]["classes"]
    decided = mien("audit", "s3://bucket/faces", "--no-faces", "--corrections", "findings.csv")
    assert decided.code == 0
    judged = package.evaluate("default", "s3://bucket/faces", progress=False)
    assert judged.results.target.all is not None
    assert bucket.find("bucket", detail=True, refresh=True) == before
    held = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and KEYS["AWS_SECRET_ACCESS_KEY"].encode() in path.read_bytes()
    ]
    assert held == []


def test_an_archive_in_a_bucket(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    import shutil

    bucket.put(shutil.make_archive(str(tmp_path / "set"), "gztar", tmp_path / "faces"), "bucket/set.tar.gz")
    source = open_source("s3://bucket/set.tar.gz")
    assert (len(source.files), source.name, source.labels) == (6, "set", ("happy", "sad"))
    assert source.read(source.files[0]) == (tmp_path / "faces" / source.files[0].path).read_bytes()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://no-such-bucket/faces", "no such bucket"),
        ("s3://bucket/none", "no such"),
        ("s3://bucket/*.bmp", "no file"),
    ],
)
def test_what_a_bucket_lacks_is_one_line(
    address: str, said: str, mien: Mien, bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    before = snapshot(tmp_path)
    outcome = mien("predict", address)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.complaint
    assert snapshot(tmp_path) == before


def test_a_client_without_credentials_is_told_so(
    bucket: fsspec.AbstractFileSystem, mien: Mien, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import s3fs

    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()
    outcome = mien("audit", "s3://bucket/faces")
    assert (outcome.code, "no credentials" in outcome.complaint) == (2, True)


def test_a_server_that_does_not_answer_is_told_so(
    bucket: fsspec.AbstractFileSystem, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    outcome = mien("evaluate", "default", "s3://bucket/faces")
    assert (outcome.code, "cannot be reached" in outcome.complaint) == (2, True)


def test_a_command_that_is_killed_leaves_no_copy_behind_for_long(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    import shutil

    bucket.put(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "faces"), "bucket/set.zip")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code = (
        "import os, signal\nfrom mien.data.sources import open_source\n"
        "print(len(open_source('s3://bucket/set.zip').files), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "6\n"), killed.stderr
    assert list(temporary.glob("mien-*"))
    words = [sys.executable, "-m", "mien", "predict", "s3://bucket/set.zip", "--jsonl"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 6), ended.stderr
    assert ended.stderr.count("\n") <= 3
    assert list(temporary.iterdir()) == []


def test_a_photo_that_vanishes_from_a_bucket_is_a_row(bucket: fsspec.AbstractFileSystem, mien: Mien) -> None:
    source = open_source("s3://bucket/faces")
    bucket.rm_file("bucket/faces/sad/sad-01.png")
    with pytest.raises(OSError, match="not in the store"):
        source.read(source.files[4])
    assert source.read(source.files[5])


def test_a_table_in_a_bucket(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    photos = sorted(path.relative_to(tmp_path) for path in (tmp_path / "faces").rglob("*.png"))
    names = [f"s3://bucket/{photo}" if i % 2 else str(photo) for i, photo in enumerate(photos)]
    table = pl.DataFrame({"path": names, "label": [photo.parent.name for photo in photos]})
    bucket.pipe_file("bucket/photos.csv", table.write_csv().encode())
    source = open_source("s3://bucket/photos.csv")
    assert [source.read(f) for f in source.files] == [(tmp_path / photo).read_bytes() for photo in photos]


def test_the_server_is_gone_in_the_middle(bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source("s3://bucket/faces")

    def broken(path: str) -> bytes:
        raise ConnectionResetError("gone")

    assert source.store is not None
    monkeypatch.setattr(source.store.client, "cat_file", broken)
    with pytest.raises(SourceError, match="cannot be reached"):
        source.read(source.files[0])
