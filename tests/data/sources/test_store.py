"""Sources by address: read as those of this machine, under the names that they have in the store.

``memory://`` and ``file://`` need no server; tests/data/sources/test_bucket.py has a server of S3 in this process.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from fsspec.implementations.memory import MemoryFileSystem as MemoryStore
from PIL import Image
from ray import cloudpickle

import mien as package
from mien.cluster.executor import can_be_sent
from mien.data.reading import intake
from mien.data.reading.pictures import open_pictures
from mien.data.sources import Source, open_images, open_source
from mien.data.sources import store as stores
from mien.data.sources.store import open_store, read_address
from mien.errors import MissingExtraError, SourceError
from mien.jobs import predict_apart
from mien.recognizer import Recognizer
from mien.settings.columns import Columns
from mien.system import addresses
from mien.system.addresses import in_full, is_address, kept_aside, told_of, without_secrets
from support.drawn_sets import draw_set
from support.films import drawn_frames, film
from support.outcomes import Outcome, snapshot

Mien = Callable[..., Outcome]
SAYS = {"happy": "happy", "sad": "sad"}
SECRET = "s3cr3t"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A small set on this machine."""
    return draw_set(tmp_path / "faces", SAYS, 3)


@pytest.fixture
def memory(faces: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryStore]:
    """The same set in a store: as a folder, in archives, and named and held by tables."""
    monkeypatch.setattr(addresses, "_given", {})  # what another test gave with a password is another place
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    photos = sorted(faces.rglob("*.png"))
    for photo in photos:
        store.pipe_file(f"/bucket/faces/{photo.relative_to(faces)}", photo.read_bytes())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for photo in photos:
            archive.write(photo, photo.relative_to(faces))
    store.pipe_file("/bucket/packed/faces.zip", packed.getvalue())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(faces, ".")
    store.pipe_file("/bucket/faces.tar.gz", packed.getvalue())
    names = [photo.relative_to(faces).as_posix() for photo in photos]
    rows = pl.DataFrame({"path": names, "label": [name.partition("/")[0] for name in names]})
    store.pipe_file("/bucket/faces/faces.csv", rows.write_csv().encode())
    store.pipe_file("/bucket/lists/faces.csv", rows.write_csv().encode())
    whole = rows.with_columns(pl.lit("memory://bucket/faces/") + pl.col("path"))
    store.pipe_file("/bucket/whole.csv", whole.write_csv().encode())
    held = rows.select(pl.Series("image", [photo.read_bytes() for photo in photos]), "label")
    content = io.BytesIO()
    held.write_parquet(content)
    store.pipe_file("/bucket/held.parquet", content.getvalue())
    yield store
    store.store.clear()


def contents(source: Source) -> list[tuple[str | None, bytes]]:
    return sorted((f.label, source.read(f)) for f in source.files if f.label is not None and f.ignored is None)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("memory://bucket/faces", "faces"),
        ("memory://bucket/faces/", "faces"),
        ("memory://bucket/packed/faces.zip", "faces"),
        ("memory://bucket/packed", "packed"),
        ("memory://bucket/faces.tar.gz", "faces"),
        ("memory://bucket/faces/faces.csv", "faces"),
        ("memory://bucket/faces::faces.csv", "faces-faces"),
        ("memory://bucket/whole.csv", "whole"),
        ("memory://bucket/held.parquet", "held"),
        ("memory://bucket::held.parquet", "bucket-held"),
        ("memory://bucket/lists/faces.csv", "faces"),
        ("file://{}", "faces"),
    ],
)
def test_what_lies_in_a_store_is_read_as_what_lies_here(
    address: str, name: str, faces: Path, memory: MemoryStore
) -> None:
    address = address.format(faces)
    source = open_source(address)
    assert contents(source) == contents(open_source(str(faces)))
    assert (source.name, source.spec) == (name, address.rstrip("/"))
    assert {f.label for f in open_images(address).files} <= {None, "happy", "sad"}


