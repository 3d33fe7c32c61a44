"""Whatever standard input, output and error are, no work is lost to a character, and nothing ends in a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import asdict, replace
from PIL import Image
from rich.text import Text

from mien import cli
from mien.cli import COMMANDS
from mien.errors import WorkFailedError
from mien.progress import Progress
from mien.results.adaptation import AdaptPaths, AdaptResults, LeftOut
from mien.results.commands import AuditedData, AuditPaths, AuditResults, EvaluateResults, ExportResults
from mien.results.evaluation import EvaluatedTarget
from mien.results.prediction import Prediction
from mien.results.study import StudyResults
from mien.reviewing.serve import Reviewed
from mien.settings.adapt import AdaptSettings
from mien.telling.terminal.summaries import TerminalProgress
from support.made_score import answers_scored
from support.made_study import make_manifest, make_results, with_target
from support.outcomes import Outcome
from support.pictures import encoded
from support.processes import command

ENCODINGS = ("cp1252", "latin-1", "ascii", "utf-8")
ODD = "Gesichter → 😀 é\x1b[31m\nzwei \udcff ≤"
"""What names of classes, files and sets may hold, and each of these encodings lacks some of."""
ARGUMENTS = {
    "study": ("photos",),
    "train": ("photos",),
    "audit": ("photos",),
    "compare": ("photos", "--arm", "lr=0.1", "--arm", "lr=0.2"),
    "review": ("photos",),
    "evaluate": ("default", "photos"),
    "score": ("answers.csv", "photos"),
    "adapt": ("model", "photos"),
    "export": ("default",),
    "predict": ("photo.png",),
    "app": ("--api-only",),
    "schema": (),
}
PRINT_JSON = ("study", "train", "audit", "evaluate", "score", "adapt", "export")

Work = Callable[..., Any]


@dataclass(frozen=True)
class Ended:
    """How a command ended whose streams have an encoding."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def results() -> StudyResults:
    manifest = make_manifest()
    made = with_target(make_results(manifest), manifest)
    assert made.target is not None
    return replace(made, data=replace(made.data, name=ODD))


def after_progress(outcome: Callable[[], Any]) -> Work:
    """Work that reports its progress in odd words before it comes to something."""

    def work(*words: Any, **named: Any) -> Any:
        progress: Progress = named.get("progress") or next(
            (word for word in words if isinstance(word, TerminalProgress)), TerminalProgress()
        )
        progress.tell(ODD)
        with progress.step(ODD, 3, "photos") as advance:
            advance(3)
        return outcome()

    return work


def found(name: str, results: StudyResults) -> Any:
    """What the work of a command comes to."""
    match name:
        case "audit":
            data = AuditedData(**asdict(results.data), corrections=None, findings=17)
            return AuditResults(data=data, paths=AuditPaths(findings=ODD))
        case "evaluate":
            assert results.target is not None
            target = EvaluatedTarget(**asdict(results.target))
            return EvaluateResults(model=ODD, labels=(ODD,), corrections=None, target=target, targets={ODD: target})
        case "score":
            return replace(answers_scored(results), answers=ODD, photos=ODD)
        case "review":
            return Reviewed(photos=3, decided=2, table=Path(ODD))
        case "adapt":
            return AdaptResults(
                config=AdaptSettings(model=ODD, target=ODD),
                labels=(ODD,),
                recipe="probe",
                target=ODD,
                known_collections=(ODD,),
                shared=(ODD,),
                pool={ODD: 20},
                scored={ODD: 20},
                home_images=40,
                are_crops=False,
                left_out=LeftOut(copies=3, other_kind=2),
                too_many_shots=(),
                ways=(),
                paths=AdaptPaths(run=ODD, page=ODD),
            )
        case "export":
            return ExportResults(model=ODD, out=ODD, precision="fp16", bytes=1, bytes_before=2, validation=None)
        case "study" | "train":
            return replace(results, seconds={"total": 1.0})
    return None


