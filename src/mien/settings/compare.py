"""What is asked of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, Token

from mien.errors import ConfigError
from mien.settings.budget import Budget
from mien.settings.choices import augmentation_parts, check_choice, check_range
from mien.settings.columns import Columns
from mien.settings.computing import Computing
from mien.settings.devices import device_count
from mien.settings.division import Decisions, Division, Randomness
from mien.settings.groups import BUDGET, RARE, TRAINING
from mien.settings.recipes import RECIPES
from mien.settings.slicing import Slicing
from mien.settings.whole import WHOLE
from mien.settings.workers import Workers, refuse_seconds

__all__ = ["CompareSettings", "Comparison"]


def _shares(kind: object, tokens: tuple[Token, ...]) -> tuple[float, ...]:
    """Numbers that are given as ``0.1,0.25``; ``kind`` is for the parser's sake."""
    text = ",".join(token.value for token in tokens)
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--sizes {text}: expected shares of the training photos, as in 0.1,0.25,0.5,1") from None


@Parameter(name="*", group=TRAINING)
@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is compared, and how often.

    Attributes:
        arms: What to compare, as key=value,key=value: recipe, backbone, augment, label_smoothing, learning_rate, size,
            dropout_scale and the other settings of training. Give two or more.
        leave_one_out: Compare an augmentation, notebook or elsewhere, with itself less each of its parts: which helps?
        recipe: Recipe of arms that name none.
        pairs: Pairs of runs under each budget. Default: the fewest that can tell: 6 for one comparison, more
            with --slice.
        folds: Outer folds that the photos are divided into, again and again.
        primary: The contrast that matters, by the numbers of its arms; the others are compared with its second arm.
            Default: 1/2; with --leave-one-out all are compared with the whole.
        sizes: Shares of the training photos for a learning curve over their number, as in 0.1,0.25,0.5,1.
        jobs: Runs side by side, each with its share of the cores. Default: one for every four cores; one on a GPU and
            with --seconds.
    """

    arms: Annotated[tuple[str, ...], Parameter(name="--arm", consume_multiple=False, show_default=False)] = ()
    leave_one_out: str | None = None
    recipe: str = "scratch"
    pairs: Annotated[int | None, WHOLE, Parameter(group=BUDGET)] = None
    folds: Annotated[int, WHOLE, Parameter(group=RARE)] = 6
    primary: Annotated[str | None, Parameter(group=RARE)] = None
    sizes: Annotated[tuple[float, ...], Parameter(converter=_shares, n_tokens=1, show_default=False)] = ()
    jobs: Annotated[int | None, WHOLE, Parameter(group=BUDGET)] = None

    def __post_init__(self) -> None:
        if self.pairs is not None and self.pairs < 2:
            raise ConfigError(f"--pairs {self.pairs}: a difference needs at least 2 pairs to have an interval")
        check_range("--folds", self.folds, 2, None)
        check_choice("recipe", self.recipe, tuple(RECIPES))
        for share in self.sizes:
            if not 0 < share <= 1:
                raise ConfigError(f"--sizes {share:g}: shares of the training photos lie above 0 and up to 1")
        if self.leave_one_out and self.primary:
            raise ConfigError(f"--primary {self.primary}: with --leave-one-out each part is compared with the whole")
        if self.jobs is not None:
            check_range("--jobs", self.jobs, 1, None)

    @property
    def all_arms(self) -> tuple[str, ...]:
        """The arms, those of ``leave_one_out`` first: the whole augmentation, then without each part.

        Raises:
            ConfigError: if that augmentation is unknown or has no parts.
        """
        whole = self.leave_one_out
        if whole is None:
            return self.arms
        parts = augmentation_parts(whole, "leave-one-out")
        if not parts:
            raise ConfigError(f"--leave-one-out {whole}: has no parts; give notebook or elsewhere")
        without = [f"name={whole} without {part},augment={whole}-{part}" for part in parts]
        return (f"name={whole},augment={whole}", *without, *self.arms)

    @property
    def contrast(self) -> str:
        """The contrast that matters."""
        return self.primary or ("2/1" if self.leave_one_out else "1/2")


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """What is asked of a comparison.

    Attributes:
        data: Labelled photos, one or more sources, which make one set.
        columns: how tables are read.
        decisions: what a person decided about single photos.
        division: as of a study, whose test photos take no part.
        randomness: of division and runs.
        comparison: what is compared.
        budget: each limit that is set is a budget of its own, the same for all arms.
        computing: where and how networks are trained.
        slicing: by which columns scores are looked at apart.
        workers: which machines do what can be divided.
    """

    data: tuple[str, ...]
    columns: Columns = Columns()
    decisions: Decisions = Decisions()
    division: Division = Division()
    randomness: Randomness = Randomness()
    comparison: Comparison = Comparison()
    budget: Budget = Budget()
    computing: Computing = Computing()
    slicing: Slicing = Slicing()
    workers: Workers = Workers()

    def __post_init__(self) -> None:
        if isinstance(self.data, str) or not self.data:
            raise ConfigError("data: give a tuple of one or more sources")
        if len(self.comparison.all_arms) < 2:
            raise ConfigError(
                "compare: give two or more --arm, as in: --arm augment=none --arm augment=notebook; or --leave-one-out"
            )
        if self.comparison.jobs not in (None, 1) and self.budget.seconds is not None:
            raise ConfigError(f"--jobs {self.comparison.jobs}: with --seconds runs must not share the machine; give 1")
        refuse_seconds(self.workers, self.budget.seconds)
        if device_count(self.computing.device) > 1:
            raise ConfigError(
                f"--device {self.computing.device}: a comparison trains each of its runs on one GPU; give cuda"
            )
