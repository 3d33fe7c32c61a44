"""A person's decisions: written by the audit, filled in by hand or in a spreadsheet, applied beside the photos."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mien.data.tables.corrections import COLUMNS, read_corrections
from mien.errors import CorrectionsError
from support.outcomes import Outcome, snapshot
from support.pictures import BLUE, GREEN, RED, class_files, colour_model, encoded, png, write_files

Mien = Callable[..., Outcome]
Rows = list[dict[str, str]]
QUICK = ("--no-check-labels", "--no-faces")

ODD_NAMES = (
    "a, comma.png",
    'two "quotes".png',
    "semi;colon.png",
    "new\nline.png",
    "carriage\rreturn.png",
    "next\x85line.png",
    "paragraph\u2029.png",
    "grinning 😀.png",
    "  spaces  .png",
    "Ünïcödé.png",
    "=1+1.png",
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos of three classes, each of happy's with a copy in the same folder; one file cannot be read."""
    files = class_files("anger", "happy", "sad", each=3)
    files |= {f"happy/copy-{i}.png": files[f"happy/{i}.png"] for i in range(3)}
    return write_files(tmp_path / "photos", files | {"sad/broken.jpg": b"\xff\xd8 no more"})


def audit(mien: Mien, *argv: object) -> Any:
    outcome = mien("audit", *argv, *QUICK, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.json


def complaint(mien: Mien, *argv: object) -> str:
    outcome = mien("audit", *argv, *QUICK)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    return outcome.complaint


def found(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def filled_in(rows: Sequence[Mapping[str, str]], path: Path, **changes: Any) -> Path:
    """Write rows of a table as a spreadsheet would; ``changes`` are of the dialect, ``columns`` and ``encoding``."""
    encoding = changes.pop("encoding", "utf-8")
    text = io.StringIO()
    writer = csv.DictWriter(text, changes.pop("columns", COLUMNS), extrasaction="ignore", restval="", **changes)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def decide(photos: Path, decisions: Mapping[str, str], path: Path, **changes: Any) -> Path:
    """A table that decides on photos of a folder by their paths."""
    rows = [
        {
            "action": action,
            "source": photos.name,
            "path": name,
            "sha256": hashlib.sha256((photos / name).read_bytes()).hexdigest(),
        }
        for name, action in decisions.items()
    ]
    return filled_in(rows, path, **changes)


# -- there and back ---------------------------------------------------------------------------------------------------


def test_a_table_that_was_not_filled_in_changes_nothing(mien: Mien, photos: Path, tmp_path: Path) -> None:
    first = audit(mien, photos, "--out", tmp_path / "f.csv")
    rows = found(tmp_path / "f.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [row["action"] for row in rows] == [""] * len(rows)
    assert len(rows) == first["data"]["findings"] == 3  # the copies
    assert first["paths"]["findings"] == str(tmp_path / "f.csv")
    again = audit(mien, photos, "--corrections", tmp_path / "f.csv")
    assert again["data"] | {"corrections": None} == first["data"]


def test_decisions_are_counted_and_the_photos_left_as_they_are(mien: Mien, photos: Path, tmp_path: Path) -> None:
    before, contents = snapshot(photos), [path.read_bytes() for path in sorted(photos.rglob("*.*"))]
    first = audit(mien, photos, "--out", tmp_path / "f.csv")["data"]
    rows = found(tmp_path / "f.csv")
    for row, action in zip(rows, ("drop", "Relabel  to  sad", "KEEP"), strict=True):
        row["action"] = action
    table = filled_in(rows, tmp_path / "f.csv")
    data = audit(mien, photos, "--corrections", table)["data"]
    assert data["files"] == data["images"] + data["unreadable"] + data["dropped"] == first["files"]
    assert (data["dropped"], data["relabelled"], data["unreadable"]) == (1, 1, 1)
    assert data["classes"] == {"anger": 3, "happy": 4, "sad": 4}
    assert first["classes"] == {"anger": 3, "happy": 6, "sad": 3}
    assert data["exact_duplicate_groups"] == 2  # the third copy was dropped
    assert data["conflicting_labels"] == 1  # the second now contradicts its copy
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    assert data["corrections"] == {"file": str(table), "sha256": sha256}
    assert snapshot(photos) == before
    assert [path.read_bytes() for path in sorted(photos.rglob("*.*"))] == contents


def test_what_was_dropped_is_said_on_the_terminal(mien: Mien, photos: Path, tmp_path: Path) -> None:
    table = decide(photos, {"sad/0.png": "drop"}, tmp_path / "f.csv")
    assert (
        "13 files = 11 images + 1 unreadable + 1 dropped" in mien("audit", photos, "--corrections", table, *QUICK).out
    )


@pytest.mark.parametrize("action", ["drop", "DROP", " Drop ", "\tdrop"])
def test_drop_in_any_spelling(mien: Mien, photos: Path, tmp_path: Path, action: str) -> None:
    table = decide(photos, {"sad/0.png": action}, tmp_path / "f.csv", quoting=csv.QUOTE_ALL)
    assert audit(mien, photos, "--corrections", table)["data"]["dropped"] == 1


@pytest.mark.parametrize("action", ["relabel to anger", "RELABEL TO anger", "  Relabel   to\tanger "])
def test_relabel_in_any_spelling(mien: Mien, photos: Path, tmp_path: Path, action: str) -> None:
    table = decide(photos, {"sad/0.png": action}, tmp_path / "f.csv")
    assert audit(mien, photos, "--corrections", table)["data"]["classes"] == {"anger": 4, "happy": 6, "sad": 2}


@pytest.mark.parametrize("action", ["", " ", "keep", "Keep ", "relabel to sad"])
def test_what_changes_nothing(mien: Mien, photos: Path, tmp_path: Path, action: str) -> None:
    table = decide(photos, {"sad/0.png": action}, tmp_path / "f.csv")
    data = audit(mien, photos, "--corrections", table)["data"]
    assert (data["dropped"], data["relabelled"], data["images"]) == (0, 0, 12)


def test_a_class_name_with_spaces_is_kept_as_it_is(mien: Mien, tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("not  sure", "sad", each=3))
    table = decide(root, {"sad/0.png": "relabel to not  sure"}, tmp_path / "f.csv")
    assert audit(mien, root, "--corrections", table)["data"]["classes"] == {"not  sure": 4, "sad": 2}


SPREADSHEETS: dict[str, dict[str, Any]] = {
    "semicolons": {"delimiter": ";"},
    "tabs": {"delimiter": "\t"},
    "byte order mark": {"encoding": "utf-8-sig"},
    "semicolons, mark and CRLF": {"delimiter": ";", "encoding": "utf-8-sig", "lineterminator": "\r\n"},
    "CR": {"lineterminator": "\r"},
    "all quoted": {"quoting": csv.QUOTE_ALL},
    "reordered": {"columns": tuple(reversed(COLUMNS))},
    "more columns": {"columns": ("remark; mine", *COLUMNS, "who")},
    "fewer columns": {"columns": ("sha256", "path", "source", "action")},
}


@pytest.mark.parametrize("kind", SPREADSHEETS)
def test_spreadsheets_write_it_in_many_ways(mien: Mien, photos: Path, tmp_path: Path, kind: str) -> None:
    decisions = {"sad/0.png": "drop", "happy/1.png": "relabel to anger"}
    table = decide(photos, decisions, tmp_path / "f.csv", **SPREADSHEETS[kind])
    data = audit(mien, photos, "--corrections", table)["data"]
    assert (data["dropped"], data["relabelled"]) == (1, 1)


@pytest.mark.parametrize("dialect", [{}, {"delimiter": ";", "lineterminator": "\r\n", "encoding": "utf-8-sig"}])
def test_odd_names_come_back(mien: Mien, tmp_path: Path, dialect: dict[str, Any]) -> None:
    """Each has a copy in the other class, so that the audit lists it; the table decides on every one."""
    files = {f"{label}/{name}": png(i) for i, name in enumerate(ODD_NAMES) for label in ("happy", "sad")}
    root = write_files(tmp_path / "set", files | class_files("happy", "sad", each=1, first_seed=90))
    try:
        for label in ("happy", "sad"):
            Path(os.fsdecode(os.fsencode(root / label) + b"/caf\xe9.png")).write_bytes(png(50))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 names only")
    audit(mien, root, "--out", tmp_path / "f.csv")
    rows = found(tmp_path / "f.csv")
    assert len(rows) == 2 * (len(ODD_NAMES) + 1)
    assert "caf\\xe9.png" in {row["path"].split("/")[1] for row in rows}
    for row in rows:
        row["action"] = "drop" if row["label"] == "sad" else "relabel to sad"
    data = audit(mien, root, "--corrections", filled_in(rows, tmp_path / "g.csv", **dialect))["data"]
    assert (data["dropped"], data["relabelled"]) == (len(rows) // 2, len(rows) // 2)
    assert data["conflicting_labels"] == 0


@pytest.mark.parametrize("name", ["line\nbreak.png", "return\rin it.png", "separator\u2028.png", "next\x85.png"])
def test_names_of_several_lines_in_a_table_of_photos_come_back(mien: Mien, tmp_path: Path, name: str) -> None:
    """A table may name files that no folder listing shows like this."""
    files = class_files("happy", "sad", each=3)
    root = write_files(tmp_path / "set", files | {name: files["sad/0.png"]})
    with (root / "all.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("path", "label"), (name, "happy"), *((path, path.split("/")[0]) for path in files)])
    source = f"{root}::all.csv"
    audit(mien, source, "--out", tmp_path / "f.csv")
    rows = found(tmp_path / "f.csv")
    rows[0]["action"] = "drop"
    assert {row["path"] for row in rows} == {name, "sad/0.png"}
    by_hand = (tmp_path / "f.csv").read_bytes().replace(b"\r\n,", b"\r\ndrop,", 1)
    (tmp_path / "f.csv").write_bytes(by_hand)
    for path in (filled_in(rows, tmp_path / "g.csv"), tmp_path / "f.csv"):
        assert audit(mien, source, "--corrections", path)["data"]["dropped"] == 1, path.name


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ({"sad/0.png": "delete"}, ("line 2", "'delete'", "keep, drop, or relabel to CLASS")),
        ({"sad/0.png": "keep", "sad/1.png": "relabel to"}, ("line 3", "'relabel to'", "relabel to CLASS")),
        ({"sad/0.png": "relabel to joy"}, ("line 2", "no class 'joy'", "anger, happy, sad")),
        ({"sad/0.png": "relabel to Sad"}, ("line 2", "no class 'Sad'", "anger, happy, sad")),
    ],
)
def test_actions_that_are_none(
    mien: Mien, photos: Path, tmp_path: Path, decisions: dict[str, str], words: tuple[str, ...]
) -> None:
    said = complaint(mien, photos, "--corrections", decide(photos, decisions, tmp_path / "f.csv"))
    assert [word for word in (*words, "f.csv") if word not in said] == []


def test_a_photo_that_is_not_there(mien: Mien, photos: Path, tmp_path: Path) -> None:
    table = decide(photos, {"sad/0.png": "drop", "sad/1.png": "drop"}, tmp_path / "f.csv")
    (photos / "sad" / "1.png").unlink()
    said = complaint(mien, photos, "--corrections", table)
    assert "line 3" in said
    assert "'sad/1.png'" in said


def test_a_table_of_another_set(mien: Mien, photos: Path, tmp_path: Path) -> None:
    other = write_files(tmp_path / "others", class_files("happy", "sad"))
    said = complaint(mien, photos, "--corrections", decide(other, {"sad/0.png": "drop"}, tmp_path / "f.csv"))
    assert "line 2" in said
    assert "'others'" in said


@pytest.mark.parametrize("content", [png(77), b"no picture any more"])
def test_a_photo_that_has_changed(mien: Mien, photos: Path, tmp_path: Path, content: bytes) -> None:
    table = decide(photos, {"sad/0.png": "drop"}, tmp_path / "f.csv")
    (photos / "sad" / "0.png").write_bytes(content)
    said = complaint(mien, photos, "--corrections", table)
    assert "line 2" in said
    assert "has changed since the audit" in said


def test_two_decisions_on_one_photo(mien: Mien, photos: Path, tmp_path: Path) -> None:
    (row,) = found(decide(photos, {"sad/0.png": "drop"}, tmp_path / "f.csv"))
    said = complaint(
        mien, photos, "--corrections", filled_in([row, row | {"action": "relabel to happy"}], tmp_path / "f.csv")
    )
    assert "lines 2 and 3" in said
    assert "sad/0.png" in said
    assert len(read_corrections(filled_in([row, row], tmp_path / "f.csv")).entries) == 1  # said twice is no quarrel


NO_TABLES = {
    "empty": b"",
    "no header": b"drop,,,,photos,sad/0.png,ab\n",
    "other columns": b"path,label\nsad/0.png,sad\n",
    "a photo": png(3),
    "UTF-16": "action\tsource\tpath\tsha256\n".encode("utf-16"),
    "one endless line": b"action,source,path,sha256\n" + b"x" * 200_000,
    "a quote that is not closed": b'action,source,path,sha256\n"drop,photos,sad/0.png,ab\n,photos,sad/1.png,ab\n',
    "zeros": b"\0" * 100,
}


@pytest.mark.parametrize("kind", NO_TABLES)
def test_what_is_no_such_table(mien: Mien, photos: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "f.csv").write_bytes(NO_TABLES[kind])
    said = complaint(mien, photos, "--corrections", tmp_path / "f.csv")
    assert "f.csv" in said
    assert "mien audit --out" in said
    assert len(said) < 400


def test_a_table_that_is_not_there_is_said_before_the_photos_are_opened(mien: Mien, tmp_path: Path) -> None:
    said = complaint(mien, tmp_path / "nothing", "--corrections", tmp_path / "missing.csv")
    assert "missing.csv" in said
    assert "No such file" in said
    said = complaint(mien, tmp_path / "nothing", "--corrections", tmp_path)
    assert "directory" in said


@pytest.mark.parametrize("action", ["drop", "relabel to happy"])
def test_a_class_left_without_photos(mien: Mien, photos: Path, tmp_path: Path, action: str) -> None:
    table = decide(photos, {f"sad/{i}.png": action for i in range(3)}, tmp_path / "f.csv")
    said = complaint(mien, photos, "--corrections", table)
    assert "'sad'" in said
    assert "no image" in said
    assert "corrections" in said


def test_an_error_of_the_reader_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("action,source,path,sha256\n\n,s,a,1\nburn,s,b,2\n", encoding="utf-8")
    with pytest.raises(CorrectionsError, match=r"f\.csv, line 4: unknown action 'burn'"):
        read_corrections(tmp_path / "f.csv")


# -- where it is written ----------------------------------------------------------------------------------------------


def test_out_never_overwrites_and_says_so_before_the_work(
    mien: Mien, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*args: object, **kwargs: object) -> None:
        raise AssertionError("the photos were read first")

    (tmp_path / "f.csv").write_bytes(b"my decisions")
    monkeypatch.setattr("mien.auditing.run.prepare", read)
    said = complaint(mien, photos, "--out", tmp_path / "f.csv")
    assert "exists already" in said
    assert (tmp_path / "f.csv").read_bytes() == b"my decisions"
    assert "nowhere" in complaint(mien, photos, "--out", tmp_path / "nowhere" / "f.csv")


def test_the_table_stands_alone_and_whole(mien: Mien, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    audit(mien, photos, "--out", tmp_path / "out" / "f.csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["f.csv"]


def test_contradictions_come_first(mien: Mien, photos: Path, tmp_path: Path) -> None:
    (photos / "anger" / "also.png").write_bytes((photos / "sad" / "2.png").read_bytes())
    audit(mien, photos, "--out", tmp_path / "f.csv")
    rows = found(tmp_path / "f.csv")
    assert [row["findings"] for row in rows] == ["two_labels"] * 2 + ["copy"] * 3
    assert rows[0]["details"] == "same picture as photos/sad/2.png"
    assert [row["label"] for row in rows[:2]] == ["anger", "sad"]


def test_findings_of_a_set_that_needs_no_look(mien: Mien, tmp_path: Path) -> None:
    root = write_files(tmp_path / "set", class_files("happy", "sad", each=3))
    data = audit(mien, root, "--out", tmp_path / "f.csv")["data"]
    assert data["findings"] == 0
    assert (tmp_path / "f.csv").read_text(encoding="utf-8").split() == [",".join(COLUMNS)]


# -- other commands ---------------------------------------------------------------------------------------------------


def test_evaluate_applies_and_records_them(mien: Mien, tmp_path: Path) -> None:

    colours = {"anger": RED, "fear": GREEN, "sad": BLUE}
    files = {f"{label}/1.png": encoded(Image.new("RGB", (48, 48), colour)) for label, colour in colours.items()}
    root = write_files(tmp_path / "set", files | {"sad/2.png": encoded(Image.new("RGB", (40, 48), RED))})
    model = colour_model(tmp_path / "model.onnx")
    table = decide(root, {"sad/2.png": "relabel to anger"}, tmp_path / "f.csv")
    outcome = mien("evaluate", model, root, "--json")
    assert outcome.json["target"]["shared"]["accuracy"] == 3 / 4
    assert outcome.json["corrections"] is None
    outcome = mien("evaluate", model, root, "--corrections", table, "--json")
    assert outcome.json["target"]["shared"]["accuracy"] == 1
    assert outcome.json["target"]["data"]["relabelled"] == 1
    assert outcome.json["corrections"] == {"file": str(table), "sha256": hashlib.sha256(table.read_bytes()).hexdigest()}
    refused = mien("evaluate", model, root, root, "--corrections", table)
    assert refused.code == 2
    assert "one set" in refused.complaint
