"""Tables as people have them: exports, lists, votes, pixels as text, boxes; following advice loses nothing."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mien.data.sources import Source, open_images
from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import own_columns, vote_columns
from mien.data.tables.prepare import prepare
from mien.data.tables.vote_shares import vote_shares
from mien.errors import ConfigError, SourceError
from mien.progress import Silent
from mien.settings.columns import Columns
from support.layouts import CLASSES, all_read, classes_of, counted, face, grid, opened, plant, refusal, used

NAMES = [f"img/{label}{i}.png" for label in CLASSES for i in range(2)]
SAYS = {name: name[4:-5] for name in NAMES}
BODY = "".join(f"{name},{label}\n" for name, label in SAYS.items())


def with_table(root: Path, text: str | bytes, name: str = "labels.csv", photos: list[str] | None = None) -> Path:
    """A table beside photos in ``img/``."""
    plant(root, NAMES if photos is None else photos)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def reasons(source: Source) -> list[str]:
    return [file.ignored for file in source.files if file.ignored is not None]


def manifest_of(spec: Path, **asked: str) -> pl.DataFrame:
    collection = open_collection([str(spec)], Columns(**asked))  # type: ignore[arg-type]
    return prepare([collection], (), None, find_faces=False, progress=Silent()).manifest


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        ("path,label\n" + BODY).encode("utf-16"),
        ("path,label\n" + BODY).encode("utf-16-le"),
        ("\ufeffpath,label\n" + BODY).encode("utf-16-be"),
        ("path\tlabel\n" + BODY.replace(",", "\t")).encode("utf-16"),
        ("sep=;\npath;label\n" + BODY.replace(",", ";")).encode(),
        ("sep=,\r\npath,label\r\n" + BODY.replace("\n", "\r\n")).encode("utf-8-sig"),
        ("path|label\n" + BODY.replace(",", "|")).encode(),
        ('"path","label"\n' + re.sub(r"(.*),(.*)", r'"\1","\2"', BODY)).encode(),
        (" Path , Label \n" + BODY).encode(),
        ("path,label,,\n" + BODY.replace("\n", ",,\n")).encode(),
        ("path,label\n" + BODY).replace("\n", "\r").encode(),
        (" path ; label \n" + re.sub(r"(.*),(.*)", r" \1 ; \2 ", BODY)).encode(),
        ("'path','label'\n" + re.sub(r"(.*),(.*)", r"'\1','\2'", BODY)).encode(),
        ("\n".join(f"{name},{label}" for name, label in SAYS.items()) + "\n").encode(),
        ("\n".join(f"{label};{name}" for name, label in SAYS.items()) + "\n").encode(),
        ("\n".join(f"{i},{name},{label}" for i, (name, label) in enumerate(SAYS.items())) + "\n").encode(),
    ],
)
def test_tables_as_spreadsheets_and_people_write_them(content: bytes, tmp_path: Path) -> None:
    source = opened(with_table(tmp_path, content))
    assert {path.removeprefix("labels/"): label for path, label in classes_of(source).items()} == SAYS
    assert all_read(source)


@pytest.mark.parametrize(
    "name", ["photo", "picture", "Stimulus", "Image_Name", "FileName", "pic", "subDirectory_filePath"]
)
@pytest.mark.parametrize("label", ["emotion", "Expression", "category", "facial_expression"])
def test_usual_names_of_columns_are_known(name: str, label: str, tmp_path: Path) -> None:
    assert classes_of(opened(with_table(tmp_path, f"{name},{label}\n{BODY}"))) == SAYS


@pytest.mark.parametrize("column", ["subject", "participant", "Person_ID", "actor"])
def test_columns_of_persons_are_groups_unless_refused(column: str, tmp_path: Path) -> None:
    rows = "".join(f"{name},{label},{i % 3}\n" for i, (name, label) in enumerate(SAYS.items()))
    spec = with_table(tmp_path, f"path,label,{column}\n{rows}")
    source = opened(spec)
    assert [file.group for file in source.files] == [str(i % 3) for i in range(6)]
    assert f"3 groups from column '{column}'" in source.notes[0]
    assert opened(spec, group_column="none").groups == 0


def test_what_is_no_text_is_called_that(tmp_path: Path) -> None:
    said = refusal(with_table(tmp_path, b"path,label\nimg/sad0.png,s\0ad\n"))
    assert "zero bytes" in said
    assert "header" not in said


def test_a_row_with_too_many_cells_is_named_by_its_line(tmp_path: Path) -> None:
    body = BODY.replace("img/happy0.png,happy", "img/happy0.png,happy,really,so")
    assert "labels.csv, line 4: 4 cells where the first line has 2" in refusal(
        with_table(tmp_path, "path,label\n" + body)
    )
    spec = with_table(tmp_path / "quoted", 'path,label\n"img/anger0.png","an\nger"\n' + BODY + "a,b,c\n")
    assert "line 10" in refusal(spec)


def test_a_table_that_is_not_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    assert "line 8" in refusal(with_table(tmp_path, ("path,label\n" + BODY + "ü.png,sad\n").encode("latin-1")))


@pytest.mark.parametrize("word", ["NaN", "nan", "NA", "N/A", "null", "<NA>"])
def test_what_programs_write_for_nothing_is_no_class(word: str, tmp_path: Path) -> None:
    source = opened(with_table(tmp_path, "path,label\n" + BODY.replace("anger0.png,anger", f"anger0.png,{word}")))
    assert source.labels == CLASSES
    assert reasons(source) == [f"no label in this row, but {word}"]


def test_a_spreadsheet_is_named_with_what_to_do(tmp_path: Path) -> None:
    for name in ("labels.xlsx", "labels.xls", "labels.ods"):
        said = refusal(with_table(tmp_path, b"PK\x03\x04 and so on", name))
        assert "labels.csv" in said
        assert "damaged" not in said
        assert "labels.csv" in refusal(f"{tmp_path}::{name}")


def test_a_table_without_a_header_keeps_its_first_row_also_when_columns_are_asked_for(tmp_path: Path) -> None:
    rows = "".join(f"{i},{name},{label},kiel\n" for i, (name, label) in enumerate(SAYS.items()))
    spec = with_table(tmp_path, rows)
    assert len(used(opened(spec))) == 6
    assert classes_of(opened(spec, path_column="2", label_column="3")) == SAYS
    others = "".join(f"{i},{name},x{i % 2},kiel\n" for i, name in enumerate(SAYS))
    said = refusal(with_table(tmp_path / "two", others))
    assert "--path-column" in said
    assert len(used(opened(tmp_path / "two" / "labels.csv", path_column="2", label_column="3"))) == 6


@pytest.mark.parametrize("others", ["x", "bored stiff", "hapy"])
def test_a_class_of_a_table_that_is_no_word_beside_some_that_are_is_asked_about(others: str, tmp_path: Path) -> None:
    spec = with_table(tmp_path, f"path,label\n{BODY}odd.png,zz{others[:1]}\n")
    said = refusal(spec)
    (column,) = re.findall(r"--label-column (\S+?)[;,]", said)
    assert len(opened(spec, label_column=column).labels) == 4
    assert opened(spec, class_names=f"zz{others[:1]}=sad").labels == CLASSES


def test_more_than_twenty_classes_of_a_table_are_asked_about(tmp_path: Path) -> None:
    spec = with_table(tmp_path, "path,label\n" + "".join(f"{i}.png,c{i}\n" for i in range(21)), photos=[])
    assert "21 classes" in refusal(spec)
    assert len(opened(spec, label_column="label").labels) == 21


# -- splits -----------------------------------------------------------------------------------------------------------


def divided(root: Path, *values: str) -> Path:
    rows = "".join(f"{name},{label},{values[i % len(values)]}\n" for i, (name, label) in enumerate(SAYS.items()))
    return with_table(root, f"image,emotion,Usage\n{rows}")


def test_usual_names_of_splits_are_known(tmp_path: Path) -> None:
    source = opened(divided(tmp_path, "Training", "PublicTest", "PrivateTest"))
    assert [file.split for file in source.files] == ["train", "val", "test"] * 2


def test_other_names_of_splits_are_mapped_or_refused_and_advice_holds(tmp_path: Path) -> None:
    spec = divided(tmp_path, "Training", "Extra", "Testing")
    said = refusal(spec)
    assert "--split-map Extra=train" in said
    assert "--split-column none" in said
    assert {file.split for file in opened(spec, split_map="Extra=train").files} == {"train", "test"}
    assert len(used(opened(spec, split_map="Extra=none"))) == 4
    source = opened(spec, split_column="none")
    assert not source.is_divided
    assert len(used(source)) == 6


@pytest.mark.parametrize("text", ["Extra", "Extra=dev2", "=train"])
def test_a_split_map_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--split-map"):
        opened(divided(tmp_path, "Training", "Extra"), split_map=text)


@pytest.mark.parametrize(
    "names", [("1", "2", "3"), ("T", "V", "V"), ("True", "False", "False"), ("fold1", "fold2", "x")]
)
def test_a_split_column_without_one_split_is_refused_and_advice_holds(names: tuple[str, ...], tmp_path: Path) -> None:
    spec = divided(tmp_path, *names)
    said = refusal(spec)
    assert "--split-column none" in said
    assert len(used(opened(spec, split_column="none"))) == 6
    kept = dict.fromkeys(names, "test") | {names[0]: "train"}
    source = opened(spec, split_map=",".join(f"{name}={split}" for name, split in kept.items()))
    assert {file.split for file in source.files} == {"train", "test"}


def test_columns_that_may_divide_are_told_where_they_do_not(tmp_path: Path) -> None:
    rows = "".join(f"{name},{label},{i % 2 == 0},{'AB'[i % 2]}\n" for i, (name, label) in enumerate(SAYS.items()))
    spec = with_table(tmp_path, "path,label,is_train,set\n" + rows)
    source = opened(spec)
    assert not source.is_divided
    assert any("'set' holds A, B" in note for note in source.notes)
    spec.write_text("path,label,is_train\n" + re.sub(r",[AB]$", "", rows, flags=re.MULTILINE))
    (note,) = [note for note in opened(spec).notes if "is_train" in note]
    words = shlex.split(note.partition(";")[2])
    asked = dict(zip(words[0::2], words[1::2], strict=False))
    source = opened(spec, split_column=asked["--split-column"], split_map=asked["--split-map"])
    assert counted(source)["train", "anger"] == counted(source)["test", "sad"] == 1


# -- where photos are -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        r"C:\Users\ann\Documents\faces\img\{}.png",
        "/home/ann/faces/img/{}.png",
        r"D:\img\{}.png",
        "faces/img/{}.png",
        "img/{}",
        "{}",
        "{}.png",
        "{}.jpg",
        r".\img\{}.png",
        "https://example.org/faces/{}.png",
    ],
)
def test_photos_are_found_by_the_tail_of_their_names(named: str, tmp_path: Path) -> None:
    rows = "".join(f"{named.format(name[4:-4])},{label}\n" for name, label in SAYS.items())
    source = opened(with_table(tmp_path, "path,label\n" + rows))
    assert sorted(file.label or "" for file in used(source)) == sorted(SAYS.values())
    for file in used(source):
        stem = re.split(r"[/\\]", re.sub(r"\.(png|jpg)$", "", file.path))[-1]
        assert source.read(file) == (tmp_path / "img" / f"{stem}.png").read_bytes()


def test_photos_in_folders_of_their_own_are_found_by_name_where_names_are_one(tmp_path: Path) -> None:
    photos = [f"faces/{label}/{label}{i}.png" for label in CLASSES for i in range(2)]
    rows = "".join(f"{name.rpartition('/')[2]},{name.split('/')[1]}\n" for name in photos)
    source = opened(with_table(tmp_path, "path,label\n" + rows, photos=photos))
    assert all(file.location == f"faces/{file.label}/{file.path}" for file in source.files)


def test_photos_that_could_be_in_two_places_are_asked_about_and_advice_holds(tmp_path: Path) -> None:
    plant(tmp_path, [name.replace("img/", "copies/") for name in NAMES])
    rows = "".join(f"{name[4:]},{label}\n" for name, label in SAYS.items())
    spec = with_table(tmp_path, "path,label\n" + rows)
    said = refusal(spec)
    roots = [shlex.split(found)[0] for found in re.findall(r"--root (\S+?)(?:,|$)", said)]
    assert sorted(Path(root).name for root in roots) == ["copies", "img"]
    for root in roots:
        source = opened(spec, root=root)
        assert all(str(Path(file.location).parent) == root for file in source.files)
        assert len(used(source)) == 6
        assert all_read(source)


def test_a_photo_of_another_split_is_never_taken_for_one_that_is_missing(tmp_path: Path) -> None:
    rows = "".join(f"train/{label}{i}.png,{label}\n" for label in CLASSES for i in range(2))
    photos = [f"test/{label}{i}.png" for label in CLASSES for i in range(2)]
    source = opened(with_table(tmp_path, "path,label\n" + rows, photos=photos))
    for file in source.files:
        with pytest.raises(OSError, match="No such file"):
            source.read(file)


def test_a_root_and_an_ending_can_be_given(tmp_path: Path) -> None:
    plant(tmp_path / "elsewhere" / "deep", [f"{label}{i}_face.png" for label in CLASSES for i in range(2)])
    rows = "".join(f"{label}{i},{label}\n" for label in CLASSES for i in range(2))
    spec = with_table(tmp_path / "lists", "image_id,label\n" + rows, photos=[])
    source = opened(spec, root=str(tmp_path / "elsewhere" / "deep"), ending="_face.png")
    assert len(used(source)) == 6
    assert all_read(source)
    with pytest.raises(SourceError, match="no such folder"):
        opened(spec, root=str(tmp_path / "gone"))


def test_missing_photos_say_where_was_looked_and_what_to_do(tmp_path: Path) -> None:
    spec = with_table(tmp_path / "lists", "path,label\n" + BODY, photos=[])
    source = opened(spec)
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "lists"))) as caught:
        source.read(source.files[0])
    assert "--root" in str(caught.value)
    assert "--ending" in str(caught.value)
    with pytest.raises(SourceError, match="--root"):
        manifest_of(spec)


def test_where_photos_were_found_is_said(tmp_path: Path) -> None:
    rows = "".join(f"{name[4:]},{label}\n" for name, label in SAYS.items())
    assert any("img/" in note for note in opened(with_table(tmp_path, "path,label\n" + rows)).notes)


# -- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [" ", "\t", ",", "  ", ";"])
def test_a_list_of_names_and_numbers_is_read(separator: str, tmp_path: Path) -> None:
    photos = [f"Image/aligned/train_{i:05d}_aligned.jpg" for i in range(4)] + [
        f"Image/aligned/test_{i:04d}_aligned.jpg" for i in range(4)
    ]
    lines = "".join(
        f"{name.rpartition('/')[2].replace('_aligned', '')}{separator}{1 + i % 4}\n" for i, name in enumerate(photos)
    )
    plant(tmp_path, {name: face(seed=i, kind="JPEG") for i, name in enumerate(photos)})
    spec = with_table(tmp_path, lines, "EmoLabel/list_patition_label.txt", photos=[])
    for given in (spec, f"{tmp_path}::EmoLabel/list_patition_label.txt"):
        source = opened(given, layout="rafdb")
        assert source.labels == ("disgust", "fear", "happy", "surprise")
        assert counted(source)["train", "surprise"] == 1
        assert all_read(source)
    said = refusal(tmp_path)
    assert f"{tmp_path}::EmoLabel/list_patition_label.txt" in said
    assert "damaged" not in said
    assert opened(spec, class_names="1=a,2=b,3=c,4=d").labels == ("a", "b", "c", "d")


def test_a_text_that_is_no_list_is_no_table(tmp_path: Path) -> None:
    spec = with_table(tmp_path, "Please cite our paper.\nAll rights reserved, of course.\n", "readme.txt")
    assert "list of photos" in refusal(spec)


# -- pixels as text ---------------------------------------------------------------------------------------------------


def pixel_rows(n: int = 14) -> list[tuple[int, np.ndarray]]:
    draw = np.random.default_rng(1)
    return [(i % 7, draw.integers(0, 256, (48, 48), dtype=np.uint8)) for i in range(n)]


@pytest.mark.parametrize(
    "header", ["emotion,pixels,Usage", "emotion, pixels, Usage", "emotion,Usage,pixels", "emotion,pixels"]
)
def test_pixels_as_text_are_photos_with_fer2013s_classes(header: str, tmp_path: Path) -> None:
    rows = pixel_rows()
    usage = ("Training", "PublicTest", "PrivateTest")
    lines = [header]
    for i, (label, image) in enumerate(rows):
        cells = {"emotion": str(label), "pixels": " ".join(map(str, image.ravel())), "Usage": usage[i % 3]}
        lines.append(",".join(cells[name.strip()] for name in header.split(",")))
    source = opened(with_table(tmp_path, "\n".join(lines), "fer2013.csv", photos=[]))
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert [file.label for file in source.files] == [names[label] for label, _ in rows]
    for file, (_, image) in zip(source.files, rows, strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(source.read(file)))), image)
    assert {file.split for file in source.files} == ({"train", "val", "test"} if "Usage" in header else {None})


def test_a_column_a_pixel_and_numbers_of_another_set(tmp_path: Path) -> None:
    rows = pixel_rows()
    lines = ["label," + ",".join(f"pixel{i}" for i in range(48 * 48))]
    lines += [f"{label + 3}," + ",".join(map(str, image.ravel())) for label, image in rows]
    source = opened(with_table(tmp_path, "\n".join(lines), "faces.csv", photos=[]))
    assert source.labels == tuple("3456789")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(source.read(source.files[3])))), rows[3][1])
    assert any("--class-names" in note for note in source.notes)


def test_photos_as_text_of_any_length_and_below_a_line_of_separators(tmp_path: Path) -> None:
    """The reader of the standard library refuses cells of more than 128 KB."""
    large = np.random.default_rng(1).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    text = " ".join(map(str, large.ravel()))
    assert len(text) > 131_072
    for start, sign, around in (("", ",", ""), ("sep=;\n", ";", '"'), ("", "\t", '"')):
        lines = [sign.join(("note", "emotion", "pixels"))]
        lines += [sign.join((f'"a{sign} ""b"""', str(i), f"{around}{text}{around}")) for i in range(3)]
        source = opened(with_table(tmp_path, start + "\n".join(lines), "p.csv", photos=[]))
        assert source.labels == ("angry", "disgust", "fear")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(source.read(source.files[2])))), large)
        assert source.own is not None
        assert source.own["own.note"].to_list() == [f'a{sign} "b"'] * 3