def put_work(monkeypatch: pytest.MonkeyPatch, name: str, work: Work) -> None:
    """Replace what a command does by other work, so that it loads nothing that takes time."""

    def replaced(module: str, **names: Any) -> None:
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**names))

    class Recognizer:
        labels = (ODD,)
        predict_pictures = work

        def __init__(self, *words: object, **named: object) -> None: ...

    def serve(*words: object, on_start: Callable[[], None], **named: object) -> None:
        on_start()
        work()

    replaced("mien.jobs.study", run_study=work, run_training=work)
    replaced("mien.jobs.compare", run_comparison=work)
    replaced("mien.telling.terminal.comparison", comparison_summary=lambda results: Text("→ × ′ ≤"))
    replaced("mien.jobs.adapt", run_adaptation=work)
    replaced("mien.app.serve", check_address=lambda *words: None, serve=serve)
    if name in ("predict", "app"):
        monkeypatch.setattr("mien.recognizer.Recognizer", Recognizer)
    monkeypatch.setattr("mien.auditing.run.run_audit", work)
    replaced("mien.jobs.evaluate", run_evaluation=work)
    replaced("mien.jobs.score", run_score=work)
    if name == "review":
        monkeypatch.setattr("mien.reviewing.serve.review_photos", work)
    monkeypatch.setattr("mien.evaluation.exporting.export", work)
    if name == "schema":
        monkeypatch.setattr("mien.results.reference.json_schema", work)
    if name == "compare":
        monkeypatch.setattr("mien.results.document.printable", lambda results: results)


def ended(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str, err: Any = None) -> Ended:
    """Run a command in this process, with strict streams of an encoding."""
    out, heard = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err or heard)
    monkeypatch.setattr(sys, "argv", ["mien", *words])
    code: Any = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code or 0
    for stream in (out, heard):
        stream.flush()
    said = [stream.buffer.getvalue().decode(encoding) for stream in (out, heard)]
    return Ended(int(code), *said)


