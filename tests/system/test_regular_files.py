"""Whatever a path leads to, and whatever an archive claims: nothing is waited for, and memory stays bounded."""

from __future__ import annotations

import ast
import bz2
import functools
import io
import lzma
import os
import signal
import socket
import struct
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import mien as package
from mien.data.reading.intake import inspect_together
from mien.data.reading.pictures import open_pictures
from mien.data.reading.preprocess import UnreadableImageError
from mien.data.sources import open_images, open_source
from mien.errors import SourceError
from mien.system.files import IrregularFileError, open_regular, read_file, regular
from support.checkout import MODULES, parsed
from support.drawn_sets import draw_set
from support.outcomes import Outcome
from support.pictures import RED, colour_model, encoded

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
Mien = Callable[..., Outcome]
PHOTO = encoded(Image.new("RGB", (60, 50), RED))
LITTLE = 6 * 2**20
BOMB = bytes(48 * 2**20)
KINDS = ("pipe", "socket", "zero", "null", "folder")
SECONDS = 60


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """What waits is ended, and has failed."""

    def fail(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def put(kind: str, path: Path) -> Path:
    """Something that is no regular file, or a link to it."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(f"/dev/{kind}")
    return path


# -- the one way to a file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened(kind: str, tmp_path: Path) -> None:
    path = put(kind, tmp_path / "x")
    for read in (open_regular, read_file, regular):
        with pytest.raises(IrregularFileError, match="not a file"), little_memory():
            read(path)


def test_what_becomes_a_pipe_meanwhile_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, regular_one = put("pipe", tmp_path / "x"), Path(__file__).stat()
    monkeypatch.setattr(Path, "stat", lambda self, **_: regular_one)
    with pytest.raises(IrregularFileError):
        open_regular(path)


def test_a_link_is_followed_unless_it_may_not_be(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"123")
    (tmp_path / "link").symlink_to("x")
    assert read_file(tmp_path / "link") == b"123"
    assert read_file(tmp_path / "x", follow_links=False) == b"123"
    with pytest.raises(IrregularFileError, match="link"):
        read_file(tmp_path / "link", follow_links=False)


def test_size_is_known_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="larger than"), little_memory():
        read_file(path)
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger"):
        read_file(path, 4)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system makes up no files")
def test_file_that_gives_more_than_its_size_is_refused() -> None:
    with pytest.raises(OSError, match="more than its size"):
        read_file("/proc/self/status")


WRITES = {
    "data/tables/class_map.py",
    "training/history.py",
    "training/features.py",
    "system/signals.py",
    "system/leftovers.py",
    "system/files.py",
}
"""Modules that open files to write them."""
ELSEWHERE = {"app/page.py", "app/own_photos.py", "auditing/drawings.py"}
"""Modules that open what Gradio stored, what was opened before, or what comes with mien."""
BY_NAME = {
    *("scan_parquet", "scan_csv", "read_parquet", "read_parquet_metadata", "read_csv", "scan_ndjson", "ZipFile"),
    *("load_file", "torch.load", "onnx.load", "open_session"),
}
PAST_THE_READER = {"read_bytes", "read_text", "GzipFile", "LZMAFile", "safe_open", "copyfileobj"}


def opens_past_the_reader(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = ast.unparse(call.args[0]) if call.args else ""
    if {name, ast.unparse(call.func)} & BY_NAME:
        return not first.startswith(("regular(", "read_file(", "content", "file", "seen."))
    if name == "InferenceSession":
        return first.startswith("str(")
    if name in PAST_THE_READER:
        return isinstance(call.func, ast.Attribute) and not call.keywords
    return name == "open" and ast.unparse(call.func) in ("open", "io.open", "path.open", "av.open") and first != "file"


def test_nothing_opens_a_file_past_the_reader() -> None:
    root, found = Path(package.__file__).parent, []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name in WRITES | ELSEWHERE:
            continue
        calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
        found += [f"{name}:{call.lineno}: {ast.unparse(call)}" for call in calls if opens_past_the_reader(call)]
    assert not found
    assert opens_past_the_reader(ast.parse("path.open('rb')", mode="eval").body)  # type: ignore[arg-type]
    assert opens_past_the_reader(ast.parse("pl.scan_csv(path)", mode="eval").body)  # type: ignore[arg-type]
    assert opens_past_the_reader(ast.parse("safetensors.torch.load_file(path)", mode="eval").body)  # type: ignore[arg-type]


def test_no_path_is_taken_for_a_pattern() -> None:
    """Folders may have brackets in their names."""
    calls = [node for path in MODULES.values() for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    of_files = [call for call in calls if getattr(call.func, "attr", "") in ("read_parquet", "scan_parquet")]
    assert len(of_files) > 5
    assert [ast.unparse(call) for call in of_files if "glob=False" not in ast.unparse(call)] == []


# -- what users name -----------------------------------------------------------------------------------------------

GIVEN = (
    ("predict", "X"),
    ("predict", "X::train"),
    ("predict", "photo.png", "--model", "X"),
    ("predict", "photo.png", "X"),
    ("audit", "X"),
    ("audit", "set", "X"),
    ("audit", "set", "--corrections", "X"),
    ("study", "X", "--out", "out"),
    ("study", "set", "--target", "X", "--out", "out"),
    ("study", "set", "--target", "set", "--class-map", "X", "--out", "out"),
    ("study", "set", "--keep-splits", "X", "--out", "out"),
    ("train", "set", "--corrections", "X", "--out", "out"),
    ("compare", "X", "--arm", "augment=none", "--arm", "augment=notebook", "--out", "out"),
    ("evaluate", "X", "set"),
    ("evaluate", "model.onnx", "X"),
    ("evaluate", "model.onnx", "set", "--class-map", "X"),
    ("evaluate", "model.onnx", "set", "--corrections", "X"),
    ("adapt", "X", "set", "--out", "out"),
    ("export", "X", "--out", "out.onnx"),
    ("app", "--api-only", "--model", "X"),
)


@pytest.fixture
def around(tmp_path: Path) -> Path:
    draw_set(tmp_path / "set", {"anger": "anger", "sad": "sad"}, 1)
    colour_model(tmp_path / "model.onnx")
    (tmp_path / "photo.png").write_bytes(PHOTO)
    return tmp_path


@pytest.mark.parametrize("words", GIVEN, ids=" ".join)
def test_device_or_pipe_is_refused_in_one_line(mien: Mien, around: Path, words: tuple[str, ...]) -> None:
    put("zero", around / "zero.jpg")
    put("pipe", around / "pipe.mp4")
    for name in ("zero.jpg", "pipe.mp4"):
        outcome = mien(*(word.replace("X", name) for word in words))
        assert (outcome.code, outcome.out) == (2, ""), outcome
        assert name in outcome.complaint
        assert "not a file" in outcome.complaint
    assert not (around / "out").exists()


@pytest.mark.parametrize("name", ["set.zip", "photos.tar.gz", "photos.csv", "photos.jsonl", "photos.parquet"])
def test_folder_that_holds_nothing_but_a_pipe_for_an_archive_or_a_table(mien: Mien, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    put("pipe", tmp_path / "folder" / name)
    for words in (("audit", "folder"), ("predict", "folder"), ("audit", f"folder::{name}")):
        outcome = mien(*words)
        assert outcome.code == 2, outcome
        assert outcome.complaint


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no such names")
def test_standard_input_given_as_a_path_says_what_to_give(mien: Mien, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        outcome = mien("predict", f"/proc/self/fd/{reading}")
        assert outcome.code == 2
        assert "give - " in outcome.complaint
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_among_photos_it_is_one_that_cannot_be_read(mien: Mien, around: Path, kind: str) -> None:
    photos = around / "photos" / "happy"
    photos.mkdir(parents=True)
    (photos / "a.png").write_bytes(PHOTO)
    put(kind, photos / "b.png")
    table = around / "table.csv"
    table.write_text("path,label\nphotos/happy/a.png,happy\nphotos/happy/b.png,happy\nphoto.png,sad\n", "utf-8")
    for source in ("photos", "photos/happy/*.png", "table.csv"):
        outcome = mien("predict", source, "--model", "model.onnx", "--jsonl")
        assert outcome.code == 1, outcome
        first, second, *_ = outcome.out.splitlines()
        assert '"anger"' in first
        assert '"unreadable"' in second
        assert "not a file" in second
    listed = open_source("table.csv")
    rows = [each.row for each in inspect_together(listed, listed.files, [], None)]
    assert [row["status"] for row in rows] == ["ok", "unreadable", "ok"]
    assert "not a file" in rows[1]["reason"]


def test_list_of_paths_is_read_a_bounded_line_at_a_time(
    mien: Mien, around: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("pipe", around / "pipe.png")
    monkeypatch.setattr(sys, "stdin", io.StringIO("photo.png\npipe.png\n~no-such-user/x.png\n"))
    outcome = mien("predict", "-", "--model", "model.onnx", "--csv")
    assert outcome.code == 1
    first, pipe, nowhere = outcome.out.splitlines()[1:]
    assert "unreadable" not in first
    assert "not a file" in pipe
    assert "unreadable" in nowhere
    monkeypatch.setattr(sys, "stdin", io.StringIO("x" * 10**6))
    outcome = mien("predict", "-", "--model", "model.onnx")
    assert outcome.code == 2
    assert "standard input" in outcome.complaint


def film(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile 'film.mp4'\n", "#EXTM3U\n#EXTINF:1,\nfilm.mp4\n"])
def test_video_that_is_a_list_of_files_opens_none_of_them(text: str, tmp_path: Path) -> None:
    """They could be pipes."""
    film(tmp_path / "film.mp4")
    (tmp_path / "list.mp4").write_text(text + "#EXT-X-ENDLIST\n" * text.startswith("#"), "utf-8")
    (frame,) = open_pictures(str(tmp_path / "film.mp4"))
    image = frame.load()
    assert isinstance(image, Image.Image)
    assert image.size == (64, 64)
    (picture,) = open_pictures(str(tmp_path / "list.mp4"))
    with pytest.raises(UnreadableImageError, match="video"):
        picture.load()


@pytest.mark.parametrize("start", [b"", b"path,label\n", b"path,label\nphoto.png,happy\n"])
def test_table_whose_lines_do_not_end_is_not_read(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(2**26)
    with pytest.raises(SourceError, match="cannot be read"), little_memory():
        open_source(str(path))


# -- archives that lie ---------------------------------------------------------------------------------------------


def lzma_of_zip(content: bytes, dictionary: int = 2**16) -> bytes:
    settings = {"id": lzma.FILTER_LZMA1, "dict_size": 2**16}
    packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[settings])
    return b"\x09\x04\x05\x00\x5d" + struct.pack("<I", dictionary) + packer.compress(content) + packer.flush()


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


PACKERS: dict[int, Callable[[bytes], bytes]] = {0: bytes, 8: deflated, 12: bz2.compress, 14: lzma_of_zip}


def lying_zip(path: Path, method: int, packed: bytes, claimed: int, crc: int, local: int | None = None) -> Path:
    """A zip of one member whose directory, and whose local header, claim a size."""
    name = b"happy/a.png"
    middle = struct.pack("<HHHII", method, 0, 0x21, crc, len(packed))
    said = [struct.pack("<I", size) for size in (claimed if local is None else local, claimed)]
    head = b"PK\3\4" + struct.pack("<HH", 20, 0) + middle + said[0] + struct.pack("<HH", len(name), 0) + name
    central = b"PK\1\2" + struct.pack("<HHH", 20, 20, 0) + middle + said[1]
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(head) + len(packed), 0)
    path.write_bytes(head + packed + central + end)
    return path


@functools.cache
def packed_bomb(method: int) -> bytes:
    return PACKERS[method](BOMB)


@pytest.mark.parametrize("method", PACKERS)
def test_zip_that_tells_the_truth_is_read(method: int, tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(200_000) + bytes(300_000)
    path = lying_zip(tmp_path / "a.zip", method, PACKERS[method](content), len(content), zlib.crc32(content))
    source = open_images(str(path))
    assert source.read(source.files[0]) == content
    local = lying_zip(tmp_path / "b.zip", method, PACKERS[method](content), len(content), zlib.crc32(content), 2**31)
    source = open_images(str(local))
    assert source.read(source.files[0]) == content


@pytest.mark.parametrize("local", [None, len(BOMB)])
@pytest.mark.parametrize("claimed", [100, 2**20])
@pytest.mark.parametrize("method", PACKERS)
def test_zip_member_is_unpacked_up_to_what_it_claims(
    method: int, claimed: int, local: int | None, tmp_path: Path
) -> None:
    """Whether its checksum is that of all, of what is claimed, or of one byte more."""
    packed = packed_bomb(method)
    for length in (len(BOMB), claimed, claimed + 1):
        path = lying_zip(tmp_path / "bomb.zip", method, packed, claimed, zlib.crc32(BOMB[:length]), local)
        source = open_images(str(path))
        with pytest.raises(OSError, match="damaged in the zip"), little_memory():
            source.read(source.files[0])


@pytest.mark.parametrize("method", PACKERS)
def test_zip_member_that_holds_less_than_it_claims_is_damaged(method: int, tmp_path: Path) -> None:
    packed = PACKERS[method](b"abc" * 1000)
    path = lying_zip(tmp_path / "a.zip", method, packed, 200 * 2**20, zlib.crc32(b"abc" * 1000))
    source = open_images(str(path))
    with pytest.raises(OSError, match="damaged in the zip"), little_memory():
        source.read(source.files[0])


def test_zip_member_may_not_make_its_unpacker_large(tmp_path: Path) -> None:
    content = b"abc" * 1000
    path = lying_zip(tmp_path / "a.zip", 14, lzma_of_zip(content, 2**32 - 1), len(content), zlib.crc32(content))
    source = open_images(str(path))
    with little_memory():
        assert source.read(source.files[0]) == content


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


TARS = {
    "pax": header("p", 2**40, tarfile.XHDTYPE),
    "global": header("p", 2**33, tarfile.XGLTYPE),
    "long name": header("p", 2**33, tarfile.GNUTYPE_LONGNAME),
    "chain": header("p", 0, tarfile.XHDTYPE) * 2000,
    "negative pax": header("p", -512, tarfile.XHDTYPE),
}


@pytest.mark.parametrize("pack", [bytes, zlib.compress, bz2.compress, lzma.compress], ids=["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("name", TARS)
def test_tar_whose_headers_claim_too_much_is_refused(name: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    content = TARS[name] + bytes(2 * LITTLE)
    if pack is zlib.compress:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        path.write_bytes(packer.compress(content) + packer.flush())
    else:
        path.write_bytes(pack(content))
    del content
    with pytest.raises(SourceError, match="tar is damaged"), little_memory():
        open_images(str(path))


def test_tar_member_of_a_size_below_nothing_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(header("happy/a.png", -2048) + bytes(10 * 2**20))
    try:
        source = open_images(str(tmp_path / "a.tar"))
    except SourceError:
        return
    with little_memory(), pytest.raises(OSError, match="damaged"):
        source.read(source.files[0])


def test_compressed_files_are_looked_into_a_block_at_a_time(tmp_path: Path) -> None:
    """To see whether they are tars."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bombs = {
        "gz": packer.compress(BOMB) + packer.flush(),
        "bz2": bz2.compress(BOMB),
        "xz": lzma.compress(BOMB, preset=0),
    }
    for name, content in bombs.items():
        (tmp_path / f"x.{name}").write_bytes(content)
        with little_memory():
            source = open_images(str(tmp_path / f"x.{name}"))
        assert [file.path for file in source.files] == [f"x.{name}"]


