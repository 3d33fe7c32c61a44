"""The whole job from Python: what ``mien study`` and the other commands do, with the same settings by the same names.

Each function takes labelled photos in any of the forms of ``labelled.py``, and gives a handle. Settings are checked
before work starts, and errors are the one line that the command prints.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar, Unpack

from mien.auditing.run import run_audit
from mien.errors import ConfigError, MienError, OutputError, said_in_python
from mien.extras import extra
from mien.jobs.evaluate import run_evaluation
from mien.jobs.handles import Adaptation, Audit, Comparison, Evaluation, Scored, Study
from mien.jobs.labelled import Labelled, Photos, answers_at, taken
from mien.jobs.score import run_score
from mien.progress import Advance, Progress, Silent
from mien.python_words import in_python
from mien.recognizer import Recognizer
from mien.settings.adapt import AdaptSettings
from mien.settings.audit import AuditSettings
from mien.settings.by_name import checked, made, option_fields
from mien.settings.calls import AdaptCall, AuditCall, CompareCall, EvaluateCall, StudyCall
from mien.settings.compare import CompareSettings
from mien.settings.evaluate import EvaluateSettings
from mien.settings.places import folder_for
from mien.settings.recipes import DEFAULT_RECIPES
from mien.settings.score import ScoreSettings
from mien.settings.study import StudySettings, with_demo_target
from mien.system.addresses import kept_aside
from mien.system.paths import user_path
from mien.system.scratch import work_folder
from mien.telling.notebook.progress import NotebookProgress, in_notebook

__all__ = ["adapt", "audit", "compare", "evaluate", "score", "study"]

P = ParamSpec("P")
T = TypeVar("T")
TABLE = "photos.parquet"


def _with_settings(kind: type[object], *taken_already: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A function that people call from Python, with the settings of a kind in its signature for help and completion."""

    def shown(function: Callable[P, T]) -> Callable[P, T]:
        plain = inspect.signature(function)
        own = [each for each in plain.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        settings = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(group, name))
            for name, group in option_fields(kind).items()
            if name not in {*taken_already, *(each.name for each in own)}
        ]
        called = said_in_python()(function)
        called.__signature__ = plain.replace(parameters=[*own, *settings])  # type: ignore[attr-defined]
        return called

    return shown


def _default(group: type[object], name: str) -> object:
    return next(each.default for each in dataclasses.fields(group) if each.name == name)  # type: ignore[arg-type]


@_with_settings(StudySettings, "data")
def study(
    data: Photos,
    labels: object | None = None,
    groups: object | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Unpack[StudyCall],
) -> Study:
    """Do the main job, as ``mien study`` does: audit, split, train, compare, test, and write a report.

    Args:
        data: labelled photos: a path or several, as the command takes them; a pandas or Polars DataFrame with one row
            per photo; or, with ``labels``, photos as ``Recognizer.predict`` takes them. Tables and photos in memory
            are kept beside the folder, in ``NAME-photos/``.
        labels: (N,) the class of each photo.
        groups: (N,) what each photo depends on, such as a person; never in two splits.
        out: folder to write; by default ``mien-NAME`` in the current one.
        resume: go on with what was interrupted.
        progress: whether to draw a bar in a notebook, and on a terminal.
        **settings: those of ``mien study``, as in ``epochs=20`` or ``recipe=["probe"]``.

    Raises:
        MienError: in one line, for whatever the command refuses.
    """
    given = taken(data, labels, groups)
    place = _place(out, given, "mien")
    config = _configured(StudySettings, given, settings, data=given.sources_at(_beside(place)))
    config = with_demo_target(config)
    with extra("train", "training"):
        from mien.jobs.study import run_study
    with _kept(given, place, resume=resume):
        return Study(run_study(config, place, resume=resume, progress=_progress(progress)), place)


@_with_settings(AuditSettings, "data")
def audit(
    data: Photos,
    labels: object | None = None,
    groups: object | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **settings: Unpack[AuditCall],
) -> Audit:
    """Find what is wrong with a set of photos, as ``mien audit`` does.

    Args:
        data: labelled photos, in any form that ``mien.study`` takes.
        labels: (N,) the class of each photo, where ``data`` are photos.
        groups: (N,) the person, or what else each photo depends on.
        out: CSV file to write all findings to; none by default.
        progress: whether to draw a bar in a notebook, and on a terminal.
        **settings: those of ``mien audit``.
    """
    given = taken(data, labels, groups)
    findings = None if out is None else user_path(out, "out")
    with _tables() as folder:
        config = _configured(AuditSettings, given, settings, data=given.sources_at(folder / TABLE))
        given.write(folder / TABLE)
        return Audit(run_audit(config, findings, _progress(progress)))