def test_photos_as_text_that_are_not_read_are_refused_by_their_cause(tmp_path: Path) -> None:
    text = " ".join(map(str, range(64)))
    body = "emotion,pixels,Usage\n" + f"0,{text},Training\n1,{text},PublicTest\n"
    frame = pl.DataFrame({"emotion": [0, 1], "pixels": [text, text]})
    frame.write_parquet(tmp_path / "p.parquet")
    frame.write_ndjson(tmp_path / "p.jsonl")
    said = {
        "names the columns": with_table(tmp_path, body.partition("\n")[2], "bare.csv", photos=[]),
        "UTF-8": with_table(tmp_path, body.encode("utf-16"), "wide.csv", photos=[]),
        "old Macs": with_table(tmp_path, body.replace("\n", "\r"), "mac.csv", photos=[]),
        "from CSV": tmp_path / "p.parquet",
        "as text are read": tmp_path / "p.jsonl",
    }
    for words, spec in said.items():
        assert words in refusal(spec)


def test_pixels_that_make_no_photo_are_a_reason_for_their_row(tmp_path: Path) -> None:
    good = " ".join(map(str, range(64)))
    rows = [f"0,{good}", f"1,{good} 7", f"1,{good}", f"0,{good.replace('63', '999')}", f"0,{good.replace('63', 'x')}"]
    source = opened(with_table(tmp_path, "emotion,pixels\n" + "\n".join(rows), "p.csv", photos=[]))
    assert source.read(source.files[0])[:4] == b"\x89PNG"
    for row in (1, 3, 4):
        with pytest.raises(OSError, match="pixels"):
            source.read(source.files[row])


