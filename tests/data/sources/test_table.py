"""Tables say what photos show: every row becomes a file with its label, or a row with its reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mien.data.sources import Source, open_images, open_source
from mien.errors import SourceError
from mien.settings.columns import Columns
from support.pictures import png, write_files

ROWS = [("a.png", "happy"), ("b.png", "sad"), ("more/c.png", "sad")]
FILES = {name: png(seed) for seed, (name, _) in enumerate(ROWS)}
KINDS = ("csv", "tsv", "jsonl", "parquet")


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """Write a table of the kind that its name says."""
    frame = pl.DataFrame(columns, strict=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path)
        case ".jsonl":
            frame.write_ndjson(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case _:
            frame.write_csv(path)
    return path


def embedded(
    path: Path, images: Sequence[Any], *, labels: Sequence[Any], names: Sequence[str] = (), **more: Any
) -> Path:
    """Write images into Parquet as Hugging Face's library does, with names for the integers of the label."""
    feature = {"_type": "ClassLabel", "names": list(names)} if names else {"_type": "Value", "dtype": "int64"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": feature}}})}
    frame = pl.DataFrame({"image": images, "label": labels}, schema_overrides={"image": IMAGE})
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, metadata=metadata, **more)
    return path


IMAGE = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def cell(content: bytes | None, name: str | None = None) -> dict[str, bytes | str | None]:
    return {"bytes": content, "path": name}


def with_photos(folder: Path, text: str, name: str = "labels.csv") -> str:
    """A CSV of this text beside the photos of ``FILES``."""
    write_files(folder, FILES | {name: text.encode()})
    return str(folder / name)


def taken(source: Source) -> dict[str, str | None]:
    return {f.path: f.label for f in source.files if f.ignored is None}


def reasons(source: Source) -> dict[str, str]:
    return {f.path: f.ignored for f in source.files if f.ignored is not None}