@_with_settings(EvaluateSettings, "data", "model")
def evaluate(
    model: str | Path | Study | Recognizer,
    data: Photos,
    labels: object | None = None,
    groups: object | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **settings: Unpack[EvaluateCall],
) -> Evaluation:
    """Score a model on labelled photos from elsewhere, as ``mien evaluate`` does.

    Args:
        model: a study, a ``Recognizer``, a folder of a study or run, a model file, or a name such as ``"default"``.
        data: labelled photos, in any form that ``mien.study`` takes.
        labels: (N,) the class of each photo, where ``data`` are photos.
        groups: (N,) the person, or what else each photo depends on.
        out: folder to write, with a page and ``results.json``; none by default.
        progress: whether to draw a bar in a notebook, and on a terminal.
        **settings: those of ``mien evaluate``.
    """
    given = taken(data, labels, groups)
    with _tables() as folder:
        sources = given.sources_at(folder / TABLE)
        config = _configured(EvaluateSettings, given, settings, model=_model(model), data=sources)
        given.write(folder / TABLE)
        place = None if out is None else user_path(out, "out")
        called = None if given.table is None else "photos"
        with extra("report", "a page of mien.evaluate") if place else nullcontext():
            return Evaluation(run_evaluation(config, place, progress=_progress(progress), called=called), place)


@_with_settings(ScoreSettings, "answers", "photos")
def score(
    answers: object,
    photos: Photos,
    labels: object | None = None,
    groups: object | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **settings: object,
) -> Scored:
    """Score the answers of any tool on labelled photos, as ``mien score`` does.

    Args:
        answers: a table of answers: its path; a pandas or Polars DataFrame or a mapping of columns; or a list with a
            dictionary for each photo, as DeepFace's and fer's results with the path beside them.
        photos: labelled photos, in any form that ``mien.study`` takes.
        labels: (N,) the class of each photo, where ``photos`` are photos.
        groups: (N,) the person, or what else each photo depends on.
        out: folder to write, with a page and ``results.json``; none by default.
        progress: whether to draw a bar in a notebook, and on a terminal.
        **settings: those of ``mien score``, as in ``against=["default"]``.
    """
    given = taken(photos, labels, groups)
    with _tables() as folder:
        sources = given.sources_at(folder / TABLE)
        if len(sources) > 1:
            raise ConfigError("score: one set of photos is scored; score the others by themselves")
        table = answers_at(answers, folder)
        config = _configured(ScoreSettings, given, settings, answers=table, photos=sources[0])
        given.write(folder / TABLE)
        place = None if out is None else user_path(out, "out")
        called = "photos" if given.table is not None else None
        told = None if isinstance(answers, str | os.PathLike) else "answers"
        with extra("report", "a page of mien.score") if place else nullcontext():
            found = run_score(config, place, progress=_progress(progress), answers_called=told, photos_called=called)
            return Scored(found, place)


@_with_settings(CompareSettings, "data")
def compare(
    data: Photos,
    labels: object | None = None,
    groups: object | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Unpack[CompareCall],
) -> Comparison:
    """Compare settings of training under equal budgets, as ``mien compare`` does.

    Args:
        data: labelled photos, in any form that ``mien.study`` takes.
        labels: (N,) the class of each photo, where ``data`` are photos.
        groups: (N,) the person, or what else each photo depends on.
        out: folder to write; by default ``mien-compare-NAME`` in the current one.
        resume: go on with what was interrupted.
        progress: whether to draw a bar in a notebook, and on a terminal.
        **settings: those of ``mien compare``, as in ``arms=["augment=none", "augment=notebook"], epochs=20``.
    """
    given = taken(data, labels, groups)
    place = _place(out, given, "mien-compare")
    config = _configured(CompareSettings, given, settings, data=given.sources_at(_beside(place)))
    with extra("train", "training"):
        from mien.jobs.compare import run_comparison
    with _kept(given, place, resume=resume):
        return Comparison(run_comparison(config, place, resume=resume, progress=_progress(progress)), place)


