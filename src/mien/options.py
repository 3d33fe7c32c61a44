"""Options that several commands share, said once; the help is made from these docstrings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import Parameter

if TYPE_CHECKING:
    from pathlib import Path

    from mien.comparing.arms import CompareConfig
    from mien.config import StudyConfig
    from mien.data.sources import TableColumns
    from mien.evaluation.evaluate import Evaluation

__all__ = [
    "ColumnOptions",
    "CompareOptions",
    "Flag",
    "LabelOptions",
    "Names",
    "ScoringOptions",
    "StudyOptions",
    "TrainOptions",
    "output_folder",
    "whole_numbers",
]

Flag = Annotated[bool, Parameter(negative="")]
Names = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False, show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ColumnOptions:
    """How to read photos that a table lists.

    Attributes:
        path_column: Column of a table with the photos' paths, where it has no usual name.
        label_column: Column with their classes, likewise.
        split_column: Column that says train, val or test, likewise.
        group_column: Column with what must not stand in two splits, such as a subject.
    """

    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None

    def columns(self) -> TableColumns:
        """The columns as the sources take them."""
        from mien.data.sources import TableColumns

        return TableColumns(self.path_column, self.label_column, self.group_column, self.split_column)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """What the audit asks of a model.

    Attributes:
        check_labels: Rank doubtful labels by what a probe would say. Default: for up to 5,000 photos.
        leak_premium: Measure what copies on both sides of a split would add to a score.
    """

    check_labels: Annotated[bool | None, Parameter(negative="--no-check-labels")] = None
    leak_premium: Flag = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How photos from elsewhere are scored.

    Attributes:
        labels: TOML file that says which class of the photos answers to which of the model, and which to leave out.
            Default: by name and synonym.
        write_labels: TOML file to write that mapping to, for you to edit and give as --labels; nothing is scored then.
        corrections: Table that 'mien audit --out' wrote, with your decisions; for a single set.
    """

    labels: str | None = None
    write_labels: str | None = None
    corrections: str | None = None

    def evaluation(self, data: tuple[str, ...], columns: ColumnOptions) -> Evaluation:
        """The settings for scoring ``data``.

        Raises:
            ConfigError: if they contradict each other.
            LabelError: if the file of classes cannot be used.
            CorrectionsError: if the table cannot be used.
        """
        from pathlib import Path

        from mien.data.corrections import read_corrections
        from mien.data.label_file import read_label_file
        from mien.errors import ConfigError
        from mien.evaluation.evaluate import Evaluation
        from mien.labels import NOTHING_CHOSEN

        if not data:
            raise ConfigError("evaluate: give labelled photos behind the model, as in: mien evaluate RUN PHOTOS")
        if self.corrections and len(data) > 1:
            raise ConfigError("evaluate: --corrections is for one set of photos; evaluate the others by themselves")
        if self.write_labels and (self.labels or self.corrections):
            raise ConfigError("evaluate: --write-labels scores nothing; give it without --labels and --corrections")
        return Evaluation(
            columns.columns(),
            read_corrections(Path(self.corrections)) if self.corrections else None,
            read_label_file(Path(self.labels)) if self.labels else NOTHING_CHOSEN,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How photos are divided and recognisers trained.

    Attributes:
        recipe: What to train: two-stream, probe, scratch, notebook, finetune; the last three also with
            '-no-augmentation' behind. May be given several times.
        corrections: Table that 'mien audit --out' wrote, with your decisions: drop, or relabel to CLASS.
        split: Train/validation/test in per cent; folders named train, val and test are kept as they are.
        split_method: What stays together: grouped (copies of a picture, and the groups of --group-column), series
            (photos of one shoot as well), or naive (nothing; for comparison only).
        keep_splits: Earlier study whose photos keep their splits; new ones fill up.
        epochs: Passes over the training photos, in place of the recipe's budget.
        updates: Optimiser steps, in place of the recipe's budget.
        seconds: Wall-clock seconds a network, in place of the recipe's budget.
        seed: Seed of the split and of every run.
        size: Side of the trained networks' input, px.
        augment: Augmentation of the trained networks: none, notebook, or elsewhere, for photos from other places
            (tighter, in other light, without colour, coarse). notebook-flip is notebook without its flip.
        precision: fp32, bf16, or auto (the default): bf16 where the processor multiplies it and the network gains, as
            scratch and notebook do and finetune does not.
        backbone: What the whole photo goes through in two-stream and probe, or what finetune starts from: a name that
            timm knows, or hf-hub:OWNER/NAME, downloaded once; efficientnet-lite0 and expression come with mien.
        members: Networks of each trained recipe, from as many seeds, averaged into one model; takes so many times as
            long.
        max_error: Share of answers that may be wrong; less sure ones are called unsure. Refused where it cannot be
            kept.
        device: auto, cpu or cuda.
        out: Folder to write. Default: mien-NAME in the current folder.
        resume: Go on with what was interrupted.
    """

    recipe: Names = ()
    corrections: str | None = None
    split: str = "70/15/15"
    split_method: str = "grouped"
    keep_splits: str | None = None
    epochs: int | None = None
    updates: int | None = None
    seconds: float | None = None
    seed: int = 42
    size: int | None = None
    augment: str | None = None
    precision: str | None = None
    backbone: str | None = None
    members: int = 1
    max_error: float | None = None
    device: str = "auto"
    out: str | None = None
    resume: Flag = False

    def config(self, data: tuple[str, ...], columns: ColumnOptions, **rest: Any) -> StudyConfig:
        """The settings of a study of ``data``; ``rest`` are those that only one command has."""
        from mien.config import Budget, StudyConfig

        return StudyConfig(
            data=data,
            corrections=self.corrections,
            path_column=columns.path_column,
            label_column=columns.label_column,
            split_column=columns.split_column,
            group_column=columns.group_column,
            split=self.split,
            split_method=cast(Any, self.split_method),
            keep_splits=self.keep_splits,
            seed=self.seed,
            size=self.size,
            device=self.device,
            budget=Budget(self.epochs, self.updates, self.seconds),
            augment=self.augment,
            precision=cast(Any, self.precision),
            backbone=self.backbone,
            members=self.members,
            max_error=self.max_error,
            **rest,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What a study does beyond training.

    Attributes:
        target: Labelled photos from elsewhere to test on as well.
        target_labels: TOML file that says which of their classes answers to which of DATA's, as 'mien evaluate
            --write-labels' writes it. Default: by name and synonym.
        course: Train the course notebook's network too: scratch and scratch-no-augmentation, which take minutes.
        explain_mistakes: Show in the report on which part of each photo the most confident mistakes rest; takes a
            second or two a photo.
        no_photos: Leave photos and their names out of the report, so that it can be mailed safely.
    """

    target: str | None = None
    target_labels: str | None = None
    course: Flag = False
    explain_mistakes: Flag = False
    no_photos: Flag = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """What is compared, and on what.

    Attributes:
        arm: What to compare, as key=value,key=value: recipe, backbone, augment, label_smoothing, learning_rate, size,
            dropout_scale and the other settings of training. Give two or more.
        leave_one_out: Compare an augmentation, notebook or elsewhere, with itself less each of its parts: which helps?
        recipe: Recipe of arms that name none.
        epochs: Compare after equal passes over the training photos.
        updates: Compare after equal numbers of optimiser steps, as well.
        seconds: Compare after equal wall-clock seconds, as well.
        pairs: Pairs of runs under each budget. Default: the fewest that can tell, 6 for one comparison.
        folds: Outer folds that the photos are divided into, again and again.
        primary: The contrast that matters, by the numbers of its arms; the others are compared with its second arm.
            Default: 1/2; with --leave-one-out all are compared with the whole.
        sizes: Shares of the training photos for a learning curve over their number, as in 0.1,0.25,0.5,1.
        jobs: Runs side by side, each with its share of the cores. Default: one for every four cores; one on a GPU and
            with --seconds.
        corrections: Table that 'mien audit --out' wrote, with your decisions.
        split: Train/validation/test in per cent, as in 'mien study', whose test photos take no part.
        split_method: What stays together: grouped, series or naive.
        seed: Seed of division and runs.
        size: Side of the trained networks' input, px.
        precision: fp32, bf16, or auto, which goes by processor and network.
        device: auto, cpu or cuda.
        out: Folder to write. Default: mien-compare-NAME in the current folder.
        resume: Go on with what was interrupted, with more pairs, or with other arms; runs that exist are used.
    """

    arm: Names = ()
    leave_one_out: str | None = None
    recipe: str = "scratch"
    epochs: int | None = None
    updates: int | None = None
    seconds: float | None = None
    pairs: int | None = None
    folds: int = 6
    primary: str | None = None
    sizes: str | None = None
    jobs: int | None = None
    corrections: str | None = None
    split: str = "70/15/15"
    split_method: str = "grouped"
    seed: int = 42
    size: int | None = None
    precision: str = "fp32"
    device: str = "auto"
    out: str | None = None
    resume: Flag = False

    def config(self, data: tuple[str, ...], columns: ColumnOptions) -> CompareConfig:
        """The settings of a comparison on ``data``.

        Raises:
            ConfigError: if they are out of range.
        """
        from dataclasses import asdict

        from mien.comparing.arms import CompareConfig

        values = asdict(self) | {"sizes": _shares(self.sizes)}
        arms = values.pop("arm")
        for name in ("out", "resume"):
            del values[name]
        return CompareConfig(data=data, arms=arms, **values, **asdict(columns))


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Numbers that an option lists, ascending and each once.

    Raises:
        ConfigError: if they are none.
    """
    from mien.errors import ConfigError

    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise ConfigError(f"--{name} {text}: expected whole numbers, as in 0,1,5,20") from None


def _shares(text: str | None) -> tuple[float, ...]:
    from mien.errors import ConfigError

    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ConfigError(f"--sizes {text}: expected shares of the training photos, as in 0.1,0.25,0.5,1") from None


def output_folder(out: str | None, data: tuple[str, ...], start: str) -> Path:
    """The folder to write: what was asked for, or ``start`` and the name of the data in the current folder."""
    from pathlib import Path

    if out:
        return Path(out).expanduser()
    path, _, part = data[0].partition("::")
    name = Path(path).resolve().name if Path(path).is_dir() else Path(path).stem
    return Path("-".join([start, name, *part.replace("/", "-").split()]))
