"""``mien compare``: arms, pairs and budgets → runs → verdicts, in one folder that can go on where it stopped."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mien
from mien.comparing.arms import Arm, CompareConfig, budgets, parse_arms, primary_contrast, resolve_arm
from mien.comparing.page import write_page
from mien.comparing.plan import PairPlan, Pool, make_pool, plan_pairs, with_share
from mien.comparing.results import Contrast, Runs, arm_json, comparison_json, curves_json, sizes_json
from mien.comparing.run import Finished, run_all, write_json
from mien.config import Budget, RunConfig, StudyConfig, read_toml, write_toml
from mien.data.collection import Collection, open_collection
from mien.data.corrections import Corrections, read_corrections
from mien.data.prepare import prepare
from mien.data.sources import TableColumns
from mien.data.splits import parse_shares
from mien.errors import ConfigError, MienError, OutputError
from mien.progress import Progress
from mien.significance import fewest_pairs
from mien.training.recipes import views_of
from mien.training.run import LabelledPhotos, export_for, with_precision

__all__ = ["run_comparison"]

SAME = ("data", "corrections", "path_column", "label_column", "split_column", "group_column")
"""Settings that a resumed comparison must share with the folder; runs of all others are told apart by their hash."""


@dataclass(frozen=True)
class _Comparison:
    """What was asked, checked before a file is written."""

    config: CompareConfig
    data: Collection
    corrections: Corrections | None
    arms: list[Arm]
    budgets: list[Budget]
    primary: tuple[int, int]

    @property
    def contrasts(self) -> list[tuple[int, int]]:
        """The primary first; then each further arm against the primary's second."""
        first, second = self.primary
        rest = [i for i in range(len(self.arms)) if i not in self.primary]
        return [(first, second), *((i, second) for i in rest)]

    @property
    def family(self) -> int:
        """How many verdicts Holm's correction is over."""
        return len(self.contrasts) * len(self.budgets)

    @property
    def pairs(self) -> int:
        """Pairs asked for, or the fewest that can tell; which part of an augmentation helps is asked of each class."""
        classes = len(self.data.labels) if self.config.leave_one_out else 1
        return self.config.pairs or fewest_pairs(self.family * classes)

    def run(self, arm: Arm, budget: Budget, seed: int) -> RunConfig:
        """The settings of one run, precision and all, so that its key tells runs of two processors apart."""
        return with_precision(resolve_arm(arm, self.config, self.data.labels, budget, seed))


def run_comparison(config: CompareConfig, folder: Path, *, resume: bool, progress: Progress) -> dict[str, Any]:
    """Train every arm on every pair under every budget, and say what that tells.

    Args:
        folder: gets ``compare.toml``, ``manifest.parquet``, ``pixels/``, ``runs/``, ``results.json``, ``compare.html``.
        resume: go on in a folder of the same photos; pairs, arms and budgets may be others, and runs are used again.

    Returns:
        The documented results, as they stand in ``results.json``.
    """
    start = time.monotonic()
    asked = _checked(config)
    with _begun(config, folder, resume=resume):
        photos, pool = _photos(asked, folder, progress)
        plans = plan_pairs(pool, asked.pairs, config.folds, config.seed)
    order = list(_order(asked, plans))
    wanted = [(asked.run(asked.arms[a], asked.budgets[b], plan.seed), plan) for plan, b, a in order]
    export_for((run for run, _ in wanted), photos, progress)  # once, before processes that would all do it
    with progress.step("compare", len(wanted), "runs") as advance:
        runs: Runs = {}
        finished = run_all(wanted, photos, folder / "runs", config.side_by_side)
        for (plan, b, a), run in zip(order, finished, strict=True):
            runs[b, a, plan.number] = run
            advance(1)
    results = _results(asked, pool, plans, runs)
    results["sizes"] = sizes_json(_by_size(asked, plans, photos, folder, progress), asked.arms, asked.data.labels)
    results["seconds"] = {"total": round(time.monotonic() - start, 3), "training": _training_seconds(runs)}
    results["paths"] = {"run": str(folder), "page": str(folder / "compare.html")}
    write_page(results, folder / "compare.html")
    write_json(results, folder / "results.json")
    return results


def _checked(config: CompareConfig) -> _Comparison:
    arms = parse_arms(config.all_arms)
    primary = primary_contrast(config.contrast, len(arms))
    parse_shares(config.split)
    corrections = read_corrections(Path(config.corrections)) if config.corrections else None
    columns = TableColumns(config.path_column, config.label_column, config.group_column, config.split_column)
    asked = _Comparison(config, open_collection(config.data, columns), corrections, arms, budgets(config), primary)
    resolved: dict[RunConfig, str] = {}
    for arm in arms:
        run = asked.run(arm, asked.budgets[0], config.seed)
        if run in resolved:
            raise ConfigError(f"--arm {arm.name}: the same as --arm {resolved[run]}; nothing can tell them apart")
        resolved[run] = arm.name
    return asked


@contextmanager
def _begun(config: CompareConfig, folder: Path, *, resume: bool) -> Iterator[None]:
    """Open the folder; one that was made for a comparison which then cannot begin is taken away again."""
    is_new = not folder.exists()
    _open_folder(config, folder, resume=resume)
    try:
        yield
    except MienError:
        if is_new:
            shutil.rmtree(folder)
        raise