@_with_settings(AdaptSettings, "target", "model")
def adapt(
    model: str | Path | Study | Recognizer,
    target: Photos,
    labels: object | None = None,
    groups: object | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **settings: Unpack[AdaptCall],
) -> Adaptation:
    """Measure what would make a model better on photos from elsewhere, as ``mien adapt`` does.

    Args:
        model: a study, its folder, or a run folder or model file in one.
        target: labelled photos from elsewhere, in any form that ``mien.study`` takes; half of them are only scored.
        labels: (N,) the class of each photo, where ``data`` are photos.
        groups: (N,) the person, or what else each photo depends on.
        out: folder to write; by default ``mien-adapt-NAME`` in the current one.
        progress: whether to draw a bar in a notebook, and on a terminal.
        **settings: those of ``mien adapt``.
    """
    given = taken(target, labels, groups)
    place = _place(out, given, "mien-adapt")
    if len(given.sources) > 1:
        raise OutputError("adapt: one set of photos is adapted to; adapt to the others by themselves")
    (source,) = given.sources_at(_beside(place))
    config = _configured(AdaptSettings, given, settings, model=_model(model), target=source)
    with extra("train", "adapting"):
        from mien.jobs.adapt import run_adaptation
    with _kept(given, place, resume=False):
        return Adaptation(run_adaptation(config, place, progress=_progress(progress)), place)


@contextmanager
def _tables() -> Iterator[Path]:
    """A folder for tables that lay in memory; errors call them what the caller calls them, not where they were put."""
    with work_folder() as folder:
        try:
            yield folder
        except MienError as error:
            places = "|".join(re.escape(str(place)) for place in {folder, folder.resolve()})
            error.args = tuple(re.sub(rf"(?:{places})/(\w+)\.\w+", r"\1", str(each)) for each in error.args)
            raise


def _place(out: str | Path | None, given: Labelled, start: str) -> Path:
    return user_path(out, "out") if out is not None else folder_for(given.sources or ("photos",), start)


def _beside(place: Path) -> Path:
    """Where a table is kept for a folder: beside it, where going on finds it again, under a name that never varies.

    Its name is that of the source, by which ``corrections`` of an audit are matched.
    """
    return place.with_name(f"{place.name}-photos") / TABLE


@contextmanager
def _kept(given: Labelled, place: Path, *, resume: bool) -> Iterator[None]:
    """The table, if one was given, beside the folder; taken back where nothing came of the folder."""
    path = _beside(place)
    if given.table is not None and place.exists() and not resume:
        raise OutputError(f"{place}: exists already; give another out, or resume=True to go on")
    was_written = given.write(path)
    try:
        yield
    finally:
        if was_written and not place.exists():
            path.unlink(missing_ok=True)
            with suppress(OSError):  # of a folder that holds something else
                path.parent.rmdir()


def _configured(kind: type[T], given: Labelled, settings: Mapping[str, object], **own: object) -> T:
    """Settings of a kind as a caller gave them, with those that the call itself decides.

    Raises:
        ConfigError: for a setting that is unknown, of another type, or out of range.
    """
    asked = {
        name: kept_aside(value) if isinstance(value, str) else value for name, value in checked(kind, settings).items()
    }
    if kind is StudySettings:
        asked.setdefault("recipes", DEFAULT_RECIPES)
    if given.root is not None:  # the folder that the paths in a table start from
        asked.setdefault("root", given.root)
    return made(kind, **asked, **own)


def _model(model: str | Path | Study | Recognizer) -> str:
    if isinstance(model, Study):
        return str(model.folder)
    return model.model if isinstance(model, Recognizer) else os.fspath(model)


@dataclasses.dataclass(frozen=True)
class _InPython:
    """Progress whose lines name arguments where those of a command name options."""

    drawn: Progress

    def tell(self, line: str) -> None:
        """Say something that a person should know before work goes on."""
        self.drawn.tell(in_python(line))

    def step(self, title: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Announce a step."""
        return self.drawn.step(title, total, unit)


def _progress(wanted: bool) -> Progress:
    if not wanted:
        return Silent()
    if in_notebook():
        return _InPython(NotebookProgress())
    from mien.telling.terminal.summaries import TerminalProgress

    return _InPython(TerminalProgress())