def check_plain(said: str) -> None:
    assert "Traceback" not in said
    acting = {c for c in said if not c.isprintable() and c not in "\n\t\xa0"}
    assert not acting, acting


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "completion"])  # which does no work
def test_every_command_succeeds_and_fails_in_every_encoding(
    name: str, encoding: str, results: StudyResults, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(encoded(Image.new("RGB", (48, 48), "red")))
    answers = [Prediction(ODD, "unreadable", ("unreadable",), reason=ODD), Prediction(ODD, "ok", (), ODD, {ODD: 1.0})]
    expected: Any = {"predict": answers, "schema": {"name": ODD}}.get(name) or found(name, results)
    put_work(monkeypatch, name, after_progress(lambda: expected))
    options = [()] + [("--json",)] * (name in PRINT_JSON) + [("--jsonl",), ("--csv",)] * (name == "predict")
    for option in options:
        done = ended(monkeypatch, encoding, name, *ARGUMENTS[name], *option)
        assert done.code == (1 if name == "predict" else 0), done.err
        assert done.out or name == "app"
        check_plain(done.out)
        check_plain(done.err)
        if option and option != ("--csv",):
            json.loads(done.out.splitlines()[-1])

    def fail() -> None:
        raise WorkFailedError(ODD)

    put_work(monkeypatch, name, after_progress(fail))
    done = ended(monkeypatch, encoding, name, *ARGUMENTS[name])
    assert done.code == 1
    check_plain(done.err)
    *_, last = done.err.splitlines()
    assert last.startswith("mien: Gesichter")
    assert done.err.count("mien: Gesichter") == 1


# -- a few of them, quickly -------------------------------------------------------------------------------------------


def test_json_says_the_same_in_every_encoding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    name = "é → 😀"
    written = ExportResults(model=name, out=name, precision="fp16", bytes=1, bytes_before=2, validation=None)
    put_work(monkeypatch, "export", after_progress(lambda: written))
    for encoding in (*ENCODINGS, "utf-16"):
        done = ended(monkeypatch, encoding, "export", "default", "--json")
        assert (done.code, json.loads(done.out)["model"]) == (0, name)


def test_what_people_read_is_spelt_in_letters_where_it_can_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    put_work(monkeypatch, "compare", after_progress(lambda: None))
    done = ended(monkeypatch, "ascii", "compare", "photos", "--arm", "lr=0.1", "--arm", "lr=0.2")
    assert done.code == 0
    assert "-> x ' <=" in done.out


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Photos with names that lists have in several encodings."""
    photo = encoded(Image.new("RGB", (48, 48), "red"))
    for name in ("é.png".encode(), "→ ß.png".encode(), b"caf\xe9.png"):
        try:
            (tmp_path / os.fsdecode(name)).write_bytes(photo)
        except (OSError, UnicodeError):
            pytest.skip("this file system takes UTF-8 names only")
    return tmp_path


@pytest.mark.parametrize(
    "listed",
    [
        "é.png\r\n→ ß.png\r\n".encode("utf-16"),
        b"\xfe\xff" + "é.png\n→ ß.png\n".encode("utf-16-be"),
        "é.png\n→ ß.png\n".encode("utf-8-sig"),
        "é.png\n→ ß.png\n".encode(),
        "é.png\nnew\nnew\n".encode("utf-32"),
        "é.png\n".encode("latin-1"),
        b"caf\xe9.png\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_lists_are_read_in_whatever_encoding_they_come(
    listed: bytes, encoding: str, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.data.reading.pictures import open_pictures

    monkeypatch.chdir(named)
    read = io.BufferedReader(io.BytesIO(listed))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(read, encoding=encoding))
    pictures = list(open_pictures("-"))
    assert pictures
    for picture in pictures:
        if picture.path != "new":
            assert isinstance(picture.load(), Image.Image)
    monkeypatch.undo()


def test_a_closed_standard_input_is_told(mien: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    outcome = mien("predict", "-")
    assert outcome.code == 2
    assert "standard input" in outcome.complaint


def shell(cwd: Path, words: tuple[str, ...], redirected: str) -> Outcome:
    line = " ".join(f"'{word}'" for word in command(*words))
    done = subprocess.run(
        ["sh", "-c", f"{line} {redirected}"],
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_full_device_is_one_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no such device")
    outcome = shell(tmp_path, ("schema",), "> /dev/full")
    assert outcome.code == 2
    assert "standard output" in outcome.complaint
    assert shell(tmp_path, ("--version",), "2> /dev/full").code == 0


def test_an_error_that_nobody_hears_keeps_its_code(tmp_path: Path) -> None:
    assert shell(tmp_path, ("audit", "nowhere"), "2> /dev/full").code == 2
    assert shell(tmp_path, ("audit", "nowhere"), ">&- 2>&-").code == 2
    assert shell(tmp_path, ("schema",), "2>&1 | head -c 1").code == 0


def test_progress_that_nobody_hears_ends_no_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, content: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    written = ExportResults(model="m", out="x", precision="fp16", bytes=1, bytes_before=2, validation=None)
    put_work(monkeypatch, "export", after_progress(lambda: written))
    full: Any = io.TextIOWrapper(cast(Any, Full()), encoding="utf-8", write_through=True)
    done = ended(monkeypatch, "utf-8", "export", "default", err=full)
    assert done.code == 0
    assert "x: fp16" in done.out


def test_progress_in_a_notebook_is_lines_without_control_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's cell says that it is a terminal, and keeps every code that moves a cursor."""

    class Cell(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("JPY_PARENT_PID", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    cell = Cell()
    monkeypatch.setattr(sys, "stderr", cell)
    progress = TerminalProgress()
    with progress.step("train", 1000, "updates") as advance:
        for _ in range(1000):
            advance(1)
    said = cell.getvalue()
    assert "1000 updates" in said
    assert "\x1b" not in said
    assert said.count("\n") <= 2


def test_a_long_step_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    times = iter(range(0, 10_000, 20))
    monkeypatch.setattr("mien.telling.terminal.summaries.time", SimpleNamespace(monotonic=lambda: float(next(times))))
    with TerminalProgress().step("train", 10, "updates") as advance:
        for _ in range(10):
            advance(1)
    lines = heard.getvalue().splitlines()
    assert 4 <= len(lines) <= 7
    assert "of 10 updates" in lines[0]
    assert "left" in lines[0]


@pytest.mark.parametrize(
    ("number", "told"), [(24, "ulimit -n"), (28, "make room"), (27, "ulimit -f"), (2, "removed or renamed")]
)
def test_what_the_system_refuses_is_one_line(
    number: int, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number), "photos\n\x1b[31m.npy")

    monkeypatch.chdir(tmp_path)
    put_work(monkeypatch, "export", after_progress(fail))
    done = ended(monkeypatch, "utf-8", "export", "default")
    assert done.code == 2
    check_plain(done.err)
    assert done.err.splitlines()[-1].startswith("mien: photos")
    assert told in done.err