def test_root_may_be_in_a_store(tmp_path: Path, faces: Path, memory: MemoryStore) -> None:
    rows = {"path": ["happy/happy-00.png", "memory://bucket/faces/sad/sad-00.png"], "label": ["happy", "sad"]}
    table = tmp_path / "list.csv"
    pl.DataFrame(rows).write_csv(table)
    with_root = open_source(str(table), Columns(root="memory://bucket/faces"))
    assert [with_root.read(f) for f in with_root.files] == [
        (faces / "happy/happy-00.png").read_bytes(),
        (faces / "sad/sad-00.png").read_bytes(),
    ]


def test_a_row_leads_nowhere_that_nobody_named(tmp_path: Path, faces: Path, memory: MemoryStore) -> None:
    memory.pipe_file("/other/secret.png", b"x")
    named = ["happy/happy-00.png", "../../../other/secret.png", "memory://other/secret.png", f"file://{faces}/a.png"]
    rows = pl.DataFrame({"path": named, "label": ["happy", "sad", "sad", "sad"]})
    memory.pipe_file("/bucket/faces/odd.csv", rows.write_csv().encode())
    rows.write_csv(faces / "odd.csv")
    for spec in ("memory://bucket/faces/odd.csv", str(faces / "odd.csv")):
        source = open_source(spec)
        assert source.read(source.files[0])
        for file in source.files[1:]:
            with pytest.raises(OSError, match=r"address|leads out|No such file"):
                source.read(file)


def told_rows(outcome: Outcome) -> list[dict[str, object]]:
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.mark.heavy
def test_commands_say_of_a_store_what_they_say_of_a_folder(mien: Mien, faces: Path, memory: MemoryStore) -> None:
    memory.rm_file("/bucket/faces/faces.csv")
    for words in (("audit", "{}", "--no-faces"), ("evaluate", "default", "{}"), ("audit", "{}", "--dry-run")):
        here, there = (
            mien(*(word.format(place) for word in words), "--json") for place in (faces, "memory://bucket/faces")
        )
        assert (
            there.out.replace("memory://bucket/faces", str(faces)).partition("seconds")[0]
            == (here.out.partition("seconds")[0])
        )
    near, far = (told_rows(mien("predict", place, "--jsonl")) for place in (faces, "memory://bucket/faces"))
    assert [row["path"] for row in far] == [
        str(row["path"]).replace(str(faces), "memory://bucket/faces") for row in near
    ]
    assert [row["probabilities"] for row in far] == [row["probabilities"] for row in near]


def test_patterns_lists_and_single_photos(
    mien: Mien, faces: Path, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = "memory://bucket/faces/sad/sad-00.png", "memory://bucket/faces/sad/sad-01.png"
    assert [picture.path for picture in open_pictures("memory://bucket/faces/sad/*-0[01].png")] == [one, two]
    assert [picture.path for picture in open_pictures(one)] == [one]
    packed = next(iter(open_pictures("memory://bucket/faces.tar.gz"))).path
    assert packed == "memory://bucket/faces.tar.gz::happy/happy-00.png"
    recognizer = Recognizer()
    (near,) = recognizer.predict([str(faces / "sad/sad-00.png")])
    far, gone = recognizer.predict([one, "memory://bucket/gone.png"])
    assert (far.path, far.probabilities) == (one, near.probabilities)
    assert (gone.status, gone.reason) == ("unreadable", "not in the store, or not any more")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{one}\n{faces}/sad/sad-00.png\n"))
    rows = told_rows(mien("predict", "-", "--jsonl"))
    assert rows[0]["probabilities"] == rows[1]["probabilities"]


def test_a_video_in_a_store_is_read_in_pieces(tmp_path: Path, memory: MemoryStore) -> None:
    film(tmp_path / "film.mp4", drawn_frames(10))
    memory.pipe_file("/bucket/films/film.mp4", (tmp_path / "film.mp4").read_bytes())
    recognizer = Recognizer()
    near = list(recognizer.predict_pictures(open_pictures(str(tmp_path / "film.mp4"))))
    far = list(recognizer.predict_pictures(open_pictures("memory://bucket/films")))
    assert [each.time for each in far] == [each.time for each in near]
    assert [each.probabilities for each in far] == [each.probabilities for each in near]
    assert {each.path for each in far} == {"memory://bucket/films/film.mp4"}


def test_answers_go_on_after_a_stop(mien: Mien, memory: MemoryStore) -> None:
    memory.rm_file("/bucket/faces/faces.csv")
    assert mien("predict", "memory://bucket/faces", "--out", "answers").code == 0
    part = Path("answers/part-000000.parquet")
    before = pl.read_parquet(part)
    part.unlink()
    assert mien("predict", "memory://bucket/faces/", "--out", "answers", "--resume").code == 0
    assert pl.read_parquet(part).equals(before)
    assert before["path"][0] == "memory://bucket/faces/happy/happy-00.png"
    assert mien("score", "answers", "memory://bucket/faces", "--json").code == 0


def test_a_photo_that_vanishes_is_a_row_with_its_reason(memory: MemoryStore) -> None:
    source = open_source("memory://bucket/faces")
    memory.rm_file("/bucket/faces/happy/happy-01.png")
    with pytest.raises(OSError, match="not in the store"):
        source.read(next(f for f in source.files if f.path.endswith("happy-01.png")))
    assert source.read(next(f for f in source.files if f.path.endswith("happy-00.png")))


class Breaking(MemoryStore):  # type: ignore[misc]  # which has no types
    """A store whose connection is lost after two photos."""

    protocol = "breaking"
    cachable = False
    left = 2
    fault: Exception = ConnectionResetError("gone")

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("breaking://", "memory://")))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: object) -> bytes:
        type(self).left -= 1
        if type(self).left < 0:
            raise type(self).fault
        content: bytes = super().cat_file(path, start, end)
        return content


