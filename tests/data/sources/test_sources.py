"""Every file of a source is listed, with its class or the reason why it takes no part."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mien.data.sources import Source, SourceFile, open_images, open_source
from mien.errors import SourceError
from mien.settings.columns import Columns
from support.pictures import class_files, encoded, pattern, png, write_files, write_zip

TWO = class_files("happy", "sad")
LINKS = {tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "link", tarfile.CHRTYPE: "device", tarfile.FIFOTYPE: "pipe"}


def read_by_threads(source: Source, *, backwards: bool = False) -> dict[str, bytes]:
    """What four threads read of a source at the same time, by path."""
    found: dict[str, bytes] = {}

    def read(start: int) -> None:
        for file in source.files[start::4][:: -1 if backwards else 1]:
            found[file.path] = source.read(file)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def labels_of(source: Source) -> dict[str, str | None]:
    return {f.path: f.label for f in source.files if f.ignored is None}


def ignored_of(source: Source) -> dict[str, str]:
    return {f.path: f.ignored for f in source.files if f.ignored is not None}


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def write_tar(path: Path, files: Mapping[str, bytes], *others: tarfile.TarInfo, mode: str = "") -> Path:
    """Write a tar with these files, and then these other members; compressed as its name says."""
    chosen: Any = mode or {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}.get(path.name.split(".")[-1], "w")
    with tarfile.open(path, chosen) as tar:
        for name, content in files.items():
            info = member(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in others:
            tar.addfile(info)
    return path


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str, tmp_path: Path, files: dict[str, bytes]) -> str:
    """A folder, a zip or a tar with these files."""
    if kind == "zip":
        return str(write_zip(tmp_path / "photos.zip", files))
    if kind.startswith("tar"):
        return str(write_tar(tmp_path / f"photos.{kind}", files))
    return str(write_files(tmp_path / "photos", files))


def test_folder_per_class(kind: str, tmp_path: Path) -> None:
    source = open_source(made(kind, tmp_path, TWO))
    assert labels_of(source) == {"happy/0.png": "happy", "happy/1.png": "happy", "sad/0.png": "sad", "sad/1.png": "sad"}
    assert source.labels == ("happy", "sad")
    assert not source.is_divided
    assert source.name == "photos"


def test_files_are_read_as_they_were_written(kind: str, tmp_path: Path) -> None:
    source = open_source(made(kind, tmp_path, TWO))
    assert {f.path: source.read(f) for f in source.files} == TWO


def test_order_of_files_is_that_of_their_names(kind: str, tmp_path: Path) -> None:
    source = open_source(made(kind, tmp_path, dict(reversed(TWO.items()))))
    assert [f.path for f in source.files] == sorted(TWO)


@pytest.mark.parametrize("wrapper", ["6 Emotions", "archive/images", "a/b/c"])
def test_wrapping_folders_are_stepped_into(kind: str, wrapper: str, tmp_path: Path) -> None:
    files = {f"{wrapper}/{name}": content for name, content in TWO.items()}
    source = open_source(made(kind, tmp_path, files))
    assert source.labels == ("happy", "sad")
    assert len(labels_of(source)) == 4


def test_deeper_folders_belong_to_their_class(kind: str, tmp_path: Path) -> None:
    source = open_source(made(kind, tmp_path, TWO | {"sad/old/9.png": png(9)}))
    assert labels_of(source)["sad/old/9.png"] == "sad"


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("Train", "Valid", "TEST"), ("TRAINING", "Validation", "testing")],
)
@pytest.mark.parametrize("wrapper", ["", "data/"])
def test_split_folders_are_kept_in_any_case(
    kind: str, wrapper: str, train: str, val: str, test: str, tmp_path: Path
) -> None:
    folders = {f"{wrapper}{split}/{label}": split for split in (train, val, test) for label in ("happy", "sad")}
    source = open_source(made(kind, tmp_path, class_files(*folders)))
    assert source.is_divided
    assert source.labels == ("happy", "sad")
    wanted = {train: "train", val: "val", test: "test"}
    assert {f.split for f in source.files} == {"train", "val", "test"}
    for file in source.files:
        assert file.split == wanted[file.path.removeprefix(wrapper).split("/")[0]]


def test_classes_below_a_lone_train_folder_are_just_classes(tmp_path: Path) -> None:
    source = open_source(made("folder", tmp_path, class_files("train/happy", "train/sad")))
    assert source.labels == ("happy", "sad")
    assert not source.is_divided


@pytest.mark.parametrize("folders", [("train", "test", "extra"), ("val", "test"), ("test", "private_test", "train")])
def test_split_folders_are_never_taken_for_classes(folders: tuple[str, ...], tmp_path: Path) -> None:
    spec = made("folder", tmp_path, class_files(*(f"{f}/{label}" for f in folders for label in ("happy", "sad"))))
    try:
        labels = open_source(spec).labels
    except SourceError as error:
        assert "test" in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert not set(labels) & {"train", "val", "test"}, f"taken for expressions: {labels}"


@pytest.mark.parametrize("wrapper", ["", "fer2013/", "a/b/"])
def test_part_of_a_source_with_and_without_wrapper(kind: str, wrapper: str, tmp_path: Path) -> None:
    files = class_files(*(f"{wrapper}{split}/{label}" for split in ("train", "test") for label in ("happy", "sad")))
    spec = made(kind, tmp_path, files)
    for part in ("test", f"{wrapper}test", f"{wrapper}test/"):
        source = open_source(f"{spec}::{part}")
        assert sorted(labels_of(source)) == ["happy/0.png", "happy/1.png", "sad/0.png", "sad/1.png"]
        assert not source.is_divided
        assert source.read(source.files[0]) == files[f"{wrapper}test/happy/0.png"]


@pytest.mark.parametrize("wrapper", ["", "fer2013/"])
@pytest.mark.parametrize("mac", [False, True])
def test_wrong_part_lists_what_there_is(kind: str, wrapper: str, mac: bool, tmp_path: Path) -> None:
    files = class_files(f"{wrapper}train/happy", f"{wrapper}test/happy") | {f"{wrapper}readme.txt": b"hello"}
    if mac:
        files |= {f"__MACOSX/{wrapper}._x": b"\0"}
    with pytest.raises(SourceError, match="valid") as error:
        open_source(made(kind, tmp_path, files) + "::valid")
    assert str(error.value).endswith("there are: test, train")


@pytest.mark.parametrize("part", ["..", "../photos", "/", "/etc"])
def test_part_cannot_leave_the_source(kind: str, part: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        open_source(made(kind, tmp_path, TWO) + "::" + part)


def test_system_files_are_ignored_with_a_reason(kind: str, tmp_path: Path) -> None:
    names = ["happy/.DS_Store", "sad/Thumbs.db", "sad/desktop.ini", "__MACOSX/happy/._0.png", ".git/config"]
    source = open_source(made(kind, tmp_path, TWO | dict.fromkeys(names, b"x")))
    assert ignored_of(source) == dict.fromkeys(names, "hidden or system file")
    assert source.labels == ("happy", "sad")


def test_file_outside_a_class_folder_is_ignored_with_a_reason(kind: str, tmp_path: Path) -> None:
    source = open_source(made(kind, tmp_path, TWO | {"readme.txt": b"x", "group.png": png(9)}))
    assert ignored_of(source) == dict.fromkeys(["readme.txt", "group.png"], "not in a class folder")


def test_file_beside_the_class_folders_of_a_wrapped_set_is_ignored_with_a_reason(kind: str, tmp_path: Path) -> None:
    files = {f"set/{name}": content for name, content in TWO.items()} | {"set/readme.txt": b"x", "licence.txt": b"x"}
    source = open_source(made(kind, tmp_path, files))
    assert set(ignored_of(source)) == {"set/readme.txt", "licence.txt"}
    assert source.labels == ("happy", "sad")


def test_file_in_a_split_folder_but_no_class_is_ignored_with_a_reason(tmp_path: Path) -> None:
    files = class_files("train/happy", "train/sad", "test/happy", "test/sad") | {"train/list.csv": b"x"}
    source = open_source(made("folder", tmp_path, files))
    assert ignored_of(source) == {"train/list.csv": "not in a class folder"}


def test_files_that_are_no_images_are_listed_all_the_same(kind: str, tmp_path: Path) -> None:
    source = open_source(made(kind, tmp_path, TWO | {"sad/notes.txt": b"x", "sad/a.jfif": encoded(pattern(3), "JPEG")}))
    assert {"sad/notes.txt", "sad/a.jfif"} <= set(labels_of(source))


@pytest.mark.parametrize("name", ["my happy one.png", 'it\'s "so" happy.png', "happy 😀.png", "ümläut.png", "-rf.png"])
def test_unusual_names(kind: str, name: str, tmp_path: Path) -> None:
    files = TWO | {f"very happy 😀/{name}": png(9)}
    source = open_source(made(kind, tmp_path, files))
    assert source.labels == ("happy", "sad", "very happy 😀")
    assert {f.path: source.read(f) for f in source.files} == files


def test_name_that_is_not_utf8_can_be_printed_and_read(tmp_path: Path) -> None:
    root = write_files(tmp_path / "photos", TWO)
    try:
        (root / "sad" / os.fsdecode(b"caf\xe9.png")).write_bytes(png(9))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    source = open_source(str(root))
    (file,) = (f for f in source.files if "caf" in f.path)
    assert file.path.encode("utf-8") == b"sad/caf\\xe9.png"
    assert source.read(file) == png(9)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"empty.*one folder of photos per class"):
        open_source(str(tmp_path))


def test_empty_zip(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="empty"):
        open_source(str(write_zip(tmp_path / "none.zip", {})))


def test_folder_of_photos_without_classes(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no class folders"):
        open_source(made(kind, tmp_path, {"a.png": png(), "b.png": png(1)}))


def test_one_class_only(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"only one class, 'happy'"):
        open_source(made(kind, tmp_path, class_files("happy")))


@pytest.mark.parametrize(
    "path", ["missing", "missing.zip", "missing/deeper", "n" * 300, "~no-such-user-of-this-machine/photos", "a\0b"]
)
def test_no_such_path_is_named(path: str) -> None:
    for opener in (open_source, open_images):
        with pytest.raises(SourceError) as error:
            opener(path)
        assert path[:20] in str(error.value)


def test_single_file_has_no_classes_but_can_be_predicted(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"one.png": png()}) / "one.png"
    assert [f.path for f in open_images(str(path)).files] == ["one.png"]
    with pytest.raises(SourceError, match="a single photo"):
        open_source(str(path))


def test_open_images_needs_no_classes(kind: str, tmp_path: Path) -> None:
    source = open_images(made(kind, tmp_path, {"a.png": png(), "deep/er/b.png": png(1)}))
    assert [f.path for f in source.files] == ["a.png", "deep/er/b.png"]
    assert source.labels == ()


def test_demo_and_its_parts() -> None:
    demo, target = open_source("demo"), open_source("demo::target")
    assert (len(demo.files), len(target.files)) == (602, 200)
    assert demo.name != target.name
    assert demo.labels == ("anger", "disgust", "fear", "happy", "pain", "sad")
    assert demo.read(demo.files[0])[:2] == b"BM"
    with pytest.raises(SourceError, match="demo and target"):
        open_source("demo::train")


def test_demo_has_people_and_their_age_groups_as_a_table_would() -> None:
    demo = open_source("demo")
    assert demo.groups == 60
    assert demo.own is not None
    assert demo.own.columns == ["own.age_group"]
    assert demo.group_kind == "people"
    ages = open_source("demo", Columns(group_column="subject,age_group"))
    assert (ages.groups, ages.group_kind) == (3, "groups")
    without = open_source("demo", Columns(group_column="none"))
    assert without.groups == 0
    assert without.own is not None
    assert without.own.columns == ["own.person", "own.age_group"]
    for wrong in (Columns(group_column="subject"), Columns(label_column="person")):
        with pytest.raises(SourceError, match="person, age_group"):
            open_source("demo", wrong)


def test_loop_of_links_ends(tmp_path: Path) -> None:
    root = write_files(tmp_path / "photos", TWO)
    (root / "sad" / "loop").symlink_to(root, target_is_directory=True)
    (root / "happy" / "self.png").symlink_to("self.png")
    source = open_source(str(root))
    assert source.labels == ("happy", "sad")
    (broken,) = (f for f in source.files if f.path == "happy/self.png")
    with pytest.raises(OSError, match="symbolic links"):
        source.read(broken)


def test_linked_class_folder_does_not_vanish(tmp_path: Path) -> None:
    root = write_files(tmp_path / "photos", class_files("happy", "sad"))
    elsewhere = write_files(tmp_path / "elsewhere", {"0.png": png(7)})
    (root / "pain").symlink_to(elsewhere, target_is_directory=True)
    source = open_source(str(root))
    listed = [f for f in source.files if f.path.split("/")[0] == "pain"]
    assert listed, "a linked class folder was left out without a word: neither followed nor ignored with a reason"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe_does_not_hang_the_reading(tmp_path: Path) -> None:
    root = write_files(tmp_path / "photos", TWO)
    os.mkfifo(root / "sad" / "pipe.png")
    source = open_source(str(root))
    (file,) = (f for f in source.files if f.path == "sad/pipe.png")
    if file.ignored:
        return
    outcome: list[object] = []

    def read() -> None:
        try:
            outcome.append(source.read(file))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(2)
    hangs = thread.is_alive()
    if hangs:  # let it go
        (root / "sad" / "pipe.png").write_bytes(b"")
        thread.join()
    assert not hangs
    assert isinstance(outcome[0], OSError)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_truncated_zip(keep: float, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(SourceError, match=r"photos\.zip: the zip is damaged"):
        open_source(str(path))


def test_text_file_named_zip(tmp_path: Path) -> None:
    write_files(tmp_path, {"photos.zip": b"<html>not found</html>", "empty.zip": b""})
    for name in ("photos.zip", "empty.zip"):
        with pytest.raises(SourceError, match="damaged"):
            open_source(str(tmp_path / name))


def test_encrypted_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO)
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(signature, at + 1)
    path.write_bytes(content)
    with pytest.raises(SourceError, match="encrypted"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["../evil.png", "happy/../../evil.png", "/etc/evil.png", "C:/evil.png", "C:evil.png"])
def test_zip_that_points_outside_is_refused(name: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO | {name: png(9)})
    with pytest.raises(SourceError, match="points outside") as error:
        open_source(str(path))
    assert name in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photos.zip"]


@pytest.mark.parametrize("name", [".", "./"])
def test_zip_with_a_member_without_a_name_does_not_crash(name: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO | {name: b""})
    try:
        labels = open_source(str(path)).labels
    except SourceError:
        return
    assert labels == ("happy", "sad")


@pytest.mark.parametrize("damage", ["name", "version"])
def test_zip_with_a_damaged_directory(damage: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", class_files("häppy", "sad"))
    content = path.read_bytes()
    if damage == "name":
        content = content.replace("häppy".encode(), b"h\xff\xffppy")
    else:
        at = content.find(b"PK\x01\x02")
        content = content[: at + 6] + b"\xff" + content[at + 7 :]  # version needed to extract: 25.5
    path.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        open_source(str(path))


def test_bad_crc_in_a_zip_is_an_error_of_that_file_alone(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO)
    content = path.read_bytes()
    at = content.find(TWO["sad/1.png"]) + len(TWO["sad/1.png"]) // 2
    path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    source = open_source(str(path))
    for file in source.files:
        if file.path == "sad/1.png":
            with pytest.raises(OSError, match="damaged in the zip"):
                source.read(file)
        else:
            assert source.read(file) == TWO[file.path]


def test_damaged_compression_in_a_zip_is_an_error_of_that_file_alone(tmp_path: Path) -> None:
    text = {"sad/1.png": b"abcdefgh" * 500}
    path = write_zip(tmp_path / "photos.zip", TWO | text, zipfile.ZIP_DEFLATED)
    packed = zlib.compressobj(wbits=-15)
    stream = packed.compress(text["sad/1.png"]) + packed.flush()
    content = path.read_bytes()
    assert stream in content
    path.write_bytes(content.replace(stream, b"\xff" * len(stream)))
    source = open_source(str(path))
    (file,) = (f for f in source.files if f.path == "sad/1.png")
    with pytest.raises(OSError, match="damaged in the zip"):
        source.read(file)


def test_unknown_compression_in_a_zip_is_an_error_of_that_file(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO)
    content = path.read_bytes()
    for signature, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.find(signature)
        content = content[: at + method] + b"\x63\x00" + content[at + method + 2 :]
    path.write_bytes(content)
    source = open_source(str(path))
    with pytest.raises(OSError, match="damaged in the zip"):
        source.read(source.files[0])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_keep_their_own_contents(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", TWO)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("sad/0.png", png(9))
    try:
        source = open_source(str(path))
    except SourceError:
        return
    contents = [source.read(f) for f in source.files if f.path.startswith("sad/0") and f.ignored is None]
    assert len(set(contents)) == len(contents), "one member is read twice and the other never"


def test_threads_may_read_a_zip_side_by_side(tmp_path: Path) -> None:
    files = class_files("happy", "sad", each=20)
    source = open_source(str(write_zip(tmp_path / "photos.zip", files, zipfile.ZIP_DEFLATED)))
    assert read_by_threads(source) == files


@pytest.mark.parametrize("end", ["tar", "tar.gz", "tar.bz2", "tar.xz", "tgz", "zip", "photo"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_is_known_by_its_content(end: str, mode: str, tmp_path: Path) -> None:
    source = open_source(str(write_tar(tmp_path / f"photos.{end}", TWO, mode=mode)))
    assert source.name == "photos"
    assert {f.path: source.read(f) for f in source.files} == TWO


def test_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", {"a/1.png": png()}).read_bytes()
    source = open_source(str(write_tar(tmp_path / "photos.tar", TWO | {"sad/z.zip": inner})))
    assert {f.path for f in source.files} == {*TWO, "sad/z.zip"}


def test_tar_written_with_a_leading_dot(tmp_path: Path) -> None:
    dotted = {f"./{name}": content for name, content in TWO.items()}
    path = write_tar(tmp_path / "photos.tar", dotted, member("./", tarfile.DIRTYPE), member("./sad", tarfile.DIRTYPE))
    assert labels_of(open_source(str(path))) == {name: name.split("/")[0] for name in TWO}


@pytest.mark.parametrize("kind", LINKS)
def test_links_and_devices_in_a_tar_are_ignored_with_a_reason(kind: bytes, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar", TWO, member("sad/odd.png", kind, "../../../etc/passwd"))
    (reason,) = ignored_of(open_source(str(path))).values()
    assert LINKS[kind] in reason


@pytest.mark.parametrize("name", ["../evil.png", "happy/../../evil.png", "/etc/evil.png", "C:/evil.png"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE])
def test_tar_that_points_outside_is_refused(name: str, kind: bytes, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar", TWO, member(name, kind))
    with pytest.raises(SourceError, match="points outside") as error:
        open_source(str(path))
    assert name in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["photos.tar"]


@pytest.mark.parametrize("end", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3, 0.5, 0.8, 0.95])
def test_truncated_tar(end: str, keep: float, tmp_path: Path) -> None:
    path = write_tar(tmp_path / f"photos.{end}", class_files("happy", "sad", each=20))
    content = path.read_bytes()
    size = content.rstrip(b"\0").__len__() if end == "tar" else len(content)
    path.write_bytes(content[: int(size * keep)])
    with pytest.raises(SourceError, match=r"photos\.tar.*: the tar is damaged.*download it again") as error:
        open_source(str(path))
    assert "\n" not in str(error.value)


def test_tar_cut_between_two_files_is_damaged(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar", TWO)
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset])
    with pytest.raises(SourceError, match="the tar is damaged"):
        open_source(str(path))


def test_tar_with_a_broken_header_in_the_middle_is_damaged(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar", TWO)
    with tarfile.open(path) as tar:
        offset = tar.getmembers()[2].offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(SourceError, match="the tar is damaged"):
        open_source(str(path))


@pytest.mark.parametrize("end", ["tar", "tar.gz"])
def test_empty_tar(end: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="empty"):
        open_source(str(write_tar(tmp_path / f"none.{end}", {})))


def test_later_member_of_one_name_counts_as_in_unpacking(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar", TWO)
    with tarfile.open(path, "a") as tar:
        for seed in (8, 9):
            info = member("sad/0.png")
            info.size = len(png(seed))
            tar.addfile(info, io.BytesIO(png(seed)))
    source = open_source(str(path))
    assert [source.read(f) for f in source.files if f.path == "sad/0.png" and f.ignored is None] == [png(9)]
    assert [f.ignored for f in source.files if f.ignored] == ["replaced by a later member of the same name"] * 2


def test_name_in_a_tar_that_is_not_utf8_can_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        for name in (*TWO, "sad/caf\xe9.png"):
            tar.addfile(member(name))
    assert r"sad/caf\xe9.png" in {f.path for f in open_source(str(path)).files}


@pytest.mark.parametrize("end", ["tar", "tar.xz"])
def test_threads_may_read_a_tar_side_by_side_in_any_order(end: str, tmp_path: Path) -> None:
    files = class_files("happy", "sad", each=20)
    source = open_source(str(write_tar(tmp_path / f"photos.{end}", files)))
    assert read_by_threads(source, backwards=True) == files


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_huge_member_is_an_error_of_that_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(made(kind, tmp_path, TWO | {"sad/9.png": png(9) * 100}))
    monkeypatch.setattr("mien.data.sources.archive.MAX_FILE_BYTES", len(png(9)) * 50)
    for file in source.files:
        if file.path == "sad/9.png":
            with pytest.raises(OSError, match="larger than"):
                source.read(file)
        else:
            assert source.read(file) == TWO[file.path]


def test_nothing_of_a_tar_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    source = open_source(str(write_tar(tmp_path / "photos.tar.gz", TWO)))
    source.read(source.files[0])
    del source
    assert not list((tmp_path / "temporary").iterdir())


def test_no_room_for_a_compressed_tar_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.data.sources.archive.SPARE_BYTES", 2**80)
    with pytest.raises(SourceError, match=r"no room to decompress.*TMPDIR"):
        open_source(str(write_tar(tmp_path / "photos.tar.gz", TWO)))


@pytest.mark.parametrize("name", ["photos.7z", "photos.rar", "photos.tar.zst"])
def test_archives_that_are_not_opened_say_so(name: str, tmp_path: Path) -> None:
    write_files(tmp_path, {name: b"whatever"})
    with pytest.raises(SourceError, match="unpack it and give the folder"):
        open_source(str(tmp_path / name))


def test_archive_alone_in_a_folder_is_opened(tmp_path: Path) -> None:
    write_tar(tmp_path / "photos.tar", TWO)
    write_files(tmp_path, {"README.md": b"about", ".gitattributes": b""})
    source = open_source(str(tmp_path))
    assert labels_of(source) == {name: name.split("/")[0] for name in TWO}
    assert source.name == tmp_path.name


def test_several_archives_in_a_folder_are_told_apart_by_the_user(tmp_path: Path) -> None:
    write_tar(tmp_path / "new.tar", TWO)
    write_zip(tmp_path / "old.zip", {"old/happy/1.png": png(), "old/sad/1.png": png(1)})
    with pytest.raises(SourceError, match=r"holds new\.tar, old\.zip.*give one of them, as in .*::new\.tar"):
        open_source(str(tmp_path))
    assert len(open_source(f"{tmp_path}::old.zip").files) == 2


@pytest.mark.parametrize("columns", [Columns(group_column="person"), Columns(label_column="emotion")])
def test_column_for_a_source_without_columns_is_refused(columns: Columns, kind: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"this is no table; list the photos in a CSV") as error:
        open_source(made(kind, tmp_path, TWO), columns)
    assert "\n" not in str(error.value)


def test_file_of_a_source_is_small_in_memory() -> None:
    assert not hasattr(SourceFile("a", "a"), "__dict__")


def test_listing_folders_loads_neither_tables_nor_clients() -> None:
    code = "import sys, mien.data.sources; print(sorted({'kagglehub', 'huggingface_hub', 'polars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
