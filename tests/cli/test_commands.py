"""The commands as a user types them: what they print, and how they end."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mien import __version__, cli
from mien.cli import COMMANDS
from mien.cli.renamed import RENAMED, with_new_names
from mien.demo import draw_face
from mien.errors import ConfigError
from mien.settings.study import StudySettings
from support.drawn_sets import CLASSES, IGNORED, PER_CLASS, UNREADABLE, draw_set, zipped
from support.outcomes import Outcome, snapshot, strict_json
from support.processes import command, run
from support.studies import Study

Mien = Callable[..., Outcome]
COLUMNS = ("path_column", "label_column", "split_column", "group_column")
DIVIDING = ("split", "split_method", "keep_splits", "corrections", *COLUMNS)
OPTIONS = {
    "schema": (),
    "completion": (),
    "study": (
        *DIVIDING,
        "target",
        "class_map",
        "recipe",
        "check_labels",
        "leak_premium",
        "resume",
        "cluster",
        "keep_pixels",
        "out",
        "json",
    ),
    "train": (*DIVIDING, "recipe", "resume", "cluster", "keep_pixels", "out", "json"),
    "audit": (
        "corrections",
        "faces",
        "no_faces",
        "check_labels",
        "no_check_labels",
        "leak_premium",
        "cluster",
        "out",
        *COLUMNS,
    ),
    "review": ("out", "resume", "port", "faces", "no_faces", "check_labels", "no_check_labels", *COLUMNS),
    "evaluate": ("class_map", "write_class_map", "corrections", "path_column", "label_column", "cluster", "json"),
    "score": ("class_map", "write_class_map", "against", "answer_path", "answer_label", "path_column", "slice", "json"),
    "predict": ("model", "faces", "max_error", "fps", "cluster", "jsonl", "csv"),
    "export": ("out", "precision", "json"),
    "compare": ("arm", "leave_one_out", "pairs", "folds", "sizes", "resume", "cluster", "out", "json", *COLUMNS),
    "adapt": ("shots", "draws", "save", "class_map", "seed", "out", "json", *COLUMNS),
    "app": ("model", "host", "port", "token", "max_error", "api_only"),
}
QUICK = ("--recipe", "scratch", "--size", "32", "--epochs", "1", "--out", "out")


# -- help -------------------------------------------------------------------------------------------------------------


def test_help_lists_every_command_with_what_it_does(tmp_path: Path) -> None:
    outcome = run(tmp_path, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert set(COMMANDS) == set(OPTIONS)
    for name in COMMANDS:
        assert re.search(rf"^\W+{name}  +[A-Z]", outcome.out, re.MULTILINE), name


def test_the_module_is_the_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mien", "--version"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, __version__, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_lists_every_option(mien: Mien, name: str) -> None:
    outcome = mien(name, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    options = {arg for argument in cli.app[name].assemble_argument_collection() for arg in argument.names}
    assert options >= {f"--{field.replace('_', '-')}" for field in OPTIONS[name]}
    assert [option for option in options if option.startswith("--") and option not in outcome.out] == []
    for parameter in positional(name):
        assert parameter.name.upper() in outcome.out


def positional(name: str) -> list[inspect.Parameter]:
    """What a command is given without an option's name."""
    called = cli.app[name].default_command
    assert called is not None
    return [each for each in inspect.signature(called).parameters.values() if each.kind is not each.KEYWORD_ONLY]


WORKING = [name for name in COMMANDS if any(each.default is each.empty for each in positional(name))]
"""Commands that cannot run without being told on what."""


@pytest.mark.parametrize("name", WORKING)
def test_without_what_it_works_on_a_command_says_so_in_one_line(mien: Mien, name: str) -> None:
    assert {"study", "train", "audit", "compare"} <= set(WORKING)
    outcome = mien(name)
    assert outcome.code == 2
    assert any(each.name.upper() in outcome.complaint for each in positional(name))