def test_xz_that_needs_much_memory_is_refused(tmp_path: Path) -> None:
    """Its first block says how large the unpacker's dictionary is: here nearly 4 GB."""
    packed = bytearray(lzma.compress(bytes(4096), preset=0))
    assert packed[14] == 0x21  # LZMA2, whose one byte of properties is the size of the dictionary
    packed[16] = 40
    packed[20:24] = struct.pack("<I", zlib.crc32(packed[12:20]))
    (tmp_path / "a.tar.xz").write_bytes(packed)
    with pytest.raises(SourceError):
        open_images(str(tmp_path / "a.tar.xz"))


def test_xz_of_several_streams_is_read_to_its_end(tmp_path: Path) -> None:
    with io.BytesIO() as made:
        with tarfile.open(fileobj=made, mode="w") as tar:
            for name in ("happy/a.png", "sad/b.png"):
                info = tarfile.TarInfo(name)
                info.size = len(PHOTO)
                tar.addfile(info, io.BytesIO(PHOTO))
        content = made.getvalue()
    parts = lzma.compress(content[:700]) + bytes(8) + lzma.compress(content[700:]) + bytes(4)
    (tmp_path / "a.tar.xz").write_bytes(parts)
    source = open_source(str(tmp_path / "a.tar.xz"))
    assert [source.read(file) for file in source.files] == [PHOTO, PHOTO]