def test_several_files_of_pixels_are_one_divided_set(tmp_path: Path) -> None:
    text = " ".join(map(str, range(64)))
    for name in ("train.csv", "test.csv"):
        with_table(tmp_path, "emotion,pixels\n" + "".join(f"{i},{text}\n" for i in range(3)), name, photos=[])
    source = opened(tmp_path)
    assert counted(source) == {(s, label): 1 for s in ("train", "test") for label in ("angry", "disgust", "fear")}
    assert all_read(source)


# -- votes ------------------------------------------------------------------------------------------------------------

VOTED = {
    "img/anger0.png": (0, 0, 8, 1, 1),
    "img/anger1.png": (5, 5, 0, 0, 0),
    "img/happy0.png": (1, 9, 0, 0, 0),
    "img/happy1.png": (0, 0, 2, 7, 1),
    "img/sad0.png": (6, 0, 4, 0, 0),
    "img/sad1.png": (0, 0, 0, 0, 0),
}
EXPECTED = {"img/anger0.png": "anger", "img/happy0.png": "happiness", "img/sad0.png": "neutral"}


@pytest.mark.parametrize("kind", ["counts", "shares", "commas"])
def test_a_column_a_class_holds_votes(kind: str, tmp_path: Path) -> None:
    def written(votes: tuple[int, ...]) -> str:
        if kind == "counts":
            return ",".join(map(str, votes))
        if kind == "shares":
            return ",".join(f"{v / max(1, sum(votes)):.3f}" for v in votes)
        return ",".join(f'"{v / 10:.1f}"'.replace(".", ",") for v in votes)

    rows = "".join(f"Training,{name},{written(votes)}\n" for name, votes in VOTED.items())
    spec = with_table(tmp_path, "Usage,Image name,neutral,happiness,anger,unknown,NF\n" + rows, "fer2013new.csv")
    source = opened(spec)
    assert classes_of(source) == EXPECTED
    assert sorted(re.sub(r"[\d.]+", "n", reason) for reason in reasons(source)) == [
        "a tie of votes: neutral n and happiness n",
        "most votes are for 'unknown', which is no expression",
        "no votes",
    ]
    assert classes_of(opened(spec, votes="majority")) == EXPECTED
    manifest = manifest_of(spec)
    assert list(vote_columns(manifest)) == ["neutral", "happiness", "anger", "unknown", "NF"]
    row = manifest.row(by_predicate=pl.col("path") == "img/anger0.png", named=True)
    total = sum(row[column] for column in vote_columns(manifest).values())
    assert row[vote_columns(manifest)["anger"]] / total == pytest.approx(0.8)
    assert row["label"] == "anger"
    assert own_columns(manifest) == {"Usage": "own.Usage"}


