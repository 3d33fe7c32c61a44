"""How the made study reads, on the page and on the terminal, and how that changes with what was found.

One stored text holds all wording; ``make snapshots`` stores it anew, to be read as a difference before it is committed.
Other tests say what must be told, in which order and with which numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace as with_settings
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict, replace
from rich.console import Console, RenderableType

from mien.results.audit import Copies, CopiesFound, DoubtfulLabels, Leakage, Shortcuts
from mien.results.commands import AuditedData, AuditPaths, AuditResults
from mien.results.study import StudyResults
from mien.settings.audit import LabelChecks
from mien.settings.recipes import FINETUNE
from mien.settings.run import NetworkRun
from mien.telling.report.adaptation_page import write_page
from mien.telling.report.evaluation_page import write_page as write_evaluation
from mien.telling.report.evaluation_page import write_score_page
from mien.telling.terminal.adaptation import adaptation_summary
from mien.telling.terminal.evaluation import evaluation_summary, score_summary
from mien.telling.terminal.summaries import audit_summary, study_summary
from support.changed_studies import by_person, evaluated, few_people, held_out, sliced, without_target
from support.made_adaptation import adapted
from support.made_raters import made_raters
from support.made_report import changed, lines_of, make_study, without_photos, written
from support.made_score import answers_scored
from support.made_study import Made, leakage
from support.snapshots import difference

AsStored = Callable[[str, str], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def report(made: Made) -> str:
    return lines_of((made.folder / "report.html").read_text(encoding="utf-8"))


def test_the_report_reads_as_stored(report: str, as_stored: AsStored) -> None:
    as_stored("report", report)


# -- what other results change ----------------------------------------------------------------------------------------


def clean(made: Made) -> dict[str, Any]:
    none = Copies(groups=0, across_labels=0, across_splits={})
    found = {
        "conflicts": (),
        "conflicting_labels": 0,
        "copies": CopiesFound(exact=none, near=none),
        "series": (0, 0),
        "flags": {flag: {} for flag in made.results.data.flags},
        "shortcuts": replace(made.results.data.shortcuts, found=False, tells_classes=False, p=0.4, culprits=()),
        "doubtful_labels": DoubtfulLabels(judged=60, found=0, accuracy=0.97, folds=5),
    }
    return changed(made, "data", **found) | {"corrections": None}


def unasked(made: Made) -> dict[str, Any]:
    unknown = {
        "shortcuts": Shortcuts(reason="needs two classes"),
        "doubtful_labels": DoubtfulLabels(reason="not asked"),
    }
    return changed(made, "data", **unknown, leakage=None)


def too_small_for_a_premium(made: Made) -> dict[str, Any]:
    checks = {"config": with_settings(made.results.config, checks=LabelChecks(leak_premium=True))}
    return changed(made, "data", leakage=Leakage(reason="class 'sad' is too small")) | checks


def across_the_given_division(made: Made) -> dict[str, Any]:
    copies = CopiesFound(
        exact=Copies(groups=700, across_labels=57, across_splits={"train+test": 531}),
        near=Copies(groups=900, across_labels=60, across_splits={"train+test": 640, "val+train+test": 2}),
    )
    return changed(made, "data", copies=copies)


def with_a_fine_tuned_run(made: Made) -> dict[str, Any]:
    scratch = made.results.runs["scratch"]
    assert isinstance(scratch.config, NetworkRun)
    config = replace(scratch.config, name="finetune", train=with_settings(FINETUNE, members=3))
    return {"runs": made.results.runs | {"finetune": replace(scratch, config=config)}}


VARIANTS: dict[str, Callable[[Made], dict[str, Any]]] = {
    "a clean set": clean,
    "what was not looked for": unasked,
    "too few photos for a premium": too_small_for_a_premium,
    "copies across the given division": across_the_given_division,
    "divided by person": by_person,
    "four people": few_people,
    "every person held out once": held_out,
    "sliced by two columns": sliced,
    "divided naively": lambda made: changed(made, "splits", method="naive"),
    "divided by series, as in an earlier study": lambda made: changed(made, "splits", method="series", moved=0),
    "divided as given, some moved": lambda made: changed(made, "splits", given=True, moved=3),
    "series that leak": lambda made: changed(made, "data", leakage=leakage((-0.01, 0.02), (0.01, 0.05))),
    "a naive division that scores lower": lambda made: changed(
        made, "data", leakage=leakage((-0.02, -0.001), (-0.02, -0.001))
    ),
    "without corrections": lambda made: {"corrections": None},
    "without photos": without_photos,
    "without a target": without_target,
    "a fine-tuned run": with_a_fine_tuned_run,
}


QUICK = ("a clean set", "divided by person", "without a target")
"""The others are drawn where there is time."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.heavy) for name in VARIANTS]
)
def test_other_results_change_the_report_as_stored(
    name: str, made: Made, report: str, tmp_path: Path, as_stored: AsStored
) -> None:
    page = lines_of(written(made, tmp_path, **VARIANTS[name](made)))
    told = difference(report, page)
    assert told.strip(), "the report says nothing of it"
    as_stored(f"report, {name}", told)


