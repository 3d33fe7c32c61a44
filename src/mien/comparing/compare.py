"""``mien compare``: arms, pairs and budgets → runs → verdicts, in one folder that can go on where it stopped."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mien.comparing.arms import Arm, budgets, parse_arms, primary_contrast, refuse_votes, resolve_arm, side_by_side
from mien.comparing.by_slice import Compared, comparable_values, compare_slices
from mien.comparing.plan import PairPlan, Pool, make_pool, plan_pairs, with_share
from mien.comparing.results import Pairing, Runs, arm_scores, contrast_results, curves, size_curves
from mien.comparing.run import Finished, run_all
from mien.data.grouping.independence import independent
from mien.data.grouping.splits import parse_shares
from mien.data.sources.collection import Collection, open_collection
from mien.data.sources.sliced import check_sliced
from mien.data.tables.corrections import Corrections, read_corrections
from mien.data.tables.prepare import prepare
from mien.errors import ConfigError, MienError, OutputError
from mien.progress import Progress
from mien.results import comparison as results
from mien.results.comparison import Axis, ComparePaths, CompareResults, CompareSeconds, Pairs, SizeCurve
from mien.results.document import write_results
from mien.settings.budget import Budget
from mien.settings.compare import CompareSettings
from mien.settings.run import RunConfig
from mien.settings.toml import check_writer, read_toml, write_toml
from mien.settings.unread import refuse_unread
from mien.significance import fewest_pairs
from mien.system.files import not_written
from mien.system.leftovers import is_free, made_by, remove_partials, take_back, undone_if_stopped
from mien.system.sums import check_kept, keep
from mien.training.prior import refuse_seen
from mien.training.recipes import views_of
from mien.training.run import LabelledPhotos, export_for, with_precision

__all__ = ["compare_arms"]

BEFORE_SETTINGS = ("compare.toml.partial",)
"""What a comparison writes before its settings; one that was killed there has not begun."""
SAME = ("data", "columns", "decisions")
"""Settings that a resumed comparison must share with the folder; runs of all others are told apart by their hash."""


@dataclass(frozen=True)
class _Comparison:
    """What was asked, checked before a file is written."""

    config: CompareSettings
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

    def pairs(self, values: int, tell: Callable[[str], None]) -> int:
        """Pairs asked for, or the fewest that can tell; which part of an augmentation helps is asked of each class.

        Args:
            values: of the columns to slice by, each of which is a comparison of its own.
            tell: is told where fewer were asked for than can tell the values apart.
        """
        asked = self.config.comparison
        classes = len(self.data.labels) if asked.leave_one_out else 1
        fewest = fewest_pairs(self.family * max(classes, values))
        if asked.pairs is None:
            return fewest
        if values and asked.pairs < (needed := fewest_pairs(self.family * values)):
            tell(
                f"--slice: {asked.pairs} pairs cannot tell the arms apart on {values} value{'s' * (values > 1)}; "
                f"give --pairs {needed} for that"
            )
        return asked.pairs

    def run(self, arm: Arm, budget: Budget, seed: int) -> RunConfig:
        """The settings of one run, precision and all, so that its key tells runs of two processors apart."""
        return with_precision(resolve_arm(arm, self.config, self.data.labels, budget, seed))


def compare_arms(
    config: CompareSettings, folder: Path, *, resume: bool, progress: Progress, tell: Callable[[CompareResults], None]
) -> CompareResults:
    """Train every arm on every pair under every budget, and say what that tells.

    Args:
        folder: gets ``compare.toml``, ``manifest.parquet``, ``pixels/``, ``runs/``, ``results.json``, ``compare.html``.
        tell: writes the page, before the results stand.
        resume: go on in a folder of the same photos; pairs, arms and budgets may be others, and runs are used again.

    Returns:
        What stands in ``results.json``.
    """
    start = time.monotonic()
    asked = _checked(config)
    with _begun(config, folder, resume=resume):
        photos, pool = _photos(asked, folder, progress)
        pairs = asked.pairs(comparable_values(pool.rows, config.slicing.slices), progress.tell)
        plans = plan_pairs(pool, pairs, config.comparison.folds, config.randomness.seed)
    order = list(_order(asked, plans))
    wanted = [(asked.run(asked.arms[a], asked.budgets[b], plan.seed), plan) for plan, b, a in order]
    export_for((run for run, _ in wanted), photos, progress)  # once, before processes that would all do it
    with progress.step("compare", len(wanted), "runs") as advance:
        runs: Runs = {}
        finished = run_all(wanted, photos, folder / "runs", side_by_side(config))
        for (plan, b, a), run in zip(order, finished, strict=True):
            runs[b, a, plan.number] = run
            advance(1)
    sizes = size_curves(_by_size(asked, plans, photos, folder, progress), asked.arms, asked.data.labels)
    found = _results(asked, pool, plans, runs, sizes, folder, start)
    tell(found)
    write_results(found, folder)
    return found


def _checked(config: CompareSettings) -> _Comparison:
    arms = parse_arms(config.comparison.all_arms)
    recipes = (arm.settings.get("recipe", config.comparison.recipe) for arm in arms)
    refuse_unread(recipes, config.budget, config.computing)
    primary = primary_contrast(config.comparison.contrast, len(arms))
    parse_shares(config.division.split)
    decided = config.decisions.corrections
    corrections = read_corrections(decided) if decided is not None else None
    data = open_collection(config.data, config.columns)
    check_sliced([data.sources], config.slicing.slices)
    refuse_votes(arms, data)
    asked = _Comparison(config, data, corrections, arms, budgets(config.budget), primary)
    resolved: dict[RunConfig, str] = {}
    for arm in arms:
        run = asked.run(arm, asked.budgets[0], config.randomness.seed)
        if run in resolved:
            raise ConfigError(f"--arm {arm.name}: the same as --arm {resolved[run]}; nothing can tell them apart")
        resolved[run] = arm.name
    return asked


@contextmanager
def _begun(config: CompareSettings, folder: Path, *, resume: bool) -> Iterator[None]:
    """Open the folder; one that was made for a comparison which then cannot begin is taken away again."""
    is_new, made = is_free(folder, BEFORE_SETTINGS), made_by(folder)
    _open_folder(config, folder, resume=resume)
    try:
        yield
    except MienError:
        if is_new:
            take_back(folder, made)
        raise


def _open_folder(config: CompareSettings, folder: Path, *, resume: bool) -> None:
    stored = folder / "compare.toml"
    if not is_free(folder, BEFORE_SETTINGS if resume else ()):
        if not resume:
            raise OutputError(f"{folder}: exists already; go on with --resume, or give another --out")
        if not stored.exists():
            raise OutputError(f"{folder}: holds no comparison to resume; give another --out")
        check_kept(stored)
        check_writer(stored)
        earlier = read_toml(CompareSettings, stored)
        if any(getattr(earlier, name) != getattr(config, name) for name in SAME):
            raise OutputError(
                f"{folder}: holds a comparison on other photos; see its compare.toml, or give another --out"
            )
        remove_partials(folder)
    undo = partial(take_back, folder, made_by(folder)) if not stored.exists() else lambda: None
    with undone_if_stopped(undo):  # from here on a stopped comparison can be resumed
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_toml(config, stored)
            keep(stored)
        except OSError as error:
            raise not_written(folder, error) from error


def _photos(asked: _Comparison, folder: Path, progress: Progress) -> tuple[LabelledPhotos, Pool]:
    """The photos, read once for all arms, and the pool that is compared on."""
    config = asked.config
    runs = [asked.run(arm, asked.budgets[0], config.randomness.seed) for arm in asked.arms]
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
    refuse_seen(runs, manifest)
    pool = make_pool(manifest, config.division, config.randomness.seed)
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
    shares = sorted(set(asked.config.comparison.sizes))
    if not shares:
        return {}
    order = [(share, a, with_share(plan, share)) for plan in plans for share in shares for a in range(len(asked.arms))]
    wanted = [(asked.run(asked.arms[a], asked.budgets[0], part.seed), part) for _, a, part in order]
    found: dict[tuple[float, int], list[tuple[PairPlan, Finished]]] = {}
    with progress.step("sizes", len(wanted), "runs") as advance:
        finished = run_all(wanted, photos, folder / "runs", side_by_side(asked.config))
        for (share, a, part), run in zip(order, finished, strict=True):
            found.setdefault((share, a), []).append((part, run))
            advance(1)
    return found


def _results(
    asked: _Comparison,
    pool: Pool,
    plans: list[PairPlan],
    runs: Runs,
    sizes: dict[str, SizeCurve] | None,
    folder: Path,
    start: float,
) -> CompareResults:
    labels, names = asked.data.labels, [arm.name for arm in asked.arms]
    pairings = [
        Pairing(b, first, second, is_primary=(first, second) == asked.primary)
        for b in range(len(asked.budgets))
        for first, second in asked.contrasts
    ]
    axes = tuple(_axis(budget) for budget in asked.budgets)
    kind = independent(pool.rows).kind
    contrasts = contrast_results(pairings, runs, plans, labels, names, axes, kind)
    compared = Compared(pairings, runs, plans, labels, names, axes, kind)
    judged = sum(each is not None for entry in contrasts for each in entry.per_class.values())
    return CompareResults(
        config=asked.config,
        corrections=asked.corrections.record if asked.corrections else None,
        labels=labels,
        data=results.Compared(name=asked.data.name, compared=pool.rows.height, held_back=pool.held_back),
        pairs=Pairs(
            number=len(plans),
            folds=asked.config.comparison.folds,
            fewest=fewest_pairs(asked.family),
            fewest_for_classes=fewest_pairs(max(1, judged)),
        ),
        primary=(names[asked.primary[0]], names[asked.primary[1]]),
        jobs=side_by_side(asked.config),
        budgets=axes,
        arms={
            arm.name: results.Arm(
                settings=arm.settings,
                config=asked.run(arm, asked.budgets[0], asked.config.randomness.seed),
                budgets=tuple(arm_scores(runs, b, a, plans, labels) for b in range(len(axes))),
            )
            for a, arm in enumerate(asked.arms)
        },
        comparisons=contrasts,
        curves=curves(runs, names, axes, len(plans)),
        sizes=sizes,
        slices=compare_slices(compared, asked.config.slicing.slices),
        seconds=CompareSeconds(total=round(time.monotonic() - start, 3), training=_training_seconds(runs)),
        paths=ComparePaths(run=str(folder), page=str(folder / "compare.html")),
    )


def _axis(budget: Budget) -> Axis:
    values = {name: value for name, value in dataclasses.asdict(budget).items() if value is not None}
    return Axis(axis=next(iter(values), "epochs"), value=next(iter(values.values()), None))


def _training_seconds(runs: Runs) -> float:
    return round(sum(run.cost["seconds"] for run in {run.key: run for run in runs.values()}.values()), 3)