@pytest.mark.parametrize(
    "pattern", ["emotion_{}", "is_{}", "{}_count", "{} (votes)", "Emotion: {}", "votes.{}", "label-{}-share"]
)
@pytest.mark.parametrize("values", [("9", "1"), ("True", "False"), ("0.8", "0.1")])
def test_what_all_columns_of_votes_bear_is_no_part_of_a_class(
    pattern: str, values: tuple[str, str], tmp_path: Path
) -> None:
    head = ",".join(["photo", *map(pattern.format, CLASSES)])
    rows = [",".join([name, *(values[label != c] for c in CLASSES)]) for name, label in SAYS.items()]
    source = opened(with_table(tmp_path, "\n".join([head, *rows])))
    assert classes_of(source) == SAYS
    assert source.own is not None
    assert set(vote_columns(source.own)) == set(CLASSES)


def test_votes_for_a_class_that_another_source_spells_otherwise_count_for_that(tmp_path: Path) -> None:
    plant(tmp_path / "lab", [f"{label}/{i}.png" for label in ("angry", "happy") for i in range(2)])
    votes = "image,anger,happiness\n" + "".join(f"{name},{4 * (i % 3 == 0)},{3}\n" for i, name in enumerate(NAMES))
    specs = [str(tmp_path / "lab"), str(with_table(tmp_path / "web", votes))]
    collection = open_collection(specs)
    manifest = prepare([collection], (), None, find_faces=False, progress=Silent()).manifest
    assert collection.labels == ("angry", "happy")
    assert set(vote_columns(manifest)) == {"angry", "happy"}
    shares = vote_shares(manifest, collection.labels)
    assert shares is not None
    assert shares[manifest["source"].to_numpy() == "labels"].sum(0) == pytest.approx([2 * 4 / 7, 4 + 2 * 3 / 7])
    assert shares[manifest["source"].to_numpy() == "lab"].tolist() == [[1, 0]] * 2 + [[0, 1]] * 2


