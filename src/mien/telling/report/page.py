"""Results, manifest and pixels → one self-contained page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from mien.metrics import LEAST_GROUPS
from mien.results.audit import ExaminedAudit
from mien.results.behaviour import ErrorRates
from mien.results.exhibits import Exhibits, Thumbnail
from mien.results.file_names import MODEL_CARD, REPORT, predictions_table
from mien.results.scores import RunComparison, Scores
from mien.results.study import StudyResults
from mien.results.target import TargetResults
from mien.settings.run import NetworkRun
from mien.system.files import write_text
from mien.telling.report import causes, drift, figures, robustness, slices, tables
from mien.telling.report.figures import kept_epoch, run_curves
from mien.telling.report.terms import Terms
from mien.telling.words import answers as wording
from mien.telling.words import concerns, cross_validation, division, elsewhere, numerals
from mien.telling.words.advice import advise
from mien.telling.words.definitions import SPELLINGS, definitions
from mien.telling.words.methods import methods, sources
from mien.telling.words.over import over, span
from mien.telling.words.raters import disputed_rows, learnt_of_votes, rater_rows, rater_sentences

__all__ = ["SECTIONS", "render_report", "sections", "write_report"]

SECTIONS = {
    "answer": "The answer",
    "target": "Photos from elsewhere",
    "scores": "Scores",
    "raters": "Beside your raters",
    "slices": "Scores by column",
    "mistakes": "Mistakes",
    "data": "Data",
    "comparison": "Comparison",
    "methods": "Methods",
}
"""Id → heading, in the order of the page; see ``sections``. Each has a template of its id."""
MOST_NAMES = 200
"""File names listed of one kind; the manifest has them all."""
MOST_CULPRITS, MOST_CONFUSIONS = 12, 3
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
    write_text(render_report(results, exhibits), folder / REPORT)


def render_report(results: StudyResults, exhibits: Exhibits | None) -> str:
    """The page as text; see ``write_report``."""
    return (
        _environment(results)
        .get_template("report.html.j2")
        .render(
            sections=sections(results),
            results=results,
            data=results.data,
            target=results.target,
            selected=results.selected,
            evidence=cross_validation.evidence(results),
            folds=_folds(results),
            test=results.test,
            photos=exhibits,
            doubts=list(zip(results.data.doubtful_labels.list, exhibits.doubts, strict=False)) if exhibits else [],
            most_names=MOST_NAMES,
            headline=wording.headline(results),
            answer=[*wording.overall_answer(results), *wording.target_answer(results), _where_people_are(results)],
            answer_dots=tables.answer_dots(results),
            warnings=wording.warnings(results),
            recipes=_recipes(results),
            curves=_curves(results),
            sureness=_sureness(results),
            covered=_covered(results),
            robustness=_robustness(results),
            run_dots=_run_dots(results),
            differences=tables.difference_dots(_compared(results)),
            comparisons=wording.comparison_sentences(_compared(results)),
            class_rows=tables.class_rows(results.test, results.labels),
            confusion=tables.confusion_table(results.test, results.labels),
            raters=_raters(results),
            slices=slices.parts(results),
            mistakes=_mistakes(results, exhibits),
            elsewhere=_elsewhere(results),
            advice=advise(results),
            methods=methods(results),
            sources=sources(results),
            concerns=_concerns(results.data),
            division=_division(results),
            flagged=FLAGGED,
            tables=predictions_table("*"),
            model_card=MODEL_CARD,
        )
    )


def sections(results: StudyResults) -> dict[str, str]:
    """The sections that have something to say: id → heading."""
    is_there = {
        "target": results.target is not None,
        "slices": slices.asked(results),
        "raters": results.raters is not None,
    }
    return {name: title for name, title in SECTIONS.items() if is_there.get(name, True)}


def _raters(results: StudyResults) -> dict[str, object]:
    """What raters say of the photos, beside the selected recipe."""
    rows = {"Raters": rater_rows(results.raters)}
    if not results.config.report.no_photos:  # which shows no names of files either
        rows["Photos on which they part"] = disputed_rows(results.raters)
    return {
        "told": rater_sentences(results.raters, results.selected),
        "tables": [(title, table) for title, table in rows.items() if table],
    }


def _environment(results: StudyResults) -> jinja2.Environment:
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
    environment.filters["learnt_of_votes"] = learnt_of_votes
    environment.filters["unbroken"] = _unbroken
    environment.filters["breakable"] = _breakable
    environment.filters["counts_by"] = tables.counts_by
    least = results.test.over.least if results.test.over else LEAST_GROUPS
    terms = Terms(definitions(least), SPELLINGS)
    environment.filters["explained"] = terms.explained
    environment.globals["term"], environment.globals["new_section"] = terms.term, terms.new_section
    return environment


def _unbroken(text: str) -> Markup:
    """The text with no line break inside “macro-F1”."""
    return Markup('<span class="nb">macro-F1</span>').join(text.split("macro-F1"))


def _breakable(name: str) -> Markup:
    """A name that may be broken after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _where_people_are(results: StudyResults) -> str:
    if division.keeps_groups(results):
        return division.where_people_are(results)
    of = cross_validation.evidence(results)
    return (
        f"{of.capitalize()}s were set apart by picture, not by person. If the same people are in training and "
        f"{of}s, expect lower scores for people it has never seen."
    )


