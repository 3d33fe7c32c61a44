"""What is asked of a study, and of training alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from mien.errors import ConfigError
from mien.settings.audit import LabelChecks
from mien.settings.budget import Budget
from mien.settings.choices import augmentation_parts, check_choice, check_range
from mien.settings.columns import Columns
from mien.settings.computing import Computing, Keeping, Promise
from mien.settings.devices import device_count
from mien.settings.division import CrossValidation, Decisions, Division, Earlier, Randomness
from mien.settings.groups import OUTPUT, RARE, TRAINING
from mien.settings.recipes import DEFAULT_RECIPES, RECIPES
from mien.settings.slicing import Slicing
from mien.settings.target import ClassMap, Target
from mien.settings.whole import WHOLE
from mien.settings.workers import Workers, refuse_seconds

__all__ = ["Refitting", "Report", "StudySettings", "Training", "with_demo_target"]


@Parameter(name="*", group=TRAINING)
@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained.

    Attributes:
        recipes: What to train: two-stream, from-default, probe, scratch, notebook, finetune; the last three also with
            '-no-augmentation' behind. May be given several times. Default of a study: two-stream and probe; of
            'mien train': two-stream.
        augment: Augmentation of the trained networks: none, notebook, or elsewhere, for photos from other places
            (tighter, in other light, without colour, coarse). notebook-flip is notebook without its flip. Default: the
            recipe's.
        backbone: What the whole photo goes through in two-stream and probe, or what finetune starts from: a name that
            timm knows, or hf-hub:OWNER/NAME, downloaded once; efficientnet-lite0 and expression come with mien.
            Default: the recipe's.
        members: Train this many networks per recipe, each with its own seed, and average their answers; takes that
            many times as long.
    """

    recipes: Annotated[tuple[str, ...], Parameter(name="--recipe", consume_multiple=False, show_default=False)] = ()
    augment: str | None = None
    backbone: Annotated[str | None, Parameter(group=RARE)] = None
    members: Annotated[int, WHOLE, Parameter(group=RARE)] = 1

    def __post_init__(self) -> None:
        for name in self.recipes:
            check_choice("recipe", name, tuple(RECIPES))
        if self.augment is not None:
            augmentation_parts(self.augment)
        check_range("--members", self.members, 1, None)


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Report:
    """What the report shows.

    Attributes:
        explain_mistakes: Show in the report on which part of each photo the most confident mistakes rest; takes a
            second or two per photo.
        no_photos: Leave photos and their names out of the report, so that it can be mailed safely.
    """

    explain_mistakes: bool = False
    no_photos: bool = False

    def __post_init__(self) -> None:
        if self.explain_mistakes and self.no_photos:
            raise ConfigError("--explain-mistakes is drawn over photos; give it without --no-photos")


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Refitting:
    """Whether the chosen recipe learns from all photos in the end.

    Attributes:
        refit: After scoring, fit the selected recipe once more, on all photos, and save it as runs/NAME-refit, the
            model to use. Scores and promises are those of the tested run; the refitted model itself is not tested.
    """

    refit: bool = False


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What is asked of a study.

    Attributes:
        data: Labelled photos, one or more sources, as ``open_source`` takes them.
        columns: how tables are read.
        decisions: what a person decided about single photos.
        division: how photos are divided.
        crossing: whether every photo is held out once.
        earlier: what an earlier study decided.
        randomness: of the split and of every run.
        training: what is trained.
        budget: in place of the recipes' budgets where set.
        computing: where and how networks are trained.
        promise: how often answers may be wrong.
        checks: what is asked of a model about the photos.
        elsewhere: photos from elsewhere.
        classes: which of their classes is which of ``data``.
        slicing: by which columns scores are looked at apart.
        report: what the report shows.
        refitting: whether the selected recipe learns from all photos in the end.
        workers: which machines do what can be divided.
        keeping: what of the photos is kept on the disk.
    """

    data: tuple[str, ...]
    columns: Columns = Columns()
    decisions: Decisions = Decisions()
    division: Division = Division()
    crossing: CrossValidation = CrossValidation()
    earlier: Earlier = Earlier()
    randomness: Randomness = Randomness()
    training: Training = Training(recipes=DEFAULT_RECIPES)
    budget: Budget = Budget()
    computing: Computing = Computing()
    promise: Promise = Promise()
    checks: LabelChecks = LabelChecks()
    elsewhere: Target = Target()
    classes: ClassMap = ClassMap()
    slicing: Slicing = Slicing()
    report: Report = Report()
    refitting: Refitting = Refitting()
    workers: Workers = Workers()
    keeping: Keeping = Keeping()

    def __post_init__(self) -> None:
        if isinstance(self.data, str) or not self.data:
            raise ConfigError("data: give a tuple of one or more sources")
        if not self.training.recipes:
            raise ConfigError(f"--recipe: give one or more of {', '.join(RECIPES)}")
        if self.classes.class_map and not self.elsewhere.target:
            raise ConfigError("--class-map is for the classes of photos from elsewhere; give them with --target")
        if self.crossing.folds is not None:
            refuse_seconds(self.workers, self.budget.seconds)
            self._check_folds()

    def _check_folds(self) -> None:
        """Refuse what does not go together with folds.

        Raises:
            ConfigError: for the first such option.
        """
        asked = f"--folds {self.crossing.folds}"
        unfit = {
            f"--split {self.division.split}": (
                self.division.split != Division.split,
                "every photo is held out once, so there are no shares to give",
            ),
            f"--split-method {self.division.split_method}": (
                self.division.split_method == "naive",
                "folds keep groups whole; --leak-premium tells what parting them would add to the score",
            ),
            "--keep-splits": (
                self.earlier.keep_splits is not None,
                "every photo is held out once, so there are no splits to keep",
            ),
            "--refit": (self.refitting.refit, "the model is fitted to all photos in the end anyhow"),
            f"--device {self.computing.device}": (
                device_count(self.computing.device) > 1 and self.workers.cluster is not None,
                f"with --cluster {self.workers.cluster} the network of each fold is trained by one worker; give cuda",
            ),
            "--explain-mistakes": (
                self.report.explain_mistakes,
                "the models that were wrong are not kept; ask for it in a study without folds",
            ),
            "--target": (
                self.elsewhere.target is not None,
                "score photos from elsewhere when the study is done: mien evaluate STUDY OTHER_PHOTOS",
            ),
        }
        for option, (is_given, reason) in unfit.items():
            if is_given:
                raise ConfigError(f"{option} does not go with {asked}: {reason}")


def with_demo_target(settings: StudySettings) -> StudySettings:
    """The settings, where the data are the demo's alone with its photos from elsewhere as target, unless one is set."""
    if settings.data != ("demo",) or settings.elsewhere.target is not None or settings.crossing.folds is not None:
        return settings
    return replace(settings, elsewhere=Target(target="demo::target"))