def test_a_column_of_votes_is_refused_as_the_label(tmp_path: Path) -> None:
    rows = "".join(f"{name},{','.join(map(str, votes))}\n" for name, votes in VOTED.items())
    spec = with_table(tmp_path, "image,neutral,happiness,anger,unknown,NF\n" + rows)
    assert "counts votes" in refusal(spec, Columns(label_column="neutral"))


def test_one_column_a_class_with_a_single_one_is_its_class(tmp_path: Path) -> None:
    rows = "".join(f"{name},{','.join(str(int(label == c)) for c in CLASSES)}\n" for name, label in SAYS.items())
    assert classes_of(opened(with_table(tmp_path, "filename, anger, happy, sad\n" + rows))) == SAYS


def test_a_column_a_rater_holds_votes_also_of_numbers(tmp_path: Path) -> None:
    votes = [("0", "0", "1"), ("0", "1", ""), ("1", "1", "1"), ("2", "1", "2"), ("2", "2", ""), ("", "", "")]
    rows = "".join(f"{name},{','.join(vote)}\n" for name, vote in zip(NAMES, votes, strict=True))
    spec = with_table(tmp_path, "path,rater1,rater2,rater3\n" + rows)
    source = opened(spec, class_names="0=anger,1=happy,2=sad")
    assert [file.label for file in source.files] == ["anger", None, "happy", "sad", "sad", None]
    assert reasons(source) == ["a tie of votes: anger 1 and happy 1", "no votes"]