# -- the terminal -----------------------------------------------------------------------------------------------------


def printed(summary: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as captured:
        console.print(summary)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def audited(results: StudyResults) -> AuditResults:
    data = AuditedData(**asdict(results.data), corrections=results.corrections, findings=17)
    return AuditResults(mien="0.0.test", data=data, paths=AuditPaths(findings="findings.csv"))


def rated(made: Made) -> dict[str, Any]:
    """Votes of several raters beside the photos."""
    return {"raters": made_raters(made.results.test)}


SAID: dict[str, Callable[[StudyResults], RenderableType]] = {
    "study": lambda results: study_summary(replace(results, seconds={"read": 1.0, "total": 61.0})),
    "study with folds": lambda results: study_summary(replace(results, seconds={"read": 1.0, "total": 61.0})),
    "study with slices": lambda results: study_summary(replace(results, seconds={"read": 1.0, "total": 61.0})),
    "study with raters": lambda results: study_summary(replace(results, seconds={"read": 1.0, "total": 61.0})),
    "audit": lambda results: audit_summary(audited(results)),
    "evaluate": lambda results: evaluation_summary(evaluated(results)),
    "score": lambda results: score_summary(answers_scored(results)),
    "adapt": lambda results: adaptation_summary(adapted()),
}


@pytest.mark.parametrize("command", SAID)
def test_the_terminal_reads_as_stored(command: str, made: Made, as_stored: AsStored) -> None:
    changes = {"study with folds": held_out, "study with slices": sliced, "study with raters": rated}.get(command)
    results = replace(made.results, **changes(made)) if changes else made.results
    as_stored(f"terminal, {command}", printed(SAID[command](results)))


def test_the_page_of_an_adaptation_reads_as_stored(tmp_path: Path, as_stored: AsStored) -> None:
    write_page(adapted(), tmp_path / "adapt.html")
    as_stored("page of adapt", lines_of((tmp_path / "adapt.html").read_text(encoding="utf-8")))


def test_the_page_of_answers_reads_as_stored(made: Made, tmp_path: Path, as_stored: AsStored) -> None:
    write_score_page(answers_scored(made.results), tmp_path / "score.html")
    as_stored("page of score", lines_of((tmp_path / "score.html").read_text(encoding="utf-8")))


def test_the_page_of_an_evaluation_reads_as_stored(made: Made, tmp_path: Path, as_stored: AsStored) -> None:
    results = evaluated(made.results)
    write_evaluation(replace(results, targets={"other": results.target}), tmp_path / "evaluate.html")
    as_stored("page of evaluate", lines_of((tmp_path / "evaluate.html").read_text(encoding="utf-8")))
