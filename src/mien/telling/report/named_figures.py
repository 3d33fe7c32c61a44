"""The drawings of a report by their names, for notebooks: the page's own, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from mien.errors import ConfigError
from mien.results.adaptation import AdaptResults
from mien.results.commands import EvaluateResults, ScoreResults
from mien.results.comparison import CompareResults
from mien.results.evaluation import EvaluatedTarget
from mien.results.scoring import ScoredTarget
from mien.results.study import StudyResults
from mien.telling.report.adaptation_page import gain_drawing
from mien.telling.report.comparison_page import curve_drawing
from mien.telling.report.drift import drift_panels
from mien.telling.report.evaluation_page import recall_drawing
from mien.telling.report.figure_files import confusion_plot, study_plots
from mien.telling.report.figures import Figure, Plot, learning_sheet, sureness_curves
from mien.telling.report.tables import confusion_table

__all__ = ["draw", "figure_names"]

Drawn: TypeAlias = StudyResults | EvaluateResults | ScoreResults | CompareResults | AdaptResults
"""Results that have drawings."""
Figures: TypeAlias = dict[str, Callable[[], Figure]]
"""Name → what draws it."""
ALSO = {"calibration": "reliability", "history": "learning"}
"""What a drawing is called elsewhere → its name here."""


def draw(results: Drawn, name: str) -> Figure:
    """A drawing of the report, with its title.

    Args:
        name: one of ``figure_names``; a hyphen and an underscore are the same.

    Raises:
        ConfigError: if there is none of this name; it names those that there are.
    """
    figures = _figures(results)
    asked = str(name).replace("_", "-")
    found = figures.get(ALSO.get(asked, asked))
    if found is None:
        known = ", ".join(_listed(figures))
        raise ConfigError(
            f"figure {name!r}: there is none of this name; choose from {known}"
            if known
            else f"figure {name!r}: these results have no figures"
        )
    return found()


def figure_names(results: Drawn) -> list[str]:
    """The names of all drawings, as ``draw`` takes them."""
    return _listed(_figures(results))


def _listed(figures: Figures) -> list[str]:
    return [*figures, *(also for also, name in ALSO.items() if name in figures)]


def _figures(results: Drawn) -> Figures:
    match results:
        case StudyResults():
            return _of_study(results)
        case EvaluateResults():
            drift = results.target.drift
            return _of_answers(results.target, "Photos from elsewhere", drift_panels(drift) if drift else ())
        case ScoreResults():
            return _of_answers(results.target, "Scored answers")
        case CompareResults():
            curves = curve_drawing(results)
            return {"learning": curves.figure} if curves else {}
        case AdaptResults():
            return {"gains": gain_drawing(results).figure}


def _of_study(results: StudyResults) -> Figures:
    """Those of the page and of ``figures/``; of learning curves also all of a run in one."""
    figures = _titled({plot.name: plot for plot in study_plots(results)})
    figures["per-class"] = recall_drawing(results.test).figure
    sheets = {name: learning_sheet(name, run) for name, run in results.runs.items()}
    figures |= _titled({sheet.name: sheet for sheet in sheets.values() if sheet})
    if f"learning-{results.selected}" in figures:
        figures["learning"] = figures[f"learning-{results.selected}"]
    return figures


def _of_answers(target: EvaluatedTarget, title: str, further: Sequence[Plot] = ()) -> Figures:
    """Of the answers to one set of photos; how sure they are only where they come with probabilities."""
    answers = [label for label in target.all.labels if label not in target.labels.extra]
    plots = [confusion_plot("confusion", title, confusion_table(target.all, answers))]
    has_probabilities = not isinstance(target, ScoredTarget) or target.has_probabilities
    if has_probabilities and target.sureness.risk_coverage:
        plots += sureness_curves(target.sureness.reliability, target.sureness.risk_coverage)
    named = {plot.name: plot for plot in (*plots, *further)}
    return _titled(named) | {"per-class": recall_drawing(target.shared).figure}


def _titled(plots: Mapping[str, Plot]) -> Figures:
    return {name: partial(_with_title, plot) for name, plot in plots.items()}


def _with_title(plot: Plot) -> Figure:
    return plot.titled()