def _open_folder(config: CompareConfig, folder: Path, *, resume: bool) -> None:
    stored = folder / "compare.toml"
    if folder.exists() and any(folder.iterdir()):
        if not resume:
            raise OutputError(f"{folder}: exists already; go on with --resume, or give another --out")
        if not stored.exists():
            raise OutputError(f"{folder}: holds no comparison to resume; give another --out")
        earlier = read_toml(CompareConfig, stored)
        if any(getattr(earlier, name) != getattr(config, name) for name in SAME):
            raise OutputError(
                f"{folder}: holds a comparison on other photos; see its compare.toml, or give another --out"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_toml(config, stored)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); give another --out") from error


def _photos(asked: _Comparison, folder: Path, progress: Progress) -> tuple[LabelledPhotos, Pool]:
    """The photos, read once for all arms, and the pool that is compared on."""
    config = asked.config
    runs = [asked.run(arm, asked.budgets[0], config.seed) for arm in asked.arms]
    views = {view.key: view for run in runs for view in views_of(run)}
    if any(not (folder / "pixels" / f"{key}.npy").exists() for key in views):
        (folder / "manifest.parquet").unlink(missing_ok=True)  # further arms may look at other views
    prepared = prepare(
        [asked.data],
        list(views.values()),
        folder,
        corrections=asked.corrections,
        find_faces=any(view.name != "photo" for view in views.values()),
        progress=progress,
    )
    manifest = prepared.of(asked.data)
    study: StudyConfig = config.study(config.recipe, Budget(), config.seed)
    pool = make_pool(manifest, config.split, config.seed, study.split_method)
    photos = LabelledPhotos(asked.data.names, pool.rows, prepared.pixels, asked.data.labels, folder / "features")
    return photos, pool


def _order(asked: _Comparison, plans: list[PairPlan]) -> Iterator[tuple[PairPlan, int, int]]:
    """Pairs one after the other, and the arms of every second one backwards, so that a busy hour hurts all alike."""
    for plan in plans:
        for b in range(len(asked.budgets)):
            arms = range(len(asked.arms))
            for a in reversed(arms) if plan.number % 2 else arms:
                yield plan, b, a


def _by_size(
    asked: _Comparison, plans: list[PairPlan], photos: LabelledPhotos, folder: Path, progress: Progress
) -> dict[tuple[float, int], list[tuple[PairPlan, Finished]]]:
    """Runs of each arm on shares of the training photos, under the first budget."""
    shares = sorted(set(asked.config.sizes))
    if not shares:
        return {}
    order = [(share, a, with_share(plan, share)) for plan in plans for share in shares for a in range(len(asked.arms))]
    wanted = [(asked.run(asked.arms[a], asked.budgets[0], part.seed), part) for _, a, part in order]
    found: dict[tuple[float, int], list[tuple[PairPlan, Finished]]] = {}
    with progress.step("sizes", len(wanted), "runs") as advance:
        finished = run_all(wanted, photos, folder / "runs", asked.config.side_by_side)
        for (share, a, part), run in zip(order, finished, strict=True):
            found.setdefault((share, a), []).append((part, run))
            advance(1)
    return found


def _results(asked: _Comparison, pool: Pool, plans: list[PairPlan], runs: Runs) -> dict[str, Any]:
    labels, names = asked.data.labels, [arm.name for arm in asked.arms]
    contrasts = [
        Contrast(b, first, second, is_primary=(first, second) == asked.primary)
        for b in range(len(asked.budgets))
        for first, second in asked.contrasts
    ]
    shown = [_budget_json(budget) for budget in asked.budgets]
    return {
        "mien": mien.__version__,
        "config": dataclasses.asdict(asked.config),
        "corrections": asked.corrections.record if asked.corrections else None,
        "labels": list(labels),
        "data": {"name": asked.data.name, "compared": pool.rows.height, "held_back": pool.held_back},
        "pairs": {"number": len(plans), "folds": asked.config.folds, "fewest": fewest_pairs(asked.family)},
        "primary": [names[i] for i in asked.primary],
        "jobs": asked.config.side_by_side,
        "budgets": shown,
        "arms": {
            arm.name: {
                "settings": arm.settings,
                "config": dataclasses.asdict(asked.run(arm, asked.budgets[0], asked.config.seed)),
                "budgets": [arm_json(runs, b, a, plans, labels) for b in range(len(shown))],
            }
            for a, arm in enumerate(asked.arms)
        },
        "comparisons": comparison_json(contrasts, runs, plans, labels, names, shown),
        "curves": curves_json(runs, names, cast(Any, shown), len(plans)),
    }


def _budget_json(budget: Budget) -> dict[str, Any]:
    values = {name: value for name, value in dataclasses.asdict(budget).items() if value is not None}
    return {"axis": next(iter(values), "epochs"), "value": next(iter(values.values()), None)}


def _training_seconds(runs: Runs) -> float:
    return round(sum(run.cost["seconds"] for run in {run.key: run for run in runs.values()}.values()), 3)
