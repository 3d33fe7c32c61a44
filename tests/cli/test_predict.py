"""``mien predict``: what may be given, in which order answers come, and what is said beside the label."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from mien import Recognizer
from mien.data.reading.given import in_memory
from mien.data.reading.pictures import open_pictures
from mien.data.reading.preprocess import View
from mien.demo import draw_face
from mien.errors import ConfigError, ModelError, SourceError
from mien.models.artifact import Contract, Threshold
from mien.recognizer import STATUSES
from support.outcomes import Outcome
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, grainy, write_files, write_zip

Mien = Callable[..., Outcome]
LABELS = ("anger", "fear", "sad")
SURE = (Threshold(0.05, 0.99, 0.2), Threshold(0.2, 0.6, 0.9))


def tinted(colour: tuple[int, int, int], seed: int = 0) -> Image.Image:
    """A sharp face crop of about one colour."""
    return Image.blend(grainy(seed), Image.new("RGB", (48, 48), colour), 0.8)


def model(folder: Path, **contract: object) -> Path:
    """A model that tells anger, fear and sad by red, green and blue."""
    made = Contract(LABELS, (View("photo", 32),), "colour", **contract)  # type: ignore[arg-type]
    return colour_model(folder / "model.onnx", metadata=made.to_json())


@pytest.fixture
def colours(tmp_path: Path) -> Recognizer:
    return Recognizer(model(tmp_path, thresholds=SURE))


def labels_of(recognizer: Recognizer, spec: str) -> list[tuple[str, str | None]]:
    return [(answer.path, answer.label) for answer in recognizer.predict_pictures(open_pictures(spec))]


# -- what may be given ------------------------------------------------------------------------------------------------


def test_folder_pattern_zip_and_file_give_paths_that_the_user_can_find(colours: Recognizer, tmp_path: Path) -> None:
    red, blue = encoded(tinted(RED)), encoded(tinted(BLUE))
    root = write_files(tmp_path / "photos", {"b.png": blue, "deep/a.png": red})
    archive = write_zip(tmp_path / "x.zip", {"b.png": blue, "deep/a.png": red})
    expected = [("b.png", "sad"), ("deep/a.png", "anger")]
    assert labels_of(colours, str(root)) == [(f"{root}/{name}", label) for name, label in expected]
    assert labels_of(colours, f"{root}/**/*.png") == [(f"{root}/{name}", label) for name, label in expected]
    assert labels_of(colours, str(archive)) == [(f"{archive}::{name}", label) for name, label in expected]
    assert labels_of(colours, f"{root}/b.png") == [(f"{root}/b.png", "sad")]


def test_name_with_brackets_is_a_name_before_it_is_a_pattern(colours: Recognizer, tmp_path: Path) -> None:
    root = write_files(tmp_path / "photos", {"a[1].png": encoded(tinted(RED)), "a1.png": encoded(tinted(BLUE))})
    assert labels_of(colours, f"{root}/a[1].png") == [(f"{root}/a[1].png", "anger")]


def test_pattern_that_fits_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file has a name like this"):
        open_pictures(f"{tmp_path}/*.jpg")


def test_list_on_standard_input_is_answered_in_its_order(
    colours: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_files(tmp_path, {"r.png": encoded(tinted(RED)), "g.png": encoded(tinted(GREEN))})
    lines = [f"{root}/g.png", "", f"{root}/missing.png", f"{root}/r.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\r\n"))
    answers = list(colours.predict_pictures(open_pictures("-")))
    assert [answer.label for answer in answers] == ["fear", None, "anger"]
    assert [answer.path for answer in answers] == [line for line in lines if line]
    assert answers[1].reason == "No such file or directory"


# -- status and flags -------------------------------------------------------------------------------------------------


def two_faces() -> Image.Image:
    face = draw_face("disgust", 2)
    both = Image.new("RGB", (2 * face.width, face.height), (128, 128, 128))
    both.paste(face, (0, 0))
    both.paste(face, (face.width, 0))
    return both


def test_status_is_the_first_flag_that_holds(colours: Recognizer, tmp_path: Path) -> None:
    blurred = two_faces().filter(ImageFilter.GaussianBlur(6))
    photos = [draw_face("disgust", 2), Image.new("RGB", (300, 200), RED), two_faces(), blurred, grainy(0)]
    answers = [*colours.predict([*photos]), colours.predict(tmp_path / "missing.png")]
    for answer in answers:
        assert answer.status == (answer.flags[0] if answer.flags else "ok")
        assert [*answer.flags] == [status for status in STATUSES if status in answer.flags]
    assert [answer.flags for answer in answers] == [
        (), ("no_face",), ("several_faces",), ("several_faces", "low_quality"), (), ("unreadable",)
    ]  # fmt: skip


def test_face_too_small_to_tell_is_of_low_quality(colours: Recognizer) -> None:
    wide = Image.new("RGB", (400, 300), (128, 128, 128))
    wide.paste(draw_face("happy", 1).resize((64, 64)), (150, 100))
    assert "low_quality" in colours.predict(wide).flags


def test_every_face_is_answered_largest_first(colours: Recognizer) -> None:
    picture, face = Image.new("RGB", (600, 256), (128, 128, 128)), draw_face("disgust", 2)
    picture.paste(face.resize((160, 160)), (20, 40))
    picture.paste(face, (300, 0))
    answers = list(colours.predict_pictures(in_memory([picture]), every_face=True))
    assert len(answers) == 2
    sides = [answer.face[2] - answer.face[0] for answer in answers if answer.face]
    assert sides == sorted(sides, reverse=True)
    assert not any("several_faces" in answer.flags for answer in answers)


def test_answers_below_the_promised_probability_are_unsure(tmp_path: Path) -> None:
    path = model(tmp_path, thresholds=SURE, temperature=5.0)
    photo = tinted(RED)
    probs = Recognizer(path).predict(photo).probabilities
    assert probs is not None
    assert 0.6 < max(probs.values()) < 0.99
    assert Recognizer(path).predict(photo).status == "ok"  # nothing was promised
    assert Recognizer(path, max_error=0.3).predict(photo).status == "ok"
    assert Recognizer(path, max_error=0.1).predict(photo).status == "unsure"


def test_error_asked_for_in_training_is_kept_without_asking_again(tmp_path: Path) -> None:
    path = model(tmp_path, thresholds=SURE, temperature=5.0, max_error=0.05)
    assert Recognizer(path).predict(tinted(RED)).status == "unsure"


def test_error_that_cannot_be_promised_is_refused_with_the_figures(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"0\.05, answering 20% of the photos"):
        Recognizer(model(tmp_path, thresholds=SURE), max_error=0.01)
    with pytest.raises(ModelError, match="nothing was measured"):
        Recognizer(model(tmp_path), max_error=0.1)


# -- the recogniser that comes with mien ------------------------------------------------------------------------------


def test_default_recogniser_answers_without_training() -> None:
    recognizer = Recognizer.default()
    assert recognizer.labels == ("anger", "disgust", "fear", "happy", "neutral", "pain", "sad", "surprise")
    assert recognizer.contract.unproven == ("neutral", "pain", "surprise")
    answer = recognizer.predict(draw_face("fear", 0))
    assert answer.label == "fear"
    assert recognizer.contract.measured is not None
    assert {"six-emotions", "fer2013", "ImageNet-1k"} <= {*recognizer.contract.collections}
    assert len(recognizer.contract.training_hashes) > 20_000


def test_default_is_the_model_where_none_is_named(mien: Mien, tmp_path: Path) -> None:
    draw_face("fear", 0).save(tmp_path / "drawn.png")
    unnamed, *named = (
        mien("predict", tmp_path / "drawn.png", *more)
        for more in ((), ("--model", "default"), ("--model", "default@2"))
    )
    assert unnamed.code == 0
    assert all(each.out == unnamed.out for each in named)
    assert unnamed.out.splitlines()[1].split()[1] == "fear"


def test_earlier_versions_of_what_comes_with_mien_still_answer() -> None:
    photo = draw_face("happy", 0)
    first, six = (Recognizer(name).predict(photo) for name in ("default@1", "six@1"))
    assert first == six  # of the same classes
    assert first.label == Recognizer("six").predict(photo).label == "happy"
    with pytest.raises(ModelError, match="default@1"):
        Recognizer("default@9")


# -- how answers are printed ------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    files = {"blue.png": encoded(tinted(BLUE)), "red.png": encoded(tinted(RED)), "text.txt": b"x"}
    return write_files(tmp_path / "photos", files)


def test_jsonl_has_an_object_for_every_photo_in_order(mien: Mien, photos: Path, tmp_path: Path) -> None:
    outcome = mien("predict", photos, "--model", model(tmp_path), "--jsonl")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert outcome.code == 1  # one file is no image
    assert [(Path(row["path"]).name, row["label"], row["status"]) for row in rows] == [
        ("blue.png", "sad", "ok"), ("red.png", "anger", "ok"), ("text.txt", None, "unreadable")
    ]  # fmt: skip
    assert list(rows[0]["probabilities"]) == [*LABELS]
    assert rows[2]["reason"]


def test_csv_has_a_column_for_every_class(mien: Mien, photos: Path, tmp_path: Path) -> None:
    outcome = mien("predict", photos, "--model", model(tmp_path), "--csv")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [row["label"] for row in rows] == ["sad", "anger", ""]
    assert sum(float(rows[0][label]) for label in LABELS) == pytest.approx(1, abs=0.001)
    assert rows[2]["status"] == "unreadable"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--csv", "--jsonl"), "not both"),
        (("--faces", "most"), 'Choose from: "largest", "all"'),
        (("--fps", "0"), "--fps 0"),
        (("--smooth", "nan"), "--smooth"),
        (("--max-error", "2"), "between 0 and 1"),
        (("--jsnol",), "Unknown option"),
        (("--model", "nowhere"), "default"),
    ],
)
def test_slip_in_the_options_is_one_line(mien: Mien, photos: Path, options: tuple[str, ...], said: str) -> None:
    outcome = mien("predict", photos, *options)
    assert outcome.code == 2
    assert said in outcome.complaint


def test_unreadable_promise_in_a_config_is_refused() -> None:
    from mien.settings.training import HeadSettings

    with pytest.raises(ConfigError, match="--max-error"):
        HeadSettings(max_error=1.5)


def test_prediction_imports_neither_torch_nor_opencv() -> None:
    """In a fresh process, through a video and a photo."""
    code = (
        "import sys; from mien import Recognizer; from mien.demo import draw_face;"
        "Recognizer.default().predict(draw_face('happy', 0));"
        "print([m for m in ('torch', 'cv2', 'sklearn', 'scipy', 'polars') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


# -- which classes may answer -----------------------------------------------------------------------------------------


def test_answers_can_be_limited_to_some_classes(tmp_path: Path) -> None:
    path, photo = model(tmp_path, thresholds=SURE, max_error=0.2), tinted(RED)
    free, limited = (Recognizer(path, classes=classes).predict(photo) for classes in (None, ("sad", "fear")))
    assert free.label == "anger"
    assert free.probabilities is not None
    assert limited.probabilities is not None
    assert limited.label == max(("fear", "sad"), key=free.probabilities.__getitem__)
    assert list(limited.probabilities) == ["fear", "sad"]  # in the model's order
    ratio = free.probabilities["fear"] / free.probabilities["sad"]
    assert limited.probabilities["fear"] / limited.probabilities["sad"] == pytest.approx(ratio, rel=1e-4)


def test_classes_go_by_their_synonyms_too(tmp_path: Path) -> None:
    assert Recognizer(model(tmp_path), classes=("Angry", "sadness")).labels == ("anger", "sad")


def test_limited_answers_promise_nothing(mien: Mien, tmp_path: Path) -> None:
    path = model(tmp_path, thresholds=SURE, max_error=0.2)
    assert Recognizer(path, classes=("anger", "sad")).threshold is None
    with pytest.raises(ModelError, match="void"):
        Recognizer(path, classes=("anger", "sad"), max_error=0.2)
    write_files(tmp_path, {"a.png": encoded(tinted(RED))})
    outcome = mien("predict", tmp_path / "a.png", "--model", path, "--classes", "fear, sad", "--jsonl")
    assert set(json.loads(outcome.out)["probabilities"]) == {"fear", "sad"}


@pytest.mark.parametrize("classes", [("joy", "sad"), ("sad",), ("sad", "sad"), ()])
def test_classes_that_cannot_be_chosen_among_are_refused(classes: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="classes"):
        Recognizer(model(tmp_path), classes=classes)


def test_answers_of_unproven_classes_are_flagged(tmp_path: Path) -> None:
    recognizer = Recognizer(model(tmp_path, unproven=("anger",)))
    red, blue = (recognizer.predict(tinted(colour)) for colour in (RED, BLUE))
    assert (red.label, red.status, red.flags) == ("anger", "unproven", ("unproven",))
    assert (blue.label, blue.status) == ("sad", "ok")
