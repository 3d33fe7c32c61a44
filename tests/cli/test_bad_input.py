"""Bad input: one line that says what, where and what to do, exit 2, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from mien.data.reading.intake import inspect_together, take_in
from mien.data.reading.pixels import PixelWriter
from mien.data.reading.preprocess import View
from mien.data.sources import open_source
from mien.data.tables.manifest import SCHEMA
from mien.demo import draw_face
from support import gallery
from support.drawn_sets import draw_set, zipped
from support.gallery import Planted
from support.outcomes import Outcome, snapshot
from support.pictures import detector
from support.processes import run
from support.studies import Study

Mien = Callable[..., Outcome]
QUICK = ("--recipe", "scratch", "--size", "32", "--epochs", "1", "--out", "out")


@pytest.fixture
def refused(mien: Mien, tmp_path: Path) -> Callable[..., str]:
    """Run a command that must be refused and leave everything as it was; gives the line it says."""

    def call(*argv: object) -> str:
        before = snapshot(tmp_path)
        outcome = mien(*argv)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert snapshot(tmp_path) == before, "something was left behind"
        return outcome.complaint

    return call


def two_classes(root: Path, count: int = 4) -> Path:
    """A set too small to train on, large enough to look right."""
    return draw_set(root, {"happy": "happy", "sad": "sad"}, count)


@pytest.mark.parametrize("name", ["audit", "train", "study"])
def test_no_such_path(refused: Callable[..., str], name: str) -> None:
    said = refused(name, "nowhere/photos")
    assert "nowhere/photos" in said
    assert "no such file or folder" in said
    assert "give" in said


def test_no_such_target_is_seen_before_anything_is_read(refused: Callable[..., str], small_set: Path) -> None:
    said = refused("study", small_set, "--target", "nowhere.zip", *QUICK)
    assert "nowhere.zip" in said
    assert "no such" in said


def test_empty_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("audit", "study"):
        said = refused(name, "empty")
        assert "empty" in said
        assert "expected" in said


def test_folders_without_files(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "set" / "happy").mkdir(parents=True)
    (tmp_path / "set" / "sad").mkdir()
    assert "set" in refused("study", "set")


def test_photos_without_class_folders(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for i in range(3):
        draw_face("sad", i + 1).save(tmp_path / "set" / f"{i}.png")
    said = refused("study", "set")
    assert "class" in said
    assert "expected one folder per class" in said


def test_no_such_part(refused: Callable[..., str], small_set: Path) -> None:
    said = refused("audit", f"{small_set}::nothing")
    assert "'nothing'" in said
    assert "anger, happy, sad" in said


def test_one_class_only(refused: Callable[..., str], tmp_path: Path) -> None:
    draw_set(tmp_path / "set", {"happy": "happy"}, 4)
    said = refused("study", "set")
    assert "only one class, 'happy'" in said
    assert "at least two" in said


@pytest.mark.parametrize("count", [1, 2])
def test_class_with_fewer_photos_than_splits(refused: Callable[..., str], tmp_path: Path, count: int) -> None:
    two_classes(tmp_path / "set", 8)
    draw_set(tmp_path / "few", {"fear": "fear"}, count)
    shutil.move(tmp_path / "few" / "fear", tmp_path / "set" / "fear")
    (tmp_path / "few").rmdir()
    for name in ("train", "study"):
        said = refused(name, "set", *QUICK)
        assert f"class 'fear' has {count} usable photo" in said
        assert "add photos" in said


def test_nothing_of_a_nested_out_folder_is_left(refused: Callable[..., str], tmp_path: Path) -> None:
    two_classes(tmp_path / "set", 1)
    refused("train", "set", *QUICK[:-1], "results/2031/out")


def test_an_empty_out_folder_of_the_user_stays(refused: Callable[..., str], tmp_path: Path) -> None:
    two_classes(tmp_path / "set", 1)
    (tmp_path / "out").mkdir()
    refused("train", "set", *QUICK)


def test_class_whose_files_are_all_unreadable(refused: Callable[..., str], tmp_path: Path) -> None:
    two_classes(tmp_path / "set")
    (tmp_path / "set" / "fear").mkdir()
    (tmp_path / "set" / "fear" / "a.jpg").write_text("not a picture", encoding="utf-8")
    for argv in (("audit", "set"), ("study", "set", *QUICK)):
        said = refused(*argv)
        assert "class 'fear'" in said
        assert "no image that can be used" in said


def test_set_whose_files_are_all_unreadable(refused: Callable[..., str], tmp_path: Path) -> None:
    for label in ("happy", "sad"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "a.jpg").write_bytes(b"\xff\xd8\xff")
    said = refused("study", "set", *QUICK)
    assert "none of its 2 files" in said
    assert "happy/a.jpg" in said


def test_file_that_is_neither_photo_nor_zip(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    assert "notes.txt" in refused("study", "notes.txt")


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def broken_directory(content: bytes) -> bytes:
    at = content.index(b"PK\x01\x02")
    return content[:at] + b"PK\x09\x09" + content[at + 4 :]


@pytest.mark.parametrize("damage", [cut_short, broken_directory, lambda content: b"no zip at all"])
def test_damaged_zip(refused: Callable[..., str], tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = zipped(two_classes(tmp_path / "set"), tmp_path / "photos.zip")
    path.write_bytes(damage(path.read_bytes()))
    for argv in (("study", "photos.zip", *QUICK), ("audit", "photos.zip")):
        said = refused(*argv)
        assert "photos.zip" in said
        assert "damaged" in said
        assert "download it again" in said


def test_encrypted_zip(refused: Callable[..., str], tmp_path: Path) -> None:
    path = zipped(two_classes(tmp_path / "set"), tmp_path / "photos.zip")
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            (flags,) = struct.unpack_from("<H", content, at + offset)
            struct.pack_into("<H", content, at + offset, flags | 1)
            at = content.find(signature, at + 4)
    path.write_bytes(content)
    said = refused("study", "photos.zip", *QUICK)
    assert "photos.zip" in said
    assert "encrypted" in said
    assert "give the folder" in said


@pytest.mark.parametrize("member", ["../evil.png", "happy/../../evil.png", "/tmp/evil.png"])
def test_zip_that_points_outside(refused: Callable[..., str], tmp_path: Path, member: str) -> None:
    path = zipped(two_classes(tmp_path / "set"), tmp_path / "photos.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, b"evil")
    for argv in (("study", "photos.zip", *QUICK), ("audit", "photos.zip")):
        said = refused(*argv)
        assert member in said
        assert "outside" in said
    assert not (tmp_path.parent / "evil.png").exists()


def text_file(folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_text("weights", encoding="utf-8")
    return path


def folder_without_model(folder: Path) -> Path:
    (folder / "run").mkdir()
    (folder / "run" / "config.toml").write_text("name = 'x'", encoding="utf-8")
    return folder / "run"


def foreign_onnx(folder: Path) -> Path:
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "other.onnx"))
    return folder / "other.onnx"


def foreign_contract(folder: Path) -> Path:
    path = foreign_onnx(folder)
    model = onnx.load(str(path))
    model.metadata_props.add(key="mien", value='{"format": 1, "labels": ["a", "b"]}')
    onnx.save(model, str(path))
    return path


def spoilt_results(folder: Path) -> Path:
    (folder / "study" / "runs" / "scratch").mkdir(parents=True)
    (folder / "study" / "runs" / "scratch" / "model.onnx").write_bytes(b"")
    (folder / "study" / "results.json").write_text('{"selected": ', encoding="utf-8")
    return folder / "study"


@pytest.mark.parametrize(
    "make",
    [
        text_file,
        folder_without_model,
        foreign_onnx,
        foreign_contract,
        spoilt_results,
        lambda folder: folder / "nothing",
    ],
)
def test_model_that_is_none(
    refused: Callable[..., str], tmp_path: Path, small_target: Path, make: Callable[[Path], Path]
) -> None:
    model = make(tmp_path)
    photo = small_target / "Angry" / "Angry-00.png"
    for argv in (("evaluate", model, small_target), ("predict", photo, "--model", model)):
        said = refused(*argv)
        assert str(model) in said
        assert "give" in said or "train again" in said or "run" in said


def test_target_that_shares_no_class_is_refused_before_anything_is_read(
    refused: Callable[..., str], mien: Mien, tmp_path: Path, small_set: Path
) -> None:
    draw_set(tmp_path / "other", {"neutral": "neutral", "surprise": "surprise"}, 2)
    said = refused("study", small_set, "--target", "other", *QUICK)
    assert "no class is shared" in said
    assert "neutral, surprise" in said
    assert "Rename" in said
    assert "files/s" not in mien("study", small_set, "--target", "other", *QUICK).err


def test_target_that_shares_no_class_with_the_model(
    refused: Callable[..., str], tmp_path: Path, small_study: Study
) -> None:
    draw_set(tmp_path / "other", {"neutral": "neutral", "surprise": "surprise"}, 2)
    assert "no class is shared" in refused("evaluate", small_study.folder, "other")


@pytest.mark.parametrize("name", ["train", "study"])
def test_out_folder_that_exists(refused: Callable[..., str], tmp_path: Path, small_set: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    said = refused(name, small_set, *QUICK)
    assert "out: exists already" in said
    assert "--resume" in said
    assert "--out" in said


def test_out_that_is_a_file(refused: Callable[..., str], tmp_path: Path, small_set: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    assert "out" in refused("train", small_set, *QUICK)
    assert "out" in refused("train", small_set, *QUICK, "--resume")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a place where nobody can write")
def test_out_that_cannot_be_written(refused: Callable[..., str], small_set: Path) -> None:
    said = refused("train", small_set, *QUICK[:-1], "/proc/mien")
    assert "/proc/mien" in said
    assert "another --out" in said


def test_resume_in_a_folder_that_holds_no_study(refused: Callable[..., str], tmp_path: Path, small_set: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    said = refused("study", small_set, *QUICK, "--resume")
    assert "no study to resume" in said
    assert "--out" in said


@pytest.mark.parametrize("change", [("--seed", "7"), ("--epochs", "9"), ("--split", "80/10/10"), ("--target", "demo")])
def test_resume_with_other_settings(
    refused: Callable[..., str], small_study: Study, study_command: tuple[str, ...], change: tuple[str, str]
) -> None:
    before = snapshot(small_study.folder)
    option, value = change
    if option in study_command:
        at = study_command.index(option)
        argv = (*study_command[: at + 1], value, *study_command[at + 2 :])
    else:
        argv = (*study_command, option, value)
    said = refused(*argv, "--out", small_study.folder, "--resume")
    assert "other settings" in said
    assert "study.toml" in said
    assert snapshot(small_study.folder) == before


OPTIONS_REFUSED = {
    ("--recipe", "magic"): ("magic", "probe", "scratch", "notebook"),
    ("--split", "50/50"): ("50/50", "70/15/15"),
    ("--split", "70/20/20"): ("70/20/20", "100"),
    ("--split", "90/10/0"): ("90/10/0", "positive"),
    ("--epochs", "0"): ("--epochs 0", "more than 0"),
    ("--epochs", "-3"): ("--epochs -3", "more than 0"),
    ("--epochs", "few"): ("--epochs", "few"),
    ("--updates", "0"): ("--updates 0", "more than 0"),
    ("--seconds", "0"): ("--seconds 0", "more than 0"),
    ("--seconds", "nan"): ("--seconds nan",),
    ("--seconds", "inf"): ("--seconds inf",),
    ("--size", "8"): ("--size 8", "32"),
    ("--size", "0"): ("--size 0", "32"),
    ("--size", "-64"): ("--size -64", "32"),
    ("--seed", "-1"): ("--seed -1",),
    ("--seed", str(10**30)): ("--seed",),
    ("--augment", "foo"): ("--augment foo", "none", "notebook"),
    ("--precision", "fp8"): ("--precision", "fp8", "fp32", "bf16"),
    ("--device", "tpu"): ("--device", "tpu", "cpu", "cuda"),
    ("--split-method", "coin"): ("--split-method", "coin", "grouped", "series", "naive"),
    ("--recipes", "scratch"): ("--recipes", "--help"),
}


@pytest.mark.parametrize(("option", "words"), OPTIONS_REFUSED.items(), ids=" ".join)
def test_option_refused(
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    small_set: Path,
    option: tuple[str, str],
    words: tuple[str, ...],
) -> None:
    def read_nothing(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"{' '.join(option)} was taken")

    monkeypatch.setattr("mien.stages.prepare", read_nothing)
    defaults = [word for word in ("--recipe", "scratch") if option[0] != "--recipe"]
    said = refused("train", small_set, *defaults, "--out", "out", *option)
    for word in words:
        assert word in said


def test_cuda_where_there_is_none(refused: Callable[..., str], small_set: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    said = refused("train", small_set, *QUICK, "--device", "cuda")
    assert "no CUDA device" in said
    assert "--device cpu" in said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("study",), ("DATA",)),
        (("train",), ("DATA",)),
        (("audit",), ("DATA",)),
        (("evaluate",), ("MODEL",)),
        (("evaluate", "model.onnx"), ("DATA",)),
        (("predict",), ("SOURCES",)),
        (("predict", "photo.jpg", "--model"), ("--model",)),
        (("paint",), ("paint", "study")),
        (("audit", "demo", "--quiet"), ("--quiet",)),
    ],
    ids=" ".join,
)
def test_words_missing_or_unknown(refused: Callable[..., str], argv: tuple[str, ...], words: tuple[str, ...]) -> None:
    said = refused(*argv)
    for word in words:
        assert word in said


def test_predict_refuses_a_missing_photo_before_it_prints(refused: Callable[..., str], small_study: Study) -> None:
    photo = small_study.target / "Angry" / "Angry-00.png"
    assert "gone.jpg: no such" in refused("predict", photo, "gone.jpg", "--model", small_study.folder)


@pytest.mark.parametrize("argv", [("audit", "nowhere"), ("study",), ("train", "demo", "--speed", "9")], ids=" ".join)
def test_refusals_look_the_same_from_a_shell(tmp_path: Path, argv: tuple[str, ...]) -> None:
    outcome = run(tmp_path, *argv)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == outcome.complaint + "\n"
    assert list(tmp_path.iterdir()) == []


MACHINE_TALK = re.compile(
    r"0x[0-9a-f]{4}|[<>\[\]{}]|Errno|Error|Exception|BytesIO|PIL|Traceback|\bNone\b|tmp/|/home|\n"
)


def follow(planted: Planted) -> Planted:
    """What becomes of a link in a tar."""
    link = "link inside the archive; links are not followed"
    return planted if planted.link is None else replace(planted, ignored=True, reason=link)


def hung(kind: str, folder: Path) -> tuple[Path, Sequence[Planted]]:
    """The gallery as a folder, a zip or a tar, with what must become of each file."""
    if kind == "zip":
        planted = gallery.whole_set()
        return gallery.in_zip(folder / "gallery.zip", planted), planted
    if kind == "tar":
        planted = [*gallery.whole_set(), *gallery.links()]
        return gallery.in_tar(folder / "gallery.tar.gz", planted), [follow(file) for file in planted]
    planted = [*gallery.whole_set(), *gallery.only_in_a_folder()]
    return gallery.in_folder(folder / "gallery", planted), planted


def assert_a_person_understands(reasons: Sequence[str]) -> None:
    for reason in reasons:
        assert 4 < len(reason) < 110, reason
        assert reason.strip(" :") == reason
        assert not MACHINE_TALK.search(reason), reason


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_every_file_of_the_gallery_is_used_or_has_its_reason(kind: str, tmp_path: Path) -> None:
    path, planted = hung(kind, tmp_path)
    source = open_source(str(path))
    with PixelWriter(tmp_path / "pixels", [View("photo", 32)], len(source.files)) as writer:
        table = take_in(source, [View("photo", 32)], writer, detector())
    assert set(SCHEMA) <= set(table.columns)
    came = {row["path"]: row for row in table.iter_rows(named=True)}
    assert len(came) == len(table) == len(planted)
    assert came.keys() == {file.printable for file in planted}
    for file in planted:
        row = came[file.printable]
        assert row["status"] == file.status, row
        assert row["note"] == file.note, row
        assert (row["reason"] or "").startswith(file.reason), row
        assert (row["reason"] is None) == (file.status == "ok"), row
        assert (row["width"] is not None) == (file.status == "ok"), row
    assert_a_person_understands(table["reason"].drop_nulls().to_list())


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_the_command_ends_well_over_the_gallery(kind: str, tmp_path: Path) -> None:
    path, planted = hung(kind, tmp_path)
    outcome = run(tmp_path, "audit", path, "--json", "--no-check-labels")  # or torch is loaded, for half a minute
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    assert "Warning" not in outcome.err
    data = outcome.json["data"]
    expected = {status: [f.printable for f in planted if f.status == status] for status in ("unreadable", "ignored")}
    assert data["files"] == data["images"] + data["unreadable"] + data.get("dropped", 0)
    assert data["files"] + data["ignored"] == len(planted)
    assert sorted(data["unreadable_files"]) == sorted(expected["unreadable"])
    assert sorted(data["ignored_files"]) == sorted(expected["ignored"])
    assert (data["unreadable"], data["ignored"]) == tuple(map(len, expected.values()))
    assert_a_person_understands([*data["unreadable_files"].values(), *data["ignored_files"].values()])


def test_the_gallery_reads_well_on_a_terminal(mien: Mien, tmp_path: Path) -> None:
    """No name of a file may move the cursor, start a new line, or turn the writing around."""
    path, _ = hung("zip", tmp_path)
    said = mien("audit", path, "--no-check-labels").out
    assert "files = " in said
    assert "clears the screen" in said
    assert not [c for c in said if not c.isprintable() and c != "\n"]


def test_photo_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root may read everything, so that a test run by root acts as nobody meanwhile."""
    root = two_classes(tmp_path / "set", 2)
    locked = root / "sad" / "sad-00.png"
    locked.chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # a path from here does not lead through folders that nobody may enter
    source = open_source("set")
    (file,) = (f for f in source.files if f.path == "sad/sad-00.png")
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        row = inspect_together(source, [file], [], detector())[0].row
    finally:
        if is_root:
            os.seteuid(0)
        locked.chmod(0o644)
    assert (row["status"], row["reason"]) == ("unreadable", "Permission denied")


def test_folder_that_may_not_be_listed(monkeypatch: pytest.MonkeyPatch, mien: Mien, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may list everything")
    root = two_classes(tmp_path / "set", 2)
    (root / "sad").chmod(0)
    try:
        said = mien("audit", root).complaint
    finally:
        (root / "sad").chmod(0o755)
    assert "sad" in said
    assert "check its permissions" in said
