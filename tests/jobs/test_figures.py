"""The report's figures by their names, from the handles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import mien as package
from mien.comparing import run as running
from mien.demo import draw_face
from mien.errors import ConfigError
from mien.jobs.compare import run_comparison
from mien.jobs.handles import Adaptation, Comparison, Evaluation
from mien.progress import Silent
from mien.telling.report.figure_files import study_plots
from mien.telling.report.named_figures import draw, figure_names
from support.made_adaptation import adapted
from support.made_comparison import asked, made_up
from support.studies import Study as Made


def texts(figure: Figure) -> set[str]:
    """What is written in a figure."""
    return {each.get_text() for each in figure.findobj(Text) if isinstance(each, Text)}


def test_every_plot_of_a_study_is_had_by_its_name(small_study: Made) -> None:
    study = package.Study.open(small_study.folder)
    of_page = {plot.name for plot in study_plots(study.results)}
    assert of_page <= {*study.figures}
    assert {"confusion", "per-class", "calibration", "reliability", "scores", "learning-scratch"} <= {*study.figures}
    for name in study.figures:
        figure = study.figure(name)
        assert isinstance(figure, Figure)
        assert figure.axes, name
    assert {*study.results.labels} <= texts(study.figure("confusion"))
    assert {*study.results.labels} <= texts(study.figure("per_class")), "an underscore is a hyphen"
    assert len(study.figure("learning_scratch").axes) == 3


def test_a_figure_is_that_of_the_page(small_study: Made) -> None:
    """The same drawing, not one that is made anew."""
    study = package.Study.open(small_study.folder)
    stored = {path.stem for path in (small_study.folder / "figures").glob("*.png")}
    for name in ("confusion", "reliability", "curves-scratch-loss"):
        assert name in stored
        (plot,) = [each for each in study_plots(study.results) if each.name == name]
        figure = study.figure(name)
        assert tuple(figure.get_size_inches()) == tuple(plot.figure.get_size_inches())
        assert plot.title in texts(figure)
        assert texts(figure) - {plot.title, ""} >= texts(plot.figure) - {""}


def test_a_notebook_shows_a_figure_without_pyplot(small_study: Made) -> None:
    figure = package.Study.open(small_study.folder).figure("confusion")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_an_unknown_figure_is_one_line_with_those_there_are(small_study: Made) -> None:
    study = package.Study.open(small_study.folder)
    with pytest.raises(ConfigError) as caught:
        study.figure("confusoin")
    told = str(caught.value)
    assert "\n" not in told
    assert "'confusoin'" in told
    assert all(name in told for name in study.figures)


def test_the_learning_of_a_recipe_without_epochs_is_no_figure(small_study: Made) -> None:
    study = package.Study.open(small_study.folder)
    assert not study.results.runs["probe"].history
    with pytest.raises(ConfigError, match="learning-scratch"):
        study.figure("learning-probe")
    has_epochs = bool(study.results.runs[study.results.selected].history)
    assert ("history" in study.figures) == has_epochs


@pytest.mark.heavy
def test_an_evaluation_has_figures(small_study: Made) -> None:
    found = package.evaluate(small_study.folder, str(small_study.target), progress=False)
    assert isinstance(found, Evaluation)
    assert {"confusion", "per-class"} <= {*found.figures}
    known = [label for label in found.target.all.labels if label not in found.target.labels.extra]
    assert {*known} <= texts(found.figure("confusion"))
    for name in found.figures:
        assert found.figure(name).axes


@pytest.mark.parametrize("has_probabilities", [True, False])
def test_scored_answers_have_figures(tmp_path: Path, has_probabilities: bool) -> None:
    labels = ("anger", "happy", "sad")
    for i in range(12):
        draw_face(labels[i % 3], i).resize((64, 64)).save(tmp_path / f"{i}.png")
    photos = {"path": [str(tmp_path / f"{i}.png") for i in range(12)], "label": [labels[i % 3] for i in range(12)]}
    said = {label: [0.6 if (i + i % 2) % 3 == k else 0.2 for i in range(12)] for k, label in enumerate(labels)}
    answers = {"path": photos["path"]} | (said if has_probabilities else {"prediction": ["sad"] * 12})
    found = package.score(answers, photos, progress=False)
    assert {"confusion", "per-class"} <= {*found.figures}
    assert ("calibration" in found.figures) == has_probabilities
    assert {*labels} <= texts(found.figure("confusion"))
    assert all(found.figure(name).axes for name in found.figures)
    with pytest.raises(ConfigError, match="confusion"):
        found.figure("confused")


def test_a_comparison_has_its_curves(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_train", made_up([]))
    results = run_comparison(asked(small_set), tmp_path / "out", resume=False, progress=Silent())
    handle = Comparison(results)
    assert figure_names(results) == ["learning", "history"]
    contrasts = [(each.budget.axis, each.first, each.second) for each in results.comparisons]
    told = handle.verdicts.select("budget", "first", "second").rows()
    assert [(budget.split()[0], *arms) for budget, *arms in told] == contrasts
    assert len(handle.figure("history").axes) == len([each for each in results.curves if each.arms])


def test_an_adaptation_has_its_gains() -> None:
    handle = Adaptation(adapted())
    assert handle.figures == ["gains"]
    assert "gain at home, macro-F1" in texts(draw(handle.results, "gains"))


def test_handles_load_no_matplotlib(tmp_path: Path) -> None:
    code = "import sys, mien; mien.Study; mien.evaluate; print([m for m in sys.modules if m.startswith('matplotlib')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


def test_without_matplotlib_it_is_said_what_to_install(small_study: Made) -> None:
    code = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "import mien\n"
        "try:\n"
        f"    mien.Study.open({str(small_study.folder)!r}).figure('confusion')\n"
        "except mien.errors.MissingExtraError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'mien[report]'" in done.stdout