def test_help_says_the_defaults_that_hold(mien: Mien) -> None:
    from mien.settings.recipes import DEFAULT_RECIPES

    said = " ".join(mien("study", "--help").out.replace("│", " ").split())
    *others, last = DEFAULT_RECIPES
    assert f"{', '.join(others)} and {last}" in said
    assert "70/15/15" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ("two-stream", "probe")),
        (("--course",), ("two-stream", "probe", "scratch", "scratch-no-augmentation")),
        (("--course", "--recipe", "notebook"), ("notebook", "scratch", "scratch-no-augmentation")),
        (("--recipe", "scratch", "--course"), ("scratch", "scratch-no-augmentation")),
    ],
)
def test_networks_of_the_course_are_trained_where_asked_for(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    asked: list[StudySettings] = []

    def run_study(config: StudySettings, *words: object, **named: object) -> None:
        asked.append(config)
        raise ConfigError("enough")

    monkeypatch.setattr("mien.jobs.study.run_study", run_study)
    assert mien("study", "demo", *options).code == 2
    assert [config.training.recipes for config in asked] == [expected]


def test_version(mien: Mien) -> None:
    assert mien("--version").out.strip() == __version__


def test_help_loads_no_heavy_library_and_no_command(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['mien', '--help']\n"
        "from mien import cli\n"
        "try:\n cli.main()\nexcept SystemExit:\n pass\n"
        "heavy = {'torch', 'sklearn', 'lightning', 'numpy', 'polars', 'onnxruntime'} & set(sys.modules)\n"
        "heavy |= {'markdown_it', 'msgspec', 'mien.settings.study', 'mien.telling.terminal.summaries'}"
        " & set(sys.modules)\n"
        "heavy |= {f'mien.cli.{name}' for name in cli.HELP} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- old names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "old", "new"), [(c, old, new) for c, names in RENAMED.items() for old, new in names.items()]
)
def test_an_old_name_does_what_the_new_one_does_and_says_so(
    capsys: pytest.CaptureFixture[str], command: str, old: str, new: str
) -> None:
    for words, expected in (
        (["x", old, "map.toml", "--json"], ["x", new, "map.toml", "--json"]),
        ([f"{old}=a=b", "x"], [f"{new}=a=b", "x"]),
        ([old.replace("-", "_").replace("__", "--", 1), "m", "x"], [new, "m", "x"]),
        (["--", old], ["--", old]),
        ([new, "m", "labels"], [new, "m", "labels"]),
    ):
        assert with_new_names([command, *words]) == [command, *expected]
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == (words != expected)
        assert all(line.startswith("mien: ") and f"{old} is now {new}" in line for line in lines)
    with pytest.raises(ConfigError, match=f"{old} is the old name of {new}"):
        with_new_names([command, old, "a", new, "b"])


def test_an_old_name_is_old_for_its_command_alone(mien: Mien) -> None:
    outcome = mien("audit", "demo", "--labels", "map.toml")
    assert outcome.code == 2
    assert "--labels" in outcome.complaint


@pytest.mark.parametrize("name", RENAMED)
def test_help_does_not_name_what_is_old(mien: Mien, name: str) -> None:
    words = set(re.findall(r"--[a-z-]+", mien(name, "--help").out))
    assert words.isdisjoint(RENAMED[name])
    assert words >= set(RENAMED[name].values())


def test_a_study_takes_the_old_name_of_the_class_map(mien: Mien, small_set: Path, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("drop = 1", encoding="utf-8")
    outcome = mien("study", small_set, "--target", small_set, "--target-labels", "map.toml", "--out", "out")
    assert outcome.code == 2
    first, last = outcome.err.splitlines()
    assert first.startswith("mien: --target-labels is now --class-map")
    assert last.startswith("mien: map.toml: drop")


# -- audit ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def audited(small_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(tmp_path_factory.mktemp("audit"), "audit", small_set, "--json")


def test_audit_prints_one_object_and_keeps_progress_apart(audited: Outcome) -> None:
    assert audited.code == 0
    assert audited.out.count("\n") == 1
    assert set(audited.json) >= {"mien", "data"}
    assert re.search(r"^read \w+: \d+ files", audited.err, re.MULTILINE)
    assert " files," not in audited.out
    for word in ("Warning", "Traceback", "ERROR"):
        assert word not in audited.err


def test_audit_counts(audited: Outcome) -> None:
    data = audited.json["data"]
    images = len(CLASSES) * PER_CLASS + 3
    assert data["files"] == data["images"] + data["unreadable"] == images + len(UNREADABLE)
    assert data["classes"] == {"anger": PER_CLASS + 1, "happy": PER_CLASS + 1, "sad": PER_CLASS + 1}
    assert set(data["unreadable_files"]) == set(UNREADABLE)
    assert all(data["unreadable_files"].values()), "a file without a reason"
    assert set(data["ignored_files"]) == set(IGNORED)
    assert data["exact_duplicate_groups"] == 2
    assert data["near_duplicate_groups"] == 3
    assert data["conflicting_labels"] == 1
    assert data["conflicts"][0]["labels"] == ["anger", "sad"]


@pytest.mark.heavy
def test_audit_as_a_table_names_what_needs_a_look_and_writes_nothing(
    mien: Mien, tmp_path: Path, small_set: Path
) -> None:
    before = snapshot(small_set)
    outcome = mien("audit", small_set)
    assert outcome.code == 0
    assert list(tmp_path.iterdir()) == []
    assert snapshot(small_set) == before
    for word in (*UNREADABLE, *IGNORED, "anger/under-two-labels.png", "33.3%"):
        assert word in outcome.out
    assert f"{66} files = {63} images + {3} unreadable" in outcome.out


@pytest.mark.heavy
def test_audit_of_a_zip_counts_the_same(mien: Mien, tmp_path: Path, small_set: Path) -> None:
    path = zipped(small_set, tmp_path / "faces.zip", wrapper="6 emotions/")
    data = mien("audit", path, "--no-check-labels", "--json").json["data"]
    assert data["classes"] == {"anger": PER_CLASS + 1, "happy": PER_CLASS + 1, "sad": PER_CLASS}  # no .jpg was zipped
    assert set(data["unreadable_files"]) == {"6 emotions/anger/broken.png"}


@pytest.mark.heavy
def test_a_study_inside_the_photos_does_not_become_a_class(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``cd photos; mien train .`` puts its folder among the class folders."""
    root = draw_set(tmp_path / "set", {"happy": "happy", "sad": "sad"}, 6, style="grey")
    audit = ("audit", root, "--no-check-labels", "--no-faces", "--json")
    classes = mien(*audit).json["data"]["classes"]
    monkeypatch.chdir(root)
    outcome = mien("train", ".", *QUICK[:-2])
    if outcome.code == 2:  # refused is as good
        assert "--out" in outcome.complaint
    after = mien(*audit)
    assert after.code == 0, after.err
    assert after.json["data"]["classes"] == classes


# -- predict ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos, one of which cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draw_face("happy", 90).save(folder / "b.png")
    draw_face("sad", 91).save(folder / "a.jpg", quality=90)
    (folder / "c.jpg").write_bytes(b"\xff\xd8 not much")
    (folder / ".DS_Store").write_bytes(b"system")
    return folder


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    return [strict_json(line) for line in outcome.out.splitlines()]


def test_predict_one_photo(mien: Mien, small_study: Study, photos: Path) -> None:
    outcome = mien("predict", photos / "b.png", "--model", small_study.folder, "--jsonl")
    assert outcome.code == 0
    (row,) = rows(outcome)
    assert set(row) >= {"path", "status", "label", "probabilities", "face", "reason"}
    assert row["status"] in ("ok", "no_face", "several_faces")
    assert list(row["probabilities"]) == small_study.results["labels"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)


def test_predict_names_a_photo_as_it_was_given(mien: Mien, small_study: Study, photos: Path) -> None:
    """Two folders may hold photos of the same name."""
    shutil.copytree(photos, photos.parent / "more")
    given = ["photos/b.png", "more/b.png"]
    outcome = mien("predict", *given, "--model", small_study.folder, "--jsonl")
    assert [row["path"] for row in rows(outcome)] == given


def test_predict_tells_the_photos_of_two_folders_apart(mien: Mien, small_study: Study, photos: Path) -> None:
    shutil.copytree(photos, photos.parent / "more")
    outcome = mien("predict", "photos", "more", "--model", small_study.folder, "--jsonl")
    paths = [row["path"] for row in rows(outcome)]
    assert len(set(paths)) == len(paths) == 6


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_predict_many_in_order_with_a_row_for_the_bad_one(
    mien: Mien, small_study: Study, photos: Path, kind: str
) -> None:
    source = photos
    if kind == "zip":
        source = photos.with_suffix(".zip")
        with zipfile.ZipFile(source, "w") as archive:
            for name in ("c.jpg", "b.png", "a.jpg", ".DS_Store"):
                archive.write(photos / name, f"holiday/{name}")
    outcome = mien("predict", source, "--model", small_study.folder, "--jsonl")
    assert outcome.code == 1
    found = rows(outcome)
    assert [Path(str(row["path"])).name for row in found] == ["a.jpg", "b.png", "c.jpg"]
    assert found[2]["status"] == "unreadable"
    assert found[2]["label"] is None
    assert found[2]["probabilities"] is None
    assert found[2]["reason"]
    assert all(row["reason"] is None for row in found[:2])
    assert "1 unreadable" in outcome.err
    assert "Traceback" not in outcome.err


def test_predict_several_sources_in_the_order_given(mien: Mien, small_study: Study, photos: Path) -> None:
    outcome = mien("predict", photos / "b.png", photos / "a.jpg", "--model", small_study.folder, "--jsonl")
    assert outcome.code == 0
    assert [Path(str(row["path"])).name for row in rows(outcome)] == ["b.png", "a.jpg"]


def test_predict_as_a_table(mien: Mien, small_study: Study, photos: Path) -> None:
    outcome = mien("predict", photos, "--model", small_study.folder / "runs" / "scratch")
    assert outcome.code == 1
    head, *lines = outcome.out.splitlines()
    assert [*head.split()] == ["photo", "answer", "%", "runner-up", "%", "doubts"]
    assert len(lines) == 3
    assert all(sum(label in line for label in CLASSES) == 2 for line in lines[:2])
    assert "unreadable" in lines[2]


@pytest.mark.parametrize("where", ["", "runs/probe", "runs/probe/model.onnx"])
def test_predict_takes_study_run_or_file(mien: Mien, small_study: Study, photos: Path, where: str) -> None:
    outcome = mien("predict", photos / "b.png", "--model", small_study.folder / where, "--jsonl")
    assert outcome.code == 0
    if not where:
        selected = small_study.folder / "runs" / small_study.results["selected"]
        assert outcome.out == mien("predict", photos / "b.png", "--model", selected, "--jsonl").out


def test_predict_reads_names_that_are_not_utf_8(mien: Mien, small_study: Study, photos: Path) -> None:
    try:
        shutil.copy(os.fsencode(photos / "b.png"), os.path.join(os.fsencode(photos), b"caf\xe9.png"))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 names only")
    outcome = mien("predict", photos, "--model", small_study.folder, "--jsonl")
    (row,) = (row for row in rows(outcome) if "caf" in str(row["path"]))
    assert row["label"] is not None


def test_predict_turns_a_photo_upright(mien: Mien, small_study: Study, tmp_path: Path) -> None:
    face = draw_face("happy", 90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    face.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    face.save(tmp_path / "upright.png")
    outcome = mien(
        "predict", tmp_path / "turned.png", tmp_path / "upright.png", "--model", small_study.folder, "--jsonl"
    )
    turned, upright = rows(outcome)
    assert turned["probabilities"] == pytest.approx(upright["probabilities"], abs=1e-6)


def test_a_reader_that_goes_away_gets_no_traceback(small_study: Study, tmp_path: Path) -> None:
    words = command("predict", small_study.target, "--model", small_study.folder, "--jsonl")
    for unbuffered in ("", "1"):
        env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        assert process.stdout is not None
        assert process.stderr is not None
        if unbuffered:
            assert json.loads(process.stdout.readline())["label"]  # as head -1 reads
        process.stdout.close()
        said = process.stderr.read().decode()
        process.stderr.close()
        process.wait(timeout=60)
        for word in ("Traceback", "BrokenPipe", "Exception ignored"):
            assert word not in said


# -- evaluate ---------------------------------------------------------------------------------------------------------


def test_evaluate_gives_what_the_study_gave(mien: Mien, small_study: Study) -> None:
    outcome = mien("evaluate", small_study.folder, small_study.target, "--json")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 1
    target = outcome.json["target"]
    for part in ("all", "shared", "shared_limited"):
        assert target[part] == strict_json(json.dumps(small_study.results["target"][part]))
    assert target["labels"]["matched"] == {"Angry": "anger", "happiness": "happy"}
    assert target["labels"]["extra"] == ["neutral"]
    assert target["labels"]["missing"] == ["sad"]
    assert target["data"]["images"] == 18


def test_evaluate_takes_several_sets_and_says_what_it_has_seen(mien: Mien, small_study: Study) -> None:
    outcome = mien("evaluate", small_study.folder, small_study.data, small_study.target, "--json")
    assert outcome.code == 0
    first, second = (outcome.json["targets"][str(path)] for path in (small_study.data, small_study.target))
    assert outcome.json["target"] == first
    counts = small_study.results["splits"]["counts"]
    trained = sum(counts["train"].values())
    assert first["seen_in_training"] >= trained
    assert second["seen_in_training"] == 0


def test_evaluate_as_a_table_names_extra_and_missing_classes(mien: Mien, small_study: Study, tmp_path: Path) -> None:
    outcome = mien("evaluate", small_study.folder, small_study.target)
    assert outcome.code == 0
    assert "neutral" in outcome.out
    assert "sad" in outcome.out
    assert "shared" in outcome.out
    assert list(tmp_path.iterdir()) == []


# -- interrupted ------------------------------------------------------------------------------------------------------


def test_ctrl_c_while_reading_says_how_to_go_on(mien: Mien, monkeypatch: pytest.MonkeyPatch, small_set: Path) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.stages.prepare", interrupt)
    outcome = mien("train", small_set, *QUICK)
    assert outcome.code == 130
    assert "--resume" in outcome.complaint


@pytest.mark.parametrize("name", ["predict", "audit", "evaluate"])
def test_ctrl_c_names_no_option_that_the_command_lacks(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, small_study: Study, name: str
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    for place in ("mien.recognizer.read_ahead", "mien.data.reading.intake.read_ahead"):
        monkeypatch.setattr(place, interrupt)
    argv = {
        "predict": ("predict", small_study.target, "--model", small_study.folder),
        "audit": ("audit", small_study.target),
        "evaluate": ("evaluate", small_study.folder, small_study.target),
    }[name]
    outcome = mien(*argv)
    assert outcome.code == 130
    assert "interrupted" in outcome.complaint
    assert "--resume" not in outcome.complaint
