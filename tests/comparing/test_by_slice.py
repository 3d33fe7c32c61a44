"""Arms on the photos of each value: paired there, corrected over all, and nothing said of few people."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from rich.console import Console

import mien.comparing.run as running
from mien.comparing.by_slice import Compared, compare_slices
from mien.comparing.plan import PairPlan
from mien.comparing.results import Pairing
from mien.comparing.run import Finished
from mien.jobs.compare import run_comparison
from mien.metrics import confusion_matrix, macro_f1
from mien.progress import Silent
from mien.results.comparison import Axis, ComparedSlices
from mien.results.reading import open_results
from mien.significance import fewest_pairs
from mien.telling.terminal.comparison import comparison_summary
from support.intervals import present
from support.made_comparison import asked, made_up
from support.pictures import encoded, write_files

pytestmark = pytest.mark.heavy  # trains

LABELS = ("anger", "happy", "sad")
PAIRS, FOLDS, FRAMES = 12, 6, 12


def compared(values: Sequence[str | None], right: Sequence[tuple[float, float]], seed: int = 0) -> Compared:
    """Two arms on people, with a value and each arm's chance of a right answer for each person."""
    rng, n = np.random.default_rng(seed), len(values)
    person = np.repeat(np.arange(n), FRAMES)
    truth = np.tile(np.arange(FRAMES) % len(LABELS), n)
    rows = pl.DataFrame(
        {
            "row": np.arange(len(person)),
            "label": [LABELS[k] for k in truth],
            "unit": person,
            "own.sex": [values[i] for i in person.tolist()],
        }
    )
    plans, runs = [], {}
    for number in range(PAIRS):
        if number % FOLDS == 0:
            fold_of = rng.permutation(np.arange(n) % FOLDS)[person]
        is_test = fold_of == number % FOLDS
        plans.append(PairPlan(number, number, rows.with_columns(split=pl.Series(np.where(is_test, "test", "train")))))
        for arm in (0, 1):
            chance = np.array([each[arm] for each in right])[person[is_test]]
            wrong = (truth[is_test] + rng.integers(1, 3, int(is_test.sum()))) % 3
            answers = np.where(rng.random(int(is_test.sum())) < chance, truth[is_test], wrong)
            probs = {f"prob_{label}": (answers == k).astype(float) for k, label in enumerate(LABELS)}
            runs[0, arm, number] = Finished(f"{arm}{number}", pl.DataFrame(probs), [], {})
    contrast = Pairing(0, 0, 1, is_primary=True)
    return Compared([contrast], runs, plans, LABELS, ["one", "other"], [Axis(axis="epochs", value=None)], "people")


def found(values: Sequence[str | None], right: Sequence[tuple[float, float]]) -> ComparedSlices:
    return present(compare_slices(compared(values, right), ("sex",)))


def test_an_arm_that_is_better_on_one_value_is_so_there_alone() -> None:
    values = ["f", "m"] * 18
    result = found(values, [(0.9, 0.5) if value == "f" else (0.7, 0.7) for value in values])
    verdicts = {each.value: each.contrasts[0].verdict for each in result.values}
    assert verdicts == {"f": "better", "m": "cannot tell"}
    assert result.comparisons == 2
    assert present(result.values[0].contrasts[0].macro_f1_difference) == pytest.approx(0.4, abs=0.08)
    assert [(each.images, each.over.number, each.over.kind) for each in result.values] == [(216, 18, "people")] * 2


def test_scores_are_those_of_all_answers_to_the_photos() -> None:
    values = ["f", "m", "m"] * 8
    made = compared(values, [(0.8, 0.6)] * 24)
    for each in present(compare_slices(made, ("sex",))).values:
        counts = np.zeros((3, 3), np.int64)
        for plan in made.plans:
            test = plan.split("test")
            part = (test["own.sex"] == each.value).to_numpy()
            truth = np.array([LABELS.index(label) for label in test["label"]])
            counts += confusion_matrix(truth[part], made.runs[0, 0, plan.number].answers(LABELS)[part], 3)
        assert each.arms["one"] == pytest.approx((float(macro_f1(counts)),))


def test_few_people_and_photos_without_a_value_are_compared_with_none() -> None:
    values: list[str | None] = ["rare"] * 9 + ["f"] * 15 + ["NA"] * 6 + [None] * 6
    result = found(values, [(0.9, 0.1)] * 36)
    assert [each.value for each in result.values] == ["f", "rare", None]
    common, rare, missing = result.values
    assert common.contrasts[0].verdict == "better"
    assert (rare.contrasts[0].verdict, rare.contrasts[0].interval, rare.contrasts[0].p_holm) == ("too few", None, None)
    assert (missing.contrasts, missing.over.number) == ((), 12)
    assert result.comparisons == 1


def test_a_comparison_tells_of_each_value_on_terminal_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = sliced_photos(tmp_path / "set")
    monkeypatch.setattr(running, "_train", made_up([]))
    config = asked(photos, slices=("sex",))
    results = run_comparison(config, tmp_path / "out", resume=False, progress=Silent())
    assert open_results(tmp_path / "out") == results
    values = present(results.slices).values
    assert {each.value for each in values} == {"f", "m"}
    assert sum(each.images for each in values) == results.data.compared
    terminal = io.StringIO()
    Console(file=terminal, width=120).print(comparison_summary(results))
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    for told in (terminal.getvalue(), page):
        assert all(f"sex = {value}" in told for value in "fm")


def test_nothing_asked_for_gives_nothing() -> None:
    assert compare_slices(compared(["f", "m"] * 9, [(0.5, 0.5)] * 18), ()) is None


def sliced_photos(folder: Path) -> Path:
    """A table of 180 photos of 30 people, six of each, with two values of sex."""
    rng, rows, files = np.random.default_rng(0), [], {}
    for i in range(180):
        files[f"{i}.png"] = encoded(Image.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8)))
        rows.append({"path": f"{i}.png", "label": LABELS[i % 3], "subject": f"p{i // 6}", "sex": "fm"[i // 6 % 2]})
    write_files(folder, files)
    pl.DataFrame(rows).write_csv(folder / "photos.csv")
    return folder / "photos.csv"


class Heard(Silent):
    """Keeps what is said before work goes on."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        self.lines.append(line)


def test_as_many_pairs_are_run_as_can_tell_the_values_and_fewer_are_spoken_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, heard = sliced_photos(tmp_path / "set"), Heard()
    monkeypatch.setattr(running, "_train", made_up([]))
    config = asked(photos, slices=("sex",), pairs=None)
    results = run_comparison(config, tmp_path / "out", resume=False, progress=heard)
    assert results.pairs.number == fewest_pairs(present(results.slices).comparisons) == 7
    assert not any("--pairs" in line for line in heard.lines)
    results = run_comparison(asked(photos, slices=("sex",), pairs=6), tmp_path / "few", resume=False, progress=heard)
    assert results.pairs.number == 6
    assert [line for line in heard.lines if "--pairs 7" in line] == heard.lines[-1:]
    heard.lines.clear()
    assert run_comparison(asked(photos, pairs=None), tmp_path / "plain", resume=False, progress=heard).pairs.number == 6
    assert not any("--pairs" in line for line in heard.lines)
