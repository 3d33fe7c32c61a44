"""Tables of answers in the layouts of the tools that write them: what is read, and what is refused with its row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mien.data.answers.tables import AnswerTable, read_answers
from mien.errors import AnswersError
from mien.settings.score import AnswerColumns
from support.outcomes import Outcome
from support.pictures import class_files, write_files

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FEX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def shares(best: int, of: int = 7, scale: float = 1.0) -> list[float]:
    """Probabilities of which one is 0.4 and the others share the rest."""
    return [scale * (0.4 if i == best else 0.6 / (of - 1)) for i in range(of)]


def text(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return str(path)


def told(table: AnswerTable) -> list[tuple[str, str | None]]:
    """The name of each row's photo, and its answer."""
    return [(each.name, None if each.answer is None else table.labels[each.answer]) for each in table.given]


def fex(folder: Path) -> str:
    """py-feat's CSV: a row a face, NaN where there is none, the path last."""
    head = ["frame", "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "AU01", "AU02", "Pitch"]
    rows = [
        [0, 10, 10, 30, 40, 0.99, 0.1, 0.7, 3, *shares(3), "/data/faces/a.jpg"],
        [0, 60, 10, 20, 20, 0.98, 0.3, 0.2, 2, *shares(0), "/data/faces/a.jpg"],
        [1, *["nan"] * 8, *["nan"] * 7, "/data/faces/b.jpg"],
    ]
    lines = [",".join([*head, *FEX, "input"]), *(",".join(map(str, row)) for row in rows)]
    return text(folder / "fex.csv", "\n".join(lines))


def deepface(best: int, **more: object) -> dict[str, object]:
    """What DeepFace.analyze gives for one face, in per cent."""
    region = {"x": 1, "y": 2, "w": 30, "h": 40, "left_eye": None, "right_eye": [3, 4]}
    emotion = dict(zip(SEVEN, shares(best, scale=100), strict=True))
    others = {"age": 31, "gender": {"Woman": 99.2, "Man": 0.8}, "dominant_gender": "Woman", "face_confidence": 0.9}
    return {"emotion": emotion, "dominant_emotion": SEVEN[best], "region": region} | others | more


def fer(best: int, box: tuple[int, int, int, int] = (3, 4, 30, 40)) -> dict[str, object]:
    """What FER.detect_emotions gives for one face, with two digits."""
    return {"box": list(box), "emotions": {name: round(p, 2) for name, p in zip(SEVEN, shares(best), strict=True)}}


def deepface_lists(folder: Path) -> str:
    faces = [{"path": "a.jpg", "result": [deepface(3)]}, {"path": "b.jpg", "result": []}]
    return text(folder / "deepface.json", json.dumps(faces))


def deepface_by_path(folder: Path) -> str:
    return text(folder / "deepface.json", json.dumps({"a.jpg": deepface(3), "b.jpg": {"error": "no face"}}))


def deepface_lines(folder: Path) -> str:
    lines = [{"img_path": "a.jpg"} | deepface(3), {"img_path": "b.jpg", "dominant_emotion": None, "emotion": None}]
    return text(folder / "deepface.jsonl", "\n".join(map(json.dumps, lines)))


def deepface_csv(folder: Path) -> str:
    """As pandas writes a table of its results: dictionaries as Python's text, with NumPy's numbers."""
    row = deepface(3)
    numbers = ", ".join(f"'{name}': np.float32({p})" for name, p in row["emotion"].items())  # type: ignore[attr-defined]
    columns = {"": ["0", "1"], "emotion": ["{" + numbers + "}", ""], "dominant_emotion": ["happy", ""]}
    columns |= {"region": [str(row["region"]), ""], "path": ["a.jpg", "b.jpg"]}
    pl.DataFrame(columns).write_csv(folder / "deepface.csv")
    return str(folder / "deepface.csv")


def deepface_flat(folder: Path) -> str:
    """As ``pandas.json_normalize`` has it."""
    row = {f"emotion.{name}": p for name, p in zip(SEVEN, shares(3, scale=100), strict=True)}
    rows = [{"path": "a.jpg", "dominant_emotion": "happy", "region.w": 9, "region.h": 9} | row, {"path": "b.jpg"}]
    pl.DataFrame(rows).write_parquet(folder / "deepface.parquet")
    return str(folder / "deepface.parquet")


def fer_by_path(folder: Path) -> str:
    return text(folder / "fer.json", json.dumps({"a.jpg": [fer(3), fer(0, (0, 0, 9, 9))], "b.jpg": []}))


def fer_lines(folder: Path) -> str:
    lines = [{"path": "a.jpg", "faces": [fer(3)]}, {"path": "b.jpg", "faces": []}]
    return text(folder / "fer.jsonl", "\n".join(map(json.dumps, lines)))


def fer_csv(folder: Path) -> str:
    emotions = str(fer(3)["emotions"])
    pl.DataFrame({"path": ["a.jpg", "b.jpg"], "box": ["[ 3  4 30 40]", ""], "emotions": [emotions, ""]}).write_csv(
        folder / "fer.csv"
    )
    return str(folder / "fer.csv")


def fer_result_in_a_cell(folder: Path) -> str:
    cell = f"[{{'box': array([ 3,  4, 30, 40], dtype=int32), 'emotions': {fer(3)['emotions']}}}]"
    pl.DataFrame({"file": ["a.jpg", "b.jpg"], "result": [cell, "[]"]}).write_csv(folder / "fer.csv")
    return str(folder / "fer.csv")


def top_emotion(folder: Path) -> str:
    return text(folder / "top.csv", 'path,top_emotion\na.jpg,"(\'happy\', 0.96)"\nb.jpg,"(None, None)"\n')


def percent_with_signs(folder: Path) -> str:
    head = "Bild;" + ";".join(f"{name} (%)" for name in SEVEN)
    row = ";".join(f"{p:.1f}".replace(".", ",") + " %" for p in shares(3, scale=100))
    return text(folder / "answers.csv", f"{head}\na.jpg;{row}\nb.jpg;{';' * 6}\n")


def labels_alone(folder: Path) -> str:
    return text(folder / "answers.tsv", "file name\tprediction\nC:\\x\\a.jpg\thappy\nC:\\x\\b.jpg\tno_face\n")


def name_to_label(folder: Path) -> str:
    return text(folder / "answers.json", json.dumps({"a.jpg": "happy", "b.jpg": None}))


def pandas_columns(folder: Path) -> str:
    columns = {"path": {"0": "a.jpg", "1": "b.jpg"}, "predicted_emotion": {"0": "happy", "1": None}}
    return text(folder / "answers.json", json.dumps(columns))


def pipeline_of_transformers(folder: Path) -> str:
    """A list of classes with their scores for each photo, the likeliest first."""
    ranked = sorted(zip(SEVEN, shares(3), strict=True), key=lambda each: -each[1])
    answers = {"a.jpg": [{"label": name, "score": p} for name, p in ranked], "b.jpg": []}
    return text(folder / "answers.json", json.dumps(answers))


def mien_lines(folder: Path) -> str:
    first: dict[str, object] = {
        "path": "a.jpg",
        "status": "no_face",
        "flags": ["no_face"],
        "label": "happy",
        "face": None,
        "time": None,
    }
    first |= {"probabilities": dict(zip(SEVEN, shares(3), strict=True)), "smoothed": None, "reason": None}
    second = {"path": "b.jpg", "status": "unreadable", "flags": ["unreadable"], "label": None, "probabilities": None}
    return text(folder / "answers.jsonl", "\n".join(map(json.dumps, (first, second))))


@pytest.mark.parametrize(
    ("written", "format"),
    [
        (deepface_lists, "DeepFace"),
        (deepface_by_path, "DeepFace"),
        (deepface_lines, "DeepFace"),
        (deepface_csv, "DeepFace"),
        (deepface_flat, "DeepFace"),
        (fer_lines, "fer"),
        (fer_csv, "fer"),
        (fer_result_in_a_cell, "fer"),
        (top_emotion, "table"),
        (percent_with_signs, "table"),
        (labels_alone, "table"),
        (name_to_label, "table"),
        (pandas_columns, "table"),
        (pipeline_of_transformers, "table"),
        (mien_lines, "mien"),
    ],
)
def test_answers_as_tools_and_people_store_them(written: Callable[[Path], str], format: str, tmp_path: Path) -> None:
    table = read_answers(written(tmp_path), SEVEN)
    assert table.format == format
    assert [(name[-5:], answer) for name, answer in told(table)] == [("a.jpg", "happy"), ("b.jpg", None)]
    if table.probs is not None:
        assert set(table.labels) == set(SEVEN)
        assert dict(zip(table.labels, table.probs[0], strict=True)) == pytest.approx(
            dict(zip(SEVEN, shares(3), strict=True)), abs=0.006
        )
        assert (table.probs[1] == 0).all()


def test_several_faces_come_with_their_size(tmp_path: Path) -> None:
    for written, labels in ((fex, FEX), (fer_by_path, SEVEN)):
        table = read_answers(written(tmp_path), labels)
        assert [each.answer for each in table.given] == [3, 0, None]
        first, second, none = (each.area for each in table.given)
        assert first == 1200
        assert second in (400, 81)
        assert none is None
    assert [each.without_face for each in read_answers(fex(tmp_path), FEX).given] == [False, False, True]


def test_per_cents_are_told_from_probabilities(tmp_path: Path) -> None:
    table = read_answers(deepface_by_path(tmp_path), SEVEN)
    assert table.in_percent
    assert table.probs is not None
    assert table.probs[0].sum() == pytest.approx(1)
    assert not read_answers(fer_lines(tmp_path), SEVEN).in_percent


def test_of_probabilities_rounded_to_the_same_the_label_says_which_is_meant(tmp_path: Path) -> None:
    table = read_answers(text(tmp_path / "a.csv", "path,pred,happy,sad\n1.jpg,sad,0.5,0.5\n"), ("happy", "sad"))
    assert told(table) == [("1.jpg", "sad")]
    assert table.probs is not None
    assert table.probs[0].argmax() == 1


def test_an_empty_list_of_anything_but_faces_says_nothing(tmp_path: Path) -> None:
    line = {"path": "a.jpg", "status": "ok", "flags": [], "label": "happy", "face": [1, 2, 5, 9]}
    table = read_answers(text(tmp_path / "a.jsonl", json.dumps(line)), ("happy",))
    assert [(each.answer, each.area, each.without_face) for each in table.given] == [(0, 28, False)]


def test_the_label_of_miens_own_predictions_is_the_truth_and_not_an_answer(tmp_path: Path) -> None:
    rows = {"path": ["1.jpg"], "label": ["happy"], "split_group": [0], "group_kind": ["pictures"]}
    pl.DataFrame(rows | {"prob_happy": [0.2], "prob_x y": [0.8]}).write_parquet(tmp_path / "predictions.parquet")
    assert told(read_answers(str(tmp_path / "predictions.parquet"), ("happy",))) == [("1.jpg", "x y")]


def test_classes_that_are_no_words_are_known_by_the_photos_or_the_class_map(tmp_path: Path) -> None:
    spec = text(tmp_path / "a.csv", "path,ok,c7\n1.jpg,0.2,0.8\n")
    assert told(read_answers(spec, ("ok", "c7"))) == [("1.jpg", "c7")]
    with pytest.raises(AnswersError):
        read_answers(spec, ("ok",))


def test_columns_can_be_named(tmp_path: Path) -> None:
    spec = text(tmp_path / "a.csv", "where,what,label\n1.jpg,happy,sad\n")
    asked = AnswerColumns(answer_path="where", answer_label="what")
    assert told(read_answers(spec, ("happy",), asked)) == [("1.jpg", "happy")]
    truth = text(tmp_path / "b.csv", "path,label,happy,sad\n1.jpg,sad,0.9,0.1\n")
    assert told(read_answers(truth, (), AnswerColumns(answer_label="none"))) == [("1.jpg", "happy")]
    both = read_answers(text(tmp_path / "c.csv", "path,label,predicted\n1.jpg,sad,happy\n"), ())
    assert told(both) == [("1.jpg", "happy")]
    assert any("'label'" in note for note in both.notes)


PROBS = "path,happy,sad\n"
BROKEN: dict[str, tuple[str, str | bytes]] = {
    "not there": ("", ""),
    "empty": ("a.csv", ""),
    "only a header": ("a.csv", "path,label\n"),
    "no header": ("a.csv", "1.jpg,happy\n2.jpg,sad\n"),
    "no path": ("a.csv", "number,happy,sad\n1,0.5,0.5\n"),
    "no answer": ("a.csv", "path,age\n1.jpg,31\n"),
    "one class alone": ("a.csv", "path,happy\n1.jpg,0.5\n"),
    "two answers": ("a.csv", "path,prediction,predicted_emotion\n1.jpg,happy,sad\n"),
    "two paths": ("a.csv", "file,image,label\n1.jpg,1.jpg,happy\n"),
    "two columns of a class": ("a.csv", "path,happy,prob_happy,sad\n1.jpg,0.5,0.5,0.5\n"),
    "a column twice": ("a.csv", "path,happy,happy,sad\n1.jpg,0.2,0.2,0.8\n"),
    "shares and per cents": ("a.csv", PROBS + "1.jpg,0.5,0.5\n2.jpg,60,40\n"),
    "logits": ("a.csv", PROBS + "1.jpg,2.5,-1.5\n2.jpg,3,1\n"),
    "counts": ("a.csv", PROBS + "1.jpg,7,3\n2.jpg,6,4\n"),
    "negative": ("a.csv", PROBS + "1.jpg,1.2,-0.2\n"),
    "infinite": ("a.csv", PROBS + "1.jpg,inf,0.5\n2.jpg,0.5,0.5\n"),
    "a word among numbers": ("a.csv", PROBS + "1.jpg,0.5,0.5\n2.jpg,high,0.5\n"),
    "a gap": ("a.csv", PROBS + "1.jpg,0.5,0.5\n2.jpg,0.5,\n"),
    "a row without a path": ("a.csv", "path,label\n1.jpg,happy\n,sad\n"),
    "no row is answered": ("a.csv", "path,label\n1.jpg,no face\n2.jpg,\n"),
    "a label that is not the likeliest": ("a.csv", "path,predicted,happy,sad\n1.jpg,sad,0.9,0.1\n"),
    "the truth beside probabilities": ("a.csv", "path,label,happy,sad\n1.jpg,sad,0.9,0.1\n"),
    "a label without probabilities": ("a.csv", "path,label,happy,sad\n1.jpg,sad,0.1,0.9\n2.jpg,sad,,\n"),
    "too many cells": ("a.csv", "path,label\n1.jpg,happy,3\n"),
    "a header that ends in the middle of a quote": ("a.csv", '"\n" a"a,path,label\n1.jpg,happy\n'),
    "text that looks like numbers of Python": ("a.csv", "path,x,label\n1.jpg,{1a: 2},\n"),
    "not UTF-8": ("a.csv", b"path,label\n\xff.jpg,happy\n"),
    "a spreadsheet": ("a.xlsx", b"PK\3\4"),
    "a picture": ("a.jpg", b"\xff\xd8\xff"),
    "a damaged Parquet file": ("a.parquet", b"PAR1xxxx"),
    "a Parquet file that is none": ("b.parquet", b"xxxx"),
    "half a JSON file": ("a.json", '[{"path": "1.jpg", "label": '),
    "JSON without paths": ("a.json", json.dumps([fer(3)])),
    "DeepFace's lists without paths": ("a.json", json.dumps([[deepface(3)], [deepface(1)]])),
    "a JSON number": ("a.json", "3"),
    "an empty list": ("a.json", "[]"),
    "two lists of faces": ("a.json", json.dumps([{"path": "1.jpg", "a": [fer(3)], "b": [fer(1)]}])),
    "JSON nested too deeply": ("a.json", '[{"path": "1.jpg", "x": ' + '{"x": ' * 9 + "1" + "}" * 9 + "}]"),
    "JSON nested beyond reason": ("a.json", "[" * 100_000),
    "a line that is no JSON": ("a.jsonl", '{"path": "1.jpg", "label": "happy"}\nhappy\n'),
    "a line that is no object": ("a.jsonl", '{"path": "1.jpg", "label": "happy"}\n[1, 2]\n'),
    "JSON in UTF-16": ("a.json", '[{"path": "1.jpg"}]'.encode("utf-16")),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_table_is_refused_in_one_line_before_anything_is_written(
    kind: str, mien: Callable[..., Outcome], tmp_path: Path
) -> None:
    name, content = BROKEN[kind]
    path = tmp_path / (name or "missing.csv")
    if name:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AnswersError):
        read_answers(str(path), ("happy", "sad"))
    photos = write_files(tmp_path / "photos", class_files("happy", "sad"))
    outcome = mien("score", path, photos, "--out", tmp_path / "out")
    assert (outcome.code, outcome.out) == (2, "")
    assert path.name in outcome.complaint
    assert not (tmp_path / "out").exists()


def test_a_folder_and_a_pipe_are_no_tables(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    for name in (".", "pipe.csv"):
        with pytest.raises(AnswersError):
            read_answers(str(tmp_path / name), ())


def test_probabilities_of_miens_lines_are_read_to_the_last_digit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).dirichlet(np.ones(7), 20)
    lines = [
        json.dumps({"path": f"{i}.jpg", "probabilities": dict(zip(SEVEN, map(float, row), strict=True))})
        for i, row in enumerate(values)
    ]
    table = read_answers(text(tmp_path / "a.jsonl", "\n".join(lines)), SEVEN)
    assert table.probs is not None
    assert (table.probs == values).all()
