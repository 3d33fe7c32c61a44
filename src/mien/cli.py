"""The commands; the only place that prints or exits.

Exit codes: 0 done; 1 the work found a failure (for ``predict``: a file that could not be read); 2 something the
user can mend; 130 interrupted.
"""

from __future__ import annotations

import json as json_format
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import App, CycloptsError, Parameter

from mien import __version__
from mien.errors import ConfigError, MienError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from mien.config import StudyConfig

__all__ = ["app", "main"]

app = App(
    name="mien",
    help="Turn a folder of labelled face photos into a facial-expression recogniser you can trust.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # it would end without a word
)

Flag = Annotated[bool, Parameter(negative="")]
Names = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)]


@app.command
def study(
    data: str,
    /,
    *,
    target: str | None = None,
    recipe: Names = (),
    split: str = "70/15/15",
    epochs: int | None = None,
    updates: int | None = None,
    seconds: float | None = None,
    seed: int = 42,
    size: int | None = None,
    augment: str | None = None,
    precision: str | None = None,
    device: str = "auto",
    out: str | None = None,
    resume: Flag = False,
    no_photos: Flag = False,
    json: Flag = False,
) -> None:
    """Do the main job: audit, split, train, compare, test, and write a report.

    Args:
        data: Folder or zip with a folder per class, or 'demo'; PATH::sub/folder picks a part.
        target: Labelled photos from elsewhere to test on as well.
        recipe: What to train: probe, scratch, notebook; '-no-augmentation' behind a trained one leaves that out.
            May be given several times. Default: probe, scratch, scratch-no-augmentation.
        split: Train/validation/test in per cent; folders named train, val and test are kept as they are.
        epochs: Passes over the training photos, in place of the recipe's budget.
        updates: Optimiser steps, in place of the recipe's budget.
        seconds: Wall-clock seconds a run, in place of the recipe's budget.
        seed: Seed of the split and of every run.
        size: Side of the trained networks' input, px.
        augment: Augmentation of the trained networks: none or notebook.
        precision: fp32, bf16, or auto to take what is faster in a few timed steps (the default).
        device: auto, cpu or cuda.
        out: Study folder to write. Default: mien-NAME in the current folder.
        resume: Go on with a study that was interrupted.
        no_photos: Leave photos and their names out of the report, so that it can be mailed safely.
        json: Print the results as one JSON object.
    """
    from mien.config import DEFAULT_RECIPES, Budget, StudyConfig

    config = StudyConfig(
        data=data,
        target="demo::target" if data == "demo" and target is None else target,
        split=split,
        seed=seed,
        recipes=recipe or DEFAULT_RECIPES,
        size=size,
        device=device,
        budget=Budget(epochs, updates, seconds),
        augment=cast(Any, augment),
        precision=cast(Any, precision),
        photos=not no_photos,
    )
    with _training_parts():
        from mien.study import run_study
    _run_in_folder(run_study, config, out, resume=resume, json=json)


@app.command
def train(
    data: str,
    /,
    *,
    recipe: Names = (),
    split: str = "70/15/15",
    epochs: int | None = None,
    updates: int | None = None,
    seconds: float | None = None,
    seed: int = 42,
    size: int | None = None,
    augment: str | None = None,
    precision: str | None = None,
    device: str = "auto",
    out: str | None = None,
    resume: Flag = False,
    json: Flag = False,
) -> None:
    """Train and validate only; the test photos stay unread.

    Args:
        data: Folder or zip with a folder per class, or 'demo'; PATH::sub/folder picks a part.
        recipe: What to train: probe, scratch, notebook; may be given several times. Default: probe.
        split: Train/validation/test in per cent; folders named train, val and test are kept as they are.
        epochs: Passes over the training photos, in place of the recipe's budget.
        updates: Optimiser steps, in place of the recipe's budget.
        seconds: Wall-clock seconds a run, in place of the recipe's budget.
        seed: Seed of the split and of every run.
        size: Side of the trained networks' input, px.
        augment: Augmentation of the trained networks: none or notebook.
        precision: fp32, bf16, or auto to take what is faster in a few timed steps (the default).
        device: auto, cpu or cuda.
        out: Folder to write. Default: mien-NAME in the current folder.
        resume: Go on with a training that was interrupted.
        json: Print the results as one JSON object.
    """
    from mien.config import Budget, StudyConfig

    config = StudyConfig(
        data=data,
        split=split,
        seed=seed,
        recipes=recipe or ("probe",),
        size=size,
        device=device,
        budget=Budget(epochs, updates, seconds),
        augment=cast(Any, augment),
        precision=cast(Any, precision),
    )
    with _training_parts():
        from mien.study import run_training
    _run_in_folder(run_training, config, out, resume=resume, json=json)