def complaint(spec: str, columns: Columns | None = None) -> str:
    """The one line with which a source is refused."""
    with pytest.raises(SourceError) as error:
        open_source(spec, columns or Columns())
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("path", "label"), [("path", "label"), ("File_Name", "Emotion"), ("image path", "CLASS")])
def test_usual_columns_are_recognised(kind: str, path: str, label: str, tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    columns: dict[str, list[Any]] = {"id": [7, 8, 9], path: [r[0] for r in ROWS], label: [r[1] for r in ROWS]}
    source = open_source(str(write_table(tmp_path / f"faces.{kind}", columns)))
    assert taken(source) == dict(ROWS)
    assert [source.read(f) for f in source.files] == list(FILES.values())
    assert source.name == "faces"
    assert source.labels == ("happy", "sad")
    assert not source.is_divided


@pytest.mark.parametrize("kind", KINDS)
def test_columns_asked_for_by_name(kind: str, tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    columns: dict[str, list[Any]] = {
        "path": ["x", "x", "x"],
        "where": [r[0] for r in ROWS],
        "shown": [r[1] for r in ROWS],
        "who": ["ann", "bob", None],
        "part": ["Train", "TEST", "train"],
    }
    asked = Columns(path_column="where", label_column="shown", group_column="who", split_column="part")
    source = open_source(str(write_table(tmp_path / f"faces.{kind}", columns)), asked)
    assert taken(source) == dict(ROWS)
    assert [f.group for f in source.files] == ["ann", "bob", None]
    assert [f.split for f in source.files] == ["train", "test", "train"]


@pytest.mark.parametrize("column", ["group", "session", "age"])
def test_group_is_never_guessed(column: str, tmp_path: Path) -> None:
    spec = with_photos(tmp_path, f"path,label,{column}\na.png,happy,1\nb.png,sad,2\n")
    assert {f.group for f in open_source(spec).files} == {None}
    assert [f.group for f in open_source(spec, Columns(group_column=column)).files] == ["1", "2"]


@pytest.mark.parametrize("kind", KINDS)
def test_integer_labels_stay_as_text(kind: str, tmp_path: Path) -> None:
    source = open_source(str(write_table(tmp_path / f"t.{kind}", {"path": ["a", "b"], "label": [0, 10]})))
    assert [f.label for f in source.files] == ["0", "10"]


def test_cells_of_a_csv_are_taken_as_they_stand(tmp_path: Path) -> None:
    source = open_source(with_photos(tmp_path, 'path,label\n"x, 1.png",01\n007, very happy \n'))
    assert taken(source) == {"x, 1.png": "01", "007": "very happy"}


@pytest.mark.parametrize(
    "text", ["path;label\na.png;happy\nb.png;sad\n", "\ufeffpath,label\r\na.png,happy\r\nb.png,sad\r\n"]
)
def test_csv_as_spreadsheets_write_it(text: str, tmp_path: Path) -> None:
    assert taken(open_source(with_photos(tmp_path, text))) == {"a.png": "happy", "b.png": "sad"}


def test_table_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    for kind in KINDS:
        spec = write_table(tmp_path / f"set [1]*.{kind}", {"path": ["a.png", "b.png"], "label": ["x", "y"]})
        assert len(open_source(str(spec)).files) == 2


def test_missing_column_lists_the_columns_there_are(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,age\na.png,happy,3\nb.png,sad,4\n")
    assert "no column 'person'; its columns are: path, label, age" in complaint(spec, Columns(group_column="person"))
    spec = with_photos(tmp_path, "what,label\na.png,happy\n")
    assert "its columns are: what, label; name one with --path-column" in complaint(spec)
    spec = with_photos(tmp_path, "path,mood\na.png,happy\n")
    assert "its columns are: path, mood; name one with --label-column" in complaint(spec)


def test_two_usual_columns_are_in_doubt(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,emotion\na.png,1,happy\nb.png,2,sad\n")
    assert "label, emotion could each be the label; say which with --label-column" in complaint(spec)
    assert open_source(spec, Columns(label_column="emotion")).labels == ("happy", "sad")


def test_paths_start_at_the_folder_of_the_table(tmp_path: Path) -> None:
    write_files(tmp_path, {"photos/a.png": png(1), "elsewhere/b.png": png(2)})
    rows = {"path": ["../photos/a.png", str(tmp_path / "elsewhere/b.png"), "./c.png", r"..\photos\a.png"]}
    source = open_source(str(write_table(tmp_path / "lists" / "t.csv", rows | {"label": ["x", "y", "x", "y"]})))
    assert [source.read(source.files[i]) for i in (0, 1, 3)] == [png(1), png(2), png(1)]
    assert source.files[2].path == "c.png"


@pytest.mark.parametrize(
    "path", ["gone.png", "no/such/folder.png", "a.png/b", "n" * 300, "https://example.org/a.png", "a\0b"]
)
def test_path_that_leads_nowhere_is_an_error_of_that_file_alone(path: str, tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    table = write_table(tmp_path / "t.parquet", {"path": [path, "a.png", "b.png"], "label": ["x", "x", "y"]})
    source = open_source(str(table))
    assert len(taken(source)) == 3
    with pytest.raises(OSError, match=r"No such file|Not a directory|too long|web address|null"):
        source.read(source.files[0])
    assert source.read(source.files[1]) == FILES["a.png"]


def test_rows_without_path_or_label_are_ignored_with_a_reason(tmp_path: Path) -> None:
    source = open_source(with_photos(tmp_path, 'path,label\na.png,happy\n,sad\nb.png,\nmore/c.png,"  "\nd.png,sad\n'))
    assert taken(source) == {"a.png": "happy", "d.png": "sad"}
    assert reasons(source) == {
        "labels.csv, row 2": "no path in this row",
        "b.png": "no label in this row",
        "more/c.png": "no label in this row",
    }


def test_row_that_repeats_another_is_ignored_and_one_that_contradicts_it_is_kept(tmp_path: Path) -> None:
    source = open_source(with_photos(tmp_path, "path,label\na.png,happy\nb.png,sad\n./a.png,happy\na.png,sad\n"))
    assert taken(source) == {"a.png": "happy", "b.png": "sad", "a.png (labels.csv, row 4)": "sad"}
    assert reasons(source) == {"a.png (labels.csv, row 3)": "repeats an earlier row"}
    assert source.read(source.files[3]) == FILES["a.png"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_listed_once_under_a_path_of_its_own(kind: str, tmp_path: Path) -> None:
    columns = {"path": ["a", "a", None, "a", None, "b"], "label": ["x", "x", "x", "y", None, None]}
    source = open_source(str(write_table(tmp_path / f"t.{kind}", columns)))
    assert len({f.path for f in source.files}) == len(source.files) == 6


@pytest.mark.parametrize("column", ["split", "Usage", "set"])
def test_split_column_is_recognised_by_name_and_values(column: str, tmp_path: Path) -> None:
    text = f"path,label,{column}\na.png,happy,Training\nb.png,sad,validation\nmore/c.png,sad,TEST\nd.png,sad,\n"
    source = open_source(with_photos(tmp_path, text))
    assert [f.split for f in source.files][:3] == ["train", "val", "test"]
    assert reasons(source) == {"d.png": "no split in this row"}


def test_column_with_other_values_is_no_split(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,set\na.png,happy,blue\nb.png,sad,red\n")
    assert not open_source(spec).is_divided
    assert "holds blue, red; expected train, val and test alone" in complaint(spec, Columns(split_column="set"))


def test_split_column_with_some_other_values_is_refused(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,Usage\na.png,happy,Training\nb.png,sad,Extra\n")
    assert "holds Extra, Training; expected train, val and test alone" in complaint(spec)


def test_splits_without_train_are_refused(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,split\na.png,happy,val\nb.png,sad,test\n")
    assert "without train" in complaint(spec)


def test_one_split_alone_divides_nothing(tmp_path: Path) -> None:
    source = open_source(with_photos(tmp_path, "path,label,split\na.png,happy,test\nb.png,sad,test\n"))
    assert not source.is_divided


def test_part_of_a_table_is_a_split(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,split\na.png,happy,train\nb.png,sad,test\nmore/c.png,happy,test\n")
    source = open_source(f"{spec}::test")
    assert taken(source) == {"b.png": "sad", "more/c.png": "happy"}
    assert source.name == "labels-test"
    assert not source.is_divided
    assert len(open_images(f"{spec}::test").files) == 2
    assert "no split 'valid' in the table; there are: test, train" in complaint(f"{spec}::valid")


def test_table_of_pixels_says_what_to_do(tmp_path: Path) -> None:
    assert "64 values or more" in complaint(with_photos(tmp_path, "emotion,pixels,Usage\n0,70 80 82,Training\n"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b""),
        ("t.csv", b"path,label\n"),
        ("t.csv", "path,label\nä.png,happy\n".encode("latin-1")),
        ("t.csv", b"path,label\na,b,c,d\n"),
        ("t.csv", b'path,label\n"a,b\n'),
        ("t.csv", bytes(range(256))),
        ("t.jsonl", b""),
        ("t.jsonl", b'{"path":"a","label":"b"}\n{"path":\n'),
        ("t.jsonl", b'[{"path":"a","label":"b"}]'),
        ("t.jsonl", b"hello"),
        ("t.parquet", b"PAR1" + b"x" * 100),
        ("t.parquet", b"PAR1" + b"x" * 100 + b"PAR1"),
        ("t.parquet", b"no parquet"),
    ],
)
def test_damaged_table_is_named_in_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    write_files(tmp_path, {name: content})
    assert name in complaint(str(tmp_path / name))


def test_column_of_lists_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", {"path": ["a", "b"], "label": [["x"], ["y", "z"]]})
    assert "'label' holds List" in complaint(str(table))


@pytest.mark.parametrize("labels", [["happy", "happy"], [None, None]])
def test_table_with_fewer_than_two_labels(labels: list[str | None], tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", {"path": ["a", "b"], "label": labels})
    assert "only one class, 'happy'" in complaint(str(table)) or "no row with a label" in complaint(str(table))


def test_images_of_a_table_without_labels_can_be_predicted(tmp_path: Path) -> None:
    source = open_images(with_photos(tmp_path, "path\na.png\nb.png\n"))
    assert [source.read(f) for f in source.files] == [FILES["a.png"], FILES["b.png"]]
    source = open_images(with_photos(tmp_path, "x\na.png\nb.png\n"), Columns(path_column="x"))
    assert len(source.files) == 2


def test_table_beside_photos_without_class_folders_is_pointed_at(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label\na.png,happy\nb.png,sad\n")
    folder = str(Path(spec).parent)
    hint = f"give that, as in {folder}::labels.csv"
    assert hint in complaint(folder)
    assert taken(open_source(f"{folder}::labels.csv")) == {"a.png": "happy", "b.png": "sad"}


IMAGES = [png(seed) for seed in range(8)]


@pytest.mark.parametrize("group_size", [2, 100])
def test_images_inside_parquet(group_size: int, tmp_path: Path) -> None:
    cells = [cell(image, f"{i}.png") for i, image in enumerate(IMAGES)]
    labels = [0, 1] * 4
    path = embedded(tmp_path / "faces.parquet", cells, labels=labels, names=["happy", "sad"], row_group_size=group_size)
    source = open_source(str(path))
    assert [f.path for f in source.files] == [f"faces.parquet/{i}" for i in range(1, 9)]
    assert [f.label for f in source.files] == ["happy", "sad"] * 4
    assert [source.read(f) for f in source.files] == IMAGES


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    path = embedded(tmp_path / "faces.data", [cell(i) for i in IMAGES], labels=[0, 1] * 4)
    assert open_source(str(path)).labels == ("0", "1")


def test_bare_bytes_in_a_column(tmp_path: Path) -> None:
    pl.DataFrame({"image": IMAGES, "label": list("xyxyxyxy")}).write_parquet(tmp_path / "t.parquet")
    source = open_source(str(tmp_path / "t.parquet"))
    assert [source.read(f) for f in source.files] == IMAGES


def test_label_that_has_no_name_is_no_label(tmp_path: Path) -> None:
    cells = [cell(i) for i in IMAGES[:4]]
    path = embedded(tmp_path / "t.parquet", cells, labels=[0, 1, -1, 7], names=["happy", "sad"])
    assert reasons(open_source(str(path))) == dict.fromkeys(["t.parquet/3", "t.parquet/4"], "no label in this row")


@pytest.mark.parametrize("metadata", ["", "no json", "[]", '{"info": null}', '{"info": {"features": {"label": 3}}}'])
def test_integers_without_names_stay_as_text(metadata: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"image": IMAGES[:2], "label": [0, 1]})
    frame.write_parquet(tmp_path / "t.parquet", metadata={"huggingface": metadata})
    assert open_source(str(tmp_path / "t.parquet")).labels == ("0", "1")


def test_cell_without_bytes_names_a_file_beside_the_table(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.png": png(1)})
    cells = [cell(None, "a.png"), cell(None, "../a.png"), cell(None, "/etc/passwd"), cell(None), cell(b"")]
    source = open_source(str(embedded(tmp_path / "t.parquet", cells, labels=[0, 1, 0, 1, 0])))
    assert source.read(source.files[0]) == png(1)
    assert source.read(source.files[4]) == b""
    for file in source.files[1:4]:
        with pytest.raises(OSError, match="no image in this row"):
            source.read(file)


def test_damage_inside_parquet_is_an_error_of_the_images_there(tmp_path: Path) -> None:
    cells = [cell(image * 200) for image in IMAGES]
    path = embedded(tmp_path / "t.parquet", cells, labels=[0, 1] * 4, row_group_size=1, compression="uncompressed")
    content = bytearray(path.read_bytes())
    at = content.find(IMAGES[0])
    content[at - 60 : at] = b"\xff" * 60
    path.write_bytes(content)
    source = open_source(str(path))
    with pytest.raises(OSError, match="damaged in the Parquet file"):
        source.read(source.files[0])


def test_threads_may_read_embedded_images_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.data.sources.embedded.BLOCK_BYTES", 4000)
    images = [png(seed) for seed in range(40)]
    source = open_source(str(embedded(tmp_path / "t.parquet", [cell(i) for i in images], labels=[0, 1] * 20)))
    found: dict[int, bytes] = {}

    def read(start: int) -> None:
        for i in reversed(range(start, 40, 4)):
            found[i] = source.read(source.files[i])

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(40)] == images


def test_reading_images_keeps_only_a_few_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.data.sources.embedded import BLOCKS_KEPT, EmbeddedColumn, EmbeddedImages

    monkeypatch.setattr("mien.data.sources.embedded.BLOCK_BYTES", 8000)
    path = embedded(
        tmp_path / "t.parquet", [cell(png(i)) for i in range(60)], labels=[0, 1] * 30, compression="uncompressed"
    )
    images = EmbeddedImages([EmbeddedColumn(path, "image", 60)])
    for row in range(60):
        images.read(0, row)
    kept = images._blocks
    assert len(kept) == BLOCKS_KEPT
    assert sum(len(cells) for cells in kept.values()) < 20


@pytest.mark.parametrize(
    "files", [("train", "test"), ("train-00000-of-00002-ab", "train-00001-of-00002-cd", "validation-0", "test-0")]
)
@pytest.mark.parametrize("folder", ["", "data/"])
def test_parquet_files_of_a_folder_are_one_divided_set(files: tuple[str, ...], folder: str, tmp_path: Path) -> None:
    wanted = {"train": "train", "test": "test", "validation": "val"}
    for name in files:
        embedded(tmp_path / f"{folder}{name}.parquet", [cell(i) for i in IMAGES], labels=[0, 1] * 4, names=["x", "y"])
    write_files(tmp_path, {"README.md": b"about", ".gitattributes": b""})
    source = open_source(str(tmp_path))
    assert len(taken(source)) == 8 * len(files)
    assert all(f.split == wanted[f.path.removeprefix(folder).split("-")[0].split(".")[0]] for f in source.files)
    assert [source.read(f) for f in source.files] == IMAGES * len(files)
    assert len(open_source(f"{tmp_path}::test").files) == 8


def test_shards_without_a_split_are_one_set(tmp_path: Path) -> None:
    for name in ("0000.parquet", "0001.parquet"):
        embedded(tmp_path / name, [cell(i) for i in IMAGES], labels=[0, 1] * 4)
    source = open_source(str(tmp_path))
    assert len(source.files) == 16
    assert not source.is_divided


def test_split_folders_of_tables(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_table(tmp_path / "default" / split / "list.csv", {"path": ["a.png", "b.png"], "label": ["x", "y"]})
    source = open_source(str(tmp_path))
    assert [f.split for f in source.files] == ["test", "test", "train", "train"]
    assert source.files[0].path == "default/test/a.png"


def test_several_sets_of_tables_are_told_apart_by_the_user(tmp_path: Path) -> None:
    for name in ("raw", "cropped"):
        embedded(tmp_path / name / "train-0.parquet", [cell(i) for i in IMAGES], labels=[0, 1] * 4)
    assert "holds several sets of tables: cropped, raw" in complaint(str(tmp_path))
    source = open_source(f"{tmp_path}::raw")
    assert len(source.files) == 8
    assert source.name == f"{tmp_path.name}-raw"


@pytest.mark.parametrize("names", [("labels.csv", "boxes.csv"), ("train.csv", "sample.csv")])
def test_tables_that_are_no_splits_are_told_apart_by_the_user(names: tuple[str, str], tmp_path: Path) -> None:
    for name in names:
        write_table(tmp_path / name, {"path": ["a.png", "b.png"], "label": ["x", "y"]})
    assert f"::{min(names)}" in complaint(str(tmp_path))
    assert len(open_source(f"{tmp_path}::{names[0]}").files) == 2


def test_a_photo_in_two_splits_is_listed_in_both(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}.csv", {"path": ["a.png", "b.png"], "label": ["x", "y"]})
    both = open_source(str(tmp_path))
    assert [f.path for f in both.files if f.location == "a.png"] == ["a.png", "a.png (train.csv, row 1)"]
    assert not reasons(both)


def test_a_photo_of_two_people_is_listed_with_both(tmp_path: Path) -> None:
    spec = with_photos(tmp_path, "path,label,who\na.png,happy,ann\na.png,happy,bob\nb.png,sad,bob\na.png,happy,ann\n")
    source = open_source(spec, Columns(group_column="who"))
    assert [f.group for f in source.files if f.ignored is None] == ["ann", "bob", "bob"]