@pytest.fixture
def breaking(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> type[Breaking]:
    fsspec.register_implementation("breaking", Breaking, clobber=True)
    memory.rm_file("/bucket/faces/faces.csv")
    monkeypatch.setattr(Breaking, "left", 2)
    return Breaking


@pytest.mark.parametrize("words", [("audit", "--no-faces"), ("predict", "--out", "answers")])
def test_a_connection_that_is_lost_ends_the_command_instead_of_photos(
    words: tuple[str, ...], mien: Mien, breaking: type[Breaking], tmp_path: Path
) -> None:
    outcome = mien(words[0], "breaking://bucket/faces", *words[1:])
    assert outcome.code == 2
    assert "cannot be reached" in outcome.complaint
    assert not list(tmp_path.glob("mien-*"))


def test_a_photo_that_is_refused_is_a_row(breaking: type[Breaking], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Breaking, "fault", PermissionError("Forbidden"))
    source = open_source("breaking://bucket/faces")
    read = [source.read(f) for f in source.files[:2]]
    assert all(read)
    with pytest.raises(OSError, match="refuses"):
        source.read(source.files[2])


class Secretive(MemoryStore):  # type: ignore[misc]  # which has no types
    """A store whose errors repeat the whole address, as clients of HTTP do."""

    protocol = "secretive"

    def info(self, path: str, **kwargs: object) -> dict[str, object]:
        raise ValueError(f"cannot open secretive://ann:{SECRET}@host/faces?sig={SECRET} for ann:{SECRET}")


def test_secrets_are_in_no_message(mien: Mien) -> None:
    fsspec.register_implementation("secretive", Secretive, clobber=True)
    for words in (("predict", "{}"), ("audit", "{}"), ("evaluate", "default", "{}"), ("audit", "demo", "{}")):
        address = f"secretive://ann:{SECRET}@host/faces"
        outcome = mien(*(word.format(address) for word in words))
        assert outcome.code == 2
        assert SECRET not in outcome.complaint
        assert "secretive://host/faces" in outcome.complaint


def test_secrets_are_in_no_result(mien: Mien, faces: Path, memory: MemoryStore, tmp_path: Path) -> None:
    address = f"memory://ann:{SECRET}@bucket/packed/faces.zip"
    memory.pipe_file(f"/ann:{SECRET}@bucket/packed/faces.zip", memory.cat_file("/bucket/packed/faces.zip"))
    outcome = mien("predict", address, "--out", "answers")
    assert outcome.code == 0
    assert mien("audit", address, "--no-faces", "--out", "findings.csv").code == 0
    assert mien("evaluate", "default", address, "--out", "judged").code == 0
    held = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert held == []
    assert SECRET not in outcome.err
    told = pl.read_parquet("answers/part-000000.parquet")["path"][0]
    assert told == "memory://bucket/packed/faces.zip::happy/happy-00.png"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("s3://bucket/a b", "s3://bucket/a b"),
        ("https://host/a.zip?sig=x#y", "https://host/a.zip"),
        ("https://token@host/a.zip", "https://host/a.zip"),
        ("ftp://ann:pw@host/a", "ftp://host/a"),
        ("sftp://ann@host/a", "sftp://ann@host/a"),
        ("abfs://container@account.example/a", "abfs://container@account.example/a"),
        ("s3://bucket/what?.jpg", "s3://bucket/what?.jpg"),
    ],
)
def test_what_is_secret_is_kept_aside(address: str, told: str) -> None:
    assert told_of(address) == told
    assert kept_aside(f"{address}::part") == f"{told}::part"
    assert in_full(told) == address
    assert without_secrets(["study", f"--target={address}", "--out", "x"]) == [
        "study",
        f"--target={told}",
        "--out",
        "x",
    ]