@app.command
def audit(data: str, /, *, json: Flag = False) -> None:
    """List what is in a set of photos: classes, unreadable files, duplicates, pictures under two labels.

    Args:
        data: Folder or zip with a folder per class, or 'demo'; PATH::sub/folder picks a part.
        json: Print the result as one JSON object.
    """
    from mien.data.prepare import audit_source
    from mien.terminal import TerminalProgress, audit_summary

    results = audit_source(data, TerminalProgress())
    _finish(results, audit_summary, json=json)


@app.command
def evaluate(model: str, data: tuple[str, ...], /, *, json: Flag = False) -> None:
    """Score a model on labelled photos from elsewhere, classes matched by name.

    Args:
        model: Study folder, run folder or model.onnx.
        data: Folders or zips with a folder per class, or 'demo::target'; PATH::sub/folder picks a part.
        json: Print the results as one JSON object.
    """
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from mien.evaluation.evaluate import evaluate
    from mien.terminal import TerminalProgress, evaluation_summary

    if not data:
        raise ConfigError("evaluate: give labelled photos behind the model, as in: mien evaluate RUN PHOTOS")
    with TemporaryDirectory(prefix="mien-") as folder:
        results = evaluate(model, data, Path(folder), TerminalProgress())
    _finish(results, evaluation_summary, json=json)


@app.command
def predict(
    sources: tuple[str, ...],
    /,
    *,
    model: str | None = None,
    jsonl: Flag = False,
) -> None:
    """Recognise the expression shown in photos.

    Args:
        sources: Image files, folders or zips of photos.
        model: Study folder, run folder or model.onnx.
        jsonl: Print one JSON object a line instead of a table.
    """
    from dataclasses import asdict, replace

    from mien.data.sources import open_images
    from mien.recognizer import Recognizer
    from mien.terminal import prediction_line, prediction_summary

    if not sources:
        raise ConfigError("predict: give photos, as in: mien predict photo.jpg --model RUN")
    if model is None:
        raise ModelError("predict: --model is needed, this version carries no recogniser of its own; train one first")
    recognizer = Recognizer(model)
    opened = [(source, open_images(source)) for source in sources]
    counts: dict[str, int] = {}
    for spec, source in opened:
        for prediction in recognizer.predict_files(source):
            prediction = replace(prediction, path=_as_given(spec, prediction.path))
            print(json_format.dumps(asdict(prediction), ensure_ascii=False) if jsonl else prediction_line(prediction))
            counts[prediction.status] = counts.get(prediction.status, 0) + 1
    print(prediction_summary(counts), file=sys.stderr)
    if counts.get("unreadable"):
        sys.exit(1)


def _as_given(spec: str, path: str) -> str:
    """The path of a photo as the user can find it: behind the folder or zip it is in."""
    from pathlib import Path

    if "::" in spec or Path(spec).is_dir():
        return f"{spec.rstrip('/')}/{path}"
    return spec if Path(spec).name == path else f"{spec}::{path}"


def main() -> None:
    """Entry point of the ``mien`` command."""
    # Threads that wait by spinning make training several times slower as soon as anything else runs on the machine.
    # OpenMP reads this once, when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Pictures that are too large become rows with this reason; Pillow's warning beside it would say it twice.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        try:
            app(exit_on_error=False, print_error=False)
        finally:
            sys.stdout.flush()
    except MienError as error:
        _fail(str(error), error.exit_code)
    except CycloptsError as error:
        _fail(f"{error} See: mien --help", 2)
    except KeyboardInterrupt:
        can_resume = sys.argv[1:2] in (["study"], ["train"])
        _fail("interrupted" + "; give the same command with --resume to go on" * can_resume, 130)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        sys.exit(1)


def _fail(message: str, code: int) -> None:
    print("mien: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(code)


@contextmanager
def _training_parts() -> Iterator[None]:
    """Turn a missing torch into a line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "mien":
            raise
        raise MissingExtraError(
            f"training needs {error.name}, which is not installed; run: pip install 'mien[train]'"
        ) from error


def _run_in_folder(
    work: Callable[..., dict[str, Any]], config: StudyConfig, out: str | None, *, resume: bool, json: bool
) -> None:
    from pathlib import Path

    from mien.terminal import TerminalProgress, study_summary

    folder = Path(out).expanduser() if out else _default_folder(config)
    results = work(config, folder, resume=resume, progress=TerminalProgress())
    _finish(results, study_summary, json=json)


def _default_folder(config: StudyConfig) -> Path:
    from pathlib import Path

    path, _, part = config.data.partition("::")
    name = Path(path).resolve().name if Path(path).is_dir() else Path(path).stem
    return Path("-".join(["mien", name, *part.replace("/", "-").split()]))


def _finish(results: dict[str, Any], summary: Callable[[dict[str, Any]], Any], *, json: bool) -> None:
    if json:
        print(json_format.dumps({"mien": __version__} | results, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(summary(results))