@pytest.mark.parametrize("who", ["rater", "annotator", "participant", "coder"])
def test_a_row_a_rating_becomes_a_row_a_photo(who: str, tmp_path: Path) -> None:
    said = {"img/anger0.png": "aah", "img/anger1.png": "ah", "img/happy0.png": "hhh", "img/sad0.png": "ssa"}
    word = {"a": "anger", "h": "happy", "s": "sad"}
    rows = "".join(
        f"{name},{i},{word[letter]},note\n" for name, letters in said.items() for i, letter in enumerate(letters)
    )
    spec = with_table(tmp_path, f"path,{who},label,site\n" + rows)
    source = opened(spec)
    assert classes_of(source) == {"img/anger0.png": "anger", "img/happy0.png": "happy", "img/sad0.png": "sad"}
    assert reasons(source) == ["a tie of votes: anger 1 and happy 1"]
    assert source.groups == 0
    assert len(source.files) == 4
    manifest = manifest_of(spec)
    assert list(vote_columns(manifest)) == list(CLASSES)
    assert own_columns(manifest) == {"site": "own.site"}


@pytest.mark.parametrize("further", ["", ",count", ",votes", ",face_id"])
def test_rows_of_several_classes_a_photo_are_refused_unless_they_are_few(further: str, tmp_path: Path) -> None:
    rows = "".join(f"{name},{label}{further and ',2'}\n" for name in NAMES for label in CLASSES)
    said = refusal(with_table(tmp_path, f"path,label{further}\n" + rows))
    assert "'rater'" in said
    rated = "".join(f"{name},{label},{who}\n" for name, label in SAYS.items() for who in "ab")
    assert classes_of(opened(with_table(tmp_path, "path,label,rater\n" + rated))) == SAYS  # as advised
    source = opened(with_table(tmp_path, "path,label\n" + BODY + f"{NAMES[0]},sad\n"))
    assert len(used(source)) == 7  # of one photo, for the audit to show


def test_votes_of_two_classes_that_get_one_name_add_up_before_they_are_counted(tmp_path: Path) -> None:
    rows = "img/anger0.png,3,3,4\nimg/happy0.png,0,1,9\nimg/sad0.png,0,5,1\n"
    spec = with_table(tmp_path, "path,anger,angry,happy\n" + rows)
    assert [file.label for file in opened(spec).files] == ["happy", "happy", "angry"]
    source = opened(spec, class_names="angry=anger")
    assert [file.label for file in source.files] == ["anger", "happy", "anger"]


def test_columns_of_the_user_travel_through_the_manifest(tmp_path: Path) -> None:
    rows = "".join(f"{name},{label},{i},kiel\n" for i, (name, label) in enumerate(SAYS.items()))
    manifest = manifest_of(with_table(tmp_path, "path,label,age,width\n" + rows))
    assert own_columns(manifest) == {"age": "own.age", "width": "own.width"}
    assert manifest["own.age"].to_list() == [str(i) for i in range(6)]
    assert manifest["own.width"].unique().to_list() == ["kiel"]
    assert manifest["width"].unique().to_list() == [24]