@pytest.mark.parametrize("text", ["photos", "C:/a", "rtsp://host/a", "hf:a/b", "s3:/bucket/a", "kaggle:a/b", "0", ""])
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)
    assert kept_aside(text) == text


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match="pip install gcsfs"):
        open_source("gs://bucket/faces")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[stores\]' s3fs"):
        open_source("s3://bucket/faces")


@pytest.mark.parametrize(
    "address",
    ["memory://bucket/gone", "memory://bucket/gone.zip", "nostore://bucket/a", "memory://gone/*.png", "zip://a.zip"],
)
def test_what_is_not_there_is_one_line(address: str, mien: Mien, memory: MemoryStore, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    outcome = mien("predict", address)
    assert (outcome.code, outcome.out) == (2, "")
    assert address in outcome.complaint
    assert snapshot(tmp_path) == before


def test_errors_of_a_fetched_file_name_its_address(memory: MemoryStore) -> None:
    memory.pipe_file("/bucket/broken.zip", b"PK\3\4 and no more")
    memory.pipe_file("/bucket/broken.csv", b"a,b\n1,2\n")
    for name in ("broken.zip", "broken.csv"):
        with pytest.raises(SourceError, match=f"^memory://bucket/{name}: ") as caught:
            open_source(f"memory://bucket/{name}")
        assert "mien-" not in str(caught.value)


def test_nothing_is_written_to_a_store(mien: Mien, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: memory.cat_file(name) for name in memory.find("/")}
    for words in (("--out", "answers"), ("--out", "memory://bucket/out")):
        mien("predict", "memory://bucket/faces", *words)
    outcome = mien("audit", "memory://bucket/faces", "--no-faces", "--out", "memory://bucket/findings.csv")
    assert (outcome.code, "--out memory://bucket" in outcome.complaint) == (2, True)
    assert {name: memory.cat_file(name) for name in memory.find("/")} == before


def test_a_file_that_changed_is_fetched_again(memory: MemoryStore) -> None:
    first = open_source("memory://bucket/whole.csv")
    content = memory.cat_file("/bucket/whole.csv").replace(b"sad-00", b"sad-09")
    memory.pipe_file("/bucket/whole.csv", content)
    second = open_source("memory://bucket/whole.csv")
    assert [f.path for f in first.files] != [f.path for f in second.files]
    (place,) = {path.parent.parent for path in stores._fetched.values()}
    assert place.name.startswith("mien-")


def test_a_file_of_which_a_store_says_too_little_is_fetched_each_time(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size alone does not say that it is the same; neither the second copy nor the third meets the one before."""
    known = MemoryStore.info
    monkeypatch.setattr(
        MemoryStore, "info", lambda *words, **named: {k: v for k, v in known(*words, **named).items() if k != "created"}
    )
    first = open_source("memory://bucket/packed/faces.zip")
    for _ in range(3):
        assert contents(open_source("memory://bucket/packed/faces.zip")) == contents(first)


def test_after_a_fetch_that_failed_nothing_stays_and_it_can_be_tried_again(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_store: MemoryStore, _inner: str, place: str) -> None:
        Path(place).write_bytes(b"half")
        raise TimeoutError

    before = snapshot(stores._work_folder())
    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "get_file", fails)
        for _ in range(2):
            with pytest.raises(SourceError, match="cannot be reached"):
                open_source("memory://bucket/faces.tar.gz")
    assert snapshot(stores._work_folder()) == before
    assert open_source("memory://bucket/faces.tar.gz").labels == ("happy", "sad")


@pytest.mark.heavy
@pytest.mark.parametrize(
    "address", ["faces", "faces/*/*.png", "packed/faces.zip", "faces/faces.csv", "whole.csv", "held.parquet"]
)
def test_a_cluster_gets_the_bytes_of_what_lies_in_a_store_and_nothing_to_reach_it(
    address: str, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(work: Callable[[Any], Any], items: Iterable[Any], **_: object) -> Iterator[Any]:
        """Done by a machine that is sent all it has, and has no such store."""
        for item in items:
            sent, kept = cloudpickle.dumps((work, item)), dict(memory.store)
            memory.store.clear()
            there, some = cloudpickle.loads(sent)
            result = there(some)
            memory.store.update(kept)
            yield result

    def answers() -> list[tuple[str, str | None, str]]:
        found = predict_apart.predict_apart(model, open_pictures(f"memory://bucket/{address}"), every_face=False)
        return [(each.path, each.label, each.status) for each in found]

    def rows() -> list[dict[str, Any]]:
        source = open_source(f"memory://bucket/{address}")
        return [each.row for each in intake.inspect_files(source, source.files, (), None)]

    model = Recognizer()
    expected = answers(), [] if "*" in address else rows()
    monkeypatch.setattr(predict_apart, "spread", elsewhere)
    monkeypatch.setattr(intake, "spread", elsewhere)
    monkeypatch.setattr(intake, "has_cluster", lambda: True)
    assert (answers(), [] if "*" in address else rows()) == expected
    assert len(expected[0]) >= 6


@pytest.mark.parametrize("address", [f"https://user:{SECRET}@host/faces/", f"https://host/1.jpg?token={SECRET}"])
def test_no_other_machine_is_sent_an_address_that_holds_a_secret(address: str) -> None:
    told = kept_aside(address)
    for one in (open_store(told).read, open_store(told).opened, read_address(told)):
        assert not can_be_sent(one)


@pytest.mark.parametrize("table", ["faces/faces.csv", "faces/lists/faces.csv"])
def test_photos_that_a_table_names_are_asked_for_by_who_asks_for_the_table(table: str, memory: MemoryStore) -> None:
    rows = memory.cat_file("/bucket/faces/faces.csv")
    for name in memory.find("/bucket/faces"):
        memory.mv(name, name.replace("/bucket", f"/ann:{SECRET}@bucket"))
    memory.rm_file(f"/ann:{SECRET}@bucket/faces/faces.csv")
    memory.pipe_file(f"/ann:{SECRET}@bucket/{table}", rows)
    source = open_source(kept_aside(f"memory://ann:{SECRET}@bucket/{table}"))
    assert len(contents(source)) == 6
    assert SECRET not in f"{source.spec} {source.notes} {source.files}"


@pytest.mark.heavy
def test_small_photos_of_a_store_are_waited_for_side_by_side(
    tmp_path: Path, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, photo in enumerate(draw_set(tmp_path / "many", SAYS, 10).rglob("*.png")):
        small = io.BytesIO()
        Image.open(photo).resize((48, 48)).save(small, "PNG")
        memory.pipe_file(f"/small/{photo.parent.name}/{i}.png", small.getvalue())
    threads, cat = set[int](), MemoryStore.cat_file

    def noted(*words: Any, **named: Any) -> bytes:
        threads.add(threading.get_ident())
        content: bytes = cat(*words, **named)
        return content

    monkeypatch.setattr(MemoryStore, "cat_file", noted)
    source = open_source("memory://small")
    assert len(list(intake.inspect_files(source, source.files, (), None))) == 20
    assert len(list(Recognizer().predict_pictures(open_pictures("memory://small")))) == 20
    assert threading.get_ident() not in threads


def test_python_reads_a_store(memory: MemoryStore) -> None:
    data = package.audit("memory://bucket/faces", find_faces=False, progress=False)
    assert data.results.data.source == "memory://bucket/faces"
