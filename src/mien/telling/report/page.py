"""Results, manifest and pixels → one self-contained page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from mien.metrics import LEAST_GROUPS
from mien.results.audit import ExaminedAudit
from mien.results.behaviour import ErrorRates
from mien.results.exhibits import Exhibits
from mien.results.scores import Scores
from mien.results.study import StudyResults
from mien.results.target import TargetResults
from mien.settings.run import NetworkRun
from mien.system.files import write_text
from mien.telling.report import causes, drift, figures, robustness, slices, tables
from mien.telling.report.figures import kept_epoch, learning_curves
from mien.telling.words import answers as wording
from mien.telling.words import concerns, cross_validation, division, elsewhere, numerals
from mien.telling.words.advice import advise
from mien.telling.words.methods import methods, sources
from mien.telling.words.over import over, span

__all__ = ["render_report", "write_report"]

SECTIONS = {
    "answer": "The answer",
    "data": "Data",
    "split": "Split",
    "curves": "Learning curves",
    "scores": "Scores",
    "comparison": "Comparison",
    "target": "Photos from elsewhere",
    "mistakes": "Mistakes",
    "next": "What to do next",
    "methods": "Methods",
    "glossary": "Glossary",
}
"""Id → heading, in the order of the page."""
MOST_NAMES = 200
"""File names listed of one kind; the manifest has them all."""
MOST_CULPRITS = 12
FLAGGED = {
    "no_face": "No face found",
    "tiny_face": "Tiny face",
    "cut_face": "Cut off by the frame",
    "blurred_face": "Blurred face",
}
"""Flags that are shown by examples → heading."""


def write_report(folder: Path, results: StudyResults, exhibits: Exhibits | None) -> None:
    """Write ``report.html`` into the study's folder, whole or not at all.

    Args:
        results: of the study.
        exhibits: the photos to show; None shows neither photos nor names of files.
    """
    write_text(render_report(results, exhibits), folder / "report.html")


def render_report(results: StudyResults, exhibits: Exhibits | None) -> str:
    """The page as text; see ``write_report``."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            sections=_sections(results),
            results=results,
            data=results.data,
            target=results.target,
            selected=results.selected,
            evidence=cross_validation.evidence(results),
            folds=_folds(results),
            test=results.test,
            photos=exhibits,
            most_names=MOST_NAMES,
            least_groups=results.test.over.least if results.test.over else LEAST_GROUPS,
            headline=wording.headline(results),
            answer=[*wording.overall_answer(results), *wording.target_answer(results)],
            answer_dots=_answer_dots(results),
            warnings=wording.warnings(results),
            curves=_curves(results),
            sureness=_sureness(results),
            covered=wording.covered_sentence(results.covered),
            robustness=_robustness(results),
            run_dots=_run_dots(results),
            differences=tables.difference_dots(results.comparisons),
            comparisons=wording.comparison_sentences(results.comparisons),
            class_rows=tables.class_rows(results.test, results.labels),
            confusion=tables.confusion_table(results.test, results.labels),
            slices=slices.parts(results),
            mistakes=_mistakes(results),
            elsewhere=_elsewhere(results),
            advice=advise(results),
            methods=methods(results),
            sources=sources(results),
            concerns=_concerns(results.data),
            division=_division(results),
            flagged=FLAGGED,
        )
    )


def _sections(results: StudyResults) -> dict[str, str]:
    """The sections of the page, with that of slices behind the scores where they were asked for."""
    sections = dict(SECTIONS)
    if not slices.asked(results):
        return sections
    place = list(sections).index("scores") + 1
    return dict([*list(sections.items())[:place], ("slices", "Scores by column"), *list(sections.items())[place:]])


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mien.telling.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("score", "percent", "count", "signed", "interval", "plural", "number_word"):
        environment.filters[name] = getattr(numerals, name)
    environment.filters["over"], environment.filters["span"] = over, span
    environment.filters["unbroken"] = _unbroken
    environment.filters["breakable"] = _breakable
    environment.filters["counts_by"] = tables.counts_by
    return environment


def _unbroken(text: str) -> Markup:
    """The text with no line break inside “macro-F1”."""
    return Markup('<span class="nb">macro-F1</span>').join(text.split("macro-F1"))