# -- sets with tables or boxes beside their photos --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "_classes.csv"])
def test_metadata_beside_photos_is_one_divided_set(name: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        photos = [f"{split}/a{i}.png" for i in range(6)]
        if name.endswith("jsonl"):
            text = "".join(f'{{"file_name": "a{i}.png", "label": "{CLASSES[i % 3]}"}}\n' for i in range(6))
        elif name == "metadata.csv":
            text = "file_name,label\n" + "".join(f"a{i}.png,{CLASSES[i % 3]}\n" for i in range(6))
        else:
            text = "filename, anger, happy, sad\n" + "".join(
                f"a{i}.png, {', '.join(str(int(i % 3 == k)) for k in range(3))}\n" for i in range(6)
            )
        with_table(tmp_path, text, f"{split}/{name}", photos=photos)
    source = opened(tmp_path)
    assert counted(source) == {(split, label): 2 for split in ("train", "test") for label in CLASSES}
    assert all_read(source)
    assert len(open_images(str(tmp_path)).files) == 14


def test_class_folders_go_before_metadata_beside_them(tmp_path: Path) -> None:
    spec = with_table(
        tmp_path, "file_name,label\nanger/0.png,sad\n", "metadata.csv", grid("{label}/{i}.png", label=CLASSES)
    )
    assert opened(spec.parent).labels == CLASSES


YAMLS = (
    "names: ['anger','happy','sad']",
    "names:\n- anger\n- happy\n- sad\n",
    "names:\n  0: anger\n  1: happy\n  2: sad\nnc: 3\n",
)


@pytest.mark.parametrize("yaml", YAMLS)
@pytest.mark.parametrize("pattern", ["{split}/{kind}/{i}", "{kind}/{split}/{i}"])
def test_boxes_of_a_detection_export_say_the_class(yaml: str, pattern: str, tmp_path: Path) -> None:
    files: dict[str, bytes] = {"data.yaml": yaml.encode(), "README.roboflow.txt": b"exported"}
    for split in ("train", "valid", "test"):
        for i in range(6):
            files[pattern.format(split=split, kind="images", i=i) + ".png"] = face(seed=i)
            files[pattern.format(split=split, kind="labels", i=i) + ".txt"] = f"{i % 3} 0.5 0.5 0.9 0.9\n".encode()
    source = opened(plant(tmp_path, files))
    assert counted(source) == {(split, label): 2 for split in ("train", "val", "test") for label in CLASSES}


def test_photos_with_boxes_of_several_classes_or_none_are_listed(tmp_path: Path) -> None:
    boxes = {
        "a": "0 .5 .5 .9 .9\n0 .1 .1 .1 .1\n",
        "b": "1 .5 .5 .9 .9\n0 .1 .1 .1 .1\n",
        "c": "",
        "d": "1 0.5 0.5 0.9 0.9\n",
    }
    boxes = {name: text.replace(" .", " 0.") for name, text in boxes.items()}
    files: dict[str, bytes] = {"data.yaml": b"names: [anger, happy]"} | {
        f"images/{name}.png": face() for name in (*boxes, "e")
    }
    files |= {f"labels/{name}.txt": text.encode() for name, text in boxes.items()}
    source = opened(plant(tmp_path, files))
    assert classes_of(source) == {"images/a.png": "anger", "images/d.png": "happy"}
    told = {file.path: file.ignored for file in source.files if file.path.startswith("images/") and file.ignored}
    assert len(set(told.values())) == len(told) == 3


@pytest.mark.parametrize(
    "form", [{"train/_annotations.coco.json": b"{}"}, {f"train/{i}.xml": b"<annotation/>" for i in range(4)}]
)
def test_other_forms_of_boxes_are_named(form: Mapping[str, bytes], tmp_path: Path) -> None:
    plant(tmp_path, {f"train/{i}.png": face() for i in range(4)} | dict(form))
    assert "export" in refusal(tmp_path)


def test_boxes_without_names_ask_for_them(tmp_path: Path) -> None:
    files = {f"images/{i}.png": face() for i in range(4)} | {
        f"labels/{i}.txt": f"{i % 2} 0.5 0.5 0.9 0.9".encode() for i in range(4)
    }
    assert "--class-names" in refusal(plant(tmp_path, files))
    assert opened(tmp_path, class_names="0=anger,1=happy").labels == ("anger", "happy")


def test_a_layout_adds_to_a_table_what_no_column_says(tmp_path: Path) -> None:
    photos = grid("{person}/{label}{i}.png", person=("ann", "bob", "eve"), label=CLASSES)
    rows = "".join(f"{name},{re.sub(r'[^a-z]', '', name.split('/')[1][:-5])}\n" for name in photos)
    source = opened(with_table(tmp_path, "path,label\n" + rows, photos=photos), layout="GROUP/*")
    assert {file.group for file in source.files} == {"ann", "bob", "eve"}
    assert source.labels == CLASSES


@pytest.mark.parametrize("kind", ["list", "object"])
def test_json_is_read_as_a_table(kind: str, tmp_path: Path) -> None:
    told = [{"image": n, "label": c, "age": 3} for n, c in SAYS.items()] if kind == "list" else SAYS
    spec = with_table(tmp_path, json.dumps(told), "labels.json")
    assert classes_of(opened(spec)) == SAYS
    assert "no JSON" in refusal(with_table(tmp_path / "other", '{"info": {"year": 2020}}', "coco.json"))


def test_json_of_columns_is_read_as_a_table(tmp_path: Path) -> None:
    names, labels = list(SAYS), list(SAYS.values())
    told: dict[str, object] = {"path": names, "label": labels}
    assert classes_of(opened(with_table(tmp_path, json.dumps(told), "lists.json"))) == SAYS
    told = {"path": dict(zip("abcdef", names, strict=True)), "label": dict(zip("abcdef", labels, strict=True))}
    assert classes_of(opened(with_table(tmp_path, json.dumps(told), "pandas.json"))) == SAYS
    told["label"] = {"a": "sad"}
    assert "no JSON" in refusal(with_table(tmp_path, json.dumps(told), "uneven.json"))


def test_json_lines_as_programs_write_them(tmp_path: Path) -> None:
    lines = [json.dumps({"image": name, "label": label}) for name, label in SAYS.items()]
    for text in ("\ufeff" + "\n".join(lines), "\n\n".join(lines) + "\n\n", "\r\n".join(lines)):
        for encoding in ("utf-8", "utf-16"):
            assert classes_of(opened(with_table(tmp_path, text.encode(encoding), "t.jsonl"))) == SAYS
    for odd in ("{oops", "[1]", "3"):
        said = refusal(with_table(tmp_path, "\n".join([*lines[:3], odd, *lines[3:]]), "t.jsonl"))
        assert "line 4" in said


def test_a_list_of_nothing_but_names_can_be_predicted_and_says_no_classes(tmp_path: Path) -> None:
    for name in ("list.txt", "list.lst", "list.csv"):
        spec = with_table(tmp_path, "".join(f"{photo}\n" for photo in NAMES), name)
        assert [file.path for file in open_images(str(spec)).files] == NAMES
        assert "no classes" in refusal(spec)


def test_labels_that_are_measures_are_no_classes(tmp_path: Path) -> None:
    rows = "".join(f"{name},0.{137 * (i + 1)}\n" for i, name in enumerate(NAMES))
    assert "0.137" in refusal(with_table(tmp_path, "path,label\n" + rows))
    rows = "".join(f"{name},{i % 3}.0\n" for i, name in enumerate(NAMES))
    assert opened(with_table(tmp_path, "path,label\n" + rows)).labels == ("0.0", "1.0", "2.0")


def test_a_class_none_is_told_where_it_counts_as_neutral(tmp_path: Path) -> None:
    for words, n in ((("None", "Sad"), 1), (("None", "Neutral"), 0)):
        rows = "".join(f"{name},{words[i % 2]}\n" for i, name in enumerate(NAMES))
        notes = opened(with_table(tmp_path, "path,label\n" + rows)).notes
        assert sum("counts as neutral" in note for note in notes) == n


def test_a_cell_with_several_classes_is_refused(tmp_path: Path) -> None:
    spec = with_table(tmp_path, 'path,label\nimg/anger0.png,"anger, sad"\nimg/sad0.png,sad\n')
    assert "names several" in refusal(spec)
    assert opened(spec, label_column="label").labels == ("anger, sad", "sad")


def test_tables_of_splits_beside_photos_are_one_divided_set(tmp_path: Path) -> None:
    for k, split in enumerate(("train", "test")):
        rows = "".join(f"img/{label}{k}.png,{label}\n" for label in CLASSES)
        with_table(tmp_path, "filename,emotion\n" + rows, f"{split}.csv")
    source = opened(tmp_path)
    assert counted(source) == {(split, label): 1 for split in ("train", "test") for label in CLASSES}
    assert all_read(source)


def test_tables_whose_names_hold_words_for_splits_are_one_divided_set(tmp_path: Path) -> None:
    for first, second, split in (("train_labels", "val_labels", "val"), ("labels_train", "labels_test", "test")):
        root = tmp_path / first
        for name, half in ((first, 0), (second, 1)):
            rows = "".join(f"{photo},{SAYS[photo]}\n" for photo in NAMES[half::2])
            with_table(root, "path,label\n" + rows, f"{name}.csv")
        assert {part for part, _ in counted(opened(root))} == {"train", split}
        assert len(used(opened(root))) == 6
    other = tmp_path / "other"
    for name in ("a.csv", "b.csv"):
        with_table(other, "path,label\n" + BODY, name)
    said = refusal(other)
    assert "a.csv, b.csv" in said  # which of them, or all


def test_columns_of_valence_are_no_votes_and_shares_in_per_cent_are(tmp_path: Path) -> None:
    rows = "".join(f"{name},0.2,0.4\n" for name in NAMES)
    assert "no column is called" in refusal(with_table(tmp_path, "path,valence,arousal\n" + rows))
    rows = "".join(
        f"{name},{','.join('80%' if label == c else '10%' for c in CLASSES)}\n" for name, label in SAYS.items()
    )
    assert classes_of(opened(with_table(tmp_path, "path,anger,happy,sad\n" + rows))) == SAYS


def test_a_title_above_the_header_is_named(tmp_path: Path) -> None:
    assert "title" in refusal(with_table(tmp_path, "My study,\npath,label\n" + BODY))
