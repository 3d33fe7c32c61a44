"""The commands. With ``ending.py`` the only place that prints or exits."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import App, Parameter

from mien import __version__
from mien.ending import ended_by_signals, extra, finish, plain_ending, signals_left_to_python, take_ctrl_c_from_polars
from mien.errors import ConfigError
from mien.options import (
    ColumnOptions,
    CompareOptions,
    Flag,
    LabelOptions,
    ScoringOptions,
    StudyOptions,
    TrainOptions,
    output_folder,
)

if TYPE_CHECKING:
    from mien.config import StudyConfig

__all__ = ["app", "main"]

app = App(
    name="mien",
    help="Turn a folder of labelled face photos into a facial-expression recogniser you can trust.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # it would end without a word
)

Sources = tuple[str, ...]
NO_COLUMNS, NO_LABEL_CHECK, AS_USUAL = ColumnOptions(), LabelOptions(), TrainOptions()
NOTHING_COMPARED, BY_NAME, TESTED_AT_HOME = CompareOptions(), ScoringOptions(), StudyOptions()


@app.command
def study(
    data: Sources,
    /,
    *,
    asked: StudyOptions = TESTED_AT_HOME,
    training: TrainOptions = AS_USUAL,
    columns: ColumnOptions = NO_COLUMNS,
    labels: LabelOptions = NO_LABEL_CHECK,
    json: Flag = False,
) -> None:
    """Do the main job: audit, split, train, compare, test, and write a report.

    Without --recipe it trains two-stream, probe, scratch and scratch-no-augmentation.

    Args:
        data: Labelled photos: a folder per class, as folder, zip or tar; a CSV, JSON Lines or Parquet table; or
            kaggle:OWNER/NAME, hf:OWNER/NAME, demo. PATH::part picks a part. Several make one set.
        json: Print the results as one JSON object.
    """
    from mien.config import DEFAULT_RECIPES

    config = training.config(
        data,
        columns,
        target="demo::target" if data == ("demo",) and asked.target is None else asked.target,
        target_labels=asked.target_labels,
        recipes=training.recipe or DEFAULT_RECIPES,
        check_labels=labels.check_labels,
        leak_premium=labels.leak_premium,
        explain_mistakes=asked.explain_mistakes,
        photos=not asked.no_photos,
    )
    with extra("train", "training"):
        from mien.study import run_study
    _run_in_folder(run_study, config, training, json=json)


@app.command
def train(
    data: Sources,
    /,
    *,
    training: TrainOptions = AS_USUAL,
    columns: ColumnOptions = NO_COLUMNS,
    json: Flag = False,
) -> None:
    """Train and validate only; the test photos stay unread.

    Without --recipe it trains two-stream.

    Args:
        data: Labelled photos, as for 'mien study'.
        json: Print the results as one JSON object.
    """
    config = training.config(data, columns, recipes=training.recipe or ("two-stream",))
    with extra("train", "training"):
        from mien.study import run_training
    _run_in_folder(run_training, config, training, json=json)


@app.command
def compare(
    data: Sources,
    /,
    *,
    comparing: CompareOptions = NOTHING_COMPARED,
    columns: ColumnOptions = NO_COLUMNS,
    json: Flag = False,
) -> None:
    """Compare settings of training under equal budgets, paired over seeds and folds; the test photos stay unread.

    Args:
        data: Labelled photos, as for 'mien study'.
        json: Print the results as one JSON object.
    """

    from mien.terminal import TerminalProgress

    with extra("train", "training"):
        from mien.comparing.compare import run_comparison
        from mien.terminal_compare import comparison_summary

        config = comparing.config(data, columns)
    folder = output_folder(comparing.out, data, "mien-compare")
    results = run_comparison(config, folder, resume=comparing.resume, progress=TerminalProgress())
    finish(results, comparison_summary, json=json)


@app.command
def audit(
    data: Sources,
    /,
    *,
    corrections: str | None = None,
    faces: bool = True,
    labels: LabelOptions = NO_LABEL_CHECK,
    columns: ColumnOptions = NO_COLUMNS,
    seed: int = 42,
    out: str | None = None,
    json: Flag = False,
) -> None:
    """Find what is wrong with a set of photos: copies, contradictions, shortcuts, doubtful labels, poor faces.

    Args:
        data: Labelled photos, as for 'mien study'.
        corrections: Table that an earlier audit wrote with --out, with your decisions.
        faces: Look for faces: none, several, tiny, cut off, blurred.
        seed: Seed of folds and permutations.
        out: CSV file to write all findings to, with a column 'action' for you to fill in.
        json: Print the result as one JSON object.
    """
    from pathlib import Path

    from mien.auditing.run import AuditOptions, run_audit
    from mien.terminal import TerminalProgress, audit_summary

    options = AuditOptions(
        columns=columns.columns(),
        corrections=Path(corrections) if corrections else None,
        find_faces=faces,
        check_labels=labels.check_labels,
        leak_premium=labels.leak_premium,
        out=Path(out) if out else None,
        seed=seed,
    )
    finish(run_audit(data, options, TerminalProgress()), audit_summary, json=json)


@app.command
def evaluate(
    model: str,
    data: tuple[str, ...],
    /,
    *,
    scoring: ScoringOptions = BY_NAME,
    columns: ColumnOptions = NO_COLUMNS,
    json: Flag = False,
) -> None:
    """Score a model on labelled photos from elsewhere, classes matched by name.

    Args:
        model: Study folder, run folder or model.onnx.
        data: Labelled photos, as for 'mien study', each scored by itself.
        json: Print the results as one JSON object.
    """
    from pathlib import Path

    from mien.evaluation.evaluate import evaluate, write_mapping
    from mien.terminal import TerminalProgress
    from mien.terminal_target import evaluation_summary, mapping_summary

    options = scoring.evaluation(data, columns)
    if scoring.write_labels:
        written = write_mapping(model, data, Path(scoring.write_labels), options.columns)
        finish(written, mapping_summary, json=json)
        return
    results = evaluate(model, data, None, options=options, progress=TerminalProgress())
    finish(results, evaluation_summary, json=json)


@app.command
def adapt(
    model: str,
    target: str,
    /,
    *,
    shots: str = "0,1,2,5,10,20",
    draws: int = 5,
    save: str | None = None,
    labels: str | None = None,
    columns: ColumnOptions = NO_COLUMNS,
    seed: int = 42,
    out: str | None = None,
    json: Flag = False,
) -> None:
    """Measure what would make a model better on photos from elsewhere, and what that would cost at home.

    Args:
        model: Study folder, or a run folder or model.onnx in one.
        target: Labelled photos from elsewhere, as for 'mien study'; half of them is only scored.
        shots: Numbers of labelled photos a class to learn from.
        draws: How often these are drawn; scores are means over the draws.
        save: Write the model of one way: class shares, statistics, made alike, self-training, labels or 'labels,
            shares'; of finetune also 'blocks, self-taught', blocks or 'blocks, shares'.
        labels: File that maps the target's classes, as 'mien evaluate --write-labels' writes it.
        seed: Seed of halves and draws.
        out: Folder to write. Default: mien-adapt-NAME in the current folder.
        json: Print the results as one JSON object.
    """
    from dataclasses import asdict

    from mien.options import whole_numbers
    from mien.terminal import TerminalProgress

    with extra("train", "adapting"):
        from mien.adapting.adapt import run_adaptation
        from mien.adapting.settings import AdaptConfig
        from mien.terminal_adapt import adaptation_summary

    config = AdaptConfig(model, target, whole_numbers("shots", shots), draws, save, labels, seed, **asdict(columns))
    folder = output_folder(out, (target,), "mien-adapt")
    finish(run_adaptation(config, folder, progress=TerminalProgress()), adaptation_summary, json=json)


@app.command
def predict(
    sources: Annotated[tuple[str, ...], Parameter(allow_leading_hyphen=True)],
    /,
    *,
    model: str = "default",
    faces: str = "largest",
    max_error: float | None = None,
    fps: float = 5.0,
    jsonl: Flag = False,
    csv: Flag = False,
) -> None:
    """Recognise the expression shown in photos and videos.

    Args:
        sources: Images, folders, patterns, zips, tars, tables or videos; - reads one path a line from standard
            input and answers 32 at a time.
        model: Study folder, run folder, model.onnx, or the one that comes with mien.
        faces: largest for one answer a picture, all for one a face.
        max_error: Share of answers that may be wrong on photos like those the model was trained on; answers that are
            less sure are called unsure.
        fps: Frames a second to look at in videos.
        jsonl: Print one JSON object a line instead of a table.
        csv: Print a CSV with a row for each answer.
    """
    from itertools import chain

    from mien.config import check_choice, check_max_error
    from mien.data.pictures import open_pictures
    from mien.printed import prediction_header, prediction_summary, prediction_text
    from mien.recognizer import Recognizer

    if not sources:
        raise ConfigError("predict: give photos, as in: mien predict photo.jpg")
    for source in sources:
        if source.startswith("-") and source != "-":
            raise ConfigError(f"Unknown option: {source}. See: mien predict --help")
    check_choice("faces", faces, ("largest", "all"))
    check_max_error(max_error)
    if not 0 < fps <= 1000:
        raise ConfigError(f"--fps {fps:g}: must be more than 0 and at most 1000")
    if jsonl and csv:
        raise ConfigError("predict: give --jsonl or --csv, not both")
    recognizer = Recognizer(model, max_error=max_error)
    pictures = chain.from_iterable([open_pictures(source, frames_per_second=fps) for source in sources])
    text = prediction_text("jsonl" if jsonl else "csv" if csv else "table", recognizer.labels)
    if csv:
        print(prediction_header(recognizer.labels))
    counts: dict[str, int] = {}
    for prediction in recognizer.predict_pictures(pictures, every_face=faces == "all"):
        print(text(prediction), flush=True)
        counts[prediction.status] = counts.get(prediction.status, 0) + 1
    print(prediction_summary(counts), file=sys.stderr)
    if counts.get("unreadable"):
        sys.exit(1)


@app.command
def export(
    model: str,
    /,
    *,
    out: str | None = None,
    precision: str = "fp32",
    json: Flag = False,
) -> None:
    """Write a model file to take elsewhere, as it is or smaller, and measure what that costs.

    Args:
        model: Study folder, run folder, model.onnx, or default.
        out: File to write. Default: the model's name and precision in the current folder.
        precision: fp32 as it was trained, fp16 for half the size, int8 for a quarter.
        json: Print the result as one JSON object.
    """
    from pathlib import Path

    from mien.config import check_choice
    from mien.evaluation.exporting import export as export_model
    from mien.terminal import export_summary

    check_choice("precision", precision, ("fp32", "fp16", "int8"))
    name = Path(model).resolve().name.removesuffix(".onnx")
    path = Path(out).expanduser() if out else Path(f"{name}-{precision}.onnx")
    finish(export_model(model, path, cast(Any, precision)), export_summary, json=json)


@app.command(name="app")
def serve_app(
    *,
    model: str = "default",
    host: str = "127.0.0.1",
    port: int = 7860,
    token: str | None = None,
    max_error: float | None = None,
    api_only: Flag = False,
) -> None:
    """Open a page to try a recogniser on, and a service that programs can call.

    Args:
        model: Study folder, run folder, model.onnx, or the one that comes with mien.
        host: Address to answer at; any but this machine's own needs a token.
        port: Port to answer at.
        token: What callers must show, at least 16 letters or digits. Default: the environment variable MIEN_TOKEN.
        max_error: As for 'mien predict'.
        api_only: Leave the page out, as on a server.
    """
    from mien.config import check_max_error

    check_max_error(max_error)
    token = token or os.environ.get("MIEN_TOKEN") or None
    with extra("app", "the page"):
        from mien.app.serve import check_address, serve
        from mien.recognizer import Recognizer

        check_address(host, port, token)
        recognizer = Recognizer(model, max_error=max_error)

        def tell() -> None:
            name = f"[{host}]" if ":" in host else host
            print(f"mien: http://{name}:{port}/{'docs' if api_only else ''} (Ctrl+C ends it)", file=sys.stderr)

        if not api_only:
            print("mien: the page is being made, which takes some seconds", file=sys.stderr)
        with signals_left_to_python():  # the service answers what it has taken, and removes what was uploaded
            serve(recognizer, host=host, port=port, token=token, has_page=not api_only, on_start=tell)


def main() -> None:
    """Run the command that ``sys.argv`` asks for."""
    from mien.data.scratch import remove_dead

    # Threads that wait by spinning make training several times slower as soon as anything else runs on the machine.
    # OpenMP reads this once, when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Pictures that are too large become rows with this reason; Pillow's warning beside it would say it twice.
    warnings.filterwarnings("ignore", module="PIL")
    with ended_by_signals(), plain_ending():
        if not {"--help", "-h", "--version"} & set(sys.argv):  # which need not wait for it
            take_ctrl_c_from_polars()
            remove_dead()
        app(exit_on_error=False, print_error=False)


def _run_in_folder(
    work: Callable[..., dict[str, Any]], config: StudyConfig, training: TrainOptions, *, json: bool
) -> None:
    from mien.terminal import TerminalProgress, study_summary

    folder = output_folder(training.out, config.data, "mien")
    results = work(config, folder, resume=training.resume, progress=TerminalProgress())
    finish(results, study_summary, json=json)