def _concerns(data: ExaminedAudit) -> dict[str, object]:
    """What in the data needs a look."""
    shortcuts, found = data.shortcuts, concerns.concerns(data)
    return {
        "found": found,
        "by_anchor": dict.fromkeys(concerns.ANCHORS) | {concern.anchor: concern for concern in found},
        "counts": concerns.count_sentences(data),
        "balance": concerns.balance_sentence(data),
        "unsought": concerns.unsought_sentences(data),
        "shortcuts": concerns.shortcut_sentences(shortcuts),
        "culprits": concerns.culprit_rows(shortcuts, MOST_CULPRITS),
        "property_dots": concerns.property_dots(shortcuts) if not shortcuts.reason else [],
        "drawings": concerns.drawing_sentences(data),
        "copies": concerns.copies_sentences(data),
        "series": concerns.series_sentence(data),
        "series_short": concerns.series_in_short(data),
        "faces": concerns.face_table(data),
        "doubts": concerns.doubt_sentences(data.doubtful_labels),
    }


def _division(results: StudyResults) -> dict[str, object]:
    """How the photos were divided, and what a leak would be worth."""
    leakage = results.data.leakage if results.data.leakage and not results.data.leakage.reason else None
    return {
        "warning": division.division_warning(results),
        "short": division.division_in_short(results),
        "told": division.division_sentences(results),
        "asked": results.data.leakage is not None or results.config.checks.leak_premium,
        "premium": division.premium_sentences(results),
        "premium_short": division.premium_in_short(leakage) if leakage else "",
        "rows": division.division_rows(leakage) if leakage else [],
        "dots": division.premium_dots(leakage) if leakage else None,
    }


def _compared(results: StudyResults) -> list[RunComparison]:
    """The comparisons of runs that both did better than guessing, or are selected."""
    spoken = {name for name, run in results.runs.items() if name == results.selected or not run.is_at_chance}
    return [each for each in results.comparisons if {each.first, each.second} <= spoken]


def _recipes(results: StudyResults) -> dict[str, object]:
    """The runs that learnt something, and a line for each that did not; the selected one is always among the first."""
    tested = cross_validation.evidence(results)
    at_chance = {name: run for name, run in results.runs.items() if run.is_at_chance and name != results.selected}
    return {
        "learnt": {name: run for name, run in results.runs.items() if name not in at_chance},
        "at_chance": [wording.chance_sentence(name, run, tested) for name, run in at_chance.items()],
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


def _curves(results: StudyResults) -> list[dict[str, object]]:
    """Fit verdict of each run, and its curves where it has epochs."""
    found = []
    for name, run in results.runs.items():
        if run.is_at_chance and name != results.selected:
            continue
        entry: dict[str, object] = {"name": name, "sentence": wording.fit_sentence(run.fit), "panels": []}
        if run.history and isinstance(run.config, NetworkRun):
            monitor = run.config.train.monitor
            entry["panels"] = run_curves(name, run)
            entry["kept"], entry["monitor"] = kept_epoch(run.history, monitor), monitor
            entry["members"] = run.config.train.members
        found.append(entry)
    return found


def _sureness(results: StudyResults) -> dict[str, object]:
    """How far the probabilities can be believed."""
    found = results.sureness
    return {
        "short": wording.sureness_in_short(results),
        "told": wording.sureness_sentences(results),
        "promises": wording.promise_sentences(results),
        "panels": figures.sureness_curves(found.reliability, found.risk_coverage) if found.risk_coverage else [],
    }


def _covered(results: StudyResults) -> dict[str, str | None] | None:
    """What is left with the face covered."""
    found = results.covered
    if found is None:
        return None
    return {"short": wording.covered_in_short(found), "told": wording.covered_sentence(found)}


def _robustness(results: StudyResults) -> dict[str, object] | None:
    """How the model takes pictures that get worse."""
    found, test = results.robustness, results.test
    if found is None:
        return None
    return {
        "short": robustness.robustness_in_short(found),
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


def _mistakes(results: StudyResults, exhibits: Exhibits | None) -> list[dict[str, object]]:
    """What went wrong on the test photos and, where there are any, on those from elsewhere."""
    title, shown = f"{cross_validation.evidence(results).capitalize()}s", exhibits.test if exhibits else ()
    told = [_mistakes_of(title, results.test, results, shown)]
    if results.target:
        shown = exhibits.target if exhibits else ()
        told.append(_mistakes_of("Photos from elsewhere", results.target.shared, results.target, shown))
    return told


def _mistakes_of(
    title: str, scores: Scores, source: StudyResults | TargetResults, shown: Sequence[Thumbnail]
) -> dict[str, object]:
    overall = None if scores.accuracy is None else 1 - scores.accuracy
    told = wording.error_sentences(source.error_rates)
    return {
        "title": title,
        "images": scores.images,
        "wrong": scores.images - scores.right,
        "overall": overall,
        "confusions": tables.frequent_confusions(scores, MOST_CONFUSIONS),
        "list": list(zip(source.mistakes, shown, strict=True)) if shown else source.mistakes,
        "is_explained": any(mistake.rests_on for mistake in source.mistakes),
        "properties": len(source.error_rates),
        "rates": _rate_dots(source.error_rates, overall),
        "told": told,
        "short": told[0] if told else "",
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
        ("All photos", "unknown classes count as wrong", target.all),
        ("Shared classes", "every answer allowed", target.shared),
        ("Shared classes", "answers limited to them", target.shared_limited),
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
        "cause": causes.largest_cause(target.causes) if target.causes else "",
        "causes": causes.cause_dots(target.causes) if target.causes else None,
    }