def _breakable(name: str) -> Markup:
    """A name that may be broken after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _concerns(data: ExaminedAudit) -> dict[str, object]:
    """What in the data needs a look."""
    shortcuts = data.shortcuts
    return {
        "found": concerns.concerns(data),
        "shortcuts": concerns.shortcut_sentences(shortcuts),
        "culprits": concerns.culprit_rows(shortcuts, MOST_CULPRITS),
        "property_dots": concerns.property_dots(shortcuts) if not shortcuts.reason else [],
        "drawings": concerns.drawing_sentences(data),
        "copies": concerns.copies_sentences(data),
        "series": concerns.series_sentence(data),
        "faces": concerns.face_table(data),
        "doubts": concerns.doubt_sentences(data.doubtful_labels),
    }


def _division(results: StudyResults) -> dict[str, object]:
    """How the photos were divided, and what a leak would be worth."""
    leakage = results.data.leakage if results.data.leakage and not results.data.leakage.reason else None
    return {
        "warning": division.division_warning(results),
        "told": division.division_sentences(results),
        "premium": division.premium_sentences(results),
        "rows": division.division_rows(leakage) if leakage else [],
        "dots": division.premium_dots(leakage) if leakage else None,
        "where_people_stand": division.where_people_stand(results),
        "keeps_groups": division.keeps_groups(results),
    }


def _folds(results: StudyResults) -> dict[str, object] | None:
    """How each fold was answered; None in a study with one test split."""
    found = results.folds
    if found is None:
        return None
    rows = [(cross_validation.fold_name(fold), fold) for fold in found.folds]
    return {
        "rows": rows,
        "told": [*cross_validation.fold_sentences(found), cross_validation.final_sentence(results)],
        "dots": [
            tables.share_dot(name, numerals.plural(fold.images, "photo"), fold.accuracy, results.test.accuracy)
            for name, fold in rows
        ],
    }


def _answer_dots(results: StudyResults) -> list[tables.Dot]:
    test = results.test
    title = f"{cross_validation.evidence(results).capitalize()}s"
    dots = [tables.score_dot(title, numerals.plural(test.images, "photo"), test, "test")]
    if results.target is None:
        return dots
    shared = results.target.shared
    note = f"{numerals.plural(shared.images, 'photo')}, shared classes"
    dots.append(tables.score_dot("Photos from elsewhere", note, shared, "target"))
    if known := results.target.reference:
        text = numerals.score(known.macro_f1)
        dots.append(tables.Dot("Published reference", "same photos", text, "reference", 100 * known.macro_f1))
    return dots


def _curves(results: StudyResults) -> list[dict[str, object]]:
    """Fit verdict of each run, and its curves where it has epochs."""
    found = []
    for name, run in results.runs.items():
        entry: dict[str, object] = {"name": name, "sentence": wording.fit_sentence(run.fit), "panels": []}
        if run.history and isinstance(run.config, NetworkRun):
            monitor = run.config.train.monitor
            levels = {
                "accuracy": ("majority", run.val.majority_accuracy or 0.0),
                "macro_f1": ("chance", run.val.chance_macro_f1 or 0.0),
            }
            entry["panels"] = learning_curves(name, run.history, monitor, levels)
            entry["kept"], entry["monitor"] = kept_epoch(run.history, monitor), monitor
            entry["members"] = run.config.train.members
        found.append(entry)
    return found


def _sureness(results: StudyResults) -> dict[str, object]:
    """How far the probabilities can be believed."""
    found = results.sureness
    return {
        "told": wording.sureness_sentences(results),
        "panels": figures.sureness_curves(found.reliability, found.risk_coverage) if found.risk_coverage else [],
    }


def _robustness(results: StudyResults) -> dict[str, object] | None:
    """How the model takes pictures that get worse."""
    found, test = results.robustness, results.test
    if found is None:
        return None
    return {
        "told": robustness.robustness_sentences(found),
        "panels": robustness.robustness_panels(found, test.chance_macro_f1),
    }


def _run_dots(results: StudyResults) -> list[tables.Dot]:
    dots = []
    for name, run in results.runs.items():
        dots.append(tables.heading(name))
        dots.append(tables.score_dot("validation", "", run.val, "val"))
        dots.append(tables.score_dot("held out" if results.folds else "test", "", run.test, "test"))
        if run.target:
            dots.append(tables.score_dot("elsewhere", "", run.target.shared, "target"))
    return dots


def _mistakes(results: StudyResults) -> list[dict[str, object]]:
    """What went wrong on the test photos and, where there are any, on those from elsewhere."""
    told = [_mistakes_of("test", f"{cross_validation.evidence(results).capitalize()}s", results.test, results)]
    if results.target:
        told.append(_mistakes_of("target", "Photos from elsewhere", results.target.shared, results.target))
    return told


def _mistakes_of(name: str, title: str, scores: Scores, source: StudyResults | TargetResults) -> dict[str, object]:
    overall = None if scores.accuracy is None else 1 - scores.accuracy
    return {
        "id": name,
        "title": title,
        "images": scores.images,
        "wrong": scores.images - scores.right,
        "overall": overall,
        "confusions": tables.frequent_confusions(scores),
        "list": source.mistakes,
        "is_explained": any(mistake.rests_on for mistake in source.mistakes),
        "properties": len(source.error_rates),
        "rates": _rate_dots(source.error_rates, overall),
        "told": wording.error_sentences(source.error_rates),
    }


def _rate_dots(rates: Sequence[ErrorRates], overall: float | None) -> list[tables.Dot]:
    dots = []
    for entry in rates:
        title = entry.title
        dots.append(tables.heading(title[:1].upper() + title[1:]))
        dots += [tables.error_dot(part, overall) for part in entry.bins]
    return dots


def _elsewhere(results: StudyResults) -> dict[str, object] | None:
    """Tables and charts of the target set."""
    target, test = results.target, results.test
    if target is None:
        return None
    about = [
        ("All its photos", "unknown classes count as wrong", target.all),
        ("Shared classes", "any answer allowed", target.shared),
        ("Shared, answers limited", "to the shared classes", target.shared_limited),
    ]
    dots = [tables.score_dot("Test photos", "for comparison", test, "test")]
    dots += [tables.score_dot(label, note, scores, "target") for label, note, scores in about]
    return {
        "dots": dots,
        "classes": tables.class_rows(target.shared, results.labels),
        "confusion": tables.confusion_table(target.all, results.labels),
        "novelty": elsewhere.novelty_sentences(target),
        "is_new": target.is_new,
        "short": elsewhere.in_short(target),
        "steps": elsewhere.next_steps(target),
        "drift": drift.drift_panels(target.drift) if target.drift else [],
        "drift_told": drift.drift_sentence(target.drift) if target.drift else "",
        "why": causes.cause_sentences(target.causes),
        "causes": causes.cause_dots(target.causes) if target.causes else None,
    }
